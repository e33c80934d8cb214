// The relay: transparent without rules; with rules it does to a server's answers what the server
// would have done itself.

#include "base/wire/grpc_relay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/wire/scripted_server.h"
#include "tests/support/grpc_codes.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/base/wire/message_tools.h"

namespace squall::wire {
namespace {

using ::squall::testing::kCancelled;
using ::squall::testing::kNotFound;
using ::squall::testing::kResourceExhausted;
using ::squall::testing::kUnavailable;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using namespace std::chrono_literals;

// A client, a script, and a server that echoes: with the script in the server, or in a relay in
// front of it.
class Path : public ScriptedServer::Handler, public GrpcRelay::Owner {
 public:
  explicit Path(bool relayed, GrpcRelayOptions options = {})
      : relayed_(relayed), relay_options(options) {
    script.emplace(MisbehaviourScript::Options{
        .seed = 1,
        .tools = TextTools(),
        .repeats_requests = relayed,
        .on_hit = [this](const Hit& hit) {
          hits.push_back(
              fmt::format("{} {} {} {}", hit.fault_id, hit.effect, hit.stream, hit.facts.method));
        }});
  }

  void Rules(const std::string& rules) {
    auto read = RulesFromJson("{\"rules\": [" + rules + "]}");
    ASSERT_OK(read);
    ASSERT_OK(script->Set(now, *std::move(read)));
  }

  void Connect() {
    client.emplace(GrpcClientOptions{.http2 = client_http2, .authority = "a"});
    const Place place{.connection = ++connections, .listener = ""};
    if (relayed_) {
      server.emplace(GrpcServerOptions{}, *this, nullptr, place, now);
      relay.emplace(relay_options, *this, &*script, place, now);
    } else {
      server.emplace(GrpcServerOptions{}, *this, &*script, place, now);
    }
    ended = ScriptedEnd::kKeep;
  }

  void OnCallStarted(StreamId call, GrpcCallHead head) override {
    if (head.method == "Stream") {
      streams.push_back(call);
      server->AcceptStream(call);
    }
    heads.push_back(std::move(head));
  }
  void OnMessage(StreamId call, std::string message, const CallFate& fate) override {
    if (fate.withheld) return;
    if (fate.status.has_value()) return server->Finish(now, call, *fate.status);
    handled.push_back(message);
    if (std::find(streams.begin(), streams.end(), call) != streams.end()) return;
    if (message == "later") return open_at_server.push_back(call);
    if (message == "error") return server->Finish(now, call, {kNotFound, "not there", "det"});
    server->Reply(now, call, "re: " + message);
  }
  void OnCancelled(StreamId call) override { cancelled.push_back(call); }
  void OnOutput() override { ++outputs; }

  struct Result {
    bool done = false;
    GrpcResponse response;
    StreamId stream = 0;
  };
  std::shared_ptr<Result> Begin(GrpcRequest request) {
    if (request.service.empty()) request.service = "s";
    if (request.method.empty()) request.method = "Method";
    auto result = std::make_shared<Result>();
    result->stream = client->StartCall(request, [result](GrpcResponse response) {
      result->done = true;
      result->response = std::move(response);
    });
    Exchange();
    return result;
  }
  std::shared_ptr<Result> Begin(std::string message) {
    return Begin(GrpcRequest{.service = {},
                             .method = {},
                             .metadata = {},
                             .message = std::move(message),
                             .timeout = {},
                             .gzip = false});
  }

  ScriptedEnd End() const { return relayed_ ? relay->end() : server->end(); }

  void Exchange() {
    for (bool moved = true; moved && ended == ScriptedEnd::kKeep;) {
      const std::string up = client->TakeOutput();
      std::string down;
      moved = !up.empty();
      if (relayed_) {
        if (moved) relay->Feed(now, RelaySide::kDownstream, up).IgnoreError();
        std::string to_server, from_server;
        relay->TakeOutput(RelaySide::kUpstream, to_server);
        if (!to_server.empty()) server->Feed(now, to_server).IgnoreError();
        server->TakeOutput(from_server);
        if (!from_server.empty()) {
          server_status.Update(relay->Feed(now, RelaySide::kUpstream, from_server));
        }
        relay->TakeOutput(RelaySide::kDownstream, down);
        moved = moved || !to_server.empty() || !from_server.empty();
      } else {
        if (moved) server->Feed(now, up).IgnoreError();
        server->TakeOutput(down);
      }
      moved = moved || !down.empty();
      if (End() == ScriptedEnd::kReset) down.clear();
      client_status.Update(client->Feed(down));
      if (End() != ScriptedEnd::kKeep) {
        ended = End();
        client->ConnectionLost("connection lost");
      }
    }
  }
  void Wait(Duration by) {
    now += by;
    script->Advance(now);
    Exchange();
  }

  const bool relayed_;
  SteadyTime now{1000s};
  std::optional<MisbehaviourScript> script;
  GrpcRelayOptions relay_options;
  Http2Options client_http2;
  std::optional<GrpcClientConnection> client;
  std::optional<ScriptedServer> server;
  std::optional<GrpcRelay> relay;
  std::uint64_t connections = 0;
  std::vector<GrpcCallHead> heads;
  std::vector<std::string> handled, hits;
  std::vector<StreamId> cancelled, open_at_server, streams;
  ScriptedEnd ended = ScriptedEnd::kKeep;
  Status client_status, server_status;
  int outputs = 0;
};

std::string Told(const Path::Result& result) {
  if (!result.done) return "open";
  const GrpcResponse& r = result.response;
  return fmt::format("{} '{}' details '{}' answer '{}' http {}", r.status.code, r.status.message,
                     r.status.details, r.message, r.http_status);
}

// What a client sees of five calls and two minutes, with the hits.
std::string Story(bool relayed, const std::string& rules) {
  Path path(relayed);
  if (!rules.empty()) path.Rules(rules);
  path.client_http2.max_header_bytes = 4096;
  path.Connect();
  std::string story;
  std::vector<std::shared_ptr<Path::Result>> calls;
  for (const char* message : {"q", "error", "later", "bad", "q"}) {
    calls.push_back(path.Begin(message));
    story += Told(*calls.back()) + "\n";
  }
  path.client->http2().Ping("12345678");
  path.Exchange();
  story += fmt::format("ping {}\n", path.client->TakePingAck());
  for (int i = 0; i < 12; ++i) path.Wait(10s);
  for (const auto& call : calls) story += Told(*call) + "\n";
  for (const StreamId call : path.open_at_server) path.server->Reply(path.now, call, "at last");
  path.Exchange();
  for (int i = 0; i < 12; ++i) path.Wait(10s);
  for (const auto& call : calls) story += Told(*call) + "\n";
  story +=
      fmt::format("end {} going away {} handled {} client {}\n", static_cast<int>(path.ended),
                  path.client->going_away(), path.handled.size(), path.client_status.ToString());
  for (const std::string& hit : path.hits) story += hit + "\n";
  return story;
}

class SameAsAtTheServer : public ::testing::TestWithParam<const char*> {};

TEST_P(SameAsAtTheServer, IsWhatTheClientSees) {
  const std::string direct = Story(false, GetParam());
  EXPECT_EQ(Story(true, GetParam()), direct);
  EXPECT_NE(direct, Story(false, "")) << "the rule does nothing";
}

INSTANTIATE_TEST_SUITE_P(
    Rules, SameAsAtTheServer,
    ::testing::Values(
        R"({"id": "f", "do": {"status": {"code": "UNAVAILABLE", "message": "m"}}})",
        R"({"id": "f", "match": {"number": "2-3"}, "do": {"status": {"code": "NOT_FOUND"}}})",
        R"({"id": "f", "match": {"task_queue": "bad"}, "do": {"status": {"code": "INTERNAL"}}})",
        R"({"id": "f", "do": {"status": {"code": "ABORTED"}}, "after": "3s"})",
        R"({"id": "f", "do": {"delay": {"by": "25s"}}})",
        R"({"id": "f", "do": {"delay": {"by": "25s", "way": "answer"}}})",
        R"({"id": "f", "match": {"number": 1}, "do": "hang"})",
        R"({"id": "f", "match": {"stream": "1-3"}, "do": "lose_answer"})",
        R"({"id": "f", "do": {"lose_answer": {"how": "silence"}}})",
        R"({"id": "f", "match": {"number": 2}, "do": {"lose_answer": {"how": "close_connection"}}})",
        R"({"id": "f", "match": {"number": 2}, "do": {"lose_answer": {"how": "reset_connection"}}})",
        R"({"id": "f", "do": "answer_twice"})",
        R"({"id": "f", "do": {"answer_twice": {"as": "responses"}}})",
        R"({"id": "f", "do": "empty"})", R"({"id": "f", "do": {"empty": {"what": "nothing"}}})",
        R"({"id": "f", "do": "malformed"})",
        R"({"id": "f", "do": {"malformed": {"how": "truncated"}}})",
        R"({"id": "f", "do": {"malformed": {"how": "compressed"}}})",
        R"({"id": "f", "do": {"change_answer": {"fields": {"a": 1}}}})",
        R"({"id": "f", "do": {"reset_stream": {"error": "REFUSED_STREAM"}}})",
        R"({"id": "f", "do": {"reset_stream": {"headers": true}}})",
        R"({"id": "f", "do": "missing_trailers"})",
        R"({"id": "f", "do": {"oversized_header": {"bytes": 9000}}})",
        R"({"id": "f", "do": {"oversized_header": {"bytes": 9000, "in": "trailers"}}})",
        R"({"id": "f", "do": {"http_answer": {"status": 504}}})",
        R"({"id": "f", "do": {"http_answer": {"status": 502, "body": "x"}}, "after": "1s"})",
        R"({"id": "f", "do": "read_timeout"})",
        R"({"id": "f", "do": {"read_timeout": {"by": "10s", "status": 502}}})",
        R"({"id": "f", "do": {"message_limit": {"bytes": 3}}})",
        R"({"id": "f", "do": {"message_limit": {"bytes": 3, "answer": "page"}}})",
        R"({"id": "f", "do": {"message_limit": {"bytes": 6, "way": "answer"}}})",
        R"({"id": "f", "do": {"message_limit": {"bytes": 6, "way": "answer", "answer": "page"}}})",
        R"({"id": "f", "do": {"http_answer": {"status": 503, "version": "1.1"}}})",
        R"({"id": "f", "match": {"method": "M*", "number": 2}, "do": {"http_answer": {"version": "1.1"}}})",
        R"({"id": "f", "match": {"method": "M*", "number": 3}, "do": "goaway"})",
        R"({"id": "f", "match": {"method": "M*", "number": 3}, "do": {"goaway": {"last_stream": "none", "error": "ENHANCE_YOUR_CALM", "debug": "too_many_pings", "close": true}}})",
        R"({"id": "f", "do": "goaway", "after": "15s"})",
        R"({"id": "f", "do": "withhold_ping_ack"})",
        R"({"id": "f", "match": {"method": "M*", "number": 4}, "do": "close"})",
        R"({"id": "f", "match": {"method": "M*", "number": 4}, "do": "reset"})",
        R"({"id": "f", "match": {"connection": 1}, "do": "half_open", "after": "5s"})",
        R"({"id": "f", "do": {"settings": {"max_concurrent_streams": 0}}})"));

// --- Transparent

TEST(GrpcRelay, PassesCallsAsTheyAre) {
  EXPECT_EQ(Story(true, ""), Story(false, ""));
  Path path(true);
  path.Connect();
  GrpcRequest request;
  request.message = "q";
  request.metadata = {{"key", "value"}, {"blob-bin", std::string("\0\1", 2)}};
  request.timeout = 1500ms;
  EXPECT_EQ(path.Begin(request)->response.message, "re: q");
  ASSERT_THAT(path.heads, SizeIs(1));
  EXPECT_EQ(path.heads[0].service, "s");
  EXPECT_EQ(path.heads[0].method, "Method");
  EXPECT_EQ(path.heads[0].authority, "a");
  EXPECT_EQ(path.heads[0].timeout, 1500ms);
  EXPECT_EQ(path.heads[0].metadata.find("key")->second, "value");
  EXPECT_EQ(path.heads[0].metadata.find("blob-bin")->second, std::string("\0\1", 2));
  EXPECT_EQ(path.relay->open_calls(), 0u);
}

TEST(GrpcRelay, PassesLargeAndCompressedMessages) {
  for (const bool rules : {false, true}) {
    Path path(true);
    // Rules for other calls: requests are collected, and pass on.
    if (rules) path.Rules(R"({"match": {"task_queue": "other"}, "do": "hang"})");
    path.Connect();
    for (const bool gzip : {false, true}) {
      GrpcRequest request;
      for (std::size_t i = 0; i < 3 << 20; ++i)
        request.message.push_back(static_cast<char>(i * i >> 7));
      request.gzip = gzip;
      const auto result = path.Begin(request);
      ASSERT_TRUE(result->done);
      EXPECT_EQ(result->response.message, "re: " + request.message);
      EXPECT_EQ(path.relay->held_bytes(RelaySide::kDownstream), 0u);
    }
  }
}

TEST(GrpcRelay, ACancelledCallIsCancelledAtTheServer) {
  Path path(true);
  path.Connect();
  const auto call = path.Begin("later");
  EXPECT_EQ(path.relay->open_calls(), 1u);
  path.client->Cancel(call->stream);
  path.Exchange();
  EXPECT_EQ(call->response.status.code, kCancelled);
  EXPECT_THAT(path.cancelled, SizeIs(1));
  EXPECT_EQ(path.relay->open_calls(), 0u);
}

TEST(GrpcRelay, AnUnreadAnswerIsHeldUpToAWindowAndNoFurther) {
  Path path(true);
  path.client_http2.auto_window_update = false;  // the client takes 1 MiB and no more
  path.Connect();
  const auto call = path.Begin(std::string(3 << 20, 'x'));
  EXPECT_FALSE(call->done);
  EXPECT_LE(path.relay->held_bytes(RelaySide::kDownstream), 256u << 10);
  EXPECT_GT(path.server->http2().queued_bytes(1), 1500u << 10) << "the rest waits at the server";
}

TEST(GrpcRelay, AnUnreadRequestIsHeldUpToAWindowAndNoFurther) {
  Path path(true);
  path.Connect();
  path.relay.emplace(path.relay_options, path, &*path.script,
                     Place{.connection = 9, .listener = ""}, path.now);
  path.server.reset();  // nobody takes what goes upstream
  std::shared_ptr<Path::Result> result = std::make_shared<Path::Result>();
  path.client->StartCall({.service = "s",
                          .method = "m",
                          .metadata = {},
                          .message = std::string(4 << 20, 'x'),
                          .timeout = {},
                          .gzip = false},
                         [](const GrpcResponse&) {});
  for (int i = 0; i < 50; ++i) {
    ASSERT_OK(path.relay->Feed(path.now, RelaySide::kDownstream, path.client->TakeOutput()));
    std::string down;
    path.relay->TakeOutput(RelaySide::kDownstream, down);
    ASSERT_OK(path.client->Feed(down));
  }
  EXPECT_EQ(path.relay->held_bytes(RelaySide::kUpstream), 256u << 10);
}

TEST(GrpcRelay, AGoawayOfTheServerReachesTheClient) {
  Path path(true);
  path.Connect();
  const auto open = path.Begin("later");
  path.server->http2().Goaway(Http2Error::kEnhanceYourCalm, Http2Connection::kSeen, "max_age");
  path.Exchange();
  EXPECT_TRUE(path.client->going_away());
  EXPECT_FALSE(open->done) << "a call that the server has seen goes on";
  path.server->Reply(path.now, path.open_at_server.front(), "done");
  path.Exchange();
  EXPECT_EQ(open->response.message, "done");
  EXPECT_EQ(path.Begin("q")->response.status.code, kUnavailable);
}

TEST(GrpcRelay, ACallThatAGoawayLeavesOutIsRefused) {
  Path path(true);
  path.Connect();
  path.Begin("q");
  path.server->http2().Goaway(Http2Error::kNoError, 1);
  std::string goaway;
  path.server->TakeOutput(goaway);
  const auto refused = path.Begin("q");  // crosses the GOAWAY
  EXPECT_FALSE(refused->done);
  ASSERT_OK(path.relay->Feed(path.now, RelaySide::kUpstream, goaway));
  path.Exchange();
  EXPECT_EQ(refused->response.status.code, kUnavailable);
  EXPECT_THAT(path.handled, SizeIs(1));
}

TEST(GrpcRelay, AResetOfTheServerReachesTheClientWithItsCode) {
  Path path(true);
  path.Connect();
  const auto call = path.Begin("later");
  path.server->http2().Reset(1, Http2Error::kEnhanceYourCalm);
  path.Exchange();
  EXPECT_EQ(call->response.status.code, kResourceExhausted);
  EXPECT_THAT(call->response.status.message, HasSubstr("ENHANCE_YOUR_CALM"));
}

TEST(GrpcRelay, PingsAreTheServersToAnswer) {
  Path path(true);
  path.Connect();
  path.Begin("q");
  path.client->http2().Ping("12345678");
  const std::string ping = path.client->TakeOutput();
  ASSERT_OK(path.relay->Feed(path.now, RelaySide::kDownstream, ping));
  std::string down;
  path.relay->TakeOutput(RelaySide::kDownstream, down);
  EXPECT_EQ(down, "") << "the relay has answered itself";
  path.Exchange();
  EXPECT_TRUE(path.client->TakePingAck());

  GrpcRelayOptions alone;
  alone.pass_pings = false;
  Path balancer(true, alone);
  balancer.Connect();
  balancer.Begin("q");
  balancer.client->http2().Ping("12345678");
  ASSERT_OK(
      balancer.relay->Feed(balancer.now, RelaySide::kDownstream, balancer.client->TakeOutput()));
  balancer.relay->TakeOutput(RelaySide::kDownstream, down);
  EXPECT_NE(down, "");
}

// A stream of messages in both directions, which no rule for calls of other methods holds up.
TEST(GrpcRelay, StreamsFlow) {
  for (const bool rules : {false, true}) {
    Path path(true);
    if (rules) path.Rules(R"({"match": {"method": "Other"}, "do": "hang"})");
    path.Connect();
    path.Begin("q");
    Http2Connection& client = path.client->http2();
    const auto stream = client.SubmitRequest({{":method", "POST"},
                                              {":scheme", "http"},
                                              {":path", "/s/Stream"},
                                              {":authority", "a"},
                                              {"te", "trailers"},
                                              {"content-type", "application/grpc"}},
                                             false);
    ASSERT_OK(stream);
    path.Exchange();
    for (const char* message : {"one", "two", "three"}) {
      client.SubmitData(*stream, GrpcFrame(message), false);
      path.Exchange();
      EXPECT_EQ(path.handled.back(), message) << "before the client has ended its side";
    }
  }
}

// --- What only a relay can do, or does otherwise

TEST(GrpcRelay, ARequestThatIsSentTwiceIsHandledTwiceAndAnsweredOnce) {
  Path path(true);
  path.Rules(R"({"id": "f", "match": {"number": 2}, "do": "request_twice"})");
  path.Connect();
  EXPECT_EQ(path.Begin("a")->response.message, "re: a");
  EXPECT_EQ(path.Begin("b")->response.message, "re: b");
  EXPECT_EQ(path.Begin("c")->response.message, "re: c");
  EXPECT_THAT(path.handled, ElementsAre("a", "b", "b", "c"));
  EXPECT_THAT(path.hits, ElementsAre("f request_twice 3 Method"));
  EXPECT_EQ(path.relay->open_calls(), 0u);
}

TEST(GrpcRelay, AReadTimeoutCancelsTheCallAtTheServer) {
  Path path(true);
  path.Rules(R"({"id": "f", "do": "read_timeout"})");
  path.Connect();
  const auto call = path.Begin("later");
  path.Wait(59999ms);
  EXPECT_FALSE(call->done);
  EXPECT_THAT(path.cancelled, IsEmpty());
  path.Wait(1ms);
  EXPECT_EQ(call->response.http_status, 504);
  EXPECT_EQ(call->response.status.code, kUnavailable);
  EXPECT_THAT(path.cancelled, SizeIs(1));
  EXPECT_THAT(path.hits, ElementsAre("f read_timeout 1 Method"));
}

TEST(GrpcRelay, GatesHoldRequestsAndAnswers) {
  Path path(true);
  path.Rules(R"({"id": "r", "match": {"number": 1}, "do": {"hold": {"gate": "g"}}},
                {"id": "a", "do": {"hold": {"gate": "h", "way": "answer"}}})");
  path.Connect();
  const auto first = path.Begin("one");
  EXPECT_THAT(path.handled, IsEmpty());
  const auto second = path.Begin("two");
  EXPECT_THAT(path.handled, ElementsAre("two"));
  EXPECT_FALSE(second->done);
  path.script->Release(path.now, "g");
  path.script->Release(path.now, "h");
  path.Exchange();
  EXPECT_EQ(first->response.message, "re: one");
  EXPECT_EQ(second->response.message, "re: two");
  EXPECT_EQ(path.outputs, 2);
}

TEST(GrpcRelay, WindowIsWithheldAndGivenBack) {
  Path path(true);
  path.Rules(R"({"id": "f", "do": "withhold_window"})");
  path.Connect();
  const auto call = path.Begin(std::string(1 << 20, 'x'));
  EXPECT_FALSE(call->done);
  EXPECT_THAT(path.hits, ElementsAre("f withhold_window 0 "));
  EXPECT_GE(path.client->http2().queued_bytes(call->stream), 700u << 10);
  path.script->Lift(path.now, "f");
  path.Exchange();
  EXPECT_TRUE(call->done);
}

TEST(GrpcRelay, ARuleForEveryConnectionMeetsThoseThatStandAndThoseThatCome) {
  for (const bool relayed : {false, true}) {
    Path path(relayed);
    path.Connect();
    EXPECT_TRUE(path.Begin("q")->done);
    path.Rules(R"({"id": "f", "on": "every", "do": "goaway"})");
    path.Exchange();
    EXPECT_TRUE(path.client->going_away());
    path.Connect();
    path.Exchange();
    EXPECT_TRUE(path.client->going_away());
    EXPECT_THAT(path.hits, ElementsAre("f goaway 0 ", "f goaway 0 "));
    path.script->Lift(path.now, "f");
    path.Connect();
    EXPECT_TRUE(path.Begin("q")->done);
    EXPECT_FALSE(path.client->going_away());
  }
}

TEST(GrpcRelay, ChangesCompressedAnswersToo) {
  Path path(true);
  path.Rules(R"({"id": "f", "do": {"change_answer": {"fields": {"a": 1}}}})");
  path.Connect();
  GrpcRequest request;
  request.message = std::string(5000, 'z');
  request.gzip = true;  // the server then answers compressed
  EXPECT_EQ(path.Begin(request)->response.message, "re: " + request.message + "+{\"a\":1}");
}

TEST(GrpcRelay, WhatIsTooLongToHoldPassesUntouched) {
  GrpcRelayOptions options;
  options.max_held_bytes = 1000;
  Path path(true, options);
  path.Rules(R"({"id": "f", "match": {"task_queue": "*"}, "do": "empty"})");
  path.Connect();
  const std::string longer(2000, 'x');
  EXPECT_EQ(path.Begin(longer)->response.message, "re: " + longer);
  EXPECT_THAT(path.hits, IsEmpty());
  EXPECT_EQ(path.Begin("short")->response.message, "");
  EXPECT_THAT(path.hits, SizeIs(1));
}

TEST(GrpcRelay, AServerThatSpeaksSomethingElseIsAnError) {
  Path path(true);
  path.Connect();
  const Status status =
      path.relay->Feed(path.now, RelaySide::kUpstream, "HTTP/1.1 400 Bad Request\r\n\r\n");
  EXPECT_THAT(std::string(Message(status)), HasSubstr("HTTP/1.1 400"));
}

TEST(GrpcRelay, ARuleThatOnlyAProxyCanObeyIsRefusedByServers) {
  Path path(false);
  auto rules = RulesFromJson(R"({"rules": [{"do": "request_twice"}]})");
  ASSERT_OK(rules);
  const auto set = path.script->Set(path.now, *std::move(rules));
  ASSERT_FALSE(set.ok());
  EXPECT_THAT(std::string(Message(set.status())), HasSubstr("only a proxy"));
}

}  // namespace
}  // namespace squall::wire
