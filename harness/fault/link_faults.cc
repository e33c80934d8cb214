// Faults of links: each is a NetFault that the link's proxy obeys.

#include "harness/fault/fault_action.h"

namespace squall::harness {
namespace {

using scenarios::Params;

Direction DirectionOf(const Params& params) {
  const std::string word = params.Text("direction", "both");
  return word == "up" ? Direction::kUp : word == "down" ? Direction::kDown : Direction::kBoth;
}

// What most faults of links have; parameters that a row does not have are as without.
NetFault Translated(const FaultSpec& spec, NetFaultKind kind) {
  const Params& params = spec.parameters;
  NetFault fault{.id = spec.id, .kind = kind};
  fault.direction = DirectionOf(params);
  fault.latency = params.Time("delay");
  fault.jitter = params.Time("jitter");
  fault.bytes_per_second = static_cast<std::uint64_t>(params.Int("rate"));
  fault.cut_after_bytes = static_cast<std::uint64_t>(params.Int("after"));
  fault.cut_with = params.Text("with") == "fin" ? CutWith::kFin : CutWith::kReset;
  fault.backlog_full = params.Text("backlog") == "full";
  fault.first_connections = static_cast<std::uint64_t>(params.Int("first_connections"));
  fault.probability = params.Number("probability", 1);
  if (params.Bool("keep_connections")) fault.existing = Existing::kKeep;
  return fault;
}

class ProxyFault final : public FaultAction {
 public:
  ProxyFault(TcpProxy& proxy, NetFault fault) : proxy_(proxy), fault_(std::move(fault)) {}
  void Inject(Done done) override { done(proxy_.Set(fault_)); }
  void Heal(Done done) override { done(HealNow()); }
  Status HealNow() override { return proxy_.Remove(fault_.id); }

 private:
  TcpProxy& proxy_;
  const NetFault fault_;
};

template <NetFaultKind kind>
std::unique_ptr<FaultAction> MakeNetFault(const FaultParts& parts) {
  return std::make_unique<ProxyFault>(*parts.link, Translated(parts.spec, kind));
}

class DropConnections final : public FaultAction {
 public:
  explicit DropConnections(const FaultParts& parts)
      : proxy_(*parts.link), id_(parts.spec.id), hit_(parts.hit) {}
  void Inject(Done done) override {
    const std::uint64_t open = proxy_.counters().open;
    proxy_.CloseConnections(CutWith::kReset, id_);
    if (open > 0) hit_(std::to_string(open) + " connections");
    done(absl::OkStatus());
  }

 private:
  TcpProxy& proxy_;
  const std::string id_;
  const std::function<void(std::string)> hit_;
};

std::unique_ptr<FaultAction> MakeDropConnections(const FaultParts& parts) {
  return std::make_unique<DropConnections>(parts);
}

constexpr FaultFactory kLinkFactories[] = {
    {"bandwidth", MakeNetFault<NetFaultKind::kBandwidth>},
    {"black_hole", MakeNetFault<NetFaultKind::kBlackhole>},
    {"cut", MakeNetFault<NetFaultKind::kCut>},
    {"drop_connections", MakeDropConnections},
    {"latency", MakeNetFault<NetFaultKind::kLatency>},
    {"never_accept", MakeNetFault<NetFaultKind::kNeverAccept>},
    {"refuse", MakeNetFault<NetFaultKind::kRefuse>},
    {"reset", MakeNetFault<NetFaultKind::kReset>},
    {"slow_close", MakeNetFault<NetFaultKind::kSlowClose>},
    {"stall", MakeNetFault<NetFaultKind::kStall>},
};

}  // namespace

std::span<const FaultFactory> LinkFaultFactories() { return kLinkFactories; }

}  // namespace squall::harness
