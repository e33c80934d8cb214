#include <algorithm>

#include "harness/fault/fault.h"

namespace squall::harness {
namespace {

using enum ParameterType;

FaultParameter Direction() {
  return {"direction",
          kText,
          "both",
          false,
          {"both", "up", "down"},
          "Which bytes: up is towards the server."};
}
FaultParameter FirstConnections() {
  return {"first_connections",
          kCount,
          "0",
          false,
          {},
          "Only the first N connections that come (0: all)."};
}
FaultParameter Probability() {
  return {"probability",
          kNumber,
          "1",
          false,
          {},
          "Each connection is chosen with this probability, by the run's seed."};
}

std::vector<FaultInfo> MakeCatalogue() {
  constexpr auto kLink = FaultTarget::kLink;
  constexpr auto kWorker = FaultTarget::kWorker;
  constexpr auto kServer = FaultTarget::kServer;
  constexpr auto kHealed = Healing::kHealed;
  constexpr auto kRestart = Healing::kRestart;
  constexpr auto kOneShot = Healing::kOneShot;
  constexpr std::string_view kOurs = "a server that squall started";
  constexpr std::string_view kByHealing = "Healing: what was held flows on, in order.";
  return {
      {"bandwidth",
       kLink,
       kHealed,
       {{"rate", kRate, "", true, {}, "Bytes per second, for each connection and direction."},
        Direction(),
        FirstConnections(),
        Probability()},
       "",
       "Bytes pass no faster than `rate`.",
       kByHealing},
      {"black_hole",
       kLink,
       kHealed,
       {FirstConnections(), Probability()},
       "",
       "Accepts connections and never answers; connections that stand fall silent too.",
       "Healing: connections that were accepted meanwhile are connected to the upstream and go "
       "on."},
      {"cut",
       kLink,
       kHealed,
       {{"after", kSize, "", true, {}, "Bytes that still pass, exactly."},
        Direction(),
        {"with", kText, "reset", false, {"reset", "fin"}, "How it ends."},
        FirstConnections(),
        Probability()},
       "",
       "Ends each connection once `after` bytes have passed.",
       "Healing; connections that were cut are gone, clients open new ones."},
      {"drop_connections",
       kLink,
       kOneShot,
       {},
       "",
       "Resets every connection that stands; new ones pass at once.",
       "Clients connect again by themselves."},
      {"latency",
       kLink,
       kHealed,
       {{"delay", kDuration, "", true, {}, "Added to each piece of data."},
        {"jitter", kDuration, "0s", false, {}, "Uniform, plus or minus, by the run's seed."},
        Direction(),
        FirstConnections(),
        Probability()},
       "",
       "Delays every piece of data.",
       kByHealing},
      {"never_accept",
       kLink,
       kHealed,
       {{"backlog",
         kText,
         "open",
         false,
         {"open", "full"},
         "open: the kernel completes the handshake, silence follows; full: SYNs are dropped, "
         "connect hangs."}},
       "",
       "The listener stands but accepts nothing.",
       "Healing: connections in the backlog are accepted and go on."},
      {"refuse",
       kLink,
       kHealed,
       {{"keep_connections", kBool, "false", false, {}, "Leave the connections that stand alone."}},
       "",
       "Closes the listener and resets what stands: connection refused.",
       "Healing: the same port is listened on again."},
      {"reset",
       kLink,
       kHealed,
       {FirstConnections(), Probability()},
       "",
       "Accepts and resets at once (RST); resets what stands. Every attempt is seen and timed.",
       "Healing."},
      {"slow_close",
       kLink,
       kHealed,
       {{"delay", kDuration, "", true, {}, "From the end on one side to its being passed on."},
        Direction()},
       "",
       "Passes the end of a connection on late.",
       "Healing: ends that were held are passed on."},
      {"stall",
       kLink,
       kHealed,
       {Direction(), FirstConnections(), Probability()},
       "",
       "Connections stand and nothing passes any more, without a reset; new ones are accepted and "
       "stall alike.",
       kByHealing},
      {"data_lost",
       kServer,
       kOneShot,
       {},
       kOurs,
       "Kills the server and starts it again on the same port without its data: workflows are "
       "gone, namespaces new.",
       "The server is back when the injection is done; what it knew is lost for good."},
      {"kill",
       kServer,
       kRestart,
       {},
       kOurs,
       "SIGKILL; connections are reset.",
       "Healing starts it again on the same port, with its data where it keeps any."},
      {"namespace_delete",
       kServer,
       kHealed,
       {{"namespace", kText, "", true, {}, "Which."}},
       kOurs,
       "Deletes a namespace while it is in use.",
       "Healing registers the same name again; its workflows are lost for good."},
      {"pause",
       kServer,
       kHealed,
       {},
       kOurs,
       "SIGSTOP: connections stand, nothing is answered.",
       "Healing: SIGCONT."},
      {"restart",
       kServer,
       kOneShot,
       {{"keep_data", kBool, "true", false, {}, "Namespaces and workflows survive."},
        {"down_for", kDuration, "0s", false, {}, "Between its end and the new start."},
        {"kill", kBool, "false", false, {}, "SIGKILL instead of a graceful stop."}},
       kOurs,
       "Stops it and starts it again on the same port.",
       "It is back when the injection is done."},
      {"rpc_error",
       kServer,
       kHealed,
       {{"methods", kTextList, "", true, {}, "Method names; a trailing * matches any ending."},
        {"code", kText, "", true, {}, "The status: UNAVAILABLE, PERMISSION_DENIED, ..."},
        {"message", kText, "injected", false, {}, "Its message."}},
       "the fake server in process",
       "The server refuses calls of these methods with a gRPC status before it handles them.",
       "Healing."},
      {"server_down",
       kServer,
       kRestart,
       {{"keep_data",
         kBool,
         "",
         false,
         {},
         "Namespaces and workflows survive; unset: as the server's own setting says."}},
       kOurs,
       "Stops the server (SIGKILL of a process).",
       "Healing starts it again on the same port."},
      {"stop",
       kServer,
       kRestart,
       {},
       kOurs,
       "Asks it to stop (SIGTERM), and waits for its end.",
       "Healing starts it again on the same port, with its data where it keeps any."},
      {"interrupt",
       kWorker,
       kOneShot,
       {},
       "",
       "SIGINT, as Ctrl-C sends it.",
       "Nothing but a restart, once the worker has ended: by its restart policy or by a step."},
      {"kill",
       kWorker,
       kOneShot,
       {},
       "",
       "SIGKILL, to its whole process group.",
       "Nothing but a restart: by the worker's restart policy or by a step."},
      {"pause",
       kWorker,
       kHealed,
       {},
       "",
       "SIGSTOP: the process stands still, its connections stay.",
       "Healing: SIGCONT."},
      {"terminate",
       kWorker,
       kOneShot,
       {},
       "",
       "SIGTERM, as a platform sends it; its end is not waited for.",
       "Nothing but a restart, once the worker has ended: by its restart policy or by a step."},
  };
}

}  // namespace

std::span<const FaultInfo> FaultCatalogue() {
  static const std::vector<FaultInfo>& catalogue = *new std::vector<FaultInfo>(MakeCatalogue());
  return catalogue;
}

const FaultInfo* FindFault(FaultTarget target, std::string_view name) {
  for (const FaultInfo& info : FaultCatalogue()) {
    if (info.target == target && info.name == name) return &info;
  }
  return nullptr;
}

}  // namespace squall::harness
