#pragma once
// Lives of the program squall-server, for tests that start it as a process.

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "harness/process/process.h"
#include "tests/support/harness_loop.h"
#include "tests/support/status_matchers.h"

namespace squall::testing {

class ServerProgramTest : public HarnessLoop {
 protected:
  // One life of a program, with what it prints; `ready` is the object on its standard output.
  struct Life {
    std::vector<std::string> out, err;
    nlohmann::json ready;
    std::optional<harness::ProcessExit> exit;
    std::unique_ptr<harness::ChildProcess> process;
    int port() const { return ready.value("port", 0); }
  };

  static std::string Binary() {
    const char* folder = std::getenv("SQUALL_BIN_DIR");
    return std::string(folder != nullptr ? folder : "bin") + "/squall-server";
  }

  // Any command, started.
  std::unique_ptr<Life> Launch(std::vector<std::string> argv) {
    auto life = std::make_unique<Life>();
    Life& seen = *life;
    harness::ChildOptions options;
    options.name = "server";
    options.argv = std::move(argv);
    options.on_line = [&seen](harness::Stream stream, std::string_view line) {
      if (stream == harness::Stream::kStderr) return static_cast<void>(seen.err.emplace_back(line));
      seen.out.emplace_back(line);
      if (auto json = nlohmann::json::parse(line, nullptr, false); json.is_object())
        seen.ready = std::move(json);
    };
    options.on_exit = [&seen](const harness::ProcessExit& exit) { seen.exit = exit; };
    life->process =
        std::make_unique<harness::ChildProcess>(executor_, journal_, std::move(options));
    life->process->Start(nullptr);
    return life;
  }

  void AwaitReadyOrEnd(const Life& life) {
    Await([&] { return !life.ready.is_null() || life.exit.has_value(); }, "the ready line");
  }
  void AwaitEnd(const Life& life) {
    Await([&] { return life.exit.has_value(); }, "the exit");
  }

  // The server with these arguments, until it serves or has ended.
  std::unique_ptr<Life> Run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), Binary());
    auto life = Launch(std::move(arguments));
    AwaitReadyOrEnd(*life);
    return life;
  }

  void Stop(Life& life, int signal = SIGTERM) {
    EXPECT_OK(life.process->Signal(signal, harness::Intent::kAsked));
    AwaitEnd(life);
  }
};

}  // namespace squall::testing
