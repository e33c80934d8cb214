#pragma once
// A typed client of an engine on a clock moved by hand: calls by message type, polls, workers in a
// few words.

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/journal/journal.h"
#include "base/util/clock.h"
#include "fakes/engine/engine.h"
#include "fakes/engine/pb.h"
#include "fakes/engine/times.h"

namespace squall::fakes::engine {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// Keeps all events.
class MemorySink final : public journal::Sink {
 public:
  void Append(std::string_view source, journal::Payload payload) override {
    sources.emplace_back(source);
    events.push_back(std::move(payload));
  }
  template <typename T>
  std::vector<T> Of(std::string_view what = {}) const {
    std::vector<T> found;
    for (const auto& event : events) {
      if (const T* typed = std::get_if<T>(&event);
          typed != nullptr && (what.empty() || typed->what == what)) {
        found.push_back(*typed);
      }
    }
    return found;
  }
  std::vector<std::string> sources;
  std::vector<journal::Payload> events;
};

inline EngineOptions TestOptions() {
  EngineOptions options;
  options.check_invariants = true;
  return options;
}

// The answer to a call; `response` is set when the status is OK.
template <typename Response>
struct Reply {
  RpcStatus status;
  Response response;
  bool ok() const { return status.code == 0; }
};

class Client {
 public:
  explicit Client(EngineOptions options = TestOptions()) : engine(std::move(options), sink) {}

  Moment now() const { return clock.MomentNow(); }
  // Moves time and lets the engine act at each of its deadlines.
  void Advance(Duration by) {
    const SteadyTime target = clock.Now() + by;
    while (auto next = engine.NextDeadline()) {
      if (*next > target) break;
      clock.AdvanceTo(*next);
      engine.Advance(now());
      Collect();
    }
    clock.AdvanceTo(target);
    engine.Advance(now());
    Collect();
  }

  std::uint64_t Send(std::string_view method, const google::protobuf::MessageLite& request,
                     std::optional<Duration> timeout = {},
                     std::string_view service = kWorkflowService) {
    const std::uint64_t call = next_call_++;
    RpcRequest rpc{.service = std::string(service),
                   .method = std::string(method),
                   .metadata = {{"client-name", client_name}},
                   .message = request.SerializeAsString()};
    if (!features.empty()) rpc.metadata.emplace("supported-features", features);
    if (timeout) rpc.deadline = clock.Now() + *timeout;
    engine.Call(now(), call, std::move(rpc));
    Collect();
    return call;
  }
  void Cancel(std::uint64_t call) {
    engine.Cancel(now(), call);
    Collect();
  }
  bool Answered(std::uint64_t call) const { return answers.contains(call); }
  template <typename Response>
  Reply<Response> Take(std::uint64_t call) {
    Reply<Response> reply;
    auto it = answers.find(call);
    if (it == answers.end()) {
      ADD_FAILURE() << "call " << call << " is not answered";
      reply.status.code = -1;
      return reply;
    }
    reply.status = it->second.status;
    EXPECT_TRUE(reply.response.ParseFromString(it->second.message));
    answers.erase(it);
    return reply;
  }
  template <typename Response, typename Request>
  Reply<Response> Call(std::string_view method, const Request& request,
                       std::string_view service = kWorkflowService) {
    return Take<Response>(Send(method, request, {}, service));
  }

  // Workflows.
  static ws::StartWorkflowExecutionRequest StartRequest(const std::string& id,
                                                        const std::string& queue = "q");
  std::string Start(const std::string& id, const std::string& queue = "q");  // run id
  Reply<ws::StartWorkflowExecutionResponse> Start(
      const ws::StartWorkflowExecutionRequest& request) {
    return Call<ws::StartWorkflowExecutionResponse>("StartWorkflowExecution", request);
  }
  void Signal(const std::string& id, const std::string& name);
  // Polls; held ones are answered later.
  std::uint64_t SendWorkflowPoll(const std::string& queue = "q", const std::string& identity = "w",
                                 const std::string& normal_of_sticky = {});
  std::uint64_t SendActivityPoll(const std::string& queue = "q", const std::string& identity = "w");
  // The task that must be there.
  ws::PollWorkflowTaskQueueResponse PollTask(const std::string& queue = "q",
                                             const std::string& normal_of_sticky = {});
  ws::PollActivityTaskQueueResponse PollActivity(const std::string& queue = "q",
                                                 const std::string& identity = "w");
  // Ends a workflow task; `sticky` names the sticky queue to set.
  Reply<ws::RespondWorkflowTaskCompletedResponse> Complete(
      const ws::PollWorkflowTaskQueueResponse& task, const std::vector<command::Command>& commands,
      const std::string& sticky = {});
  Reply<ws::RespondWorkflowTaskFailedResponse> FailTask(
      const ws::PollWorkflowTaskQueueResponse& task);
  Reply<ws::RespondActivityTaskCompletedResponse> CompleteActivity(
      const std::string& token, const std::string& result = "\"done\"");
  Reply<ws::RespondActivityTaskFailedResponse> FailActivity(const std::string& token,
                                                            const std::string& type = "Oops",
                                                            bool non_retryable = false);
  // A worker that takes the next workflow task and answers with `commands`.
  void Step(const std::vector<command::Command>& commands, const std::string& queue = "q") {
    EXPECT_EQ(Complete(PollTask(queue), commands).status.message, "");
  }

  std::vector<historypb::HistoryEvent> History(const std::string& id,
                                               const std::string& run_id = {});
  // Names of the events without EVENT_TYPE_, in order.
  std::vector<std::string> EventNames(const std::string& id, const std::string& run_id = {});
  ws::DescribeWorkflowExecutionResponse Describe(const std::string& id,
                                                 const std::string& run_id = {});
  historypb::HistoryEvent LastEvent(const std::string& id, const std::string& run_id = {}) {
    auto events = History(id, run_id);
    return events.empty() ? historypb::HistoryEvent() : events.back();
  }

  void Collect() {
    for (RpcResponse& response : engine.TakeResponses()) {
      const std::uint64_t call = response.call;
      EXPECT_TRUE(answers.emplace(call, std::move(response)).second)
          << "call " << call << " is answered twice";
    }
  }

  // The CLI sees of a history only what is written.
  std::string client_name = "temporal-cli";
  std::string features;  // supported-features of the metadata
  ManualClock clock;
  MemorySink sink;
  Engine engine;
  std::map<std::uint64_t, RpcResponse> answers;

 private:
  std::uint64_t next_call_ = 1;
};

common::Payloads Json(const std::string& text);
command::Command CompleteWorkflow(const std::string& json = "\"ok\"");
command::Command FailWorkflow(const std::string& message, const std::string& type = "Oops");
command::Command CancelWorkflow();
command::Command ContinueAsNew(const std::string& json = "1");
command::Command StartTimer(const std::string& id, Duration after);
command::Command CancelTimer(const std::string& id);
// start_to_close 10 s unless changed by the caller; default retry policy.
command::Command Schedule(const std::string& id, const std::string& queue = "q");
command::Command CancelActivity(std::int64_t scheduled_event_id);
command::Command StartChild(const std::string& id, enums::ParentClosePolicy policy =
                                                       enums::PARENT_CLOSE_POLICY_UNSPECIFIED);

// The detail of type T in an error's google.rpc.Status; nullopt when there is none.
bool UnpackDetail(const RpcStatus& status, google::protobuf::Message* detail);

}  // namespace squall::fakes::engine
