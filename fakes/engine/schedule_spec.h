#pragma once
// When schedules act: the text forms of specs (calendars with strings, cron strings), their
// canonical form, and the times that a spec means. Follows service/worker/scheduler of the real
// server, quirks of its daylight-saving arithmetic and the hash behind its jitter included.

#include <absl/time/time.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/util/clock.h"
#include "base/util/status.h"
#include "fakes/engine/pb.h"

namespace squall::fakes::engine {

namespace schedulepb = ::temporal::api::schedule::v1;

inline constexpr int kMaxYear = 2100;  // of calendars

// Everything as structured calendars and intervals, checked: what DescribeSchedule shows. The
// errors' texts are the real server's, without its prefix "Invalid schedule spec: ".
StatusOr<schedulepb::ScheduleSpec> CanonicalSpec(const schedulepb::ScheduleSpec& spec);

// Writes the defaults of ranges (end, step) out, as Describe and List do.
void FillRanges(schedulepb::ScheduleSpec* spec);

class CompiledSpec {
 public:
  struct Time {
    WallTime nominal;  // that matches
    WallTime actual;   // with jitter
  };

  // `spec` is canonical. Time zones come from the system's tz database.
  static StatusOr<CompiledSpec> Compile(schedulepb::ScheduleSpec spec);

  // The first time after `after`; nullopt when there is none until the end of the spec or of the
  // year 2100. The seed makes the jitter: "<namespace id>-<schedule id>".
  std::optional<Time> Next(std::string_view jitter_seed, WallTime after) const;

  const schedulepb::ScheduleSpec& spec() const { return spec_; }

 private:
  // One structured calendar; bit n of a field: n matches.
  struct Calendar {
    std::uint64_t second = 0, minute = 0, hour = 0, day = 0, month = 0, weekday = 0;
    std::vector<int> years;  // empty: all
    bool MatchesYear(std::int64_t year) const;
  };

  static Calendar Bits(const schedulepb::StructuredCalendarSpec& spec);
  bool Excluded(std::int64_t unix) const;
  std::optional<std::int64_t> RawNext(std::int64_t after) const;
  std::optional<std::int64_t> NextOf(const Calendar& calendar, std::int64_t after) const;
  // Seconds since 1970 of a local time, resolved as Go's time.Date does it.
  std::int64_t FromLocal(const absl::CivilSecond& local) const;
  absl::CivilSecond Local(std::int64_t unix) const;
  std::int64_t Offset(std::int64_t unix) const;

  schedulepb::ScheduleSpec spec_;
  absl::TimeZone zone_;
  std::vector<Calendar> calendars_, excludes_;
};

}  // namespace squall::fakes::engine
