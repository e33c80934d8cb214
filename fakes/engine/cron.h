#pragma once
// Cron schedules of workflows: five fields (minute hour day month weekday) with * , - /, names of
// months and weekdays, the @hourly family, @every DURATION, and a time zone prefix
// (CRON_TZ=Europe/Berlin or TZ=...).

#include <optional>
#include <string_view>

#include "base/util/clock.h"
#include "base/util/status.h"

namespace squall::fakes::engine {

Status CheckCron(std::string_view schedule);
// From `closed` to the next start after it, counted as the real server does from `started`; nullopt
// without schedule.
std::optional<Duration> CronBackoff(std::string_view schedule, WallTime started, WallTime closed);

}  // namespace squall::fakes::engine
