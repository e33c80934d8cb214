#pragma once
// How large the real server lets things become, with the default values of its dynamic
// configuration (engine.h: EngineLimits), and what it puts in the place of what is larger.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "base/util/status.h"
#include "fakes/engine/pb.h"
#include "fakes/engine/run.h"

namespace squall::fakes::engine {

inline constexpr std::size_t kMaxIdLength = 1000;  // limit.maxIDLength: ids, names, identities
// frontend.visibilityMaxPageSize, frontend.historyMaxPageSize, limit.endpointListMaxPageSize
inline constexpr int kMaxPage = 1000;
inline constexpr int kMaxCallbacks =
    2000;  // system.maxCallbacksPerWorkflow, callback.maxPerExecution
inline constexpr int kMaxReachabilityBuilds = 5;  // limit.reachabilityQueryBuildIds
inline constexpr std::size_t kBlobSizeWarn = std::size_t{512} << 10;  // limit.blobSize.warn
inline constexpr std::size_t kBlobSizeError = std::size_t{2} << 20;   // limit.blobSize.error
inline constexpr std::size_t kMemoSizeError = std::size_t{2} << 20;   // limit.memoSize.error
inline constexpr std::string_view kBlobExceedsLimit = "Blob data size exceeds limit.";
inline constexpr std::string_view kHeartbeatExceedsLimit = "Heartbeat details exceed size limit.";

// Whether a payload or failure is beyond limit.blobSize.error. Null is not.
bool ExceedsBlobLimit(const google::protobuf::Message* payload);

// A failure of the server's own.
failure::Failure ServerFailure(std::string_view message, bool non_retryable = true);

// `given`, or when it is too large the server's failure with what is left of it as the cause.
failure::Failure WithinBlobLimit(const failure::Failure& given);
// The same for the failure of an attempt that is retried, which is kept in the workflow's state.
failure::Failure WithinStateLimit(const failure::Failure& given, std::int64_t limit);

// The size of histories and of what is kept beside them. The real server looks at both whenever it
// stores a change of an open workflow: a history whose stored part is too large, or that would get
// too many events, or too large a state ends the workflow instead, and the change is dropped.
class Limits {
 public:
  explicit Limits(Core& core) : core_(core) {}

  // Before a change that adds so many events: when they are too many the run is terminated, and
  // this is the error of the call that asked for the change.
  std::optional<Status> Refuse(Run& run, std::int64_t events);
  // The same before the completion of a workflow task, for what it leaves in the workflow's state
  // (nothing when it `closes` the workflow) and for what it writes at once.
  std::optional<Status> RefuseCompletion(Run& run,
                                         const ws::RespondWorkflowTaskCompletedRequest& request,
                                         bool closes);
  // At the end of a change that is applied already: true when it was too much. Then what it wrote
  // is dropped, the run terminated, and the call in hand answered with the error.
  bool Enforce(Run& run);
  // More events wait behind the workflow task in progress than the real server lets wait.
  bool BufferFull(const Run& run) const;

  // The error that Refuse or Enforce left for the call in hand; taking it forgets it.
  std::optional<Status> TakeError() { return std::exchange(error_, std::nullopt); }

 private:
  std::optional<std::string_view> Exceeded(std::int64_t size, std::int64_t count) const;
  void Terminate(Run& run, std::string_view reason, const Status& error,
                 const common::Payloads* details = nullptr);

  Core& core_;
  std::optional<Status> error_;
};

}  // namespace squall::fakes::engine
