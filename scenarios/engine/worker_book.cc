#include "scenarios/engine/worker_book.h"

#include <algorithm>
#include <utility>

namespace squall::scenarios {

Status WorkerIsNotRunning(std::string_view worker) {
  return MakeStatus(StatusCode::kFailedPrecondition, "worker {} is not running", worker);
}

WorkerBook::WorkerBook(Executor& executor, const Topology& topology, Hooks hooks)
    : executor_(executor), hooks_(std::move(hooks)) {
  for (const WorkerSpec& spec : topology.workers) entries_[spec.name].spec = &spec;
}

WorkerBook::~WorkerBook() {
  *alive_ = false;
  for (const auto& [name, entry] : entries_) executor_.Cancel(entry.restart_timer);
}

WorkerBook::Entry& WorkerBook::Find(const std::string& worker) {
  const auto it = entries_.find(worker);
  SQUALL_CHECK(it != entries_.end(), "the loader checked the names");
  return it->second;
}

void WorkerBook::Wanted(const std::string& worker) {
  Entry& entry = Find(worker);
  entry.wanted = true;
  entry.restarts = 0;
}

void WorkerBook::Unwanted(const std::string& worker) {
  Entry& entry = Find(worker);
  entry.wanted = false;
  executor_.Cancel(std::exchange(entry.restart_timer, 0));
}

void WorkerBook::Starting(const std::string& worker) {
  Entry& entry = Find(worker);
  entry.polling = entry.polled = false;
}

void WorkerBook::Ended(const std::string& worker, std::string_view reason) {
  Entry& entry = Find(worker);
  entry.polling = entry.polled = false;
  if (closed_ || !entry.wanted || !entry.spec->restart.on_exit || reason == "asked") return;
  const auto& back_off = entry.spec->restart.back_off;
  const Duration pause = back_off[std::min(entry.restarts, back_off.size() - 1)];
  ++entry.restarts;
  executor_.Cancel(entry.restart_timer);
  entry.restart_timer = executor_.After(pause, [this, &entry] {
    entry.restart_timer = 0;
    if (entry.wanted && !closed_) hooks_.start_again(entry.spec->name);
  });
}

void WorkerBook::WaitHealthy(const std::string& worker, Done done) {
  Entry& entry = Find(worker);
  entry.waiting.push_back(std::move(done));
  Look(entry);
}

void WorkerBook::Look(Entry& entry) {
  if (entry.waiting.empty() || !hooks_.alive(entry.spec->name)) return;
  const bool says_so = entry.polling || entry.spec->kind == WorkerSpec::Kind::kCommand;
  if (!entry.polled || !says_so) return;
  for (Done& done : std::exchange(entry.waiting, {})) {
    executor_.Post([alive = alive_, done = std::move(done)] {
      if (*alive) done(absl::OkStatus());
    });
  }
}

void WorkerBook::OnEvent(const journal::Event& event) {
  if (const auto* line = event.As<journal::WorkerEvent>();
      line != nullptr && line->what == "polling") {
    const auto it = entries_.find(line->worker);
    if (it == entries_.end()) return;
    it->second.polling = true;
    Look(it->second);
  } else if (const auto* poller = event.As<journal::PollerEvent>()) {
    // Our servers tell that a poll arrived; of others it is seen when they are asked.
    if (poller->what != "arrived" && poller->what != "seen") return;
    for (auto& [name, entry] : entries_) {
      if (entry.spec->task_queue != poller->task_queue || entry.spec->ns != poller->ns) continue;
      entry.polled = true;
      Look(entry);
    }
  }
}

void WorkerBook::CancelWaits() {
  for (auto& [name, entry] : entries_) entry.waiting.clear();
}

void WorkerBook::Close() {
  closed_ = true;
  CancelWaits();
  for (auto& [name, entry] : entries_) executor_.Cancel(std::exchange(entry.restart_timer, 0));
}

}  // namespace squall::scenarios
