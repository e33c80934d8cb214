#include "fakes/engine/releases.h"

#include <string>
#include <vector>

#include "fakes/engine/core.h"
#include "fakes/engine/profile.h"
#include "google/rpc/status.pb.h"
#include "temporal/api/errordetails/v1/message.pb.h"

namespace squall::fakes::engine {
namespace {

namespace errordetails = ::temporal::api::errordetails::v1;

std::vector<int> Parts(std::string_view release) {
  std::vector<int> parts;
  for (const char c : release) {
    if (parts.empty() || c == '.') parts.push_back(0);
    if (c >= '0' && c <= '9') parts.back() = parts.back() * 10 + (c - '0');
  }
  return parts;
}

// An error's text as releases before `until` have it. Of a text that goes on only the beginning is
// here; its rest is put in the place of "{}", if there is one.
struct Text {
  std::string_view until, ours, theirs;
  bool goes_on = false;
};

constexpr Text kTexts[] = {
    {"1.30", "priority key can't be negative", "PriorityKey can't be negative"},
    {"1.32", "workflow type not set", "WorkflowType is not set on request."},
    {"1.32", "signal not set", "SignalName is not set on request."},
    {"1.30", "invalid query: operation is not supported: 'ORDER BY' clause",
     "invalid query: operation is not supported: 'order by' clause"},
    {"1.30", "invalid query: operation is not supported: 'GROUP BY' clause is not supported for",
     "invalid query: operation is not supported: 'group by' clause is only supported for "
     "ExecutionStatus search attribute",
     true},
    {"1.32", "invalid query: operation is not supported: 'GROUP BY' clause is not supported for",
     "invalid query: operation is not supported: 'GROUP BY' clause is only supported for "
     "ExecutionStatus",
     true},
    {"1.32", "a valid StartToCloseTimeout or ScheduleToCloseTimeout must be set on the activity.",
     "a valid StartToClose or ScheduleToCloseTimeout is not set on ScheduleActivityTaskCommand.{}",
     true},
    {"1.30", "invalid query: invalid search attribute: ",
     "invalid query: invalid expression: column name '{}' is not a valid search attribute", true},
};

std::string Told(const EngineOptions& options, std::string message) {
  for (const Text& text : kTexts) {
    if (!OlderThan(options, text.until) || !message.starts_with(text.ours)) continue;
    if (!text.goes_on && message.size() != text.ours.size()) continue;
    std::string told(text.theirs);
    if (const std::size_t at = told.find("{}"); at != std::string::npos)
      told.replace(at, 2, message.substr(text.ours.size()));
    return told;
  }
  return message;
}

}  // namespace

bool IsBefore(std::string_view release, std::string_view other) {
  return Parts(release) < Parts(other);
}

bool OlderThan(const EngineOptions& options, std::string_view release) {
  return FilterOf(options) != nullptr && IsBefore(options.server_version, release);
}

RpcStatus AsTold(const Core& core, RpcStatus status) {
  const ProfileFilter* filter = FilterOf(core.options);
  if (filter == nullptr || status.code == 0) return status;
  status.message = Told(core.options, std::move(status.message));
  google::rpc::Status parsed;
  if (status.details.empty() || !parsed.ParseFromString(status.details)) return status;
  parsed.set_message(status.message);
  for (auto& detail : *parsed.mutable_details()) {
    const std::string type = detail.type_url().substr(detail.type_url().rfind('/') + 1);
    errordetails::MultiOperationExecutionFailure several;
    if (detail.Is<errordetails::MultiOperationExecutionFailure>() && detail.UnpackTo(&several)) {
      for (auto& one : *several.mutable_statuses())
        one.set_message(Told(core.options, one.message()));
      detail.set_value(several.SerializeAsString());
    }
    detail.set_value(filter->Stripped(type, detail.value()));
  }
  status.details = parsed.SerializeAsString();
  return status;
}

}  // namespace squall::fakes::engine
