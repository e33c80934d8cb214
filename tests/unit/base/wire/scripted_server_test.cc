// Every effect, met by a plain client of base/wire.

#include "base/wire/scripted_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/grpc_codes.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/base/wire/message_tools.h"

namespace squall::wire {
namespace {

using ::squall::testing::kCancelled;
using ::squall::testing::kInternal;
using ::squall::testing::kNotFound;
using ::squall::testing::kUnavailable;
using ::squall::testing::kUnknown;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;
using namespace std::chrono_literals;

class ScriptedServerTest : public ::testing::Test, public ScriptedServer::Handler {
 protected:
  ScriptedServerTest() {
    script.emplace(MisbehaviourScript::Options{
        .seed = 1, .tools = TextTools(), .on_hit = [this](const Hit& hit) {
          hits.push_back(fmt::format("{} {} {}", hit.fault_id, hit.effect, hit.stream));
        }});
  }

  void Rules(const std::string& rules) {
    auto read = RulesFromJson("{\"rules\": [" + rules + "]}");
    ASSERT_OK(read);
    ASSERT_OK(script->Set(now, *std::move(read)));
  }

  void Connect() {
    client.emplace(GrpcClientOptions{.http2 = client_http2, .authority = "a"});
    server.emplace(server_options, *this, &*script,
                   Place{.connection = ++connections, .listener = "l"}, now);
    raw.clear();
    ended = false;
  }

  // The handler answers each message with "re: " and itself.
  void OnCallStarted(StreamId, GrpcCallHead) override {}
  void OnMessage(StreamId call, std::string message, const CallFate& fate) override {
    fates.push_back(fate);
    if (fate.withheld) return;
    if (fate.status.has_value()) return server->Finish(now, call, *fate.status);
    handled.push_back(message);
    if (answer_error) {
      server->Finish(now, call, {kNotFound, "not there", ""});
    } else {
      server->Reply(now, call, "re: " + message);
    }
  }
  void OnCancelled(StreamId call) override { cancelled.push_back(call); }
  void OnOutput() override { ++outputs; }

  struct Result {
    bool done = false;
    GrpcResponse response;
    StreamId stream = 0;
  };
  std::shared_ptr<Result> Begin(std::string message, const std::string& method = "Method") {
    auto result = std::make_shared<Result>();
    GrpcRequest request;
    request.service = "s";
    request.method = method;
    request.message = std::move(message);
    result->stream = client->StartCall(request, [result](GrpcResponse response) {
      EXPECT_FALSE(result->done);
      result->done = true;
      result->response = std::move(response);
    });
    Exchange();
    return result;
  }
  GrpcResponse Call(const std::string& message = "q") {
    const auto result = Begin(message);
    EXPECT_TRUE(result->done) << "no answer";
    return result->response;
  }
  void Exchange() {
    for (bool moved = true; moved && !ended;) {
      std::string up = client->TakeOutput();
      moved = !up.empty();
      if (moved && !server->Feed(now, up).ok()) server_failed = true;
      std::string down;
      server->TakeOutput(down);
      moved = moved || !down.empty();
      if (server->end() == ScriptedServer::End::kReset) down.clear();
      raw += down;
      client_error = client->Feed(down);
      if (server->end() != ScriptedServer::End::kKeep) {
        ended = true;
        client->ConnectionLost("connection lost");
      }
    }
  }
  void Wait(Duration by) {
    now += by;
    script->Advance(now);
    Exchange();
  }

  SteadyTime now{1000s};
  std::optional<MisbehaviourScript> script;
  Http2Options client_http2;
  GrpcServerOptions server_options;
  std::optional<GrpcClientConnection> client;
  std::optional<ScriptedServer> server;
  std::uint64_t connections = 0;
  std::vector<std::string> handled, hits;
  std::vector<CallFate> fates;
  std::vector<StreamId> cancelled;
  bool answer_error = false;
  bool ended = false;
  bool server_failed = false;
  Status client_error;
  int outputs = 0;
  std::string raw;  // all that the client got
};

TEST_F(ScriptedServerTest, WithoutRulesNothingHappens) {
  Connect();
  EXPECT_EQ(Call().message, "re: q");
  answer_error = true;
  EXPECT_EQ(Call().status.code, kNotFound);
  EXPECT_THAT(hits, IsEmpty());
  EXPECT_EQ(fates[0].fault_id, "");
}

TEST_F(ScriptedServerTest, Status) {
  Rules(R"({"id": "f", "match": {"task_queue": "bad"},
            "do": {"status": {"code": "UNAVAILABLE", "message": "m", "details": [{"type": "T", "fields": {"a": 1}}]}}})");
  Connect();
  const GrpcResponse response = Call("bad");
  EXPECT_EQ(response.status.code, kUnavailable);
  EXPECT_EQ(response.status.message, "m");
  // google.rpc.Status{14, "m", [Any{type.googleapis.com/T, T{"a":1}}]}
  EXPECT_EQ(response.status.details,
            "\x08\x0e\x12\x01m\x1a\x21\x0a\x15type.googleapis.com/T\x12\x08T{\"a\":1}");
  EXPECT_THAT(handled, IsEmpty());
  EXPECT_EQ(fates[0].fault_id, "f");
  EXPECT_EQ(Call("good").message, "re: good");
  EXPECT_THAT(hits, ElementsAre("f status 1"));
}

TEST_F(ScriptedServerTest, DelayOfTheRequest) {
  Rules(R"({"id": "f", "do": {"delay": {"by": "2s"}}})");
  Connect();
  const auto call = Begin("q");
  EXPECT_THAT(handled, IsEmpty());
  Wait(1999ms);
  EXPECT_FALSE(call->done);
  Wait(1ms);
  EXPECT_THAT(handled, ElementsAre("q"));
  EXPECT_EQ(call->response.message, "re: q");
  EXPECT_EQ(fates[0].fault_id, "f");
}

TEST_F(ScriptedServerTest, DelayOfTheAnswer) {
  Rules(R"({"id": "f", "do": {"delay": {"by": "2s", "way": "answer"}}})");
  Connect();
  const auto call = Begin("q");
  EXPECT_THAT(handled, ElementsAre("q"));
  server->Finish(now, call->stream,
                 {4, "deadline", ""});  // what a front end does when time is up: too late
  Wait(1999ms);
  EXPECT_FALSE(call->done);
  Wait(1ms);
  EXPECT_EQ(call->response.message, "re: q");
}

TEST_F(ScriptedServerTest, ACallThatIsGoneIsNotMetLater) {
  Rules(R"({"do": {"delay": {"by": "2s"}}})");
  Connect();
  const auto call = Begin("q");
  client->Cancel(call->stream);
  Exchange();
  EXPECT_THAT(cancelled, ElementsAre(call->stream));
  Wait(2s);
  EXPECT_THAT(handled, IsEmpty());
  Begin("q");
  server.reset();  // nor when the connection is gone
  script->Advance(now + 10s);
  EXPECT_THAT(handled, IsEmpty());
}

TEST_F(ScriptedServerTest, Hang) {
  Rules(R"({"id": "f", "do": "hang", "match": {"times": 1}})");
  Connect();
  const auto call = Begin("q");
  EXPECT_THAT(handled, IsEmpty());
  ASSERT_EQ(fates.size(), 1u);
  EXPECT_TRUE(fates[0].withheld);
  server->Finish(now, call->stream, {4, "deadline", ""});
  Wait(1h);
  EXPECT_FALSE(call->done);
  EXPECT_EQ(Call().message, "re: q");
  client->Cancel(call->stream);
  Exchange();
  EXPECT_THAT(cancelled, ElementsAre(call->stream));
}

TEST_F(ScriptedServerTest, LoseAnswer) {
  Rules(R"({"id": "silent", "match": {"number": 1}, "do": {"lose_answer": {"how": "silence"}}},
           {"id": "reset", "match": {"number": 2}, "do": {"lose_answer": {"error": "CANCEL"}}},
           {"id": "close", "match": {"number": 3}, "do": {"lose_answer": {"how": "close_connection"}}})");
  Connect();
  EXPECT_FALSE(Begin("1")->done);
  EXPECT_EQ(Call("2").status.code, kCancelled);
  const auto third = Begin("3");
  EXPECT_EQ(third->response.status.message, "connection lost");
  EXPECT_EQ(server->end(), ScriptedServer::End::kClose);
  EXPECT_EQ(server->end_fault(), "close");
  EXPECT_THAT(handled, ElementsAre("1", "2", "3"));
  EXPECT_THAT(hits,
              ElementsAre("silent lose_answer 1", "reset lose_answer 3", "close lose_answer 5"));
}

TEST_F(ScriptedServerTest, AnswerTwice) {
  Rules(R"({"match": {"number": 1}, "do": "answer_twice"},
           {"match": {"number": 2}, "do": {"answer_twice": {"as": "responses"}}})");
  Connect();
  const GrpcResponse twice = Call();
  EXPECT_EQ(twice.status.code, kInternal);
  EXPECT_EQ(twice.status.message, "a unary response carries 2 messages");
  raw.clear();
  const GrpcResponse again = Call();
  EXPECT_EQ(again.message, "re: q");
  std::size_t messages = 0;
  for (std::size_t at = 0; (at = raw.find("re: q", at)) != std::string::npos; ++at) ++messages;
  EXPECT_EQ(messages, 2u);
  EXPECT_THAT(handled, ElementsAre("q", "q"));
}

TEST_F(ScriptedServerTest, Empty) {
  Rules(
      R"({"match": {"number": 1}, "do": "empty"}, {"match": {"number": 2}, "do": {"empty": {"what": "nothing"}}})");
  Connect();
  const GrpcResponse message = Call();
  EXPECT_EQ(message.status.code, 0);
  EXPECT_EQ(message.message, "");
  const GrpcResponse nothing = Call();
  EXPECT_EQ(nothing.status.code, kInternal);
  EXPECT_EQ(nothing.status.message, "a unary response carries 0 messages");
  EXPECT_THAT(handled, ElementsAre("q", "q"));
}

TEST_F(ScriptedServerTest, Malformed) {
  Rules(R"({"match": {"number": 1}, "do": "malformed"},
           {"match": {"number": 2}, "do": {"malformed": {"how": "truncated"}}},
           {"match": {"number": 3}, "do": {"malformed": {"how": "compressed"}}})");
  Connect();
  EXPECT_EQ(Call().message, std::string(16, '\xff'));
  EXPECT_THAT(Call().status.message, HasSubstr("ends in the middle of a message"));
  EXPECT_THAT(Call().status.message, HasSubstr("gzip"));
  answer_error = true;
  EXPECT_EQ(Call().status.code, kNotFound);
}

TEST_F(ScriptedServerTest, ChangeAnswer) {
  Rules(R"({"do": {"change_answer": {"fields": {"a": false}}}})");
  Connect();
  EXPECT_EQ(Call().message, R"(re: q+{"a":false})");
}

TEST_F(ScriptedServerTest, HoldAndRelease) {
  Rules(R"({"id": "in", "match": {"task_queue": "in"}, "do": {"hold": {"gate": "in"}}},
           {"id": "out", "match": {"task_queue": "out"}, "do": {"hold": {"gate": "out", "way": "answer"}}})");
  Connect();
  const auto in = Begin("in");
  const auto out = Begin("out");
  EXPECT_THAT(handled, ElementsAre("out"));
  EXPECT_FALSE(in->done);
  EXPECT_FALSE(out->done);
  EXPECT_EQ(script->Release(now, "in"), 1u);
  EXPECT_THAT(handled, ElementsAre("out", "in"));
  EXPECT_GT(outputs, 0);
  Exchange();
  EXPECT_TRUE(in->done);
  EXPECT_FALSE(out->done);
  script->Lift(now, "out");
  Exchange();
  EXPECT_EQ(out->response.message, "re: out");
}

TEST_F(ScriptedServerTest, ResetStream) {
  Rules(R"({"id": "f", "match": {"number": 1}, "do": {"reset_stream": {"error": "REFUSED_STREAM"}}},
           {"match": {"number": 2}, "do": {"reset_stream": {"error": 4660, "headers": true}}, "after": "1s"})");
  Connect();
  const GrpcResponse refused = Call();
  EXPECT_EQ(refused.status.code, kUnavailable);
  EXPECT_THAT(refused.status.message, HasSubstr("REFUSED_STREAM"));
  EXPECT_EQ(refused.http_status, 0);
  const auto second = Begin("q");
  EXPECT_FALSE(second->done);
  Wait(1s);
  EXPECT_THAT(second->response.status.message, HasSubstr("0x1234"));
  EXPECT_EQ(second->response.http_status, 200);
  EXPECT_THAT(handled, IsEmpty());
  EXPECT_THAT(cancelled, ElementsAre(1, 3));
}

TEST_F(ScriptedServerTest, MissingTrailers) {
  Rules(R"({"do": "missing_trailers"})");
  Connect();
  const GrpcResponse response = Call();
  EXPECT_EQ(response.status.code, kUnknown);
  EXPECT_EQ(response.status.message, "the response ends without a grpc-status");
}

TEST_F(ScriptedServerTest, OversizedHeader) {
  Rules(R"({"match": {"number": "1-2"}, "do": {"oversized_header": {"bytes": 100000}}},
           {"match": {"number": 3}, "do": {"oversized_header": {"bytes": 20000, "in": "trailers"}}})");
  Connect();
  EXPECT_EQ(Call().status.code, 8) << "the client takes 64 KiB and resets with ENHANCE_YOUR_CALM";
  client_http2.max_header_bytes = 1 << 20;
  Connect();
  const GrpcResponse big = Call();
  EXPECT_EQ(big.message, "re: q") << big.status.code << " " << big.status.message << client_error;
  EXPECT_EQ(big.initial.count("x-oversized"), 13u);
  EXPECT_EQ(Call().trailing.count("x-oversized"), 3u);
}

TEST_F(ScriptedServerTest, HttpInsteadOfGrpc) {
  Rules(R"({"match": {"number": 1}, "do": {"http_answer": {"status": 503}}},
           {"match": {"number": 2}, "do": {"http_answer": {"status": 200, "body": "hello"}}})");
  Connect();
  const GrpcResponse response = Call();
  EXPECT_EQ(response.status.code, kUnavailable);
  EXPECT_EQ(response.http_status, 503);
  EXPECT_THAT(response.status.message, HasSubstr("<h1>503 Service Unavailable</h1>"));
  EXPECT_THAT(Call().status.message, AllOf(HasSubstr("text/html"), HasSubstr("hello")));
  EXPECT_THAT(handled, IsEmpty());
  EXPECT_THAT(cancelled, ElementsAre(1, 3));
}

TEST_F(ScriptedServerTest, Http1InsteadOfHttp2) {
  Rules(R"({"id": "f", "do": {"http_answer": {"status": 502, "version": "1.1"}}})");
  Connect();
  const auto call = Begin("q");
  EXPECT_THAT(raw, StartsWith("HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\n"))
      << "from byte 0";
  EXPECT_TRUE(ended);
  EXPECT_EQ(call->response.status.code, kUnavailable);
  EXPECT_THAT(call->response.status.message, HasSubstr("HTTP/1.1 502"));
  EXPECT_THAT(hits, ElementsAre("f http_answer 0"));
}

TEST_F(ScriptedServerTest, GoawayThatRefusesAndGoawayThatWarns) {
  Rules(R"({"id": "none", "match": {"task_queue": "none"},
            "do": {"goaway": {"error": "ENHANCE_YOUR_CALM", "last_stream": "none", "debug": "too_many_pings"}}},
           {"id": "warn", "match": {"task_queue": "warn"}, "do": "goaway"})");
  Connect();
  const auto call = Begin("none");
  ASSERT_TRUE(call->done);
  EXPECT_EQ(call->response.status.code, kUnavailable);
  EXPECT_THAT(call->response.status.message, HasSubstr("ENHANCE_YOUR_CALM: too_many_pings"));
  EXPECT_TRUE(client->going_away());
  Connect();
  EXPECT_EQ(Call("warn").message, "re: warn");
  EXPECT_TRUE(client->going_away());
  EXPECT_TRUE(server->http2().finished());
  EXPECT_THAT(hits, ElementsAre("none goaway 1", "warn goaway 1"));
}

TEST_F(ScriptedServerTest, GoawayLaterAndNow) {
  Rules(R"({"id": "later", "do": "goaway", "after": "5s"})");
  Connect();
  EXPECT_EQ(Call().message, "re: q");
  Wait(4s);
  EXPECT_FALSE(client->going_away());
  script->Lift(now, "later");
  Wait(1s);
  EXPECT_FALSE(client->going_away()) << "lifted in time";
  Rules(R"({"id": "now", "on": "now", "do": {"goaway": {"close": true}}})");
  EXPECT_GT(outputs, 0);
  Exchange();
  EXPECT_TRUE(client->going_away());
  EXPECT_TRUE(ended);
  EXPECT_THAT(hits, ElementsAre("now goaway 0"));
  Connect();
  EXPECT_EQ(Call().message, "re: q") << "'now' does not meet those that come later";
}

TEST_F(ScriptedServerTest, SettingsFromTheFirstByte) {
  Rules(
      R"({"id": "f", "do": {"settings": {"max_concurrent_streams": 1, "initial_window_size": 10}}})");
  Connect();
  std::string first;
  server->TakeOutput(first);
  EXPECT_THAT(first, HasSubstr(std::string("\0\x03\0\0\0\x01\0\x04\0\0\0\x0a", 12)));
  EXPECT_THAT(hits, ElementsAre("f settings 0"));
  Connect();
  const auto call = Begin(std::string(100, 'x'));
  EXPECT_TRUE(call->done) << "windows of 10 bytes are slow, not dead";
}

TEST_F(ScriptedServerTest, SettingsInMidLife) {
  Rules(R"({"match": {"task_queue": "now"}, "do": {"settings": {"max_concurrent_streams": 0}}})");
  Connect();
  EXPECT_EQ(Call("now").message, "re: now");
  EXPECT_FALSE(Begin("later")->done) << "no stream may be opened any more";
  script->LiftAll(now);
  Rules(R"({"on": "now", "do": {"settings": {"initial_window_size": 4294967295}}})");
  Exchange();
  EXPECT_FALSE(client_error.ok()) << "a value that HTTP/2 forbids is sent all the same";
}

TEST_F(ScriptedServerTest, WithheldPingAck) {
  Rules(R"({"id": "f", "do": "withhold_ping_ack"})");
  Connect();
  client->http2().Ping("12345678");
  Exchange();
  EXPECT_FALSE(client->TakePingAck());
  EXPECT_EQ(Call().message, "re: q");
  EXPECT_THAT(hits, ElementsAre("f withhold_ping_ack 0"));
  script->Lift(now, "f");
  client->http2().Ping("12345678");
  Exchange();
  EXPECT_TRUE(client->TakePingAck());
}

TEST_F(ScriptedServerTest, WithheldWindow) {
  Rules(R"({"id": "f", "do": "withhold_window"})");
  server_options.http2.stream_window = 65535;
  server_options.http2.connection_window = 65535;
  Connect();
  EXPECT_EQ(Call(std::string(60000, 'x')).status.code, 0);
  const auto stalled = Begin(std::string(10000, 'y'));
  EXPECT_FALSE(stalled->done);
  script->Lift(now, "f");
  Exchange();
  EXPECT_TRUE(stalled->done) << "what was withheld is given back";
  Connect();
  EXPECT_EQ(Call(std::string(600000, 'x')).status.code, 0);
}

TEST_F(ScriptedServerTest, CloseAndReset) {
  Rules(
      R"({"id": "c", "match": {"connection": 1}, "do": "close"}, {"id": "r", "match": {"connection": 2}, "do": "reset"},
           {"id": "call", "match": {"task_queue": "bad"}, "do": "reset"})");
  Connect();
  EXPECT_EQ(server->end(), ScriptedServer::End::kClose);
  Connect();
  EXPECT_EQ(server->end(), ScriptedServer::End::kReset);
  EXPECT_EQ(server->end_fault(), "r");
  Connect();
  EXPECT_EQ(Call("good").status.code, 0);
  EXPECT_EQ(Call("bad").status.message, "connection lost");
  EXPECT_THAT(handled, ElementsAre("good"));
  EXPECT_TRUE(fates.back().withheld);
  EXPECT_THAT(hits, ElementsAre("c close 0", "r reset 0", "call reset 3"));
}

TEST_F(ScriptedServerTest, HalfOpen) {
  Rules(R"({"id": "f", "match": {"task_queue": "bad"}, "do": "half_open"})");
  Connect();
  EXPECT_EQ(Call("good").status.code, 0);
  const auto bad = Begin("bad");
  EXPECT_TRUE(server->silent());
  EXPECT_FALSE(bad->done);
  raw.clear();
  EXPECT_FALSE(Begin("good")->done);
  EXPECT_EQ(raw, "");
  EXPECT_EQ(server->end(), ScriptedServer::End::kKeep);
}

TEST_F(ScriptedServerTest, AnswerTwiceWithManyStreamsLeavesHpackInOrder) {
  Rules(R"({"match": {"number": "1-5"}, "do": {"answer_twice": {"as": "responses"}}})");
  Connect();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Call().message, "re: q");
  EXPECT_OK(client_error);
}

}  // namespace
}  // namespace squall::wire
