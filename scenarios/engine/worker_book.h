#pragma once
// What a world keeps of its workers beside their processes: whether each is healthy and who waits
// for that, and its platform's restart policy.
//
// Every world has one; it tells of starts and ends, and passes on every event of the journal. Loop
// thread only. Nothing is called back after the destructor.

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/journal/event.h"
#include "base/util/executor.h"
#include "scenarios/engine/world.h"
#include "scenarios/format/scenario.h"

namespace squall::scenarios {

// What steps say of a worker that is to be there and is not: kFailedPrecondition.
Status WorkerIsNotRunning(std::string_view worker);

class WorkerBook {
 public:
  struct Hooks {
    // Its process runs now.
    std::function<bool(const std::string& worker)> alive;
    // The restart policy starts it again; the world calls Starting, not Wanted.
    std::function<void(const std::string& worker)> start_again;
  };

  // `topology` outlives the book.
  WorkerBook(Executor& executor, const Topology& topology, Hooks hooks);
  ~WorkerBook();
  WorkerBook(const WorkerBook&) = delete;
  WorkerBook& operator=(const WorkerBook&) = delete;

  // The scenario wants it up: its restart policy counts, from its first back-off.
  void Wanted(const std::string& worker);
  // The scenario wants it to end.
  void Unwanted(const std::string& worker);
  // A process of it is about to start: what earlier ones did proves nothing any more.
  void Starting(const std::string& worker);
  // It ended; `reason` is a word of journal::ProcessEvent.
  void Ended(const std::string& worker, std::string_view reason);

  // Done (posted) once the process is up, says that it polls, and a poll of its task queue was
  // seen. A command says nothing: its poll is enough.
  void WaitHealthy(const std::string& worker, Done done);
  void OnEvent(const journal::Event& event);
  // Drops those that wait.
  void CancelWaits();
  // The run is over: nobody waits, nothing is started again.
  void Close();

 private:
  struct Entry {
    const WorkerSpec* spec = nullptr;
    bool wanted = false;
    bool polling = false;  // since its last start: its own line, and a poll of its queue
    bool polled = false;
    std::size_t restarts = 0;
    TimerId restart_timer = 0;
    std::vector<Done> waiting;
  };
  Entry& Find(const std::string& worker);
  void Look(Entry& entry);

  Executor& executor_;
  const Hooks hooks_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  bool closed_ = false;
  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace squall::scenarios
