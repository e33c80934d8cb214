// squall-server: a fake Temporal server as a program of its own. Its options are explained by
// --help.

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "fakes/server/fake_server.h"

namespace squall::fakes {
namespace {

// Exit codes of all programs under test (docs/scenarios.md): 0 asked to stop, and
constexpr int kWrongUsage = 2;
constexpr int kCouldNotStart = 3;

constexpr const char* kDescription =
    "A fake Temporal server: Temporal's gRPC service on 127.0.0.1, in memory, in milliseconds.\n"
    "SDK workers and clients connect to it as to a real one.";

constexpr const char* kFooter =
    R"(When it serves, it prints one line on stdout:
  {"squall_event":"ready","port":40123,"address":"127.0.0.1:40123","pid":4711,"tls":false}
SIGTERM and SIGINT stop it (exit 0). Exit 2: wrong usage, 3: could not start.

Examples:
  squall-server --port 7233                      the usual port, namespace "default"
  squall-server --namespace orders               "default" and "orders" on a free port
  squall-server --tls-cert s.pem --tls-key s.key --client-ca ca.pem      mTLS
  squall-server --api-key-file keys --journal events.jsonl)";

struct Arguments {
  std::string name = "temporal";
  int port = 0;
  bool print_ready = true;
  std::vector<std::string> namespaces;
  bool no_default_namespace = false;
  std::string server_version;
  std::uint64_t seed = 1;
  std::string tls_cert, tls_key, client_ca;
  std::string api_key_file;
  std::string journal;
  bool die_with_parent = false;
};

void Declare(CLI::App& app, Arguments& args) {
  app.add_option("--port", args.port, "Port on 127.0.0.1; 0 takes a free one")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  app.add_flag("--print-port,!--no-print-port", args.print_ready,
               "Print the ready line (on unless switched off)");
  app.add_option("--name", args.name, "The server's name in the journal")->capture_default_str();
  app.add_option("--namespace", args.namespaces,
                 "A namespace that exists from the start, beside \"default\"; may be repeated");
  app.add_flag("--no-default-namespace", args.no_default_namespace,
               "Do not create \"default\": a server before its set-up");
  app.add_option("--server-version", args.server_version, "Version that GetSystemInfo tells");
  app.add_option("--seed", args.seed, "Seed of all identifiers that the server makes")
      ->capture_default_str();
  auto* cert = app.add_option("--tls-cert", args.tls_cert, "Certificate chain (PEM): serve TLS");
  auto* key = app.add_option("--tls-key", args.tls_key, "Its private key (PEM)");
  cert->needs(key);
  key->needs(cert);
  app.add_option("--client-ca", args.client_ca,
                 "Require client certificates that chain to this CA (PEM): mTLS")
      ->needs(cert);
  app.add_option("--api-key-file", args.api_key_file,
                 "Accept only calls with one of these API keys (one per line, # comments)");
  app.add_option("--journal", args.journal,
                 "Write every connection, call and state change to this new file (JSONL)");
  app.add_flag("--die-with-parent", args.die_with_parent,
               "Be killed when the process that started this one dies");
  app.description(kDescription);
  app.footer(kFooter);
}

int Complain(int code, std::string_view text) {
  std::fprintf(stderr, "squall-server: %.*s\n", static_cast<int>(text.size()), text.data());
  return code;
}

StatusOr<std::string> ReadText(const std::string& path, std::string_view what) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  if (in) text << in.rdbuf();
  if (!in || !text) {
    return MakeStatus(StatusCode::kInvalidArgument, "cannot read {} {}", what, path);
  }
  return std::move(text).str();
}

StatusOr<std::vector<std::string>> ReadKeys(const std::string& path) {
  SQUALL_ASSIGN_OR_RETURN(const std::string text, ReadText(path, "--api-key-file"));
  std::vector<std::string> keys;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t begin = line.find_first_not_of(" \t\r");
    if (begin == std::string::npos || line[begin] == '#') continue;
    keys.push_back(line.substr(begin, line.find_last_not_of(" \t\r") - begin + 1));
  }
  if (keys.empty()) {
    return MakeStatus(StatusCode::kInvalidArgument, "there is no key in --api-key-file {}", path);
  }
  return keys;
}

StatusOr<FakeServerOptions> ToOptions(const Arguments& args) {
  FakeServerOptions options;
  options.name = args.name;
  options.port = args.port;
  if (args.port != 0) options.port_patience = std::chrono::seconds(1);
  options.engine.seed = args.seed;
  if (!args.server_version.empty()) options.engine.server_version = args.server_version;
  if (args.no_default_namespace) options.engine.namespaces.clear();
  for (const std::string& name : args.namespaces) {
    if (name != "default" || args.no_default_namespace) options.engine.namespaces.push_back(name);
  }
  if (!args.tls_cert.empty()) {
    wire::TlsServerOptions tls;
    SQUALL_ASSIGN_OR_RETURN(tls.identity.certificate_chain_pem,
                            ReadText(args.tls_cert, "--tls-cert"));
    SQUALL_ASSIGN_OR_RETURN(tls.identity.private_key_pem, ReadText(args.tls_key, "--tls-key"));
    if (!args.client_ca.empty()) {
      SQUALL_ASSIGN_OR_RETURN(tls.client_ca_pem, ReadText(args.client_ca, "--client-ca"));
      tls.require_client_certificate = true;
    }
    options.tls = std::move(tls);
  }
  if (!args.api_key_file.empty()) {
    SQUALL_ASSIGN_OR_RETURN(options.frontend.api_keys, ReadKeys(args.api_key_file));
  }
  return options;
}

int Main(int argc, char** argv) {
  const pid_t parent = ::getppid();
  // Signals wait until they are asked for below; threads started from here on inherit that.
  sigset_t stop_signals;
  sigemptyset(&stop_signals);
  sigaddset(&stop_signals, SIGTERM);
  sigaddset(&stop_signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &stop_signals, nullptr);

  Arguments args;
  CLI::App app;
  Declare(app, args);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& done) {  // --help
    return app.exit(done);
  } catch (const CLI::ParseError& error) {
    return Complain(kWrongUsage, std::string(error.what()) + " (see --help)");
  }
  if (args.die_with_parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) return Complain(kCouldNotStart, "the parent is gone already");
  }
  StatusOr<FakeServerOptions> options = ToOptions(args);
  if (!options.ok()) return Complain(kWrongUsage, Message(options.status()));

  const RealClock clock;
  std::unique_ptr<journal::Journal> journal;
  if (!args.journal.empty()) {
    StatusOr<std::unique_ptr<journal::Journal>> created =
        journal::Journal::Create(clock, args.journal);
    if (!created.ok()) return Complain(kWrongUsage, Message(created.status()));
    journal = *std::move(created);
    options->journal = journal.get();
  }
  const bool tls = options->tls.has_value();
  StatusOr<std::unique_ptr<FakeServer>> server = FakeServer::Start(*std::move(options));
  if (!server.ok()) {
    const bool usage = server.status().code() == StatusCode::kInvalidArgument;
    return Complain(usage ? kWrongUsage : kCouldNotStart, Message(server.status()));
  }
  if (args.print_ready) {
    std::printf(R"({"squall_event":"ready","port":%d,"address":"%s","pid":%d,"tls":%s})"
                "\n",
                (*server)->port(), (*server)->address().c_str(), static_cast<int>(::getpid()),
                tls ? "true" : "false");
    std::fflush(stdout);
  }
  int signal = 0;
  sigwait(&stop_signals, &signal);
  (*server)->Shutdown();
  server->reset();
  if (journal != nullptr && !journal->status().ok()) {
    return Complain(1, Message(journal->status()));
  }
  return 0;
}

}  // namespace
}  // namespace squall::fakes

int main(int argc, char** argv) { return squall::fakes::Main(argc, argv); }
