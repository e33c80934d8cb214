#include "tests/fuzz/wire_targets.h"

#include <algorithm>

#include "base/wire/grpc.h"

namespace squall::fuzz {
namespace {

using namespace wire;  // NOLINT(google-build-using-namespace): all of what is fuzzed here

// RFC 9113, 3.4, and empty SETTINGS.
constexpr std::string_view kClientPreface("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33);

// Answers every call at once, each third with an error.
struct EchoServer : GrpcServerHandler {
  EchoServer() : connection({.max_request_bytes = 1 << 16}, *this) {}
  void OnCallStarted(StreamId, GrpcCallHead) override {}
  void OnMessage(StreamId call, std::string message) override {
    if (call % 3 == 0) {
      connection.Finish(call, {5, message, "details"});
    } else {
      connection.Reply(call, message);
    }
  }
  void OnCancelled(StreamId) override {}
  GrpcServerConnection connection;
};

// The first byte of the input as the size of its pieces.
std::size_t PieceSize(std::string_view& bytes) {
  if (bytes.empty()) return 1;
  const std::size_t size = static_cast<unsigned char>(bytes.front());
  bytes.remove_prefix(1);
  return size == 0 ? bytes.size() + 1 : size;
}

template <typename Feed>
void Cut(std::string_view bytes, std::size_t size, Feed feed) {
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, size);
    bytes.remove_prefix(piece.size());
    if (!feed(piece)) return;
  }
}

}  // namespace

void GrpcServerBytes(std::string_view bytes) {
  const std::size_t choice = PieceSize(bytes);
  EchoServer server;
  // A fuzzer does not find the preface by itself, as nghttp2 is not instrumented.
  const bool preface = choice >= 128 && choice <= 255;
  if (preface) server.connection.Feed(kClientPreface).IgnoreError();
  const std::size_t size = preface ? choice - 127 : choice;
  Cut(bytes, size, [&server](std::string_view piece) {
    const bool ok = server.connection.Feed(piece).ok();
    server.connection.TakeOutput();
    return ok;
  });
}

void GrpcClientBytes(std::string_view bytes) {
  const std::size_t size = PieceSize(bytes);
  GrpcClientOptions options;
  options.authority = "localhost";
  options.max_response_bytes = 1 << 16;
  GrpcClientConnection client(options);
  int ended = 0;
  for (int i = 0; i < 3; ++i) {
    client.StartCall({.service = "s", .method = "m", .message = "x"},
                     [&ended](const GrpcResponse&) { ++ended; });
  }
  client.TakeOutput();
  Cut(bytes, size, [&client](std::string_view piece) {
    const bool ok = client.Feed(piece).ok();
    client.TakeOutput();
    return ok;
  });
  client.ConnectionLost("end of input");
  SQUALL_CHECK(ended == 3, "every call ends exactly once");
}

void GrpcFrames(std::string_view bytes) {
  const std::size_t size = PieceSize(bytes);
  constexpr std::size_t kMax = 1 << 16;
  GrpcFrameParser whole(kMax), cut(kMax);
  std::vector<GrpcFrameParser::Frame> from_whole, from_cut;
  const Status whole_status = whole.Feed(bytes, from_whole);
  Status cut_status;
  Cut(bytes, size, [&](std::string_view piece) {
    cut_status = cut.Feed(piece, from_cut);
    return cut_status.ok();
  });
  SQUALL_CHECK(whole_status == cut_status, "the status depends on how the bytes are cut");
  SQUALL_CHECK(from_whole.size() == from_cut.size(), "messages depend on how the bytes are cut");
  for (std::size_t i = 0; i < from_whole.size(); ++i) {
    SQUALL_CHECK(from_whole[i].payload == from_cut[i].payload, "a message depends on the cut");
    const StatusOr<std::string> plain = Gunzip(from_whole[i].payload, kMax);
    SQUALL_CHECK(!plain.ok() || plain->size() <= kMax, "the limit does not hold");
  }
}

void GrpcFields(std::string_view bytes) {
  if (const auto timeout = ParseGrpcTimeout(bytes)) {
    const auto again = ParseGrpcTimeout(FormatGrpcTimeout(*timeout));
    SQUALL_CHECK(again.has_value() && *again >= *timeout, "a timeout is lost in formatting");
  }
  SQUALL_CHECK(PercentDecode(PercentEncode(bytes)) == bytes, "percent encoding");
  PercentDecode(bytes);
  SQUALL_CHECK(Base64Decode(Base64Encode(bytes)) == std::string(bytes), "base64");
  Base64Decode(bytes);
}

std::vector<std::string> WireSeeds() {
  std::vector<std::string> seeds = {"", "100m", "a%20b", "Zm9v"};
  // A conversation: what each side sends, whole and as one piece (the leading zero).
  for (const bool gzip : {false, true}) {
    EchoServer server;
    GrpcClientOptions options;
    options.authority = "localhost";
    GrpcClientConnection client(options);
    for (int i = 0; i < 3; ++i) {
      client.StartCall({.service = "pkg.Service",
                        .method = "Do",
                        .metadata = {{"key", "value"}, {"blob-bin", "\1\2"}},
                        .message = std::string(static_cast<std::size_t>(50 * i), 'm'),
                        .timeout = std::chrono::seconds(10),
                        .gzip = gzip},
                       [](const GrpcResponse&) {});
    }
    client.http2().Ping("pingpong");
    std::string up, down;
    for (bool moved = true; moved;) {
      const std::string more_up = client.TakeOutput();
      up += more_up;
      if (!server.connection.Feed(more_up).ok()) break;
      const std::string more_down = server.connection.TakeOutput();
      down += more_down;
      if (!client.Feed(more_down).ok()) break;
      moved = !more_up.empty() || !more_down.empty();
    }
    server.connection.http2().Goaway(Http2Error::kNoError);
    down += server.connection.TakeOutput();
    seeds.push_back(std::string(1, '\0') + up);
    seeds.push_back(std::string(1, '\0') + down);
    seeds.push_back(std::string(1, '\x11') + up);
    seeds.push_back(std::string(1, '\xff') + up.substr(kClientPreface.size() - 9));
  }
  seeds.push_back(std::string(1, '\3') + GrpcFrame("hello") + GrpcFrame(Gzip("hello"), true) +
                  GrpcFrame(""));
  return seeds;
}

}  // namespace squall::fuzz
