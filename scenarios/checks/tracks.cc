#include "scenarios/checks/tracks.h"

#include <fmt/format.h>

namespace squall::scenarios {

using journal::Event;
using journal::FaultEvent;
using journal::PollerEvent;
using journal::ProcessEvent;
using journal::RpcEvent;
using journal::WorkerEvent;

std::string At(SteadyTime time) { return FormatDuration(time.time_since_epoch()); }

std::string Listed(const std::vector<std::string>& names, std::size_t shown) {
  std::string text;
  const std::size_t named = names.size() <= shown ? names.size() : shown;
  for (std::size_t i = 0; i < named; ++i) {
    if (i > 0) text += i + 1 == names.size() ? " and " : ", ";
    text += names[i];
  }
  if (named < names.size()) text += fmt::format(" and {} more", names.size() - named);
  return text;
}

std::string Counted(std::size_t n, std::string_view noun) {
  return fmt::format("{} {}{}", n, noun, n == 1 ? "" : "s");
}

// ------------------------------------------------------------------------------------------------------------
// ProcessTrack

std::string ProcessTrack::Life::DescribeEnd() const {
  if (!ended) return start_failed ? "could not be started" : "still runs";
  std::string how = "ended";
  if (exit_code)
    how = fmt::format("exited with code {}", *exit_code);
  else if (signal)
    how = fmt::format("was killed by signal {}", *signal);
  else if (start_failed)
    how = "could not be started";
  std::string why;
  if (reason == "unexpected") why = ", which nobody had asked for";
  if (reason == "injected") why = ", by an injected fault";
  if (reason == "asked") why = ", as asked";
  return fmt::format("{} after {}{}", how, FormatDuration(*ended - started), why);
}

std::string ProcessTrack::Life::DescribeEndFully() const {
  std::string text = DescribeEnd();
  // The harness puts its own words on the end in front of the lines; ours stand there already.
  constexpr std::string_view kLines = "last output:";
  const std::size_t lines = detail.find(kLines);
  const bool in_first_line = lines != std::string::npos && lines < detail.find('\n');
  if (!detail.empty()) text += "\n" + (in_first_line ? detail.substr(lines) : detail);
  return text;
}

const ProcessTrack::Life* ProcessTrack::current() const {
  return lives_.empty() || lives_.back().ended ? nullptr : &lives_.back();
}

bool ProcessTrack::Observe(const Event& event) {
  const auto* p = event.As<ProcessEvent>();
  if (p == nullptr || p->process != process_) return false;
  if (p->what == "starting" || lives_.empty()) {
    if (p->what != "starting" || current() == nullptr) {
      lives_.push_back({.started = event.time});
      paused_ = false;
    }
  }
  Life& life = lives_.back();
  if (p->pid != 0) life.pid = p->pid;
  if (p->what == "ready" && !life.ready) life.ready = event.time;
  if (p->what == "paused") paused_ = true;
  if (p->what == "resumed") paused_ = false;
  if (p->what == "start_failed") {
    life.start_failed = true;
    if (life.detail.empty()) life.detail = p->detail;
    // Without a process id there never was a process that could still end.
    if (life.pid == 0 && !life.ended) life.ended = event.time;
  }
  if (p->what == "exited") {
    life.ended = event.time;
    life.exit_code = p->exit_code;
    life.signal = p->signal;
    life.reason = p->reason;
    if (!p->detail.empty()) life.detail = p->detail;
    paused_ = false;
  }
  return true;
}

// ------------------------------------------------------------------------------------------------------------
// Disturbances

void Disturbances::Restored(SteadyTime began, SteadyTime ended, std::string by) {
  restoring_since_ = began;
  restored_ = ended;
  restored_by_ = std::move(by);
}

// A name may stand for several faults; which one it is, the target says.
const FaultDefinition* Disturbances::Definition(const FaultEvent& fault) const {
  const std::vector<const FaultDefinition*> rows = FaultsNamed(fault.fault);
  const FaultTarget target = servers_.contains(fault.target)   ? FaultTarget::kServer
                             : workers_.contains(fault.target) ? FaultTarget::kWorker
                                                               : FaultTarget::kLink;
  for (const FaultDefinition* row : rows) {
    if (rows.size() == 1 || row->target == target) return row;
  }
  return nullptr;
}

void Disturbances::Observe(const Event& event) {
  if (const auto* f = event.As<FaultEvent>()) {
    const FaultDefinition* definition = Definition(*f);
    const bool one_shot = definition != nullptr && definition->one_shot();
    if (f->what == "injecting" && !one_shot)
      in_force_[f->fault_id] = {f->fault, f->target, event.time};
    if (f->what == "injected") {
      // A fault that is over at once restores itself, except in a worker: what was killed is
      // restored by its next start.
      if (!one_shot)
        in_force_.try_emplace(f->fault_id, Fault{f->fault, f->target, event.time});
      else if (definition->target != FaultTarget::kWorker)
        Restored(event.time, event.time, fmt::format("{} on {} was over", f->fault, f->target));
    }
    const auto it = in_force_.find(f->fault_id);
    if (it == in_force_.end()) return;
    if (f->what == "healing") it->second.healing = event.time;
    if (f->what == "healed") {
      const Fault fault = it->second;
      in_force_.erase(it);
      Restored(fault.healing, event.time,
               fmt::format("{} on {} was healed", fault.fault, fault.target));
    }
    return;
  }
  const auto* p = event.As<ProcessEvent>();
  if (p == nullptr) return;
  if (p->role == "worker") workers_.insert(p->process);
  if (p->role != "server" && p->role != "ingress") return;
  Server& server = servers_[p->process];
  if (p->what == "starting") {
    server.starting = event.time;
    server.late = !workers_.empty();
  }
  if (p->what == "ready") {
    const bool again = servers_down_.erase(p->process) > 0 && server.was_up;
    if (again) Restored(server.starting, event.time, p->process + " was ready again");
    if (!server.was_up && server.late)
      Restored(server.starting, event.time, p->process + " was ready at last");
    server.was_up = true;
    server_seen_ = server_seen_ || p->role == "server";
  }
  if (p->what == "exited" || p->what == "paused" || p->what == "start_failed")
    servers_down_.insert(p->process);
  if (p->what == "resumed" && servers_down_.erase(p->process) > 0) {
    Restored(event.time, event.time, p->process + " was resumed");
  }
}

// ---------------------------------------------------------------------------------------------------------------
// PollWatch

bool PollWatch::Ours(std::string_view queue, std::string_view identity) const {
  if (!queue_.empty() && queue != queue_) return false;
  if (worker_.empty()) return true;
  bool shared = false;
  for (const auto& [worker, other_queue] : others_) shared = shared || other_queue == queue;
  if (!shared) return true;
  if (identity.find(worker_) != std::string_view::npos) return true;
  for (const std::int64_t pid : pids_) {
    const std::string prefix = fmt::format("{}@", pid);
    if (identity.starts_with(prefix) || identity == std::to_string(pid)) return true;
  }
  return false;
}

std::optional<PollWatch::Evidence> PollWatch::Observe(const Event& event) {
  if (const auto* w = event.As<WorkerEvent>()) {
    if (worker_.empty()) return std::nullopt;
    if (w->worker != worker_) {
      if (!w->task_queue.empty()) others_[w->worker] = w->task_queue;
      return std::nullopt;
    }
    if (queue_.empty()) queue_ = w->task_queue;
    if (w->pid != 0) pids_.insert(w->pid);
    if (w->what == "task") return Evidence{event.time, fmt::format("task {} reached it", w->task)};
    return std::nullopt;
  }
  if (const auto* p = event.As<ProcessEvent>()) {
    if (p->process == worker_ && p->pid != 0) pids_.insert(p->pid);
    if (p->role == "server" && (p->what == "exited" || p->what == "starting"))
      std::erase_if(held_, [mine = p->process + "\n"](const std::string& key) {
        return key.starts_with(mine);
      });
    return std::nullopt;
  }
  if (const auto* r = event.As<RpcEvent>()) {
    const bool poll = r->method.starts_with("Poll") && r->method.ends_with("TaskQueue");
    if (!poll || r->side != "server" || r->what != "received" || !r->fault_id.empty())
      return std::nullopt;
    if (!Ours(r->task_queue, r->identity)) return std::nullopt;
    return Evidence{event.time, fmt::format("{} of queue {}", r->method, r->task_queue)};
  }
  const auto* p = event.As<PollerEvent>();
  if (p == nullptr || p->what == "none" || !Ours(p->task_queue, p->identity)) return std::nullopt;
  const std::string key =
      fmt::format("{}\n{}\n{}\n{}\n{}", p->server, p->ns, p->task_queue, p->task_type, p->identity);
  if (p->what == "left") {
    if (p->count == 0) held_.erase(key);
    return std::nullopt;
  }
  if (p->what == "arrived") {
    held_.insert(key);
    return Evidence{event.time, fmt::format("poll of queue {} arrived", p->task_queue)};
  }
  if (p->age > fresh_) return std::nullopt;
  return Evidence{event.time - p->age, fmt::format("poller of queue {} seen, {} old", p->task_queue,
                                                   FormatDuration(p->age))};
}

}  // namespace squall::scenarios
