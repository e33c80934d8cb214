#include "reports/timeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "reports/timeline_builder.h"
#include "reports/timeline_tracks.h"

namespace squall::reports {
namespace {

using journal::Event;
using journal::Outcome;

constexpr std::array<std::string_view, 9> kGroupNames = {"checks",    "steps",       "faults",
                                                         "processes", "connections", "calls",
                                                         "pollers",   "workflows",   "logs"};

// The step machine's own conclusion: a step failed or ran out of time.
constexpr std::string_view kStepsCheck = "steps";

// run, step, fault, assertion: the frame that everything else is seen in.
class FrameTrack {
 public:
  FrameTrack(TimelineBuilder& board, const TimelineOptions& options)
      : board_(board), options_(options) {}

  void Observe(const Event& event, const journal::RunEvent& run) {
    Timeline& timeline = board_.timeline();
    if (run.what == "started") {
      timeline.scenario = run.scenario;
      timeline.subject = run.subject;
      timeline.world = run.world;
      timeline.versions = run.versions;
    } else if (run.what == "judging") {
      timeline.judging = At(event);
    } else {
      timeline.finished = At(event);
    }
  }

  void Observe(const Event& event, const journal::StepEvent& step) {
    const Duration at = At(event);
    const std::size_t lane = board_.LaneFor(LaneGroup::kSteps, "steps");
    if (step.what == "begun") {
      steps_[step.index] = {.unit = board_.NewUnit(lane, at),
                            .begin = at,
                            .facts = FactsOf(event),
                            .label = step.step,
                            .sequence = event.sequence};
      return;
    }
    Begun begun;
    if (const auto it = steps_.find(step.index); it != steps_.end()) {
      begun = std::move(it->second);
      steps_.erase(it);
    } else {
      begun = {.unit = board_.NewUnit(lane, at),
               .begin = at,
               .facts = {},
               .label = step.step,
               .sequence = event.sequence};
    }
    MergeFacts(&begun.facts, FactsOf(event));
    const bool done = step.what == "done";
    if (!done && !first_failed_step_) first_failed_step_ = at;
    board_.Put(begun.unit, {.begin = begun.begin,
                            .end = at,
                            .look = Look::kBar,
                            .tone = done ? Tone::kQuiet : Tone::kBad,
                            .label = std::move(begun.label),
                            .facts = std::move(begun.facts),
                            .sequence = begun.sequence});
  }

  void Observe(const Event& event, const journal::FaultEvent& fault) {
    const Duration at = At(event);
    const std::string name = fault.fault.empty() ? fault.fault_id : fault.fault;
    const auto it = faults_.find(fault.fault_id);
    const std::size_t lane =
        it != faults_.end()
            ? it->second.lane
            : board_.LaneFor(LaneGroup::kFaults, fault.target.empty()
                                                     ? name
                                                     : fmt::format("{} on {}", name, fault.target));
    const auto mark = [&](Look look, Tone tone, std::string label) {
      Item item{.lane = lane,
                .begin = at,
                .end = at,
                .look = look,
                .tone = tone,
                .label = std::move(label),
                .facts = FactsOf(event),
                .sequence = event.sequence};
      // On the bar of its fault, where there is one.
      const bool known = it != faults_.end() && it->second.unit != kNoUnit;
      board_.PutIfRoom(known ? it->second.unit : board_.NewUnit(lane, at), std::move(item));
    };
    if (fault.what == "hit") return mark(Look::kTick, Tone::kWarn, name + " was met");
    if (fault.what == "failed") return mark(Look::kCross, Tone::kBad, name + " failed");
    Fault& life = faults_.try_emplace(fault.fault_id).first->second;
    if (life.unit == kNoUnit || (fault.what == "injecting" && life.healed)) {
      life = {.lane = lane,
              .unit = board_.NewUnit(lane, at),
              .begin = at,
              .injected = {},
              .healing = {},
              .healed = false,
              .name = name,
              .facts = FactsOf(event),
              .sequence = event.sequence};
    } else {
      MergeFacts(&life.facts, FactsOf(event));
    }
    if (fault.what == "injected" && !life.injected) life.injected = at;
    if (fault.what == "healing" && !life.healing) life.healing = at;
    if (fault.what == "healed" && !life.healed) {
      life.healed = true;
      Draw(life, at, /*open=*/false);
    }
  }

  void Observe(const Event& event, const journal::AssertionEvent& assertion) {
    const Outcome outcome = journal::OutcomeFromName(assertion.what).value_or(Outcome::kUnknown);
    const std::size_t lane = board_.LaneFor(LaneGroup::kChecks, "checks");
    Duration at = At(event);
    bool placed = false;
    if (outcome == Outcome::kFail) {
      if (const auto it = options_.broke_at.find(assertion.check); it != options_.broke_at.end()) {
        at = it->second.time_since_epoch();
        placed = true;
      } else if (assertion.check == kStepsCheck && first_failed_step_) {
        at = *first_failed_step_;
        placed = true;
      }
    }
    if (outcome != Outcome::kPass) {
      board_.timeline().violations.push_back({.at = at,
                                              .placed = placed,
                                              .outcome = outcome,
                                              .check = assertion.check,
                                              .expected = assertion.expected,
                                              .happened = assertion.happened});
    }
    board_.Put({.lane = lane,
                .row = 0,
                .begin = at,
                .end = at,
                .look = outcome == Outcome::kPass ? Look::kDot : Look::kFlag,
                .tone = outcome == Outcome::kPass   ? Tone::kGood
                        : outcome == Outcome::kFail ? Tone::kBad
                                                    : Tone::kWarn,
                .label = fmt::format("{}: {}", assertion.check, assertion.what),
                .facts = FactsOf(event),
                .sequence = event.sequence});
  }

  void Finish(Duration end) {
    for (auto& [index, step] : steps_) {
      board_.Put(step.unit, {.begin = step.begin,
                             .end = end,
                             .look = Look::kBar,
                             .tone = Tone::kQuiet,
                             .open = true,
                             .label = step.label,
                             .facts = step.facts,
                             .sequence = step.sequence});
    }
    for (auto& [id, fault] : faults_) {
      if (!fault.healed && fault.unit != kNoUnit) Draw(fault, end, /*open=*/true);
    }
  }

 private:
  struct Begun {
    std::size_t unit = kNoUnit;
    Duration begin{};
    std::vector<Fact> facts;
    std::string label;
    std::uint64_t sequence = 0;
  };
  struct Fault {
    std::size_t lane = 0, unit = kNoUnit;
    Duration begin{};
    std::optional<Duration> injected, healing;
    bool healed = false;
    std::string name;
    std::vector<Fact> facts;
    std::uint64_t sequence = 0;
  };

  // In force from injected until its healing is through: until then traffic may still meet it.
  void Draw(const Fault& fault, Duration until, bool open) {
    const auto bar = [&](Duration begin, Duration end, Look look) {
      board_.Put(fault.unit, {.begin = begin,
                              .end = end,
                              .look = look,
                              .tone = Tone::kWarn,
                              .open = open && end == until,
                              .label = fault.name,
                              .facts = fault.facts,
                              .sequence = fault.sequence});
    };
    const Duration injected = fault.injected.value_or(until);
    if (injected > fault.begin) bar(fault.begin, injected, Look::kPending);
    if (!fault.injected) return;
    if (until > injected) bar(injected, until, Look::kBar);
    board_.Shaded({.begin = injected, .end = until, .open = open, .label = fault.name});
  }

  TimelineBuilder& board_;
  const TimelineOptions& options_;
  std::map<std::uint64_t, Begun> steps_;
  std::map<std::string, Fault> faults_;
  std::optional<Duration> first_failed_step_;
};

}  // namespace

std::string_view LaneGroupName(LaneGroup group) {
  return kGroupNames[static_cast<std::size_t>(group)];
}

Timeline TimelineOf(std::span<const Event> events, const TimelineOptions& options) {
  TimelineBuilder board(options.most_items);
  FrameTrack frame(board, options);
  ProcessTrack processes(board);
  ConnectionTrack connections(board);
  CallTrack calls(board);
  WorkTrack work(board, options.most_workflow_lanes);
  Duration end{};
  for (const Event& event : events) {
    end = std::max(end, At(event));
    std::visit(
        [&](const auto& payload) {
          using T = std::decay_t<decltype(payload)>;
          if constexpr (std::is_same_v<T, journal::ProcessEvent> ||
                        std::is_same_v<T, journal::WorkerEvent> ||
                        std::is_same_v<T, journal::LogEvent>) {
            processes.Observe(event, payload);
          } else if constexpr (std::is_same_v<T, journal::ConnectionEvent>) {
            connections.Observe(event, payload);
          } else if constexpr (std::is_same_v<T, journal::RpcEvent> ||
                               std::is_same_v<T, journal::PollerEvent>) {
            calls.Observe(event, payload);
          } else if constexpr (std::is_same_v<T, journal::WorkflowEvent> ||
                               std::is_same_v<T, journal::ActivityEvent>) {
            work.Observe(event, payload);
          } else {
            frame.Observe(event, payload);
          }
        },
        event.payload);
  }
  frame.Finish(end);
  processes.Finish(end);
  connections.Finish(end);
  calls.Finish(end);
  work.Finish(end);
  board.timeline().events = events.size();
  if (!events.empty()) board.timeline().origin = events.front().wall - At(events.front());
  return board.Finish(end);
}

}  // namespace squall::reports
