#include "harness/doctor/watch.h"

#include <gmock/gmock.h>

namespace squall::doctor {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr WallTime kNoon{std::chrono::seconds(1767268800)};

Diagnosis HealthyWith(std::int64_t pollers) {
  Diagnosis diagnosis;
  diagnosis.complete = true;
  diagnosis.target = "temporal:1";
  diagnosis.took = std::chrono::milliseconds(70);
  diagnosis.queue = QueueFigures{pollers, pollers, 0, {}};
  for (std::int64_t i = 0; i < pollers; ++i) {
    diagnosis.queue->pollers.push_back(
        {"activity", fmt::format("{}@<host>", i), "shop.b1", std::chrono::milliseconds(1500 + i)});
  }
  diagnosis.Row(Layer::kTcp, "", State::kOk, "<open>");
  return diagnosis;
}
Diagnosis RefusedTarget() {
  Diagnosis diagnosis;
  diagnosis.target = "temporal:1";
  diagnosis.Row(Layer::kTcp, "", State::kFail, "refused");
  diagnosis.Add("tcp.refused", Weight::kBroken, "127.0.0.1: connection refused");
  return diagnosis;
}

TEST(WatchTest, OnlyChangesAreTold) {
  WatchState state;
  EXPECT_EQ(
      state.Observe(HealthyWith(2), kNoon),
      "2026-01-01T12:00:00Z healthy: 2 workflow and 2 activity pollers, 0 tasks wait [70.0ms]");
  EXPECT_EQ(state.Observe(HealthyWith(2), kNoon), "");
  EXPECT_THAT(
      state.Observe(RefusedTarget(), kNoon),
      HasSubstr(
          "broken: Nothing listens on that port (tcp.refused): 127.0.0.1: connection refused"));
  EXPECT_EQ(state.Observe(RefusedTarget(), kNoon), "");
  EXPECT_THAT(state.Observe(HealthyWith(1), kNoon), HasSubstr("healthy: 1 workflow"));
}

TEST(WatchTest, MetricsAndPageShowTheLastLook) {
  WatchState state;
  EXPECT_THAT(state.Metrics(), HasSubstr("squall_doctor_examinations_total 0\n"));
  state.Observe(RefusedTarget(), kNoon);
  EXPECT_THAT(state.Metrics(), HasSubstr("squall_doctor_layer_ok{layer=\"tcp\"} 0\n"));
  state.Observe(HealthyWith(3), kNoon);
  const std::string metrics = state.Metrics();
  for (const char* line :
       {"squall_doctor_examinations_total 2\n",
        "squall_doctor_causes_total{cause=\"tcp.refused\"} 1\n", "squall_doctor_healthy 1\n",
        "squall_doctor_pollers{kind=\"activity\"} 3\n", "squall_doctor_backlog_tasks 0\n",
        "squall_doctor_last_poll_seconds{kind=\"activity\"} 1.500\n",
        "squall_doctor_layer_ok{layer=\"tcp\"} 1\n"}) {
    EXPECT_THAT(metrics, HasSubstr(line));
  }
  const std::string page = state.Page();
  EXPECT_THAT(page, HasSubstr("<h1>healthy</h1>"));
  EXPECT_THAT(page, HasSubstr("&lt;open&gt;"));
  EXPECT_THAT(page, HasSubstr("<td>activity</td><td>2@&lt;host&gt;</td><td>shop.b1</td>"));
  EXPECT_THAT(page, Not(HasSubstr("<open>")));
}

}  // namespace
}  // namespace squall::doctor
