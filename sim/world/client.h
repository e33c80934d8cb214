#pragma once
// A client of the world's own: starts workflows, watches how they end, makes calls. It tells the
// journal what harness's grpc++ client tells.

#include <functional>
#include <memory>
#include <string>

#include "base/journal/journal.h"
#include "base/util/executor.h"
#include "base/util/status.h"
#include "scenarios/engine/world.h"
#include "sim/world/channel.h"

namespace squall::sim {

class Client {
 public:
  Client(Executor& loop, journal::Sink& journal, std::shared_ptr<Callee> server,
         const scenarios::ClientSpec& spec);
  ~Client();

  using RunId = std::string;
  void StartWorkflow(const scenarios::WorkflowRequest& request,
                     std::function<void(StatusOr<RunId>)> done);
  // Over however many long polls, outages and runs it takes, for `limit`.
  void AwaitWorkflow(const std::string& id, const RunId& run_id, const std::string& ns,
                     Duration limit, std::function<void(StatusOr<scenarios::WorkflowEnd>)> done);
  void SignalWorkflow(const scenarios::SignalWorkflowStep& step, std::function<void(Status)> done);
  // `method` as scenarios write it: DescribeNamespace, operator/DeleteNamespace,
  // /full.Service/Method.
  void CallJson(const std::string& method, const std::string& request,
                std::function<void(StatusOr<std::string>)> done);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace squall::sim
