#pragma once
// The stand-alone proxy as a program: `squall proxy`, and `squall-proxy`, which is the same without
// the rest of squall.

#include <cstdint>
#include <optional>
#include <string>

namespace CLI {
class App;
}

namespace squall::harness {

struct ServeSettings {
  std::string host = "localhost";
  int port = 8474;
  std::string config;   // JSON file of proxies
  std::string journal;  // file for events
  std::optional<std::uint64_t> seed;
  std::string api_version = "2.12.0";
  bool reference = false;
};

// The options, the description and the examples of the command. `settings` must outlive the parse.
void AddServeOptions(CLI::App& app, ServeSettings& settings);

// Serves until SIGTERM or SIGINT. Returns the exit code: 0, 2 for a file that is no good, 3 when it
// could not start.
int ServeProxies(const ServeSettings& settings);

}  // namespace squall::harness
