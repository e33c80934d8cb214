// Moderate load for as long as one likes, with memory that stays.

#include <fmt/core.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "tests/bench/figures.h"
#include "tests/load/proofs.h"
#include "tests/load/requests.h"
#include "tests/load/server.h"

namespace squall::load {
namespace {

constexpr Duration kTick = std::chrono::milliseconds(10);
constexpr Duration kDrain = std::chrono::minutes(1);
constexpr const char* kQueue = "soak";
// The last tenth may be above the second tenth by so much: what malloc keeps of a peak.
constexpr double kTolerance = 1.05;
constexpr double kToleranceMib = 2;

// What becomes of a workflow, by its number.
enum class Kind { kActivity, kTimer, kSignalled, kTerminated, kQuick };
Kind KindOf(std::size_t n) { return static_cast<Kind>(n % 5); }

class Soak {
 public:
  Soak(harness::AsioExecutor& executor, const SoakSettings& settings, Server& server)
      : executor_(executor),
        settings_(settings),
        server_(server),
        connections_(executor, server.port(), 20),
        passing_(executor, server.port(), 1) {}

  Status Run() {
    SQUALL_RETURN_IF_ERROR(connections_.ConnectAll(std::chrono::minutes(1)));
    worker_ = std::make_unique<Worker>(
        connections_, kQueue, 40,
        [this](const ws::PollWorkflowTaskQueueResponse& task) { return Decide(task); });
    for (int i = 0; i < 20; ++i) PollActivities();
    start_ = executor_.clock().Now();
    const double cpu = server_.cpu_ms();
    Tick();
    Sample();
    Status status;
    executor_.RunUntil([this] { return failed(); }, settings_.duration);
    stopped_ = true;
    const double seconds = Seconds(executor_.clock().Now() - start_);
    const double cpu_ms = server_.cpu_ms() - cpu;
    executor_.RunUntil([this] { return failed() || ended_ == begun_; }, kDrain);
    SQUALL_RETURN_IF_ERROR(server_.alive());
    SQUALL_RETURN_IF_ERROR(errors_.status("calls"));
    SQUALL_RETURN_IF_ERROR(worker_->errors().status("the worker's calls"));
    if (ended_ != begun_)
      return MakeStatus(StatusCode::kInternal, "{} of {} workflows did not end", begun_ - ended_,
                        begun_);
    fmt::print(
        "| soak: {} workflows of 5 kinds in {:.1f} min | {:.0f} a second, {:.3f} ms CPU of the "
        "server each, {} connections made, {} calls repeated on a new one |\n",
        begun_, seconds / 60, static_cast<double>(begun_) / seconds,
        cpu_ms / static_cast<double>(begun_), connections_.connected() + passing_.connected(),
        repeated_ + worker_->repeated());
    return Judge();
  }

 private:
  static double Seconds(Duration d) { return static_cast<double>(d.count()) / 1e9; }
  bool failed() const {
    return errors_.count != 0 || worker_->errors().count != 0 || !server_.alive().ok();
  }
  static std::string Id(std::size_t n) { return fmt::format("soak-{}", n); }
  std::size_t NextSlot() { return next_slot_++ % connections_.size(); }

  // A call that is made again when its connection was renewed.
  template <typename Request>
  void Call(const char* method, Request request, std::function<void(const std::string&)> done) {
    const auto kept = std::make_shared<Request>(std::move(request));
    connections_.Call(NextSlot(), method, *kept, kPollTimeout,
                      [this, method, kept, done = std::move(done)](const wire::GrpcResponse& r) {
                        if (r.status.code == static_cast<int>(StatusCode::kUnavailable)) {
                          ++repeated_;
                          return connections_.Post(
                              [this, method, kept, done] { Call(method, std::move(*kept), done); });
                        }
                        if (!errors_.Saw(r)) done(r.message);
                      });
  }

  // Begins what is due by now.
  void Tick() {
    if (stopped_) return;
    const double due = Seconds(executor_.clock().Now() - start_) * settings_.per_second;
    while (static_cast<double>(begun_) < due) Begin(begun_++);
    executor_.After(kTick, [this] { Tick(); });
  }

  void Begin(std::size_t n) {
    const auto kind = KindOf(n);
    Call("StartWorkflowExecution", StartRequest(Id(n), kQueue), [this, n, kind](const auto&) {
      if (kind == Kind::kSignalled) {
        auto signal = OnWorkflow<ws::SignalWorkflowExecutionRequest>(Id(n));
        signal.set_signal_name("go");
        signal.set_request_id(Id(n));
        Call("SignalWorkflowExecution", std::move(signal), [](const auto&) {});
      }
      if (kind == Kind::kTerminated) {
        Call("TerminateWorkflowExecution", OnWorkflow<ws::TerminateWorkflowExecutionRequest>(Id(n)),
             [](const auto&) {});
      }
      Await(n);
    });
  }

  std::vector<command::Command> Decide(const ws::PollWorkflowTaskQueueResponse& task) {
    const std::string& id = task.workflow_execution().workflow_id();
    const Kind kind = KindOf(std::stoul(id.substr(id.find('-') + 1)));
    const bool first = task.previous_started_event_id() == 0;
    if (kind == Kind::kActivity && first) return {ScheduleActivity("pay", kQueue)};
    if (kind == Kind::kTimer && first) return {StartTimer("nap", std::chrono::milliseconds(500))};
    const bool signalled = std::any_of(
        task.history().events().begin(), task.history().events().end(), [](const auto& event) {
          return event.event_type() == enums::EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED;
        });
    if (kind == Kind::kTerminated || (kind == Kind::kSignalled && !signalled)) return {};
    return {CompleteWorkflow()};
  }

  void PollActivities() {
    if (stopped_ && ended_ == begun_) return;
    ws::PollActivityTaskQueueRequest poll;
    poll.set_namespace_("default");
    poll.mutable_task_queue()->set_name(kQueue);
    Call("PollActivityTaskQueue", std::move(poll), [this](const std::string& message) {
      ws::PollActivityTaskQueueResponse task;
      if (!task.ParseFromString(message) || task.task_token().empty()) return PollActivities();
      // Every other first attempt fails, and is made again.
      if (task.attempt() == 1 && ++activities_ % 2 == 0) {
        ws::RespondActivityTaskFailedRequest request;
        request.set_namespace_("default");
        request.set_task_token(task.task_token());
        request.mutable_failure()->set_message("try again");
        request.mutable_failure()->mutable_application_failure_info();
        return Call("RespondActivityTaskFailed", std::move(request),
                    [this](const auto&) { PollActivities(); });
      }
      ws::RespondActivityTaskCompletedRequest request;
      request.set_namespace_("default");
      request.set_task_token(task.task_token());
      Call("RespondActivityTaskCompleted", std::move(request),
           [this](const auto&) { PollActivities(); });
    });
  }

  // Waits for the end of the workflow, and deletes it: the server would keep it for its retention.
  void Await(std::size_t n) {
    ws::GetWorkflowExecutionHistoryRequest request;
    request.set_namespace_("default");
    request.mutable_execution()->set_workflow_id(Id(n));
    request.set_wait_new_event(true);
    request.set_history_event_filter_type(enums::HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT);
    Call("GetWorkflowExecutionHistory", std::move(request), [this, n](const std::string& message) {
      ws::GetWorkflowExecutionHistoryResponse response;
      if (!response.ParseFromString(message) || response.history().events().empty())
        return Await(n);
      Call("DeleteWorkflowExecution", OnWorkflow<ws::DeleteWorkflowExecutionRequest>(Id(n)),
           [this](const auto&) { ++ended_; });
    });
  }

  void Sample() {
    samples_.push_back(server_.private_mib());
    if (stopped_) return;
    // One connection comes, asks and goes with each sample.
    passing_.Close(0);
    passing_.Call(0, "GetSystemInfo", ws::GetSystemInfoRequest(), kCallTimeout, [](const auto&) {});
    executor_.After(settings_.sample, [this] { Sample(); });
  }

  Status Judge() const {
    const std::size_t tenth = samples_.size() / 10;
    if (tenth == 0) return absl::FailedPreconditionError("too short: fewer than ten samples");
    const auto median = [this, tenth](std::size_t from) {
      const auto begin = samples_.begin() + static_cast<std::ptrdiff_t>(from);
      return bench::Median({begin, begin + static_cast<std::ptrdiff_t>(tenth)});
    };
    const double early = median(tenth);
    const double late = median(samples_.size() - tenth);
    const auto [low, high] = std::minmax_element(samples_.begin(), samples_.end());
    fmt::print(
        "| private memory: second tenth, last tenth of {} samples | {:.1f} MiB, {:.1f} MiB "
        "(lowest {:.1f}, highest {:.1f}) |\n",
        samples_.size(), early, late, *low, *high);
    if (late > early * kTolerance + kToleranceMib)
      return MakeStatus(StatusCode::kInternal, "memory is not flat: {:.1f} MiB, then {:.1f} MiB",
                        early, late);
    return absl::OkStatus();
  }

  harness::AsioExecutor& executor_;
  const SoakSettings settings_;
  Server& server_;
  Connections connections_, passing_;
  std::unique_ptr<Worker> worker_;
  Errors errors_;
  SteadyTime start_;
  std::size_t begun_ = 0, ended_ = 0, activities_ = 0, repeated_ = 0, next_slot_ = 0;
  std::vector<double> samples_;
  bool stopped_ = false;
};

}  // namespace

Status ProveSoak(harness::AsioExecutor& executor, const SoakSettings& settings) {
  SQUALL_ASSIGN_OR_RETURN(const std::unique_ptr<Server> server, Server::Start(executor));
  return Soak(executor, settings, *server).Run();
}

}  // namespace squall::load
