#pragma once
// How Nexus writes things: durations as Go prints them, links as URLs, callback tokens as JSON,
// failures as JSON with metadata. After common/nexus of the real server.

#include <optional>
#include <string>
#include <string_view>

#include "base/util/clock.h"
#include "fakes/engine/pb.h"

namespace squall::fakes::engine {

namespace nexuspb = ::temporal::api::nexus::v1;

// time.Duration.String of Go: "9s", "983.686805ms", "1m0.5s".
std::string GoDuration(Duration duration);
// A duration in a Nexus header: "1500ms", "1.5s", "2m".
std::optional<Duration> ParseNexusDuration(std::string_view text);

// "temporal:///namespaces/<ns>/workflows/<id>/<run>/history?eventID=5&eventType=..&referenceType=..".
nexuspb::Link ToNexusLink(const common::Link::WorkflowEvent& event);
// Nothing for links of other types and for URLs that are none of ours.
std::optional<common::Link> FromNexusLink(const nexuspb::Link& link);

bool IsJson(std::string_view text);
// A failure of the Nexus protocol as one of Temporal: unwrapped when it carries one, otherwise its
// metadata and details as the details of an application failure.
failure::Failure FromNexusFailure(const nexuspb::Failure& nexus);
failure::Failure FromHandlerError(const nexuspb::HandlerError& error);
failure::Failure HandlerFailure(std::string_view type, std::string_view message);
// Whether a handler error lets the server try again.
bool IsRetryable(const failure::NexusHandlerFailureInfo& info);

// Names the operation that a callback completes.
struct CallbackToken {
  std::string namespace_id, workflow_id, run_id, request_id;
  std::int64_t scheduled_event_id = 0;
  std::string Serialize() const;  // {"v":1,"d":"<base64>"}
  static std::optional<CallbackToken> Parse(std::string_view text);
};

}  // namespace squall::fakes::engine
