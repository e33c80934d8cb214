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

Bed::Bed(Security client_side, Security server_side) {
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
  thread_ = std::thread([this] { executor_.Run(); });
}

Bed::~Bed() {
  if (!thread_.joinable()) return;
  executor_.Post([this] {
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

void Bed::LiftRules() {
  OnLoop([](harness::GrpcProxy& proxy) {
    for (const wire::RuleState& state : proxy.rules()) proxy.LiftRule(state.rule.id);
  });
}

std::uint64_t Bed::Hits(const std::string& fault_id) {
  std::uint64_t hits = 0;
  OnLoop([&](harness::GrpcProxy& proxy) { hits = proxy.hits(fault_id); });
  return hits;
}

}  // namespace squall::seen
