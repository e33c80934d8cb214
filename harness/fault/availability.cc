#include "harness/fault/availability.h"

#include <filesystem>

#include "harness/process/private_names.h"
#include "harness/process/private_network.h"
#include "harness/process/process.h"

namespace squall::harness {
namespace {

using scenarios::FaultNeed;

std::optional<std::string> NotInstalled(const char* tool, const char* package) {
  if (FindProgram(tool).ok()) return std::nullopt;
  return fmt::format("{} is not installed (apt-get install {})", tool, package);
}

std::optional<std::string> NoNetwork(const FaultSurroundings& around) {
  if (around.server != ServerKind::kAddress) return std::nullopt;
  return "from a network namespace of its own nobody reaches a server that was given by its "
         "address";
}

// Why a need is not met; nothing when it is.
std::optional<std::string> Unmet(FaultNeed need, const FaultSurroundings& around) {
  switch (need) {
    case FaultNeed::kFakeServer:
      if (!around.server || *around.server == ServerKind::kFakeInProcess) return std::nullopt;
      return "it goes into the fake server only";
    case FaultNeed::kOurWorker:
      if (!around.worker || *around.worker != WorkerKind::kCommand) return std::nullopt;
      return "a program of your own does not listen to it: it goes into workers of the kinds core, "
             "host and python";
    case FaultNeed::kOwnNetwork:
      if (auto reason = NoNetwork(around)) return reason;
      if (auto reason = WhyNoPrivateNetwork()) return reason;
      if (auto reason = NotInstalled("nft", "nftables")) return reason;
      return NotInstalled("tc", "iproute2");
    case FaultNeed::kOwnWire:
      if (auto reason = NoNetwork(around)) return reason;
      if (auto reason = WhyNoPrivateNetwork()) return reason;
      return NotInstalled("nsenter", "util-linux");
    case FaultNeed::kOwnNames:
      if (auto reason = NoNetwork(around)) return reason;
      return WhyNoPrivateNames();
    case FaultNeed::kFaketime:
      if (FindFaketime()) return std::nullopt;
      return "libfaketime is not installed (apt-get install libfaketime)";
    case FaultNeed::kFrontEnds:
      return "only the simulator has servers of several front ends (--world sim)";
    case FaultNeed::kFrames:
      if (!around.foreign_tls) return std::nullopt;
      return "the server was given by its address and speaks TLS: nobody can stand in between";
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> FindFaketime() {
  // Debian keeps it below the folder of the machine's architecture.
  std::error_code error;
  for (const auto& folder : std::filesystem::directory_iterator("/usr/lib", error)) {
    const std::filesystem::path library = folder.path() / "faketime" / "libfaketimeMT.so.1";
    if (std::filesystem::exists(library, error)) return library.string();
  }
  return std::nullopt;
}

std::optional<std::string> WhyUnavailable(const scenarios::FaultDefinition& fault,
                                          const FaultSurroundings& around) {
  for (const FaultNeed need : fault.needs) {
    if (auto reason = Unmet(need, around)) return reason;
  }
  return std::nullopt;
}

}  // namespace squall::harness
