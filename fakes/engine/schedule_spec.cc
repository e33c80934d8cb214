#include "fakes/engine/schedule_spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "fakes/engine/errors.h"
#include "fakes/engine/farm_hash.h"
#include "fakes/engine/time_zones.h"
#include "fakes/engine/times.h"

namespace squall::fakes::engine {
namespace {

// Candidates tried until the exclusions leave one. The real server tries without end; this many
// are all hours until 2100.
constexpr int kMaxExcluded = 1'000'000;
constexpr std::int64_t kHour = 3600;

std::int64_t Seconds(WallTime time) {
  return std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
}
std::int64_t Seconds(const google::protobuf::Duration& duration) {
  return std::chrono::duration_cast<std::chrono::seconds>(FromProto(duration)).count();
}
WallTime FromSeconds(std::int64_t unix) { return WallTime(std::chrono::seconds(unix)); }

std::uint64_t Mask(const google::protobuf::RepeatedPtrField<schedulepb::Range>& ranges) {
  std::uint64_t bits = 0;
  for (const schedulepb::Range& range : ranges) {
    const int step = std::max(range.step(), 1);
    const int end = std::min(std::max(range.end(), range.start()), 63);
    for (int value = std::max(range.start(), 0); value <= end; value += step)
      bits |= std::uint64_t{1} << value;
  }
  return bits;
}

StatusOr<absl::TimeZone> ZoneOf(const schedulepb::ScheduleSpec& spec) {
  if (!spec.timezone_data().empty()) return ZoneFromData(spec.timezone_data());
  return LoadZone(spec.timezone_name());
}

}  // namespace

bool CompiledSpec::Calendar::MatchesYear(std::int64_t year) const {
  return years.empty() || std::find(years.begin(), years.end(), year) != years.end();
}

CompiledSpec::Calendar CompiledSpec::Bits(const schedulepb::StructuredCalendarSpec& spec) {
  Calendar calendar{.second = Mask(spec.second()),
                    .minute = Mask(spec.minute()),
                    .hour = Mask(spec.hour()),
                    .day = Mask(spec.day_of_month()),
                    .month = Mask(spec.month()),
                    .weekday = Mask(spec.day_of_week())};
  for (const schedulepb::Range& range : spec.year()) {
    const int step = std::max(range.step(), 1);
    const int end = std::min<int>(std::max(range.end(), range.start()), kMaxYear);
    for (int year = std::max(range.start(), 0); year <= end; year += step)
      calendar.years.push_back(year);
  }
  return calendar;
}

StatusOr<CompiledSpec> CompiledSpec::Compile(schedulepb::ScheduleSpec spec) {
  CompiledSpec compiled;
  SQUALL_ASSIGN_OR_RETURN(compiled.zone_, ZoneOf(spec));
  compiled.spec_ = std::move(spec);
  for (const auto& calendar : compiled.spec_.structured_calendar())
    compiled.calendars_.push_back(Bits(calendar));
  for (const auto& calendar : compiled.spec_.exclude_structured_calendar())
    compiled.excludes_.push_back(Bits(calendar));
  return compiled;
}

std::int64_t CompiledSpec::Offset(std::int64_t unix) const {
  return zone_.At(absl::FromUnixSeconds(unix)).offset;
}

absl::CivilSecond CompiledSpec::Local(std::int64_t unix) const {
  return zone_.At(absl::FromUnixSeconds(unix)).cs;
}

std::int64_t CompiledSpec::FromLocal(const absl::CivilSecond& local) const {
  const std::int64_t as_utc = local - absl::CivilSecond(1970);
  const std::int64_t guess = Offset(as_utc);
  return guess == 0 ? as_utc : as_utc - Offset(as_utc - guess);
}

// Walks the local clock from field to field. `again` is the hour that is added in the second pass
// through an hour which the end of daylight saving time repeats.
std::optional<std::int64_t> CompiledSpec::NextOf(const Calendar& calendar,
                                                 std::int64_t after) const {
  const absl::CivilSecond from = Local(after);
  std::int64_t year = from.year();
  int month = from.month(), day = from.day(), hour = from.hour(), minute = from.minute(),
      second = from.second() + 1;
  std::int64_t again = Local(after - kHour).hour() == hour ? kHour : 0;
  const auto has = [](std::uint64_t bits, int value) { return (bits >> value & 1) != 0; };
  while (true) {
    if (second >= 60) {
      ++minute;
      second = 0;
    }
    if (minute >= 60) {
      const std::int64_t before = FromLocal(absl::CivilSecond(year, month, day, hour));
      const std::int64_t then = FromLocal(absl::CivilSecond(year, month, day, hour + 1));
      minute = 0;
      if (again == 0 && then - before > kHour) {
        again = kHour;  // the hour comes twice: once more, later
      } else {
        ++hour;
        again = 0;
      }
    }
    if (hour >= 24) {
      ++day;
      hour = 0;
    }
    if (day > 28 && absl::CivilDay(year, month, day).month() != month) {
      ++month;
      day = 1;
    }
    if (month > 12) {
      ++year;
      month = 1;
    }
    if (year > kMaxYear) return std::nullopt;
    if (!calendar.MatchesYear(year)) {
      ++year;
      month = day = 1;
      hour = minute = second = 0;
      again = 0;
      continue;
    }
    if (!has(calendar.month, month)) {
      ++month;
      day = 1;
      hour = minute = second = 0;
      again = 0;
      continue;
    }
    const auto weekday = [&] {
      const auto local =
          Local(FromLocal(absl::CivilSecond(year, month, day, hour, minute, second)));
      return (static_cast<int>(absl::GetWeekday(local)) + 1) % 7;  // absl begins with Monday
    };
    if (!has(calendar.day, day) || !has(calendar.weekday, weekday())) {
      ++day;
      hour = minute = second = 0;
      again = 0;
      continue;
    }
    if (!has(calendar.hour, hour)) {
      ++hour;
      minute = second = 0;
      again = 0;
      continue;
    }
    if (!has(calendar.minute, minute)) {
      ++minute;
      second = 0;
      continue;
    }
    if (!has(calendar.second, second)) {
      ++second;
      continue;
    }
    const std::int64_t found = FromLocal(absl::CivilSecond(year, month, day, hour, minute, second));
    if (Local(found).hour() != hour) {  // a time that the start of daylight saving time skips
      ++hour;
      minute = second = 0;
      continue;
    }
    return found + again;
  }
}

bool CompiledSpec::Excluded(std::int64_t unix) const {
  if (excludes_.empty()) return false;
  const absl::CivilSecond local = Local(unix);
  const int weekday = (static_cast<int>(absl::GetWeekday(local)) + 1) % 7;
  return std::any_of(excludes_.begin(), excludes_.end(), [&](const Calendar& calendar) {
    return calendar.MatchesYear(local.year()) && (calendar.month >> local.month() & 1) != 0 &&
           (calendar.day >> local.day() & 1) != 0 && (calendar.weekday >> weekday & 1) != 0 &&
           (calendar.hour >> local.hour() & 1) != 0 &&
           (calendar.minute >> local.minute() & 1) != 0 &&
           (calendar.second >> local.second() & 1) != 0;
  });
}

std::optional<std::int64_t> CompiledSpec::RawNext(std::int64_t after) const {
  std::optional<std::int64_t> first;
  const auto offer = [&](std::int64_t time) {
    if (!first || time < *first) first = time;
  };
  for (const Calendar& calendar : calendars_) {
    if (const auto next = NextOf(calendar, after)) offer(*next);
  }
  for (const auto& spec : spec_.interval()) {
    const std::int64_t interval = std::max<std::int64_t>(Seconds(spec.interval()), 1);
    const std::int64_t phase = std::max<std::int64_t>(Seconds(spec.phase()), 0);
    offer(((after - phase) / interval + 1) * interval + phase);
  }
  return first;
}

std::optional<CompiledSpec::Time> CompiledSpec::Next(std::string_view jitter_seed,
                                                     WallTime after) const {
  std::int64_t from = Seconds(after);
  // From just before the start time, so that it can be the first time itself.
  const std::int64_t start = spec_.has_start_time() ? Seconds(FromProto(spec_.start_time())) : 0;
  from = std::max(from, start - 1);
  static const std::int64_t kEnd = absl::CivilSecond(kMaxYear + 1) - absl::CivilSecond(1970);

  std::optional<std::int64_t> nominal;
  for (int tries = 0; !nominal || Excluded(*nominal); ++tries) {
    if (tries == kMaxExcluded) return std::nullopt;
    nominal = RawNext(from);
    if (!nominal || *nominal >= kEnd) return std::nullopt;
    if (spec_.has_end_time() && FromSeconds(*nominal) > FromProto(spec_.end_time()))
      return std::nullopt;
    from = *nominal;
  }

  // No jitter beyond the following time.
  auto most = std::chrono::duration_cast<std::chrono::milliseconds>(FromProto(spec_.jitter()));
  if (const auto following = RawNext(*nominal))
    most = std::min<std::chrono::milliseconds>(most, std::chrono::seconds(*following - *nominal));
  const std::uint64_t most_ms = std::min<std::uint64_t>(
      static_cast<std::uint64_t>(std::max<std::int64_t>(most.count(), 0)), 0xFFFFFFFF);
  std::chrono::milliseconds jitter{};
  if (most_ms > 0) {
    // The hash is taken over Go's binary form of the time: version, seconds since the year 1,
    // nanoseconds, and the mark of UTC.
    constexpr std::int64_t kSecondsToUnix = 62'135'596'800;
    std::string bytes(15, '\0');
    bytes[0] = 1;
    const auto since = static_cast<std::uint64_t>(*nominal + kSecondsToUnix);
    for (std::size_t i = 0; i < 8; ++i) bytes[1 + i] = static_cast<char>(since >> (56 - 8 * i));
    bytes[13] = bytes[14] = '\xFF';
    bytes += jitter_seed;
    jitter = std::chrono::milliseconds(std::uint64_t{Fingerprint32(bytes)} * most_ms >> 32);
  }
  return Time{FromSeconds(*nominal), FromSeconds(*nominal) + jitter};
}

}  // namespace squall::fakes::engine
