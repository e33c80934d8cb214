#pragma once
// Journals for the tests of the timeline: told event by event, one with something in every lane,
// and one as large as is wanted.

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "base/journal/event.h"

namespace squall::reports {

// NOLINTNEXTLINE(google-build-using-namespace): a journal is told in the words of base/journal
using namespace squall::journal;
using namespace std::chrono_literals;

class Telling {
 public:
  Telling& At(Duration time) {
    now_ = time;
    return *this;
  }
  Telling& Add(Payload payload, std::string source = "test") {
    events_.push_back({.sequence = events_.size() + 1,
                       .time = SteadyTime(now_),
                       .wall = WallTime(1795267800s) + now_,
                       .source = std::move(source),
                       .payload = std::move(payload)});
    return *this;
  }
  const std::vector<Event>& events() const { return events_; }

 private:
  Duration now_{};
  std::vector<Event> events_;
};

// What no page may take for markup, a line end or the end of its script.
inline constexpr const char* kHostileText =
    "</script><img src=x onerror=\"console.error('markup')\"><!-- \xe2\x80\xa8 \xe2\x80\xa9 & \xff "
    "\x1b[31m";
inline constexpr const char* kSampleSecret = "sk-live-4f9a8b7c6d5e4f3a2b1c";

// A worker that backs off while its server refuses it, with an activity that is tried twice.
inline std::vector<Event> SampleJournal() {
  Telling t;
  t.At(0ms).Add(RunEvent{.what = "started",
                         .scenario = "R1",
                         .subject = "broken",
                         .world = "fake",
                         .seed = 7,
                         .observes = {"connection", "process"}},
                "runner");
  t.At(5ms).Add(ProcessEvent{.what = "starting", .process = "temporal", .role = "server"});
  t.At(40ms).Add(ProcessEvent{.what = "ready", .process = "temporal", .role = "server"});
  t.At(45ms).Add(ConnectionEvent{.what = "listening", .link = "wire"});
  t.At(50ms).Add(StepEvent{.what = "begun", .index = 1, .step = "inject refuse on wire as outage"});
  t.At(55ms).Add(
      FaultEvent{.what = "injecting", .fault_id = "outage", .fault = "refuse", .target = "wire"});
  t.At(60ms).Add(
      FaultEvent{.what = "injected", .fault_id = "outage", .fault = "refuse", .target = "wire"});
  t.Add(StepEvent{
      .what = "done", .index = 1, .step = "inject refuse on wire as outage", .took = 10ms});
  t.At(70ms).Add(ProcessEvent{.what = "starting", .process = "w", .role = "worker", .pid = 4711});
  Duration at = 100ms, wait = 100ms;
  std::uint64_t connection = 0;
  for (int i = 0; i < 5; ++i) {
    t.At(at).Add(WorkerEvent{.what = "connecting", .worker = "w"});
    t.Add(ConnectionEvent{.what = "attempt", .link = "wire", .connection = ++connection});
    t.Add(ConnectionEvent{
        .what = "refused", .link = "wire", .connection = connection, .fault_id = "outage"});
    if (i == 0)
      t.Add(FaultEvent{.what = "hit", .fault_id = "outage", .fault = "refuse", .target = "wire"});
    t.At(at + 1ms).Add(WorkerEvent{
        .what = "retrying", .worker = "w", .delay = wait, .detail = "connection refused"});
    at += wait;
    wait *= 2;
  }
  t.At(2s).Add(
      FaultEvent{.what = "healing", .fault_id = "outage", .fault = "refuse", .target = "wire"});
  t.At(2005ms).Add(
      FaultEvent{.what = "healed", .fault_id = "outage", .fault = "refuse", .target = "wire"});
  t.At(at).Add(ConnectionEvent{.what = "attempt", .link = "wire", .connection = ++connection});
  t.At(at + 1ms).Add(ConnectionEvent{.what = "accepted", .link = "wire", .connection = connection});
  t.At(at + 5ms).Add(
      ConnectionEvent{.what = "established", .link = "wire", .connection = connection});
  t.Add(WorkerEvent{.what = "connected", .worker = "w"});
  t.Add(ProcessEvent{.what = "ready", .process = "w", .role = "worker"});
  t.At(at + 10ms).Add(RpcEvent{.what = "received",
                               .side = "server",
                               .endpoint = "temporal",
                               .call = 1,
                               .method = "PollWorkflowTaskQueue"});
  t.Add(PollerEvent{.what = "arrived",
                    .server = "temporal",
                    .task_queue = "q",
                    .task_type = "workflow",
                    .identity = "w@box",
                    .count = 1});
  t.At(at + 100ms)
      .Add(WorkflowEvent{.what = "requested", .workflow_id = "order-1", .type = "Order"});
  t.At(at + 103ms)
      .Add(WorkflowEvent{
          .what = "accepted", .workflow_id = "order-1", .type = "Order", .latency = 3ms});
  t.At(at + 105ms)
      .Add(RpcEvent{.what = "answered",
                    .side = "server",
                    .endpoint = "temporal",
                    .call = 1,
                    .method = "PollWorkflowTaskQueue",
                    .code = 0,
                    .latency = 95ms});
  t.Add(PollerEvent{.what = "left",
                    .server = "temporal",
                    .task_queue = "q",
                    .task_type = "workflow",
                    .identity = "w@box",
                    .count = 0});
  const auto activity = [&](Duration when, const char* what, int attempt, const char* detail = "") {
    t.At(at + when).Add(ActivityEvent{.what = what,
                                      .workflow_id = "order-1",
                                      .activity_id = "1",
                                      .type = "Charge",
                                      .attempt = attempt,
                                      .detail = detail});
  };
  activity(120ms, "scheduled", 0);
  activity(130ms, "started", 1);
  activity(180ms, "failed", 1, "card service is away");
  activity(400ms, "started", 2);
  activity(450ms, "completed", 2);
  t.At(at + 460ms)
      .Add(LogEvent{.what = "stdout", .process = "w", .level = "WARN", .line = kHostileText});
  t.Add(
      LogEvent{.what = "stderr", .process = "w", .line = std::string("api_key=") + kSampleSecret});
  t.At(at + 480ms)
      .Add(WorkflowEvent{.what = "completed", .workflow_id = "order-1", .result = "\"paid\""});
  t.At(at + 600ms).Add(ConnectionEvent{.what = "reset", .link = "wire", .connection = connection});
  t.At(at + 610ms)
      .Add(ProcessEvent{.what = "exited",
                        .process = "w",
                        .role = "worker",
                        .exit_code = 1,
                        .reason = "unexpected",
                        .detail = "panic"});
  t.At(at + 900ms).Add(RunEvent{.what = "judging"}, "runner");
  t.Add(AssertionEvent{.what = "fail",
                       .check = "stays_up",
                       .expected = "process w stays up",
                       .happened = "exited with code 1"});
  t.Add(AssertionEvent{.what = "pass",
                       .check = "reconnects",
                       .expected = "a connection within 5.00s",
                       .happened = "after 1.21s"});
  t.Add(RunEvent{.what = "finished", .verdict = "fail"}, "runner");
  t.At(at + 950ms)
      .Add(ProcessEvent{.what = "exited",
                        .process = "temporal",
                        .role = "server",
                        .signal = 15,
                        .reason = "asked"});
  return t.events();
}

// `events` of them: calls, connections and lines of output in the mix of a busy server.
inline std::vector<Event> LargeJournal(std::size_t events) {
  Telling t;
  t.Add(RunEvent{.what = "started", .scenario = "L1", .subject = "large", .world = "fake"},
        "runner");
  t.Add(ProcessEvent{.what = "starting", .process = "temporal", .role = "server"});
  t.At(3ms).Add(ProcessEvent{.what = "ready", .process = "temporal", .role = "server"});
  for (std::uint64_t n = 1; t.events().size() < events; ++n) {
    const Duration at = 10ms + n * 3ms;
    const std::string method = n % 3 == 0   ? "PollWorkflowTaskQueue"
                               : n % 3 == 1 ? "RespondWorkflowTaskCompleted"
                                            : "StartWorkflowExecution";
    t.At(at).Add(RpcEvent{.what = "received",
                          .side = "server",
                          .endpoint = "temporal",
                          .call = n,
                          .method = method,
                          .workflow_id = "wf-" + std::to_string(n % 500)});
    t.At(at + 1ms).Add(LogEvent{.what = "stdout",
                                .process = "w" + std::to_string(n % 4),
                                .level = n % 97 == 0   ? "ERROR"
                                         : n % 11 == 0 ? "WARN"
                                                       : "INFO",
                                .line = "line " + std::to_string(n) +
                                        " of a worker that tells what it does, as workers do"});
    t.At(at + 2ms).Add(RpcEvent{.what = "answered",
                                .side = "server",
                                .endpoint = "temporal",
                                .call = n,
                                .method = method,
                                .code = n % 50 == 0 ? 14 : 0,
                                .latency = 2ms});
    if (n % 5 != 0) continue;
    t.Add(ConnectionEvent{.what = "attempt", .link = "wire", .connection = n});
    t.Add(ConnectionEvent{
        .what = n % 25 == 0 ? "refused" : "accepted", .link = "wire", .connection = n});
    if (n % 25 != 0) t.Add(ConnectionEvent{.what = "established", .link = "wire", .connection = n});
  }
  return t.events();
}

}  // namespace squall::reports
