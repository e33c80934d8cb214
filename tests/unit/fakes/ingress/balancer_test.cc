// The balancer between HTTP/2 clients and servers, without sockets.

#include "fakes/ingress/balancer.h"

#include <gmock/gmock.h>

#include <map>
#include <memory>

#include "base/journal/journal.h"

namespace squall::fakes {
namespace {

using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using wire::FindHeader;
using wire::Headers;
using wire::Http2Connection;
using wire::Http2Error;
using wire::Http2Options;
using wire::Http2Role;
using wire::StreamId;

// One end of a transport, which remembers what it was told.
struct End : wire::Http2Handler {
  explicit End(Http2Role role) : http2(OptionsOf(role), *this) {}
  static Http2Options OptionsOf(Http2Role role) {
    Http2Options options;
    options.role = role;
    return options;
  }
  void OnHeaders(StreamId stream, Headers headers) override { heads[stream] = std::move(headers); }
  void OnData(StreamId stream, std::string_view data) override { bodies[stream] += data; }
  void OnTrailers(StreamId stream, Headers trailers) override {
    tails[stream] = std::move(trailers);
  }
  void OnEndStream(StreamId stream) override { ended.push_back(stream); }
  void OnStreamClosed(StreamId stream, Http2Error error, bool) override { closed[stream] = error; }
  void OnGoaway(StreamId, Http2Error, std::string_view) override { ++goaways; }
  void OnPing(std::string_view, bool ack) override { pongs += ack; }

  Http2Connection http2;
  std::map<StreamId, Headers> heads, tails;
  std::map<StreamId, std::string> bodies;
  std::map<StreamId, Http2Error> closed;
  std::vector<StreamId> ended;
  int goaways = 0, pongs = 0;
};

Headers Request(const std::string& path) {
  return {{":method", "POST"}, {":scheme", "http"}, {":path", path},
          {":authority", "t"}, {"te", "trailers"},  {"content-type", "application/grpc"}};
}

class BalancerTest : public ::testing::Test {
 protected:
  void Make(BalancerOptions options) {
    options.name = "lb";
    balancer_ = std::make_unique<Balancer>(std::move(options), journal_);
  }
  Moment Now() { return clock_.MomentNow(); }

  std::uint64_t AddClient() {
    const std::uint64_t number = balancer_->Accept(Now(), "10.0.0.1:5000");
    clients_[number] = std::make_unique<End>(Http2Role::kClient);
    Run();
    return number;
  }
  StreamId Ask(std::uint64_t client, const std::string& path, const std::string& body = "ask") {
    const auto stream = clients_.at(client)->http2.SubmitRequest(Request(path), false);
    EXPECT_TRUE(stream.ok());
    clients_.at(client)->http2.SubmitData(*stream, body, true);
    Run();
    return *stream;
  }
  void Answer(End& server, StreamId stream, const std::string& body) {
    server.http2.SubmitHeaders(stream, {{":status", "200"}, {"content-type", "application/grpc"}},
                               false);
    server.http2.SubmitData(stream, body, false);
    server.http2.SubmitTrailers(stream, {{"grpc-status", "0"}});
    Run();
  }

  // Moves bytes until nobody has any.
  void Run() {
    bool moved = true;
    while (moved) {
      moved = false;
      for (auto* ends : {&clients_, &servers_}) {
        for (auto& [number, end] : *ends) {
          if (const std::string bytes = end->http2.TakeOutput(); !bytes.empty()) {
            balancer_->Receive(Now(), number, bytes);
            moved = true;
          }
        }
      }
      for (BalancerOutput& output : balancer_->TakeOutput()) {
        moved = true;
        if (output.then == BalancerOutput::Then::kConnect) {
          connects_.push_back(output.transport);
          if (reachable_) {
            servers_[output.transport] = std::make_unique<End>(Http2Role::kServer);
            balancer_->Connected(Now(), output.transport);
          } else {
            balancer_->Lost(Now(), output.transport, "connection refused");
          }
          continue;
        }
        auto& ends = clients_.contains(output.transport) ? clients_ : servers_;
        const auto it = ends.find(output.transport);
        if (it == ends.end()) continue;
        EXPECT_TRUE(output.bytes.empty() || it->second->http2.Feed(output.bytes).ok());
        if (output.then == BalancerOutput::Then::kClose) closed_.push_back(output.transport);
      }
    }
  }

  ManualClock clock_;
  journal::Journal journal_{clock_};
  std::unique_ptr<Balancer> balancer_;
  std::map<std::uint64_t, std::unique_ptr<End>> clients_, servers_;
  std::vector<std::uint64_t> connects_, closed_;
  bool reachable_ = true;
};

TEST_F(BalancerTest, ClientsShareThePool) {
  Make({.pool = 2});
  const std::uint64_t a = AddClient(), b = AddClient(), c = AddClient();
  const StreamId first = Ask(a, "/one");
  Ask(b, "/two");
  const StreamId third = Ask(c, "/three");
  ASSERT_EQ(connects_.size(), 2u);
  EXPECT_EQ(balancer_->clients(), 3u);
  End& one = *servers_.at(connects_[0]);
  EXPECT_EQ(one.heads.size() + servers_.at(connects_[1])->heads.size(), 3u);
  EXPECT_EQ(FindHeader(one.heads.at(1), ":path"), "/one");
  EXPECT_EQ(one.bodies.at(1), "ask");
  Answer(one, 1, "answer");
  EXPECT_EQ(clients_.at(a)->bodies.at(first), "answer");
  EXPECT_EQ(FindHeader(clients_.at(a)->tails.at(first), "grpc-status"), "0");
  EXPECT_EQ(clients_.at(a)->closed.at(first), Http2Error::kNoError);
  EXPECT_THAT(clients_.at(c)->closed, Not(Contains(::testing::Key(third))));
}

TEST_F(BalancerTest, PingsAreAnsweredHere) {
  Make({});
  const std::uint64_t client = AddClient();
  clients_.at(client)->http2.Ping("12345678");
  Run();
  EXPECT_EQ(clients_.at(client)->pongs, 1);
  EXPECT_THAT(connects_, IsEmpty());
}

TEST_F(BalancerTest, AStatusAloneEndsTheStreamWithTheHeaders) {
  Make({.pool = 1});
  const std::uint64_t client = AddClient();
  const StreamId stream = Ask(client, "/one");
  End& server = *servers_.at(connects_[0]);
  server.http2.SubmitHeaders(1, {{":status", "200"}, {"grpc-status", "5"}}, true);
  Run();
  EXPECT_EQ(FindHeader(clients_.at(client)->heads.at(stream), "grpc-status"), "5");
  EXPECT_THAT(clients_.at(client)->ended, ElementsAre(stream));
  EXPECT_THAT(clients_.at(client)->bodies, IsEmpty());
}

TEST_F(BalancerTest, AConnectionIsReplacedAfterItsCallsAndFinishesWhatItHas) {
  Make({.pool = 1, .calls_per_connection = 2});
  const std::uint64_t client = AddClient();
  Ask(client, "/one");
  const StreamId second = Ask(client, "/two");
  EXPECT_EQ(balancer_->draining(), 1u);
  Ask(client, "/three");
  ASSERT_EQ(connects_.size(), 2u);
  End& old = *servers_.at(connects_[0]);
  Answer(old, 1, "a");
  EXPECT_THAT(closed_, IsEmpty());
  Answer(old, 3, "b");
  EXPECT_EQ(clients_.at(client)->bodies.at(second), "b");
  EXPECT_THAT(closed_, ElementsAre(connects_[0]));
  EXPECT_EQ(old.goaways, 1);
  EXPECT_EQ(balancer_->draining(), 0u);
}

TEST_F(BalancerTest, OfAgeItIsReplacedAndWhatIsStillOpenIsResetInTheEnd) {
  Make({.pool = 1, .connection_age = 60s, .drain_limit = 5s});
  const std::uint64_t client = AddClient();
  const StreamId poll = Ask(client, "/poll");
  ASSERT_EQ(balancer_->NextDeadline(), clock_.Now() + 60s);
  clock_.Advance(60s);
  balancer_->Advance(Now());
  Run();
  EXPECT_EQ(balancer_->draining(), 1u);
  ASSERT_EQ(balancer_->NextDeadline(), clock_.Now() + 5s);
  clock_.Advance(5s);
  balancer_->Advance(Now());
  Run();
  EXPECT_THAT(closed_, ElementsAre(connects_[0]));
  EXPECT_EQ(FindHeader(clients_.at(client)->heads.at(poll), "grpc-status"), "14");
  EXPECT_THAT(std::string(FindHeader(clients_.at(client)->heads.at(poll), "grpc-message")),
              HasSubstr("connection termination"));
  Ask(client, "/again");
  EXPECT_EQ(connects_.size(), 2u);
}

TEST_F(BalancerTest, ALostServerEndsItsCallsAndNotTheClientsConnection) {
  Make({.pool = 1});
  const std::uint64_t client = AddClient();
  const StreamId fresh = Ask(client, "/fresh");
  const StreamId begun = Ask(client, "/begun");
  End& server = *servers_.at(connects_[0]);
  server.http2.SubmitHeaders(3, {{":status", "200"}}, false);
  server.http2.SubmitData(3, "half", false);
  Run();
  balancer_->Lost(Now(), connects_[0], "connection reset by peer");
  Run();
  EXPECT_EQ(FindHeader(clients_.at(client)->heads.at(fresh), "grpc-status"), "14");
  EXPECT_EQ(clients_.at(client)->bodies.at(begun), "half");
  EXPECT_EQ(clients_.at(client)->closed.at(begun), Http2Error::kInternalError);
  EXPECT_EQ(balancer_->clients(), 1u);
  servers_.clear();
  reachable_ = false;
  const StreamId refused = Ask(client, "/refused");
  EXPECT_THAT(std::string(FindHeader(clients_.at(client)->heads.at(refused), "grpc-message")),
              HasSubstr("connection failure"));
}

TEST_F(BalancerTest, WhatAClientGivesUpIsResetAtTheServer) {
  Make({.pool = 1});
  const std::uint64_t client = AddClient();
  const StreamId stream = Ask(client, "/one");
  clients_.at(client)->http2.Reset(stream, Http2Error::kCancel);
  Run();
  End& server = *servers_.at(connects_[0]);
  EXPECT_EQ(server.closed.at(1), Http2Error::kCancel);
  Ask(client, "/two");
  balancer_->Lost(Now(), client, "closed by the peer");
  Run();
  EXPECT_EQ(server.closed.at(3), Http2Error::kCancel);
  EXPECT_EQ(balancer_->pooled(), 1u) << "the pool outlives its clients";
}

TEST_F(BalancerTest, AServersGoawayHasTheConnectionReplaced) {
  Make({.pool = 1});
  const std::uint64_t client = AddClient();
  const StreamId stream = Ask(client, "/one");
  End& server = *servers_.at(connects_[0]);
  server.http2.Goaway(Http2Error::kNoError);
  Run();
  Ask(client, "/two");
  EXPECT_EQ(connects_.size(), 2u);
  Answer(server, 1, "late");
  EXPECT_EQ(clients_.at(client)->bodies.at(stream), "late");
}

TEST_F(BalancerTest, MoreThanAWindowPassesInBothDirections) {
  Make({.pool = 1, .buffer_limit = 1000});
  const std::uint64_t client = AddClient();
  const std::string large(40 << 20, 'x');
  const StreamId stream = Ask(client, "/large", large);
  End& server = *servers_.at(connects_[0]);
  EXPECT_EQ(server.bodies.at(1).size(), large.size());
  Answer(server, 1, large);
  EXPECT_EQ(clients_.at(client)->bodies.at(stream).size(), large.size());
}

TEST_F(BalancerTest, TellsOfItsConnections) {
  Make({.pool = 1, .calls_per_connection = 1});
  const std::uint64_t client = AddClient();
  Ask(client, "/one");
  Answer(*servers_.at(connects_[0]), 1, "a");
  balancer_->CloseAll(Now());
  Run();
  std::vector<std::string> words;
  for (const auto& event : journal_.Events()) {
    const auto& connection = std::get<journal::ConnectionEvent>(event.payload);
    EXPECT_EQ(connection.link, "lb");
    words.push_back(connection.what + " " + connection.detail);
  }
  EXPECT_THAT(words, ElementsAre("accepted ", "established ", "closed 1 calls; recycled",
                                 "closed the balancer is stopped"));
  EXPECT_EQ(clients_.at(client)->goaways, 1);
}

}  // namespace
}  // namespace squall::fakes
