#include <fmt/format.h>

#include "reports/timeline_tracks.h"

namespace squall::reports {
namespace {

using journal::Event;

constexpr int kAttemptRow = 0;

// gRPC's codes that say "not now" or "gone" rather than "wrong".
Tone CodeTone(int code) {
  constexpr int kOk = 0, kCancelled = 1, kDeadlineExceeded = 4;
  if (code == kOk) return Tone::kPlain;
  if (code == kCancelled) return Tone::kQuiet;
  return code == kDeadlineExceeded ? Tone::kWarn : Tone::kBad;
}

}  // namespace

void ConnectionTrack::Observe(const Event& event, const journal::ConnectionEvent& connection) {
  const Duration at = At(event);
  const std::size_t lane = board_.LaneFor(LaneGroup::kConnections, connection.link);
  if (connection.what == "listening") {
    board_.Put({.lane = lane,
                .row = kAttemptRow,
                .begin = at,
                .end = at,
                .look = Look::kDiamond,
                .tone = Tone::kQuiet,
                .label = "listening",
                .facts = FactsOf(event),
                .sequence = event.sequence});
    return;
  }
  const auto key = std::pair(connection.link, connection.connection);
  const auto [it, added] = lives_.try_emplace(key);
  Life& life = it->second;
  if (added) {
    life = {.lane = lane,
            .begin = at,
            .accepted = {},
            .established = {},
            .ended = false,
            .facts = FactsOf(event),
            .sequence = event.sequence,
            .number = connection.connection};
  } else {
    MergeFacts(&life.facts, FactsOf(event));
  }
  if (connection.what == "accepted" && !life.accepted) life.accepted = at;
  if (connection.what == "established" && !life.established) life.established = at;
  const bool in_order = connection.what == "closed";
  const bool broken =
      connection.what == "refused" || connection.what == "reset" || connection.what == "failed";
  // What follows the first end (a reset after a failure) tells nothing new.
  if ((!in_order && !broken) || life.ended) return;
  life.ended = true;
  const bool came_about = life.established.has_value();
  const std::size_t unit = Draw(life, at, came_about || in_order ? Look::kDot : Look::kCross,
                                came_about ? Tone::kGood
                                : in_order ? Tone::kPlain
                                           : Tone::kBad,
                                /*open=*/false);
  if (!broken || unit == kNoUnit || !came_about) return;
  board_.Put(unit, {.begin = at,
                    .end = at,
                    .look = Look::kCross,
                    .tone = Tone::kBad,
                    .label = fmt::format("connection {} {}", life.number, connection.what),
                    .facts = FactsOf(event),
                    .sequence = event.sequence});
}

std::size_t ConnectionTrack::Draw(const Life& life, Duration until, Look attempt, Tone tone,
                                  bool open) {
  const std::string label = fmt::format("connection {}", life.number);
  board_.Put({.lane = life.lane,
              .row = kAttemptRow,
              .begin = life.begin,
              .end = life.begin,
              .look = attempt,
              .tone = tone,
              .label = "attempt, " + label,
              .facts = life.facts,
              .sequence = life.sequence});
  if (until <= life.begin) return kNoUnit;
  const std::size_t unit = board_.NewUnit(life.lane, life.begin);
  const auto bar = [&](Duration begin, Duration end, Look look, Tone bar_tone) {
    board_.Put(unit, {.begin = begin,
                      .end = end,
                      .look = look,
                      .tone = bar_tone,
                      .open = open && end == until,
                      .label = label,
                      .facts = life.facts,
                      .sequence = life.sequence});
  };
  const Duration up = life.established.value_or(until);
  if (up > life.begin)
    bar(life.begin, up, Look::kPending, tone == Tone::kBad ? Tone::kBad : Tone::kPlain);
  if (life.established && until > up) bar(up, until, Look::kBar, Tone::kPlain);
  return unit;
}

void ConnectionTrack::Finish(Duration end) {
  for (const auto& [key, life] : lives_) {
    if (life.ended) continue;
    Draw(life, end, life.established ? Look::kDot : Look::kRing,
         life.established ? Tone::kGood : Tone::kPlain, /*open=*/true);
  }
  lives_.clear();
}

void CallTrack::Observe(const Event& event, const journal::RpcEvent& rpc) {
  const Duration at = At(event);
  const std::size_t lane =
      board_.LaneFor(LaneGroup::kCalls, rpc.method.empty() ? rpc.endpoint : rpc.method,
                     rpc.side == "client" ? "by " + rpc.endpoint : "at " + rpc.endpoint);
  const auto key = std::pair(rpc.side + " " + rpc.endpoint, rpc.call);
  if (rpc.what == "received") {
    calls_[key] = {.lane = lane,
                   .begin = at,
                   .label = rpc.method,
                   .facts = FactsOf(event),
                   .sequence = event.sequence};
    return;
  }
  Begun begun;
  if (const auto it = calls_.find(key); it != calls_.end()) {
    begun = std::move(it->second);
    calls_.erase(it);
    MergeFacts(&begun.facts, FactsOf(event));
  } else {
    // A client's call is told at its end, with the time it took.
    begun = {.lane = lane,
             .begin = std::max(at - rpc.latency, Duration::zero()),
             .label = rpc.method,
             .facts = FactsOf(event),
             .sequence = event.sequence};
  }
  Tone tone = rpc.code ? CodeTone(*rpc.code) : Tone::kPlain;
  if (rpc.what == "cancelled") tone = Tone::kQuiet;
  if (rpc.what == "failed" && tone == Tone::kPlain) tone = Tone::kBad;
  std::string label = begun.label;
  if (rpc.code && *rpc.code != 0) {
    label += " " + StatusCodeText(*rpc.code);
  } else if (rpc.what != "answered") {
    label += " " + rpc.what;
  }
  board_.PutIfRoom(board_.NewUnit(begun.lane, begun.begin), {.begin = begun.begin,
                                                             .end = at,
                                                             .look = Look::kBar,
                                                             .tone = tone,
                                                             .label = std::move(label),
                                                             .facts = std::move(begun.facts),
                                                             .sequence = begun.sequence});
}

void CallTrack::Observe(const Event& event, const journal::PollerEvent& poller) {
  const Duration at = At(event);
  const std::string name = poller.task_type.empty()
                               ? poller.task_queue
                               : fmt::format("{} ({})", poller.task_queue, poller.task_type);
  const std::size_t lane =
      board_.LaneFor(LaneGroup::kPollers, name.empty() ? poller.server : name, poller.server);
  const auto key = std::pair(lane, poller.identity);
  if (poller.what == "seen" || poller.what == "none") {
    const bool none = poller.what == "none";
    board_.PutIfRoom({.lane = lane,
                      .row = 0,
                      .begin = at,
                      .end = at,
                      .look = none ? Look::kCross : Look::kTick,
                      .tone = none ? Tone::kWarn : Tone::kGood,
                      .label = none ? "no poller seen" : "poller seen " + poller.identity,
                      .facts = FactsOf(event),
                      .sequence = event.sequence});
    return;
  }
  const auto it = pollers_.find(key);
  if (poller.count > 0) {
    if (it == pollers_.end()) {
      pollers_[key] = {.lane = lane,
                       .begin = at,
                       .label = poller.identity.empty() ? "polls" : poller.identity,
                       .facts = FactsOf(event),
                       .sequence = event.sequence};
    }
    return;
  }
  if (it == pollers_.end()) return;
  Begun begun = std::move(it->second);
  pollers_.erase(it);
  MergeFacts(&begun.facts, FactsOf(event));
  board_.PutIfRoom(board_.NewUnit(lane, begun.begin), {.begin = begun.begin,
                                                       .end = at,
                                                       .look = Look::kBar,
                                                       .tone = Tone::kGood,
                                                       .label = std::move(begun.label),
                                                       .facts = std::move(begun.facts),
                                                       .sequence = begun.sequence});
}

void CallTrack::Finish(Duration end) {
  const auto close = [&](Begun begun, Tone tone) {
    board_.PutIfRoom(board_.NewUnit(begun.lane, begun.begin), {.begin = begun.begin,
                                                               .end = end,
                                                               .look = Look::kBar,
                                                               .tone = tone,
                                                               .open = true,
                                                               .label = std::move(begun.label),
                                                               .facts = std::move(begun.facts),
                                                               .sequence = begun.sequence});
  };
  for (auto& [key, begun] : calls_) close(std::move(begun), Tone::kPlain);
  for (auto& [key, begun] : pollers_) close(std::move(begun), Tone::kGood);
  calls_.clear();
  pollers_.clear();
}

}  // namespace squall::reports
