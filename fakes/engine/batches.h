#pragma once
// Batch operations: one RPC done to many executions. Each job runs as deferred work at the pace of
// the real server's batcher. There a job is a workflow whose id is the job's; here it is plain
// data, and in no list of workflows.

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/util/executor.h"
#include "base/util/status.h"
#include "fakes/engine/pb.h"
#include "fakes/engine/run.h"

namespace squall::fakes::engine {

struct Batch : std::enable_shared_from_this<Batch> {
  std::weak_ptr<Namespace> ns;
  ws::StartBatchOperationRequest request;
  std::string run_id, start_request_id;  // shown when the job id is used twice
  std::uint64_t serial = 0;
  enums::BatchOperationState state = enums::BATCH_OPERATION_STATE_RUNNING;
  WallTime started{}, closed{};
  std::deque<common::Execution> todo;
  std::int64_t total = 0, succeeded = 0, failed = 0;
  TimerId timer = 0;
};

class Batches {
 public:
  explicit Batches(Core& core) : core_(core) {}

  StatusOr<ws::StartBatchOperationResponse> Start(const ws::StartBatchOperationRequest& request);
  StatusOr<ws::StopBatchOperationResponse> Stop(const ws::StopBatchOperationRequest& request);
  StatusOr<ws::DescribeBatchOperationResponse> Describe(
      const ws::DescribeBatchOperationRequest& request);
  StatusOr<ws::ListBatchOperationsResponse> List(const ws::ListBatchOperationsRequest& request);

 private:
  void Begin(Batch& batch);
  void End(Batch& batch, enums::BatchOperationState state);
  // Does up to `count` of what is left, then waits for its next turn.
  void Work(Batch& batch, int count);
  void Do(Batch& batch, const common::Execution& target);
  StatusOr<std::vector<common::Execution>> Targets(const Batch& batch);
  // Handles a request as if a client had sent it.
  void Invoke(Batch& batch, std::string_view method, const google::protobuf::MessageLite& request);

  Core& core_;
  std::uint64_t serial_ = 0;
};

}  // namespace squall::fakes::engine
