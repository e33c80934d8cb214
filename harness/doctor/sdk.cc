#include "harness/doctor/sdk.h"

#include <algorithm>
#include <charconv>

#include "base/util/text.h"

namespace squall::doctor {
namespace {

struct KnownSdk {
  std::string_view name;
  SdkCore core;
  // The release whose source was read (core: as in that Python and TypeScript).
  std::string_view version;
};
constexpr auto kKnownSdks = std::to_array<KnownSdk>({
    {"core", SdkCore::kCore, "0.10.1"},
    {"python", SdkCore::kCore, "1.35.0"},
    {"typescript", SdkCore::kCore, "1.24.0"},
    // On core too; their releases were not read.
    {"dotnet", SdkCore::kCore, ""},
    {"ruby", SdkCore::kCore, ""},
    {"go", SdkCore::kGo, "1.50.0"},
    {"grpc-js", SdkCore::kGrpcJs, "1.14.7"},
});

struct Want {
  SdkCore core;
  bool of_namespace;
  std::string_view capability;
  std::string_view without;  // what then does not work
};
// Each from the source of the release above, at the place named.
constexpr auto kWants = std::to_array<Want>({
    // temporalio-sdk-core 0.10.1, src/worker/mod.rs: "Temporal Server 1.16.0 or newer is required".
    {SdkCore::kCore, false, "activity_failure_include_heartbeat",
     "the last heartbeat of an activity that fails may be lost (Temporal 1.16 has it)"},
    // src/worker/client.rs, worker_version_stamp and worker_version_capabilities.
    {SdkCore::kCore, false, "build_id_based_versioning",
     "the build ids of workers are not passed on"},
    // src/worker/heartbeat.rs: "server version does not support it".
    {SdkCore::kCore, true, "worker_heartbeats",
     "workers send no heartbeats, so the server does not list them"},
    // src/worker/mod.rs, graceful_poll_shutdown.
    {SdkCore::kCore, true, "worker_poll_complete_on_shutdown",
     "a worker that stops cuts its polls off, and a task that was just given out waits for its "
     "time-out"},
    // go.temporal.io/sdk 1.50.0, internal/internal_workflow_client.go, loadCapabilities.
    {SdkCore::kGo, false, "internal_error_differentiation",
     "calls that fail with INTERNAL are made again for nothing"},
    // internal/internal_flags.go, tryUse.
    {SdkCore::kGo, false, "sdk_metadata", "the SDK's newer behaviours stay switched off"},
    // internal/internal_task_pollers.go.
    {SdkCore::kGo, false, "build_id_based_versioning",
     "the build ids of workers are not passed on"},
    // internal/internal_worker_heartbeat.go: "server version does not support it".
    {SdkCore::kGo, true, "worker_heartbeats",
     "workers send no heartbeats, so the server does not list them"},
    // internal/internal_worker.go, start.
    {SdkCore::kGo, true, "worker_poll_complete_on_shutdown",
     "a worker that stops cuts its polls off, and a task that was just given out waits for its "
     "time-out"},
});

// The newest release when this was written (that of Temporal CLI 1.9.1), and how many minor
// releases are maintained: docs.temporal.io, "Server versioning and support policy".
constexpr VersionNumber kNewestServer = {1, 32, 0};
constexpr int kMaintained = 3;
// What Go's SDK declares: SupportedServerVersions in internal/version.go, ">=1.0.0 <2.0.0".
constexpr int kSupportedMajor = 1;

}  // namespace

std::optional<VersionNumber> ParseVersion(std::string_view text) {
  if (text.starts_with('v')) text.remove_prefix(1);
  VersionNumber number{};
  for (std::size_t i = 0; i < number.size(); ++i) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number[i]);
    if (error != std::errc()) {
      if (i == 0) return std::nullopt;
      number[i] = 0;
      break;
    }
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (!text.starts_with('.')) break;
    text.remove_prefix(1);
  }
  return number;
}

std::string Sdk::Text() const { return version.empty() ? name : name + "/" + version; }

StatusOr<Sdk> ParseSdk(std::string_view text) {
  Sdk sdk;
  const auto slash = text.find('/');
  sdk.name = text.substr(0, slash);
  if (slash != std::string_view::npos) sdk.version = text.substr(slash + 1);
  const auto known = std::ranges::find(kKnownSdks, sdk.name, &KnownSdk::name);
  if (known == kKnownSdks.end()) {
    std::vector<std::string> names;
    for (const KnownSdk& one : kKnownSdks) names.emplace_back(one.name);
    return MakeStatus(StatusCode::kInvalidArgument, "'{}' is none of {}{}", EscapeControl(sdk.name),
                      fmt::join(names, ", "), DidYouMean(sdk.name, names));
  }
  if (!sdk.version.empty() && !ParseVersion(sdk.version)) {
    return MakeStatus(StatusCode::kInvalidArgument,
                      "'{}' is no version (1.35.0, or 1.x for any of it)",
                      EscapeControl(sdk.version));
  }
  sdk.core = known->core;
  return sdk;
}

bool OlderThanKnown(const Sdk& sdk) {
  const auto known = std::ranges::find(kKnownSdks, sdk.name, &KnownSdk::name);
  if (known == kKnownSdks.end() || sdk.version.empty() || sdk.version.ends_with(".x")) return false;
  return known->version.empty() || *ParseVersion(sdk.version) < *ParseVersion(known->version);
}

std::string KnownSdks() {
  std::vector<std::string> texts;
  for (const KnownSdk& one : kKnownSdks) {
    texts.push_back(one.version.empty() ? std::string(one.name)
                                        : fmt::format("{}/{}", one.name, one.version));
  }
  return fmt::format("{}", fmt::join(texts, ", "));
}

std::vector<SdkRemark> MissingFor(const Sdk& sdk, const std::set<std::string>& capabilities,
                                  bool of_namespace) {
  std::vector<SdkRemark> remarks;
  if (OlderThanKnown(sdk)) return remarks;
  for (const Want& want : kWants) {
    if (want.core != sdk.core || want.of_namespace != of_namespace) continue;
    if (capabilities.contains(std::string(want.capability))) continue;
    remarks.push_back(
        {"grpc.capability_missing", fmt::format("{} misses {}", sdk.Text(), want.capability),
         fmt::format("{} looks for {}, which the {} does not have: {}", sdk.Text(), want.capability,
                     of_namespace ? "namespace" : "server", want.without)});
  }
  return remarks;
}

std::optional<SdkRemark> JudgeServerVersion(const Sdk& sdk, std::string_view version) {
  const auto number = ParseVersion(version);
  if (!number) return std::nullopt;
  if ((*number)[0] != kSupportedMajor) {
    return SdkRemark{"grpc.server_old", "its release is not supported",
                     fmt::format("the server is of release {}; {} up to {} are supported",
                                 EscapeControl(version), "1.0",
                                 sdk.name.empty() ? "1.x" : fmt::format("1.x by {}", sdk.Text()))};
  }
  const int oldest = kNewestServer[1] - kMaintained + 1;
  if ((*number)[1] >= oldest) return std::nullopt;
  return SdkRemark{"grpc.server_old", "its release is no longer maintained",
                   fmt::format("the server is of release {}; the releases that are maintained "
                               "begin with 1.{} (1.{} is the newest known here)",
                               EscapeControl(version), oldest, kNewestServer[1])};
}

}  // namespace squall::doctor
