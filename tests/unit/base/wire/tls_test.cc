#include "base/wire/tls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "tests/support/status_matchers.h"
#include "tests/unit/base/wire/tls_pair.h"

namespace squall::wire {
namespace {

using ::squall::testing::IsOk;
using ::squall::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::shared_ptr<TlsContext> RightServer() { return MustServer(ServerWith(Catalogue().server)); }
std::shared_ptr<TlsContext> RightClient() { return MustClient(ClientTrusting(Catalogue().ca_pem)); }

TEST(TlsTest, ShakesHandsAndCarriesDataBothWays) {
  TlsPair pair(RightServer(), RightClient());
  pair.client.WritePlaintext("before the handshake");
  EXPECT_FALSE(pair.client.handshake_done());
  pair.Pump();
  ASSERT_OK(pair.client.error());
  ASSERT_OK(pair.server.error());
  EXPECT_TRUE(pair.client.handshake_done());
  EXPECT_TRUE(pair.server.handshake_done());
  EXPECT_EQ(pair.server.TakePlaintext(), "before the handshake");
  EXPECT_EQ(pair.server.TakePlaintext(), "");
  pair.server.WritePlaintext("answer");
  pair.Pump();
  EXPECT_EQ(pair.client.TakePlaintext(), "answer");
  EXPECT_EQ(pair.client.alpn(), "h2");
  EXPECT_EQ(pair.server.alpn(), "h2");
  EXPECT_EQ(pair.server.sni(), "localhost");
  EXPECT_EQ(pair.client.version(), "TLSv1.3");
  EXPECT_EQ(pair.client.peer_subject(), "CN=localhost,O=squall");
  EXPECT_EQ(pair.server.peer_subject(), "");
  EXPECT_EQ(pair.client.peer_certificate_pem(), Catalogue().server.certificate_chain_pem);
}

TEST(TlsTest, AnyCutOfTheByteStreamIsTheSame) {
  TlsPair pair(RightServer(), RightClient());
  const std::string large(100000, 'x');  // several records
  pair.client.WritePlaintext(large);
  pair.Pump(1);
  ASSERT_OK(pair.server.error());
  EXPECT_EQ(pair.server.TakePlaintext(), large);
}

TEST(TlsTest, CiphertextDoesNotShowThePlaintext) {
  TlsPair pair(RightServer(), RightClient());
  pair.Pump();
  pair.client.WritePlaintext("a secret that must not be seen");
  EXPECT_GT(pair.client.buffered(), 0U);
  EXPECT_THAT(pair.client.TakeCiphertext(), Not(HasSubstr("secret")));
  EXPECT_EQ(pair.client.buffered(), 0U);
}

// --- versions

TEST(TlsTest, VersionsAreNegotiatedInsideTheRanges) {
  TlsServerOptions only_12 = ServerWith(Catalogue().server);
  only_12.max_version = TlsVersion::kTls12;
  TlsPair pair(MustServer(only_12), RightClient());
  pair.client.WritePlaintext("x");
  pair.Pump();
  EXPECT_EQ(pair.client.version(), "TLSv1.2");
  EXPECT_EQ(pair.server.TakePlaintext(), "x");
}

TEST(TlsTest, NoCommonVersionFailsOnBothSides) {
  TlsServerOptions only_13 = ServerWith(Catalogue().server);
  only_13.min_version = TlsVersion::kTls13;
  TlsClientOptions only_12 = ClientTrusting(Catalogue().ca_pem);
  only_12.max_version = TlsVersion::kTls12;
  TlsPair pair(MustServer(only_13), MustClient(only_12));
  pair.Pump();
  EXPECT_THAT(pair.server.error(),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("unsupported protocol")));
  EXPECT_THAT(pair.client.error(),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("protocol version")));
}

// --- ALPN

struct AlpnCase {
  const char* name;
  std::vector<std::string> server, client;
  AlpnMismatch mismatch;
  const char* chosen;  // null: the handshake fails
};

class TlsAlpnTest : public ::testing::TestWithParam<AlpnCase> {};

TEST_P(TlsAlpnTest, ChoosesAsTheServerPrefers) {
  TlsServerOptions server = ServerWith(Catalogue().server);
  server.alpn = GetParam().server;
  server.alpn_mismatch = GetParam().mismatch;
  TlsClientOptions client = ClientTrusting(Catalogue().ca_pem);
  client.alpn = GetParam().client;
  TlsPair pair(MustServer(server), MustClient(client));
  pair.Pump();
  if (GetParam().chosen == nullptr) {
    EXPECT_THAT(pair.server.error(),
                StatusIs(StatusCode::kFailedPrecondition, HasSubstr("no application protocol")));
    EXPECT_THAT(pair.client.error(),
                StatusIs(StatusCode::kFailedPrecondition, HasSubstr("no application protocol")));
    return;
  }
  EXPECT_OK(pair.server.error());
  EXPECT_OK(pair.client.error());
  EXPECT_EQ(pair.server.alpn(), GetParam().chosen);
  EXPECT_EQ(pair.client.alpn(), GetParam().chosen);
}

INSTANTIATE_TEST_SUITE_P(
    Lists, TlsAlpnTest,
    ::testing::Values(
        AlpnCase{"same", {"h2"}, {"h2"}, AlpnMismatch::kRefuse, "h2"},
        AlpnCase{"preference", {"h2", "http/1.1"}, {"http/1.1", "h2"}, AlpnMismatch::kRefuse, "h2"},
        AlpnCase{"refused", {"http/1.1"}, {"h2"}, AlpnMismatch::kRefuse, nullptr},
        AlpnCase{"ignored", {"http/1.1"}, {"h2"}, AlpnMismatch::kContinue, ""},
        AlpnCase{"server_none", {}, {"h2"}, AlpnMismatch::kRefuse, ""},
        AlpnCase{"client_none", {"h2"}, {}, AlpnMismatch::kRefuse, ""}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(TlsTest, ClientMayInsistOnAnApplicationProtocol) {
  TlsServerOptions server = ServerWith(Catalogue().server);
  server.alpn = {};
  TlsClientOptions client = ClientTrusting(Catalogue().ca_pem);
  client.require_alpn = true;
  TlsPair pair(MustServer(server), MustClient(client));
  pair.Pump();
  EXPECT_THAT(pair.client.error(), StatusIs(StatusCode::kFailedPrecondition,
                                            HasSubstr("selected no application protocol")));
}

// --- SNI

TlsServerOptions ServerOfTwoNames() {
  TlsServerOptions options = ServerWith(Catalogue().server);
  options.by_sni["other.example"] = Catalogue().wrong_name;
  return options;
}

TEST(TlsTest, IdentityIsChosenByServerName) {
  TlsPair pair(MustServer(ServerOfTwoNames()),
               MustClient(ClientTrusting(Catalogue().ca_pem, "Other.Example")));
  pair.Pump();
  ASSERT_OK(pair.client.error());
  EXPECT_EQ(pair.client.peer_subject(), "CN=other.example,O=squall");
  EXPECT_EQ(pair.server.sni(), "other.example");
  EXPECT_EQ(pair.server.alpn(), "h2");
}

TEST(TlsTest, WildcardCoversOneLabel) {
  TlsServerOptions options = ServerWith(Catalogue().server);
  options.by_sni["*.tmprl.cloud"] = Catalogue().wrong_name;
  const auto server = MustServer(options);
  for (const auto& [name, subject] : {std::pair("ns.tmprl.cloud", "CN=other.example,O=squall"),
                                      std::pair("a.b.tmprl.cloud", "CN=localhost,O=squall"),
                                      std::pair("tmprl.cloud", "CN=localhost,O=squall")}) {
    TlsClientOptions client = ClientTrusting("", name);
    client.verify = false;
    TlsPair pair(server, MustClient(client));
    pair.Pump();
    EXPECT_EQ(pair.client.peer_subject(), subject) << name;
  }
}

TEST(TlsTest, UnknownServerNameGetsTheDefaultIdentity) {
  TlsPair pair(MustServer(ServerOfTwoNames()),
               MustClient(ClientTrusting(Catalogue().ca_pem, "third.example")));
  pair.Pump();
  // The default certificate is not for that name: the client says so, with the certificate at hand.
  EXPECT_THAT(pair.client.error(),
              StatusIs(StatusCode::kUnauthenticated, HasSubstr("hostname mismatch")));
  EXPECT_EQ(pair.client.peer_certificate_pem(), Catalogue().server.certificate_chain_pem);
}

TEST(TlsTest, UnknownServerNameIsRefusedWhereAsked) {
  TlsServerOptions options = ServerOfTwoNames();
  options.by_sni["localhost"] = Catalogue().server;
  options.refuse_unknown_sni = true;
  const auto server = MustServer(options);
  TlsPair refused(server, MustClient(ClientTrusting(Catalogue().ca_pem, "third.example")));
  refused.Pump();
  EXPECT_THAT(refused.server.error(), StatusIs(StatusCode::kFailedPrecondition,
                                               HasSubstr("unrecognized name 'third.example'")));
  EXPECT_THAT(refused.client.error(),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("unrecognized name")));
  EXPECT_EQ(refused.server.sni(), "third.example");
  TlsPair served(server, RightClient());
  served.Pump();
  EXPECT_OK(served.client.error());
}

TEST(TlsTest, AddressesAreNotSentAsServerName) {
  TlsPair pair(RightServer(), MustClient(ClientTrusting(Catalogue().ca_pem, "127.0.0.1")));
  pair.Pump();
  EXPECT_OK(pair.client.error());
  EXPECT_EQ(pair.server.sni(), "");
}

TEST(TlsTest, SentNameMayDifferFromTheCheckedOne) {
  TlsClientOptions options = ClientTrusting(Catalogue().ca_pem, "localhost");
  options.sni = "edge.example";
  TlsPair pair(RightServer(), MustClient(options));
  pair.Pump();
  EXPECT_OK(pair.client.error());
  EXPECT_EQ(pair.server.sni(), "edge.example");
}

// --- verification by a client

struct ServerCase {
  const char* name;
  TlsIdentity CertificateSet::*identity;
  const char* host;
  const char* problem;  // null: accepted
};

class TlsServerCertificateTest : public ::testing::TestWithParam<ServerCase> {};

TEST_P(TlsServerCertificateTest, IsJudgedWithItsReason) {
  for (const TlsVersion version : {TlsVersion::kTls12, TlsVersion::kTls13}) {
    TlsServerOptions server = ServerWith(Catalogue().*GetParam().identity);
    server.min_version = server.max_version = version;
    TlsPair pair(MustServer(server),
                 MustClient(ClientTrusting(Catalogue().ca_pem, GetParam().host)));
    pair.Pump();
    if (GetParam().problem == nullptr) {
      EXPECT_OK(pair.client.error());
      EXPECT_OK(pair.server.error());
      continue;
    }
    EXPECT_THAT(pair.client.error(),
                StatusIs(StatusCode::kUnauthenticated, HasSubstr(GetParam().problem)));
    // The alert reached the server.
    EXPECT_THAT(pair.server.error(),
                StatusIs(StatusCode::kUnauthenticated, HasSubstr("the peer sent the alert")));
    EXPECT_FALSE(pair.client.handshake_done());
  }
}

INSTANTIATE_TEST_SUITE_P(
    Catalogue, TlsServerCertificateTest,
    ::testing::Values(
        ServerCase{"right", &CertificateSet::server, "localhost", nullptr},
        ServerCase{"right_ipv4", &CertificateSet::server, "127.0.0.1", nullptr},
        ServerCase{"right_ipv6", &CertificateSet::server, "::1", nullptr},
        ServerCase{"wrong_ca", &CertificateSet::wrong_ca, "localhost",
                   "unable to get local issuer certificate"},
        ServerCase{"expired", &CertificateSet::expired, "localhost", "certificate has expired"},
        ServerCase{"not_yet", &CertificateSet::not_yet, "localhost",
                   "certificate is not yet valid"},
        ServerCase{"wrong_name", &CertificateSet::wrong_name, "localhost", "hostname mismatch"},
        ServerCase{"no_ip", &CertificateSet::no_ip, "127.0.0.1", "IP address mismatch"},
        ServerCase{"no_ip_by_name", &CertificateSet::no_ip, "localhost", nullptr},
        ServerCase{"client_certificate", &CertificateSet::client, "",
                   "unsuitable certificate purpose"}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(TlsTest, AClientKnowsWhetherItWasAskedForACertificate) {
  TlsPair never(RightServer(), RightClient());
  never.Pump();
  EXPECT_TRUE(never.client.handshake_done());
  EXPECT_FALSE(never.client.certificate_requested());
  for (const TlsVersion version : {TlsVersion::kTls12, TlsVersion::kTls13}) {
    TlsServerOptions asks = ServerWith(Catalogue().server);
    asks.client_ca_pem = Catalogue().ca_pem;
    asks.require_client_certificate = true;
    asks.max_version = version;
    TlsPair pair(MustServer(asks), RightClient());
    pair.Pump();
    EXPECT_TRUE(pair.client.certificate_requested());
    EXPECT_THAT(pair.client.requested_authorities(), ::testing::SizeIs(1));
  }
}

TEST(TlsTest, TimeIsTheGivenOneNotTheMachines) {
  const auto server = MustServer(ServerWith(Catalogue().expired));
  TlsPair then(server, RightClient(), kPairNow - std::chrono::hours(48));
  then.Pump();
  EXPECT_OK(then.client.error());
  TlsPair far_future(RightServer(), RightClient(), kPairNow + std::chrono::hours(24 * 365));
  far_future.Pump();
  EXPECT_THAT(far_future.client.error(),
              StatusIs(StatusCode::kUnauthenticated, HasSubstr("certificate has expired")));
}

TEST(TlsTest, NothingIsTrustedWithoutAnAuthority) {
  TlsPair pair(RightServer(), MustClient(ClientTrusting("")));
  pair.Pump();
  EXPECT_THAT(pair.client.error(), StatusIs(StatusCode::kUnauthenticated,
                                            HasSubstr("unable to get local issuer certificate")));
}

// A machine's bundle is looked through by name, not read as a whole.
TEST(TlsTest, ALargeBundleTrustsWhatIsInItAndNothingElse) {
  Rng rng(99);
  const auto mint = [&rng](std::string name) {
    return CertificateAuthority::Create({.common_name = std::move(name)}, kPairNow, rng)
        .certificate_pem();
  };
  std::string bundle;
  for (int i = 0; i < 20; ++i) bundle += mint(fmt::format("authority {}", i));
  TlsPair without(RightServer(), MustClient(ClientTrusting(bundle)));
  without.Pump();
  EXPECT_THAT(without.client.error(),
              StatusIs(StatusCode::kUnauthenticated, HasSubstr("unable to get local issuer")));
  // Behind the others, and behind another key of the same name.
  const std::string subject = DescribeCertificate(Catalogue().ca_pem)->subject;
  ASSERT_TRUE(subject.starts_with("CN=")) << subject;
  const auto context =
      MustClient(ClientTrusting(bundle + mint(subject.substr(3)) + Catalogue().ca_pem));
  for (int i = 0; i < 2; ++i) {  // the second time they are in the store
    TlsPair with(RightServer(), context);
    with.Pump();
    EXPECT_OK(with.client.error());
    EXPECT_TRUE(with.client.handshake_done());
  }
  TlsClientOptions damaged = ClientTrusting(bundle + "-----BEGIN CERTIFICATE-----\nAAAA");
  EXPECT_THAT(TlsContext::Client(std::move(damaged)).status(),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("server authorities")));
}

TEST(TlsTest, VerificationCanBeSwitchedOff) {
  TlsClientOptions options = ClientTrusting("", "nobody.example");
  options.verify = false;
  TlsPair pair(MustServer(ServerWith(Catalogue().expired)), MustClient(options));
  pair.Pump();
  EXPECT_OK(pair.client.error());
}

// --- verification by a server

struct ClientCase {
  const char* name;
  TlsIdentity CertificateSet::*identity;  // null: none
  bool required;
  const char* problem;  // at the server; null: accepted
};

class TlsClientCertificateTest : public ::testing::TestWithParam<ClientCase> {};

TEST_P(TlsClientCertificateTest, IsJudgedWithItsReason) {
  for (const TlsVersion version : {TlsVersion::kTls12, TlsVersion::kTls13}) {
    TlsServerOptions server = ServerWith(Catalogue().server);
    server.client_ca_pem = Catalogue().ca_pem;
    server.require_client_certificate = GetParam().required;
    server.min_version = server.max_version = version;
    TlsClientOptions client = ClientTrusting(Catalogue().ca_pem);
    if (GetParam().identity != nullptr) client.identity = Catalogue().*GetParam().identity;
    TlsPair pair(MustServer(server), MustClient(client));
    pair.client.WritePlaintext("x");
    pair.Pump();
    if (GetParam().problem == nullptr) {
      EXPECT_OK(pair.client.error());
      EXPECT_OK(pair.server.error());
      EXPECT_EQ(pair.server.TakePlaintext(), "x");
      EXPECT_EQ(pair.server.peer_subject().empty(), GetParam().identity == nullptr);
      continue;
    }
    EXPECT_THAT(pair.server.error(),
                StatusIs(StatusCode::kUnauthenticated, HasSubstr(GetParam().problem)));
    EXPECT_EQ(pair.server.TakePlaintext(), "");
    EXPECT_THAT(pair.client.error(), Not(IsOk()));
    EXPECT_THAT(std::string(Message(pair.client.error())), HasSubstr("the peer sent the alert"));
    // With TLS 1.3 a client is told only after its own handshake was done.
    EXPECT_EQ(pair.client.handshake_done(), version == TlsVersion::kTls13);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Catalogue, TlsClientCertificateTest,
    ::testing::Values(
        ClientCase{"right", &CertificateSet::client, true, nullptr},
        ClientCase{"none_required", nullptr, true, "peer did not return a certificate"},
        ClientCase{"none_requested", nullptr, false, nullptr},
        ClientCase{"wrong_ca", &CertificateSet::wrong_ca, true,
                   "unable to get local issuer certificate"},
        ClientCase{"wrong_ca_requested", &CertificateSet::wrong_ca, false,
                   "unable to get local issuer certificate"},
        ClientCase{"expired", &CertificateSet::expired, true, "certificate has expired"},
        ClientCase{"not_yet", &CertificateSet::not_yet, true, "certificate is not yet valid"},
        ClientCase{"no_client_auth", &CertificateSet::no_client_auth, true,
                   "unsuitable certificate purpose"}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(TlsTest, ServersOfSeveralNamesAskForClientCertificatesUnderEachName) {
  TlsServerOptions server = ServerOfTwoNames();
  server.client_ca_pem = Catalogue().ca_pem;
  server.require_client_certificate = true;
  const auto context = MustServer(server);
  TlsClientOptions client = ClientTrusting(Catalogue().ca_pem, "other.example");
  client.identity = Catalogue().client;
  TlsPair right(context, MustClient(client));
  right.Pump();
  EXPECT_OK(right.server.error());
  EXPECT_EQ(right.server.peer_subject(), "CN=worker,O=squall");
  client.identity = Catalogue().wrong_ca;
  TlsPair wrong(context, MustClient(client));
  wrong.Pump();
  EXPECT_THAT(wrong.server.error(),
              StatusIs(StatusCode::kUnauthenticated, HasSubstr("certificate")));
}

// --- session tickets (incident X2)

TEST(TlsTest, TicketSkipsTheCertificate) {
  for (const TlsVersion version : {TlsVersion::kTls12, TlsVersion::kTls13}) {
    TlsServerOptions options = ServerWith(Catalogue().server);
    options.max_version = version;
    const auto server = MustServer(options);
    TlsClientOptions client_options = ClientTrusting(Catalogue().ca_pem);
    client_options.resume = true;
    const auto client = MustClient(client_options);
    TlsPair first(server, client);
    first.Pump();
    ASSERT_OK(first.client.error());
    EXPECT_FALSE(first.client.resumed());
    // A year later the certificate has expired, and a full handshake would say so.
    TlsPair second(server, client, kPairNow + std::chrono::hours(24 * 365));
    second.Pump();
    EXPECT_OK(second.client.error());
    EXPECT_TRUE(second.client.resumed());
    EXPECT_TRUE(second.server.resumed());
  }
}

TEST(TlsTest, WithoutTicketsEveryHandshakeLooksAtTheCertificate) {
  for (const TlsVersion version : {TlsVersion::kTls12, TlsVersion::kTls13}) {
    TlsServerOptions options = ServerWith(Catalogue().server);
    options.max_version = version;
    options.session_tickets = false;
    const auto server = MustServer(options);
    TlsClientOptions client_options = ClientTrusting(Catalogue().ca_pem);
    client_options.resume = true;
    const auto client = MustClient(client_options);
    TlsPair first(server, client);
    first.Pump();
    ASSERT_OK(first.client.error());
    TlsPair second(server, client, kPairNow + std::chrono::hours(24 * 365));
    second.Pump();
    EXPECT_THAT(second.client.error(),
                StatusIs(StatusCode::kUnauthenticated, HasSubstr("certificate has expired")));
  }
}

// --- the end of a connection

TEST(TlsTest, CloseNotifyEndsOneDirection) {
  TlsPair pair(RightServer(), RightClient());
  pair.Pump();
  pair.client.WritePlaintext("last words");
  pair.client.CloseNotify();
  pair.client.WritePlaintext("too late");
  pair.Pump();
  EXPECT_EQ(pair.server.TakePlaintext(), "last words");
  EXPECT_TRUE(pair.server.peer_closed());
  EXPECT_FALSE(pair.client.peer_closed());
  pair.server.WritePlaintext("still heard");
  pair.Pump();
  EXPECT_EQ(pair.client.TakePlaintext(), "still heard");
  pair.server.CloseNotify();
  pair.Pump();
  EXPECT_TRUE(pair.client.peer_closed());
  pair.client.FeedEnd();
  pair.server.FeedEnd();
  EXPECT_FALSE(pair.client.truncated());
  EXPECT_OK(pair.client.error());
  EXPECT_OK(pair.server.error());
}

TEST(TlsTest, CloseBeforeTheHandshakeWaitsForIt) {
  TlsPair pair(RightServer(), RightClient());
  pair.client.WritePlaintext("all");
  pair.client.CloseNotify();
  pair.Pump();
  EXPECT_EQ(pair.server.TakePlaintext(), "all");
  EXPECT_TRUE(pair.server.peer_closed());
  EXPECT_OK(pair.client.error());
}

TEST(TlsTest, EndWithoutCloseNotifyIsATruncation) {
  TlsPair pair(RightServer(), RightClient());
  pair.client.WritePlaintext("half a");
  pair.Pump();
  pair.server.FeedEnd();
  EXPECT_TRUE(pair.server.truncated());
  EXPECT_FALSE(pair.server.peer_closed());
  EXPECT_THAT(pair.server.error(),
              StatusIs(StatusCode::kUnavailable, HasSubstr("without close_notify")));
  EXPECT_EQ(pair.server.TakePlaintext(), "half a");
}

TEST(TlsTest, EndInsideTheHandshakeIsNamed) {
  TlsSession client(RightClient(), kPairNow);
  client.FeedEnd();
  EXPECT_THAT(client.error(), StatusIs(StatusCode::kUnavailable, HasSubstr("TLS handshake")));
}

// --- peers that do not speak TLS

TEST(TlsTest, PlaintextOnATlsPortIsNamed) {
  for (const char* hello : {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET / HTTP/1.1\r\n\r\n"}) {
    TlsSession server(RightServer(), kPairNow);
    server.FeedCiphertext(hello);
    EXPECT_THAT(server.error(), StatusIs(StatusCode::kInvalidArgument,
                                         AllOf(HasSubstr("speaks plaintext, not TLS"),
                                               HasSubstr(std::string(hello).substr(0, 8)))));
    EXPECT_TRUE(server.peer_is_plaintext());
  }
}

TEST(TlsTest, PlaintextAnswerToATlsClientIsNamed) {
  // An HTTP/1.1 server, and the SETTINGS frame of an HTTP/2 one.
  for (const std::string& answer :
       {std::string("HTTP/1.1 400 Bad Request\r\n\r\n"), std::string("\0\0\0\x04\0\0\0\0\0", 9)}) {
    TlsSession client(RightClient(), kPairNow);
    client.FeedCiphertext(answer);
    EXPECT_THAT(client.error(),
                StatusIs(StatusCode::kInvalidArgument, HasSubstr("speaks plaintext, not TLS")));
    EXPECT_TRUE(client.peer_is_plaintext());
  }
}

TEST(TlsTest, DamagedRecordsAreAnErrorAndAnAlert) {
  TlsPair pair(RightServer(), RightClient());
  pair.Pump();
  pair.client.WritePlaintext("text");
  std::string bytes = pair.client.TakeCiphertext();
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  pair.server.FeedCiphertext(bytes);
  EXPECT_THAT(pair.server.error(),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("bad record mac")));
  pair.Pump();
  EXPECT_THAT(pair.client.error(),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("bad record mac")));
}

// --- settings

TEST(TlsTest, KeyOfAnotherCertificateIsRefused) {
  TlsIdentity mixed = Catalogue().server;
  mixed.private_key_pem = Catalogue().client.private_key_pem;
  EXPECT_THAT(TlsContext::Server(ServerWith(mixed)),
              StatusIs(StatusCode::kInvalidArgument,
                       HasSubstr("private key of the server does not belong to its certificate")));
  TlsServerOptions by_name = ServerWith(Catalogue().server);
  by_name.by_sni["a.example"] = mixed;
  EXPECT_THAT(TlsContext::Server(by_name),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("'a.example'")));
  TlsClientOptions client = ClientTrusting(Catalogue().ca_pem);
  client.identity = mixed;
  EXPECT_THAT(TlsContext::Client(client),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("private key of the client")));
}

TEST(TlsTest, UnreadableSettingsAreRefusedByName) {
  TlsIdentity identity = Catalogue().server;
  identity.certificate_chain_pem = "no PEM";
  EXPECT_THAT(TlsContext::Server(ServerWith(identity)),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("certificate of the server")));
  identity = Catalogue().server;
  identity.private_key_pem.clear();
  EXPECT_THAT(TlsContext::Server(ServerWith(identity)),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("private key of the server")));
  std::string torn = Catalogue().ca_pem;
  torn.resize(torn.size() / 2);
  EXPECT_THAT(TlsContext::Client(ClientTrusting(torn)),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("server authorities")));
  TlsServerOptions server = ServerWith(Catalogue().server);
  server.require_client_certificate = true;
  EXPECT_THAT(TlsContext::Server(server),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("no authority")));
  server = ServerWith(Catalogue().server);
  server.min_version = TlsVersion::kTls13;
  server.max_version = TlsVersion::kTls12;
  EXPECT_THAT(TlsContext::Server(server),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("version")));
  server = ServerWith(Catalogue().server);
  server.alpn = {""};
  EXPECT_THAT(TlsContext::Server(server),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("ALPN")));
}

TEST(TlsTest, ErrorsShowNoKeyMaterial) {
  TlsIdentity mixed = Catalogue().server;
  mixed.private_key_pem = Catalogue().client.private_key_pem;
  const auto context = TlsContext::Server(ServerWith(mixed));
  EXPECT_THAT(context.status().ToString(),
              Not(HasSubstr(Catalogue().client.private_key_pem.substr(40, 20))));
}

TEST(TlsTest, SessionsOutliveTheirContextsHandle) {
  auto server = RightServer();
  auto client = RightClient();
  TlsPair pair(server, client);
  server.reset();
  client.reset();
  pair.Pump();
  TlsSession moved = std::move(pair.client);
  moved.WritePlaintext("moved");
  pair.server.FeedCiphertext(moved.TakeCiphertext());
  EXPECT_EQ(pair.server.TakePlaintext(), "moved");
}

}  // namespace
}  // namespace squall::wire
