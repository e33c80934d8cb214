#include "tests/faults_seen/bed.h"

#include <future>

#include "base/util/rng.h"
#include "fakes/frontend/message_tools.h"

namespace squall::seen {
const wire::CertificateSet& Certificates() {
  static const wire::CertificateSet set = [] {
    Rng rng(11);
    return wire::MintCatalogue(RealClock().WallNow(), rng);
  }();
  return set;
}

Bed::Bed(Security client_side, Security server_side, Front front) {
  fakes::FakeServerOptions server;
  harness::GrpcProxyOptions options;
  options.link = "client->temporal";
  options.tools = fakes::TemporalMessageTools();
  options.certificates = &Certificates();
  if (server_side == Security::kTls) {
    server.tls.emplace();
    server.tls->identity = Certificates().server;
    options.upstream_tls.emplace();
    options.upstream_tls->ca_pem = Certificates().ca_pem;
    options.upstream_tls->server_name = "localhost";
  }
  if (client_side == Security::kTls) {
    options.downstream_tls.emplace();
    options.downstream_tls->identity = Certificates().server;
  }
  auto started = fakes::FakeServer::Start(std::move(server));
  status_ = started.status();
  if (!status_.ok()) return;
  server_ = *std::move(started);
  options.upstream = {"127.0.0.1", static_cast<std::uint16_t>(server_->port())};
  auto proxy = harness::GrpcProxy::Create(executor_, journal_, std::move(options));
  status_ = proxy.status();
  if (!status_.ok()) return;
  proxy_ = *std::move(proxy);
  address_ = proxy_->address();
  if (front == Front::kTcpBeforeFrames) {
    auto tcp = harness::TcpProxy::Create(
        executor_, journal_,
        {.link = "client->temporal", .upstream = {"127.0.0.1", proxy_->port()}});
    status_ = tcp.status();
    if (!status_.ok()) return;
    tcp_ = *std::move(tcp);
    address_ = tcp_->address();
  }
  thread_ = std::thread([this] { executor_.Run(); });
}

Bed::~Bed() {
  if (!thread_.joinable()) return;
  executor_.Post([this] {
    tcp_.reset();
    proxy_.reset();
    executor_.Stop();
  });
  thread_.join();
}

void Bed::OnLoop(const std::function<void(harness::GrpcProxy&)>& work) {
  std::promise<void> done;
  executor_.Post([&] {
    work(*proxy_);
    done.set_value();
  });
  done.get_future().wait();
}

Status Bed::SetRules(const std::string& rules) {
  auto read = wire::RulesFromJson("{\"rules\": [" + rules + "]}");
  if (!read.ok()) return read.status();
  Status status;
  OnLoop([&](harness::GrpcProxy& proxy) { status = proxy.SetRules(*std::move(read)).status(); });
  return status;
}

Status Bed::SetNetFault(const harness::NetFault& fault) {
  Status status;
  OnLoop([&](harness::GrpcProxy&) { status = tcp_->Set(fault); });
  return status;
}

void Bed::LiftRules() {
  OnLoop([this](harness::GrpcProxy& proxy) {
    for (const wire::RuleState& state : proxy.rules()) proxy.LiftRule(state.rule.id);
    if (tcp_ != nullptr) status_.Update(tcp_->RemoveAll());
  });
}

std::uint64_t Bed::Hits(const std::string& fault_id) {
  std::uint64_t hits = 0;
  OnLoop([&](harness::GrpcProxy& proxy) {
    hits = proxy.hits(fault_id) + (tcp_ == nullptr ? 0 : tcp_->hits(fault_id));
  });
  return hits;
}

void Bed::AwaitHit(const std::string& fault_id, Duration limit) {
  constexpr Duration kLook = std::chrono::milliseconds(5);
  std::promise<void> over;
  const SteadyTime end = clock_.Now() + limit;
  const std::function<void()> look = [&] {
    if (tcp_->hits(fault_id) > 0 || clock_.Now() >= end) return over.set_value();
    executor_.After(kLook, look);
  };
  executor_.Post(look);
  over.get_future().wait();
}

void Bed::Pause(Duration pause) {
  std::promise<void> over;
  executor_.Post([&] { executor_.After(pause, [&] { over.set_value(); }); });
  over.get_future().wait();
}

void Bed::CloseConnections() {
  OnLoop([this](harness::GrpcProxy& proxy) {
    if (tcp_ != nullptr) tcp_->CloseConnections(harness::CutWith::kReset);
    proxy.CloseConnections(harness::CutWith::kReset);
  });
}

}  // namespace squall::seen
