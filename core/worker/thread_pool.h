#pragma once
// A bounded number of threads for activities that block. Threads are made when first needed.

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace squall::core {

class ThreadPool {
 public:
  // At most `threads` (>= 1) at once; further work waits in order.
  explicit ThreadPool(int threads);
  // Drops what has not begun and waits for what has.
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // Safe from any thread.
  void Run(std::function<void()> work);

 private:
  void Serve();

  const std::size_t limit_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> waiting_;
  std::vector<std::thread> threads_;
  std::size_t idle_ = 0;
  bool stopping_ = false;
};

}  // namespace squall::core
