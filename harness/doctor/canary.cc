#include "harness/doctor/canary.h"

#include <utility>

#include "base/util/text.h"
#include "harness/doctor/converse.h"
#include "harness/doctor/worker_calls.h"

namespace squall::doctor {
namespace {

class Canary {
 public:
  Canary(const Probe& probe, Rpc& rpc, const CanaryOptions& options)
      : probe_(probe),
        rpc_(rpc),
        options_(options),
        own_(options.type == "own"),
        id_("squall-doctor-canary-" + options.tag),
        began_(probe.Now()) {}

  bool Run() {
    const Target& target = probe_.target;
    if (!own_ && target.task_queue.empty()) {
      probe_.diagnosis.Row(Layer::kCanary, "", State::kSkipped, "no task queue is named");
      probe_.diagnosis.Add("settings.required_missing", Weight::kPossible,
                           "a canary needs the task queue of its worker",
                           "Set TEMPORAL_TASK_QUEUE, or --task-queue.");
      return false;
    }
    const std::string queue = own_ ? id_ : target.task_queue;
    const std::string type = own_ ? "squall-doctor-canary" : options_.type;
    const CallPtr start =
        Begin("StartWorkflowExecution", StartRequest(target.ns, id_, type, queue, options_.limit));
    if (!Ended(start)) return false;
    const auto run = ReadRunId(start->response.message);
    if (!run.ok())
      return Fail("grpc.garbled", fmt::format("StartWorkflowExecution: {}", Message(run.status())));
    if (own_ && !Work(queue)) return false;
    const CallPtr history =
        Begin("GetWorkflowExecutionHistory", CloseEventRequest(target.ns, id_, *run));
    if (!Ended(history)) return false;
    const auto end = ReadCloseEvent(history->response.message);
    if (!end.ok())
      return Fail("canary.not_completed",
                  fmt::format("{} on '{}': {}", type, EscapeControl(queue), Message(end)));
    probe_.Ok(Layer::kCanary, "", fmt::format("{} on '{}' completed", type, EscapeControl(queue)),
              probe_.Now() - began_);
    return true;
  }

 private:
  CallPtr Begin(std::string_view method, std::string request) {
    return rpc_.Start(Rpc::kWorkflowService, method, std::move(request), options_.limit);
  }

  bool Fail(std::string cause, std::string evidence) {
    probe_.Fail(Layer::kCanary, "", std::move(cause), std::move(evidence), probe_.Now() - began_);
    return false;
  }

  // The call was answered OK; told otherwise.
  bool Ended(const CallPtr& call) {
    probe_.Wait([&] { return call->done || rpc_.channel().over(); },
                options_.limit + probe_.limits.call - (probe_.Now() - began_));
    if (!call->done) {
      return Fail(
          call->method == "GetWorkflowExecutionHistory" ? "canary.not_completed" : "grpc.silent",
          fmt::format("{} is not answered within {}", call->method,
                      FormatDuration(probe_.Now() - began_)));
    }
    if (call->response.status.ok()) return true;
    const auto code = static_cast<StatusCode>(call->response.status.code);
    const std::string text =
        fmt::format("{} is answered {}: {}", call->method, CodeName(call->response.status.code),
                    EscapeControl(call->response.status.message));
    if (code == StatusCode::kPermissionDenied || code == StatusCode::kUnauthenticated)
      return Fail("auth.permission_rpc", text);
    if (const auto why = JudgeCall(probe_, *call)) return Fail(why->cause, text);
    return Fail("grpc.failing", text);
  }

  // Does the one task of the doctor's own workflow.
  bool Work(const std::string& queue) {
    const CallPtr poll = Begin("PollWorkflowTaskQueue", PollRequest(probe_.target.ns, queue));
    if (!Ended(poll)) return false;
    const auto token = ReadTaskToken(poll->response.message);
    if (!token.ok())
      return Fail("canary.not_completed", fmt::format("the task of a new workflow did not come: {}",
                                                      Message(token.status())));
    const CallPtr answer =
        Begin("RespondWorkflowTaskCompleted", CompleteRequest(probe_.target.ns, *token));
    return Ended(answer);
  }

  const Probe& probe_;
  Rpc& rpc_;
  const CanaryOptions& options_;
  const bool own_;
  const std::string id_;
  const SteadyTime began_;
};

}  // namespace

bool ProbeCanary(const Probe& probe, Rpc& rpc, const CanaryOptions& options) {
  return Canary(probe, rpc, options).Run();
}

}  // namespace squall::doctor
