#include "harness/runner/environment.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "harness/fault/availability.h"
#include "harness/target/target.h"

namespace squall::harness {
namespace {

namespace fs = std::filesystem;
using scenarios::FaultNeed;
using scenarios::Subject;
using scenarios::WorkerSpec;
using scenarios::WorldKind;

bool UsesKind(const Subject& subject, WorkerSpec::Kind kind) {
  return std::any_of(subject.topology.workers.begin(), subject.topology.workers.end(),
                     [kind](const WorkerSpec& worker) { return worker.kind == kind; });
}

bool Needs(const Subject& subject, std::string_view tool) {
  const auto& tools = subject.needs.tools;
  return std::find(tools.begin(), tools.end(), tool) != tools.end();
}

// Whether the scenario does to a server what squall does to nobody else's.
bool ActsOnServers(const Subject& subject) {
  const scenarios::Topology& topology = subject.topology;
  const auto is_server = [&](const std::string& name) { return topology.Server(name) != nullptr; };
  for (const scenarios::ServerSpec& server : topology.servers) {
    if (server.start == scenarios::StartMode::kManual) return true;
  }
  return std::any_of(subject.steps.begin(), subject.steps.end(), [&](const scenarios::Step& step) {
    return std::visit(
        [&](const auto& action) {
          if constexpr (requires { action.remove; }) {
            return true;  // namespaces
          } else if constexpr (requires { action.nodes; }) {
            return std::any_of(action.nodes.begin(), action.nodes.end(), is_server);
          } else if constexpr (requires { action.node; }) {
            return is_server(action.node);
          } else if constexpr (requires { action.on; }) {
            return std::any_of(action.on.begin(), action.on.end(), is_server);
          } else {
            return false;
          }
        },
        step.action);
  });
}

// The user's cache folder, as tools/*.sh and CMake find it.
std::string CacheDirectory() {
  const auto given = [](const char* name) -> std::string {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
  };
  if (const std::string cache = given("SQUALL_CACHE"); !cache.empty()) return cache;
  if (const std::string cache = given("XDG_CACHE_HOME"); !cache.empty()) return cache + "/squall";
  return given("HOME") + "/.cache/squall";
}

// Why one of its faults cannot be had.
std::optional<std::string> MissingFault(const Subject& subject, WorldKind world,
                                        const std::optional<ExternalServer>& external) {
  FaultSurroundings around{.server = world == WorldKind::kFake ? ServerKind::kFakeInProcess
                                     : external                ? ServerKind::kAddress
                                                               : ServerKind::kDevServer,
                           .foreign_tls = external && external->tls};
  for (const scenarios::Step& step : subject.steps) {
    const auto* inject = std::get_if<scenarios::InjectStep>(&step.action);
    if (inject == nullptr) continue;
    const auto* definition = scenarios::FindFault(inject->target, inject->fault);
    SQUALL_CHECK(definition != nullptr, "the loader knows the fault");
    for (const std::string& node : inject->on) {
      around.worker.reset();
      const WorkerSpec* worker = subject.topology.Worker(node);
      if (worker != nullptr && worker->kind == WorkerSpec::Kind::kCommand)
        around.worker = WorkerKind::kCommand;
      if (const auto reason = WhyUnavailable(*definition, around))
        return fmt::format("fault {}: {}", inject->fault, *reason);
    }
  }
  return std::nullopt;
}

// Why what it needs around its links cannot be had all at once.
std::optional<std::string> CrossedWires(const Subject& subject) {
  const std::set<std::string> wired = NodesThatNeed(subject, FaultNeed::kOwnWire);
  const std::set<std::string> named = NodesThatNeed(subject, FaultNeed::kOwnNames);
  for (const WorkerSpec& worker : subject.topology.workers) {
    if (!wired.contains(worker.connect.to)) continue;
    if (named.contains(worker.connect.to)) {
      return fmt::format(
          "faults of DNS and of the wire on one link, {}: at the end of a wire nobody "
          "reaches the DNS server",
          worker.connect.to);
    }
    if (!worker.health.empty()) {
      return fmt::format(
          "the health of {} cannot be asked for: its network is its own, at the end "
          "of the wire to {}",
          worker.name, worker.connect.to);
    }
  }
  return std::nullopt;
}

std::optional<std::string> Missing(const Status& status) {
  if (status.ok()) return std::nullopt;
  return std::string(Message(status));
}

}  // namespace

std::optional<std::string> MissingRequirement(const Subject& subject, WorldKind world,
                                              const std::optional<ExternalServer>& external) {
  if (!scenarios::MeantFor(subject.needs, world))
    return fmt::format("not meant for the {} world", scenarios::WorldName(world));
  // squall-sim itself says what it cannot do.
  if (world == WorldKind::kSim) return std::nullopt;
  for (const scenarios::ServerSpec& server : subject.topology.servers) {
    if (server.frontends > 1)
      return fmt::format("server {} has several front ends, which only the sim world has",
                         server.name);
  }
  if (auto missing = MissingFault(subject, world, external)) return missing;
  if (auto missing = CrossedWires(subject)) return missing;
  if (world == WorldKind::kReal) {
    if (!external) {
      if (auto missing = Missing(FindTemporalCli().status())) return missing;
    }
    for (const scenarios::ServerSpec& server : subject.topology.servers) {
      if (server.tls != scenarios::TlsMode::kNone)
        return "its server speaks TLS itself, which the dev server cannot: fake world only";
      if (!server.api_keys.empty())
        return "its server asks for API keys, which the dev server cannot: fake world only";
    }
    if (external && ActsOnServers(subject)) {
      return "it starts, stops or disturbs the server, and this one was given by its address";
    }
    if (external && subject.topology.servers.size() > 1)
      return "it needs several servers, and one was given by its address";
  }
  if (UsesKind(subject, WorkerSpec::Kind::kPython) || Needs(subject, "python")) {
    if (auto missing = Missing(FindPython().status())) return missing;
  }
  if (UsesKind(subject, WorkerSpec::Kind::kCore)) {
    if (auto missing = Missing(FindOurProgram("squall-worker").status())) return missing;
  }
  if (UsesKind(subject, WorkerSpec::Kind::kHost)) {
    if (auto missing = Missing(FindOurProgram("squall-host").status())) return missing;
  }
  if (Needs(subject, "go") && !FindOurProgram("squall-service").ok())
    return "squall-service is not built: install Go 1.26 or newer, then configure and build again";
  if (Needs(subject, "typescript") && !fs::exists(TypeScriptDirectory() + "/installed"))
    return "the TypeScript SDK is not installed: make setup-typescript";
  return std::nullopt;
}

std::set<std::string> NodesThatNeed(const Subject& subject, FaultNeed need) {
  std::set<std::string> nodes;
  for (const scenarios::Step& step : subject.steps) {
    const auto* inject = std::get_if<scenarios::InjectStep>(&step.action);
    if (inject == nullptr) continue;
    const auto& needs = scenarios::FindFault(inject->target, inject->fault)->needs;
    if (std::find(needs.begin(), needs.end(), need) != needs.end())
      nodes.insert(inject->on.begin(), inject->on.end());
  }
  return nodes;
}

bool NeedsPrivateNetwork(const Subject& subject) {
  return !NodesThatNeed(subject, FaultNeed::kOwnNetwork).empty() ||
         !NodesThatNeed(subject, FaultNeed::kOwnWire).empty();
}

std::map<std::string, std::string> KnownVersions(bool python) {
  std::map<std::string, std::string> versions = {{"squall", SQUALL_VERSION},
                                                 {"core", SQUALL_CORE_VERSION}};
  if (!python) return versions;
  const auto interpreter = FindPython();
  if (!interpreter.ok()) return versions;
  // <venv>/lib/python3.11/site-packages/temporalio-1.35.0.dist-info says it without starting an
  // interpreter.
  std::error_code error;
  const fs::path lib = fs::path(*interpreter).parent_path().parent_path() / "lib";
  for (const auto& python_folder : fs::directory_iterator(lib, error)) {
    for (const auto& package :
         fs::directory_iterator(python_folder.path() / "site-packages", error)) {
      const std::string name = package.path().filename().string();
      constexpr std::string_view kPrefix = "temporalio-", kSuffix = ".dist-info";
      if (name.starts_with(kPrefix) && name.ends_with(kSuffix)) {
        versions["python-sdk"] =
            name.substr(kPrefix.size(), name.size() - kPrefix.size() - kSuffix.size());
      }
    }
  }
  return versions;
}

std::string SourceDirectory() {
  const char* given = std::getenv("SQUALL_SOURCE_DIR");
  return given != nullptr && *given != '\0' ? given : SQUALL_DEFAULT_SOURCE_DIR;
}

std::string TypeScriptDirectory() { return CacheDirectory() + "/subjects/typescript"; }

std::string DefaultLibrary() { return SourceDirectory() + "/scenarios/library"; }

}  // namespace squall::harness
