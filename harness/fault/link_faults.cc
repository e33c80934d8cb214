// Faults of links: each is a NetFault that the link's proxy obeys.

#include <algorithm>

#include "harness/fault/fault_action.h"

namespace squall::harness {
namespace {

using scenarios::Params;

Direction DirectionOf(const Params& params) {
  const std::string word = params.Text("direction", "both");
  return word == "up" ? Direction::kUp : word == "down" ? Direction::kDown : Direction::kBoth;
}

Spread SpreadOf(const Params& params) {
  const std::string word = params.Text("distribution");
  return word == "normal"        ? Spread::kNormal
         : word == "exponential" ? Spread::kExponential
         : word == "pareto"      ? Spread::kPareto
                                 : Spread::kUniform;
}

IdleEnd IdleEndOf(const Params& params) {
  const std::string word = params.Text("end");
  return word == "reset"        ? IdleEnd::kReset
         : word == "reset_next" ? IdleEnd::kResetNext
                                : IdleEnd::kSilent;
}

std::uint64_t Count(const Params& params, std::string_view name) {
  return static_cast<std::uint64_t>(params.Int(name));
}

// Bytes to either side of `bytes`; a piece has at least one.
std::uint64_t SliceVariation(const Params& params) {
  const std::uint64_t bytes = Count(params, "bytes");
  const double share = params.Number("variation");
  return bytes == 0
             ? 0
             : std::min(bytes - 1, static_cast<std::uint64_t>(static_cast<double>(bytes) * share));
}

// What most faults of links have; parameters that a row does not have are as without.
NetFault Translated(const FaultSpec& spec, NetFaultKind kind) {
  const Params& params = spec.parameters;
  NetFault fault{.id = spec.id, .kind = kind};
  fault.direction = DirectionOf(params);
  fault.latency = params.Time("delay", params.Time("ends_after"));
  fault.jitter = params.Time("jitter");
  fault.spread = SpreadOf(params);
  fault.shape = params.Number("shape", fault.shape);
  fault.longest = params.Time("longest");
  fault.bytes_per_second = Count(params, "rate");
  fault.cut_after_bytes = Count(params, "after");
  fault.cut_with = params.Text("with") == "fin" ? CutWith::kFin : CutWith::kReset;
  fault.corrupt_after_bytes = Count(params, "after");
  fault.corrupt_share = params.Number("share", 1);
  fault.corrupt_most = Count(params, "most");
  fault.slice_bytes = Count(params, "bytes");
  fault.slice_variation = SliceVariation(params);
  fault.slice_pause = params.Time("pause");
  fault.idle = params.Time("idle");
  fault.idle_end = IdleEndOf(params);
  fault.most_connections = Count(params, "limit");
  fault.backlog_full = params.Text("backlog") == "full";
  fault.first_connections = Count(params, "first_connections");
  fault.connections = params.Text("connections");
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
    {"connection_limit", MakeNetFault<NetFaultKind::kConnectionLimit>},
    {"corrupt", MakeNetFault<NetFaultKind::kCorrupt>},
    {"cut", MakeNetFault<NetFaultKind::kCut>},
    {"drop_connections", MakeDropConnections},
    {"half_open", MakeNetFault<NetFaultKind::kHalfOpen>},
    {"idle_drop", MakeNetFault<NetFaultKind::kIdleDrop>},
    {"latency", MakeNetFault<NetFaultKind::kLatency>},
    {"never_accept", MakeNetFault<NetFaultKind::kNeverAccept>},
    {"refuse", MakeNetFault<NetFaultKind::kRefuse>},
    {"reset", MakeNetFault<NetFaultKind::kReset>},
    {"reset_on_data", MakeNetFault<NetFaultKind::kResetOnData>},
    {"slice", MakeNetFault<NetFaultKind::kSlice>},
    {"slow_close", MakeNetFault<NetFaultKind::kSlowClose>},
    {"stall", MakeNetFault<NetFaultKind::kStall>},
    {"swallow", MakeNetFault<NetFaultKind::kSwallow>},
};

}  // namespace

std::span<const FaultFactory> LinkFaultFactories() { return kLinkFactories; }

}  // namespace squall::harness
