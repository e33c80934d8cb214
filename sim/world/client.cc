#include "sim/world/client.h"

#include <algorithm>
#include <utility>

#include "base/api/client_calls.h"
#include "temporal/api/workflowservice/v1/request_response.pb.h"

namespace squall::sim {
namespace {

namespace service = temporal::api::workflowservice::v1;
namespace enums = temporal::api::enums::v1;

constexpr Duration kFirstRetry = std::chrono::milliseconds(100);
constexpr Duration kLongestRetry = std::chrono::seconds(1);

struct MethodName {
  std::string service, method;
};

MethodName Resolve(const std::string& method) {
  const std::string path = api::PathOf(method);
  const std::size_t slash = path.rfind('/');
  return {path.substr(1, slash - 1), path.substr(slash + 1)};
}

}  // namespace

// Kept alive by the calls that are open; `closed` once the client is gone.
struct Client::Impl : std::enable_shared_from_this<Client::Impl> {
  Impl(Executor& the_loop, journal::Sink& the_journal, std::shared_ptr<Callee> the_server)
      : loop(the_loop), journal(the_journal), server(std::move(the_server)) {}

  Executor& loop;
  journal::Sink& journal;
  std::shared_ptr<Callee> server;  // null once the client is closed
  std::string name, ns, source, api_key;
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
      if (!status.details.empty())
        error.SetPayload(api::kStatusDetails, absl::Cord(status.details));
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
      if (!state->over && self->server) self->server->Cancel(state->call);
      finish({4, "Deadline Exceeded", ""}, "");
    });
    if (!api_key.empty()) rpc.metadata.emplace("authorization", "Bearer " + api_key);
    state->call = server->Call(
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
             if (!api::Retryable(bytes.status())) {
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
             if (const auto ended = api::RunEndOf(*answer.history().events().rbegin())) {
               const scenarios::WorkflowEnd end_of_run{ended->status, ended->result, ended->detail};
               if (ended->next_run_id.empty()) {
                 self->Tell(ended->status, id, run_id, of_ns, end_of_run);
                 return done(end_of_run);
               }
               self->Tell("continued", id, run_id, of_ns,
                          {"", ended->result, "next run " + ended->next_run_id});
               next = ended->next_run_id;
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

Client::Client(Executor& loop, journal::Sink& journal, std::shared_ptr<Callee> server,
               const scenarios::ClientSpec& spec)
    : impl_(std::make_shared<Impl>(loop, journal, std::move(server))) {
  impl_->source = "client:" + spec.name;
  impl_->name = spec.name;
  impl_->ns = spec.ns;
  impl_->deadline = spec.timeout;
  impl_->api_key = spec.connect.api_key;
}

Client::~Client() {
  impl_->closed = true;
  impl_->server = nullptr;
}

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
  api::AddJson(request.mutable_input(), start.input);
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
  api::AddJson(request.mutable_input(), step.input);
  request.set_request_id(fmt::format("{}-signal-{}", impl_->name, ++impl_->requests));
  impl_->Call(
      {std::string(fakes::kWorkflowService), "SignalWorkflowExecution"},
      request.SerializeAsString(), impl_->Or(step.ns), step.id, impl_->deadline,
      [done = std::move(done)](const StatusOr<std::string>& bytes) { done(bytes.status()); });
}

void Client::CallJson(const std::string& method, const std::string& json,
                      std::function<void(StatusOr<std::string>)> done) {
  auto request = api::RequestOf(method, json, impl_->ns);
  if (!request.ok())
    return impl_->loop.Post([bad = request.status(), done = std::move(done)] { done(bad); });
  impl_->Call(Resolve(method), *std::move(request), impl_->ns, "", impl_->deadline,
              std::move(done));
}

}  // namespace squall::sim
