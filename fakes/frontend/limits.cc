#include "fakes/frontend/limits.h"

#include <utility>

#include "base/util/planted.h"

namespace squall::fakes {
namespace {

// grpc-go, internal/transport/http2_server.go: maxPingStrikes, and how long it waits for the PING
// behind a warning.
constexpr int kMaxStrikes = 2;
constexpr Duration kDrainLimit = std::chrono::seconds(5);

std::optional<SteadyTime> In(SteadyTime now, Duration limit) {
  if (limit == Duration::zero()) return std::nullopt;
  return now + limit;
}

}  // namespace

ConnectionKeeper::ConnectionKeeper(const ConnectionLimits& limits, SteadyTime now, Rng rng)
    : limits_(limits),
      slow_(In(now, limits.handshake_timeout)),
      idle_(In(now, limits.max_idle)),
      ask_(In(now, limits.keepalive_time)) {
  if (limits.max_age == Duration::zero()) return;
  const double part = 0.9 + 0.2 * rng.Uniform();
  old_ =
      now + Duration(static_cast<std::int64_t>(static_cast<double>(limits.max_age.count()) * part));
}

void ConnectionKeeper::OnBytes(SteadyTime now) {
  unheard_.reset();
  ask_ = In(now, limits_.keepalive_time);
}

void ConnectionKeeper::OnCalls(SteadyTime now, std::size_t open) {
  if (open_ == open) return;
  open_ = open;
  idle_ = open == 0 && !leaving_ ? In(now, limits_.max_idle) : std::nullopt;
}

bool ConnectionKeeper::OnPing(SteadyTime now) {
  if (limits_.min_ping_interval == Duration::zero()) return false;
  const std::optional<SteadyTime> before = std::exchange(last_ping_, now);
  if (Planted(PlantedBug::kPingsMiscounted)) return before.has_value() && ++strikes_ > kMaxStrikes;
  if (std::exchange(ping_free_, false)) {
    strikes_ = 0;
    return false;
  }
  if (before.has_value() && now < *before + limits_.min_ping_interval) ++strikes_;
  return strikes_ > kMaxStrikes;
}

void ConnectionKeeper::OnPingAck(SteadyTime now) {
  if (drain_.has_value()) drain_ = now;
}

ConnectionKeeper::Step ConnectionKeeper::Next(SteadyTime now) {
  const auto due = [now](std::optional<SteadyTime>& at) {
    if (!at.has_value() || *at > now) return false;
    at.reset();
    return true;
  };
  if (due(slow_)) return Step::kCloseSlow;
  if (slow_.has_value()) return Step::kNothing;
  const bool old = due(old_);
  const bool idle = due(idle_);
  if ((old || idle) && !leaving_) {
    leaving_ = true;
    why_ = old ? "max_age" : "max_idle";
    drain_ = now + kDrainLimit;
    if (old) end_ = In(now, limits_.age_grace);
    return Step::kWarn;
  }
  if (due(drain_)) return Step::kDrain;
  if (due(end_)) return Step::kCloseOld;
  if (due(unheard_)) return Step::kCloseUnheard;
  if (due(ask_)) {
    unheard_ = In(now, limits_.keepalive_timeout);
    return Step::kPing;
  }
  return Step::kNothing;
}

std::optional<SteadyTime> ConnectionKeeper::deadline() const {
  if (slow_.has_value()) return slow_;
  std::optional<SteadyTime> first;
  for (const auto& at : {old_, idle_, ask_, unheard_, drain_, end_}) {
    if (at.has_value() && (!first.has_value() || *at < *first)) first = at;
  }
  return first;
}

}  // namespace squall::fakes
