// Faults of the wire and of names, met by programs of this machine. A program of its own, since the
// namespaces are entered before the first socket and never left.
#include <algorithm>

#include "harness/fault/fault.h"
#include "harness/net/name_server.h"
#include "harness/process/private_network.h"
#include "harness/process/private_wire.h"
#include "harness/process/process.h"
#include "tests/unit/harness/fault/private_names_suite.h"
#include "tests/unit/harness/net/proxy_peers.h"

namespace squall::harness {
namespace {

using namespace std::chrono_literals;
using ::squall::testing::StatusIs;
using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kLinkName = "w->t";
constexpr const char* kDnsName = "w--t.squall.test";

class NetworkFaults : public InPrivateNames<TcpProxyTest>, public FaultTargets {
 protected:
  // A program, and what it says.
  struct Program {
    std::unique_ptr<ChildProcess> process;
    std::string output;
  };
  std::shared_ptr<Program> Run(std::vector<std::string> argv) {
    auto program = std::make_shared<Program>();
    ChildOptions options;
    options.name = argv.at(0);
    options.argv = std::move(argv);
    options.stop_grace = 1s;
    options.on_line = [raw = program.get()](Stream, std::string_view line) {
      raw->output += std::string(line) + "\n";
    };
    program->process = std::make_unique<ChildProcess>(executor_, journal_, std::move(options));
    program->process->Start([](const Status&) {});
    return program;
  }
  std::string OutputOf(std::vector<std::string> argv) {
    const auto program = Run(std::move(argv));
    Await([&] { return !program->process->alive(); }, "the end of a program");
    return program->output;
  }

  std::unique_ptr<FaultHandle> Injected(const std::string& fault, scenarios::Params params = {}) {
    auto handle =
        FaultHandle::Create(executor_, journal_, *this, {"f", fault, kLinkName, std::move(params)});
    EXPECT_OK(handle);
    if (!handle.ok()) return nullptr;
    EXPECT_OK(Done([&](auto done) { (*handle)->Inject(done); }));
    return *std::move(handle);
  }
  template <typename Action>
  Status Done(Action action) {
    std::optional<Status> result;
    action([&](Status status) { result = std::move(status); });
    Await([&] { return result.has_value(); }, "a fault");
    return result.value_or(Status(StatusCode::kDeadlineExceeded, "not done"));
  }
  void Heal(FaultHandle& handle) {
    EXPECT_OK(Done([&](auto done) { handle.Heal(done); }));
  }
  std::vector<std::string> FaultWords() const {
    std::vector<std::string> words;
    for (const auto& event : Events<journal::FaultEvent>()) words.push_back(event.what);
    return words;
  }

  TcpProxy* Link(std::string_view name) override {
    return name == kLinkName ? proxy_.get() : nullptr;
  }
  WorkerUnderTest* Worker(std::string_view) override { return nullptr; }
  ServerUnderTest* Server(std::string_view) override { return nullptr; }
  std::vector<std::string> Names() override { return {kLinkName}; }
  PrivateWire* Wire(std::string_view) override { return wire_.get(); }
  NameServer* NamesOf(std::string_view) override { return names_.get(); }

  std::unique_ptr<PrivateWire> wire_;
  std::unique_ptr<NameServer> names_;
  std::unique_ptr<TcpProxy> proxy_;
};

class WireFaults : public NetworkFaults {
 protected:
  void SetUp() override {
    if (const auto reason = WhyNoPrivateNetwork()) GTEST_SKIP() << *reason;
    if (!InPrivateNetwork()) GTEST_SKIP() << *WhyNoPrivateNames();
    auto wire = PrivateWire::Create();
    if (wire.status().code() == StatusCode::kPermissionDenied) GTEST_SKIP() << wire.status();
    ASSERT_OK(wire);
    wire_ = *std::move(wire);
    auto proxy = TcpProxy::Create(executor_, journal_,
                                  {.link = kLinkName,
                                   .upstream = {"127.0.0.1", server_.port()},
                                   .listen = {wire_->near_address(), 0}});
    ASSERT_OK(proxy);
    proxy_ = *std::move(proxy);
  }
  // A program at the far end, in which {0} is where the link listens.
  std::vector<std::string> AtTheFarEnd(const std::string& script) {
    std::vector<std::string> argv = wire_->Launcher();
    const std::string where = fmt::format("/dev/tcp/{}/{}", wire_->near_address(), proxy_->port());
    argv.insert(argv.end(), {"bash", "-c", fmt::format(fmt::runtime(script), where)});
    return argv;
  }
  // One that connects, and sends an x at each SIGUSR1.
  std::shared_ptr<Program> Connected() {
    auto program =
        Run(AtTheFarEnd("exec 3<>{0} && trap 'printf x >&3; echo sent' USR1 && echo connected; "
                        "while :; do sleep 1000 & wait; done"));
    Await([&] { return program->output == "connected\n"; }, "the connection");
    Upstream(0);
    return program;
  }
  void SendFrom(Program& program) {
    EXPECT_OK(program.process->Signal(SIGUSR1, Intent::kAsked));
    Await([&] { return program.output.ends_with("sent\n"); }, "a byte on its way");
  }
  static constexpr const char* kAttempt = "exec 3<>{0} && cat /proc/net/tcp";
};

TEST_F(WireFaults, AnInterfaceThatIsDownFailsNewConnectionsAndSilencesThoseThatStand) {
  const auto program = Connected();
  const auto fault = Injected("kernel_link_down");
  ASSERT_NE(fault, nullptr);
  EXPECT_THAT(OutputOf(AtTheFarEnd(kAttempt)), HasSubstr("Network is unreachable"));
  SendFrom(*program);
  Settle();
  EXPECT_EQ(Upstream(0)->received, "");
  Heal(*fault);
  // It is sent again once it is due.
  AwaitText(Upstream(0), "x");
  EXPECT_THAT(OutputOf(AtTheFarEnd(kAttempt)), Not(HasSubstr("unreachable")));
  EXPECT_THAT(FaultWords(), ElementsAre("injecting", "injected", "healing", "hit", "healed"));
}

TEST_F(WireFaults, AnAddressThatChangedSilencesWhatStandsAndNotWhatIsNew) {
  // 198.18.0.2 as the kernel writes it, and behind it .3.
  constexpr const char *kOwn = ": 020012C6:", *kOther = ": 030012C6:";
  const auto program = Connected();
  EXPECT_THAT(OutputOf(AtTheFarEnd(kAttempt)), HasSubstr(kOwn));
  const auto fault = Injected("kernel_address_change");
  ASSERT_NE(fault, nullptr);
  EXPECT_THAT(OutputOf(AtTheFarEnd(kAttempt)), HasSubstr(kOther));
  SendFrom(*program);
  Settle();
  EXPECT_EQ(Upstream(0)->received, "");
  Heal(*fault);
  AwaitText(Upstream(0), "x");
  EXPECT_THAT(FaultWords(), ElementsAre("injecting", "injected", "healing", "hit", "healed"));
}

TEST_F(WireFaults, WhatNobodyMetIsNoHitAndAHandleThatIsDroppedHeals) {
  Injected("kernel_link_down");
  EXPECT_THAT(FaultWords(), ElementsAre("injecting", "injected", "healing", "healed"));
  EXPECT_THAT(OutputOf(AtTheFarEnd(kAttempt)), Not(HasSubstr("unreachable")));
}

TEST_F(WireFaults, ALinkWithoutAWireIsRefused) {
  wire_.reset();
  for (const char* fault : {"kernel_link_down", "kernel_address_change"}) {
    auto handle = FaultHandle::Create(executor_, journal_, *this, {"f", fault, kLinkName, {}});
    ASSERT_OK(handle);
    EXPECT_THAT(Done([&](auto done) { (*handle)->Inject(done); }),
                StatusIs(StatusCode::kFailedPrecondition, HasSubstr("no wire of its own")));
  }
}

TEST_F(WireFaults, WiresComeAndGoWithTheirInterfaces) {
  const auto interfaces = [this] { return OutputOf({"cat", "/proc/self/net/dev"}); };
  EXPECT_THAT(interfaces(), HasSubstr("wire0:"));
  auto second = PrivateWire::Create();
  ASSERT_OK(second);
  EXPECT_EQ((*second)->near_address(), "198.18.1.1");
  second->reset();
  EXPECT_THAT(interfaces(), Not(HasSubstr("wire1:")));
  ASSERT_OK(PrivateWire::Create()) << "the number is free at once";
}

class DnsFaults : public NetworkFaults {
 protected:
  void SetUp() override {
    if (const auto reason = WhyNoPrivateNames()) GTEST_SKIP() << *reason;
    auto names = NameServer::Create(executor_, {"127.0.0.1", kNamesPort});
    ASSERT_OK(names);
    names_ = *std::move(names);
    ASSERT_OK(names_->Add(kDnsName, "127.0.0.1"));
    proxy_ = Proxy(server_.port());
  }
  // As glibc finds it, and with it Python, core and most programs.
  std::string Glibc() { return OutputOf({"getent", "ahostsv4", kDnsName}); }
};

TEST_F(DnsFaults, AnotherAddressIsToldUntilItIsHealed) {
  EXPECT_THAT(Glibc(), HasSubstr("127.0.0.1 "));
  const auto fault = Injected("dns_answer");
  ASSERT_NE(fault, nullptr);
  EXPECT_THAT(Glibc(), HasSubstr("127.0.0.2 "));
  Heal(*fault);
  EXPECT_THAT(Glibc(), HasSubstr("127.0.0.1 "));
  EXPECT_THAT(FaultWords(), ElementsAre("injecting", "injected", "hit", "healing", "healed"));
}

TEST_F(DnsFaults, ALookUpFailsUntilItIsHealed) {
  for (const char* code : {"SERVFAIL", "NXDOMAIN", "REFUSED"}) {
    const auto fault = Injected("dns_fail", {{"code", std::string(code)}});
    ASSERT_NE(fault, nullptr);
    EXPECT_EQ(Glibc(), "") << code;
    Heal(*fault);
    EXPECT_THAT(Glibc(), HasSubstr("127.0.0.1 "));
  }
  EXPECT_EQ(Count<journal::FaultEvent>("hit"), 3u);
}

TEST_F(DnsFaults, ALookUpHangsUntilItIsHealed) {
  const auto fault = Injected("dns_hang");
  ASSERT_NE(fault, nullptr);
  const auto asking = Run({"getent", "ahostsv4", kDnsName});
  Await([&] { return Count<journal::FaultEvent>("hit") == 1; }, "the question");
  EXPECT_TRUE(asking->process->alive());
  Heal(*fault);
  // It asks again.
  Await([&] { return !asking->process->alive(); }, "the answer");
  EXPECT_THAT(asking->output, HasSubstr("127.0.0.1 "));
}

TEST_F(DnsFaults, NodeMeetsThemInBothOfItsResolvers) {
  if (!FindProgram("node").ok()) GTEST_SKIP() << "node is not installed";
  for (const char* look : {"lookup", "resolve4"}) {
    const std::vector<std::string> argv = {
        "node", "-e",
        fmt::format("require('dns').{}('{}', (e, a) => console.log(e ? e.code : String(a)))", look,
                    kDnsName)};
    EXPECT_EQ(OutputOf(argv), "127.0.0.1\n") << look;
    const auto other = Injected("dns_answer");
    EXPECT_EQ(OutputOf(argv), "127.0.0.2\n") << look;
    Heal(*other);
    const auto fails = Injected("dns_fail");
    EXPECT_THAT(OutputOf(argv), AnyOf("EAI_AGAIN\n", "ESERVFAIL\n")) << look;
    Heal(*fails);
  }
}

TEST_F(DnsFaults, ALinkThatNobodyKnowsByNameIsRefused) {
  names_.reset();
  auto handle = FaultHandle::Create(executor_, journal_, *this, {"f", "dns_hang", kLinkName, {}});
  ASSERT_OK(handle);
  EXPECT_THAT(Done([&](auto done) { (*handle)->Inject(done); }),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("by its name")));
}

}  // namespace
}  // namespace squall::harness
