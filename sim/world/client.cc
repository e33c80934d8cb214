#include "sim/world/client.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <utility>

#include "temporal/api/operatorservice/v1/request_response.pb.h"
#include "temporal/api/workflowservice/v1/request_response.pb.h"

namespace squall::sim {
namespace {

namespace service = temporal::api::workflowservice::v1;
namespace enums = temporal::api::enums::v1;
using HistoryEvent = temporal::api::history::v1::HistoryEvent;

constexpr char kDetails[] = "grpc-status-details-bin";

std::string DetailsOf(const Status& status) {
  const auto details = status.GetPayload(kDetails);
  return details ? std::string(*details) : "";
}

constexpr Duration kFirstRetry = std::chrono::milliseconds(100);
constexpr Duration kLongestRetry = std::chrono::seconds(1);

struct MethodName {
  std::string service, method;
};

MethodName Resolve(const std::string& method) {
  if (method.starts_with("/")) {
    const std::size_t slash = method.rfind('/');
    return {method.substr(1, slash - 1), method.substr(slash + 1)};
  }
  if (method.starts_with("operator/"))
    return {std::string(fakes::kOperatorService), method.substr(method.find('/') + 1)};
  return {std::string(fakes::kWorkflowService), method};
}

StatusOr<std::unique_ptr<google::protobuf::Message>> MessageOf(const MethodName& name,
                                                               const std::string& suffix) {
  const std::string full =
      name.service.substr(0, name.service.rfind('.')) + "." + name.method + suffix;
  const auto* descriptor =
      google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(full);
  if (descriptor == nullptr)
    return MakeStatus(StatusCode::kInvalidArgument, "no method '{}' (there is no message {})",
                      name.method, full);
  return std::unique_ptr<google::protobuf::Message>(
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(descriptor)->New());
}

std::string JsonOf(const temporal::api::common::v1::Payloads& payloads) {
  return payloads.payloads_size() == 0 || payloads.payloads(0).data().empty()
             ? "null"
             : payloads.payloads(0).data();
}

std::string TextOf(const temporal::api::failure::v1::Failure& failure) {
  std::string text = failure.message();
  for (const auto* cause = &failure; cause->has_cause();) {
    cause = &cause->cause();
    if (!cause->message().empty()) text += ": " + cause->message();
  }
  return text;
}

void SetJson(temporal::api::common::v1::Payloads* payloads, const std::string& json) {
  auto* payload = payloads->add_payloads();
  (*payload->mutable_metadata())["encoding"] = "json/plain";
  payload->set_data(json);
}

bool Retryable(const Status& status) {
  switch (status.code()) {
    case StatusCode::kUnavailable:
    case StatusCode::kDeadlineExceeded:
    case StatusCode::kUnknown:
    case StatusCode::kInternal:
    case StatusCode::kResourceExhausted:
    case StatusCode::kCancelled:
    case StatusCode::kAborted:
      return true;
    case StatusCode::kNotFound:  // a namespace may come back, a workflow does not
      return DetailsOf(status).find("NamespaceNotFound") != std::string::npos;
    default:
      return false;
  }
}

// How a run ended, and the run that goes on from it, if one does.
struct RunEnd {
  scenarios::WorkflowEnd end;
  std::string next;
};
std::optional<RunEnd> ReadEnd(const HistoryEvent& event) {
  switch (event.attributes_case()) {
    case HistoryEvent::kWorkflowExecutionCompletedEventAttributes: {
      const auto& at = event.workflow_execution_completed_event_attributes();
      return RunEnd{{"completed", JsonOf(at.result()), ""}, at.new_execution_run_id()};
    }
    case HistoryEvent::kWorkflowExecutionFailedEventAttributes: {
      const auto& at = event.workflow_execution_failed_event_attributes();
      return RunEnd{{"failed", "", TextOf(at.failure())}, at.new_execution_run_id()};
    }
    case HistoryEvent::kWorkflowExecutionTimedOutEventAttributes:
      return RunEnd{{"timed_out", "", "workflow timed out"},
                    event.workflow_execution_timed_out_event_attributes().new_execution_run_id()};
    case HistoryEvent::kWorkflowExecutionCanceledEventAttributes:
      return RunEnd{{"cancelled", "", ""}, ""};
    case HistoryEvent::kWorkflowExecutionTerminatedEventAttributes:
      return RunEnd{
          {"terminated", "", event.workflow_execution_terminated_event_attributes().reason()}, ""};
    case HistoryEvent::kWorkflowExecutionContinuedAsNewEventAttributes:
      return RunEnd{
          {"continued", "", ""},
          event.workflow_execution_continued_as_new_event_attributes().new_execution_run_id()};
    default:
      return std::nullopt;
  }
}

}  // namespace

// Kept alive by the calls that are open; `closed` once the client is gone.
struct Client::Impl : std::enable_shared_from_this<Client::Impl> {
  Impl(Executor& the_loop, journal::Sink& the_journal, Server& the_server)
      : loop(the_loop), journal(the_journal), server(the_server) {}

  Executor& loop;
  journal::Sink& journal;
  Server& server;
  std::string name, ns, source;
  Duration deadline{};
  std::uint64_t calls = 0, requests = 0;
  bool closed = false;

  using Bytes = std::function<void(StatusOr<std::string>)>;

  void Call(const MethodName& method, std::string request, const std::string& of_ns,
            const std::string& workflow_id, Duration limit, Bytes done) {
    struct State {
      bool over = false;
      TimerId timer = 0;
      std::uint64_t call = 0;
    };
    auto state = std::make_shared<State>();
    const SteadyTime begun = loop.clock().Now();
    const std::uint64_t number = ++calls;
    auto finish = [self = shared_from_this(), state, begun, number, method, of_ns, workflow_id,
                   done = std::move(done)](const fakes::RpcStatus& status,
                                           const std::string& message) {
      if (std::exchange(state->over, true) || self->closed) return;
      self->loop.Cancel(state->timer);
      journal::RpcEvent event;
      event.what = status.code == 0 ? "answered" : "failed";
      event.side = "client";
      event.endpoint = self->name;
      event.call = number;
      event.method = method.method;
      event.ns = of_ns;
      event.workflow_id = workflow_id;
      event.code = status.code;
      event.latency = self->loop.clock().Now() - begun;
      event.detail = status.message;
      self->journal.Append(self->source, std::move(event));
      if (status.code == 0) return done(message);
      Status error(static_cast<StatusCode>(status.code), status.message);
      if (!status.details.empty()) error.SetPayload(kDetails, absl::Cord(status.details));
      done(std::move(error));
    };
    fakes::RpcRequest rpc;
    rpc.service = method.service;
    rpc.method = method.method;
    rpc.message = std::move(request);
    rpc.deadline = begun + limit;
    rpc.metadata = {
        {"client-name", "squall"}, {"client-version", "0.1.0"}, {"temporal-namespace", of_ns}};
    state->timer = loop.After(limit, [self = shared_from_this(), state, finish] {
      if (!state->over) self->server.Cancel(state->call);
      finish({4, "Deadline Exceeded", ""}, "");
    });
    state->call = server.Call(
        std::move(rpc), [self = shared_from_this(), finish](const fakes::RpcResponse& response) {
          // Never inside the call that asked.
          self->loop.Post([finish, response] { finish(response.status, response.message); });
        });
  }

  void Await(const std::string& id, std::string run_id, const std::string& of_ns, SteadyTime end,
             Duration pause, std::string token,
             std::function<void(StatusOr<scenarios::WorkflowEnd>)> done) {
    const Duration left = end - loop.clock().Now();
    if (closed) return;
    if (left <= Duration::zero()) {
      return done(
          MakeStatus(StatusCode::kDeadlineExceeded, "workflow {} has not ended in time", id));
    }
    service::GetWorkflowExecutionHistoryRequest request;
    request.set_namespace_(of_ns);
    request.mutable_execution()->set_workflow_id(id);
    request.mutable_execution()->set_run_id(run_id);
    request.set_wait_new_event(true);
    request.set_history_event_filter_type(enums::HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT);
    request.set_next_page_token(token);
    Call({std::string(fakes::kWorkflowService), "GetWorkflowExecutionHistory"},
         request.SerializeAsString(), of_ns, id, std::min<Duration>(left, std::chrono::seconds(30)),
         [self = shared_from_this(), id, run_id, of_ns, end, pause,
          done](const StatusOr<std::string>& bytes) {
           if (!bytes.ok()) {
             if (!Retryable(bytes.status())) {
               if (bytes.status().code() == StatusCode::kNotFound)
                 self->Tell("lost", id, run_id, of_ns,
                            {"", "", std::string(Message(bytes.status()))});
               return done(bytes.status());
             }
             self->loop.After(pause, [self, id, run_id, of_ns, end, pause, done] {
               self->Await(id, run_id, of_ns, end, std::min(pause * 2, kLongestRetry), "", done);
             });
             return;
           }
           service::GetWorkflowExecutionHistoryResponse answer;
           answer.ParseFromString(*bytes);
           std::string next = run_id, page = answer.next_page_token();
           if (answer.history().events_size() > 0) {
             if (const auto ended = ReadEnd(*answer.history().events().rbegin())) {
               if (ended->next.empty()) {
                 self->Tell(ended->end.status, id, run_id, of_ns, ended->end);
                 return done(ended->end);
               }
               self->Tell("continued", id, run_id, of_ns,
                          {"", ended->end.result, "next run " + ended->next});
               next = ended->next;
               page.clear();
             }
           }
           self->Await(id, next, of_ns, end, kFirstRetry, page, done);
         });
  }

  void Tell(const std::string& what, const std::string& id, const std::string& run_id,
            const std::string& of_ns, const scenarios::WorkflowEnd& end) {
    journal::WorkflowEvent event;
    event.what = what;
    event.workflow_id = id;
    event.run_id = run_id;
    event.ns = of_ns;
    event.result = end.result;
    event.detail = end.detail;
    journal.Append(source, std::move(event));
  }

  const std::string& Or(const std::string& given) const { return given.empty() ? ns : given; }
};

Client::Client(Executor& loop, journal::Sink& journal, Server& server, std::string name,
               std::string ns, Duration deadline)
    : impl_(std::make_shared<Impl>(loop, journal, server)) {
  impl_->source = "client:" + name;
  impl_->name = std::move(name);
  impl_->ns = std::move(ns);
  impl_->deadline = deadline;
}

Client::~Client() { impl_->closed = true; }

void Client::StartWorkflow(const scenarios::WorkflowRequest& start,
                           std::function<void(StatusOr<RunId>)> done) {
  Impl& impl = *impl_;
  const std::string ns = impl.Or(start.ns);
  service::StartWorkflowExecutionRequest request;
  request.set_namespace_(ns);
  request.set_workflow_id(start.id);
  request.mutable_workflow_type()->set_name(start.type);
  request.mutable_task_queue()->set_name(start.task_queue);
  request.set_request_id(fmt::format("{}-{}-{}", impl.name, start.id, ++impl.requests));
  SetJson(request.mutable_input(), start.input);
  if (start.execution_timeout > Duration::zero()) {
    auto* timeout = request.mutable_workflow_execution_timeout();
    timeout->set_seconds(start.execution_timeout.count() / 1'000'000'000);
    timeout->set_nanos(static_cast<int>(start.execution_timeout.count() % 1'000'000'000));
  }
  journal::WorkflowEvent event;
  event.what = "requested";
  event.workflow_id = start.id;
  event.type = start.type;
  event.ns = ns;
  event.task_queue = start.task_queue;
  impl.journal.Append(impl.source, event);
  impl.Call({std::string(fakes::kWorkflowService), "StartWorkflowExecution"},
            request.SerializeAsString(), ns, start.id, impl.deadline,
            [self = impl_, event, begun = impl.loop.clock().Now(),
             done = std::move(done)](const StatusOr<std::string>& bytes) mutable {
              event.latency = self->loop.clock().Now() - begun;
              event.what = bytes.ok() ? "accepted" : "refused";
              service::StartWorkflowExecutionResponse answer;
              if (bytes.ok()) {
                answer.ParseFromString(*bytes);
                event.run_id = answer.run_id();
              } else {
                event.code = static_cast<int>(bytes.status().code());
                event.detail = std::string(Message(bytes.status()));
              }
              self->journal.Append(self->source, event);
              if (bytes.ok()) return done(answer.run_id());
              done(bytes.status());
            });
}

void Client::AwaitWorkflow(const std::string& id, const RunId& run_id, const std::string& ns,
                           Duration limit,
                           std::function<void(StatusOr<scenarios::WorkflowEnd>)> done) {
  impl_->Await(id, run_id, impl_->Or(ns), impl_->loop.clock().Now() + limit, kFirstRetry, "",
               std::move(done));
}

void Client::SignalWorkflow(const scenarios::SignalWorkflowStep& step,
                            std::function<void(Status)> done) {
  service::SignalWorkflowExecutionRequest request;
  request.set_namespace_(impl_->Or(step.ns));
  request.mutable_workflow_execution()->set_workflow_id(step.id);
  request.set_signal_name(step.signal);
  SetJson(request.mutable_input(), step.input);
  request.set_request_id(fmt::format("{}-signal-{}", impl_->name, ++impl_->requests));
  impl_->Call(
      {std::string(fakes::kWorkflowService), "SignalWorkflowExecution"},
      request.SerializeAsString(), impl_->Or(step.ns), step.id, impl_->deadline,
      [done = std::move(done)](const StatusOr<std::string>& bytes) { done(bytes.status()); });
}

void Client::CallJson(const std::string& method, const std::string& json,
                      std::function<void(StatusOr<std::string>)> done) {
  const MethodName name = Resolve(method);
  auto request = MessageOf(name, "Request");
  Status bad = request.status();
  if (bad.ok()) {
    const auto parsed =
        google::protobuf::util::JsonStringToMessage(json.empty() ? "{}" : json, request->get());
    if (!parsed.ok())
      bad =
          MakeStatus(StatusCode::kInvalidArgument, "request of {}: {}", method, parsed.ToString());
  }
  if (!bad.ok()) return impl_->loop.Post([bad, done = std::move(done)] { done(bad); });
  const auto* field = (*request)->GetDescriptor()->FindFieldByName("namespace");
  if (field != nullptr && !field->is_repeated() &&
      field->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_STRING &&
      (*request)->GetReflection()->GetString(**request, field).empty()) {
    (*request)->GetReflection()->SetString(request->get(), field, impl_->ns);
  }
  impl_->Call(name, (*request)->SerializeAsString(), impl_->ns, "", impl_->deadline,
              std::move(done));
}

}  // namespace squall::sim
