// The catalogue's faults of links that the kernel does, to packets of the link's port. Each has a
// twin in user space (faults_link.cc) that needs nothing.

#include "scenarios/format/fault_catalogue.h"

namespace squall::scenarios {
namespace {

using enum ParamType;

ParamSpec PacketDirection() {
  return {.name = "direction",
          .type = kWord,
          .doc = "Which packets: up is towards the link.",
          .default_text = "both",
          .words = {"both", "up", "down"}};
}

}  // namespace

std::vector<FaultDefinition> KernelFaults() {
  constexpr FaultTarget kLink = FaultTarget::kLink;
  // Packets get lost once the server has a task to send.
  constexpr const char* kUntilMet =
      "start_workflow: {workflow: Ping, id: meanwhile, input: 1}\n  - wait: {event: fault.hit}";
  constexpr const char* kResent =
      "Healing; TCP sends again what was lost, later with each attempt.";
  return {
      {.name = "kernel_address_change",
       .target = kLink,
       .doc = "The workers' end of the wire to the link has another address, as after a new lease "
              "or a move: connections that stand fall silent for ever, new ones come from the new "
              "address.",
       .restored_by = "Healing gives the old address back, and what still stands flows on; else "
                      "new connections.",
       .needs = {FaultNeed::kOwnWire},
       .during = kUntilMet},
      {.name = "kernel_bandwidth",
       .target = kLink,
       .doc = "Packets of the link's port pass a token bucket (tbf), both ways together; one such "
              "fault at a time. In user space: `bandwidth`.",
       .params = {{.name = "rate",
                   .type = kRate,
                   .doc = "Bytes per second.",
                   .required = true,
                   .min = 1000}},
       .restored_by = "Healing.",
       .needs = {FaultNeed::kOwnNetwork},
       .example = "rate: 16KiB/s"},
      {.name = "kernel_drop",
       .target = kLink,
       .doc = "Packets of the link's port vanish (nftables DROP): connections stand and nothing "
              "comes through, new ones get no answer to their SYN. In user space: `stall`, "
              "`never_accept`.",
       .params = {PacketDirection()},
       .restored_by = kResent,
       .needs = {FaultNeed::kOwnNetwork}},
      {.name = "kernel_link_down",
       .target = kLink,
       .doc = "The workers' interface to the link is down: new connections fail at once (network "
              "is unreachable), those that stand fall silent.",
       .restored_by = kResent,
       .needs = {FaultNeed::kOwnWire},
       .during = kUntilMet},
      {.name = "kernel_reject",
       .target = kLink,
       .doc = "Packets of the link's port are answered with a refusal (nftables REJECT). In user "
              "space: `reset`, `refuse`.",
       .params = {PacketDirection(),
                  {.name = "with",
                   .type = kWord,
                   .doc = "A TCP reset, or ICMP port unreachable, which leaves connections "
                          "standing.",
                   .default_text = "reset",
                   .words = {"reset", "icmp"}}},
       .restored_by = "Healing; clients open new connections.",
       .needs = {FaultNeed::kOwnNetwork}},
  };
}

}  // namespace squall::scenarios
