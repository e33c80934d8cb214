// Expected times and texts were taken from the dev server 1.32.0.

#include "fakes/engine/schedule_spec.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <fstream>
#include <iterator>

#include "fakes/engine/go_duration.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/fakes/engine/client.h"

namespace squall::fakes::engine {
namespace {

using ::squall::testing::IsOk;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

WallTime At(const std::string& text) {
  absl::Time time;
  std::string error;
  EXPECT_TRUE(absl::ParseTime(absl::RFC3339_full, text, &time, &error)) << error;
  return WallTime(std::chrono::nanoseconds(absl::ToUnixNanos(time)));
}

std::vector<std::string> Times(const schedulepb::ScheduleSpec& given, const std::string& from,
                               const std::string& to, const std::string& seed = "namespace-id") {
  const auto canonical = CanonicalSpec(given);
  EXPECT_THAT(canonical, IsOk());
  const auto spec = CompiledSpec::Compile(*canonical);
  EXPECT_THAT(spec, IsOk());
  std::vector<std::string> times;
  WallTime after = At(from);
  while (const auto next = spec->Next(seed, after)) {
    if (next->actual > At(to) || times.size() == 50) break;
    after = next->actual;
    std::string text = FormatWall(after);
    EXPECT_TRUE(text.ends_with("000000Z")) << text;  // to the millisecond
    text.resize(text.size() - 7);
    times.push_back(text.ends_with(".000") ? text.substr(0, text.size() - 4) : text);
  }
  return times;
}

schedulepb::ScheduleSpec Cron(const std::string& text, const std::string& zone = {}) {
  schedulepb::ScheduleSpec spec;
  spec.add_cron_string(text);
  spec.set_timezone_name(zone);
  return spec;
}

schedulepb::ScheduleSpec Every(Duration interval, Duration phase = {}) {
  schedulepb::ScheduleSpec spec;
  *spec.add_interval()->mutable_interval() = ToProto(interval);
  if (phase.count() != 0) *spec.mutable_interval(0)->mutable_phase() = ToProto(phase);
  return spec;
}

std::string Refusal(const schedulepb::ScheduleSpec& given) {
  const auto canonical = CanonicalSpec(given);
  if (!canonical.ok()) return std::string(Message(canonical.status()));
  return std::string(Message(CompiledSpec::Compile(*canonical).status()));
}

TEST(ScheduleSpec, JittersAsTheRealServerDoes) {
  schedulepb::ScheduleSpec spec = Every(hours(1));
  spec.mutable_jitter()->set_seconds(3600);
  const std::string ns = "01a1fef8-7975-7283-aec0-ba29b7a4e7bf";
  EXPECT_THAT(
      Times(spec, "2030-01-01T00:00:00Z", "2030-01-01T05:30:00Z", ns + "-jit-a"),
      ElementsAre("2030-01-01T01:52:01.118", "2030-01-01T02:23:07.142", "2030-01-01T03:02:19.841",
                  "2030-01-01T04:05:31.355", "2030-01-01T05:15:29.077"));
  EXPECT_THAT(
      Times(spec, "2030-01-01T00:00:00Z", "2030-01-01T03:59:59Z",
            ns + "-jit-some-longer-schedule-id"),
      ElementsAre("2030-01-01T01:54:57.105", "2030-01-01T02:23:42.339", "2030-01-01T03:30:06.065"));
}

TEST(ScheduleSpec, SkipsAndRepeatsHoursWithDaylightSavingTime) {
  EXPECT_THAT(
      Times(Cron("30 2 * * *", "America/New_York"), "2026-03-07T00:00:00Z", "2026-03-11T00:00:00Z"),
      ElementsAre("2026-03-07T07:30:00", "2026-03-09T06:30:00", "2026-03-10T06:30:00"));
  EXPECT_THAT(
      Times(Cron("30 1 * * *", "America/New_York"), "2026-10-31T00:00:00Z", "2026-11-03T00:00:00Z"),
      ElementsAre("2026-10-31T05:30:00", "2026-11-01T05:30:00", "2026-11-01T06:30:00",
                  "2026-11-02T06:30:00"));
  EXPECT_THAT(
      Times(Cron("15 1,2,3 * * *", "Europe/Oslo"), "2026-10-24T22:00:00Z", "2026-10-25T04:00:00Z"),
      ElementsAre("2026-10-24T23:15:00", "2026-10-25T00:15:00", "2026-10-25T02:15:00"));
  EXPECT_THAT(Times(Cron("30 2 * * *", "Africa/Casablanca"), "2026-02-13T00:00:00Z",
                    "2026-02-17T00:00:00Z"),
              ElementsAre("2026-02-13T01:30:00", "2026-02-14T01:30:00", "2026-02-15T02:30:00",
                          "2026-02-16T02:30:00"));
  EXPECT_THAT(
      Times(Cron("0 0 * * *", "America/Sao_Paulo"), "2018-11-03T00:00:00Z", "2018-11-05T12:00:00Z"),
      ElementsAre("2018-11-03T03:00:00", "2018-11-05T02:00:00"));
}

TEST(ScheduleSpec, KeepsTheRealServersHolesWhereClocksMoveByHalfAnHour) {
  EXPECT_THAT(Times(Cron("*/20 * * * *", "Australia/Lord_Howe"), "2026-04-04T13:50:00Z",
                    "2026-04-04T15:20:00Z"),
              ElementsAre("2026-04-04T14:00:00", "2026-04-04T14:20:00", "2026-04-04T15:10:00"));
  EXPECT_THAT(Times(Cron("*/20 * * * *", "Australia/Lord_Howe"), "2026-10-03T15:00:00Z",
                    "2026-10-03T16:10:00Z"),
              ElementsAre("2026-10-03T15:10:00", "2026-10-03T15:30:00", "2026-10-03T15:40:00",
                          "2026-10-03T16:00:00"));
}

TEST(ScheduleSpec, UnderstandsCronAndCalendarStrings) {
  EXPECT_THAT(Times(Cron("0 12 * * MON-FRI"), "2026-11-21T16:40:00Z", "2026-11-24T12:00:00Z"),
              ElementsAre("2026-11-23T12:00:00", "2026-11-24T12:00:00"));
  EXPECT_THAT(Times(Cron("0 0 * * 7"), "2026-11-21T16:40:00Z", "2026-11-30T00:00:00Z"),
              ElementsAre("2026-11-22T00:00:00", "2026-11-29T00:00:00"));
  EXPECT_THAT(Times(Cron("@every 90m/10m # hi"), "2026-11-21T16:39:00Z", "2026-11-21T18:10:00Z"),
              ElementsAre("2026-11-21T16:40:00", "2026-11-21T18:10:00"));
  EXPECT_THAT(Times(Cron("1/15 * * * *"), "2026-11-21T16:40:00Z", "2026-11-21T17:01:00Z"),
              ElementsAre("2026-11-21T16:46:00", "2026-11-21T17:01:00"));
  EXPECT_THAT(Times(Cron("0 0 0 1 1 * 2099"), "2026-11-21T16:40:00Z", "2100-12-31T00:00:00Z"),
              ElementsAre("2099-01-01T00:00:00"));
  EXPECT_THAT(Times(Cron("0 0 31 feb *"), "2026-11-21T16:40:00Z", "2100-12-31T00:00:00Z"),
              IsEmpty());
  EXPECT_THAT(Times(Cron("@yearly"), "2026-11-21T16:40:00Z", "2028-01-01T00:00:00Z"),
              ElementsAre("2027-01-01T00:00:00", "2028-01-01T00:00:00"));
  schedulepb::ScheduleSpec spec;
  spec.add_calendar()->set_hour("2");
  EXPECT_THAT(Times(spec, "2026-11-21T16:40:00Z", "2026-11-23T00:00:00Z"),
              ElementsAre("2026-11-22T02:00:00"));
}

TEST(ScheduleSpec, KeepsToStartEndAndExclusions) {
  schedulepb::ScheduleSpec spec = Every(hours(1));
  *spec.mutable_start_time() = ToProto(At("2030-01-01T00:00:00Z"));
  *spec.mutable_end_time() = ToProto(At("2030-01-01T02:00:00Z"));
  EXPECT_THAT(Times(spec, "2026-01-01T00:00:00Z", "2031-01-01T00:00:00Z"),
              ElementsAre("2030-01-01T00:00:00", "2030-01-01T01:00:00", "2030-01-01T02:00:00"));
  spec = Every(hours(1));
  spec.add_exclude_calendar()->set_hour("0-12");
  spec.mutable_exclude_calendar(0)->set_minute("*");
  EXPECT_THAT(Times(spec, "2026-11-21T23:30:00Z", "2026-11-22T14:00:00Z"),
              ElementsAre("2026-11-22T13:00:00", "2026-11-22T14:00:00"));
  auto* all = spec.add_exclude_calendar();
  all->set_hour("*");
  all->set_minute("*");
  EXPECT_THAT(Times(spec, "2026-11-21T23:30:00Z", "2100-01-01T00:00:00Z"), IsEmpty());
  // A structured calendar with an empty field matches nothing.
  schedulepb::ScheduleSpec empty;
  empty.add_structured_calendar()->add_hour()->set_start(2);
  EXPECT_THAT(Times(empty, "2026-11-21T23:30:00Z", "2100-01-01T00:00:00Z"), IsEmpty());
}

TEST(ScheduleSpec, ShowsOneFormOfAllSpecs) {
  auto spec = CanonicalSpec(Cron("CRON_TZ=Europe/Oslo 0 9-17/2 * * 3-7 # work hours"));
  ASSERT_THAT(spec, IsOk());
  FillRanges(&*spec);
  EXPECT_EQ(spec->timezone_name(), "Europe/Oslo");
  EXPECT_EQ(spec->cron_string_size(), 0);
  ASSERT_EQ(spec->structured_calendar_size(), 1);
  const auto& calendar = spec->structured_calendar(0);
  EXPECT_EQ(calendar.comment(), "work hours");
  EXPECT_EQ(calendar.hour(0).start(), 9);
  EXPECT_EQ(calendar.hour(0).end(), 17);
  EXPECT_EQ(calendar.hour(0).step(), 2);
  ASSERT_EQ(calendar.day_of_week_size(), 2);  // Sunday comes first
  EXPECT_EQ(calendar.day_of_week(0).end(), 0);
  EXPECT_EQ(calendar.day_of_week(1).start(), 3);
  EXPECT_EQ(calendar.day_of_week(1).end(), 6);
  EXPECT_EQ(calendar.year_size(), 0);
}

TEST(ScheduleSpec, RefusesWithTheRealServersWords) {
  const std::pair<const char*, const char*> kCron[] = {
      {"* * *", "CronString does not have 5-7 fields"},
      {"", "CronString does not have 5-7 fields"},
      {"60 * * * *", "Minute is not in range [0-59]"},
      {"*/0 * * * *", "Minute has invalid Step"},
      {"5-1 * * * *", "Minute End is before Start or not in range [0-59]"},
      {"1-2-3 * * * *", "Minute has too many dashes"},
      {"1/2/3 * * * *", "Minute has too many slashes"},
      {"99999999999999999999 * * * *", "Minute is not in range [0-59]"},
      {"0 0 ? * ?", "DayOfWeek is not in range [0-7], DayOfMonth is not in range [1-31]"},
      {"0 0 * * * 1999", "Year is not in range [2000-2100]"},
      {"@every", "CronString does not have interval after @every"},
      {"@every 0s", "interval is too small"},
      {"@every -5m", "interval is too small"},
      {"@every x", "time: invalid duration \"x\""},
      {"@every 5", "time: missing unit in duration \"5\""},
      {"@every 5y", "time: unknown unit \"y\" in duration \"5y\""},
      {"@every 9999999h", "time: invalid duration \"9999999h\""},
      {"@every 5m/6m", "phase cannot be greater than Interval"},
      {"CRON_TZ=UTC", "CronString has time zone but missing fields"},
      {"TZ=Nope/Zone 0 0 * * *", "unknown time zone Nope/Zone"}};
  for (const auto& [cron, text] : kCron) EXPECT_EQ(Refusal(Cron(cron)), text) << cron;
  for (const char* zone : {"utc", "file:/etc/passwd", "libc:UTC", "Fixed/UTC+05:00:00", "UTC0"})
    EXPECT_EQ(Refusal(Cron("@daily", zone)), fmt::format("unknown time zone {}", zone));
  for (const char* zone : {"../etc/passwd", "/etc/localtime"})
    EXPECT_EQ(Refusal(Cron("@daily", zone)), "time: invalid location name");
  schedulepb::ScheduleSpec zones = Cron("CRON_TZ=Europe/Oslo 0 0 * * *");
  zones.add_cron_string("0 0 * * *");
  EXPECT_EQ(Refusal(zones), "conflicting timezone names");
  EXPECT_EQ(Refusal(Cron("CRON_TZ=Europe/Oslo 0 0 * * *", "UTC")), "conflicting timezone names");
  zones = Cron("@daily");
  zones.set_timezone_data("x");
  EXPECT_EQ(Refusal(zones), "malformed time zone information");
  EXPECT_EQ(Refusal(Every(milliseconds(500))), "interval is too small");
  EXPECT_EQ(Refusal(Every(seconds(10), seconds(-1))), "phase is negative");
  schedulepb::ScheduleSpec bad;
  bad.add_structured_calendar()->add_second()->set_start(60);
  bad.mutable_structured_calendar(0)->add_hour()->set_step(-1);
  bad.mutable_structured_calendar(0)->set_comment(std::string(201, 'x'));
  EXPECT_EQ(Refusal(bad),
            "invalid calendar spec: Second Start is not in range [0-59], Hour has invalid Step, "
            "comment is too long");
}

TEST(ScheduleSpec, TakesZonesAsData) {
  // The shortest there is: five hours east of UTC, always.
  std::string data = "TZif";
  data.append(16, '\0');
  for (const char count : {0, 0, 0, 0, 1, 4}) data += std::string(3, '\0') + count;
  data += std::string({0, 0, 0x46, 0x50, 0, 0}) + std::string("XYZ\0", 4);
  schedulepb::ScheduleSpec spec = Cron("@daily", "Nowhere/Special");
  spec.set_timezone_data(data);
  EXPECT_THAT(Times(spec, "2026-03-07T00:00:00Z", "2026-03-09T00:00:00Z"),
              ElementsAre("2026-03-07T19:00:00", "2026-03-08T19:00:00"));
  spec.set_timezone_data(data.substr(0, data.size() - 5));
  EXPECT_EQ(Refusal(spec), "malformed time zone information");

  std::ifstream file("/usr/share/zoneinfo/America/New_York", std::ios::binary);
  const std::string new_york{std::istreambuf_iterator<char>(file), {}};
  ASSERT_TRUE(new_york.starts_with("TZif"));
  const schedulepb::ScheduleSpec named = Cron("30 2 * * *", "America/New_York");
  schedulepb::ScheduleSpec told = Cron("30 2 * * *");
  told.set_timezone_data(new_york);
  const char* const from = "2026-03-07T00:00:00Z";
  const char* const to = "2026-11-03T00:00:00Z";
  EXPECT_EQ(Times(told, from, to), Times(named, from, to));
}

TEST(ScheduleSpec, ReadsDurationsOfGo) {
  const std::pair<const char*, Duration> kGood[] = {
      {"1.5m30s", minutes(2)},      {"+5m", minutes(5)}, {".5h", minutes(30)}, {"1d12h", hours(36)},
      {"100ms", milliseconds(100)}, {"0", Duration{}},   {"-2s", seconds(-2)}};
  for (const auto& [text, value] : kGood) {
    const auto parsed = ParseGoDuration(text);
    ASSERT_THAT(parsed, IsOk()) << text;
    EXPECT_EQ(*parsed, value) << text;
  }
  for (const char* text : {"", "-", "m", "1.", " 5m", "1..5s", "5m5"})
    EXPECT_EQ(ParseGoDuration(text).status().code(), StatusCode::kInvalidArgument) << text;
}

}  // namespace
}  // namespace squall::fakes::engine
