#pragma once
// The calls in progress: who waits for an answer, what happens when the caller leaves, and the
// answers given so far.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/util/executor.h"
#include "base/util/status.h"
#include "fakes/engine/engine.h"
#include "fakes/engine/pb.h"

namespace squall::fakes::engine {

struct Core;
using CallId = std::uint64_t;

// What the journal tells about a call.
struct CallInfo {
  std::string method, ns, task_queue, workflow_id, identity;
  // From the metadata: temporal-python, temporal-cli, ...; its version. Not in the journal.
  std::string client, client_version;
  // The client goes from a run that failed or timed out to the one that follows it by itself.
  bool follows_runs = false;
};

class Calls {
 public:
  explicit Calls(Core& core) : core_(core) {}

  // A call arrived. Its time-out, if it has one, ends it with DEADLINE_EXCEEDED.
  void Open(CallId call, CallInfo info, std::optional<SteadyTime> deadline,
            std::string fault_id = {});
  // A call of the engine's own (batch operations), in no journal: `done` gets the answer.
  CallId OpenInternal(std::function<void(const RpcResponse&)> done);
  bool IsOpen(CallId call) const { return open_.contains(call); }
  const CallInfo& info(CallId call) const { return open_.at(call).info; }
  std::optional<SteadyTime> deadline(CallId call) const { return open_.at(call).deadline; }

  // The call will be answered later. `on_gone` runs when the caller leaves or runs out of time
  // first; whoever holds the call must forget it then. `expired`: the error at the caller's
  // deadline.
  void Hold(CallId call, std::function<void()> on_gone, Status expired = DeadlineExceeded());

  // Answers; calls that are no longer open are ignored.
  void Reply(CallId call, const google::protobuf::MessageLite& response) {
    ReplyBytes(call, SerializeSorted(response));
  }
  void ReplyBytes(CallId call, std::string response);
  void Fail(CallId call, const Status& status, const std::string& fault_id = {}) {
    Fail(call, status, std::nullopt, fault_id);
  }
  void Refuse(CallId call, const RpcStatus& status, const std::string& fault_id);

  // The caller left.
  void Cancel(CallId call);
  // All callers left at once (restart); nothing is answered and no on_gone runs.
  void DropAll();

  std::vector<RpcResponse> Take() { return std::exchange(answers_, {}); }
  std::size_t size() const { return open_.size(); }

  static Status DeadlineExceeded() {
    return {StatusCode::kDeadlineExceeded, "context deadline exceeded"};
  }

 private:
  struct OpenCall {
    CallInfo info;
    std::string fault_id;  // that met the request; in all of its events
    std::uint64_t serial = 0;
    SteadyTime received;
    std::optional<SteadyTime> deadline;
    TimerId timer = 0;
    std::function<void()> on_gone;
    std::function<void(const RpcResponse&)> done;  // of an internal call
  };

  void Fail(CallId call, const Status& status, std::optional<RpcStatus> raw,
            const std::string& fault_id);
  OpenCall Close(CallId call);
  void Answer(const OpenCall& open, RpcResponse response);
  void Journal(const char* what, const OpenCall& open, std::optional<int> code,
               const std::string& detail, const std::string& fault_id);

  Core& core_;
  std::map<CallId, OpenCall> open_;
  std::vector<RpcResponse> answers_;
  std::uint64_t serial_ = 0;
  CallId next_internal_ = CallId{1} << 63;
};

}  // namespace squall::fakes::engine
