// What the doctor does beyond a look: the long poll and its company, and the canary.

#include <gmock/gmock.h>

#include "tests/integration/doctor/bed.h"

namespace squall::doctor {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

std::string CauseNamed(const Diagnosis& diagnosis) {
  const Finding* cause = diagnosis.cause();
  return cause != nullptr ? cause->cause : std::string(VerdictName(diagnosis.verdict()));
}
std::string DetailOf(const Diagnosis& diagnosis, std::string_view row) {
  for (const Check& check : diagnosis.checks) {
    if ((check.name.empty() ? LayerName(check.layer) : check.name) == row) return check.detail;
  }
  return "no such row";
}

// A server whose polls last so long, and a doctor that waits for two seconds and sends a ping after
// so long: servers mind those that come too often.
Diagnosis Deep(const std::string& rule, Path path = Path::kPlain, Duration long_poll = 300ms,
               Duration ping_after = 5s) {
  DoctorBed bed(1);
  fakes::FakeServerOptions server;
  server.engine.long_poll = long_poll;
  if (!rule.empty()) server.rules = Rules(rule);
  bed.options.deep = true;
  bed.options.deep_options.poll = Scaled(2s);
  bed.options.deep_options.ping_interval = ping_after;
  bed.options.deep_options.ping_limit = 300ms;
  bed.Serve(path, std::move(server));
  return bed.Examine();
}

TEST(DoctorDeepTest, APathThatIsRightIsHealthy) {
  for (const Path path : kPaths) {
    const Diagnosis diagnosis = Deep("", path);
    EXPECT_EQ(CauseNamed(diagnosis), "healthy") << PathName(path);
    EXPECT_THAT(DetailOf(diagnosis, "long poll"), HasSubstr("and answered"));
    EXPECT_THAT(DetailOf(diagnosis, "latency"), HasSubstr("20 calls"));
    EXPECT_THAT(DetailOf(diagnosis, "message size"), HasSubstr("1.9 MB pass"));
    EXPECT_THAT(DetailOf(diagnosis, "clock"), HasSubstr("the server's clock is"));
  }
}

TEST(DoctorDeepTest, ALoadBalancerThatCutsPollsIsNamed) {
  EXPECT_EQ(
      CauseNamed(Deep(R"({"match": {"method": "Poll*"}, "do": {"read_timeout": {"by": "300ms"}}})",
                      Path::kPlain, 60s)),
      "grpc.poll_cut");
}

TEST(DoctorDeepTest, AProxyThatTakesSmallMessagesOnlyIsNamed) {
  EXPECT_EQ(
      CauseNamed(Deep(
          R"({"match": {"method": "RecordActivityTaskHeartbeat"}, "do": {"message_limit": {"bytes": 1048576, "answer": "page"}}})")),
      "grpc.message_limit");
}

TEST(DoctorDeepTest, AConnectionThatForgetsPingsIsNamed) {
  EXPECT_EQ(CauseNamed(Deep(R"({"on": "connection", "do": "withhold_ping_ack"})", Path::kPlain, 60s,
                            200ms)),
            "http.keepalive");
}

// A server that ends connections at this age, and a doctor that holds its own for 20 s at most.
Diagnosis Hold(Duration age, const std::string& rule) {
  DoctorBed bed(1);
  fakes::FakeServerOptions server;
  server.engine.long_poll = 100ms;
  server.frontend.limits.max_age = age;
  if (!rule.empty()) server.rules = Rules(rule);
  bed.options.deep = true;
  bed.options.deep_options.poll = Scaled(2s);
  bed.options.deep_options.ping_interval = 60s;
  bed.options.deep_options.hold = Scaled(20s);
  bed.Serve(Path::kPlain, std::move(server));
  return bed.Examine();
}

TEST(DoctorDeepTest, AConnectionIsHeldUntilTheServerEndsIt) {
  const Diagnosis diagnosis = Hold(500ms, "");
  EXPECT_EQ(CauseNamed(diagnosis), "healthy");
  EXPECT_THAT(DetailOf(diagnosis, "connection age"), HasSubstr("the server ends the connection"));
}

TEST(DoctorDeepTest, AConnectionThatIsCutWhileItIsHeldIsNamed) {
  const Diagnosis diagnosis = Hold(
      Duration::zero(),
      R"({"match": {"method": "PollWorkflowTaskQueue", "task_queue": "squall-doctor-*-deep", "number": 3}, "do": {"lose_answer": {"how": "reset_connection"}}})");
  EXPECT_EQ(CauseNamed(diagnosis), "grpc.poll_cut");
  EXPECT_THAT(DetailOf(diagnosis, "long poll"), HasSubstr("held for"));
  EXPECT_THAT(diagnosis.cause()->evidence, HasSubstr("the connection is reset"));
}

TEST(DoctorDeepTest, AServersClockThatIsAheadIsTold) {
  DoctorBed bed(1);
  fakes::FakeServerOptions server;
  server.engine.long_poll = 300ms;
  server.clock = bed.ServerClock(1min);
  bed.options.deep = true;
  bed.options.deep_options.poll = Scaled(2s);
  bed.Serve(Path::kPlain, std::move(server));
  const Diagnosis diagnosis = bed.Examine();
  EXPECT_EQ(CauseNamed(diagnosis), "healthy");  // it works nevertheless
  EXPECT_THAT(DetailOf(diagnosis, "clock"), HasSubstr("ahead of this one"));
  EXPECT_THAT(diagnosis.findings,
              ::testing::Contains(::testing::Field(&Finding::cause, "grpc.clock_skew")));
}

TEST(DoctorCanaryTest, ItsOwnCompletesOverEveryPath) {
  for (const Path path : kPaths) {
    DoctorBed bed(2);
    bed.Serve(path);
    bed.options.canary = "own";
    const Diagnosis diagnosis = bed.Examine();
    EXPECT_EQ(CauseNamed(diagnosis), "healthy") << PathName(path);
    EXPECT_THAT(DetailOf(diagnosis, "canary"), HasSubstr("completed"));
  }
}

TEST(DoctorCanaryTest, OneThatNobodyWorksOnIsTold) {
  DoctorBed bed(3);
  bed.Serve(Path::kPlain);
  bed.Set("TEMPORAL_TASK_QUEUE", "orders");
  bed.options.canary = "Ping";
  bed.options.canary_limit = 1s;
  EXPECT_EQ(CauseNamed(bed.Examine()), "canary.not_completed");
}

TEST(DoctorCanaryTest, OneThatMayNotBeStartedIsTold) {
  DoctorBed bed(4);
  fakes::FakeServerOptions server;
  server.rules = Rules(
      R"({"match": {"method": "StartWorkflowExecution"}, "do": {"status": {"code": "PERMISSION_DENIED", "message": "no"}}})");
  bed.Serve(Path::kPlain, std::move(server));
  bed.options.canary = "own";
  EXPECT_EQ(CauseNamed(bed.Examine()), "auth.permission_rpc");
}

}  // namespace
}  // namespace squall::doctor
