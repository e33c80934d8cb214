#include "scenarios/format/fault_catalogue.h"

#include <algorithm>
#include <set>
#include <tuple>

namespace squall::scenarios {
namespace {

std::vector<FaultDefinition> All() {
  std::vector<FaultDefinition> all;
  for (std::vector<FaultDefinition>& rows :
       std::vector{LinkFaults(), FrameFaults(), KernelFaults(), DnsFaults(), ServerFaults(), WorkerFaults()})
    std::move(rows.begin(), rows.end(), std::back_inserter(all));
  std::sort(all.begin(), all.end(), [](const FaultDefinition& a, const FaultDefinition& b) {
    return std::tie(a.target, a.name) < std::tie(b.target, b.name);
  });
  return all;
}

}  // namespace

std::string_view FaultTargetName(FaultTarget target) {
  switch (target) {
    case FaultTarget::kLink:
      return "link";
    case FaultTarget::kServer:
      return "server";
    case FaultTarget::kWorker:
      return "worker";
  }
  return "?";
}

std::string_view HealingName(Healing healing) {
  switch (healing) {
    case Healing::kHealed:
      return "healed";
    case Healing::kRestart:
      return "restart";
    case Healing::kOneShot:
      return "one-shot";
  }
  return "?";
}

std::string_view FaultNeedText(FaultNeed need) {
  switch (need) {
    case FaultNeed::kFakeServer:
      return "the fake server";
    case FaultNeed::kOurWorker:
      return "a worker of the kinds core, host or python";
    case FaultNeed::kOwnNetwork:
      return "root, nftables and iproute2: the whole subject runs in a network namespace of its "
             "own";
    case FaultNeed::kOwnWire:
      return "root: the link's workers run in a network namespace of their own, at the end of a "
             "wire";
    case FaultNeed::kOwnNames:
      return "root or user namespaces: the whole subject has a network and a DNS server of its "
             "own, "
             "and its workers reach the link by name";
    case FaultNeed::kFaketime:
      return "libfaketime";
    case FaultNeed::kFrontEnds:
      return "the simulator";
    case FaultNeed::kFrames:
      return "a link whose other end speaks plaintext or TLS with squall's own certificates: what "
             "a "
             "given server shows, a frame-aware proxy in between cannot";
  }
  return "?";
}

const std::vector<FaultDefinition>& FaultCatalogue() {
  static const auto* const kCatalogue = new std::vector<FaultDefinition>(All());
  return *kCatalogue;
}

const FaultDefinition* FindFault(FaultTarget target, std::string_view name) {
  for (const FaultDefinition& fault : FaultCatalogue()) {
    if (fault.target == target && fault.name == name) return &fault;
  }
  return nullptr;
}

std::vector<const FaultDefinition*> FaultsNamed(std::string_view name) {
  std::vector<const FaultDefinition*> rows;
  for (const FaultDefinition& fault : FaultCatalogue()) {
    if (fault.name == name) rows.push_back(&fault);
  }
  return rows;
}

std::vector<std::string> FaultNames() {
  std::set<std::string> names;
  for (const FaultDefinition& fault : FaultCatalogue()) names.insert(fault.name);
  return {names.begin(), names.end()};
}

}  // namespace squall::scenarios
