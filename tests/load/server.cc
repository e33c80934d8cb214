#include "tests/load/server.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "harness/target/target.h"
#include "tests/bench/figures.h"

namespace squall::load {

using harness::ChildOptions;
using harness::Stream;

StatusOr<std::unique_ptr<Server>> Server::Start(harness::AsioExecutor& executor,
                                                std::vector<std::string> arguments) {
  SQUALL_ASSIGN_OR_RETURN(const std::string program, harness::FindOurProgram("squall-server"));
  std::unique_ptr<Server> server(new Server(executor));
  ChildOptions options{
      .name = "server", .role = "server", .argv = {program, "--port", "0"}, .journal_lines = false};
  for (std::string& argument : arguments) options.argv.push_back(std::move(argument));
  options.ready.line = [server = server.get()](Stream stream, std::string_view line) {
    if (stream != Stream::kStdout) return false;
    const auto parsed = nlohmann::json::parse(line, nullptr, false);
    if (!parsed.is_object() || parsed.value("squall_event", "") != "ready") return false;
    server->port_ = parsed.value("port", 0);
    return true;
  };
  server->process_.emplace(executor, server->journal_, std::move(options));
  std::optional<Status> ready;
  server->process_->Start([&ready](Status status) { ready = std::move(status); });
  executor.RunUntil([&ready] { return ready.has_value(); }, std::chrono::minutes(1));
  SQUALL_RETURN_IF_ERROR(ready.value_or(absl::DeadlineExceededError("squall-server")));
  return server;
}

Server::~Server() = default;

double Server::private_mib() const { return bench::PrivateMib(process_->pid()); }
double Server::resident_mib() const { return bench::ResidentMib(process_->pid()); }
double Server::cpu_ms() const { return bench::CpuMillis(process_->pid()); }

int Server::descriptors() const {
  std::error_code error;
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(
           "/proc/" + std::to_string(process_->pid()) + "/fd", error)) {
    static_cast<void>(entry);
    ++count;
  }
  return count;
}

Status Server::alive() const {
  if (process_->alive()) return absl::OkStatus();
  const auto& exit = process_->last_exit();
  return absl::UnavailableError("squall-server " + (exit ? exit->Full() : "is gone"));
}

}  // namespace squall::load
