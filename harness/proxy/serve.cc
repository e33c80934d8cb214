#include "harness/proxy/serve.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>

#include "base/journal/journal.h"
#include "base/util/descriptors.h"
#include "base/util/rng.h"
#include "harness/proxy/http_server.h"
#include "harness/proxy/proxy_api.h"

namespace squall::harness {
namespace {

enum Exit : int { kOk = 0, kUsage = 2, kNotStarted = 3 };

constexpr const char* kFooter =
    R"(When it serves, it prints one line on stdout:
  {"squall_event":"ready","port":8474,"address":"127.0.0.1:8474","pid":4711,"seed":42,"proxies":0}
SIGTERM and SIGINT stop it (exit 0). Exit 2: wrong usage, or a file that is no good; 3: could not start.

Examples:
  squall proxy                                   on localhost:8474, where Toxiproxy's clients look for it
  squall proxy --config proxies.json --seed 42   with these proxies, and the draws of another run
  squall proxy --port 0 --journal events.jsonl   on a free port; what happened, as events
  curl -d '{"name":"db","listen":"localhost:0","upstream":"localhost:5432",
            "toxics":[{"type":"latency","attributes":{"latency":100}}]}' localhost:8474/proxies
                                                 a proxy with its toxics in force from byte 0)";

int Fail(Exit code, std::string_view what) {
  std::fprintf(stderr, "squall proxy: %.*s\n", static_cast<int>(what.size()), what.data());
  return code;
}

}  // namespace

void AddServeOptions(CLI::App& app, ServeSettings& settings) {
  app.footer(kFooter);
  app.add_option("--host", settings.host, "Address or name that the API listens on")
      ->capture_default_str();
  app.add_option("--port", settings.port, "Its port; 0 takes a free one")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  app.add_option("--config", settings.config,
                 "JSON file of proxies to begin with, as POST /populate takes them");
  app.add_option("--seed", settings.seed,
                 "Seed of everything that chance decides (default: a new one, which is printed)");
  app.add_option("--journal", settings.journal,
                 "Write connections and faults as events into this new file");
  app.add_option("--api-version", settings.api_version,
                 "What GET /version tells: the release whose API this is")
      ->capture_default_str();
  app.add_flag("--toxics", settings.reference, "Print the types of toxics, in Markdown, and exit");
}

int ServeProxies(const ServeSettings& settings) {
  if (settings.reference) {
    std::fputs(ToxicReference().c_str(), stdout);
    return kOk;
  }
  AllowAllDescriptors();  // two for each connection, and more while data is in the kernel's pipes
  const std::uint64_t seed = settings.seed.value_or(SeedFromSystem() >> 1U);
  RealClock clock;
  AsioExecutor executor(clock);
  journal::NullSink nowhere;
  std::unique_ptr<journal::Journal> journal;
  if (!settings.journal.empty()) {
    auto created = journal::Journal::Create(clock, settings.journal);
    if (!created.ok()) return Fail(kUsage, Message(created.status()));
    journal = *std::move(created);
  }
  ProxySet proxies(executor, journal ? static_cast<journal::Sink&>(*journal) : nowhere, seed);
  ProxyApi api(proxies, settings.api_version);
  std::size_t count = 0;
  if (!settings.config.empty()) {
    std::ifstream file(settings.config);
    if (!file) return Fail(kUsage, fmt::format("--config {}: it cannot be read", settings.config));
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    if (const auto error = api.PopulateFrom(text, &count))
      return Fail(error->status == 400 ? kUsage : kNotStarted,
                  fmt::format("--config {}: {}", settings.config, error->message));
  }
  const auto server = HttpServer::Start(
      executor, {settings.host, static_cast<std::uint16_t>(settings.port)},
      [&api](const ApiRequest& request) { return api.Handle(request); }, "X-Toxiproxy-Request-Id");
  if (!server.ok()) return Fail(kNotStarted, Message(server.status()));
  boost::asio::signal_set signals(executor.io(), SIGINT, SIGTERM);
  signals.async_wait([&](const boost::system::error_code& error, int) {
    if (!error) executor.Stop();
  });
  const HostPort where = (*server)->where();
  std::printf("%s\n", fmt::format("{{\"squall_event\":\"ready\",\"port\":{},\"address\":\"{}\","
                                  "\"pid\":{},\"seed\":{},\"proxies\":{}}}",
                                  where.port, where.ToString(), ::getpid(), seed, count)
                          .c_str());
  std::fflush(stdout);
  executor.Run();
  return kOk;
}

}  // namespace squall::harness
