#include "scenarios/format/fault_catalogue.h"

namespace squall::scenarios {
namespace {

using enum ParamType;

ParamSpec Direction() {
  return {.name = "direction",
          .type = kWord,
          .doc = "Which bytes: up is towards the server.",
          .default_text = "both",
          .words = {"both", "up", "down"}};
}

std::vector<FaultDefinition> Make() {
  const std::vector<FaultTarget> link = {FaultTarget::kLink};
  const std::vector<FaultTarget> server = {FaultTarget::kServer};
  const std::vector<FaultTarget> processes = {FaultTarget::kServer, FaultTarget::kWorker};
  return {
      {.name = "bandwidth",
       .doc = "Bytes pass no faster than `rate`.",
       .targets = link,
       .params = {{.name = "rate",
                   .type = kRate,
                   .doc = "Bytes per second and connection.",
                   .required = true,
                   .min = 1},
                  Direction()}},
      {.name = "black_hole",
       .doc = "Accepts connections, reads what comes and never answers; connections that stand "
              "fall silent too.",
       .targets = link},
      {.name = "cut",
       .doc = "Closes each connection once `after` bytes have passed.",
       .targets = link,
       .params = {{.name = "after",
                   .type = kSize,
                   .doc = "Bytes that still pass.",
                   .required = true,
                   .min = 0},
                  Direction()}},
      {.name = "drop_connections",
       .doc = "Resets every connection that stands; new ones pass at once.",
       .targets = link,
       .one_shot = true},
      {.name = "kill",
       .doc =
           "SIGKILL. Healing starts a server again; a worker comes back by its restart policy or "
           "by a step, and by nothing else.",
       .targets = processes},
      {.name = "latency",
       .doc = "Delays every piece of data.",
       .targets = link,
       .params = {{.name = "delay",
                   .type = kDuration,
                   .doc = "Added to each piece, in each direction chosen.",
                   .required = true},
                  {.name = "jitter",
                   .type = kDuration,
                   .doc = "Uniform, plus or minus; from the run's seed.",
                   .default_text = "0s"},
                  Direction()}},
      {.name = "never_accept",
       .doc = "The listener stands but accepts nothing: the handshake is the kernel's, silence "
              "follows.",
       .targets = link},
      {.name = "pause", .doc = "SIGSTOP; healing continues it.", .targets = processes},
      {.name = "refuse",
       .doc = "Closes the listener and resets what stands: connection refused.",
       .targets = link,
       .params = {{.name = "keep_connections",
                   .type = kBool,
                   .doc = "Leave the connections that stand alone.",
                   .default_text = "false"}}},
      {.name = "reset",
       .doc = "Accepts and resets at once (RST); resets what stands.",
       .targets = link},
      {.name = "rpc_error",
       .doc =
           "The server refuses calls of these methods with a gRPC status before it handles them.",
       .targets = server,
       .params =
           {{.name = "methods",
             .type = kTextList,
             .doc = "Method names; a trailing * matches any ending.",
             .required = true},
            {.name = "code",
             .type = kText,
             .doc = "The status: UNAVAILABLE, PERMISSION_DENIED, ...",
             .required = true},
            {.name = "message", .type = kText, .doc = "Its message.", .default_text = "injected"}},
       .needs_fake_server = true},
      {.name = "server_down",
       .doc = "Stops the server (SIGKILL of a process); healing starts it again on the same port.",
       .targets = server,
       .params = {{.name = "keep_data",
                   .type = kBool,
                   .doc =
                       "Namespaces and workflows survive; unset: as the server's `data` says."}}},
      {.name = "stall",
       .doc = "Connections stand and nothing passes any more, without a reset; new ones are "
              "accepted and stall alike.",
       .targets = link,
       .params = {Direction()}},
  };
}

}  // namespace

const std::vector<FaultDefinition>& FaultCatalogue() {
  static const auto* const kCatalogue = new std::vector<FaultDefinition>(Make());
  return *kCatalogue;
}

const FaultDefinition* FindFault(std::string_view name) {
  for (const FaultDefinition& fault : FaultCatalogue()) {
    if (fault.name == name) return &fault;
  }
  return nullptr;
}

}  // namespace squall::scenarios
