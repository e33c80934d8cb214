#include "base/util/executor.h"

#include <utility>

namespace squall {

TimerId TimerQueue::Add(SteadyTime when, Executor::Callback callback) {
  const TimerId id = next_++;
  timers_.emplace(std::pair(when, id), std::move(callback));
  deadlines_.emplace(id, when);
  return id;
}

void TimerQueue::Cancel(TimerId id) {
  const auto it = deadlines_.find(id);
  if (it == deadlines_.end()) return;
  timers_.erase(std::pair(it->second, id));
  deadlines_.erase(it);
}

std::optional<SteadyTime> TimerQueue::NextDeadline() const {
  if (timers_.empty()) return std::nullopt;
  return timers_.begin()->first.first;
}

Executor::Callback TimerQueue::TakeDue(SteadyTime now) {
  const auto first = timers_.begin();
  if (first == timers_.end() || first->first.first > now) return nullptr;
  Executor::Callback callback = std::move(first->second);
  deadlines_.erase(first->first.second);
  timers_.erase(first);
  return callback;
}

void LoopExecutor::Post(Callback callback) {
  {
    const std::lock_guard lock(mutex_);
    posted_.push_back(std::move(callback));
  }
  wake_.notify_one();
}

TimerId LoopExecutor::At(SteadyTime when, Callback callback) {
  return timers_.Add(when, std::move(callback));
}

void LoopExecutor::Cancel(TimerId id) { timers_.Cancel(id); }

void LoopExecutor::Run() {
  for (;;) {
    std::deque<Callback> batch;
    {
      std::unique_lock lock(mutex_);
      const auto ready = [this] { return stopped_ || !posted_.empty(); };
      if (const auto deadline = timers_.NextDeadline()) {
        const Duration left = *deadline - clock_.Now();
        if (left > Duration::zero()) wake_.wait_for(lock, left, ready);
      } else {
        wake_.wait(lock, ready);
      }
      if (stopped_) return;
      batch.swap(posted_);
    }
    for (Callback& callback : batch) callback();
    while (Callback callback = timers_.TakeDue(clock_.Now())) callback();
  }
}

void LoopExecutor::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  wake_.notify_one();
}

void ManualExecutor::Post(Callback callback) {
  {
    const std::lock_guard lock(mutex_);
    posted_.push_back(std::move(callback));
  }
  wake_.notify_one();
}

bool ManualExecutor::RunOnePosted() {
  Callback callback;
  {
    const std::lock_guard lock(mutex_);
    if (posted_.empty()) return false;
    callback = std::move(posted_.front());
    posted_.pop_front();
  }
  callback();
  return true;
}

void ManualExecutor::RunReady() {
  for (;;) {
    if (RunOnePosted()) continue;
    if (Callback callback = timers_.TakeDue(clock_.Now())) {
      callback();
      continue;
    }
    return;
  }
}

void ManualExecutor::AdvanceTo(SteadyTime to) {
  RunReady();
  for (auto next = timers_.NextDeadline(); next && *next <= to; next = timers_.NextDeadline()) {
    clock_.AdvanceTo(*next);
    RunReady();
  }
  clock_.AdvanceTo(to);
}

bool ManualExecutor::WaitForPost(Duration limit) {
  std::unique_lock lock(mutex_);
  return wake_.wait_for(lock, limit, [this] { return !posted_.empty(); });
}

}  // namespace squall
