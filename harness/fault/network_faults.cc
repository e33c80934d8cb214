// Faults of links in what stands around them when the subject has a network of its own: the wire
// between workers and link, and the DNS server that knows the link's name.

#include <algorithm>
#include <utility>

#include "harness/fault/fault_action.h"
#include "harness/net/name_server.h"
#include "harness/process/private_wire.h"

namespace squall::harness {
namespace {

// TCP sends again after 200 ms at the earliest.
constexpr Duration kLookInterval = std::chrono::milliseconds(50);

// What is done to the far end of the wire, at once and by system calls.
class WireFault final : public FaultAction {
 public:
  using Change = Status (*)(PrivateWire& wire, bool faulty);
  WireFault(const FaultParts& parts, Change change)
      : executor_(parts.executor),
        wire_(parts.targets.Wire(parts.spec.target)),
        link_(parts.spec.target),
        change_(change),
        hit_(parts.hit) {}
  ~WireFault() override { executor_.Cancel(timer_); }

  void Inject(Done done) override {
    if (wire_ == nullptr) {
      return done(MakeStatus(StatusCode::kFailedPrecondition, "no wire of its own leads to link {}",
                             link_));
    }
    const StatusOr<std::uint64_t> lost = wire_->LostPackets();
    if (!lost.ok()) return done(lost.status());
    lost_before_ = *lost;
    const Status changed = change_(*wire_, true);
    // Half of it does not stay.
    if (!changed.ok()) [[maybe_unused]]
      const Status back = change_(*wire_, false);
    if (changed.ok()) LookSoon();
    done(changed);
  }
  void Heal(Done done) override { done(HealNow()); }
  Status HealNow() override {
    executor_.Cancel(timer_);
    Look();
    return change_(*wire_, false);
  }

 private:
  // The kernel counts, and tells only who asks.
  void Look() {
    const StatusOr<std::uint64_t> lost = wire_->LostPackets();
    if (told_ || !lost.ok() || *lost <= lost_before_) return;
    told_ = true;
    hit_(fmt::format("{} packets", *lost - lost_before_));
  }
  void LookSoon() {
    timer_ = executor_.After(kLookInterval, [this] {
      Look();
      if (!told_) LookSoon();
    });
  }

  AsioExecutor& executor_;
  PrivateWire* const wire_;
  const std::string link_;
  const Change change_;
  const std::function<void(std::string)> hit_;
  std::uint64_t lost_before_ = 0;
  bool told_ = false;
  TimerId timer_ = 0;
};

std::unique_ptr<FaultAction> MakeAddressChange(const FaultParts& parts) {
  return std::make_unique<WireFault>(
      parts, [](PrivateWire& wire, bool faulty) { return wire.ChangeAddress(faulty); });
}
std::unique_ptr<FaultAction> MakeLinkDown(const FaultParts& parts) {
  return std::make_unique<WireFault>(
      parts, [](PrivateWire& wire, bool faulty) { return wire.SetUp(!faulty); });
}

// What the DNS server says of the link's name.
class NamesFault final : public FaultAction {
 public:
  NamesFault(const FaultParts& parts, NameFault fault)
      : names_(parts.targets.NamesOf(parts.spec.target)), link_(parts.spec.target) {
    fault_ = std::move(fault);
    fault_.id = parts.spec.id;
    fault_.name = DnsNameOf(link_);
    fault_.met = parts.hit;
  }

  void Inject(Done done) override {
    if (names_ == nullptr) {
      return done(MakeStatus(StatusCode::kFailedPrecondition, "nobody looks up link {} by its name",
                             link_));
    }
    done(names_->Set(fault_));
  }
  void Heal(Done done) override { done(HealNow()); }
  Status HealNow() override {
    names_->Remove(fault_.id);
    return absl::OkStatus();
  }

 private:
  NameServer* const names_;
  const std::string link_;
  NameFault fault_;
};

std::unique_ptr<FaultAction> MakeDnsAnswer(const FaultParts& parts) {
  return std::make_unique<NamesFault>(
      parts, NameFault{.kind = NameFault::Kind::kAnswers,
                       .addresses = parts.spec.parameters.Texts("addresses")});
}
std::unique_ptr<FaultAction> MakeDnsFail(const FaultParts& parts) {
  const std::string code = parts.spec.parameters.Text("code");
  const std::uint8_t number = code == "SERVFAIL" ? 2 : code == "NXDOMAIN" ? 3 : 5;
  return std::make_unique<NamesFault>(parts,
                                      NameFault{.kind = NameFault::Kind::kFails, .code = number});
}
std::unique_ptr<FaultAction> MakeDnsHang(const FaultParts& parts) {
  return std::make_unique<NamesFault>(parts, NameFault{.kind = NameFault::Kind::kHangs});
}

constexpr FaultFactory kNetworkFactories[] = {
    {"dns_answer", MakeDnsAnswer},      {"dns_fail", MakeDnsFail},
    {"dns_hang", MakeDnsHang},          {"kernel_address_change", MakeAddressChange},
    {"kernel_link_down", MakeLinkDown},
};

}  // namespace

std::span<const FaultFactory> NetworkFaultFactories() { return kNetworkFactories; }

}  // namespace squall::harness
