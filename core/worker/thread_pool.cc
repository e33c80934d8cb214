#include "core/worker/thread_pool.h"

#include <algorithm>
#include <utility>

namespace squall::core {

ThreadPool::ThreadPool(int threads) : limit_(static_cast<std::size_t>(std::max(threads, 1))) {}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    waiting_.clear();
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadPool::Run(std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    waiting_.push_back(std::move(work));
    if (idle_ < waiting_.size() && threads_.size() < limit_)
      threads_.emplace_back([this] { Serve(); });
  }
  wake_.notify_one();
}

void ThreadPool::Serve() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    --idle_;
    if (stopping_) return;
    const std::function<void()> work = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    work();
    lock.lock();
  }
}

}  // namespace squall::core
