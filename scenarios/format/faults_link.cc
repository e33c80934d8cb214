// The catalogue's faults of links: what a TCP proxy between two ends does.

#include "scenarios/format/fault_catalogue.h"

namespace squall::scenarios {
namespace {

using enum ParamType;

constexpr const char* kFlowsOn = "Healing: what was held flows on, in order.";

ParamSpec Direction() {
  return {.name = "direction",
          .type = kWord,
          .doc = "Which bytes: up is towards the server.",
          .default_text = "both",
          .words = {"both", "up", "down"}};
}
ParamSpec FirstConnections() {
  return {.name = "first_connections",
          .type = kInt,
          .doc = "Only the first so many connections that come (0: all).",
          .default_text = "0",
          .min = 0};
}
ParamSpec Probability() {
  return {.name = "probability",
          .type = kNumber,
          .doc = "Each connection is chosen with this probability, by the run's seed.",
          .default_text = "1",
          .min = 0,
          .max = 1};
}

}  // namespace

std::vector<FaultDefinition> LinkFaults() {
  constexpr FaultTarget kLink = FaultTarget::kLink;
  return {
      {.name = "bandwidth",
       .target = kLink,
       .doc = "Bytes pass no faster than `rate`.",
       .params = {{.name = "rate",
                   .type = kRate,
                   .doc = "Per second, for each connection and direction.",
                   .required = true,
                   .min = 1},
                  Direction(),
                  FirstConnections(),
                  Probability()},
       .restored_by = kFlowsOn,
       .example = "rate: 2KiB/s"},
      {.name = "black_hole",
       .target = kLink,
       .doc = "Accepts connections, reads what comes and never answers; connections that stand "
              "fall silent too.",
       .params = {FirstConnections(), Probability()},
       .restored_by = "Healing: connections that were accepted meanwhile are connected to the "
                      "upstream and go on."},
      {.name = "cut",
       .target = kLink,
       .doc = "Ends each connection once `after` bytes have passed.",
       .params = {{.name = "after",
                   .type = kSize,
                   .doc = "Bytes that still pass, exactly.",
                   .required = true,
                   .min = 0},
                  Direction(),
                  {.name = "with",
                   .type = kWord,
                   .doc = "How it ends: by an RST or a FIN.",
                   .default_text = "reset",
                   .words = {"reset", "fin"}},
                  FirstConnections(),
                  Probability()},
       .restored_by = "Healing; connections that were cut are gone, clients open new ones.",
       .example = "after: 64B, direction: down"},
      {.name = "drop_connections",
       .target = kLink,
       .doc = "Resets every connection that stands; new ones pass at once.",
       .healing = Healing::kOneShot,
       .restored_by = "Clients connect again by themselves."},
      {.name = "latency",
       .target = kLink,
       .doc = "Delays every piece of data.",
       .params = {{.name = "delay",
                   .type = kDuration,
                   .doc = "Added to each piece, in each direction chosen.",
                   .required = true},
                  {.name = "jitter",
                   .type = kDuration,
                   .doc = "Uniform, plus or minus; from the run's seed.",
                   .default_text = "0s"},
                  Direction(),
                  FirstConnections(),
                  Probability()},
       .restored_by = kFlowsOn,
       .example = "delay: 200ms, jitter: 50ms"},
      {.name = "never_accept",
       .target = kLink,
       .doc = "The listener stands but accepts nothing: the handshake is the kernel's, silence "
              "follows.",
       .params = {{.name = "backlog",
                   .type = kWord,
                   .doc = "open: the kernel completes the handshake; full: SYNs are dropped as "
                          "well, and connect hangs.",
                   .default_text = "open",
                   .words = {"open", "full"}}},
       .restored_by = "Healing: connections in the backlog are accepted and go on."},
      {.name = "refuse",
       .target = kLink,
       .doc = "Closes the listener and resets what stands: connection refused.",
       .params = {{.name = "keep_connections",
                   .type = kBool,
                   .doc = "Leave the connections that stand alone.",
                   .default_text = "false"}},
       .restored_by = "Healing: the same port is listened on again."},
      {.name = "reset",
       .target = kLink,
       .doc = "Accepts and resets at once (RST), so that every attempt is seen and timed; resets "
              "what stands.",
       .params = {FirstConnections(), Probability()},
       .restored_by = "Healing; clients open new connections."},
      {.name = "slow_close",
       .target = kLink,
       .doc = "Passes the end of a connection on late.",
       .params = {{.name = "delay",
                   .type = kDuration,
                   .doc = "From the end on one side to its being passed on.",
                   .required = true},
                  Direction()},
       .restored_by = "Healing: ends that were held are passed on.",
       .example = "delay: 500ms",
       .during = "kill: w"},
      {.name = "stall",
       .target = kLink,
       .doc = "Connections stand and nothing passes any more, without a reset; new ones are "
              "accepted and stall alike.",
       .params = {Direction(), FirstConnections(), Probability()},
       .restored_by = kFlowsOn},
  };
}

}  // namespace squall::scenarios
