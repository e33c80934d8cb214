// squall-proxy: `squall proxy` as a small program of its own. Its options are explained by --help.

#include <CLI/CLI.hpp>

#include "harness/proxy/serve.h"

int main(int argc, char** argv) {
  CLI::App app("A TCP proxy that misbehaves on demand, with Toxiproxy's HTTP API.", "squall-proxy");
  squall::harness::ServeSettings settings;
  squall::harness::AddServeOptions(app, settings);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // --help is an "error" with exit code 0.
    return app.exit(error) == 0 ? 0 : 2;
  }
  return squall::harness::ServeProxies(settings);
}
