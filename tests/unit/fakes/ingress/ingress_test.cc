#include "fakes/ingress/ingress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/journal/journal.h"
#include "base/wire/tls.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/base/wire/tls_pair.h"

namespace squall::fakes {
namespace {

using ::squall::testing::StatusIs;
using ::squall::wire::Catalogue;
using ::squall::wire::ClientTrusting;
using ::squall::wire::kPairNow;
using ::squall::wire::MustClient;
using ::squall::wire::ServerWith;
using ::squall::wire::TlsClientOptions;
using ::squall::wire::TlsSession;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using Then = IngressOutput::Then;

constexpr IngressSide kDown = IngressSide::kDownstream;
constexpr IngressSide kUp = IngressSide::kUpstream;
constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

IngressOptions Options() {
  IngressOptions options;
  options.name = "edge";
  options.tls = ServerWith(Catalogue().server);
  return options;
}

// An ingress with one client (a TLS session, or raw bytes) and a script for the upstream.
class Rig {
 public:
  explicit Rig(IngressOptions options = Options(),
               TlsClientOptions client_options = ClientTrusting(Catalogue().ca_pem))
      : client(MustClient(std::move(client_options)), kPairNow) {
    auto made = Ingress::Create(std::move(options), journal);
    if (!made.ok()) ADD_FAILURE() << made.status();
    ingress = *std::move(made);
    connection = ingress->Accept(Now(), "127.0.0.1:5000");
  }

  Moment Now() const { return clock.MomentNow(); }

  // Carries bytes between client and ingress until both are quiet; notes what is asked of the
  // upstream.
  void Pump() {
    for (;;) {
      const std::string up = client.TakeCiphertext();
      if (!up.empty()) ingress->Receive(Now(), connection, kDown, up);
      const bool moved = Drain();
      if (up.empty() && !moved) return;
    }
  }

  bool Drain() {
    bool moved = false;
    for (IngressOutput& output : ingress->TakeOutput()) {
      EXPECT_EQ(output.connection, connection);
      moved = true;
      ingress->Sent(connection, output.side, output.bytes.size());
      if (output.side == kDown) {
        raw_down += output.bytes;
        client.FeedCiphertext(output.bytes);
        if (output.then != Then::kKeep) down_end = output.then;
      } else {
        to_upstream += output.bytes;
        if (output.then == Then::kConnect) {
          ++connects;
        } else if (output.then != Then::kKeep) {
          up_end = output.then;
        }
      }
    }
    return moved;
  }

  // A finished handshake, first bytes sent, upstream open.
  void Establish(std::string_view first = "hello") {
    client.WritePlaintext(first);
    Pump();
    ingress->UpstreamConnected(Now(), connection);
    Pump();
  }

  std::vector<std::string> Words() const {
    std::vector<std::string> words;
    for (const journal::Event& event : journal.Events()) words.emplace_back(event.what());
    return words;
  }
  journal::ConnectionEvent Last() const {
    const auto events = journal.Events();
    return *events.back().As<journal::ConnectionEvent>();
  }
  journal::ConnectionEvent At(std::size_t i) const {
    return *journal.Events().at(i).As<journal::ConnectionEvent>();
  }

  ManualClock clock{kPairNow};
  journal::Journal journal{clock};
  TlsSession client;
  std::unique_ptr<Ingress> ingress;
  std::uint64_t connection = 0;
  std::string to_upstream;
  std::string raw_down;  // what the client's socket got
  int connects = 0;
  Then down_end = Then::kKeep;
  Then up_end = Then::kKeep;
};

TEST(IngressTest, TerminatesTlsAndForwardsBothWays) {
  Rig rig;
  rig.Pump();
  EXPECT_TRUE(rig.client.handshake_done());
  EXPECT_EQ(rig.connects, 0) << "nothing was sent yet";
  rig.client.WritePlaintext(kPreface);
  rig.Pump();
  EXPECT_EQ(rig.connects, 1);
  EXPECT_EQ(rig.to_upstream, "") << "not before the upstream is open";
  rig.ingress->UpstreamConnected(rig.Now(), rig.connection);
  rig.Pump();
  EXPECT_EQ(rig.to_upstream, kPreface);
  rig.ingress->Receive(rig.Now(), rig.connection, kUp, "settings");
  rig.Pump();
  EXPECT_EQ(rig.client.TakePlaintext(), "settings");
  EXPECT_EQ(rig.client.alpn(), "h2");
  EXPECT_THAT(rig.Words(), ElementsAre("accepted", "established"));
  EXPECT_EQ(rig.Last().detail, "TLSv1.3, ALPN h2, SNI localhost");
  EXPECT_EQ(rig.Last().peer, "127.0.0.1:5000");
  EXPECT_EQ(rig.Last().link, "edge");
  EXPECT_EQ(rig.journal.Events().back().source, "ingress:edge");
}

TEST(IngressTest, RoutesIdentityByServerName) {
  IngressOptions options = Options();
  options.tls.by_sni["other.example"] = Catalogue().wrong_name;
  Rig rig(options, ClientTrusting(Catalogue().ca_pem, "other.example"));
  rig.Pump();
  EXPECT_OK(rig.client.error());
  EXPECT_THAT(rig.Last().detail, HasSubstr("SNI other.example"));
}

TEST(IngressTest, ClientCertificatesAreRequestedAndNoted) {
  IngressOptions options = Options();
  options.tls.client_ca_pem = Catalogue().ca_pem;
  options.tls.require_client_certificate = true;
  TlsClientOptions client = ClientTrusting(Catalogue().ca_pem);
  client.identity = Catalogue().client;
  Rig right(options, client);
  right.Pump();
  EXPECT_THAT(right.Last().detail, HasSubstr("client CN=worker,O=squall"));
  client.identity.reset();
  Rig wrong(options, client);
  wrong.Pump();
  EXPECT_THAT(wrong.Words(), ElementsAre("accepted", "failed", "closed"));
  EXPECT_THAT(wrong.At(1).detail, HasSubstr("peer did not return a certificate"));
  EXPECT_EQ(wrong.down_end, Then::kClose);
}

TEST(IngressTest, ClientThatRefusesTheCertificateIsNoted) {
  Rig rig(Options(), ClientTrusting(Catalogue().wrong_ca_pem));
  rig.Pump();
  EXPECT_THAT(rig.Words(), ElementsAre("accepted", "failed", "closed"));
  EXPECT_THAT(rig.At(1).detail, HasSubstr("the peer sent the alert: unknown CA"));
  EXPECT_EQ(rig.connects, 0);
}

TEST(IngressTest, UnusableSettingsAreRefused) {
  IngressOptions options = Options();
  options.tls.identity.private_key_pem = Catalogue().client.private_key_pem;
  journal::NullSink sink;
  EXPECT_THAT(Ingress::Create(options, sink).status(),
              StatusIs(StatusCode::kInvalidArgument,
                       AllOf(StartsWith("ingress edge: "), HasSubstr("private key"))));
}

// --- incident E3: HTTP/1.1 where HTTP/2 is needed

TEST(IngressTest, Http1TransportNegotiatesNoHttp2) {
  IngressOptions options = Options();
  options.transport = IngressTransport::kHttp1;
  TlsClientOptions strict = ClientTrusting(Catalogue().ca_pem);
  strict.require_alpn = true;
  Rig rig(options, strict);
  rig.Pump();
  EXPECT_THAT(rig.client.error(), StatusIs(StatusCode::kFailedPrecondition,
                                           HasSubstr("selected no application protocol")));
}

TEST(IngressTest, Http1TransportAnswersHttp2With400) {
  for (const IngressTransport transport :
       {IngressTransport::kHttp1, IngressTransport::kHttp1BehindH2}) {
    IngressOptions options = Options();
    options.transport = transport;
    Rig rig(options);
    rig.client.WritePlaintext(kPreface.substr(0, 5));
    rig.Pump();
    EXPECT_EQ(rig.connects, 0) << "not known yet what it is";
    rig.client.WritePlaintext(kPreface.substr(5));
    rig.Pump();
    EXPECT_THAT(rig.client.TakePlaintext(), StartsWith("HTTP/1.1 400 Bad Request\r\n"));
    EXPECT_TRUE(rig.client.peer_closed());
    EXPECT_EQ(rig.client.alpn(), transport == IngressTransport::kHttp1 ? "" : "h2");
    EXPECT_EQ(rig.down_end, Then::kClose);
    EXPECT_EQ(rig.connects, 0);
    EXPECT_THAT(rig.Last().detail, HasSubstr("HTTP/1.1 400"));
  }
}

TEST(IngressTest, Http1TransportForwardsHttp1) {
  IngressOptions options = Options();
  options.transport = IngressTransport::kHttp1;
  TlsClientOptions client = ClientTrusting(Catalogue().ca_pem);
  client.alpn = {"http/1.1"};
  Rig rig(options, client);
  rig.client.WritePlaintext("P");  // the first letter of PRI, too
  rig.Pump();
  rig.client.WritePlaintext("OST /x HTTP/1.1\r\n\r\n");
  rig.Pump();
  rig.ingress->UpstreamConnected(rig.Now(), rig.connection);
  rig.client.WritePlaintext("more");
  rig.Pump();
  EXPECT_EQ(rig.to_upstream, "POST /x HTTP/1.1\r\n\r\nmore");
}

// --- incident E5: plaintext on the TLS port

TEST(IngressTest, PlaintextIsCutOffAndNamed) {
  Rig rig;
  rig.ingress->Receive(rig.Now(), rig.connection, kDown, kPreface);
  rig.Drain();
  EXPECT_EQ(rig.down_end, Then::kClose);
  EXPECT_EQ(rig.raw_down, "");
  EXPECT_THAT(rig.Words(), ElementsAre("accepted", "failed", "closed"));
  EXPECT_THAT(rig.At(1).detail, HasSubstr("plaintext, not TLS: it sent \"PRI * HTTP/2.0"));
  EXPECT_EQ(rig.ingress->open_connections(), 0U);
}

TEST(IngressTest, PlaintextMayBeAnsweredWithAnAlert) {
  IngressOptions options = Options();
  options.plaintext_answer = PlaintextAnswer::kAlert;
  Rig rig(options);
  rig.ingress->Receive(rig.Now(), rig.connection, kDown, kPreface);
  rig.Drain();
  EXPECT_EQ(rig.raw_down, std::string("\x15\x03\x01\x00\x02\x02\x46", 7));
  EXPECT_EQ(rig.down_end, Then::kClose);
  Rig http(options);
  http.ingress->Receive(http.Now(), http.connection, kDown, "GET / HTTP/1.1\r\n\r\n");
  http.Drain();
  EXPECT_EQ(http.raw_down, "");
  EXPECT_EQ(http.down_end, Then::kClose);
}

// --- incident E2: internal-only

TEST(IngressTest, SilentIngressAcceptsAndNeverAnswers) {
  IngressOptions options = Options();
  options.reach = IngressReach::kSilent;
  Rig rig(options);
  rig.Pump();
  rig.clock.Advance(std::chrono::hours(1));
  rig.ingress->Advance(rig.Now());
  rig.Pump();
  EXPECT_EQ(rig.raw_down, "");
  EXPECT_FALSE(rig.client.handshake_done());
  EXPECT_EQ(rig.ingress->open_connections(), 1U);
  EXPECT_FALSE(rig.ingress->NextDeadline().has_value());
  rig.ingress->PeerClosed(rig.Now(), rig.connection, kDown);
  rig.Drain();
  EXPECT_THAT(rig.Words(), ElementsAre("accepted", "closed"));
}

// --- ends

TEST(IngressTest, ClientsEndIsPassedOnAndAnswersStillArrive) {
  Rig rig;
  rig.Establish("request");
  rig.client.CloseNotify();
  rig.Pump();
  EXPECT_EQ(rig.up_end, Then::kEndWrite);
  rig.ingress->Receive(rig.Now(), rig.connection, kUp, "late answer");
  rig.Pump();
  EXPECT_EQ(rig.client.TakePlaintext(), "late answer");
  rig.ingress->PeerClosed(rig.Now(), rig.connection, kUp);
  rig.Pump();
  EXPECT_TRUE(rig.client.peer_closed());
  EXPECT_EQ(rig.down_end, Then::kClose);
  EXPECT_EQ(rig.up_end, Then::kClose);
  EXPECT_EQ(rig.Last().what, "closed");
  EXPECT_EQ(rig.Last().bytes_up, 7U);
  EXPECT_EQ(rig.Last().bytes_down, 11U);
}

TEST(IngressTest, UpstreamsEndIsPassedOnWithCloseNotify) {
  Rig rig;
  rig.Establish();
  rig.ingress->PeerClosed(rig.Now(), rig.connection, kUp);
  rig.Pump();
  EXPECT_TRUE(rig.client.peer_closed());
  EXPECT_EQ(rig.down_end, Then::kEndWrite);
  EXPECT_EQ(rig.ingress->open_connections(), 1U);
  rig.client.CloseNotify();
  rig.Pump();
  EXPECT_EQ(rig.down_end, Then::kClose);
  EXPECT_EQ(rig.ingress->open_connections(), 0U);
}

TEST(IngressTest, HalfClosedConnectionsEndInTime) {
  Rig rig;
  rig.Establish();
  rig.clock.Advance(std::chrono::seconds(5));
  rig.ingress->PeerClosed(rig.Now(), rig.connection, kUp);
  ASSERT_TRUE(rig.ingress->NextDeadline().has_value());
  EXPECT_EQ(*rig.ingress->NextDeadline(), rig.clock.Now() + std::chrono::seconds(10));
  rig.clock.Advance(std::chrono::seconds(10) - std::chrono::nanoseconds(1));
  rig.ingress->Advance(rig.Now());
  EXPECT_EQ(rig.ingress->open_connections(), 1U);
  rig.clock.Advance(std::chrono::nanoseconds(1));
  rig.ingress->Advance(rig.Now());
  rig.Drain();
  EXPECT_EQ(rig.down_end, Then::kClose);
  EXPECT_EQ(rig.up_end, Then::kClose);
}

TEST(IngressTest, ClientsAbortEndsTheUpstreamToo) {
  Rig rig;
  rig.Establish();
  rig.ingress->PeerClosed(rig.Now(), rig.connection, kDown);  // FIN without close_notify
  rig.Drain();
  EXPECT_EQ(rig.up_end, Then::kClose);
  EXPECT_THAT(rig.Last().detail, HasSubstr("without close_notify"));
  Rig reset;
  reset.Establish();
  reset.ingress->PeerLost(reset.Now(), reset.connection, kDown, "connection reset by peer");
  reset.Drain();
  EXPECT_EQ(reset.up_end, Then::kClose);
  EXPECT_EQ(reset.Last().detail, "client: connection reset by peer");
}

TEST(IngressTest, RefusedUpstreamClosesTheClient) {
  Rig rig;
  rig.client.WritePlaintext(kPreface);
  rig.Pump();
  rig.ingress->UpstreamFailed(rig.Now(), rig.connection, "connection refused");
  rig.Pump();
  EXPECT_TRUE(rig.client.peer_closed());
  EXPECT_EQ(rig.down_end, Then::kClose);
  EXPECT_EQ(rig.Last().detail, "upstream: connection refused");
}

TEST(IngressTest, LostUpstreamClosesTheClient) {
  Rig rig;
  rig.Establish();
  rig.ingress->PeerLost(rig.Now(), rig.connection, kUp, "connection reset by peer");
  rig.Pump();
  EXPECT_TRUE(rig.client.peer_closed());
  EXPECT_EQ(rig.down_end, Then::kClose);
  EXPECT_EQ(rig.up_end, Then::kKeep) << "it is gone already";
}

TEST(IngressTest, ClientThatLeavesWhileTheUpstreamConnects) {
  Rig rig;
  rig.client.WritePlaintext("all I have");
  rig.client.CloseNotify();
  rig.Pump();
  EXPECT_EQ(rig.up_end, Then::kKeep);
  rig.ingress->UpstreamConnected(rig.Now(), rig.connection);
  rig.Pump();
  EXPECT_EQ(rig.to_upstream, "all I have");
  EXPECT_EQ(rig.up_end, Then::kEndWrite);
}

TEST(IngressTest, ClientThatAsksNothingIsClosedAtItsEnd) {
  Rig rig;
  rig.Pump();
  rig.client.CloseNotify();
  rig.Pump();
  EXPECT_EQ(rig.down_end, Then::kClose);
  EXPECT_EQ(rig.connects, 0);
}

TEST(IngressTest, SlowHandshakesAreClosed) {
  Rig rig;  // sends nothing
  EXPECT_EQ(*rig.ingress->NextDeadline(), rig.clock.Now() + std::chrono::seconds(15));
  rig.clock.Advance(std::chrono::seconds(15));
  rig.ingress->Advance(rig.Now());
  rig.Drain();
  EXPECT_EQ(rig.down_end, Then::kClose);
  EXPECT_EQ(rig.At(1).detail, "no TLS handshake within 15.00s");
}

TEST(IngressTest, IdleConnectionsAreClosedWhereAsked) {
  IngressOptions options = Options();
  options.idle_timeout = std::chrono::seconds(240);
  Rig rig(options);
  rig.Establish();
  rig.clock.Advance(std::chrono::seconds(200));
  rig.ingress->Receive(rig.Now(), rig.connection, kUp, "ping");
  rig.clock.Advance(std::chrono::seconds(200));
  rig.ingress->Advance(rig.Now());
  EXPECT_EQ(rig.ingress->open_connections(), 1U);
  rig.clock.Advance(std::chrono::seconds(40));
  rig.ingress->Advance(rig.Now());
  rig.Pump();
  EXPECT_EQ(rig.Last().detail, "idle for too long");
  EXPECT_TRUE(rig.client.peer_closed());
}

TEST(IngressTest, BackPressureHoldsTheFasterSide) {
  IngressOptions options = Options();
  options.buffer_limit = 1000;
  Rig rig(options);
  rig.Establish();
  EXPECT_TRUE(rig.ingress->WantsRead(rig.connection, kDown));
  EXPECT_TRUE(rig.ingress->WantsRead(rig.connection, kUp));
  // Bytes that nobody has reported as sent.
  rig.ingress->Receive(rig.Now(), rig.connection, kUp, std::string(2000, 'd'));
  EXPECT_FALSE(rig.ingress->WantsRead(rig.connection, kUp));
  EXPECT_TRUE(rig.ingress->WantsRead(rig.connection, kDown));
  rig.client.WritePlaintext(std::string(2000, 'u'));
  rig.ingress->Receive(rig.Now(), rig.connection, kDown, rig.client.TakeCiphertext());
  EXPECT_FALSE(rig.ingress->WantsRead(rig.connection, kDown));
  rig.Drain();  // reports all as sent
  EXPECT_TRUE(rig.ingress->WantsRead(rig.connection, kUp));
  EXPECT_TRUE(rig.ingress->WantsRead(rig.connection, kDown));
}

TEST(IngressTest, BackPressureCountsWhatWaitsForTheUpstream) {
  IngressOptions options = Options();
  options.buffer_limit = 1000;
  Rig rig(options);
  rig.client.WritePlaintext(std::string(2000, 'u'));
  rig.Pump();
  EXPECT_FALSE(rig.ingress->WantsRead(rig.connection, kDown));
  rig.ingress->UpstreamConnected(rig.Now(), rig.connection);
  rig.Pump();
  EXPECT_TRUE(rig.ingress->WantsRead(rig.connection, kDown));
}

// Found by tests/fuzz: there was no TLS session to say it in.
TEST(IngressTest, IgnoresAnUpstreamThatNobodyAskedFor) {
  for (const IngressReach reach : {IngressReach::kSilent, IngressReach::kPublic}) {
    IngressOptions options = Options();
    options.reach = reach;
    Rig rig(std::move(options));
    rig.ingress->Receive(rig.Now(), rig.connection, kUp, "hello");
    rig.ingress->PeerClosed(rig.Now(), rig.connection, kUp);
    rig.ingress->PeerLost(rig.Now(), rig.connection, kUp, "reset");
    rig.ingress->UpstreamFailed(rig.Now(), rig.connection, "refused");
    EXPECT_TRUE(rig.ingress->TakeOutput().empty());
    EXPECT_EQ(rig.ingress->open_connections(), 1u);
  }
}

TEST(IngressTest, CloseAllTellsEveryClient) {
  Rig rig;
  rig.Establish();
  rig.ingress->CloseAll(rig.Now());
  rig.Pump();
  EXPECT_TRUE(rig.client.peer_closed());
  EXPECT_EQ(rig.down_end, Then::kClose);
  EXPECT_EQ(rig.up_end, Then::kClose);
  // Late reports about it are ignored.
  rig.ingress->Receive(rig.Now(), rig.connection, kUp, "late");
  rig.ingress->PeerClosed(rig.Now(), rig.connection, kDown);
  rig.ingress->UpstreamFailed(rig.Now(), rig.connection, "late");
  EXPECT_THAT(rig.ingress->TakeOutput(), ::testing::IsEmpty());
}

TEST(IngressTest, JournalHoldsNoKeyMaterialOrPayload) {
  Rig rig;
  rig.Establish("authorization: Bearer secret-key");
  rig.ingress->CloseAll(rig.Now());
  for (const journal::Event& event : rig.journal.Events()) {
    EXPECT_THAT(journal::ToJson(event), ::testing::Not(HasSubstr("secret-key")));
  }
}

}  // namespace
}  // namespace squall::fakes
