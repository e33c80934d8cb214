#pragma once
// The frame that squall-server and squall-ingress share: what stands around serving in a program
// under test. Only for programs: it changes the signal mask and the limits of the process.
//
//   Program program("squall-server");           before any thread is started
//   ... declare options in program.options() ...
//   if (const auto code = program.Parse(argc, argv)) return *code;
//   ... start what serves ...
//   program.PrintReady(...); program.WaitForStop(); ... stop it ...
//   return program.Finish();

#include <sys/types.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/journal/journal.h"
#include "base/util/clock.h"
#include "base/util/status.h"

namespace squall::fakes {

// Exit codes of all programs under test (docs/scenarios.md); 0: asked to stop.
inline constexpr int kFailed = 1;
inline constexpr int kWrongUsage = 2;
inline constexpr int kCouldNotStart = 3;

class Program {
 public:
  // Blocks SIGTERM and SIGINT until WaitForStop asks for them; threads started from here on inherit
  // that. Raises the limit on open descriptors as far as it may. `name` stands before its
  // complaints.
  explicit Program(std::string name);
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // Where the program's own options are declared; Parse adds --journal and --die-with-parent.
  CLI::App& options() { return app_; }

  // Once. nullopt: go on. Else what main returns: after --help, wrong usage (told on stderr), or a
  // parent that died before --die-with-parent took effect.
  std::optional<int> Parse(int argc, const char* const* argv);

  // The journal of --journal, which lives as long as this; null without the option. The file must
  // be new.
  StatusOr<journal::Sink*> OpenJournal();

  // Tells stderr, and gives the code back.
  int Complain(int code, std::string_view text) const;
  // What came of starting to serve: wrong usage for INVALID_ARGUMENT, could not start for the rest.
  int ComplainOfStart(const Status& status) const;

  // The ready line on stdout: {"squall_event":"ready","port":...}.
  struct Ready {
    int port = 0;
    std::string address;  // host:port
    bool tls = false;
    std::vector<std::pair<std::string, int>> ports = {};  // further ones by their key: "admin_port"
  };
  static void PrintReady(const Ready& ready);

  // Returns once SIGTERM or SIGINT came; that may have been at any time since the constructor.
  void WaitForStop() const;

  // 0, or kFailed with a complaint when the journal could not be written whole. After the last
  // event.
  int Finish() const;

 private:
  const std::string name_;
  const pid_t parent_;
  const RealClock clock_;
  CLI::App app_;
  std::string journal_path_;
  bool die_with_parent_ = false;
  std::unique_ptr<journal::Journal> journal_;
};

// The whole file. INVALID_ARGUMENT "cannot read WHAT PATH"; `what` is the option that named it.
StatusOr<std::string> ReadText(const std::string& path, std::string_view what);

// Writes the file anew. `secret`: only its owner may read it. UNAVAILABLE when it cannot.
Status WriteText(const std::filesystem::path& path, const std::string& text, bool secret);

}  // namespace squall::fakes
