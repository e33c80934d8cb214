// Two proofs, small here and in full by `make prove-proxy`: toxics are in force from byte 0 of
// every connection, and injecting and healing them under load again and again leaves nothing
// behind.
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "harness/net/fault_decisions.h"
#include "harness/proxy/proxy_api.h"
#include "tests/unit/harness/net/proxy_peers.h"

namespace squall::harness {
namespace {

using namespace std::chrono_literals;

int FromEnvironment(const char* name, int otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::atoi(text);
}

// Open descriptors and threads of this process.
std::pair<long, long> Holdings() {
  const auto entries = [](const char* path) {
    return std::distance(std::filesystem::directory_iterator(path), {});
  };
  return {entries("/proc/self/fd"), entries("/proc/self/task")};
}

class ProxyProofTest : public TcpProxyTest {
 protected:
  void SetUp() override { journal_.SetObserver(nullptr); }

  std::uint16_t Make(const std::string& more = "") {
    const ApiReply reply = Call("POST", "/proxies",
                                R"({"name":"p","listen":"localhost:0","upstream":"127.0.0.1:)" +
                                    std::to_string(server_.port()) + "\"" + more + "}");
    EXPECT_EQ(reply.status, 201) << reply.body;
    return set_.proxies().at("p")->tcp().port();
  }
  ApiReply Call(std::string method, std::string path, std::string body = "") {
    return api_.Handle({.method = std::move(method),
                        .path = std::move(path),
                        .body = std::move(body),
                        .user_agent = ""});
  }

  journal::NullSink nowhere_;
  ProxySet set_{executor_, nowhere_, 11};
  ProxyApi api_{set_, ""};
};

TEST_F(ProxyProofTest, ToxicsAreInForceFromByteZeroOfEveryConnection) {
  const int wanted = FromEnvironment("SQUALL_PROOF_CONNECTIONS", 400);
  constexpr int kAtOnce = 100;
  int seen = 0, changed = 0;
  while (seen < wanted) {
    // As a client finds it: the listener is open as soon as it can be connected to, and then with
    // the toxic. Each connection sends with its first breath.
    const std::uint16_t port = Make(
        R"(,"toxics":[{"type":"corrupt","stream":"upstream","name":"c","attributes":{"most":1}}])");
    std::vector<std::shared_ptr<Peer>> clients;
    for (int i = 0; i < kAtOnce; ++i) {
      clients.push_back(Peer::Connect(executor_, port));
      clients.back()->Send("a");
    }
    for (const auto& client : clients) {
      Await([&] { return client->ended || !client->received.empty(); }, "the byte");
      ++seen;
      changed += client->received.size() == 1 && client->received[0] != 'a';
      client->Close();
    }
    EXPECT_EQ(Call("DELETE", "/proxies/p").status, 204);
    for (const auto& peer : server_.peers) peer->Close();
    server_.peers.clear();
  }
  EXPECT_EQ(changed, seen);
  RecordProperty("connections", seen);
}

// A client that asks and waits for the answer, for ever, on a new connection when one ends.
class Pinger {
 public:
  Pinger(AsioExecutor& executor, std::uint16_t port) : executor_(executor), port_(port) {}
  ~Pinger() { Stop(); }
  void Turn() {
    if (peer_ && !peer_->ended) {
      if (peer_->received.size() < sent_) return;
      ++answers;
    }
    if (!peer_ || peer_->ended || ++asked_ > 20) {
      Stop();
      peer_ = Peer::Connect(executor_, port_);
      sent_ = asked_ = 0;
    }
    peer_->Send("ping");
    sent_ += 4;
  }
  void Stop() {
    if (peer_) peer_->Close();
    peer_.reset();
  }
  std::uint64_t answers = 0;

 private:
  AsioExecutor& executor_;
  const std::uint16_t port_;
  std::shared_ptr<Peer> peer_;
  std::size_t sent_ = 0, asked_ = 0;
};

TEST_F(ProxyProofTest, CyclesOfEveryToxicUnderLoadLeaveNothingBehind) {
  const int cycles = FromEnvironment("SQUALL_PROOF_CYCLES", 6);
  const std::uint16_t port = Make();
  const TcpProxy& tcp = set_.proxies().at("p")->tcp();
  std::vector<std::unique_ptr<Pinger>> load;
  for (int i = 0; i < 4; ++i) load.push_back(std::make_unique<Pinger>(executor_, port));
  const auto turn = [&] {
    for (const auto& pinger : load) pinger->Turn();
    // A thousand cycles make more connections than a process may have descriptors.
    std::erase_if(server_.peers, [](const auto& peer) {
      if (peer->ended) peer->Close();
      return peer->ended;
    });
  };
  const auto quiet = [&] {
    for (const auto& pinger : load) pinger->Stop();
    Settle();
    for (const auto& peer : server_.peers) peer->Close();
    Await([&] { return tcp.counters().open == 0; }, "the connections to end");
    server_.peers.clear();
    Settle();
    return Holdings();
  };
  const auto cycle = [&](const ToxicType& type) {
    // Values that bite within milliseconds.
    std::string attributes;
    for (const ToxicAttribute& one : type.attributes) {
      if (one.kind != GoField::Kind::kInteger) continue;
      const std::string value = one.name == "rate" ? "1000" : one.name == "most" ? "0" : "1";
      attributes += (attributes.empty() ? "\"" : ",\"") + std::string(one.name) + "\":" + value;
    }
    const ApiReply added = Call("POST", "/proxies/p/toxics",
                                R"({"name":"t","type":")" + std::string(type.name) +
                                    R"(","attributes":{)" + attributes + "}}");
    ASSERT_EQ(added.status, 200) << added.body;
    const std::uint64_t before = tcp.hits("t");
    const bool bites = type.name != "noop" && type.name != "refuse" &&
                       type.name != "never_accept" && type.name != "slow_close";
    if (bites) {
      Await(
          [&] {
            turn();
            return tcp.hits("t") > before;
          },
          type.name);
    } else {
      for (int i = 0; i < 20; ++i) {
        turn();
        Settle();
      }
    }
    ASSERT_EQ(Call("DELETE", "/proxies/p/toxics/t").status, 204);
    // Healed: everybody is served again.
    std::vector<std::uint64_t> then;
    for (const auto& pinger : load) then.push_back(pinger->answers);
    Await(
        [&] {
          turn();
          for (std::size_t i = 0; i < load.size(); ++i)
            if (load[i]->answers < then[i] + 2) return false;
          return true;
        },
        std::string(type.name) + " to be healed");
  };
  for (const ToxicType& type : ToxicTypes()) cycle(type);  // warms up what is made once
  const auto before = quiet();
  for (const ToxicType& type : ToxicTypes()) {
    for (int i = 0; i < cycles && !HasFatalFailure(); ++i) cycle(type);
    EXPECT_EQ(quiet(), before) << type.name << ": descriptors, threads";
  }
  RecordProperty("cycles", cycles);
}

}  // namespace
}  // namespace squall::harness
