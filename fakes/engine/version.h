#pragma once
// Worker deployment versions as values, and the hash by which a ramp splits workflows.

#include <compare>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

#include "base/util/status.h"
#include "fakes/engine/pb.h"

namespace squall::fakes::engine {

namespace deploymentpb = ::temporal::api::deployment::v1;

// Namespace id, queue name, kind (workflow 1, activity 2, nexus 3 as in the API).
using QueueKey = std::tuple<std::string, std::string, int>;

struct Version {
  std::string deployment, build;
  auto operator<=>(const Version&) const = default;
};
// Nothing: unversioned.
using MaybeVersion = std::optional<Version>;

inline constexpr std::string_view kUnversionedName = "__unversioned__";

deploymentpb::WorkerDeploymentVersion ToProto(const Version& version);
// Nothing when both parts are empty.
MaybeVersion FromProto(const deploymentpb::WorkerDeploymentVersion& version);
// "deployment.build", or "__unversioned__": the strings of the API of 2025 (v0.31).
std::string DottedName(const MaybeVersion& version);
// "deployment:build", or "": as in search attributes (v0.32).
std::string ColonName(const MaybeVersion& version);
// Reads either form; an error is the real server's text without its prefix.
StatusOr<MaybeVersion> ParseVersion(std::string_view text);

// The version that a poll or an answer names; nothing for unversioned workers.
MaybeVersion VersionOf(const deploymentpb::WorkerDeploymentOptions& options,
                       const common::WorkerVersionCapabilities& capabilities);
// What the real frontend refuses in polls and in answers to workflow tasks.
Status CheckVersioning(const deploymentpb::WorkerDeploymentOptions* options, bool use_versioning,
                       const std::string& build_id, const taskqueue::TaskQueue& queue);
// A deployment's name or a build id: `field` is "WorkerDeploymentName" or "BuildID".
Status CheckVersionField(std::string_view field, const std::string& value);

// In [0, 100): workflows below the ramp's percentage go to the ramping version. The hash is
// FarmHash's Fingerprint32, as on the real server, so the same workflow ids are chosen.
double RampThreshold(std::string_view workflow_id);

}  // namespace squall::fakes::engine
