#include "tests/fuzz/tls_targets.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/journal/journal.h"
#include "base/util/rng.h"
#include "base/wire/certificates.h"
#include "base/wire/tls.h"
#include "fakes/ingress/ingress.h"
#include "tests/fuzz/byte_source.h"

namespace squall::fuzz {
namespace {

using namespace wire;  // NOLINT(google-build-using-namespace): all of what is fuzzed here

// The day for which the catalogue is minted: 2026-11-21T13:30:00Z.
constexpr WallTime kToday{std::chrono::seconds(1795267800)};
constexpr std::size_t kOptions = 4;

const CertificateSet& Catalogue() {
  static const CertificateSet set = [] {
    Rng rng(7);
    return MintCatalogue(kToday, rng);
  }();
  return set;
}

TlsServerOptions ServerOptions(std::size_t choice) {
  TlsServerOptions options;
  options.identity = Catalogue().server;
  if (choice == 1) {
    options.by_sni = {{"localhost", Catalogue().server}, {"*.example.com", Catalogue().wrong_name}};
    options.refuse_unknown_sni = true;
    options.alpn = {"h2", "http/1.1"};
  } else if (choice == 2) {
    options.client_ca_pem = Catalogue().ca_pem;
    options.require_client_certificate = true;
    options.max_version = TlsVersion::kTls12;
  } else if (choice == 3) {
    options.client_ca_pem = Catalogue().ca_pem;
    options.alpn_mismatch = AlpnMismatch::kContinue;
    options.session_tickets = false;
  }
  return options;
}

TlsClientOptions ClientOptions(std::size_t choice) {
  TlsClientOptions options;
  options.ca_pem = Catalogue().ca_pem;
  options.server_name = "localhost";
  if (choice == 1) options.resume = true;
  if (choice == 2) {
    options.identity = Catalogue().client;
    options.require_alpn = true;
  }
  if (choice == 3) options.verify = false;
  return options;
}

template <typename Make>
std::shared_ptr<TlsContext> Must(Make make) {
  StatusOr<std::shared_ptr<TlsContext>> context = make();
  SQUALL_CHECK(context.ok(), "the options of the fuzzer are wrong");
  return *std::move(context);
}

const std::shared_ptr<TlsContext>& Server(std::size_t choice) {
  static std::shared_ptr<TlsContext> contexts[kOptions];
  auto& context = contexts[choice];
  if (context == nullptr) context = Must([&] { return TlsContext::Server(ServerOptions(choice)); });
  return context;
}

const std::shared_ptr<TlsContext>& Client(std::size_t choice) {
  static std::shared_ptr<TlsContext> contexts[kOptions];
  auto& context = contexts[choice];
  if (context == nullptr) context = Must([&] { return TlsContext::Client(ClientOptions(choice)); });
  return context;
}

// Feeds a session that has no honest peer.
void Session(TlsSession session, ByteSource& source) {
  const std::size_t piece = source.Byte();
  const std::string_view bytes = source.Rest();
  const std::size_t size = piece == 0 ? bytes.size() + 1 : piece;
  session.WritePlaintext("hello");
  Status error;
  for (std::size_t at = 0; at < bytes.size(); at += size) {
    session.FeedCiphertext(bytes.substr(at, size));
    session.TakeCiphertext();
    const std::string plain = session.TakePlaintext();
    SQUALL_CHECK(plain.empty() || session.handshake_done(), "plaintext before the handshake");
    SQUALL_CHECK(error.ok() || session.error() == error, "the first error is replaced");
    error = session.error();
    session.sni();
    session.alpn();
    session.peer_subject();
  }
  session.FeedEnd();
  session.TakeCiphertext();
  SQUALL_CHECK(session.peer_closed() || !session.error().ok(), "an end that nobody announced");
  session.CloseNotify();
  session.TakeCiphertext();
}

// What the meddler does to one direction.
struct Edit {
  std::size_t at = 0;
  std::size_t kind = 0, length = 0;
  std::uint8_t value = 0;
};

// One direction with a meddler in it.
class Wire {
 public:
  void Add(const Edit& edit) { edits_.push_back(edit); }
  std::string Carry(const std::string& bytes) {
    std::string changed;
    for (const char byte : bytes) {
      std::string out(1, byte);
      for (const Edit& edit : edits_) {
        if (at_ < edit.at || at_ >= edit.at + std::max<std::size_t>(edit.length, 1)) continue;
        switch (edit.kind) {
          case 0:
            for (char& each : out) each = static_cast<char>(each ^ edit.value);
            break;
          case 1:
            out.clear();
            break;
          case 2:
            out += byte;
            break;
          default:
            out.insert(out.begin(), static_cast<char>(edit.value));
        }
      }
      changed += out;
      ++at_;
    }
    return changed;
  }

 private:
  std::vector<Edit> edits_;
  std::size_t at_ = 0;
};

}  // namespace

void TlsServerBytes(std::string_view bytes) {
  ByteSource source(bytes);
  const std::size_t choice = source.Below(kOptions);
  Session(TlsSession(Server(choice), kToday), source);
}

void TlsClientBytes(std::string_view bytes) {
  ByteSource source(bytes);
  const std::size_t choice = source.Below(kOptions);
  Session(TlsSession(Client(choice), kToday), source);
}

void TlsMeddling(std::string_view script) {
  ByteSource source(script);
  TlsSession client(Client(source.Below(kOptions)), kToday);
  TlsSession server(Server(source.Below(kOptions)), kToday);
  Wire up, down;
  while (!source.empty()) {
    Edit edit;
    Wire& wire = source.Below(2) == 0 ? up : down;
    edit.kind = source.Below(4);
    edit.at = source.Number(2) % 8192;
    edit.length = source.Below(64);
    edit.value = source.Byte();
    wire.Add(edit);
  }
  const std::string question(3000, 'q'), answer(20000, 'a');
  client.WritePlaintext(question);
  server.WritePlaintext(answer);
  std::string heard, told;
  for (int round = 0; round < 50; ++round) {
    const std::string to_server = up.Carry(client.TakeCiphertext());
    server.FeedCiphertext(to_server);
    const std::string to_client = down.Carry(server.TakeCiphertext());
    client.FeedCiphertext(to_client);
    heard += server.TakePlaintext();
    told += client.TakePlaintext();
    if (to_server.empty() && to_client.empty()) break;
  }
  SQUALL_CHECK(question.compare(0, heard.size(), heard) == 0, "the server heard something else");
  SQUALL_CHECK(answer.compare(0, told.size(), told) == 0, "the client was told something else");
  client.FeedEnd();
  server.FeedEnd();
}

void IngressScript(std::string_view script) {
  using fakes::Ingress;
  using fakes::IngressOutput;
  using fakes::IngressSide;
  ByteSource source(script);
  fakes::IngressOptions options;
  options.transport = static_cast<fakes::IngressTransport>(source.Below(3));
  options.reach = source.OneIn(16) ? fakes::IngressReach::kSilent : fakes::IngressReach::kPublic;
  options.plaintext_answer = static_cast<fakes::PlaintextAnswer>(source.Below(2));
  options.tls = ServerOptions(source.Below(kOptions));
  if (source.OneIn(4)) options.idle_timeout = std::chrono::seconds(5);
  options.buffer_limit = 512;
  journal::NullSink sink;
  ManualClock clock;
  auto created = Ingress::Create(options, sink);
  SQUALL_CHECK(created.ok(), "the options of the fuzzer are wrong");
  Ingress& ingress = **created;
  TlsSession client(Client(source.Below(kOptions)), kToday);
  const std::uint64_t connection = ingress.Accept({clock.Now(), kToday}, "10.0.0.1:1");
  const auto now = [&clock] { return Moment{clock.Now(), kToday}; };
  bool closed[2] = {false, false};
  const auto carry = [&] {
    for (const IngressOutput& output : ingress.TakeOutput()) {
      const auto side = static_cast<std::size_t>(output.side);
      SQUALL_CHECK(output.connection == connection, "output of a connection that never was");
      SQUALL_CHECK(!closed[side], "output behind the end of its side");
      if (output.then == IngressOutput::Then::kClose) closed[side] = true;
      if (output.side == IngressSide::kDownstream) client.FeedCiphertext(output.bytes);
      ingress.Sent(connection, output.side, output.bytes.size());
    }
  };
  while (!source.empty()) {
    const std::size_t what = source.Below(10);
    const auto side = source.Below(2) == 0 ? IngressSide::kDownstream : IngressSide::kUpstream;
    switch (what) {
      case 0:
        ingress.Receive(now(), connection, IngressSide::kDownstream, source.Chunk());
        break;
      case 1:
      case 2:
        client.WritePlaintext(source.Chunk());
        break;
      case 3:
        ingress.Receive(now(), connection, IngressSide::kUpstream, source.Chunk());
        break;
      case 4:
        ingress.PeerClosed(now(), connection, side);
        break;
      case 5:
        ingress.PeerLost(now(), connection, side, "broken");
        break;
      case 6:
        ingress.UpstreamConnected(now(), connection);
        break;
      case 7:
        ingress.UpstreamFailed(now(), connection, "refused");
        break;
      case 8:
        clock.Advance(std::chrono::milliseconds(100 * source.Byte()));
        ingress.Advance(now());
        break;
      default:
        client.CloseNotify();
        break;
    }
    // What an honest client says meanwhile.
    if (what != 0) {
      for (int i = 0; i < 4; ++i) {
        const std::string up = client.TakeCiphertext();
        if (up.empty()) break;
        ingress.Receive(now(), connection, IngressSide::kDownstream, up);
        carry();
      }
    }
    carry();
    ingress.WantsRead(connection, side);
    client.TakePlaintext();
    const auto deadline = ingress.NextDeadline();
    SQUALL_CHECK(!deadline.has_value() || *deadline >= clock.Now() || what != 8,
                 "a deadline lies in the past");
  }
  ingress.CloseAll(now());
  carry();
  SQUALL_CHECK(ingress.open_connections() == 0, "a connection is left");
}

std::vector<std::string> TlsSeeds() {
  std::vector<std::string> seeds = {"", std::string("\0\0GET / HTTP/1.1\r\n\r\n", 20)};
  // Both sides of an honest handshake with what is said behind it.
  for (std::size_t choice = 0; choice < kOptions; ++choice) {
    TlsSession client(Client(choice), kToday);
    TlsSession server(Server(choice), kToday);
    client.WritePlaintext("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    server.WritePlaintext("answer");
    std::string up, down;
    for (int round = 0; round < 10; ++round) {
      const std::string more_up = client.TakeCiphertext();
      server.FeedCiphertext(more_up);
      const std::string more_down = server.TakeCiphertext();
      client.FeedCiphertext(more_down);
      up += more_up;
      down += more_down;
    }
    SQUALL_CHECK(client.handshake_done() && server.handshake_done(),
                 "the seeds do not shake hands");
    for (const char piece : {'\0', '\x7'}) {
      seeds.push_back(std::string{static_cast<char>(choice), piece} + up);
      seeds.push_back(std::string{static_cast<char>(choice), piece} + down);
    }
    // Meddlers: nobody, one flipped byte in each direction.
    const char c = static_cast<char>(choice);
    seeds.push_back({c, c});
    seeds.push_back({c, c, 0, 0, 0, 60, 1, 1});
    seeds.push_back({c, c, 1, 0, 2, 0, 1, 1});
    // Ingress: TLS, HTTP/2 over it, the upstream answers, both end.
    std::string script = {c, 0, 0, c, 0, c};
    script += std::string("\1\0\0\x18PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 28);
    script += std::string("\6\0\3\0\0\4abcd\4\1\x9\0\4\0", 16);
    seeds.push_back(script);
  }
  return seeds;
}

}  // namespace squall::fuzz
