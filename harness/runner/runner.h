#pragma once
// Runs the jobs of a plan, each in a child process of squall, some at a time, and collects their
// results.

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/journal/journal.h"
#include "harness/net/asio_executor.h"
#include "harness/process/process.h"
#include "harness/runner/environment.h"
#include "harness/runner/plan.h"
#include "reports/result.h"

namespace squall::harness {

struct RunOptions {
  std::vector<Job> plan;
  std::uint64_t seed = 0;
  int jobs = 1;                  // child processes at a time
  int repeat = 1;                // rounds; with until_fail 0 means for ever
  bool until_fail = false;       // stop after the first subject that is not as it should be
  bool keep = false;             // keep the work folders of what passed, too
  std::string run_directory;     // exists; each subject gets a folder in it
  std::string program;           // this program
  std::string sim_program;       // squall-sim, for subjects of the sim world
  std::string library;           // folder whose scenarios are found by id, for repeat commands
  std::string repeat_arguments;  // what else repeating takes: " --library X"
  std::optional<ExternalServer> external;
};

class Runner {
 public:
  struct Listener {
    std::function<void(const Job&)> on_started;
    // It ran, and its work folder (result.work_directory) is still there: that of a subject which
    // is as it should be goes away after this, unless all are kept.
    std::function<void(const Job&, const reports::SubjectReport&)> on_ended;
    std::function<void(const Job&, const reports::SubjectReport&)> on_result;
  };

  Runner(AsioExecutor& executor, RunOptions options, Listener listener);
  // Kills what still runs.
  ~Runner();
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  // Once. `done` gets all results in the order of the plan, round by round; those of an aborted run
  // are what there is.
  void Start(std::function<void(std::vector<reports::SubjectReport>)> done);
  // Starts nothing more, asks the running ones to stop and takes what they have. A second call
  // kills them.
  void Abort();
  bool aborted() const { return aborted_; }
  std::size_t running() const { return active_.size(); }

 private:
  struct Active;
  void Fill();
  void BeginRound();
  void Begin(Job job, std::size_t index);
  void Ended(Active* active, const ProcessExit& exit);
  void Report(std::size_t index, const Job& job, reports::SubjectReport result);
  reports::SubjectReport Base(const Job& job) const;

  AsioExecutor& executor_;
  const RunOptions options_;
  const Listener listener_;
  std::function<void(std::vector<reports::SubjectReport>)> done_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  journal::NullSink no_journal_;
  int round_ = 0;
  std::deque<std::pair<std::size_t, Job>> waiting_;
  std::vector<std::unique_ptr<Active>> active_;
  std::vector<std::optional<reports::SubjectReport>> results_;
  bool aborted_ = false, failed_ = false, finished_ = false;
};

// Marks the results of subjects whose repetitions differ in their verdict.
void MarkFlaky(std::vector<reports::SubjectReport>* results);

}  // namespace squall::harness
