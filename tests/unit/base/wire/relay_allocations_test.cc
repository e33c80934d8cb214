// A relay that has been busy for a while asks for no memory of ours for another call: what a call
// needs is used again. (nghttp2 has its own, by malloc, which is not counted here.)

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "base/wire/grpc_relay.h"

namespace {
std::atomic<std::uint64_t> news_counted{0};
}  // namespace

// Never inlined: where gcc sees through only one of a pair, it takes the two for a mismatch.
[[gnu::noinline]] void* operator new(std::size_t size) {
  news_counted.fetch_add(1, std::memory_order_relaxed);
  if (void* made = std::malloc(size == 0 ? 1 : size)) return made;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* gone) noexcept { std::free(gone); }
[[gnu::noinline]] void operator delete(void* gone, std::size_t) noexcept { std::free(gone); }

namespace squall::wire {
namespace {

struct QuietOwner : GrpcRelay::Owner {
  void OnOutput() override {}
};

struct AnsweringServer : GrpcServerHandler {
  void OnCallStarted(StreamId, GrpcCallHead) override {}
  void OnMessage(StreamId call, std::string) override {
    http.Reply(call, std::string(200, 'a'), {{"a-trailer", "of some length, as they are"}});
  }
  void OnCancelled(StreamId) override {}
  GrpcServerConnection http{GrpcServerOptions{}, *this};
};

class CountedRelay {
 public:
  // So many calls at once, from the first byte to the last; what the relay allocated meanwhile.
  std::uint64_t Calls(int count) {
    std::uint64_t spent = 0;
    const auto counted = [&](const auto& work) {
      const std::uint64_t before = news_counted;
      work();
      spent += news_counted - before;
    };
    for (int i = 0; i < count; ++i) {
      GrpcRequest request;
      request.service = "a.service.with.a.name.that.is.no.short.string";
      request.method = "Method";
      request.metadata = {{"authorization", "Bearer of a token that is long enough"}};
      request.message = std::string(100, 'q');
      client_.StartCall(request, [this](const GrpcResponse& response) {
        EXPECT_TRUE(response.status.ok()) << response.status.message;
        ++done_;
      });
    }
    for (bool moved = true; moved;) {
      for (std::string* bytes : {&up_, &to_server_, &from_server_, &down_}) bytes->clear();
      client_.TakeOutput(up_);
      counted([&] {
        EXPECT_TRUE(relay_.Feed({}, RelaySide::kDownstream, up_).ok());
        relay_.TakeOutput(RelaySide::kUpstream, to_server_);
      });
      EXPECT_TRUE(server_.http.Feed(to_server_).ok());
      server_.http.TakeOutput(from_server_);
      counted([&] {
        EXPECT_TRUE(relay_.Feed({}, RelaySide::kUpstream, from_server_).ok());
        relay_.TakeOutput(RelaySide::kDownstream, down_);
      });
      EXPECT_TRUE(client_.Feed(down_).ok());
      moved = !up_.empty() || !to_server_.empty() || !from_server_.empty() || !down_.empty();
    }
    return spent;
  }
  int done() const { return done_; }

 private:
  QuietOwner owner_;
  MisbehaviourScript script_{{}};
  GrpcRelay relay_{{}, owner_, &script_, {.connection = 1, .listener = ""}, {}};
  GrpcClientConnection client_{GrpcClientOptions{.http2 = {}, .authority = "a"}};
  AnsweringServer server_;
  std::string up_, to_server_, from_server_, down_;
  int done_ = 0;
};

TEST(GrpcRelayAllocations, NoneForACallOnceItIsWarm) {
  CountedRelay relay;
  EXPECT_GT(relay.Calls(16), 16u) << "the first calls make what the next ones use";
  for (int i = 0; i < 4; ++i) relay.Calls(16);
  std::uint64_t spent = 0;
  for (int i = 0; i < 25; ++i) spent += relay.Calls(16);
  EXPECT_EQ(relay.done(), 30 * 16);
  EXPECT_EQ(spent, 0u) << "in 400 calls";
}

}  // namespace
}  // namespace squall::wire
