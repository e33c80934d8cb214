// 100,000 workflows that are open at once.

#include <fmt/core.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/bench/figures.h"
#include "tests/load/proofs.h"
#include "tests/load/requests.h"
#include "tests/load/server.h"

namespace squall::load {
namespace {

constexpr Duration kWorkflowLimit = std::chrono::minutes(10);
constexpr std::size_t kSample = 1000;
constexpr int kPage = 1000;

class WorkflowProof {
 public:
  WorkflowProof(harness::AsioExecutor& executor, const WorkflowSettings& settings, Server& server)
      : executor_(executor),
        settings_(settings),
        server_(server),
        connections_(executor, server.port(), settings.connections) {}

  Status Run() {
    SQUALL_RETURN_IF_ERROR(connections_.ConnectAll(kWorkflowLimit));
    empty_ = server_.private_mib();
    fmt::print("| private memory, no workflow | {:.1f} MiB |\n", empty_);
    SQUALL_RETURN_IF_ERROR(Start());
    SQUALL_RETURN_IF_ERROR(FirstTasks());
    SQUALL_RETURN_IF_ERROR(Expect("ExecutionStatus = 'Running'", settings_.workflows));
    SQUALL_RETURN_IF_ERROR(Describe());
    SQUALL_RETURN_IF_ERROR(List());
    SQUALL_RETURN_IF_ERROR(Signal());
    SQUALL_RETURN_IF_ERROR(End());
    SQUALL_RETURN_IF_ERROR(Delete());
    return server_.alive();
  }

 private:
  static std::string Id(std::size_t n) { return fmt::format("order-{:06}", n); }
  std::size_t Slot(std::size_t n) const { return n % connections_.size(); }

  // One request for each of `total` workflows, and what it cost.
  Status Each(std::string_view what, std::size_t total, const Window::Make& make) {
    const double cpu = server_.cpu_ms();
    const SteadyTime start = executor_.clock().Now();
    Window window(executor_, total, settings_.calls, make);
    const Status status = window.Run(kWorkflowLimit);
    if (!status.ok()) return Annotate(status, what);
    Tell(fmt::format("{} {}", total, what), total, executor_.clock().Now() - start,
         server_.cpu_ms() - cpu);
    return absl::OkStatus();
  }

  void Tell(std::string_view what, std::size_t count, Duration took, double cpu_ms) const {
    const double mib = server_.private_mib();
    const auto n = static_cast<double>(count);
    fmt::print(
        "| {} | {:.1f} s, {:.0f}/s, {:.3f} ms CPU of the server each; {:.0f} MiB, {:.2f} KiB "
        "a workflow |\n",
        what, Millis(took) / 1000, n / (Millis(took) / 1000), cpu_ms / n, mib,
        (mib - empty_) * 1024 / static_cast<double>(settings_.workflows));
  }

  Status Start() {
    return Each("started", settings_.workflows, [this](std::size_t n, Connections::Done done) {
      connections_.Call(Slot(n), "StartWorkflowExecution", StartRequest(Id(n), "orders"),
                        kCallTimeout, std::move(done));
    });
  }

  // A worker takes tasks until `count` are completed.
  Status Work(std::string_view what, std::size_t count, Worker::Decide decide) {
    const double cpu = server_.cpu_ms();
    const SteadyTime start = executor_.clock().Now();
    workers_.push_back(
        std::make_unique<Worker>(connections_, "orders", settings_.calls, std::move(decide)));
    Worker& worker = *workers_.back();
    const bool done = executor_.RunUntil(
        [&] { return worker.completed() >= count || worker.errors().count != 0; }, kWorkflowLimit);
    worker.Stop();
    SQUALL_RETURN_IF_ERROR(worker.errors().status(what));
    if (!done || worker.completed() != count)
      return MakeStatus(StatusCode::kInternal, "{}: {} of {} tasks, {} too late", what,
                        worker.completed(), count, worker.too_late());
    Tell(fmt::format("{} {}", count, what), count, executor_.clock().Now() - start,
         server_.cpu_ms() - cpu);
    // The polls that it still holds must not take the next worker's tasks.
    for (std::size_t slot = 0; slot < connections_.size(); ++slot) connections_.CancelCalls(slot);
    return absl::OkStatus();
  }

  Status FirstTasks() {
    return Work("first tasks completed, each starts a timer of a day", settings_.workflows,
                [](const ws::PollWorkflowTaskQueueResponse&) {
                  return std::vector{StartTimer("due", std::chrono::hours(24))};
                });
  }

  Status Expect(const std::string& query, std::size_t count) {
    ws::CountWorkflowExecutionsRequest request;
    request.set_namespace_("default");
    request.set_query(query);
    ws::CountWorkflowExecutionsResponse response;
    const SteadyTime start = executor_.clock().Now();
    SQUALL_RETURN_IF_ERROR(Ask("CountWorkflowExecutions", request, &response));
    if (response.count() != static_cast<std::int64_t>(count))
      return MakeStatus(StatusCode::kInternal, "{} workflows with {}, not {}", response.count(),
                        query, count);
    fmt::print("| counted: {} with {} | {:.0f} ms |\n", response.count(), query,
               Millis(executor_.clock().Now() - start));
    return absl::OkStatus();
  }

  // One call, by itself.
  Status Ask(std::string_view method, const google::protobuf::MessageLite& request,
             google::protobuf::MessageLite* response) {
    std::optional<wire::GrpcResponse> answer;
    connections_.Call(0, method, request, kCallTimeout,
                      [&answer](wire::GrpcResponse given) { answer = std::move(given); });
    if (!executor_.RunUntil([&answer] { return answer.has_value(); }, kWorkflowLimit))
      return MakeStatus(StatusCode::kDeadlineExceeded, "{} is not answered", method);
    SQUALL_RETURN_IF_ERROR(Annotate(StatusOf(*answer), method));
    if (!response->ParseFromString(answer->message))
      return MakeStatus(StatusCode::kInternal, "{}: the answer is no message", method);
    return absl::OkStatus();
  }

  Status Describe() {
    std::size_t right = 0;
    Window window(executor_, std::min(kSample, settings_.workflows), 1,
                  [&](std::size_t n, Connections::Done done) {
                    // All over the workflows, not the first ones.
                    const std::string id = Id(n * 7919 % settings_.workflows);
                    ws::DescribeWorkflowExecutionRequest request;
                    request.set_namespace_("default");
                    request.mutable_execution()->set_workflow_id(id);
                    connections_.Call(
                        Slot(n), "DescribeWorkflowExecution", request, kCallTimeout,
                        [&right, id, done = std::move(done)](wire::GrpcResponse answer) {
                          ws::DescribeWorkflowExecutionResponse response;
                          const bool parsed = response.ParseFromString(answer.message);
                          const auto& info = response.workflow_execution_info();
                          if (parsed && info.execution().workflow_id() == id &&
                              info.status() == enums::WORKFLOW_EXECUTION_STATUS_RUNNING &&
                              info.history_length() == 5) {
                            ++right;
                          }
                          done(std::move(answer));
                        });
                  });
    SQUALL_RETURN_IF_ERROR(Annotate(window.Run(kWorkflowLimit), "describe"));
    if (right != window.millis().size())
      return MakeStatus(StatusCode::kInternal, "{} of {} descriptions are right", right,
                        window.millis().size());
    fmt::print("| {} of them described, one after the other | p50 {:.2f} ms, p99 {:.2f} ms |\n",
               right, bench::Percentile(window.millis(), 50),
               bench::Percentile(window.millis(), 99));
    return absl::OkStatus();
  }

  Status List() {
    ws::ListWorkflowExecutionsRequest request;
    request.set_namespace_("default");
    request.set_query("WorkflowType = 'Load' AND ExecutionStatus = 'Running'");
    request.set_page_size(kPage);
    std::vector<double> pages;
    std::set<std::string> ids;
    do {
      ws::ListWorkflowExecutionsResponse response;
      const SteadyTime start = executor_.clock().Now();
      SQUALL_RETURN_IF_ERROR(Ask("ListWorkflowExecutions", request, &response));
      pages.push_back(Millis(executor_.clock().Now() - start));
      for (const auto& row : response.executions()) ids.insert(row.execution().workflow_id());
      request.set_next_page_token(response.next_page_token());
    } while (!request.next_page_token().empty());
    if (ids.size() != settings_.workflows)
      return MakeStatus(StatusCode::kInternal, "{} of {} workflows are listed", ids.size(),
                        settings_.workflows);
    fmt::print("| all listed, {} pages of {} | first {:.1f} ms, p50 {:.1f} ms, last {:.1f} ms |\n",
               pages.size(), kPage, pages.front(), bench::Percentile(pages, 50), pages.back());
    return absl::OkStatus();
  }

  Status Signal() {
    return Each("signalled", settings_.workflows, [this](std::size_t n, Connections::Done done) {
      auto request = OnWorkflow<ws::SignalWorkflowExecutionRequest>(Id(n));
      request.set_signal_name("paid");
      request.set_request_id(fmt::format("signal-{}", n));
      connections_.Call(Slot(n), "SignalWorkflowExecution", request, kCallTimeout, std::move(done));
    });
  }

  // Half are terminated while their tasks wait, and a worker completes the others.
  Status End() {
    const std::size_t half = settings_.workflows / 2;
    SQUALL_RETURN_IF_ERROR(Each("terminated", half, [this](std::size_t n, Connections::Done done) {
      auto request = OnWorkflow<ws::TerminateWorkflowExecutionRequest>(Id(2 * n));
      request.set_reason("load");
      connections_.Call(Slot(n), "TerminateWorkflowExecution", request, kCallTimeout,
                        std::move(done));
    }));
    SQUALL_RETURN_IF_ERROR(Work(
        "completed", settings_.workflows - half,
        [](const ws::PollWorkflowTaskQueueResponse&) { return std::vector{CompleteWorkflow()}; }));
    SQUALL_RETURN_IF_ERROR(Expect("ExecutionStatus = 'Running'", 0));
    SQUALL_RETURN_IF_ERROR(Expect("ExecutionStatus = 'Terminated'", half));
    return Expect("ExecutionStatus = 'Completed'", settings_.workflows - half);
  }

  Status Delete() {
    SQUALL_RETURN_IF_ERROR(
        Each("deleted", settings_.workflows, [this](std::size_t n, Connections::Done done) {
          connections_.Call(Slot(n), "DeleteWorkflowExecution",
                            OnWorkflow<ws::DeleteWorkflowExecutionRequest>(Id(n)), kCallTimeout,
                            std::move(done));
        }));
    return Expect("", 0);
  }

  harness::AsioExecutor& executor_;
  const WorkflowSettings settings_;
  Server& server_;
  Connections connections_;
  std::vector<std::unique_ptr<Worker>> workers_;  // their last calls may still be answered
  double empty_ = 0;
};

}  // namespace

Status ProveWorkflows(harness::AsioExecutor& executor, const WorkflowSettings& settings) {
  SQUALL_ASSIGN_OR_RETURN(const std::unique_ptr<Server> server, Server::Start(executor));
  return WorkflowProof(executor, settings, *server).Run();
}

}  // namespace squall::load
