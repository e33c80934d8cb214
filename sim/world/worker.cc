#include "sim/world/worker.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <type_traits>
#include <utility>

#include "sim/kernel/descriptors.h"
#include "sim/kernel/escape.h"
#include "sim/kernel/scheduler.h"
#include "sim/world/core_assertions.h"

namespace squall::sim {
namespace {

int last_pid = 100;

// Takes a field as the journal would read it; false when it is of another type.
template <typename T>
bool Take(const nlohmann::json& from, T& to) {
  if constexpr (std::is_same_v<T, std::string>) {
    if (!from.is_string()) return false;
    to = from.get_ref<const std::string&>();
  } else {
    if (!from.is_number()) return false;
    if constexpr (std::is_same_v<T, Duration>) {
      to = Duration(from.get<std::int64_t>());
    } else if constexpr (std::is_same_v<T, std::optional<int>>) {
      to = from.get<int>();
    } else {
      to = from.get<T>();
    }
  }
  return true;
}

// A lifecycle line of a worker as the event it stands for. Nothing when the line is none.
std::optional<journal::WorkerEvent> ReadLine(const std::string& line) {
  const auto fields = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!fields.is_object()) return std::nullopt;
  const auto word = fields.find("squall_event");
  if (word == fields.end() || !word->is_string()) return std::nullopt;
  journal::WorkerEvent event;
  event.what = word->get_ref<const std::string&>();
  const auto& words = journal::WorkerEvent::kWords;
  bool good = std::find(words.begin(), words.end(), event.what) != words.end();
  event.Visit([&](const char* name, auto& value) {
    if (const auto it = fields.find(name); it != fields.end()) good = Take(*it, value) && good;
  });
  return good ? std::optional(std::move(event)) : std::nullopt;
}

struct Main {
  Process& process;
  std::function<int()> body;
};

void* RunMain(void* argument) {
  const std::unique_ptr<Main> main(static_cast<Main*>(argument));
  const int code = main->body();
  TheScheduler().EndProcess(main->process, code, 0);
  TheScheduler().Halt();
}

}  // namespace

void StartProcess(Process& process, std::function<int()> body) {
  auto* main = new Main{process, std::move(body)};
  TheScheduler().SetNextProcess(&process);
  pthread_t thread{};
  if (::pthread_create(&thread, nullptr, &RunMain, main) != 0)
    Escaped("a process without a thread");
  ::pthread_detach(thread);
}

Worker::Worker(Executor& loop, journal::Sink& journal, WorkerOptions options)
    : loop_(loop),
      journal_(journal),
      options_(std::move(options)),
      source_("worker:" + options_.name) {}

void Worker::Tell(std::string_view what, const std::function<void(journal::ProcessEvent&)>& fill) {
  journal::ProcessEvent event;
  event.what = what;
  event.process = options_.name;
  event.role = "worker";
  event.pid = process_->id;
  if (fill) fill(event);
  journal_.Append("process:" + options_.name, std::move(event));
}

void Worker::Start() {
  if (alive()) return;
  process_ = new Process();
  Process& process = *process_;
  process.id = ++last_pid;
  process.name = options_.name;
  process.host = options_.name;
  process.environment = options_.environment;
  process.environment[kCoreAssertionsVariable] = kCoreAssertionsFile;
  intent_.clear();
  deaf_ = changed_ = false;
  Duration delay{};
  std::optional<int> exits;
  std::string says;
  for (const auto& [id, change] : changes_) {
    for (const auto& [name, value] : change.environment) {
      process.environment.erase(name);
      if (value) process.environment[name] = *value;
    }
    process.wall_offset += change.wall_offset;
    process.wall_rate *= change.wall_rate;
    delay += change.delay;
    deaf_ = deaf_ || change.deaf;
    changed_ = changed_ || change.ends_it;
    if (change.exits) exits = change.exits;
    says += change.says;
  }
  process.wall_since = TheScheduler().now();
  process.on_line = [this, &process](bool is_error, std::string_view line) {
    loop_.Post(
        [this, &process, is_error, text = std::string(line)] { OnLine(process, is_error, text); });
  };
  process.on_end = [this](Process& ended) {
    DropDescriptorsOf(ended);
    loop_.Post([this, &ended] { OnEnd(ended); });
  };
  Tell("starting");
  const fakes::HostProgramHooks hooks =
      options_.on_start ? options_.on_start(process) : fakes::HostProgramHooks{};
  StartProcess(process, [this, hooks, delay, exits, says] {
    if (delay > Duration::zero()) {
      Scheduler& scheduler = TheScheduler();
      scheduler.Wait(WaitOn::kSleep, scheduler.current(), scheduler.now() + delay.count());
    }
    if (exits) {
      WriteOutput(*TheScheduler().process(), 2, says + "\n");
      return *exits;
    }
    std::vector<std::string> arguments = {options_.program};
    arguments.insert(arguments.end(), options_.arguments.begin(), options_.arguments.end());
    std::vector<char*> argv;
    argv.reserve(arguments.size());
    for (std::string& argument : arguments) argv.push_back(argument.data());
    return fakes::RunHostProgram(options_.program, options_.kind, static_cast<int>(argv.size()),
                                 argv.data(), hooks);
  });
  Tell("ready");
  const auto launched = on_launch_;
  for (const auto& [id, callback] : launched) callback();
}

void Worker::ChangeLaunch(const std::string& id, LaunchChange change) {
  changes_[id] = std::move(change);
}
void Worker::RestoreLaunch(const std::string& id) { changes_.erase(id); }
void Worker::OnLaunch(const std::string& id, std::function<void()> callback) {
  if (callback) {
    on_launch_[id] = std::move(callback);
  } else {
    on_launch_.erase(id);
  }
}

void Worker::OnLine(Process& process, bool is_error, const std::string& line) {
  journal::LogEvent log;
  log.what = is_error ? "stderr" : "stdout";
  log.process = options_.name;
  log.line = line;
  journal_.Append(source_, std::move(log));
  if (!is_error) {
    if (auto event = ReadLine(line)) {
      event->worker = options_.name;
      if (event->pid == 0) event->pid = process.id;
      if (event->task_queue.empty()) event->task_queue = options_.task_queue;
      journal_.Append(source_, *std::move(event));
    }
  }
}

void Worker::OnEnd(Process& process) {
  if (&process != process_) return;
  const std::string reason = !intent_.empty() ? intent_ : changed_ ? "injected" : "unexpected";
  last_reason_ = reason;
  Tell("exited", [&](journal::ProcessEvent& event) {
    if (process.killed_by != 0) {
      event.signal = process.killed_by;
    } else {
      event.exit_code = process.exit_code;
    }
    event.reason = reason;
  });
  if (options_.on_exit) options_.on_exit(process, reason);
}

void Worker::Signal(int number, const std::string& reason) {
  if (!alive()) return;
  if (intent_.empty()) intent_ = reason;
  Tell("signalled", [&](journal::ProcessEvent& event) {
    event.signal = number;
    event.reason = reason;
  });
  Scheduler& scheduler = TheScheduler();
  if (number == SIGKILL) {
    scheduler.EndProcess(*process_, 0, SIGKILL);
    return;
  }
  if (number == SIGTERM && deaf_) return;
  process_->signals.push_back(number);
  scheduler.Wake(WaitOn::kSignal, process_, 1);
}

void Worker::Pause() {
  if (!alive() || process_->stopped) return;
  process_->stopped = true;
  Tell("paused");
}

void Worker::Resume() {
  if (!alive() || !process_->stopped) return;
  TheScheduler().Resume(*process_);
  Tell("resumed");
}

}  // namespace squall::sim
