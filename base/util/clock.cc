#include "base/util/clock.h"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace squall {
namespace {

Duration ReadClock(clockid_t id) {
  timespec ts{};
  clock_gettime(id, &ts);
  return std::chrono::seconds(ts.tv_sec) + Duration(ts.tv_nsec);
}

}  // namespace

SteadyTime RealClock::Now() const { return SteadyTime(ReadClock(CLOCK_MONOTONIC)); }
WallTime RealClock::WallNow() const { return WallTime(ReadClock(CLOCK_REALTIME)); }

ManualClock::ManualClock(WallTime wall) : wall_(wall) {}

void ManualClock::Advance(Duration by) {
  if (by <= Duration::zero()) return;
  now_ += by;
  wall_ += by;
}

void ManualClock::AdvanceTo(SteadyTime to) { Advance(to - now_); }

std::string FormatWall(WallTime time) {
  const auto since_epoch = time.time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since_epoch);
  const time_t t = seconds.count();
  tm parts{};
  gmtime_r(&t, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     (since_epoch - seconds).count());
}

std::string FormatDuration(Duration d) {
  if (d < Duration::zero()) return "-" + FormatDuration(-d);
  const double ns = static_cast<double>(d.count());
  // Each unit ends where its last digit would round up into the next one: 999.95 ms is 1.00s, not 1000.0ms.
  if (ns < 1e3) return fmt::format("{}ns", d.count());
  if (ns < 999.5e3) return fmt::format("{:.0f}us", ns / 1e3);
  if (ns < 999.95e6) return fmt::format("{:.1f}ms", ns / 1e6);
  if (ns < 59.995e9) return fmt::format("{:.2f}s", ns / 1e9);
  const long seconds = std::lround(ns / 1e9);
  return fmt::format("{}m{:02}s", seconds / 60, seconds % 60);
}

double TimeoutScale() {
  static const double scale = [] {
    const char* text = std::getenv("SQUALL_TIMEOUT_SCALE");
    if (text == nullptr) return 1.0;
    char* end = nullptr;
    const double value = std::strtod(text, &end);
    if (end == text || *end != '\0') return 1.0;
    return std::clamp(value, 1.0, 100.0);
  }();
  return scale;
}

Duration Scaled(Duration d) {
  return Duration(static_cast<Duration::rep>(static_cast<double>(d.count()) * TimeoutScale()));
}

}  // namespace squall
