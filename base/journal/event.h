#pragma once
// The journal's vocabulary: one struct per kind of event. docs/journal.md describes the same fields for readers of the
// JSONL file; kSchemaVersion changes when a field changes its meaning or goes away.
//
// `what` says what happened, in one of the words listed beside it; an event with another word is a programmer error and
// is refused by the writer. Every event also carries sequence, steady and wall time and the source that saw it.

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/util/clock.h"

namespace squall::journal {

inline constexpr int kSchemaVersion = 1;

using Words = std::span<const std::string_view>;

// The run as a whole: one subject of one scenario in one world.
struct RunEvent {
  static constexpr std::string_view kKind = "run";
  static constexpr std::array<std::string_view, 3> kWords = {"started", "judging", "finished"};
  std::string what;
  std::string scenario, subject, world;
  std::uint64_t seed = 0;
  std::vector<std::string> observes;            // kinds of event that this world can see
  std::map<std::string, std::string> versions;  // squall, server, core, python, ...
  std::string verdict;                          // at "finished": pass, unknown, fail
  std::string detail;
  template <typename V> void Visit(V&& v) {
    v("scenario", scenario); v("subject", subject); v("world", world); v("seed", seed);
    v("observes", observes); v("versions", versions); v("verdict", verdict); v("detail", detail);
  }
};

// A process under test, or a server or worker that stands for one in process.
struct ProcessEvent {
  static constexpr std::string_view kKind = "process";
  static constexpr std::array<std::string_view, 7> kWords = {"starting", "ready",  "signalled", "paused",
                                                             "resumed",  "exited", "start_failed"};
  std::string what;
  std::string process;             // its name in the scenario
  std::string role;                // server, worker, ingress, client, command
  std::int64_t pid = 0;
  std::optional<int> exit_code;    // at "exited", when it exited by itself
  std::optional<int> signal;       // at "exited": what killed it; at "signalled": what was sent
  std::string reason;              // at "exited": asked, injected, unexpected
  std::string detail;              // at "exited": last log lines
  template <typename V> void Visit(V&& v) {
    v("process", process); v("role", role); v("pid", pid); v("exit_code", exit_code); v("signal", signal);
    v("reason", reason); v("detail", detail);
  }
};

// One TCP connection, seen by a proxy, an ingress or the fake server.
struct ConnectionEvent {
  static constexpr std::string_view kKind = "connection";
  static constexpr std::array<std::string_view, 8> kWords = {"listening", "attempt", "accepted", "refused",
                                                             "established", "closed", "reset", "failed"};
  std::string what;
  std::string link;                // link or server name
  std::uint64_t connection = 0;    // counts from 1 per link
  std::string peer, local;
  std::uint64_t bytes_up = 0;      // client to server, at "closed"
  std::uint64_t bytes_down = 0;
  std::string fault_id;            // the fault that decided its fate, if one did
  std::string detail;              // TLS version, ALPN, SNI, error text
  template <typename V> void Visit(V&& v) {
    v("link", link); v("connection", connection); v("peer", peer); v("local", local);
    v("bytes_up", bytes_up); v("bytes_down", bytes_down); v("fault_id", fault_id); v("detail", detail);
  }
};

// One RPC. side=server: seen by a fake server; side=client: made by the harness or a load client.
struct RpcEvent {
  static constexpr std::string_view kKind = "rpc";
  static constexpr std::array<std::string_view, 4> kWords = {"received", "answered", "cancelled", "failed"};
  std::string what;
  std::string side;
  std::string endpoint;            // server or client name
  std::uint64_t call = 0;          // counts from 1 per endpoint
  std::string method;              // PollWorkflowTaskQueue
  std::string ns, task_queue, workflow_id, identity;
  std::optional<int> code;         // gRPC status, at "answered" and "failed"
  Duration latency{};              // at "answered" and "failed"
  std::string fault_id;
  std::string detail;              // status message
  template <typename V> void Visit(V&& v) {
    v("side", side); v("endpoint", endpoint); v("call", call); v("method", method); v("namespace", ns);
    v("task_queue", task_queue); v("workflow_id", workflow_id); v("identity", identity); v("code", code);
    v("latency_ns", latency); v("fault_id", fault_id); v("detail", detail);
  }
};

// Who polls a task queue. "arrived"/"left": a held poll seen by the fake server. "seen": one poller of a
// DescribeTaskQueue answer, with its age. "none": that answer had no poller fresher than the limit.
struct PollerEvent {
  static constexpr std::string_view kKind = "poller";
  static constexpr std::array<std::string_view, 4> kWords = {"arrived", "left", "seen", "none"};
  std::string what;
  std::string server, ns, task_queue;
  std::string task_type;           // workflow, activity
  std::string identity;
  std::uint64_t count = 0;         // polls of this identity held after the event, or pollers in the answer
  Duration age{};                  // at "seen": since last access
  template <typename V> void Visit(V&& v) {
    v("server", server); v("namespace", ns); v("task_queue", task_queue); v("task_type", task_type);
    v("identity", identity); v("count", count); v("age_ns", age);
  }
};

// The life of a worker, as its own program tells it (JSON lines of squall-worker and of the Python subjects).
struct WorkerEvent {
  static constexpr std::string_view kKind = "worker";
  static constexpr std::array<std::string_view, 12> kWords = {
      "connecting", "connected", "started", "polling", "task",     "effect",
      "fatal",      "stopping",  "stopped", "retrying", "unhealthy", "healthy"};
  std::string what;
  std::string worker;              // its name in the scenario
  std::int64_t pid = 0;
  std::string task_queue;
  std::string task;                // at "task": workflow or activity type; at "effect": the effect's key
  std::string workflow_id;
  std::optional<int> exit_code;    // at "stopped"
  Duration delay{};                // at "retrying": until the next attempt
  std::string detail;
  template <typename V> void Visit(V&& v) {
    v("worker", worker); v("pid", pid); v("task_queue", task_queue); v("task", task);
    v("workflow_id", workflow_id); v("exit_code", exit_code); v("delay_ns", delay); v("detail", detail);
  }
};

// The life of a workflow execution, as a client or the fake server sees it.
struct WorkflowEvent {
  static constexpr std::string_view kKind = "workflow";
  static constexpr std::array<std::string_view, 11> kWords = {
      "requested", "accepted",  "refused",    "completed", "failed", "timed_out",
      "cancelled", "terminated", "continued", "lost",      "running"};
  std::string what;
  std::string workflow_id, run_id, type, ns, task_queue;
  std::string result;              // JSON of the result, at "completed"
  std::optional<int> code;         // gRPC status, at "refused"
  Duration latency{};              // of the start call, at "accepted" and "refused"
  std::string detail;
  template <typename V> void Visit(V&& v) {
    v("workflow_id", workflow_id); v("run_id", run_id); v("type", type); v("namespace", ns);
    v("task_queue", task_queue); v("result", result); v("code", code); v("latency_ns", latency);
    v("detail", detail);
  }
};

// The life of an activity, as the fake server or a worker's own lines tell it.
struct ActivityEvent {
  static constexpr std::string_view kKind = "activity";
  static constexpr std::array<std::string_view, 8> kWords = {"scheduled", "started", "heartbeat", "completed",
                                                             "failed", "timed_out", "cancelled", "cancel_requested"};
  std::string what;
  std::string workflow_id, run_id, activity_id, type, task_queue, identity;
  int attempt = 0;
  std::string detail;
  template <typename V> void Visit(V&& v) {
    v("workflow_id", workflow_id); v("run_id", run_id); v("activity_id", activity_id); v("type", type);
    v("task_queue", task_queue); v("identity", identity); v("attempt", attempt); v("detail", detail);
  }
};

// A fault's life. "hit": traffic really met it.
struct FaultEvent {
  static constexpr std::string_view kKind = "fault";
  static constexpr std::array<std::string_view, 6> kWords = {"injecting", "injected", "hit", "healing", "healed", "failed"};
  std::string what;
  std::string fault_id, fault, target, detail;
  template <typename V> void Visit(V&& v) {
    v("fault_id", fault_id); v("fault", fault); v("target", target); v("detail", detail);
  }
};

// One step of the scenario.
struct StepEvent {
  static constexpr std::string_view kKind = "step";
  static constexpr std::array<std::string_view, 4> kWords = {"begun", "done", "failed", "timed_out"};
  std::string what;
  std::uint64_t index = 0;         // counts from 1
  std::string step;                // its text: "inject refuse on w->temporal"
  Duration took{};
  std::string detail;
  template <typename V> void Visit(V&& v) {
    v("index", index); v("step", step); v("took_ns", took); v("detail", detail);
  }
};

// What a checker concluded.
struct AssertionEvent {
  static constexpr std::string_view kKind = "assertion";
  static constexpr std::array<std::string_view, 3> kWords = {"pass", "unknown", "fail"};
  std::string what;
  std::string check;               // checker name
  std::string expected, happened;
  template <typename V> void Visit(V&& v) {
    v("check", check); v("expected", expected); v("happened", happened);
  }
};

// A line of output.
struct LogEvent {
  static constexpr std::string_view kKind = "log";
  static constexpr std::array<std::string_view, 3> kWords = {"stdout", "stderr", "core"};
  std::string what;
  std::string process, level, line;
  template <typename V> void Visit(V&& v) { v("process", process); v("level", level); v("line", line); }
};

using Payload = std::variant<RunEvent, ProcessEvent, ConnectionEvent, RpcEvent, PollerEvent, WorkerEvent,
                             WorkflowEvent, ActivityEvent, FaultEvent, StepEvent, AssertionEvent, LogEvent>;

struct Event {
  std::uint64_t sequence = 0;  // counts from 1 without a gap
  SteadyTime time;             // since the journal was opened
  WallTime wall;
  std::string source;          // the component that saw it: runner, proxy:w->temporal, server:temporal, worker:w
  Payload payload;

  std::string_view kind() const;
  std::string_view what() const;
  template <typename T> const T* As() const { return std::get_if<T>(&payload); }
};

// All kinds, in the order of Payload: what `observes` and checkers' needs are written in.
std::span<const std::string_view> AllKinds();
// The words allowed for a kind; empty for an unknown kind.
Words WordsOf(std::string_view kind);

// One line of JSON without a line break, and back. Unknown kinds and words, and lines of another schema, are errors.
std::string ToJson(const Event& event);

}  // namespace squall::journal
