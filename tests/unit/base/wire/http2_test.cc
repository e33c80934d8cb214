#include "base/wire/http2.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "base/util/rng.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/base/wire/segments.h"

namespace squall::wire {
namespace {

using ::squall::testing::IsOk;
using ::squall::testing::StatusIs;
using ::testing::_;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const Headers kRequest = {
    {":method", "POST"}, {":scheme", "http"}, {":path", "/x"}, {":authority", "a"}};
const Headers kOk = {{":status", "200"}};

// Remembers everything that a connection tells.
struct Recorder : Http2Handler {
  struct Stream {
    Headers headers, trailers;
    std::string data;
    int ends = 0;
    int closes = 0;
    Http2Error error = Http2Error::kNoError;
    bool by_peer = false;
  };
  std::map<StreamId, Stream> streams;
  std::vector<std::string> log;
  std::function<void(StreamId)> on_headers, on_end;

  void OnHeaders(StreamId stream, Headers headers) override {
    streams[stream].headers = std::move(headers);
    if (on_headers) on_headers(stream);
  }
  void OnData(StreamId stream, std::string_view data) override { streams[stream].data += data; }
  void OnTrailers(StreamId stream, Headers trailers) override {
    streams[stream].trailers = std::move(trailers);
  }
  void OnEndStream(StreamId stream) override {
    ++streams[stream].ends;
    if (on_end) on_end(stream);
  }
  void OnStreamClosed(StreamId stream, Http2Error error, bool by_peer) override {
    Stream& closed = streams[stream];
    ++closed.closes;
    closed.error = error;
    closed.by_peer = by_peer;
  }
  void OnGoaway(StreamId last, Http2Error error, std::string_view debug) override {
    log.push_back(fmt::format("goaway {} {} {}", last, Http2ErrorName(error), debug));
  }
  void OnSettings(bool ack) override { log.push_back(ack ? "settings ack" : "settings"); }
  void OnPing(std::string_view opaque, bool ack) override {
    log.push_back(fmt::format("{} {}", ack ? "pong" : "ping", opaque));
  }
};

// A client and a server with a wire between them.
class Http2Test : public ::testing::Test {
 protected:
  void Connect(Http2Options client_options = {}, Http2Options server_options = {}) {
    client_options.role = Http2Role::kClient;
    server_options.role = Http2Role::kServer;
    client.emplace(client_options, at_client);
    server.emplace(server_options, at_server);
  }

  // Carries bytes both ways, in random pieces, until nobody has anything to say.
  void Exchange() {
    for (bool moved = true; moved;) {
      const std::string up = client->TakeOutput();
      const std::string down = server->TakeOutput();
      moved = !up.empty() || !down.empty();
      InPieces(up, rng, piece, [&](std::string_view b) { return server->Feed(b).ok(); });
      InPieces(down, rng, piece, [&](std::string_view b) { return client->Feed(b).ok(); });
    }
  }

  StreamId Request(bool end = true) {
    const StatusOr<StreamId> id = client->SubmitRequest(kRequest, end);
    EXPECT_OK(id);
    return id.value_or(0);
  }

  Rng rng{7};
  std::size_t piece = 700;
  Recorder at_client, at_server;
  std::optional<Http2Connection> client, server;
};

TEST_F(Http2Test, CarriesARequestAndItsResponseInAnySegmentation) {
  for (const std::size_t largest : {1, 3, 20, 5000}) {
    SCOPED_TRACE(largest);
    piece = largest;
    at_client = {};
    at_server = {};
    Connect();
    at_server.on_end = [&](StreamId stream) {
      server->SubmitHeaders(stream, {{":status", "200"}, {"a", "1"}}, false);
      server->SubmitData(stream, at_server.streams[stream].data + "!", false);
      server->SubmitTrailers(stream, {{"t", "2"}});
    };
    const StreamId id = Request(false);
    client->SubmitData(id, "hello ", false);
    client->SubmitData(id, "world", true);
    Exchange();
    EXPECT_EQ(at_server.streams[id].headers, kRequest);
    const Recorder::Stream& answer = at_client.streams[id];
    EXPECT_THAT(answer.headers, ElementsAre(Header{":status", "200"}, Header{"a", "1"}));
    EXPECT_EQ(answer.data, "hello world!");
    EXPECT_THAT(answer.trailers, ElementsAre(Header{"t", "2"}));
    for (const Recorder* side : {&at_client, &at_server}) {
      EXPECT_EQ(side->streams.at(id).ends, 1);
      EXPECT_EQ(side->streams.at(id).closes, 1);
      EXPECT_EQ(side->streams.at(id).error, Http2Error::kNoError);
    }
    EXPECT_EQ(client->open_streams(), 0u);
    EXPECT_EQ(server->open_streams(), 0u);
    EXPECT_THAT(at_client.log, ElementsAre("settings", "settings ack"));
  }
}

TEST_F(Http2Test, CarriesBodiesFarBeyondTheWindows) {
  Connect({.stream_window = 65535, .connection_window = 65535},
          {.stream_window = 65535, .connection_window = 65535});
  std::string body(5 << 20, '\0');
  for (char& c : body) c = static_cast<char>(rng.Next());
  at_server.on_end = [&](StreamId stream) {
    server->SubmitHeaders(stream, kOk, false);
    server->SubmitData(stream, std::move(at_server.streams[stream].data), true);
  };
  piece = 20000;
  const StreamId id = Request(false);
  client->SubmitData(id, body, true);
  Exchange();
  EXPECT_TRUE(at_client.streams[id].data == body);
  EXPECT_EQ(at_client.streams[id].closes, 1);
}

TEST_F(Http2Test, ManyStreamsInterleave) {
  Connect();
  at_server.on_end = [&](StreamId stream) {
    server->SubmitHeaders(stream, kOk, false);
    server->SubmitData(stream, at_server.streams[stream].data, true);
  };
  std::vector<StreamId> ids;
  for (int i = 0; i < 200; ++i) {
    ids.push_back(Request(false));
    client->SubmitData(ids.back(), fmt::format("{}:{}", i, std::string(rng.Below(9000), 'x')),
                       true);
  }
  Exchange();
  for (int i = 0; i < 200; ++i) {
    EXPECT_THAT(at_client.streams[ids[i]].data, ::testing::StartsWith(fmt::format("{}:", i)));
  }
}

TEST_F(Http2Test, AWithheldWindowStallsThePeerUntilItIsGivenBack) {
  Http2Options stingy;
  stingy.stream_window = 65535;
  stingy.auto_window_update = false;
  Connect({}, stingy);
  const StreamId id = Request(false);
  client->SubmitData(id, std::string(100000, 'x'), true);
  Exchange();
  EXPECT_EQ(at_server.streams[id].data.size(), 65535u);
  EXPECT_EQ(client->queued_bytes(id), 100000u - 65535u);
  EXPECT_EQ(at_server.streams[id].ends, 0);
  server->Consume(id, 65535);
  Exchange();
  EXPECT_EQ(at_server.streams[id].data.size(), 100000u);
  EXPECT_EQ(at_server.streams[id].ends, 1);
}

TEST_F(Http2Test, PingsAreAnsweredUnlessTheOwnerKeepsTheAnswer) {
  Connect();
  client->Ping("12345678");
  Exchange();
  EXPECT_THAT(at_server.log, ::testing::Contains("ping 12345678"));
  EXPECT_THAT(at_client.log, ::testing::Contains("pong 12345678"));

  at_client = {};
  Connect({}, {.auto_ping_ack = false});
  client->Ping("12345678");
  Exchange();
  EXPECT_THAT(at_client.log, ::testing::Not(::testing::Contains("pong 12345678")));
  server->AckPing("12345678");
  Exchange();
  EXPECT_THAT(at_client.log, ::testing::Contains("pong 12345678"));
}

TEST_F(Http2Test, GoawayRefusesLaterStreamsAndKeepsEarlierOnes) {
  Connect();
  const StreamId served = Request();
  Exchange();
  server->Goaway(Http2Error::kEnhanceYourCalm, Http2Connection::kSeen, "too_many_pings");
  const StreamId late = Request();  // crosses the GOAWAY on the wire
  Exchange();
  EXPECT_THAT(at_client.log, ::testing::Contains("goaway 1 ENHANCE_YOUR_CALM too_many_pings"));
  EXPECT_EQ(at_client.streams[late].closes, 1);
  EXPECT_EQ(at_client.streams[late].error, Http2Error::kRefusedStream);
  EXPECT_TRUE(at_client.streams[late].by_peer);
  EXPECT_FALSE(at_server.streams.contains(late));
  EXPECT_EQ(at_client.streams.count(served), 0u);
  EXPECT_FALSE(server->finished());
  server->SubmitHeaders(served, kOk, true);
  Exchange();
  EXPECT_EQ(at_client.streams[served].closes, 1);
  EXPECT_TRUE(server->finished());
  EXPECT_TRUE(client->finished());
  EXPECT_FALSE(client->SubmitRequest(kRequest, true).ok());
}

TEST_F(Http2Test, AnnouncedShutdownRefusesNothingYet) {
  Connect();
  const StreamId before = Request();
  Exchange();
  server->Goaway(Http2Error::kNoError, Http2Connection::kEverything);
  const StreamId crossing = Request();
  Exchange();
  EXPECT_TRUE(at_server.streams.contains(crossing));
  server->Goaway(Http2Error::kNoError);
  server->SubmitHeaders(before, kOk, true);
  server->SubmitHeaders(crossing, kOk, true);
  Exchange();
  EXPECT_EQ(at_client.streams[crossing].headers, kOk);
  EXPECT_THAT(at_client.log, ElementsAre("settings", "settings ack", "goaway 2147483647 NO_ERROR ",
                                         "goaway 3 NO_ERROR "));
}

TEST_F(Http2Test, ResetsCarryTheirCodeAndSide) {
  Connect();
  const StreamId by_client = Request();
  const StreamId by_server = Request();
  Exchange();
  client->Reset(by_client, Http2Error::kCancel);
  server->Reset(by_server, Http2Error::kInternalError);
  Exchange();
  EXPECT_EQ(at_server.streams[by_client].error, Http2Error::kCancel);
  EXPECT_TRUE(at_server.streams[by_client].by_peer);
  EXPECT_FALSE(at_client.streams[by_client].by_peer);
  EXPECT_EQ(at_client.streams[by_server].error, Http2Error::kInternalError);
  EXPECT_TRUE(at_client.streams[by_server].by_peer);
  EXPECT_FALSE(at_server.streams[by_server].by_peer);
}

TEST_F(Http2Test, ARequestResetBeforeItLeftEndsToo) {
  Connect();
  const StreamId id = Request(false);
  client->Reset(id, Http2Error::kCancel);
  Exchange();
  EXPECT_EQ(at_client.streams[id].closes, 1);
  EXPECT_EQ(client->open_streams(), 0u);
}

TEST_F(Http2Test, RequestsBeyondThePeersLimitWaitAndThenGo) {
  Connect({}, {.max_concurrent_streams = 2});
  Exchange();
  std::vector<StreamId> ids;
  for (int i = 0; i < 5; ++i) ids.push_back(Request());
  Exchange();
  EXPECT_EQ(at_server.streams.size(), 2u);
  for (const StreamId id : ids) {
    server->SubmitHeaders(id, kOk, true);
    Exchange();
  }
  EXPECT_EQ(at_server.streams.size(), 5u);
  for (const StreamId id : ids) EXPECT_EQ(at_client.streams[id].headers, kOk);
}

TEST_F(Http2Test, AnEarlyAnswerAsksTheClientToStop) {
  Connect();
  at_server.on_headers = [&](StreamId stream) { server->SubmitHeaders(stream, kOk, true); };
  const StreamId id = Request(false);
  Exchange();
  EXPECT_EQ(at_client.streams[id].headers, kOk);
  EXPECT_EQ(at_client.streams[id].ends, 1);
  EXPECT_EQ(at_client.streams[id].closes, 1);
  EXPECT_EQ(at_client.streams[id].error, Http2Error::kNoError);
  EXPECT_EQ(server->open_streams(), 0u);
}

TEST_F(Http2Test, ATooLongHeaderBlockResetsOnlyItsStream) {
  Connect({}, {.max_header_bytes = 1000});
  Headers large = kRequest;
  large.push_back({"x", std::string(2000, 'y')});
  const StatusOr<StreamId> id = client->SubmitRequest(large, true);
  ASSERT_OK(id);
  Exchange();
  EXPECT_EQ(at_client.streams[*id].error, Http2Error::kEnhanceYourCalm);
  EXPECT_TRUE(at_server.streams[*id].headers.empty());
  const StreamId next = Request();
  Exchange();
  EXPECT_EQ(at_server.streams[next].headers, kRequest);
}

TEST_F(Http2Test, ABlockMayOutliveItsConnection) {
  struct Keeper : Http2Handler {
    HeaderBlock headers, trailers;
    void OnHeaderBlock(StreamId, HeaderBlock& block) override { headers.swap(block); }
    void OnTrailerBlock(StreamId, HeaderBlock& block) override { trailers.swap(block); }
  } keeper;
  Connect();
  server.emplace(Http2Options{.role = Http2Role::kServer}, keeper);
  Headers sent = kRequest;
  sent.push_back({"a-name-of-some-length", std::string(500, 'v')});
  const StatusOr<StreamId> id = client->SubmitRequest(sent, false);
  ASSERT_OK(id);
  client->SubmitTrailers(*id, {{"t", "2"}});
  Exchange();
  server.reset();
  client.reset();
  EXPECT_EQ(keeper.headers.ToHeaders(), sent);
  EXPECT_EQ(keeper.headers.Find("a-name-of-some-length"), std::string(500, 'v'));
  EXPECT_EQ(keeper.headers.Find("b"), "");
  EXPECT_THAT(keeper.trailers.ToHeaders(), ElementsAre(Header{"t", "2"}));
  HeaderBlock moved = std::move(keeper.headers);
  EXPECT_EQ(moved.size(), sent.size());
  moved = std::move(keeper.trailers);
  EXPECT_EQ(moved.name(0), "t");
}

TEST_F(Http2Test, InformationalResponsesAreSkipped) {
  Connect();
  const StreamId id = Request();
  Exchange();
  // HEADERS of stream 1 with END_HEADERS: ":status: 103", a literal without indexing.
  const std::string early(
      "\0\0\5\1\4\0\0\0\1\x08\3"
      "103",
      14);
  ASSERT_OK(client->Feed(early));
  EXPECT_FALSE(at_client.streams.contains(id));
  server->SubmitHeaders(id, kOk, true);
  Exchange();
  EXPECT_EQ(at_client.streams[id].headers, kOk);
}

TEST_F(Http2Test, RawBytesGoOutBehindWhatIsPending) {
  Connect();
  server->SendRaw("garbage");
  const std::string output = server->TakeOutput();
  EXPECT_TRUE(output.ends_with("garbage"));
  EXPECT_GT(output.size(), 7u);
  EXPECT_THAT(client->Feed(output), IsOk());  // "garbage" is not a whole frame header yet
  server->SendRaw(" and more of it, in which nghttp2 sees a frame that cannot be");
  EXPECT_THAT(client->Feed(server->TakeOutput()), StatusIs(StatusCode::kInvalidArgument, _));
}

TEST_F(Http2Test, SettingsMayBeWithheld) {
  Connect({}, {.auto_settings = false});
  EXPECT_THAT(server->TakeOutput(), IsEmpty());
  ASSERT_OK(server->Feed(client->TakeOutput()));
  EXPECT_THAT(server->TakeOutput(), IsEmpty());
  server->SendSettings();
  Exchange();
  EXPECT_THAT(at_client.log, ::testing::Contains("settings"));
}

TEST_F(Http2Test, OtherProtocolsAreNamed) {
  const auto feed_server = [&](std::string_view bytes) {
    Connect();
    return server->Feed(bytes);
  };
  EXPECT_THAT(feed_server("GET /health HTTP/1.1\r\nHost: x\r\n\r\n"),
              StatusIs(StatusCode::kInvalidArgument,
                       "the peer speaks HTTP/1.1 instead of HTTP/2: GET /health HTTP/1.1"));
  EXPECT_THAT(feed_server({"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("speaks TLS")));
  EXPECT_THAT(feed_server("hello, is this a mail server?"),
              StatusIs(StatusCode::kInvalidArgument, "the peer does not speak HTTP/2"));
  Connect();
  EXPECT_THAT(client->Feed("HTTP/1.1 400 Bad Request\r\n\r\n"),
              StatusIs(StatusCode::kInvalidArgument,
                       "the peer answers HTTP/1.1 instead of HTTP/2: HTTP/1.1 400 Bad Request"));
  EXPECT_FALSE(client->error().ok());
}

TEST_F(Http2Test, ABrokenFrameEndsTheConnectionWithGoaway) {
  Connect();
  Exchange();
  // DATA on stream 0.
  const std::string bad("\0\0\1\0\0\0\0\0\0x", 10);
  EXPECT_THAT(server->Feed(bad),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("PROTOCOL_ERROR")));
  EXPECT_FALSE(server->Feed("more").ok());
  ASSERT_OK(client->Feed(server->TakeOutput()));
  EXPECT_THAT(at_client.log, ::testing::Contains(HasSubstr("goaway 0 PROTOCOL_ERROR")));
  EXPECT_TRUE(server->finished());
}

TEST_F(Http2Test, RandomBytesNeverDoHarm) {
  for (int round = 0; round < 300; ++round) {
    at_client = {};
    at_server = {};
    Connect();
    at_server.on_end = [&](StreamId stream) { server->SubmitHeaders(stream, kOk, true); };
    Request();
    Exchange();
    std::string noise(1 + rng.Below(400), '\0');
    for (char& c : noise) c = static_cast<char>(rng.Next());
    if (rng.Chance(0.7)) {  // a plausible frame header lets more of it in
      noise[0] = noise[1] = '\0';
      if (noise.size() > 3) noise[3] = static_cast<char>(rng.Below(10));
    }
    InPieces(noise, rng, 100, [&](std::string_view b) { return server->Feed(b).ok(); });
    InPieces(noise, rng, 100, [&](std::string_view b) { return client->Feed(b).ok(); });
    server->TakeOutput();
    client->TakeOutput();
  }
}

TEST(Http2ErrorName, NamesTheKnownAndNumbersTheRest) {
  EXPECT_EQ(Http2ErrorName(Http2Error::kHttp11Required), "HTTP_1_1_REQUIRED");
  EXPECT_EQ(Http2ErrorName(static_cast<Http2Error>(0x2a)), "0x2a");
}

}  // namespace
}  // namespace squall::wire
