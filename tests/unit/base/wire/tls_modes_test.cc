// Every mode, met by a plain TLS client: what it sees, and that the listener is otherwise right.

#include "base/wire/tls_modes.h"

#include <gmock/gmock.h>

#include <set>

#include "tests/unit/base/wire/tls_pair.h"

namespace squall::wire {
namespace {

using ::testing::HasSubstr;

// Handshake, a word each way; then the client's error, or the server's, or "fine".
std::string Seen(const TlsListener& listener, TlsClientOptions client_options) {
  if (!listener.tls) return "plaintext";
  if (listener.hangs) return "silence";
  TlsPair pair(MustServer(*listener.tls), MustClient(std::move(client_options)));
  pair.server = TlsSession(MustServer(*listener.tls), kPairNow + listener.calendar_ahead);
  pair.Pump();
  pair.client.WritePlaintext("hello");
  pair.Pump();
  // A client of TLS 1.3 is done before the server has looked at its certificate.
  if (!pair.client.error().ok()) return std::string(Message(pair.client.error()));
  if (!pair.server.error().ok()) return std::string(Message(pair.server.error()));
  return pair.server.TakePlaintext() == "hello" ? "fine" : "nothing arrived";
}

struct Row {
  TlsFault fault;
  const char* by_name;     // a client that trusts the set, with a certificate of its own
  const char* by_address;  // the same for 127.0.0.1; null: the same
};

class EveryTlsMode : public ::testing::TestWithParam<Row> {};

TEST_P(EveryTlsMode, IsSeenByAClient) {
  for (const bool by_address : {false, true}) {
    Rng rng(3);
    const TlsListener listener =
        ListenerIn(GetParam().fault, ServerWith(Catalogue().server), Catalogue(), kPairNow, rng);
    TlsClientOptions client =
        ClientTrusting(Catalogue().ca_pem, by_address ? "127.0.0.1" : "localhost");
    client.require_alpn = true;
    if (GetParam().fault != TlsFault::kClientCertMissing) client.identity = Catalogue().client;
    const char* expected =
        by_address && GetParam().by_address != nullptr ? GetParam().by_address : GetParam().by_name;
    EXPECT_THAT(Seen(listener, client), HasSubstr(expected)) << (by_address ? "by address" : "");
  }
}

constexpr Row kRows[] = {
    {TlsFault::kWrongCa, "unable to get local issuer certificate", nullptr},
    {TlsFault::kExpired, "certificate has expired", nullptr},
    {TlsFault::kNotYetValid, "certificate is not yet valid", nullptr},
    {TlsFault::kWrongName, "hostname mismatch", "IP address mismatch"},
    {TlsFault::kIpWithoutSan, "fine", "IP address mismatch"},
    {TlsFault::kSelfSigned, "self-signed certificate", nullptr},
    {TlsFault::kWeakKey, "key too weak", nullptr},
    {TlsFault::kKeyMismatch, "bad signature", nullptr},
    {TlsFault::kChainIncomplete, "unable to get local issuer certificate", nullptr},
    {TlsFault::kRootRotated, "certificate verify failed", nullptr},
    {TlsFault::kLeafRotated, "fine", nullptr},
    {TlsFault::kOldVersion, "alert: protocol version", nullptr},
    {TlsFault::kTls12Only, "fine", nullptr},
    {TlsFault::kNoAlpn, "selected no application protocol", nullptr},
    {TlsFault::kAlpnHttp1, "selected no application protocol", nullptr},
    {TlsFault::kClientCertMissing, "alert: certificate required", nullptr},
    {TlsFault::kClientCertForeign, "alert: unknown CA", nullptr},
    {TlsFault::kClientCertExpired, "alert: certificate expired", nullptr},
    {TlsFault::kClientCertNoUsage, "alert: unsupported certificate", nullptr},
    {TlsFault::kSniWrongDefault, "fine", "IP address mismatch"},
    {TlsFault::kSniRefused, "alert: unrecognized name", "IP address mismatch"},
    {TlsFault::kPlaintext, "plaintext", nullptr},
    {TlsFault::kTls, "fine", nullptr},
    {TlsFault::kHandshakeHangs, "silence", nullptr},
    {TlsFault::kNoCloseNotify, "fine", nullptr},
};

INSTANTIATE_TEST_SUITE_P(Modes, EveryTlsMode, ::testing::ValuesIn(kRows),
                         [](const ::testing::TestParamInfo<Row>& row) {
                           for (const TlsMode& mode : TlsModes()) {
                             if (mode.fault == row.param.fault) return std::string(mode.name);
                           }
                           return std::string("unknown");
                         });

TEST(TlsModes, AreAllInTheTableAndFoundByName) {
  std::set<TlsFault> faults;
  for (const TlsMode& mode : TlsModes()) {
    EXPECT_TRUE(faults.insert(mode.fault).second) << mode.name;
    EXPECT_EQ(FindTlsMode(mode.name), &mode);
    EXPECT_FALSE(mode.doc.empty());
    EXPECT_FALSE(mode.seen.empty());
  }
  EXPECT_EQ(faults.size(), std::size(kRows));
  EXPECT_EQ(FindTlsMode("wrong"), nullptr);
}

TEST(TlsModes, ARotatedLeafIsAnotherEachTime) {
  Rng rng(3);
  const auto mint = [&rng] {
    return ListenerIn(TlsFault::kLeafRotated, ServerWith(Catalogue().server), Catalogue(), kPairNow,
                      rng)
        .tls->identity.certificate_chain_pem;
  };
  const std::string first = mint();
  EXPECT_NE(first, Catalogue().server.certificate_chain_pem);
  EXPECT_NE(first, mint());
}

// The right chain with the intermediate is accepted: what chain_incomplete leaves out is what is
// missing.
TEST(TlsModes, AnIntermediateCompletesTheChain) {
  CertificateAuthority root = *Catalogue().authority;
  CertificateAuthority intermediate = root.IssueAuthority({.common_name = "between"});
  LeafOptions leaf;
  leaf.dns_names = {"localhost"};
  TlsIdentity identity = intermediate.Issue(leaf);
  TlsListener listener;
  listener.tls = ServerWith(identity);
  EXPECT_THAT(Seen(listener, ClientTrusting(Catalogue().ca_pem)),
              HasSubstr("unable to get local issuer"));
  identity.certificate_chain_pem += intermediate.certificate_pem();
  listener.tls = ServerWith(identity);
  EXPECT_EQ(Seen(listener, ClientTrusting(Catalogue().ca_pem)), "fine");
}

}  // namespace
}  // namespace squall::wire
