#pragma once
// Journals told as stories: events at times, and the verdict of one check on them. Checks are
// written as in a scenario file and read by the real loader, so that their tables are tested along.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "base/journal/event.h"
#include "scenarios/checks/judge.h"
#include "scenarios/checks/registry.h"
#include "scenarios/format/loader.h"

namespace squall::scenarios {

using namespace std::chrono_literals;
using namespace squall::journal;  // NOLINT(google-build-using-namespace): a checker reads nothing
                                  // else

// A file with these checks, and one of everything that they may name: servers temporal and edge,
// link wire, workers w, v and host, client app, fault outage.
inline StatusOr<Scenario> LoadChecks(const std::string& checks) {
  return LoadScenario(R"(id: T1
title: A story
topology:
  servers: {temporal: {}}
  ingresses: {edge: {to: temporal}}
  links: {wire: {to: temporal}}
  workers:
    w: {connect: wire}
    v: {connect: wire}
    host: {connect: wire}
  clients: {app: {connect: wire}}
steps:
  - inject: {fault: reset, on: wire, as: outage}
  - heal: outage
expect:
)" + checks,
                      "story.yaml", Checks());
}

inline CheckSpec Spec(const std::string& check) {
  const StatusOr<Scenario> scenario = LoadChecks("  - " + check + "\n");
  if (!scenario.ok()) {
    ADD_FAILURE() << check << ": " << scenario.status();
    return {};
  }
  return scenario->checks.at(0);
}

class Story {
 public:
  // The following events happen at this time.
  Story& At(Duration time) {
    now_ = SteadyTime(time);
    return *this;
  }
  Story& Add(Payload payload, std::string source = "test") {
    events_.push_back({.sequence = events_.size() + 1,
                       .time = now_,
                       .wall = {},
                       .source = std::move(source),
                       .payload = std::move(payload)});
    return *this;
  }

  // A world that sees everything, unless told otherwise.
  Story& Run() {
    const auto kinds = AllKinds();
    return Run(std::vector<std::string>(kinds.begin(), kinds.end()));
  }
  Story& Run(std::vector<std::string> observes) {
    return Add(RunEvent{.what = "started",
                        .scenario = "T1",
                        .subject = "s",
                        .world = "fake",
                        .observes = std::move(observes)});
  }
  Story& Judging() { return Add(RunEvent{.what = "judging"}); }
  Story& Finished() { return Add(RunEvent{.what = "finished", .verdict = "pass"}); }

  Story& Process(std::string what, std::string process, std::string role = "worker",
                 std::int64_t pid = 100) {
    return Add(ProcessEvent{.what = std::move(what),
                            .process = std::move(process),
                            .role = std::move(role),
                            .pid = pid});
  }
  // Starting and ready.
  Story& Up(const std::string& process, const std::string& role = "worker",
            std::int64_t pid = 100) {
    return Process("starting", process, role, pid).Process("ready", process, role, pid);
  }
  Story& ServerUp(const std::string& server = "temporal") { return Up(server, "server", 0); }
  Story& Exited(std::string process, int code, std::string reason, std::string detail = "",
                std::string role = "worker") {
    return Add(ProcessEvent{.what = "exited",
                            .process = std::move(process),
                            .role = std::move(role),
                            .pid = 100,
                            .exit_code = code,
                            .reason = std::move(reason),
                            .detail = std::move(detail)});
  }
  Story& Killed(std::string process, int signal, std::string reason, std::string role = "worker") {
    return Add(ProcessEvent{.what = "exited",
                            .process = std::move(process),
                            .role = std::move(role),
                            .pid = 100,
                            .signal = signal,
                            .reason = std::move(reason)});
  }
  Story& Signalled(std::string process, int signal) {
    return Add(ProcessEvent{.what = "signalled",
                            .process = std::move(process),
                            .role = "worker",
                            .pid = 100,
                            .signal = signal});
  }
  Story& Says(std::string worker, std::string what, std::string task = "",
              std::string workflow = "", std::int64_t pid = 100) {
    return Add(WorkerEvent{.what = std::move(what),
                           .worker = std::move(worker),
                           .pid = pid,
                           .task_queue = "q",
                           .task = std::move(task),
                           .workflow_id = std::move(workflow)});
  }
  Story& Retrying(std::string worker, Duration delay = {}) {
    return Add(WorkerEvent{.what = "retrying",
                           .worker = std::move(worker),
                           .delay = delay,
                           .detail = "connection refused"});
  }
  Story& Workflow(std::string what, std::string id, std::string run = "", std::string result = "",
                  std::string source = "client:app") {
    return Add(WorkflowEvent{.what = std::move(what),
                             .workflow_id = std::move(id),
                             .run_id = std::move(run),
                             .task_queue = "q",
                             .result = std::move(result)},
               std::move(source));
  }
  // Requested and accepted.
  Story& Begins(const std::string& id, const std::string& run = "r1") {
    return Workflow("requested", id).Workflow("accepted", id, run);
  }
  Story& Activity(std::string what, std::string workflow, int attempt, std::string id = "1") {
    return Add(ActivityEvent{.what = std::move(what),
                             .workflow_id = std::move(workflow),
                             .run_id = "r1",
                             .activity_id = std::move(id),
                             .type = "slow",
                             .task_queue = "q",
                             .attempt = attempt},
               "server:temporal");
  }
  Story& Fault(std::string what, std::string id = "outage", std::string fault = "reset",
               std::string target = "wire", std::string detail = "") {
    return Add(FaultEvent{.what = std::move(what),
                          .fault_id = std::move(id),
                          .fault = std::move(fault),
                          .target = std::move(target),
                          .detail = std::move(detail)});
  }
  // Injecting and injected; healing and healed.
  Story& Inject(const std::string& id = "outage") {
    return Fault("injecting", id).Fault("injected", id);
  }
  Story& Heal(const std::string& id = "outage") { return Fault("healing", id).Fault("healed", id); }
  Story& Connection(std::string what, std::string fault = "", std::string link = "wire") {
    return Add(ConnectionEvent{.what = std::move(what),
                               .link = std::move(link),
                               .connection = 1,
                               .fault_id = std::move(fault)});
  }
  Story& Poll(std::string what, std::string identity = "100@box", std::uint64_t count = 1,
              Duration age = {}, std::string queue = "q") {
    return Add(PollerEvent{.what = std::move(what),
                           .server = "temporal",
                           .ns = "default",
                           .task_queue = std::move(queue),
                           .task_type = "workflow",
                           .identity = std::move(identity),
                           .count = count,
                           .age = age});
  }
  Story& Call(int code, Duration latency, std::string method = "StartWorkflowExecution",
              std::string client = "app", std::string detail = "") {
    return Add(RpcEvent{.what = code == 0 ? "answered" : "failed",
                        .side = "client",
                        .endpoint = std::move(client),
                        .method = std::move(method),
                        .code = code,
                        .latency = latency,
                        .detail = std::move(detail)});
  }
  Story& Log(std::string line, std::string process = "w", std::string level = "",
             std::string stream = "stdout") {
    return Add(LogEvent{.what = std::move(stream),
                        .process = std::move(process),
                        .level = std::move(level),
                        .line = std::move(line)});
  }

  const std::vector<Event>& events() const { return events_; }
  SteadyTime now() const { return now_; }

 private:
  std::vector<Event> events_;
  SteadyTime now_{};
};

// What one check says of a story that is observed until `end`.
inline Verdict Judged(const std::string& check, const Story& story, Duration end,
                      double timeout_scale = 1) {
  const auto checker = MakeChecker(Spec(check), timeout_scale);
  if (!checker.ok()) {
    ADD_FAILURE() << check << ": " << checker.status();
    return {};
  }
  for (const Event& event : story.events()) (*checker)->Observe(event);
  return (*checker)->Finish(SteadyTime(end));
}
inline Verdict Judged(const std::string& check, const Story& story) {
  return Judged(check, story, story.now().time_since_epoch());
}
// The same where upper limits of time are multiplied.
inline Verdict JudgedSlowly(const std::string& check, const Story& story, double timeout_scale) {
  return Judged(check, story, story.now().time_since_epoch(), timeout_scale);
}

// Until when a check wants to be waited for after a story.
inline std::optional<Duration> DeadlineAfter(const std::string& check, const Story& story) {
  const auto checker = MakeChecker(Spec(check));
  if (!checker.ok()) {
    ADD_FAILURE() << check << ": " << checker.status();
    return {};
  }
  for (const Event& event : story.events()) (*checker)->Observe(event);
  const auto deadline = (*checker)->NextDeadline();
  return deadline ? std::optional<Duration>(deadline->time_since_epoch()) : std::nullopt;
}

// EXPECT_THAT(Judged(...), Passes()), Fails("only after"), IsUnknown("never"): the outcome, and a
// part of what happened.
MATCHER_P(Passes, part, "passes") {
  *result_listener << OutcomeName(arg.outcome) << ": " << arg.happened;
  return arg.outcome == Outcome::kPass && arg.happened.find(part) != std::string::npos &&
         !arg.expected.empty();
}
MATCHER_P(Fails, part, "fails") {
  *result_listener << OutcomeName(arg.outcome) << ": " << arg.happened;
  return arg.outcome == Outcome::kFail && arg.happened.find(part) != std::string::npos &&
         !arg.expected.empty();
}
MATCHER_P(IsUnknown, part, "is unknown") {
  *result_listener << OutcomeName(arg.outcome) << ": " << arg.happened;
  return arg.outcome == Outcome::kUnknown && arg.happened.find(part) != std::string::npos &&
         !arg.expected.empty();
}

// For GoogleTest's messages.
inline void PrintTo(const Verdict& verdict, std::ostream* out) {
  *out << OutcomeName(verdict.outcome) << ": " << verdict.happened;
}

}  // namespace squall::scenarios
