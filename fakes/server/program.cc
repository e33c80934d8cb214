#include "fakes/server/program.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>

#include "base/util/descriptors.h"

namespace squall::fakes {
namespace {

sigset_t StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

}  // namespace

Program::Program(std::string name) : name_(std::move(name)), parent_(::getppid()) {
  AllowAllDescriptors();
  const sigset_t signals = StopSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

std::optional<int> Program::Parse(int argc, const char* const* argv) {
  app_.add_option("--journal", journal_path_, "Write all that happens to this new file (JSONL)");
  app_.add_flag("--die-with-parent", die_with_parent_,
                "Be killed when the process that started this one dies");
  try {
    app_.parse(argc, argv);
  } catch (const CLI::Success& done) {  // --help
    return app_.exit(done);
  } catch (const CLI::ParseError& error) {
    return Complain(kWrongUsage, std::string(error.what()) + " (see --help)");
  }
  if (die_with_parent_) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent_) return Complain(kCouldNotStart, "the parent is gone already");
  }
  return std::nullopt;
}

StatusOr<journal::Sink*> Program::OpenJournal() {
  if (journal_path_.empty()) return nullptr;
  SQUALL_ASSIGN_OR_RETURN(journal_, journal::Journal::Create(clock_, journal_path_));
  return journal_.get();
}

int Program::Complain(int code, std::string_view text) const {
  std::fprintf(stderr, "%s: %.*s\n", name_.c_str(), static_cast<int>(text.size()), text.data());
  return code;
}

int Program::ComplainOfStart(const Status& status) const {
  const bool usage = status.code() == StatusCode::kInvalidArgument;
  return Complain(usage ? kWrongUsage : kCouldNotStart, Message(status));
}

void Program::PrintReady(const Ready& ready) {
  std::string more;
  for (const auto& [key, port] : ready.ports) more += fmt::format(",\"{}\":{}", key, port);
  std::printf(R"({"squall_event":"ready","port":%d,"address":"%s","pid":%d,"tls":%s%s})"
              "\n",
              ready.port, ready.address.c_str(), static_cast<int>(::getpid()),
              ready.tls ? "true" : "false", more.c_str());
  std::fflush(stdout);
}

void Program::WaitForStop() const {
  const sigset_t signals = StopSignals();
  int signal = 0;
  sigwait(&signals, &signal);
}

int Program::Finish() const {
  if (journal_ == nullptr || journal_->status().ok()) return 0;
  return Complain(kFailed, Message(journal_->status()));
}

StatusOr<std::string> ReadText(const std::string& path, std::string_view what) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  if (in) text << in.rdbuf();
  if (!in || !text) {
    return MakeStatus(StatusCode::kInvalidArgument, "cannot read {} {}", what,
                      path.empty() ? "(not given)" : path);
  }
  return std::move(text).str();
}

Status WriteText(const std::filesystem::path& path, const std::string& text, bool secret) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  if (secret && out) {
    std::error_code ignored;
    std::filesystem::permissions(
        path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write, ignored);
  }
  out << text;
  out.flush();
  if (!out) return MakeStatus(StatusCode::kUnavailable, "cannot write {}", path.string());
  return absl::OkStatus();
}

}  // namespace squall::fakes
