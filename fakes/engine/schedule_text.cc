// The text forms of schedule specs.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "base/util/text.h"
#include "fakes/engine/errors.h"
#include "fakes/engine/go_duration.h"
#include "fakes/engine/schedule_spec.h"
#include "fakes/engine/times.h"

namespace squall::fakes::engine {
namespace {

using Ranges = google::protobuf::RepeatedPtrField<schedulepb::Range>;

constexpr int kMinYear = 2000;
constexpr std::size_t kMaxComment = 200;

enum class Names { kNone, kYears, kMonths, kWeekdays };

constexpr std::array<std::string_view, 12> kMonths = {
    "january", "february", "march",     "april",   "may",      "june",
    "july",    "august",   "september", "october", "november", "december"};
constexpr std::array<std::string_view, 7> kWeekdays = {"sunday",   "monday", "tuesday", "wednesday",
                                                       "thursday", "friday", "saturday"};

std::vector<std::string_view> Words(std::string_view text) {
  std::vector<std::string_view> words;
  for (text = Trim(text); !text.empty(); text = Trim(text)) {
    const std::size_t end = std::min(text.find_first_of(" \t\n\v\f\r"), text.size());
    words.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return words;
}

std::optional<int> Integer(std::string_view text) {
  if (text.starts_with('+') && text.size() > 1 && text[1] != '-') text.remove_prefix(1);
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// A number, or the beginning of a name: at least three letters of a month, two of a weekday.
std::optional<int> ParseValue(std::string_view text, int low, int high, Names names) {
  std::optional<int> value;
  const auto find = [&](const auto& known, std::size_t shortest, int first) {
    if (text.size() < shortest) return;
    std::string lower(text);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    for (std::size_t i = 0; i < known.size() && !value; ++i) {
      if (known[i].starts_with(lower)) value = static_cast<int>(i) + first;
    }
  };
  if (names == Names::kMonths) find(kMonths, 3, 1);
  if (names == Names::kWeekdays) find(kWeekdays, 2, 0);
  if (!value) value = Integer(text);
  if (!value || *value < low || *value > high) return std::nullopt;
  return value;
}

struct CalendarField {
  std::string_view name;
  std::string_view usual;  // meant by an empty string
  int low, high;
  Names names = Names::kNone;
};

// Values equal to the default stay unset.
void AddRange(Ranges* ranges, int start, int end, int step) {
  schedulepb::Range* range = ranges->Add();
  range->set_start(start);
  range->set_end(start == end ? 0 : end);
  range->set_step(step == 1 ? 0 : step);
}

Status ParsePart(std::string_view part, const CalendarField& field, Ranges* ranges) {
  const auto bad = [&](std::string_view what) {
    return InvalidArgument(fmt::format("{} {}", field.name, what));
  };
  int step = 1;
  bool stepped = false;
  if (part.find('/') != std::string_view::npos) {
    const auto halves = Split(part, '/');
    if (halves.size() != 2) return bad("has too many slashes");
    part = halves[0];
    const auto parsed = Integer(halves[1]);
    if (!parsed) {
      return InvalidArgument(
          fmt::format("strconv.Atoi: parsing \"{}\": invalid syntax", halves[1]));
    }
    if (*parsed < 1) return bad("has invalid Step");
    step = *parsed;
    stepped = true;
  }
  int start = field.low, end = field.high;
  if (part.find('-') != std::string_view::npos) {
    const auto halves = Split(part, '-');
    if (halves.size() != 2) return bad("has too many dashes");
    const auto from = ParseValue(halves[0], field.low, field.high, field.names);
    if (!from) return bad(fmt::format("Start is not in range [{}-{}]", field.low, field.high));
    const auto to = ParseValue(halves[1], *from, field.high, field.names);
    if (!to) {
      return bad(fmt::format("End is before Start or not in range [{}-{}]", field.low, field.high));
    }
    start = *from;
    end = *to;
  } else if (part != "*") {
    const auto value = ParseValue(part, field.low, field.high, field.names);
    if (!value) return bad(fmt::format("is not in range [{}-{}]", field.low, field.high));
    start = *value;
    if (!stepped) end = start;  // with a step: from there to the end
  }
  if (field.names == Names::kWeekdays && end == 7) {
    // Sunday is 0 in the structured form: 3-7 becomes 0,3-6.
    if ((7 - start) % step == 0 && (step > 1 || start > 1)) {
      AddRange(ranges, 0, 0, 1);
      if (start == 7) return absl::OkStatus();
    }
    end = 6;
  }
  AddRange(ranges, start, end, step);
  return absl::OkStatus();
}

Status ParseField(std::string_view text, const CalendarField& field, Ranges* ranges) {
  text = Trim(text);
  if (text.empty()) text = field.usual;
  if (text == "*" && field.names == Names::kYears) return absl::OkStatus();  // no range: all
  for (const std::string_view part : Split(text, ',')) {
    if (Status status = ParsePart(part, field, ranges); !status.ok()) {
      ranges->Clear();
      return status;
    }
  }
  return absl::OkStatus();
}

StatusOr<schedulepb::StructuredCalendarSpec> Structured(const schedulepb::CalendarSpec& text) {
  schedulepb::StructuredCalendarSpec calendar;
  std::vector<std::string> errors;
  const auto parse = [&](const std::string& value, const CalendarField& field, Ranges* ranges) {
    const Status status = ParseField(value, field, ranges);
    if (!status.ok()) errors.emplace_back(Message(status));
  };
  parse(text.second(), {"Second", "0", 0, 59}, calendar.mutable_second());
  parse(text.minute(), {"Minute", "0", 0, 59}, calendar.mutable_minute());
  parse(text.hour(), {"Hour", "0", 0, 23}, calendar.mutable_hour());
  parse(text.day_of_week(), {"DayOfWeek", "*", 0, 7, Names::kWeekdays},
        calendar.mutable_day_of_week());
  parse(text.day_of_month(), {"DayOfMonth", "*", 1, 31}, calendar.mutable_day_of_month());
  parse(text.month(), {"Month", "*", 1, 12, Names::kMonths}, calendar.mutable_month());
  parse(text.year(), {"Year", "*", kMinYear, kMaxYear, Names::kYears}, calendar.mutable_year());
  calendar.set_comment(text.comment());
  if (!errors.empty()) return InvalidArgument(fmt::format("{}", fmt::join(errors, ", ")));
  return calendar;
}

// "@every 90m/10m"
StatusOr<schedulepb::IntervalSpec> ParseEvery(std::string_view text) {
  const std::size_t space = text.find(' ');
  if (space == std::string_view::npos)
    return InvalidArgument("CronString does not have interval after @every");
  text.remove_prefix(space + 1);
  const std::size_t slash = text.find('/');
  schedulepb::IntervalSpec spec;
  SQUALL_ASSIGN_OR_RETURN(const Duration interval, ParseGoDuration(text.substr(0, slash)));
  *spec.mutable_interval() = ToProto(interval);
  if (slash != std::string_view::npos && slash + 1 < text.size()) {
    SQUALL_ASSIGN_OR_RETURN(const Duration phase, ParseGoDuration(text.substr(slash + 1)));
    *spec.mutable_phase() = ToProto(phase);
  }
  return spec;
}

// Adds what `text` means to `spec`; returns the time zone that it names, "" for none.
StatusOr<std::string> AddCron(std::string_view text, schedulepb::ScheduleSpec* spec) {
  text = Trim(text);
  std::string zone;
  if (text.starts_with("TZ=") || text.starts_with("CRON_TZ=")) {
    const std::size_t space = text.find(' ');
    if (space == std::string_view::npos)
      return InvalidArgument("CronString has time zone but missing fields");
    const std::size_t equal = text.find('=');
    zone = text.substr(equal + 1, space - equal - 1);
    text.remove_prefix(space + 1);
  }
  const std::size_t hash = text.find('#');
  const std::string_view comment =
      hash == std::string_view::npos ? std::string_view() : Trim(text.substr(hash + 1));
  text = Trim(text.substr(0, hash));
  if (text.starts_with("@every")) {
    SQUALL_ASSIGN_OR_RETURN(*spec->add_interval(), ParseEvery(text));
    return std::string();  // intervals know no zone, and the real server forgets the given one
  }
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kNamed = {
      {{"@yearly", "0 0 1 1 *"},
       {"@annually", "0 0 1 1 *"},
       {"@monthly", "0 0 1 * *"},
       {"@weekly", "0 0 * * 0"},
       {"@daily", "0 0 * * *"},
       {"@midnight", "0 0 * * *"},
       {"@hourly", "0 * * * *"}}};
  for (const auto& [name, meaning] : kNamed) {
    if (text == name) text = meaning;
  }
  std::vector<std::string_view> fields = Words(text);
  if (fields.size() < 5 || fields.size() > 7)
    return InvalidArgument("CronString does not have 5-7 fields");
  schedulepb::CalendarSpec calendar;
  if (fields.size() == 7) {
    calendar.set_second(std::string(fields.front()));
    fields.erase(fields.begin());
  }
  calendar.set_minute(std::string(fields[0]));
  calendar.set_hour(std::string(fields[1]));
  calendar.set_day_of_month(std::string(fields[2]));
  calendar.set_month(std::string(fields[3]));
  calendar.set_day_of_week(std::string(fields[4]));
  if (fields.size() == 6) calendar.set_year(std::string(fields[5]));
  calendar.set_comment(std::string(comment));
  SQUALL_ASSIGN_OR_RETURN(*spec->add_structured_calendar(), Structured(calendar));
  return zone;
}

Status CheckCalendar(const schedulepb::StructuredCalendarSpec& calendar) {
  std::vector<std::string> errors;
  const auto check = [&](const Ranges& ranges, std::string_view name, int low, int high) {
    for (const schedulepb::Range& range : ranges) {
      if (range.start() < low || range.start() > high)
        errors.push_back(fmt::format("{} Start is not in range [{}-{}]", name, low, high));
      if (range.end() != 0 && (range.end() < range.start() || range.end() > high)) {
        errors.push_back(
            fmt::format("{} End is before Start or not in range [{}-{}]", name, low, high));
      }
      if (range.step() < 0) errors.push_back(fmt::format("{} has invalid Step", name));
    }
  };
  check(calendar.second(), "Second", 0, 59);
  check(calendar.minute(), "Minute", 0, 59);
  check(calendar.hour(), "Hour", 0, 23);
  check(calendar.day_of_month(), "DayOfMonth", 1, 31);
  check(calendar.month(), "Month", 1, 12);
  check(calendar.year(), "Year", kMinYear, kMaxYear);
  check(calendar.day_of_week(), "DayOfWeek", 0, 6);
  if (calendar.comment().size() > kMaxComment) errors.emplace_back("comment is too long");
  if (errors.empty()) return absl::OkStatus();
  return InvalidArgument(fmt::format("invalid calendar spec: {}", fmt::join(errors, ", ")));
}

Status CheckInterval(const schedulepb::IntervalSpec& spec) {
  const Duration interval = FromProto(spec.interval()), phase = FromProto(spec.phase());
  if (interval < std::chrono::seconds(1)) return InvalidArgument("interval is too small");
  if (phase.count() < 0) return InvalidArgument("phase is negative");
  if (phase >= interval) return InvalidArgument("phase cannot be greater than Interval");
  return absl::OkStatus();
}

}  // namespace

StatusOr<Duration> ParseGoDuration(std::string_view text) {
  const auto bad = [&] {
    return InvalidArgument(fmt::format("time: invalid duration \"{}\"", text));
  };
  std::string_view rest = text;
  bool negative = false;
  if (rest.starts_with('-') || rest.starts_with('+')) {
    negative = rest.front() == '-';
    rest.remove_prefix(1);
  }
  if (rest == "0") return Duration{};
  if (rest.empty()) return bad();
  long double total = 0;
  while (!rest.empty()) {
    const std::size_t digits = std::min(rest.find_first_not_of("0123456789."), rest.size());
    const std::string_view number = rest.substr(0, digits);
    if (number.find_first_of("0123456789") == std::string_view::npos ||
        std::count(number.begin(), number.end(), '.') > 1) {
      return bad();
    }
    const long double value = std::strtold(std::string(number).c_str(), nullptr);
    rest.remove_prefix(digits);
    const std::size_t letters = std::min(rest.find_first_of("0123456789."), rest.size());
    const std::string_view unit = rest.substr(0, letters);
    rest.remove_prefix(letters);
    static constexpr std::array<std::pair<std::string_view, std::int64_t>, 9> kUnits = {
        {{"ns", 1},
         {"us", 1'000},
         {"\xC2\xB5s", 1'000},
         {"\xCE\xBCs", 1'000},
         {"ms", 1'000'000},
         {"s", 1'000'000'000},
         {"m", 60'000'000'000},
         {"h", 3'600'000'000'000},
         {"d", 86'400'000'000'000}}};
    if (unit.empty())
      return InvalidArgument(fmt::format("time: missing unit in duration \"{}\"", text));
    const auto known = std::find_if(kUnits.begin(), kUnits.end(),
                                    [&](const auto& candidate) { return candidate.first == unit; });
    if (known == kUnits.end()) {
      return InvalidArgument(
          fmt::format("time: unknown unit \"{}\" in duration \"{}\"", unit, text));
    }
    total += value * static_cast<long double>(known->second);
    if (total > static_cast<long double>(std::numeric_limits<std::int64_t>::max())) return bad();
  }
  const auto nanos = static_cast<std::int64_t>(total);
  return Duration(negative ? -nanos : nanos);
}

StatusOr<schedulepb::ScheduleSpec> CanonicalSpec(const schedulepb::ScheduleSpec& given) {
  schedulepb::ScheduleSpec spec = given;
  for (const auto& calendar : spec.calendar()) {
    SQUALL_ASSIGN_OR_RETURN(*spec.add_structured_calendar(), Structured(calendar));
  }
  spec.clear_calendar();
  for (const auto& calendar : spec.exclude_calendar()) {
    SQUALL_ASSIGN_OR_RETURN(*spec.add_exclude_structured_calendar(), Structured(calendar));
  }
  spec.clear_exclude_calendar();

  // All cron strings name the same zone, or none does; an explicit zone must agree.
  constexpr char kConflict[] = "conflicting timezone names";
  std::optional<std::string> zone;
  for (const std::string& cron : given.cron_string()) {
    SQUALL_ASSIGN_OR_RETURN(std::string named, AddCron(cron, &spec));
    if (zone && named != *zone) return InvalidArgument(kConflict);
    zone = std::move(named);
  }
  spec.clear_cron_string();
  if (zone && !zone->empty()) {
    if ((!spec.timezone_name().empty() && spec.timezone_name() != *zone) ||
        !spec.timezone_data().empty()) {
      return InvalidArgument(kConflict);
    }
    spec.set_timezone_name(*zone);
  }

  for (const auto& calendar : spec.structured_calendar())
    SQUALL_RETURN_IF_ERROR(CheckCalendar(calendar));
  for (const auto& interval : spec.interval()) SQUALL_RETURN_IF_ERROR(CheckInterval(interval));
  return spec;
}

void FillRanges(schedulepb::ScheduleSpec* spec) {
  const auto fill = [](Ranges* ranges) {
    for (schedulepb::Range& range : *ranges) {
      if (range.end() < range.start()) range.set_end(range.start());
      if (range.step() == 0) range.set_step(1);
    }
  };
  const auto fill_all = [&](auto* calendars) {
    for (schedulepb::StructuredCalendarSpec& calendar : *calendars) {
      fill(calendar.mutable_second());
      fill(calendar.mutable_minute());
      fill(calendar.mutable_hour());
      fill(calendar.mutable_day_of_month());
      fill(calendar.mutable_month());
      fill(calendar.mutable_year());
      fill(calendar.mutable_day_of_week());
    }
  };
  fill_all(spec->mutable_structured_calendar());
  fill_all(spec->mutable_exclude_structured_calendar());
}

}  // namespace squall::fakes::engine
