#include "harness/target/temporal_client.h"

#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <utility>

#include "base/api/client_calls.h"
#include "harness/target/temporal_calls.h"
#include "temporal/api/enums/v1/workflow.pb.h"
#include "temporal/api/operatorservice/v1/request_response.pb.h"
#include "temporal/api/workflowservice/v1/request_response.pb.h"

namespace squall::harness {
namespace {

namespace service = temporal::api::workflowservice::v1;
namespace operators = temporal::api::operatorservice::v1;
namespace enums = temporal::api::enums::v1;
using google::protobuf::util::TimeUtil;

// A long poll that is answered by nobody ends here and is asked again; Temporal's own end after 20
// s.
constexpr Duration kLongPoll = std::chrono::seconds(30);
constexpr Duration kFirstRetry = std::chrono::milliseconds(100);
constexpr Duration kLongestRetry = std::chrono::seconds(1);
// The shortest that the real server takes.
constexpr int kRetentionHours = 24;

google::protobuf::Duration ToProto(Duration d) {
  return TimeUtil::NanosecondsToDuration(d.count());
}

std::function<void(StatusOr<std::string>)> Ignoring(TemporalClient::Done done) {
  return [done = std::move(done)](const StatusOr<std::string>& answer) {
    if (done) done(answer.status());
  };
}

// "WorkflowExecutionStatus" to the journal's words: "WORKFLOW_EXECUTION_STATUS_TIMED_OUT" to
// "timed_out".
std::string StatusWord(enums::WorkflowExecutionStatus status) {
  std::string text = enums::WorkflowExecutionStatus_Name(status);
  static constexpr std::string_view kPrefix = "WORKFLOW_EXECUTION_STATUS_";
  if (text.starts_with(kPrefix)) text.erase(0, kPrefix.size());
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (text == "canceled") text = "cancelled";
  return text;
}

}  // namespace

struct TemporalClient::Impl {
  std::shared_ptr<TemporalCalls> calls;
};

namespace {

// Waiting for a workflow's end over however many long polls, outages and runs it takes.
class Awaiting : public std::enable_shared_from_this<Awaiting> {
 public:
  using Callback = TemporalClient::Callback<WorkflowOutcome>;

  Awaiting(std::shared_ptr<TemporalCalls> calls, std::string workflow_id, std::string run_id,
           Duration limit, CallOptions how, Callback done)
      : calls_(std::move(calls)),
        workflow_id_(std::move(workflow_id)),
        run_id_(std::move(run_id)),
        limit_(limit),
        end_(calls_->executor.clock().Now() + limit),
        how_(std::move(how)),
        done_(std::move(done)) {}

  void Ask() {
    const Duration left = end_ - calls_->executor.clock().Now();
    if (left <= Duration::zero()) {
      Finish(MakeStatus(StatusCode::kDeadlineExceeded, "workflow {} has not ended within {}{}",
                        workflow_id_, FormatDuration(limit_),
                        last_.ok() ? "" : "; last error: " + std::string(Message(last_))));
      return;
    }
    service::GetWorkflowExecutionHistoryRequest request;
    request.set_namespace_(calls_->NamespaceOf(how_));
    request.mutable_execution()->set_workflow_id(workflow_id_);
    request.mutable_execution()->set_run_id(run_id_);
    request.set_wait_new_event(true);
    request.set_history_event_filter_type(enums::HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT);
    request.set_next_page_token(token_);
    CallOptions how = how_;
    how.deadline = std::min(left, kLongPoll);
    TypedCall<service::GetWorkflowExecutionHistoryResponse>(
        calls_, "GetWorkflowExecutionHistory", request, how, {.workflow_id = workflow_id_},
        [self = shared_from_this()](StatusOr<service::GetWorkflowExecutionHistoryResponse> answer) {
          self->OnAnswer(std::move(answer));
        });
  }

 private:
  void OnAnswer(StatusOr<service::GetWorkflowExecutionHistoryResponse> answer) {
    if (!answer.ok()) {
      // A long poll that ran into its own deadline is no news.
      if (answer.status().code() != StatusCode::kDeadlineExceeded || last_.ok())
        last_ = answer.status();
      if (!api::Retryable(answer.status())) {
        if (answer.status().code() == StatusCode::kNotFound)
          Tell("lost", {}, std::string(Message(answer.status())));
        Finish(answer.status());
        return;
      }
      // A page token belongs to the server's run before the outage.
      token_.clear();
      calls_->executor.After(pause_, [self = shared_from_this()] {
        if (!self->calls_->closed) self->Ask();
      });
      pause_ = std::min(pause_ * 2, kLongestRetry);
      return;
    }
    pause_ = kFirstRetry;
    last_ = absl::OkStatus();
    token_ = answer->next_page_token();
    if (answer->history().events_size() > 0 && OnClose(*answer->history().events().rbegin()))
      return;
    Ask();
  }

  // True when the waiting is over.
  bool OnClose(const temporal::api::history::v1::HistoryEvent& event) {
    const auto end = api::RunEndOf(event);
    if (!end) return false;
    const WorkflowOutcome outcome{
        .what = end->status, .run_id = run_id_, .result_json = end->result, .detail = end->detail};
    if (!end->next_run_id.empty()) {  // a retry, a cron, or continue-as-new: the chain goes on
      Tell("continued", outcome, "next run " + end->next_run_id);
      run_id_ = end->next_run_id;
      token_.clear();
      return false;
    }
    Tell(outcome.what, outcome, outcome.detail);
    Finish(outcome);
    return true;
  }

  void Tell(std::string_view what, const WorkflowOutcome& outcome, std::string detail) {
    calls_->journal.Append(calls_->source, journal::WorkflowEvent{.what = std::string(what),
                                                                  .workflow_id = workflow_id_,
                                                                  .run_id = run_id_,
                                                                  .ns = calls_->NamespaceOf(how_),
                                                                  .result = outcome.result_json,
                                                                  .detail = std::move(detail)});
  }

  void Finish(StatusOr<WorkflowOutcome> result) {
    if (const auto done = std::exchange(done_, nullptr)) done(std::move(result));
  }

  const std::shared_ptr<TemporalCalls> calls_;
  const std::string workflow_id_;
  std::string run_id_;
  const Duration limit_;
  const SteadyTime end_;
  const CallOptions how_;
  Callback done_;
  std::string token_;
  Status last_;
  Duration pause_ = kFirstRetry;
};

// An update's outcome may come with a later call; the id makes the calls one update.
void AskUpdate(const std::shared_ptr<TemporalCalls>& calls,
               const service::UpdateWorkflowExecutionRequest& request, SteadyTime end,
               CallOptions how, TemporalClient::Callback<std::string> done) {
  how.deadline = end - calls->executor.clock().Now();
  TypedCall<service::UpdateWorkflowExecutionResponse>(
      calls, "UpdateWorkflowExecution", request, how,
      {.workflow_id = request.workflow_execution().workflow_id()},
      [calls, request, end, how,
       done = std::move(done)](StatusOr<service::UpdateWorkflowExecutionResponse> answer) {
        if (!answer.ok()) {
          done(answer.status());
        } else if (answer->outcome().has_success()) {
          done(api::JsonOf(answer->outcome().success()));
        } else if (answer->outcome().has_failure()) {
          done(MakeStatus(StatusCode::kFailedPrecondition, "{}",
                          api::TextOf(answer->outcome().failure())));
        } else if (calls->executor.clock().Now() < end) {
          AskUpdate(calls, request, end, how, done);
        } else {
          done(MakeStatus(StatusCode::kDeadlineExceeded, "update {} has no outcome yet",
                          request.request().input().name()));
        }
      });
}

}  // namespace

TemporalClient::TemporalClient(Executor& executor, journal::Sink& journal,
                               TemporalClientOptions options)
    : impl_(std::make_shared<Impl>()) {
  impl_->calls = std::make_shared<TemporalCalls>(executor, journal, std::move(options));
}

TemporalClient::~TemporalClient() { impl_->calls->Close(); }

const TemporalClientOptions& TemporalClient::options() const { return impl_->calls->options; }

void TemporalClient::Reconnect(std::optional<std::string> address) {
  if (address) impl_->calls->options.address = *std::move(address);
  impl_->calls->CancelAll();
  impl_->calls->Connect();
}

void TemporalClient::ResetBackoff() { impl_->calls->ResetBackoff(); }

void TemporalClient::Call(std::string_view method, const std::string& request,
                          const CallOptions& options, Callback<std::string> done) {
  impl_->calls->Start(method, request, options, {}, std::move(done));
}

void TemporalClient::CallJson(std::string_view method, std::string_view request_json,
                              const CallOptions& options, Callback<std::string> done) {
  auto request = api::RequestOf(method, request_json, impl_->calls->NamespaceOf(options));
  if (!request.ok()) {
    impl_->calls->executor.Post([calls = impl_->calls, done, status = request.status()] {
      if (!calls->closed && done) done(status);
    });
    return;
  }
  Call(method, *request, options,
       [done = std::move(done), name = std::string(method)](const StatusOr<std::string>& bytes) {
         if (!done) return;
         done(bytes.ok() ? api::AnswerToJson(name, *bytes) : bytes);
       });
}

void TemporalClient::GetSystemInfo(const CallOptions& options, Callback<SystemInfo> done) {
  TypedCall<service::GetSystemInfoResponse>(
      impl_->calls, "GetSystemInfo", service::GetSystemInfoRequest(), options, {},
      [done = std::move(done)](StatusOr<service::GetSystemInfoResponse> answer) {
        if (!answer.ok()) return done(answer.status());
        done(SystemInfo{answer->server_version()});
      });
}

void TemporalClient::DescribeNamespace(std::string ns, CallOptions options, Done done) {
  service::DescribeNamespaceRequest request;
  request.set_namespace_(ns);
  options.ns = std::move(ns);
  impl_->calls->Start("DescribeNamespace", request.SerializeAsString(), options, {},
                      Ignoring(std::move(done)));
}

void TemporalClient::RegisterNamespace(std::string ns, CallOptions options, Done done) {
  service::RegisterNamespaceRequest request;
  request.set_namespace_(ns);
  *request.mutable_workflow_execution_retention_period() =
      TimeUtil::HoursToDuration(kRetentionHours);
  options.ns = std::move(ns);
  impl_->calls->Start("RegisterNamespace", request.SerializeAsString(), options, {},
                      [done = std::move(done)](const StatusOr<std::string>& answer) {
                        if (done)
                          done(answer.status().code() == StatusCode::kAlreadyExists
                                   ? absl::OkStatus()
                                   : answer.status());
                      });
}

void TemporalClient::DeleteNamespace(std::string ns, CallOptions options, Done done) {
  operators::DeleteNamespaceRequest request;
  request.set_namespace_(ns);
  options.ns = std::move(ns);
  impl_->calls->Start("operator/DeleteNamespace", request.SerializeAsString(), options, {},
                      Ignoring(std::move(done)));
}

void TemporalClient::DescribeTaskQueue(std::string task_queue, const CallOptions& options,
                                       const Callback<TaskQueueDescription>& done) {
  // One call for each type; the first error is the answer.
  struct Both {
    TaskQueueDescription result;
    Status error;
    int left = 2;
  };
  const auto both = std::make_shared<Both>();
  for (const bool workflow : {true, false}) {
    service::DescribeTaskQueueRequest request;
    request.set_namespace_(impl_->calls->NamespaceOf(options));
    request.mutable_task_queue()->set_name(task_queue);
    request.set_task_queue_type(workflow ? enums::TASK_QUEUE_TYPE_WORKFLOW
                                         : enums::TASK_QUEUE_TYPE_ACTIVITY);
    TypedCall<service::DescribeTaskQueueResponse>(
        impl_->calls, "DescribeTaskQueue", request, options, {.task_queue = task_queue},
        [both, workflow, done, &clock = impl_->calls->executor.clock()](
            StatusOr<service::DescribeTaskQueueResponse> answer) {
          if (answer.ok()) {
            auto& pollers =
                workflow ? both->result.workflow_pollers : both->result.activity_pollers;
            for (const auto& poller : answer->pollers()) {
              const WallTime access(std::chrono::nanoseconds(
                  TimeUtil::TimestampToNanoseconds(poller.last_access_time())));
              pollers.push_back(
                  {poller.identity(), std::max(clock.WallNow() - access, Duration::zero())});
            }
          } else if (both->error.ok()) {
            both->error = answer.status();
          }
          if (--both->left > 0) return;
          if (both->error.ok()) {
            done(std::move(both->result));
          } else {
            done(both->error);
          }
        });
  }
}

void TemporalClient::StartWorkflow(StartRequest start, const CallOptions& options,
                                   Callback<std::string> done) {
  TemporalCalls& calls = *impl_->calls;
  service::StartWorkflowExecutionRequest request;
  request.set_namespace_(calls.NamespaceOf(options));
  request.set_workflow_id(start.workflow_id);
  request.mutable_workflow_type()->set_name(start.type);
  request.mutable_task_queue()->set_name(start.task_queue);
  request.set_identity(calls.options.identity);
  // The same for all of gRPC's own attempts at this call, another for the next one.
  request.set_request_id(calls.options.name + "-" + start.workflow_id + "-" +
                         std::to_string(++calls.requests));
  for (const std::string& json : start.arguments_json) api::AddJson(request.mutable_input(), json);
  if (start.execution_timeout > Duration::zero())
    *request.mutable_workflow_execution_timeout() = ToProto(start.execution_timeout);
  if (start.run_timeout > Duration::zero())
    *request.mutable_workflow_run_timeout() = ToProto(start.run_timeout);
  if (start.task_timeout > Duration::zero())
    *request.mutable_workflow_task_timeout() = ToProto(start.task_timeout);
  if (start.max_attempts > 0)
    request.mutable_retry_policy()->set_maximum_attempts(start.max_attempts);

  journal::WorkflowEvent event{.what = "requested",
                               .workflow_id = start.workflow_id,
                               .type = start.type,
                               .ns = calls.NamespaceOf(options),
                               .task_queue = start.task_queue};
  calls.journal.Append(calls.source, event);
  TypedCall<service::StartWorkflowExecutionResponse>(
      impl_->calls, "StartWorkflowExecution", request, options,
      {.task_queue = start.task_queue, .workflow_id = start.workflow_id},
      [impl = impl_, event = std::move(event), begun = calls.executor.clock().Now(),
       done = std::move(done)](StatusOr<service::StartWorkflowExecutionResponse> answer) mutable {
        event.latency = impl->calls->executor.clock().Now() - begun;
        event.what = answer.ok() ? "accepted" : "refused";
        if (answer.ok()) {
          event.run_id = answer->run_id();
        } else {
          event.code = static_cast<int>(answer.status().code());
          event.detail = std::string(Message(answer.status()));
        }
        impl->calls->journal.Append(impl->calls->source, event);
        if (!done) return;
        if (answer.ok()) {
          done(answer->run_id());
        } else {
          done(answer.status());
        }
      });
}

void TemporalClient::AwaitResult(std::string workflow_id, std::string run_id, Duration limit,
                                 CallOptions options, Callback<WorkflowOutcome> done) {
  std::make_shared<Awaiting>(impl_->calls, std::move(workflow_id), std::move(run_id), limit,
                             std::move(options), std::move(done))
      ->Ask();
}

void TemporalClient::DescribeWorkflow(std::string workflow_id, const CallOptions& options,
                                      Callback<WorkflowDescription> done) {
  service::DescribeWorkflowExecutionRequest request;
  request.set_namespace_(impl_->calls->NamespaceOf(options));
  request.mutable_execution()->set_workflow_id(workflow_id);
  TypedCall<service::DescribeWorkflowExecutionResponse>(
      impl_->calls, "DescribeWorkflowExecution", request, options, {.workflow_id = workflow_id},
      [done = std::move(done)](StatusOr<service::DescribeWorkflowExecutionResponse> answer) {
        if (!answer.ok()) return done(answer.status());
        const auto& info = answer->workflow_execution_info();
        WorkflowDescription description{
            .status = StatusWord(info.status()),
            .run_id = info.execution().run_id(),
            .type = info.type().name(),
            .task_queue = info.task_queue(),
            .history_length = static_cast<std::uint64_t>(info.history_length())};
        for (const auto& activity : answer->pending_activities()) {
          description.pending_activities.push_back(
              {.id = activity.activity_id(),
               .type = activity.activity_type().name(),
               .state = enums::PendingActivityState_Name(activity.state()),
               .attempt = activity.attempt(),
               .last_failure = api::TextOf(activity.last_failure())});
        }
        done(std::move(description));
      });
}

void TemporalClient::SignalWorkflow(std::string workflow_id, std::string signal,
                                    const std::string& argument_json, const CallOptions& options,
                                    Done done) {
  TemporalCalls& calls = *impl_->calls;
  service::SignalWorkflowExecutionRequest request;
  request.set_namespace_(calls.NamespaceOf(options));
  request.mutable_workflow_execution()->set_workflow_id(workflow_id);
  request.set_signal_name(signal);
  request.set_identity(calls.options.identity);
  request.set_request_id(calls.options.name + "-" + workflow_id + "-" +
                         std::to_string(++calls.requests));
  if (!argument_json.empty()) api::AddJson(request.mutable_input(), argument_json);
  calls.Start("SignalWorkflowExecution", request.SerializeAsString(), options,
              {.workflow_id = workflow_id}, Ignoring(std::move(done)));
}

void TemporalClient::QueryWorkflow(std::string workflow_id, std::string query,
                                   const CallOptions& options, Callback<std::string> done) {
  service::QueryWorkflowRequest request;
  request.set_namespace_(impl_->calls->NamespaceOf(options));
  request.mutable_execution()->set_workflow_id(workflow_id);
  request.mutable_query()->set_query_type(query);
  TypedCall<service::QueryWorkflowResponse>(
      impl_->calls, "QueryWorkflow", request, options, {.workflow_id = workflow_id},
      [done = std::move(done)](StatusOr<service::QueryWorkflowResponse> answer) {
        if (!answer.ok()) return done(answer.status());
        if (answer->has_query_rejected()) {
          return done(MakeStatus(StatusCode::kFailedPrecondition,
                                 "the query was rejected: workflow is {}",
                                 StatusWord(answer->query_rejected().status())));
        }
        done(api::JsonOf(answer->query_result()));
      });
}

void TemporalClient::UpdateWorkflow(std::string workflow_id, std::string update,
                                    const std::string& argument_json, const CallOptions& options,
                                    Callback<std::string> done) {
  TemporalCalls& calls = *impl_->calls;
  service::UpdateWorkflowExecutionRequest request;
  request.set_namespace_(calls.NamespaceOf(options));
  request.mutable_workflow_execution()->set_workflow_id(workflow_id);
  request.mutable_wait_policy()->set_lifecycle_stage(
      enums::UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED);
  auto* inner = request.mutable_request();
  inner->mutable_meta()->set_update_id(calls.options.name + "-" + workflow_id + "-" +
                                       std::to_string(++calls.requests));
  inner->mutable_meta()->set_identity(calls.options.identity);
  inner->mutable_input()->set_name(update);
  if (!argument_json.empty()) api::AddJson(inner->mutable_input()->mutable_args(), argument_json);
  const SteadyTime end =
      calls.executor.clock().Now() + options.deadline.value_or(calls.options.deadline);
  AskUpdate(impl_->calls, request, end, options, std::move(done));
}

void TemporalClient::CancelWorkflow(std::string workflow_id, const CallOptions& options,
                                    Done done) {
  TemporalCalls& calls = *impl_->calls;
  service::RequestCancelWorkflowExecutionRequest request;
  request.set_namespace_(calls.NamespaceOf(options));
  request.mutable_workflow_execution()->set_workflow_id(workflow_id);
  request.set_identity(calls.options.identity);
  request.set_request_id(calls.options.name + "-" + workflow_id + "-" +
                         std::to_string(++calls.requests));
  calls.Start("RequestCancelWorkflowExecution", request.SerializeAsString(), options,
              {.workflow_id = workflow_id}, Ignoring(std::move(done)));
}

void TemporalClient::TerminateWorkflow(std::string workflow_id, std::string reason,
                                       const CallOptions& options, Done done) {
  service::TerminateWorkflowExecutionRequest request;
  request.set_namespace_(impl_->calls->NamespaceOf(options));
  request.mutable_workflow_execution()->set_workflow_id(workflow_id);
  request.set_reason(reason);
  request.set_identity(impl_->calls->options.identity);
  impl_->calls->Start("TerminateWorkflowExecution", request.SerializeAsString(), options,
                      {.workflow_id = workflow_id}, Ignoring(std::move(done)));
}

namespace {

void AskHistory(const std::shared_ptr<TemporalCalls>& calls,
                const service::GetWorkflowExecutionHistoryRequest& request, const CallOptions& how,
                std::shared_ptr<temporal::api::history::v1::History> so_far,
                TemporalClient::Callback<std::string> done) {
  TypedCall<service::GetWorkflowExecutionHistoryResponse>(
      calls, "GetWorkflowExecutionHistory", request, how,
      {.workflow_id = request.execution().workflow_id()},
      [calls, request, how, so_far,
       done = std::move(done)](StatusOr<service::GetWorkflowExecutionHistoryResponse> answer) {
        if (!answer.ok()) return done(answer.status());
        so_far->MergeFrom(answer->history());
        if (!answer->next_page_token().empty()) {
          service::GetWorkflowExecutionHistoryRequest next = request;
          next.set_next_page_token(answer->next_page_token());
          return AskHistory(calls, next, how, so_far, done);
        }
        std::string text;
        if (const auto printed = google::protobuf::util::MessageToJsonString(*so_far, &text);
            !printed.ok()) {
          return done(MakeStatus(StatusCode::kInternal, "history: {}", printed.ToString()));
        }
        done(std::move(text));
      });
}

}  // namespace

void TemporalClient::History(std::string workflow_id, std::string run_id,
                             const CallOptions& options, Callback<std::string> done) {
  service::GetWorkflowExecutionHistoryRequest request;
  request.set_namespace_(impl_->calls->NamespaceOf(options));
  request.mutable_execution()->set_workflow_id(workflow_id);
  request.mutable_execution()->set_run_id(run_id);
  AskHistory(impl_->calls, request, options,
             std::make_shared<temporal::api::history::v1::History>(), std::move(done));
}

}  // namespace squall::harness
