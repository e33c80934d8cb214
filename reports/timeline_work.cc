#include <fmt/format.h>

#include "reports/timeline_tracks.h"

namespace squall::reports {
namespace {

using journal::Event;

constexpr const char* kOtherWorkflows = "further workflows";

Tone EndTone(std::string_view what) {
  if (what == "completed") return Tone::kGood;
  if (what == "continued") return Tone::kPlain;
  if (what == "cancelled" || what == "terminated") return Tone::kWarn;
  return Tone::kBad;  // failed, timed_out, lost
}

}  // namespace

std::size_t WorkTrack::LaneOf(const std::string& workflow_id) {
  const auto it = lanes_.find(workflow_id);
  if (it != lanes_.end()) return it->second;
  const bool own = lanes_.size() < most_lanes_;
  const std::size_t lane =
      board_.LaneFor(LaneGroup::kWorkflows, own ? (workflow_id.empty() ? "activities" : workflow_id)
                                                : std::string(kOtherWorkflows));
  lanes_[workflow_id] = lane;
  return lane;
}

void WorkTrack::Observe(const Event& event, const journal::WorkflowEvent& workflow) {
  const Duration at = At(event);
  const std::size_t lane = LaneOf(workflow.workflow_id);
  Life& life = lives_[workflow.workflow_id];
  const auto begin = [&] {
    life = {.unit = board_.NewUnit(lane, at),
            .begin = at,
            .accepted = {},
            .facts = FactsOf(event),
            .sequence = event.sequence,
            .over = false};
  };
  const auto mark = [&](Look look, Tone tone, std::string label) {
    board_.Put(life.unit, {.begin = at,
                           .end = at,
                           .look = look,
                           .tone = tone,
                           .label = std::move(label),
                           .facts = FactsOf(event),
                           .sequence = event.sequence});
  };
  if (workflow.what == "requested") {
    // A second start of a workflow that is open is refused; its life goes on.
    if (life.unit == kNoUnit || life.over) begin();
    mark(Look::kRing, Tone::kPlain, "start requested");
    return;
  }
  if (life.unit == kNoUnit) begin();
  if (workflow.what == "running") return mark(Look::kTick, Tone::kPlain, "still running");
  if (workflow.what == "accepted") {
    if (life.over) begin();
    if (!life.accepted) life.accepted = at;
    MergeFacts(&life.facts, FactsOf(event));
    return;
  }
  if (workflow.what == "refused") {
    mark(Look::kCross, Tone::kBad,
         workflow.code ? "refused " + StatusCodeText(*workflow.code) : std::string("refused"));
    if (!life.over && !life.accepted) {
      MergeFacts(&life.facts, FactsOf(event));
      Draw(life, at, Tone::kBad, /*open=*/false);
      life.over = true;
    }
    return;
  }
  // Somebody may look at the end twice.
  if (life.over) return;
  MergeFacts(&life.facts, FactsOf(event));
  if (!life.accepted) life.accepted = life.begin;
  Draw(life, at, EndTone(workflow.what), /*open=*/false);
  mark(workflow.what == "completed" || workflow.what == "continued" ? Look::kDot : Look::kCross,
       EndTone(workflow.what), workflow.what);
  life.over = true;
  if (workflow.what == "continued") {
    begin();
    life.accepted = at;
  }
}

void WorkTrack::Draw(const Life& life, Duration until, Tone tone, bool open) {
  std::string label;
  for (const Fact& fact : life.facts) {
    if (fact.key == "type" || (label.empty() && fact.key == "workflow_id")) label = fact.value;
  }
  const auto bar = [&](Duration begin, Duration end, Look look) {
    board_.Put(life.unit, {.begin = begin,
                           .end = end,
                           .look = look,
                           .tone = tone,
                           .open = open && end == until,
                           .label = label,
                           .facts = life.facts,
                           .sequence = life.sequence});
  };
  const Duration accepted = life.accepted.value_or(until);
  if (accepted > life.begin) bar(life.begin, accepted, Look::kPending);
  if (life.accepted && until > accepted) bar(accepted, until, Look::kBar);
}

void WorkTrack::Observe(const Event& event, const journal::ActivityEvent& activity) {
  const Duration at = At(event);
  const std::size_t lane = LaneOf(activity.workflow_id);
  // Where the id is not told, its type stands for it.
  const std::string id = activity.activity_id.empty() ? activity.type : activity.activity_id;
  Activity& state = activities_[{activity.workflow_id, id}];
  if (state.unit == kNoUnit ||
      (state.phase == Activity::Phase::kClosed && activity.what == "scheduled")) {
    state = {.unit = board_.NewUnit(lane, at),
             .since = at,
             .phase = activity.what == "scheduled" ? Activity::Phase::kScheduled
                                                   : Activity::Phase::kBetween,
             .attempt = activity.attempt,
             .facts = FactsOf(event),
             .label = activity.type.empty() ? id : activity.type,
             .sequence = event.sequence};
    if (activity.what == "scheduled") return;
  }
  if (activity.what == "heartbeat" || activity.what == "cancel_requested") {
    const bool beat = activity.what == "heartbeat";
    Item item{.begin = at,
              .end = at,
              .look = beat ? Look::kTick : Look::kDiamond,
              .tone = beat ? Tone::kPlain : Tone::kWarn,
              .label = beat ? "heartbeat" : "cancel requested",
              .facts = FactsOf(event),
              .sequence = event.sequence};
    board_.PutIfRoom(state.unit, std::move(item));
    return;
  }
  MergeFacts(&state.facts, FactsOf(event));
  if (activity.attempt > 0) state.attempt = activity.attempt;
  if (activity.what == "started") {
    Draw(state, at, Tone::kPlain, /*open=*/false);
    state.phase = Activity::Phase::kRunning;
  } else {
    const bool good = activity.what == "completed";
    const Tone tone = good ? Tone::kGood : activity.what == "cancelled" ? Tone::kWarn : Tone::kBad;
    Draw(state, at, tone, /*open=*/false);
    board_.Put(state.unit, {.begin = at,
                            .end = at,
                            .look = good ? Look::kDot : Look::kCross,
                            .tone = tone,
                            .label = state.label + " " + activity.what,
                            .facts = FactsOf(event),
                            .sequence = event.sequence});
    state.phase =
        good || activity.what == "cancelled" ? Activity::Phase::kClosed : Activity::Phase::kBetween;
  }
  state.since = at;
  state.sequence = event.sequence;
}

void WorkTrack::Draw(const Activity& activity, Duration until, Tone tone, bool open) {
  if (activity.phase == Activity::Phase::kClosed || until <= activity.since) return;
  const bool running = activity.phase == Activity::Phase::kRunning;
  std::string label = activity.label;
  if (running && activity.attempt > 0) label += fmt::format(", attempt {}", activity.attempt);
  if (activity.phase == Activity::Phase::kBetween) label += ", until the next attempt";
  board_.Put(activity.unit,
             {.begin = activity.since,
              .end = until,
              .look = running                                         ? Look::kBar
                      : activity.phase == Activity::Phase::kScheduled ? Look::kPending
                                                                      : Look::kWaiting,
              .tone = running ? tone : Tone::kPlain,
              .open = open,
              .label = std::move(label),
              .facts = activity.facts,
              .sequence = activity.sequence});
}

void WorkTrack::Finish(Duration end) {
  for (const auto& [id, life] : lives_) {
    if (life.unit != kNoUnit && !life.over) Draw(life, end, Tone::kPlain, /*open=*/true);
  }
  for (const auto& [key, activity] : activities_) {
    // An attempt that failed may have been the last one.
    if (activity.phase != Activity::Phase::kBetween)
      Draw(activity, end, Tone::kPlain, /*open=*/true);
  }
  lives_.clear();
  activities_.clear();
}

}  // namespace squall::reports
