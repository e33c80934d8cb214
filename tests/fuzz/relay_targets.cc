#include <algorithm>
#include <optional>

#include "base/util/status.h"
#include "base/wire/grpc.h"
#include "base/wire/grpc_relay.h"
#include "tests/fuzz/byte_source.h"
#include "tests/fuzz/wire_targets.h"

namespace squall::fuzz {
namespace {

using namespace wire;  // NOLINT(google-build-using-namespace): all of what is fuzzed here

// One of each effect, by the first byte of the input; the last is none.
constexpr std::string_view kRules[] = {
    R"({"do": {"status": {"code": "UNAVAILABLE"}}})",
    R"({"do": {"delay": {"by": "1s"}}})",
    R"({"do": {"delay": {"by": "1s", "way": "answer"}}})",
    R"({"do": "hang"})",
    R"({"do": "lose_answer"})",
    R"({"do": "answer_twice"})",
    R"({"do": {"answer_twice": {"as": "responses"}}})",
    R"({"do": {"empty": {"what": "nothing"}}})",
    R"({"do": {"malformed": {"how": "truncated"}}})",
    R"({"do": {"hold": {"gate": "g"}}})",
    R"({"do": {"hold": {"gate": "g", "way": "answer"}}})",
    R"({"do": {"reset_stream": {"headers": true}}})",
    R"({"do": "missing_trailers"})",
    R"({"do": {"oversized_header": {"bytes": 5000, "in": "trailers"}}})",
    R"({"do": "http_answer"})",
    R"({"do": {"read_timeout": {"by": "1s"}}})",
    R"({"do": {"message_limit": {"bytes": 20}}})",
    R"({"do": {"message_limit": {"bytes": 20, "way": "answer"}}})",
    R"({"do": "request_twice"})",
    R"({"match": {"method": "*", "number": 2}, "do": {"goaway": {"close": true}}})",
    R"({"do": "withhold_window"})",
    R"({"do": "withhold_ping_ack"})",
    R"({"do": {"http_answer": {"version": "1.1"}}})",
    R"({"match": {"method": "*", "number": 2}, "do": "half_open"})",
    "",
};

constexpr std::size_t kHeldBytes = 1000;

struct Nobody : GrpcRelay::Owner {
  void OnOutput() override {}
};

struct Echo : GrpcServerHandler {
  Echo() : connection({}, *this) {}
  void OnCallStarted(StreamId, GrpcCallHead) override {}
  void OnMessage(StreamId call, std::string message) override {
    if (message.size() % 5 == 4) return open.push_back(call);
    if (message.size() % 5 == 3) return connection.Finish(call, {5, "no", ""});
    connection.Reply(call, message);
  }
  void OnCancelled(StreamId) override {}
  GrpcServerConnection connection;
  std::vector<StreamId> open;
};

}  // namespace

void RelayScript(std::string_view script) {
  ByteSource source(script);
  SteadyTime now{std::chrono::seconds(1)};
  MisbehaviourScript rules({.seed = 1, .tools = {}, .repeats_requests = true, .on_hit = {}});
  const std::string_view rule = kRules[source.Below(std::size(kRules))];
  if (!rule.empty()) {
    auto read = RulesFromJson("{\"rules\": [" + std::string(rule) + "]}");
    SQUALL_CHECK(read.ok() && rules.Set(now, *std::move(read)).ok(),
                 "the fuzzer's rules are wrong");
  }
  Nobody nobody;
  GrpcRelayOptions options;
  options.max_held_bytes = kHeldBytes;
  GrpcRelay relay(options, nobody, &rules, {.connection = 1, .listener = ""}, now);
  GrpcClientOptions client_options;
  client_options.authority = "localhost";
  GrpcClientConnection client(client_options);
  Echo server;
  int begun = 0, ended = 0;
  bool client_honest = true, server_honest = true;
  while (!source.empty()) {
    switch (source.Below(10)) {
      case 0:
      case 1:
      case 2: {
        ++begun;
        const std::size_t size = source.Number(2) % 3000;
        client.StartCall({.service = "s",
                          .method = source.OneIn(3) ? "n" : "m",
                          .metadata = {},
                          .message = std::string(size, 'x'),
                          .timeout = {},
                          .gzip = source.OneIn(4)},
                         [&ended](const GrpcResponse&) { ++ended; });
        break;
      }
      case 3:
        now += std::chrono::milliseconds(20 * source.Byte());
        rules.Advance(now);
        break;
      case 4:
        client.Cancel(static_cast<StreamId>(2 * source.Below(8) + 1));
        break;
      case 5:
        for (const StreamId call : std::exchange(server.open, {}))
          server.connection.Reply(call, "late");
        break;
      case 6:
        server.connection.http2().Goaway(static_cast<Http2Error>(source.Below(14)),
                                         static_cast<StreamId>(source.Below(12)));
        break;
      case 7:
        client.http2().Ping("12345678");
        rules.Release(now, "g", 1);
        break;
      case 8:  // a client that says anything
        client_honest = false;
        relay.Feed(now, RelaySide::kDownstream, source.Chunk()).IgnoreError();
        break;
      default:  // a server that does
        server_honest = false;
        relay.Feed(now, RelaySide::kUpstream, source.Chunk()).IgnoreError();
        break;
    }
    for (int round = 0; round < 6; ++round) {
      std::string down, up;
      const std::string said = client.TakeOutput();
      if (client_honest) relay.Feed(now, RelaySide::kDownstream, said).IgnoreError();
      relay.TakeOutput(RelaySide::kUpstream, up);
      server.connection.Feed(up).IgnoreError();
      const std::string answered = server.connection.TakeOutput();
      if (server_honest) relay.Feed(now, RelaySide::kUpstream, answered).IgnoreError();
      relay.TakeOutput(RelaySide::kDownstream, down);
      client.Feed(down).IgnoreError();
      if (said.empty() && up.empty() && answered.empty() && down.empty()) break;
    }
    // A window of each call and direction, and what is collected.
    const std::size_t most = relay.open_calls() * (options.upstream.stream_window + kHeldBytes +
                                                   options.upstream.max_frame_size);
    SQUALL_CHECK(relay.held_bytes(RelaySide::kDownstream) <= most &&
                     relay.held_bytes(RelaySide::kUpstream) <= most,
                 "more is held than may be");
  }
  rules.LiftAll(now);
  client.ConnectionLost("end of input");
  SQUALL_CHECK(ended == begun, "every call ends exactly once");
}

std::vector<std::string> RelaySeeds() {
  std::vector<std::string> seeds = {""};
  for (std::size_t rule = 0; rule < std::size(kRules); ++rule) {
    // Calls of several sizes, time, a late answer, a PING, a gate, a GOAWAY.
    std::string seed(1, static_cast<char>(rule));
    for (const char size : {'\3', '\4', '\5', '\40'})
      seed += std::string("\0\0", 2) + size + "\0\0";
    seed += std::string("\0\13\270\2\1", 5);
    seed += std::string("\3\144\5\7\4\1\6\0\3", 9);
    seeds.push_back(seed);
    seeds.push_back(seed + std::string("\10\0\11\0\0\4\10\0\0\0\0\0", 12));
  }
  return seeds;
}

}  // namespace squall::fuzz
