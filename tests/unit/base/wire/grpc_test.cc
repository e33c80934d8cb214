#include "base/wire/grpc.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "base/util/rng.h"
#include "tests/support/grpc_codes.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/base/wire/segments.h"

namespace squall::wire {
namespace {

using ::squall::testing::kCancelled;
using ::squall::testing::kInternal;
using ::squall::testing::kResourceExhausted;
using ::squall::testing::kUnavailable;
using ::squall::testing::kUnimplemented;
using ::squall::testing::kUnknown;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using namespace std::chrono_literals;

// A server whose calls are kept until the test answers them; or answered by `on_message`.
struct Service : GrpcServerHandler {
  struct Call {
    GrpcCallHead head;
    std::optional<std::string> message;
    bool cancelled = false;
  };
  std::map<StreamId, Call> calls;
  std::function<void(StreamId)> on_started;
  std::function<void(StreamId, const std::string&)> on_message;

  void OnCallStarted(StreamId call, GrpcCallHead head) override {
    calls[call].head = std::move(head);
    if (on_started) on_started(call);
  }
  void OnMessage(StreamId call, std::string message) override {
    EXPECT_FALSE(calls[call].message.has_value());
    calls[call].message = std::move(message);
    if (on_message) on_message(call, *calls[call].message);
  }
  void OnCancelled(StreamId call) override { calls[call].cancelled = true; }
};

class GrpcTest : public ::testing::Test {
 protected:
  GrpcTest() { Connect(); }

  void Connect(GrpcServerOptions server_options = {}, GrpcClientOptions client_options = {}) {
    client_options.authority = "localhost:7233";
    service = {};
    server.emplace(server_options, service);
    client.emplace(client_options);
  }

  void Exchange() {
    for (bool moved = true; moved;) {
      const std::string up = client->TakeOutput();
      const std::string down = server->TakeOutput();
      moved = !up.empty() || !down.empty();
      InPieces(up, rng, piece, [&](std::string_view b) { return server->Feed(b).ok(); });
      InPieces(down, rng, piece, [&](std::string_view b) { return client->Feed(b).ok(); });
    }
  }

  StreamId Start(GrpcRequest request, GrpcResponse& response, bool* done = nullptr) {
    if (request.service.empty()) request.service = "pkg.Service";
    if (request.method.empty()) request.method = "Do";
    return client->StartCall(request, [&response, done](GrpcResponse r) {
      response = std::move(r);
      if (done != nullptr) *done = true;
    });
  }

  void EchoEverything() {
    service.on_message = [this](StreamId call, const std::string& message) {
      server->Reply(call, message);
    };
  }

  // What the client concludes from an answer that the server gives below gRPC.
  GrpcResponse AnswerBy(const std::function<void(StreamId)>& answer) {
    Connect();
    GrpcResponse response;
    bool done = false;
    const StreamId id = Start({.message = "x"}, response, &done);
    Exchange();
    answer(id);
    Exchange();
    EXPECT_TRUE(done);
    return response;
  }

  // What the server answers to a request that no gRPC client would send.
  GrpcResponse AnswerTo(const Headers& headers, std::string body, bool* reached = nullptr) {
    struct Raw : Http2Handler {
      GrpcResponse response;
      void Take(const Headers& fields) {
        for (const Header& field : fields) {
          if (field.name == ":status") response.http_status = std::stoi(field.value);
          if (field.name == "grpc-status") response.status.code = std::stoi(field.value);
          if (field.name == "grpc-message") response.status.message = PercentDecode(field.value);
        }
      }
      void OnHeaders(StreamId, Headers fields) override { Take(fields); }
      void OnTrailers(StreamId, Headers fields) override { Take(fields); }
    } raw;
    service = {};
    server.emplace(GrpcServerOptions{}, service);
    EchoEverything();
    Http2Connection peer({.role = Http2Role::kClient}, raw);
    const StatusOr<StreamId> id = peer.SubmitRequest(headers, false);
    EXPECT_OK(id);
    peer.SubmitData(*id, std::move(body), true);
    for (bool moved = true; moved;) {
      const std::string up = peer.TakeOutput();
      EXPECT_OK(server->Feed(up));
      const std::string down = server->TakeOutput();
      EXPECT_OK(peer.Feed(down));
      moved = !up.empty() || !down.empty();
    }
    if (reached != nullptr) *reached = !service.calls.empty();
    return raw.response;
  }

  Rng rng{23};
  std::size_t piece = 900;
  Service service;
  std::optional<GrpcServerConnection> server;
  std::optional<GrpcClientConnection> client;
};

TEST_F(GrpcTest, CarriesACallWithEverythingOnIt) {
  for (const std::size_t largest : {1, 7, 5000}) {
    piece = largest;
    Connect();
    service.on_message = [this](StreamId call, const std::string& message) {
      server->Reply(call, message + " back", {{"trailer", "t"}, {"raw-bin", {"\0\xff", 2}}});
    };
    GrpcRequest request;
    request.service = "temporal.api.workflowservice.v1.WorkflowService";
    request.method = "StartWorkflowExecution";
    request.metadata = {{"client-name", "squall"}, {"blob-bin", std::string("\1\0\2", 3)}};
    request.message = "there and";
    request.timeout = 70s;
    GrpcResponse response;
    const StreamId id = Start(request, response);
    Exchange();
    const Service::Call& call = service.calls.at(id);
    EXPECT_EQ(call.head.service, request.service);
    EXPECT_EQ(call.head.method, request.method);
    EXPECT_EQ(call.head.authority, "localhost:7233");
    EXPECT_EQ(call.head.timeout, Duration(70s));
    EXPECT_THAT(call.head.metadata,
                ElementsAre(Pair("blob-bin", std::string("\1\0\2", 3)),
                            Pair("client-name", "squall"), Pair("user-agent", "squall")));
    EXPECT_TRUE(response.status.ok()) << response.status.message;
    EXPECT_EQ(response.message, "there and back");
    EXPECT_EQ(response.http_status, 200);
    EXPECT_THAT(response.trailing,
                ElementsAre(Pair("raw-bin", std::string("\0\xff", 2)), Pair("trailer", "t")));
    EXPECT_FALSE(call.cancelled);
    EXPECT_EQ(server->open_calls(), 0u);
    EXPECT_EQ(client->open_calls(), 0u);
    EXPECT_TRUE(client->established());
  }
}

TEST_F(GrpcTest, ErrorsCarryMessageAndDetails) {
  service.on_message = [this](StreamId call, const std::string&) {
    server->Finish(call, {5, "workflow \"é%\" not found\n", std::string("\x08\x05\0", 3)},
                   {{"fault", "f1"}});
  };
  GrpcResponse response;
  Start({.message = "x"}, response);
  Exchange();
  EXPECT_EQ(response.status.code, 5);
  EXPECT_EQ(response.status.message, "workflow \"é%\" not found\n");
  EXPECT_EQ(response.status.details, std::string("\x08\x05\0", 3));
  EXPECT_THAT(response.trailing, ElementsAre(Pair("fault", "f1")));
}

TEST_F(GrpcTest, EmptyAndLargeMessagesPass) {
  EchoEverything();
  piece = 50000;
  for (const std::size_t size : {std::size_t{0}, std::size_t{3} << 20, kDefaultMaxMessageBytes}) {
    std::string message(size, '\0');
    for (char& c : message) c = static_cast<char>(rng.Next());
    for (const bool gzip : {false, true}) {
      GrpcResponse response;
      Start({.message = message, .gzip = gzip}, response);
      Exchange();
      // Random bytes do not compress: at the limit gzip's own bytes are too many.
      if (gzip && size == kDefaultMaxMessageBytes) {
        EXPECT_EQ(response.status.code, kResourceExhausted);
        continue;
      }
      EXPECT_TRUE(response.status.ok()) << response.status.message;
      EXPECT_TRUE(response.message == message) << size;
    }
  }
}

TEST_F(GrpcTest, AnswersInTheEncodingOfTheRequest) {
  EchoEverything();
  const std::string message(100000, 'a');
  for (const bool gzip : {false, true}) {
    GrpcResponse response;
    Start({.message = message, .gzip = gzip}, response);
    ASSERT_OK(server->Feed(client->TakeOutput()));
    std::size_t down = 0;
    for (std::string bytes = server->TakeOutput(); !bytes.empty(); bytes = server->TakeOutput()) {
      down += bytes.size();
      ASSERT_OK(client->Feed(bytes));
      ASSERT_OK(server->Feed(client->TakeOutput()));
    }
    EXPECT_EQ(down < 5000, gzip) << down;
    EXPECT_TRUE(response.message == message);
  }
}

TEST_F(GrpcTest, CompressedRequestsAreOpened) {
  EchoEverything();
  GrpcResponse response;
  const StreamId id = Start({.message = std::string(100000, 'a'), .gzip = true}, response);
  const std::string up = client->TakeOutput();
  EXPECT_LT(up.size(), 5000u);
  ASSERT_OK(server->Feed(up));
  EXPECT_EQ(service.calls.at(id).message, std::string(100000, 'a'));
}

TEST_F(GrpcTest, TooLargeRequestsAndResponsesAreRefused) {
  Connect({.max_request_bytes = 1000}, {.max_response_bytes = 500});
  EchoEverything();
  GrpcResponse large, bomb, answer;
  const StreamId id = Start({.message = std::string(1001, 'a')}, large);
  Start({.message = std::string(100000, 'a'), .gzip = true}, bomb);
  Start({.message = std::string(501, 'a')}, answer);
  Exchange();
  EXPECT_EQ(large.status.code, kResourceExhausted);
  EXPECT_THAT(large.status.message, HasSubstr("larger than max (1001 vs. 1000)"));
  EXPECT_FALSE(service.calls.at(id).message.has_value());
  EXPECT_TRUE(service.calls.at(id).cancelled);
  EXPECT_EQ(bomb.status.code, kResourceExhausted);
  EXPECT_EQ(answer.status.code, kResourceExhausted);
  EXPECT_EQ(server->open_calls(), 0u);
}

TEST_F(GrpcTest, CancellingReachesTheServer) {
  GrpcResponse response;
  bool done = false;
  const StreamId id = Start({.message = "poll"}, response, &done);
  Exchange();
  EXPECT_FALSE(done);
  client->Cancel(id, {4, "deadline exceeded", ""});
  EXPECT_TRUE(done);
  EXPECT_EQ(response.status.code, 4);
  Exchange();
  EXPECT_TRUE(service.calls.at(id).cancelled);
  server->Reply(id, "too late");
  server->Finish(id, {5, "too late", ""});
  Exchange();
  EXPECT_EQ(response.status.code, 4);
  EXPECT_EQ(server->http2().open_streams(), 0u);
}

TEST_F(GrpcTest, LateAnswersPassEachOther) {
  std::vector<GrpcResponse> responses(50);
  std::vector<StreamId> ids;
  for (std::size_t i = 0; i < responses.size(); ++i) {
    ids.push_back(Start({.message = fmt::format("{}", i)}, responses[i]));
  }
  Exchange();
  for (std::size_t i = ids.size(); i-- > 0;) {
    server->Reply(ids[i], *service.calls[ids[i]].message);
    Exchange();
  }
  for (std::size_t i = 0; i < ids.size(); ++i)
    EXPECT_EQ(responses[i].message, fmt::format("{}", i));
}

TEST_F(GrpcTest, ACallMayBeRefusedBeforeItsMessageCame) {
  service.on_started = [this](StreamId call) { server->Finish(call, {16, "no key", ""}); };
  GrpcResponse response;
  const StreamId id = Start({.message = std::string(3 << 20, 'x')}, response);
  Exchange();
  EXPECT_EQ(response.status.code, 16);
  EXPECT_FALSE(service.calls.at(id).message.has_value());
  EXPECT_FALSE(service.calls.at(id).cancelled);
  EXPECT_EQ(server->http2().open_streams(), 0u);
  EXPECT_EQ(client->http2().open_streams(), 0u);
}

TEST_F(GrpcTest, GoawayEndsUnservedCallsOnly) {
  GrpcResponse served, refused, later;
  bool served_done = false, refused_done = false;
  const StreamId id = Start({.message = "a"}, served, &served_done);
  Exchange();
  server->http2().Goaway(Http2Error::kNoError, Http2Connection::kSeen, "max_age");
  Start({.message = "b"}, refused, &refused_done);
  Exchange();
  EXPECT_TRUE(client->going_away());
  ASSERT_TRUE(refused_done);
  EXPECT_EQ(refused.status.code, kUnavailable);
  EXPECT_THAT(refused.status.message, HasSubstr("max_age"));
  EXPECT_FALSE(served_done);
  EXPECT_EQ(Start({.message = "c"}, later), 0);
  EXPECT_EQ(later.status.code, kUnavailable);
  server->Reply(id, "answer");
  Exchange();
  EXPECT_TRUE(served.status.ok());
  EXPECT_EQ(served.message, "answer");
}

TEST_F(GrpcTest, ALostConnectionEndsEveryCallOnce) {
  GrpcResponse first, second, third;
  Start({.message = "a"}, first);
  client->StartCall({.service = "s", .method = "m"}, [&](GrpcResponse r) {
    second = std::move(r);
    Start({.message = "retry"}, third);  // a caller that tries again at once gets its answer, too
  });
  Exchange();
  client->ConnectionLost("connection reset by peer");
  for (const GrpcResponse* response : {&first, &second, &third}) {
    EXPECT_EQ(response->status.code, kUnavailable);
    EXPECT_EQ(response->status.message, "connection reset by peer");
  }
  EXPECT_EQ(client->open_calls(), 0u);
}

TEST_F(GrpcTest, AServerThatIsNoneIsNamed) {
  GrpcResponse response;
  Start({.message = "a"}, response);
  EXPECT_FALSE(client->Feed("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n").ok());
  EXPECT_EQ(response.status.code, kUnavailable);
  EXPECT_THAT(response.status.message, HasSubstr("HTTP/1.1 400 Bad Request"));
}

TEST_F(GrpcTest, ClientUnderstandsEveryEndingOfAServer) {
  const Headers grpc = {{":status", "200"}, {"content-type", "application/grpc"}};
  const auto http2 = [this]() -> Http2Connection& { return server->http2(); };

  GrpcResponse r = AnswerBy([&](StreamId id) {
    http2().SubmitHeaders(id, {{":status", "504"}, {"content-type", "text/html"}}, false);
    http2().SubmitData(id, "<html>Gateway Time-out</html>", true);
  });
  EXPECT_EQ(r.status.code, kUnavailable);
  EXPECT_EQ(r.http_status, 504);
  EXPECT_THAT(r.status.message, HasSubstr("HTTP 504: <html>Gateway Time-out"));

  r = AnswerBy([&](StreamId id) {
    http2().SubmitHeaders(id, {{":status", "200"}, {"content-type", "text/html"}}, false);
    http2().SubmitData(id, "<html>welcome</html>", true);
  });
  EXPECT_EQ(r.status.code, kUnknown);
  EXPECT_THAT(r.status.message, HasSubstr("\"text/html\" instead of gRPC: <html>welcome"));

  r = AnswerBy([&](StreamId id) { http2().SubmitHeaders(id, {{":status", "403"}}, true); });
  EXPECT_EQ(r.status.code, 7);

  r = AnswerBy([&](StreamId id) {  // trailers dropped
    http2().SubmitHeaders(id, grpc, false);
    http2().SubmitData(id, GrpcFrame("whole"), true);
  });
  EXPECT_EQ(r.status.code, kUnknown);
  EXPECT_THAT(r.status.message, HasSubstr("without a grpc-status"));

  r = AnswerBy([&](StreamId id) {  // cut message, status OK
    http2().SubmitHeaders(id, grpc, false);
    http2().SubmitData(id, GrpcFrame("whole").substr(0, 7), false);
    http2().SubmitTrailers(id, {{"grpc-status", "0"}});
  });
  EXPECT_EQ(r.status.code, kInternal);

  r = AnswerBy([&](StreamId id) {  // no message, status OK
    http2().SubmitHeaders(id, grpc, false);
    http2().SubmitTrailers(id, {{"grpc-status", "0"}});
  });
  EXPECT_EQ(r.status.code, kInternal);

  r = AnswerBy([&](StreamId id) {
    http2().SubmitHeaders(id, grpc, false);
    http2().SubmitTrailers(id, {{"grpc-status", "banana"}});
  });
  EXPECT_EQ(r.status.code, kUnknown);
  EXPECT_THAT(r.status.message, HasSubstr("banana"));

  r = AnswerBy([&](StreamId id) { http2().Reset(id, Http2Error::kRefusedStream); });
  EXPECT_EQ(r.status.code, kUnavailable);
  r = AnswerBy([&](StreamId id) { http2().Reset(id, Http2Error::kCancel); });
  EXPECT_EQ(r.status.code, kCancelled);
  EXPECT_EQ(r.status.message, "stream reset by the server: CANCEL");
  r = AnswerBy([&](StreamId id) { http2().Reset(id, Http2Error::kInternalError); });
  EXPECT_EQ(r.status.code, kInternal);

  r = AnswerBy([&](StreamId) { http2().SendRaw(std::string(100, '\xff')); });
  EXPECT_EQ(r.status.code, kUnavailable);
  EXPECT_THAT(r.status.message, HasSubstr("FRAME_SIZE_ERROR"));

  r = AnswerBy([&](StreamId id) {  // compressed answers are opened
    http2().SubmitHeaders(
        id, {{":status", "200"}, {"content-type", "application/grpc"}, {"grpc-encoding", "gzip"}},
        false);
    http2().SubmitData(id, GrpcFrame(Gzip("small"), true), false);
    http2().SubmitTrailers(id, {{"grpc-status", "0"}});
  });
  EXPECT_TRUE(r.status.ok());
  EXPECT_EQ(r.message, "small");
}

TEST_F(GrpcTest, ServerRefusesWhatIsNoGrpc) {
  const auto headers = [](const std::map<std::string, std::string>& changes) {
    std::map<std::string, std::string> fields = {{":method", "POST"},
                                                 {":scheme", "http"},
                                                 {":path", "/pkg.Service/Do"},
                                                 {":authority", "a"},
                                                 {"content-type", "application/grpc"},
                                                 {"te", "trailers"}};
    for (const auto& [name, value] : changes) fields[name] = value;
    Headers list;
    for (const auto& [name, value] : fields) {
      if (!value.empty()) list.push_back({name, value});
    }
    return list;
  };
  bool reached = false;
  GrpcResponse r = AnswerTo(headers({}), GrpcFrame("x"), &reached);
  EXPECT_EQ(r.status.code, 0);
  EXPECT_TRUE(reached);
  r = AnswerTo(headers({{"content-type", "application/grpc+proto"}}), GrpcFrame("x"), &reached);
  EXPECT_EQ(r.status.code, 0);

  r = AnswerTo(headers({{"content-type", "application/json"}}), "{}", &reached);
  EXPECT_EQ(r.http_status, 415);
  EXPECT_EQ(r.status.code, 3);
  EXPECT_FALSE(reached);
  r = AnswerTo(headers({{"content-type", "application/grpc-web"}}), "", &reached);
  EXPECT_EQ(r.http_status, 415);
  r = AnswerTo(headers({{":method", "GET"}}), "", &reached);
  EXPECT_EQ(r.http_status, 405);
  EXPECT_FALSE(reached);
  r = AnswerTo(headers({{"grpc-timeout", "soon"}}), GrpcFrame("x"), &reached);
  EXPECT_EQ(r.http_status, 400);
  EXPECT_THAT(r.status.message, HasSubstr("malformed grpc-timeout"));
  EXPECT_FALSE(reached);
  for (const char* path : {"/", "/only", "//Do", "/pkg.Service/"}) {
    r = AnswerTo(headers({{":path", path}}), GrpcFrame("x"), &reached);
    EXPECT_EQ(r.status.code, kUnimplemented) << path;
    EXPECT_FALSE(reached);
  }
  r = AnswerTo(headers({{"x-bin", "no base64!"}}), GrpcFrame("x"), &reached);
  EXPECT_EQ(r.status.code, kInternal);
  EXPECT_FALSE(reached);

  EXPECT_EQ(AnswerTo(headers({}), "").status.code, kInternal);
  EXPECT_EQ(AnswerTo(headers({}), GrpcFrame("x").substr(0, 5)).status.code, kInternal);
  EXPECT_EQ(AnswerTo(headers({}), GrpcFrame("x") + GrpcFrame("y")).status.code, kInternal);
  EXPECT_EQ(AnswerTo(headers({}), "\x7fnonsense").status.code, kInternal);
  EXPECT_EQ(AnswerTo(headers({{"grpc-encoding", "gzip"}}), GrpcFrame("raw", true)).status.code,
            kInternal);
  EXPECT_EQ(AnswerTo(headers({}), GrpcFrame(Gzip("x"), true)).status.code, kInternal);
  r = AnswerTo(headers({{"grpc-encoding", "snappy"}}), GrpcFrame("x", true));
  EXPECT_EQ(r.status.code, kUnimplemented);
  EXPECT_THAT(r.status.message, HasSubstr("snappy"));
}

TEST_F(GrpcTest, SoaksUnderRandomTraffic) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    rng = Rng(seed);
    piece = 1 + rng.Below(3000);
    GrpcServerOptions options;
    options.http2.stream_window = 65535;
    options.http2.max_concurrent_streams = 5;
    Connect(options);
    std::vector<std::pair<StreamId, std::string>> waiting;
    service.on_message = [&](StreamId call, const std::string& message) {
      waiting.emplace_back(call, message);
    };
    int wrong = 0, ended = 0, cancelled = 0, started = 0;
    std::set<StreamId> open;
    for (int step = 0; step < 300; ++step) {
      const std::uint64_t dice = rng.Below(10);
      if (dice < 4) {
        std::string message(rng.Chance(0.1) ? rng.Below(300000) : rng.Below(200), 'm');
        auto id = std::make_shared<StreamId>(0);
        ++started;
        *id = client->StartCall(
            {.service = "s", .method = "m", .message = message, .gzip = rng.Chance(0.5)},
            [&, message, id](const GrpcResponse& r) {
              ++ended;
              open.erase(*id);
              if (r.status.code == kCancelled) {
                ++cancelled;
              } else if (r.status.code == 0 ? r.message != message : r.status.code != 9) {
                ++wrong;
              }
            });
        open.insert(*id);
      } else if (dice < 7 && !waiting.empty()) {
        const std::size_t pick = rng.Below(waiting.size());
        if (rng.Chance(0.8)) {
          server->Reply(waiting[pick].first, waiting[pick].second);
        } else {
          server->Finish(waiting[pick].first, {9, "not now", ""});
        }
        waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(pick));
      } else if (dice == 7 && !open.empty()) {
        client->Cancel(*open.begin());
      } else {
        Exchange();
      }
    }
    for (bool moved = true; moved;) {
      Exchange();
      moved = !waiting.empty();
      for (const auto& [call, message] : std::exchange(waiting, {})) server->Reply(call, message);
    }
    EXPECT_EQ(ended, started) << "seed " << seed;
    EXPECT_EQ(wrong, 0) << "seed " << seed;
    EXPECT_GT(cancelled, 0) << "seed " << seed;
    EXPECT_EQ(server->open_calls(), 0u) << "seed " << seed;
    EXPECT_EQ(server->http2().open_streams(), 0u) << "seed " << seed;
    EXPECT_EQ(client->http2().open_streams(), 0u) << "seed " << seed;
  }
}

}  // namespace
}  // namespace squall::wire
