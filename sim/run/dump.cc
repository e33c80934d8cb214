#include "sim/run/dump.h"

#include <fmt/format.h>

#include <map>
#include <tuple>

#include "sim/kernel/scheduler.h"

namespace squall::sim {
namespace {

// What the journal says is still going on.
struct Open {
  std::map<std::string, std::string> processes;  // and their last word
  std::map<std::tuple<std::string, std::string, std::string>, std::uint64_t>
      pollers;  // queue, type, identity
  std::map<std::string, std::string> workflows, activities, faults;

  void Observe(const journal::Event& event) {
    const std::string at =
        fmt::format("{:.3f} s", static_cast<double>(event.time.time_since_epoch().count()) / 1e9);
    if (const auto* process = event.As<journal::ProcessEvent>()) {
      processes[process->process] = fmt::format("{} since {}", process->what, at);
    } else if (const auto* worker = event.As<journal::WorkerEvent>()) {
      if (worker->what == "task" || worker->what == "effect") return;
      processes[worker->worker] = fmt::format("{} since {}{}{}", worker->what, at,
                                              worker->detail.empty() ? "" : ": ", worker->detail);
    } else if (const auto* poller = event.As<journal::PollerEvent>()) {
      const std::tuple key(poller->task_queue, poller->task_type, poller->identity);
      if (poller->count > 0) {
        pollers[key] = poller->count;
      } else {
        pollers.erase(key);
      }
    } else if (const auto* workflow = event.As<journal::WorkflowEvent>()) {
      if (workflow->what == "requested" || workflow->what == "accepted" ||
          workflow->what == "continued") {
        workflows[workflow->workflow_id] = fmt::format("{} at {}", workflow->what, at);
      } else if (workflow->what != "running") {
        workflows.erase(workflow->workflow_id);
      }
    } else if (const auto* activity = event.As<journal::ActivityEvent>()) {
      const std::string key =
          fmt::format("{} {} {}", activity->workflow_id, activity->activity_id, activity->type);
      if (activity->what == "completed" || activity->what == "cancelled") {
        activities.erase(key);
      } else {
        activities[key] = fmt::format("attempt {} {} at {}", activity->attempt, activity->what, at);
      }
    } else if (const auto* fault = event.As<journal::FaultEvent>()) {
      if (fault->what == "healed") {
        faults.erase(fault->fault_id);
      } else {
        faults[fault->fault_id] =
            fmt::format("{} on {}, {} at {}", fault->fault, fault->target, fault->what, at);
      }
    }
  }
};

void Tell(std::string& text, const char* title, const std::map<std::string, std::string>& what) {
  text += fmt::format("{}:{}\n", title, what.empty() ? " none" : "");
  for (const auto& [name, state] : what) text += fmt::format("  {}: {}\n", name, state);
}

}  // namespace

std::string DumpOf(SimWorld& world, std::span<const journal::Event> events) {
  Open open;
  for (const journal::Event& event : events) open.Observe(event);
  std::string text = fmt::format("at {:.9f} s of virtual time, after {} events\n",
                                 static_cast<double>(TheScheduler().now()) / 1e9, events.size());
  Tell(text, "processes", open.processes);
  Tell(text, "faults", open.faults);
  for (const auto& spec : world.topology().servers) {
    Server* server = world.FindServer(spec.name);
    if (server == nullptr) continue;
    text += fmt::format("server {}: {}\n", spec.name,
                        !server->running() ? "down"
                        : server->paused() ? "stopped"
                                           : "up");
    if (!server->running()) continue;
    text += fmt::format("  {} open workflows, {} calls held\n", server->engine().open_workflows(),
                        server->engine().held_calls());
    if (server->frontend() == nullptr) continue;
    for (const fakes::ConnectionInfo& connection : server->frontend()->Snapshot()) {
      text += fmt::format(
          "  connection {} from {}{}: {} calls open, {} bytes up, {} down, {:.1f} s old\n",
          connection.connection, connection.peer,
          connection.tls.empty() ? "" : ", " + connection.tls, connection.open_calls,
          connection.bytes_up, connection.bytes_down,
          std::chrono::duration<double>(connection.age).count());
    }
  }
  text += fmt::format("pollers:{}\n", open.pollers.empty() ? " none" : "");
  for (const auto& [key, count] : open.pollers) {
    const auto& [queue, type, identity] = key;
    text += fmt::format("  {} of {} by {}: {} polls\n", type, queue, identity, count);
  }
  Tell(text, "open workflows", open.workflows);
  Tell(text, "open activities", open.activities);
  return text + "threads:\n" + TheScheduler().Describe();
}

}  // namespace squall::sim
