#pragma once
// That commands bring what their type needs, how large they may be, and how much of a kind may be
// pending: after workflow_size_checker.go of the real server. What is too large ends the workflow;
// what is too many fails the task.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "fakes/engine/commands.h"
#include "fakes/engine/engine.h"
#include "fakes/engine/pb.h"
#include "fakes/engine/run.h"

namespace squall::fakes::engine {

// The failure of a command whose attributes are not those of its type. `unhandled`: what closes the
// workflow fails for another reason anyway.
std::optional<TaskFailure> MissingAttributes(const command::Command& command, bool unhandled);

// How many events the completion of the run's task adds to its history, the next task's included.
std::int64_t CompletionEvents(const Run& run,
                              const ws::RespondWorkflowTaskCompletedRequest& request);

// Of one completion of a workflow task: the commands, each of which is in order otherwise, come
// one by one.
class CommandLimits {
 public:
  CommandLimits(const EngineLimits& limits, const Run& run);
  std::optional<TaskFailure> Check(const command::Command& command);
  // Of an update's message.
  static std::optional<TaskFailure> CheckMessage(const protocol::Message& message);

 private:
  using Result = std::optional<TaskFailure>;
  Result Attributes(const common::SearchAttributes& attributes,
                    enums::WorkflowTaskFailedCause cause) const;
  static Result Pending(std::int64_t& pending, std::int64_t limit, std::string_view what,
                        enums::WorkflowTaskFailedCause cause);

  const EngineLimits& limits_;
  const Run& run_;
  std::int64_t activities_, children_, signals_, cancels_;  // pending
  // As the commands so far leave them; none: as the run has them.
  std::optional<std::map<std::string, common::Payload>> memo_, attributes_;
};

}  // namespace squall::fakes::engine
