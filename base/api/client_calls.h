#pragma once
// What every client of Temporal's makes of its calls, whatever carries them: how methods are named,
// payloads of JSON, which errors are worth another attempt, and how a workflow's history says that it
// ended.
//
// Pure functions, safe from any thread.

#include <optional>
#include <string>
#include <string_view>

#include "base/util/status.h"

namespace temporal::api::common::v1 {
class Payloads;
}  // namespace temporal::api::common::v1
namespace temporal::api::failure::v1 {
class Failure;
}  // namespace temporal::api::failure::v1
namespace temporal::api::history::v1 {
class HistoryEvent;
}  // namespace temporal::api::history::v1

namespace squall::api {

// The full gRPC path of a method: "StartWorkflowExecution" is WorkflowService's, "operator/..."
// OperatorService's, and what begins with a slash is a path already.
std::string PathOf(std::string_view method);

// One more payload of encoding json/plain.
void AddJson(temporal::api::common::v1::Payloads* payloads, std::string_view json);
// The first payload; "null" for none, as SDKs send for a result of no value.
std::string JsonOf(const temporal::api::common::v1::Payloads& payloads);
// The message of a failure and those of its causes.
std::string TextOf(const temporal::api::failure::v1::Failure& failure);

// Whether the same call may succeed later. A namespace that is not found may come back (told by the
// status's payload kStatusDetails), a workflow does not.
bool Retryable(const Status& status);
// The payload of a Status that holds gRPC's details, named as gRPC's trailer of them.
inline constexpr char kStatusDetails[] = "grpc-status-details-bin";

// How a run ended, in the journal's words.
struct RunEnd {
  std::string status;       // "completed", "failed", "timed_out", "cancelled", "terminated", "continued"
  std::string result;       // JSON, of completed ones
  std::string detail;       // why, of the others
  std::string next_run_id;  // the run that goes on from it: a retry, a cron, continue-as-new
};
// Nothing for events that close no run.
std::optional<RunEnd> RunEndOf(const temporal::api::history::v1::HistoryEvent& event);

// The request of a method from JSON ("" as "{}"), as bytes; a namespace that it does not name
// becomes `ns`. INVALID_ARGUMENT for unknown methods and for what is no such request.
StatusOr<std::string> RequestOf(std::string_view method, std::string_view json,
                                const std::string& ns);
// The answer of a method as JSON.
StatusOr<std::string> AnswerToJson(std::string_view method, const std::string& answer);

}  // namespace squall::api
