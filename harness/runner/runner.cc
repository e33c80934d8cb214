#include "harness/runner/runner.h"

#include <algorithm>
#include <cctype>
#include <csignal>
#include <filesystem>
#include <map>
#include <set>

#include "reports/work_folder.h"

namespace squall::harness {
namespace {

namespace fs = std::filesystem;
using journal::Outcome;

// On top of the scenario's own time-out before its process counts as hung: preparing, healing,
// judging and cleaning up all have limits of their own inside (scenarios/engine).
constexpr Duration kWatchdogSlack = std::chrono::seconds(90);
// For a clean-up after SIGTERM.
constexpr Duration kAbortGrace = std::chrono::seconds(10);

std::string FolderName(const Job& job) {
  std::string name = job.Label();
  std::replace(name.begin(), name.end(), '/', '.');
  std::replace(name.begin(), name.end(), '@', '.');
  std::replace(name.begin(), name.end(), '#', '.');
  return name;
}

// For a shell.
std::string Quoted(const std::string& word) {
  const bool plain = std::all_of(word.begin(), word.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 ||
           std::string_view("_-./+=:,@").find(static_cast<char>(c)) != std::string_view::npos;
  });
  if (plain) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? "'\\''" : std::string(1, c);
  return quoted + "'";
}

bool AsItShouldBe(const reports::SubjectReport& result) { return !result.ran() || result.good(); }

}  // namespace

struct Runner::Active {
  std::size_t index = 0;
  Job job;
  std::string folder;
  SteadyTime began;
  WallTime began_wall;
  std::unique_ptr<ChildProcess> process;
  TimerId watchdog = 0;
  bool hung = false;
};

Runner::Runner(AsioExecutor& executor, RunOptions options, Listener listener)
    : executor_(executor), options_(std::move(options)), listener_(std::move(listener)) {}

Runner::~Runner() {
  *alive_ = false;
  for (const auto& active : active_) executor_.Cancel(active->watchdog);
}

void Runner::Start(std::function<void(std::vector<reports::SubjectReport>)> done) {
  done_ = std::move(done);
  BeginRound();
  Fill();
}

void Runner::BeginRound() {
  ++round_;
  for (const Job& job : Repetition(options_.plan, round_, options_.seed)) {
    waiting_.emplace_back(results_.size(), job);
    results_.emplace_back();
  }
}

void Runner::Fill() {
  if (finished_) return;
  while (!aborted_ && !(options_.until_fail && failed_)) {
    if (waiting_.empty()) {
      const bool more = options_.repeat == 0 || round_ < options_.repeat;
      // The next round begins when this one is over: rounds are compared with each other.
      if (!more || !active_.empty() || options_.plan.empty()) break;
      BeginRound();
    }
    if (static_cast<int>(active_.size()) >= options_.jobs) return;
    auto [index, job] = std::move(waiting_.front());
    waiting_.pop_front();
    auto missing = MissingRequirement(*job.subject, job.world, options_.external);
    if (!missing && job.world == scenarios::WorldKind::kSim && !fs::exists(options_.sim_program))
      missing = fmt::format("the simulator is not built: there is no {}", options_.sim_program);
    if (missing) {
      reports::SubjectReport result = Base(job);
      result.skipped = *missing;
      result.verdict = Outcome::kPass;
      Report(index, job, std::move(result));
      continue;
    }
    Begin(job, index);
  }
  if (!active_.empty()) return;
  finished_ = true;
  std::vector<reports::SubjectReport> results;
  for (auto& result : results_) {
    if (result) results.push_back(std::move(*result));
  }
  executor_.Post([alive = alive_, done = std::move(done_), results = std::move(results)]() mutable {
    if (*alive) done(std::move(results));
  });
}

reports::SubjectReport Runner::Base(const Job& job) const {
  reports::SubjectReport result;
  result.scenario = job.scenario->id;
  result.title = job.scenario->title;
  result.file = job.scenario->file;
  result.subject = job.subject->name;
  result.world = WorldName(job.world);
  result.repetition = job.repetition;
  result.seed = job.run_seed;
  result.expected_failures = job.subject->expect.fail;
  // A file of the user's own is named besides: its id alone is not found.
  const std::string& file = job.scenario->file;
  const bool in_library = !options_.library.empty() && file.starts_with(options_.library + "/");
  result.repeat_command =
      fmt::format("squall run {}{}/{} --world {} --seed {}{}{}",
                  in_library ? "" : Quoted(file) + " ", job.scenario->id, job.subject->name,
                  WorldName(job.world), job.run_seed, options_.repeat_arguments,
                  options_.external ? " --address " + options_.external->address : "");
  return result;
}

void Runner::Begin(Job job, std::size_t index) {
  auto active = std::make_unique<Active>();
  active->index = index;
  active->folder = options_.run_directory + "/" + FolderName(job);
  active->began = executor_.clock().Now();
  active->began_wall = executor_.clock().WallNow();
  active->job = job;
  std::error_code error;
  fs::create_directories(active->folder, error);
  if (error) {
    reports::SubjectReport result = Base(job);
    result.explanation = fmt::format("{}: {}", active->folder, error.message());
    return Report(index, job, std::move(result));
  }
  // In virtual time it is a program of its own, which takes and leaves the same.
  const bool simulated = job.world == scenarios::WorldKind::kSim;
  ChildOptions child;
  child.name = "run-one";
  child.argv = {simulated ? options_.sim_program : options_.program,
                "run-one",
                "--file",
                fs::absolute(job.scenario->file).string(),
                "--subject",
                job.subject->name,
                "--world",
                std::string(WorldName(job.world)),
                "--seed",
                std::to_string(job.seed),
                "--work",
                active->folder};
  if (options_.external && !simulated) {
    const ExternalServer& external = *options_.external;
    const auto add = [&child](const char* flag, const std::string& value) {
      if (value.empty()) return;
      child.argv.emplace_back(flag);
      child.argv.push_back(value);
    };
    add("--address", external.address);
    if (external.tls) child.argv.emplace_back("--tls");
    add("--tls-ca", external.ca_file);
    add("--tls-cert", external.certificate_file);
    add("--tls-key", external.key_file);
    add("--tls-server-name", external.server_name);
    add("--api-key-variable", external.api_key_variable);
  }
  child.log_directory = active->folder;
  child.stop_grace = kAbortGrace;
  child.journal_lines = false;
  Active* raw = active.get();
  child.on_exit = [this, alive = alive_, raw](const ProcessExit& exit) {
    // Posted: the process object is not destroyed inside its own callback.
    executor_.Post([this, alive, raw, exit] {
      if (*alive) Ended(raw, exit);
    });
  };
  active->process = std::make_unique<ChildProcess>(executor_, no_journal_, std::move(child));
  active->watchdog = executor_.After(Scaled(job.scenario->timeout + kWatchdogSlack), [raw] {
    raw->watchdog = 0;
    raw->hung = true;
    raw->process->Kill(Intent::kAsked, [](const ProcessExit&) {});
  });
  active_.push_back(std::move(active));
  if (listener_.on_started) listener_.on_started(job);
  raw->process->Start([this, alive = alive_, raw](const Status& status) {
    // One that started and ended at once has its on_exit.
    if (!*alive || status.ok() || raw->process->last_exit()) return;
    ProcessExit none;
    none.reason = "could not be started: " + std::string(Message(status));
    executor_.Post([this, alive, raw, none] {
      if (*alive) Ended(raw, none);
    });
  });
}

void Runner::Ended(Active* raw, const ProcessExit& exit) {
  const auto it =
      std::find_if(active_.begin(), active_.end(), [raw](const auto& a) { return a.get() == raw; });
  if (it == active_.end()) return;
  const std::unique_ptr<Active> active = std::move(*it);
  active_.erase(it);
  executor_.Cancel(active->watchdog);

  const reports::SubjectReport base = Base(active->job);
  reports::SubjectReport result;
  auto written = reports::ReadResult(active->folder);
  if (written.ok()) {
    result = *std::move(written);
  } else {
    result = base;
    result.began = active->began_wall;
    result.took = executor_.clock().Now() - active->began;
    result.work_directory = active->folder;
    result.timed_out = active->hung;
    result.aborted = aborted_;
    if (active->hung) {
      result.explanation =
          fmt::format("its process hung and was killed after {}", FormatDuration(result.took));
    } else if (!exit.code && !exit.signal) {
      result.explanation = "its process " + exit.reason;
    } else {
      result.explanation = "its process " + exit.Describe();
      if (!exit.last_lines.empty()) result.explanation += ": " + exit.last_lines.back();
    }
  }
  result.repetition = base.repetition;
  result.seed = base.seed;
  result.repeat_command = base.repeat_command;
  if (listener_.on_ended && result.ran()) listener_.on_ended(active->job, result);
  // What was not run has left nothing worth keeping.
  if (AsItShouldBe(result) && (!options_.keep || !result.ran())) {
    std::error_code ignored;
    fs::remove_all(active->folder, ignored);
    result.work_directory.clear();
  }
  Report(active->index, active->job, std::move(result));
  Fill();
}

void Runner::Report(std::size_t index, const Job& job, reports::SubjectReport result) {
  failed_ = failed_ || !AsItShouldBe(result);
  if (listener_.on_result) listener_.on_result(job, result);
  results_[index] = std::move(result);
}

void Runner::Abort() {
  const bool again = aborted_;
  aborted_ = true;
  waiting_.clear();
  for (const auto& active : active_) {
    if (again) {
      active->process->Kill(Intent::kAsked, [](const ProcessExit&) {});
    } else {
      active->process->Stop(Intent::kAsked, [](const ProcessExit&) {});
    }
  }
  Fill();
}

void MarkFlaky(std::vector<reports::SubjectReport>* results) {
  std::map<std::string, std::set<Outcome>> verdicts;
  const auto key = [](const reports::SubjectReport& result) {
    return result.scenario + "/" + result.subject + "@" + result.world;
  };
  for (const reports::SubjectReport& result : *results) {
    if (result.ran() && !result.aborted) verdicts[key(result)].insert(result.verdict);
  }
  for (reports::SubjectReport& result : *results) result.flaky = verdicts[key(result)].size() > 1;
}

}  // namespace squall::harness
