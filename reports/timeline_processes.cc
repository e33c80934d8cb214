#include <fmt/format.h>

#include <algorithm>
#include <csignal>

#include "reports/timeline_tracks.h"

namespace squall::reports {
namespace {

using journal::Event;

constexpr int kLifeRow = 0;
constexpr int kWorkerRow = 1;
// The clean-up stops everything; that is no news.
constexpr std::string_view kAsked = "asked";

std::string SignalText(int number) {
  switch (number) {
    case SIGHUP:
      return "SIGHUP";
    case SIGINT:
      return "SIGINT";
    case SIGQUIT:
      return "SIGQUIT";
    case SIGABRT:
      return "SIGABRT";
    case SIGKILL:
      return "SIGKILL";
    case SIGSEGV:
      return "SIGSEGV";
    case SIGTERM:
      return "SIGTERM";
    case SIGCONT:
      return "SIGCONT";
    case SIGSTOP:
      return "SIGSTOP";
    default:
      return fmt::format("signal {}", number);
  }
}

std::string ExitText(const journal::ProcessEvent& process) {
  std::string how = process.signal      ? SignalText(*process.signal)
                    : process.exit_code ? fmt::format("exit {}", *process.exit_code)
                                        : std::string("ended");
  if (!process.reason.empty()) how += ", " + process.reason;
  return how;
}

Tone ExitTone(const journal::ProcessEvent& process) {
  if (process.reason == kAsked) return Tone::kQuiet;
  if (process.reason == "injected") return Tone::kWarn;
  return Tone::kBad;
}

struct WorkerLook {
  Look look;
  Tone tone;
};

WorkerLook LookOf(std::string_view what) {
  if (what == "connecting") return {Look::kRing, Tone::kPlain};
  if (what == "connected" || what == "started" || what == "polling" || what == "healthy")
    return {Look::kDot, Tone::kGood};
  if (what == "task" || what == "effect") return {Look::kTick, Tone::kPlain};
  if (what == "fatal") return {Look::kCross, Tone::kBad};
  if (what == "unhealthy" || what == "retrying") return {Look::kCross, Tone::kWarn};
  return {Look::kDiamond, Tone::kQuiet};  // stopping, stopped
}

Tone LevelTone(std::string_view level) {
  if (level == "ERROR") return Tone::kBad;
  if (level == "WARN") return Tone::kWarn;
  return Tone::kQuiet;
}

}  // namespace

void ProcessTrack::Observe(const Event& event, const journal::ProcessEvent& process) {
  const Duration at = At(event);
  const std::size_t lane = board_.LaneFor(LaneGroup::kProcesses, process.process, process.role);
  const auto mark = [&](Look look, Tone tone, std::string label) {
    board_.Put({.lane = lane,
                .row = kLifeRow,
                .begin = at,
                .end = at,
                .look = look,
                .tone = tone,
                .label = std::move(label),
                .facts = FactsOf(event),
                .sequence = event.sequence});
  };
  const auto it = alive_.find(process.process);
  const bool alive = it != alive_.end();
  if (process.what == "exited" || process.what == "start_failed") {
    const bool failed = process.what == "start_failed";
    if (alive) {
      MergeFacts(&it->second.facts, FactsOf(event));
      End(process.process, at, /*open=*/false, Tone::kPlain);
    }
    mark(Look::kCross, failed ? Tone::kBad : ExitTone(process),
         failed ? "could not start" : ExitText(process));
    return;
  }
  if (process.what == "signalled") {
    mark(Look::kDiamond, Tone::kWarn,
         process.signal ? SignalText(*process.signal) : std::string("signalled"));
    return;
  }
  if (!alive || process.what == "starting") {
    if (alive) End(process.process, at, /*open=*/true, Tone::kPlain);
    alive_[process.process] = {.begin = at,
                               .ready = {},
                               .paused = {},
                               .facts = FactsOf(event),
                               .sequence = event.sequence};
  }
  Life& life = alive_[process.process];
  if (process.what == "ready") {
    if (!life.ready) life.ready = at;
    MergeFacts(&life.facts, FactsOf(event));
    mark(Look::kDot, Tone::kGood, "ready");
  } else if (process.what == "paused") {
    life.paused = at;
    mark(Look::kDiamond, Tone::kWarn, "paused");
  } else if (process.what == "resumed" && life.paused) {
    board_.Put({.lane = lane,
                .row = kLifeRow,
                .begin = *life.paused,
                .end = at,
                .look = Look::kPaused,
                .tone = Tone::kWarn,
                .label = "paused",
                .facts = FactsOf(event),
                .sequence = event.sequence});
    life.paused.reset();
  }
}

void ProcessTrack::End(const std::string& name, Duration at, bool open, Tone tone) {
  const auto it = alive_.find(name);
  Life& life = it->second;
  const std::size_t lane = board_.LaneFor(LaneGroup::kProcesses, name);
  const auto bar = [&](Duration begin, Duration end, Look look, const char* label) {
    board_.Put({.lane = lane,
                .row = kLifeRow,
                .begin = begin,
                .end = end,
                .look = look,
                .tone = look == Look::kPaused ? Tone::kWarn : tone,
                .open = open && end == at,
                .label = label,
                .facts = life.facts,
                .sequence = life.sequence});
  };
  const Duration ready = life.ready.value_or(at);
  if (ready > life.begin) bar(life.begin, ready, Look::kPending, "starting");
  if (life.ready) bar(ready, at, Look::kBar, "running");
  if (life.paused) bar(*life.paused, at, Look::kPaused, "paused");
  alive_.erase(it);
}

void ProcessTrack::Observe(const Event& event, const journal::WorkerEvent& worker) {
  const Duration at = At(event);
  const std::size_t lane = board_.LaneFor(LaneGroup::kProcesses, worker.worker);
  const auto [look, tone] = LookOf(worker.what);
  std::string label = worker.what;
  if (!worker.task.empty()) label += " " + worker.task;
  Item item{.lane = lane,
            .row = kWorkerRow,
            .begin = at,
            .end = at,
            .look = look,
            .tone = tone,
            .label = label,
            .facts = FactsOf(event),
            .sequence = event.sequence};
  if (worker.what == "retrying" && worker.delay > Duration::zero()) {
    Item wait = item;
    wait.look = Look::kWaiting;
    wait.tone = Tone::kWarn;
    wait.label = "waits " + FormatDuration(worker.delay);
    waits_.emplace_back(std::move(wait), at + worker.delay);
  }
  board_.PutIfRoom(std::move(item));
}

void ProcessTrack::Observe(const Event& event, const journal::LogEvent& log) {
  const Duration at = At(event);
  const std::size_t lane = board_.LaneFor(
      LaneGroup::kLogs, log.process.empty() ? std::string(log.what) : log.process, "output");
  // The label is the line itself; it need not stand twice.
  std::vector<Fact> facts = {{"event", "log " + log.what}};
  if (!log.level.empty()) facts.push_back({"level", log.level});
  board_.PutIfRoom({.lane = lane,
                    .row = 0,
                    .begin = at,
                    .end = at,
                    .look = Look::kTick,
                    .tone = LevelTone(log.level),
                    .label = log.line,
                    .facts = std::move(facts),
                    .sequence = event.sequence});
}

void ProcessTrack::Finish(Duration end) {
  while (!alive_.empty()) End(std::string(alive_.begin()->first), end, /*open=*/true, Tone::kPlain);
  for (auto& [wait, until] : waits_) {
    wait.end = std::min(until, end);
    board_.PutIfRoom(std::move(wait));
  }
  waits_.clear();
}

}  // namespace squall::reports
