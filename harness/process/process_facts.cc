// The parts of process.h and spawn.h that need no process: names, texts, where a program is, what
// its environment holds.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "harness/process/process.h"
#include "harness/process/spawn.h"

extern char** environ;

namespace squall::harness {

std::map<std::string, std::string> MakeEnvironment(
    bool clean, const std::map<std::string, std::optional<std::string>>& changes) {
  static constexpr std::array<std::string_view, 4> kKept = {"PATH", "HOME", "TMPDIR", "LANG"};
  std::map<std::string, std::string> result;
  for (char** entry = ::environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos || equals == 0) continue;
    const std::string_view name = text.substr(0, equals);
    if (clean && std::find(kKept.begin(), kKept.end(), name) == kKept.end()) continue;
    result[std::string(name)] = std::string(text.substr(equals + 1));
  }
  for (const auto& [name, value] : changes) {
    if (value) {
      result[name] = *value;
    } else {
      result.erase(name);
    }
  }
  return result;
}

std::string SignalName(int signal) {
  const char* name = ::sigabbrev_np(signal);
  return name != nullptr ? "SIG" + std::string(name) : "signal " + std::to_string(signal);
}

StatusOr<std::string> FindProgram(std::string_view name) {
  const auto runnable = [](const std::string& path) { return ::access(path.c_str(), X_OK) == 0; };
  std::string text(name);
  if (text.empty()) return MakeStatus(StatusCode::kInvalidArgument, "no program is named");
  if (text.find('/') != std::string::npos) {
    if (runnable(text)) return text;
    return MakeStatus(StatusCode::kNotFound, "{}: {}", text, std::strerror(errno));
  }
  const char* path = std::getenv("PATH");
  std::string_view rest = path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin";
  while (!rest.empty()) {
    const std::size_t colon = std::min(rest.find(':'), rest.size());
    const std::string candidate = std::string(rest.substr(0, colon)) + "/" + text;
    if (colon > 0 && runnable(candidate)) return candidate;
    rest.remove_prefix(std::min(colon + 1, rest.size()));
  }
  return MakeStatus(StatusCode::kNotFound, "no program '{}' in PATH", text);
}

std::string ProcessExit::Describe() const {
  if (code) return fmt::format("exited with code {}", *code);
  if (!signal) return "did not run";
  std::string text = fmt::format("killed by {}", SignalName(*signal));
  if (*signal == SIGKILL && reason == "unexpected")
    text += ", which squall did not send (out of memory?)";
  return text;
}

std::string ProcessExit::Full() const {
  if (last_lines.empty()) return Describe() + ", without output";
  return fmt::format("{}; last output:\n  {}", Describe(), fmt::join(last_lines, "\n  "));
}

}  // namespace squall::harness
