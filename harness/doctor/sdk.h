#pragma once
// Which SDK the worker is made with, and what that SDK's release wants of the server.

#include <array>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/util/status.h"

namespace squall::doctor {

// The code that speaks to the server.
enum class SdkCore {
  kUnknown,
  kCore,    // sdk-core: Python, TypeScript's workers, .NET, Ruby
  kGo,      // grpc-go
  kGrpcJs,  // TypeScript's client (`Connection`): no worker
};

using VersionNumber = std::array<int, 3>;
// "1.32.0", "1.29.1-cloud.3", "v1.30", "1.x": missing parts and "x" are 0; nullopt for what begins
// with no number.
std::optional<VersionNumber> ParseVersion(std::string_view text);

struct Sdk {
  std::string name;     // "python"; "" when it was not said
  std::string version;  // as it was given; "" for the latest that is known here
  SdkCore core = SdkCore::kUnknown;
  std::string Text() const;  // "python/1.35.0"
};

// "python/1.35.0", "go/1.x", "core". INVALID_ARGUMENT names those that there are.
StatusOr<Sdk> ParseSdk(std::string_view text);

// What the server said of itself.
struct ServerFacts {
  std::string version;                 // "" where it hides it
  std::set<std::string> capabilities;  // that are true, by the names of GetSystemInfo's fields
};

struct SdkRemark {
  std::string cause;     // grpc.capability_missing, grpc.server_old
  std::string brief;     // "go misses sdk_metadata"
  std::string evidence;  // "go looks for sdk_metadata, which the server does not have: ..."
};
// What a worker of this SDK will miss. Empty where nothing is known to be missing. `of_namespace`:
// the capabilities are those of DescribeNamespace, else of GetSystemInfo.
std::vector<SdkRemark> MissingFor(const Sdk& sdk, const std::set<std::string>& capabilities,
                                  bool of_namespace);
// Of the server's release alone, and against what the SDK supports.
std::optional<SdkRemark> JudgeServerVersion(const Sdk& sdk, std::string_view version);

// The releases whose sources the rules were read from, for the documentation and for `--help`:
// "core/0.10.1, python/1.35.0, ...".
std::string KnownSdks();
// True when the version is older than the one whose wants are known: then nothing is told of them.
bool OlderThanKnown(const Sdk& sdk);

}  // namespace squall::doctor
