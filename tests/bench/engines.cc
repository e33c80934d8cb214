#include "tests/bench/engines.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/journal/journal.h"
#include "base/util/clock.h"
#include "fakes/engine/engine.h"
#include "temporal/api/workflowservice/v1/request_response.pb.h"
#include "tests/bench/figures.h"

namespace squall::bench {
namespace {

using fakes::Engine;
namespace enums = ::temporal::api::enums::v1;
namespace ws = ::temporal::api::workflowservice::v1;

double Micros(Duration d) { return static_cast<double>(d.count()) / 1e3; }

// One call that must be answered at once.
template <typename Response>
StatusOr<Response> Call(Engine& engine, Moment now, const char* method,
                        const google::protobuf::MessageLite& request) {
  engine.Call(now, 1,
              {.service = std::string(fakes::kWorkflowService),
               .method = method,
               .metadata = {},
               .message = request.SerializeAsString(),
               .deadline = {}});
  std::vector<fakes::RpcResponse> responses = engine.TakeResponses();
  if (responses.size() != 1)
    return MakeStatus(StatusCode::kInternal, "{}: {} answers", method, responses.size());
  if (responses[0].status.code != 0) {
    return MakeStatus(StatusCode::kInternal, "{}: code {}, {}", method, responses[0].status.code,
                      responses[0].status.message);
  }
  Response response;
  if (!response.ParseFromString(responses[0].message))
    return MakeStatus(StatusCode::kInternal, "{}: the answer is no message", method);
  return response;
}

Status ServeOne(Engine& engine, Moment now) {
  ws::StartWorkflowExecutionRequest start;
  start.set_namespace_("default");
  start.set_workflow_id("ping");
  start.mutable_workflow_type()->set_name("Ping");
  start.mutable_task_queue()->set_name("bench");
  start.set_request_id("one");
  SQUALL_RETURN_IF_ERROR(
      Call<ws::StartWorkflowExecutionResponse>(engine, now, "StartWorkflowExecution", start)
          .status());

  ws::PollWorkflowTaskQueueRequest poll;
  poll.set_namespace_("default");
  poll.mutable_task_queue()->set_name("bench");
  poll.set_identity("worker");
  SQUALL_ASSIGN_OR_RETURN(const auto task, Call<ws::PollWorkflowTaskQueueResponse>(
                                               engine, now, "PollWorkflowTaskQueue", poll));
  if (task.workflow_execution().workflow_id() != "ping")
    return absl::InternalError("the poll has another task");

  ws::RespondWorkflowTaskCompletedRequest complete;
  complete.set_namespace_("default");
  complete.set_task_token(task.task_token());
  auto* command = complete.add_commands();
  command->set_command_type(enums::COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION);
  command->mutable_complete_workflow_execution_command_attributes();
  SQUALL_RETURN_IF_ERROR(Call<ws::RespondWorkflowTaskCompletedResponse>(
                             engine, now, "RespondWorkflowTaskCompleted", complete)
                             .status());

  ws::GetWorkflowExecutionHistoryRequest read;
  read.set_namespace_("default");
  read.mutable_execution()->set_workflow_id("ping");
  read.set_history_event_filter_type(enums::HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT);
  SQUALL_ASSIGN_OR_RETURN(const auto end, Call<ws::GetWorkflowExecutionHistoryResponse>(
                                              engine, now, "GetWorkflowExecutionHistory", read));
  if (end.history().events_size() != 1 ||
      end.history().events(0).event_type() != enums::EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED) {
    return absl::InternalError("the workflow is not completed");
  }
  return absl::OkStatus();
}

}  // namespace

StatusOr<EngineFigures> MeasureEngines(int count) {
  const RealClock clock;
  journal::NullSink sink;
  const auto now = [&clock] { return Moment{clock.Now(), clock.WallNow()}; };
  const auto make = [&sink](int number) {
    fakes::EngineOptions options;
    options.seed = static_cast<std::uint64_t>(number) + 1;
    options.journal_rpcs = false;
    options.journal_state = false;
    return std::make_unique<Engine>(std::move(options), sink);
  };
  // What the first one alone pays (tables, descriptors) is no engine's own.
  SQUALL_RETURN_IF_ERROR(ServeOne(*make(-1), now()));

  EngineFigures figures;
  figures.engines = count;
  const double each = 1.0 / count;
  std::vector<std::unique_ptr<Engine>> engines;
  engines.reserve(static_cast<std::size_t>(count));
  const double memory_before = PrivateMib(0);
  SteadyTime start = clock.Now();
  for (int i = 0; i < count; ++i) engines.push_back(make(i));
  figures.create_us = Micros(clock.Now() - start) * each;
  figures.create_kib = (PrivateMib(0) - memory_before) * 1024 * each;

  start = clock.Now();
  for (int i = 0; i < count; ++i) {
    const Status served = ServeOne(*engines[static_cast<std::size_t>(i)], now());
    if (!served.ok()) return Annotate(served, fmt::format("engine {}", i));
  }
  figures.workflow_us = Micros(clock.Now() - start) * each;
  figures.served_kib = (PrivateMib(0) - memory_before) * 1024 * each;
  return figures;
}

}  // namespace squall::bench
