#include "fakes/engine/cron.h"

#include <absl/time/civil_time.h>
#include <absl/time/time.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bitset>
#include <charconv>
#include <chrono>
#include <string>
#include <vector>

#include "fakes/engine/errors.h"

namespace squall::fakes::engine {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

struct CronSchedule {
  std::optional<Duration> every;  // @every
  std::bitset<60> minute;
  std::bitset<24> hour;
  std::bitset<32> day;
  std::bitset<13> month;
  std::bitset<7> weekday;  // 0: Sunday
  bool any_day = false, any_weekday = false;
  absl::TimeZone zone = absl::UTCTimeZone();
};

std::vector<std::string> SplitOn(std::string_view text, char separator) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find(separator, begin), text.size());
    if (end > begin || separator == ',') parts.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

// The real server says no more than this; what is wrong helps whoever reads the code.
Status Bad(std::string_view) { return InvalidArgument("invalid CronSchedule."); }

StatusOr<int> Number(std::string_view text, const std::vector<std::string_view>& names,
                     int first_name) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (lower == names[i]) return static_cast<int>(i) + first_name;
  }
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return Bad(fmt::format("failed to parse int from {}", text));
  }
  return value;
}

template <std::size_t N>
StatusOr<bool> ParseField(std::string_view field, int low, int high,
                          const std::vector<std::string_view>& names, int first_name,
                          std::bitset<N>* out) {
  bool any = false;
  for (const std::string& part : SplitOn(field, ',')) {
    std::string_view range = part;
    int step = 1;
    const std::size_t slash = range.find('/');
    if (slash != std::string_view::npos) {
      SQUALL_ASSIGN_OR_RETURN(step, Number(range.substr(slash + 1), {}, 0));
      range = range.substr(0, slash);
      if (step <= 0) return Bad("step of range should be a positive number: " + part);
    }
    int from = low, to = high;
    if (range == "*" || range == "?") {
      any = any || slash == std::string_view::npos;
    } else {
      const std::size_t dash = range.find('-');
      SQUALL_ASSIGN_OR_RETURN(from, Number(range.substr(0, dash), names, first_name));
      if (dash != std::string_view::npos) {
        SQUALL_ASSIGN_OR_RETURN(to, Number(range.substr(dash + 1), names, first_name));
      } else if (slash == std::string_view::npos) {
        to = from;
      }
    }
    if (from < low || to > high || from > to)
      return Bad(fmt::format("value out of range: {}", part));
    for (int value = from; value <= to; value += step) out->set(static_cast<std::size_t>(value));
  }
  return any;
}

StatusOr<Duration> ParseCronEvery(std::string_view text) {
  // Go durations: 1h30m, 90s, 500ms.
  Duration total{};
  if (text.empty()) return Bad("failed to parse duration");
  while (!text.empty()) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc()) return Bad("failed to parse duration");
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    Duration unit{};
    if (text.starts_with("ms")) {
      unit = std::chrono::milliseconds(1);
      text.remove_prefix(2);
    } else if (text.starts_with("h") || text.starts_with("m") || text.starts_with("s")) {
      unit = text.front() == 'h'   ? Duration(hours(1))
             : text.front() == 'm' ? Duration(minutes(1))
                                   : Duration(seconds(1));
      text.remove_prefix(1);
    } else {
      return Bad("failed to parse duration");
    }
    total += Duration(static_cast<std::int64_t>(value * static_cast<double>(unit.count())));
  }
  if (total < seconds(1)) return Bad("@every needs at least 1s");
  return total;
}

StatusOr<CronSchedule> Parse(std::string_view text) {
  CronSchedule schedule;
  for (const std::string_view prefix : {"CRON_TZ=", "TZ="}) {
    if (!text.starts_with(prefix)) continue;
    const std::size_t space = text.find(' ');
    const std::string_view zone = text.substr(prefix.size(), space - prefix.size());
    if (!absl::LoadTimeZone(absl::string_view(zone.data(), zone.size()), &schedule.zone))
      return Bad(fmt::format("there is no time zone {}", zone));
    text = space == std::string_view::npos ? std::string_view() : text.substr(space + 1);
    break;
  }
  if (text.starts_with("@every ")) {
    SQUALL_ASSIGN_OR_RETURN(schedule.every, ParseCronEvery(text.substr(7)));
    return schedule;
  }
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kNames = {
      {{"@yearly", "0 0 1 1 *"},
       {"@annually", "0 0 1 1 *"},
       {"@monthly", "0 0 1 * *"},
       {"@weekly", "0 0 * * 0"},
       {"@daily", "0 0 * * *"},
       {"@midnight", "0 0 * * *"},
       {"@hourly", "0 * * * *"}}};
  for (const auto& [name, meaning] : kNames) {
    if (text == name) text = meaning;
  }
  const std::vector<std::string> fields = SplitOn(text, ' ');
  if (fields.size() != 5)
    return Bad(fmt::format("expected exactly 5 fields, found {}: [{}]", fields.size(), text));
  static const std::vector<std::string_view> kMonths = {"jan", "feb", "mar", "apr", "may", "jun",
                                                        "jul", "aug", "sep", "oct", "nov", "dec"};
  static const std::vector<std::string_view> kWeekdays = {"sun", "mon", "tue", "wed",
                                                          "thu", "fri", "sat"};
  SQUALL_RETURN_IF_ERROR(ParseField(fields[0], 0, 59, {}, 0, &schedule.minute).status());
  SQUALL_RETURN_IF_ERROR(ParseField(fields[1], 0, 23, {}, 0, &schedule.hour).status());
  SQUALL_ASSIGN_OR_RETURN(schedule.any_day, ParseField(fields[2], 1, 31, {}, 0, &schedule.day));
  SQUALL_RETURN_IF_ERROR(ParseField(fields[3], 1, 12, kMonths, 1, &schedule.month).status());
  SQUALL_ASSIGN_OR_RETURN(schedule.any_weekday,
                          ParseField(fields[4], 0, 6, kWeekdays, 0, &schedule.weekday));
  return schedule;
}

// The first matching minute after `after`, by the clocks of the schedule's zone: hours that they
// skip never come, hours that they repeat come twice. nullopt when there is none in five years.
std::optional<WallTime> NextAfter(const CronSchedule& schedule, WallTime after) {
  absl::Time at = absl::FromUnixSeconds(
      std::chrono::duration_cast<seconds>(std::chrono::floor<minutes>(after).time_since_epoch())
          .count());
  at += absl::Minutes(1);
  const absl::Time limit = at + absl::Hours(24 * 5 * 366);
  while (at < limit) {
    const absl::CivilSecond local = absl::ToCivilSecond(at, schedule.zone);
    const absl::CivilDay day(local);
    const bool by_day = schedule.day.test(static_cast<std::size_t>(day.day()));
    // absl counts from Monday, cron from Sunday.
    const auto weekday = (static_cast<std::size_t>(absl::GetWeekday(day)) + 1) % 7;
    const bool by_weekday = schedule.weekday.test(weekday);
    const bool day_matches =
        schedule.any_day || schedule.any_weekday ? by_day && by_weekday : by_day || by_weekday;
    if (!schedule.month.test(static_cast<std::size_t>(day.month())) || !day_matches) {
      at = absl::FromCivil(absl::CivilSecond(day + 1), schedule.zone);
    } else if (!schedule.hour.test(static_cast<std::size_t>(local.hour()))) {
      at += absl::Minutes(60 - local.minute());
    } else if (!schedule.minute.test(static_cast<std::size_t>(local.minute()))) {
      at += absl::Minutes(1);
    } else {
      return WallTime(seconds(absl::ToUnixSeconds(at)));
    }
  }
  return std::nullopt;
}

}  // namespace

Status CheckCron(std::string_view schedule) {
  if (schedule.empty()) return absl::OkStatus();
  return Parse(schedule).status();
}

std::optional<Duration> CronBackoff(std::string_view text, WallTime started, WallTime closed) {
  if (text.empty()) return std::nullopt;
  const auto schedule = Parse(text);
  if (!schedule.ok()) return std::nullopt;
  if (schedule->every) {
    // Starts lie on multiples of the interval after the first.
    const Duration since = std::max(Duration{}, closed - started);
    return std::chrono::ceil<seconds>(*schedule->every - since % *schedule->every);
  }
  const auto next = NextAfter(*schedule, closed);
  if (!next) return std::nullopt;
  return std::chrono::ceil<seconds>(*next - closed);  // as the real server rounds
}

}  // namespace squall::fakes::engine
