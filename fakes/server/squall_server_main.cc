// squall-server: a fake Temporal server as a program of its own. Its options are explained by
// --help.

#include <fmt/core.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "fakes/engine/engine.h"
#include "fakes/engine/settings.h"
#include "fakes/server/fake_server.h"
#include "fakes/server/program.h"
#include "fakes/server/protobuf_log.h"

namespace squall::fakes {
namespace {

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
  squall-server --api-key-file keys --journal events.jsonl
  squall-server --misbehaviour rules.json --admin-port 0
  squall-server --state-file state               workflows outlive the server, and its being killed
  squall-server --time skipping                  a timer of a year is over at once)";

const std::map<std::string, TimeMode> kTimeModes = {
    {"real", TimeMode::kReal}, {"skipping", TimeMode::kSkipping}, {"manual", TimeMode::kManual}};

struct Arguments {
  std::string name = "temporal";
  int port = 0;
  bool print_ready = true;
  std::vector<std::string> namespaces;
  bool no_default_namespace = false;
  std::vector<std::string> settings, search_attributes;
  std::string profile, server_version;
  std::uint64_t seed = 1;
  bool complete_polls_on_shutdown = false;
  bool worker_commands = true;
  std::string tls_cert, tls_key, client_ca;
  std::string api_key_file;
  bool rpc_table = false, profile_table = false;
  std::string misbehaviour;
  int admin_port = -1, also_plaintext = -1, also_tls = -1, also_mtls = -1;
  ConnectionLimits limits;
  std::size_t max_message_bytes = wire::kDefaultMaxMessageBytes;
  std::string state_file;
  bool state_reset = false, state_repair = false;
  TimeMode time = TimeMode::kReal;
};

// A limit in seconds; 0 switches it off.
void AddLimit(CLI::App& app, const std::string& flag, Duration& limit, const std::string& text) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(limit).count();
  app.add_option_function<double>(
         flag,
         [&limit](const double& value) {
           limit = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(value));
         },
         fmt::format("{}, in seconds; 0: none [{}]", text, seconds))
      ->check(CLI::Range(0.0, 1e6));
}

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
  app.add_option("--dynamic-config-value", args.settings,
                 "A setting of the real server, KEY=VALUE; may be repeated");
  app.add_option("--search-attribute", args.search_attributes,
                 "A custom search attribute of the first namespaces, NAME=TYPE; may be repeated");
  app.add_option("--profile", args.profile,
                 "Answer as this release of the real server: version, capabilities, methods and "
                 "fields (--profile-table lists them) [the newest]");
  app.add_option("--server-version", args.server_version, "Version that GetSystemInfo tells");
  app.add_flag("--complete-polls-on-shutdown", args.complete_polls_on_shutdown,
               "ShutdownWorker answers the worker's held polls at once "
               "(frontend.enableCancelWorkerPollsOnShutdown)");
  app.add_flag("--worker-commands,!--no-worker-commands", args.worker_commands,
               "Tell workers through their control queues that activities are cancelled (on unless "
               "switched off; system.enableCancelActivityWorkerCommand)");
  app.add_option("--seed", args.seed, "Seed of all identifiers that the server makes")
      ->capture_default_str();
  auto* cert = app.add_option("--tls-cert", args.tls_cert, "Certificate chain (PEM): serve TLS");
  auto* key = app.add_option("--tls-key", args.tls_key, "Its private key (PEM)");
  cert->needs(key);
  key->needs(cert);
  app.add_option("--client-ca", args.client_ca,
                 "Require client certificates that chain to this CA (PEM): mTLS")
      ->needs(cert);
  app.add_flag("--rpc-table", args.rpc_table,
               "Print what is done for each RPC, as Markdown (docs/fake-server.md), and exit");
  app.add_flag("--profile-table", args.profile_table,
               "Print the releases that --profile takes, as Markdown, and exit");
  app.add_option(
      "--api-key-file", args.api_key_file,
      "Accept only calls with one of these API keys (one per line, # comments); behind a key\n"
      "namespace=a,b and rpc=Poll*,Respond* say what it is good for");
  app.add_option("--misbehaviour", args.misbehaviour,
                 "Rules of misbehaviour from the first byte on (JSON, docs/misbehaviour.md)");
  const CLI::Range ports(0, 65535);
  app.add_option("--admin-port", args.admin_port,
                 "Serve the admin interface on this port of 127.0.0.1 (docs/admin.md)")
      ->check(ports);
  app.add_option("--also-plaintext", args.also_plaintext, "Listen on this port too, without TLS")
      ->check(ports);
  app.add_option("--also-tls", args.also_tls,
                 "Listen on this port too, without client certificates")
      ->check(ports)
      ->needs(cert);
  app.add_option("--also-mtls", args.also_mtls, "Listen on this port too, with client certificates")
      ->check(ports)
      ->needs("--client-ca");
  ConnectionLimits& limits = args.limits;
  AddLimit(app, "--max-connection-age", limits.max_age, "GOAWAY at this age, +-10 %");
  AddLimit(app, "--max-connection-age-grace", limits.age_grace, "Close so long after that");
  AddLimit(app, "--max-connection-idle", limits.max_idle, "GOAWAY after so long without a call");
  AddLimit(app, "--keepalive-time", limits.keepalive_time, "PING clients that are silent so long");
  AddLimit(app, "--keepalive-timeout", limits.keepalive_timeout, "Close when they do not answer");
  AddLimit(app, "--min-ping-interval", limits.min_ping_interval, "Faster PINGs: too_many_pings");
  AddLimit(app, "--handshake-timeout", limits.handshake_timeout, "Close connections without TLS");
  app.add_option("--max-message-bytes", args.max_message_bytes, "Refuse larger requests")
      ->capture_default_str();
  auto* state = app.add_option("--state-file", args.state_file,
                               "Keep all state in this file and start with what is in it");
  app.add_flag("--state-file-reset", args.state_reset, "Start empty, whatever is in the file")
      ->needs(state);
  app.add_flag("--state-file-repair", args.state_repair,
               "Cut off a last record that was not written whole, instead of refusing the file")
      ->needs(state);
  app.add_option("--time", args.time,
                 "real; skipping: jumps whenever workflows only wait for time; or manual: stands "
                 "until it is moved")
      ->transform(CLI::CheckedTransformer(kTimeModes))
      ->default_str("real");
  app.description(kDescription);
  app.footer(kFooter);
}

StatusOr<std::vector<ApiKey>> ReadKeys(const std::string& path) {
  SQUALL_ASSIGN_OR_RETURN(const std::string text, ReadText(path, "--api-key-file"));
  StatusOr<std::vector<ApiKey>> keys = ParseApiKeys(text);
  if (!keys.ok()) return Annotate(keys.status(), "--api-key-file " + path);
  if (keys->empty()) {
    return MakeStatus(StatusCode::kInvalidArgument, "there is no key in --api-key-file {}", path);
  }
  return keys;
}

StatusOr<FakeServerOptions> ToOptions(const Arguments& args) {
  FakeServerOptions options;
  options.name = args.name;
  options.port = args.port;
  if (args.port != 0 || !args.state_file.empty()) options.port_patience = std::chrono::seconds(1);
  options.engine.seed = args.seed;
  options.engine.complete_polls_on_shutdown = args.complete_polls_on_shutdown;
  options.engine.worker_commands = args.worker_commands;
  if (!args.profile.empty()) SQUALL_RETURN_IF_ERROR(ApplyProfile(args.profile, &options.engine));
  if (!args.server_version.empty()) options.engine.server_version = args.server_version;
  for (const std::string& setting : args.settings)
    SQUALL_RETURN_IF_ERROR(ApplySetting(setting, &options.engine));
  for (const std::string& attribute : args.search_attributes)
    SQUALL_RETURN_IF_ERROR(ApplySearchAttribute(attribute, &options.engine));
  if (args.no_default_namespace) options.engine.namespaces.clear();
  for (const std::string& name : args.namespaces) {
    if (name != "default" || args.no_default_namespace) options.engine.namespaces.push_back(name);
  }
  options.time = args.time;
  if (!args.state_file.empty()) {
    options.state_file = {
        .path = args.state_file, .reset = args.state_reset, .repair = args.state_repair};
    // As if we were told to stop; what it was is told at the end.
    options.on_state_lost = [](const Status&) { ::kill(::getpid(), SIGTERM); };
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
    SQUALL_ASSIGN_OR_RETURN(options.frontend.scoped_keys, ReadKeys(args.api_key_file));
  }
  if (!args.misbehaviour.empty()) {
    SQUALL_ASSIGN_OR_RETURN(const std::string text, ReadText(args.misbehaviour, "--misbehaviour"));
    StatusOr<std::vector<wire::Rule>> rules = wire::RulesFromJson(text);
    if (!rules.ok()) return Annotate(rules.status(), args.misbehaviour);
    options.rules = *std::move(rules);
  }
  if (args.admin_port >= 0) options.admin_port = args.admin_port;
  options.frontend.limits = args.limits;
  options.frontend.max_request_bytes = args.max_message_bytes;
  options.frontend.seed = args.seed;
  if (args.also_plaintext >= 0) {
    options.listeners.push_back({.name = "plaintext", .port = args.also_plaintext, .tls = {}});
  }
  if (args.also_tls >= 0) {
    wire::TlsServerOptions tls = *options.tls;
    tls.client_ca_pem.clear();
    tls.require_client_certificate = false;
    options.listeners.push_back({.name = "tls", .port = args.also_tls, .tls = std::move(tls)});
  }
  if (args.also_mtls >= 0) {
    options.listeners.push_back({.name = "mtls", .port = args.also_mtls, .tls = options.tls});
  }
  return options;
}

// The table of docs/fake-server.md.
std::string RpcTable() {
  constexpr std::array<std::string_view, 3> kLevels = {"full", "partial", "refused"};
  std::array<int, 3> counts{};
  std::string rows, service;
  for (const RpcSupport& rpc : Engine::SupportTable()) {
    ++counts[static_cast<std::size_t>(rpc.level)];
    if (rpc.service != service) {
      service = rpc.service;
      rows += fmt::format("| **{}** | | |\n", service);
    }
    rows += fmt::format("| {} | {} | {} |\n", rpc.method,
                        kLevels[static_cast<std::size_t>(rpc.level)], rpc.note);
  }
  return fmt::format(
      "{} RPCs: {} full, {} partial (the last column says what is missing), {} refused with "
      "UNIMPLEMENTED.\n\n| RPC | | |\n|---|---|---|\n{}",
      counts[0] + counts[1] + counts[2], counts[0], counts[1], counts[2], rows);
}

// Another table there.
std::string ProfileTable() {
  std::string rows =
      "| Release | unknown RPCs | RPCs refused | absent fields | capabilities off |\n"
      "|---|---|---|---|---|\n";
  for (const ProfileSummary& profile : KnownProfiles()) {
    rows += fmt::format("| {} | {} | {} | {} | {} |\n", profile.version, profile.unknown_methods,
                        profile.refused_methods, profile.absent_fields, profile.capabilities_off);
  }
  return rows;
}

int Main(int argc, char** argv) {
  Program program("squall-server");
  Arguments args;
  Declare(program.options(), args);
  if (const std::optional<int> code = program.Parse(argc, argv)) return *code;
  if (args.rpc_table) {
    fmt::print("{}", RpcTable());
    return 0;
  }
  if (args.profile_table) {
    fmt::print("{}", ProfileTable());
    return 0;
  }
  StatusOr<FakeServerOptions> options = ToOptions(args);
  if (!options.ok()) return program.Complain(kWrongUsage, Message(options.status()));
  const StatusOr<journal::Sink*> journal = program.OpenJournal();
  if (!journal.ok()) return program.Complain(kWrongUsage, Message(journal.status()));
  options->journal = *journal;

  ProtobufLog complaints;  // of requests, from the first byte on
  const bool tls = options->tls.has_value();
  std::vector<std::string> listeners;
  for (const ListenerOptions& listener : options->listeners) listeners.push_back(listener.name);
  StatusOr<std::unique_ptr<FakeServer>> server = FakeServer::Start(*std::move(options));
  if (!server.ok()) return program.ComplainOfStart(server.status());
  complaints.To([&server](std::string level, std::string line) {
    (*server)->Log(std::move(level), std::move(line));
  });
  if (const StateFileReport found = (*server)->state_report(); found.cut_bytes != 0) {
    program.Complain(0, fmt::format("state file {}: cut off a torn record of {} bytes at offset {}",
                                    args.state_file, found.cut_bytes, found.cut_at));
  }
  std::vector<std::pair<std::string, int>> ports;
  for (std::size_t i = 0; i < listeners.size(); ++i) {
    ports.emplace_back(listeners[i] + "_port", (*server)->port(i + 1));
  }
  if (args.admin_port >= 0) ports.emplace_back("admin_port", (*server)->admin_port());
  if (args.print_ready) {
    program.PrintReady({(*server)->port(), (*server)->address(), tls, std::move(ports)});
  }
  program.WaitForStop();
  const Status state = (*server)->state_status();
  (*server)->Shutdown();
  complaints.To(nullptr);
  server->reset();
  return state.ok() ? program.Finish() : program.Complain(kFailed, Message(state));
}

}  // namespace
}  // namespace squall::fakes

int main(int argc, char** argv) { return squall::fakes::Main(argc, argv); }
