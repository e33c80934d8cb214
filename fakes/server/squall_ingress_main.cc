// squall-ingress: a cloud ingress look-alike as a program of its own. Its options are explained by
// --help.

#include <sys/prctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <utility>

#include "base/util/rng.h"
#include "base/wire/certificates.h"
#include "fakes/server/ingress_server.h"

namespace squall::fakes {
namespace {

// Exit codes of all programs under test (docs/scenarios.md): 0 asked to stop, and
constexpr int kFailed = 1;
constexpr int kWrongUsage = 2;
constexpr int kCouldNotStart = 3;

constexpr const char* kDescription =
    "A cloud ingress look-alike: terminates TLS on 127.0.0.1 and forwards plaintext to one "
    "upstream,\nright or in the ways that took workers down.";

constexpr const char* kFooter =
    R"(When it serves, it prints one line on stdout:
  {"squall_event":"ready","port":40443,"address":"127.0.0.1:40443","pid":4711,"tls":true}
SIGTERM and SIGINT stop it (exit 0). Exit 2: wrong usage, 3: could not start.

Examples:
  squall-ingress --mint certs                            ca.pem and one pair for each identity
  squall-ingress --upstream 127.0.0.1:7233 --tls-cert certs/server.pem --tls-key certs/server.key
  squall-ingress ... --transport http1                   answers HTTP/2 with HTTP/1.1 400
  squall-ingress ... --silent                            accepts, and never answers)";

const std::map<std::string, IngressTransport> kTransports = {
    {"http2", IngressTransport::kHttp2},
    {"http1", IngressTransport::kHttp1},
    {"http1-behind-h2", IngressTransport::kHttp1BehindH2}};

struct Arguments {
  std::string name = "ingress";
  int port = 0;
  std::string upstream;
  std::string tls_cert, tls_key, client_ca;
  IngressTransport transport = IngressTransport::kHttp2;
  bool silent = false;
  bool no_tickets = false;
  std::string journal;
  std::string mint;
  bool die_with_parent = false;
};

void Declare(CLI::App& app, Arguments& args) {
  app.add_option("--listen", args.port, "Port on 127.0.0.1; 0 takes a free one")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  app.add_option("--upstream", args.upstream, "HOST:PORT that connections are forwarded to");
  app.add_option("--tls-cert", args.tls_cert, "Certificate chain (PEM)");
  app.add_option("--tls-key", args.tls_key, "Its private key (PEM)");
  app.add_option("--client-ca", args.client_ca,
                 "Require client certificates that chain to this CA (PEM): mTLS");
  app.add_option("--transport", args.transport, "http2, http1 or http1-behind-h2")
      ->transform(CLI::CheckedTransformer(kTransports))
      ->default_str("http2");
  app.add_flag("--silent", args.silent, "Accept connections and never answer: internal-only");
  app.add_flag("--no-session-tickets", args.no_tickets, "Make every client do a full handshake");
  app.add_option("--name", args.name, "Name in the journal")->capture_default_str();
  app.add_option("--journal", args.journal, "Write every connection to this new file (JSONL)");
  app.add_option(
      "--mint", args.mint,
      "Write test certificates (right, expired, wrong name, ...) to this folder and exit");
  app.add_flag("--die-with-parent", args.die_with_parent,
               "Be killed when the process that started this one dies");
  app.description(kDescription);
  app.footer(kFooter);
}

int Complain(int code, std::string_view text) {
  std::fprintf(stderr, "squall-ingress: %.*s\n", static_cast<int>(text.size()), text.data());
  return code;
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

Status Mint(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    return MakeStatus(StatusCode::kUnavailable, "cannot create {}: {}", folder.string(),
                      error.message());
  }
  Rng rng(SeedFromSystem());
  const wire::CertificateSet set = wire::MintCatalogue(RealClock().WallNow(), rng);
  SQUALL_RETURN_IF_ERROR(WriteText(folder / "ca.pem", set.ca_pem, false));
  SQUALL_RETURN_IF_ERROR(WriteText(folder / "wrong_ca_root.pem", set.wrong_ca_pem, false));
  for (const std::string& name : wire::CertificateSet::Names()) {
    const wire::TlsIdentity& identity = *set.Find(name);
    SQUALL_RETURN_IF_ERROR(
        WriteText(folder / (name + ".pem"), identity.certificate_chain_pem, false));
    SQUALL_RETURN_IF_ERROR(WriteText(folder / (name + ".key"), identity.private_key_pem, true));
  }
  return absl::OkStatus();
}

StatusOr<IngressServerOptions> ToOptions(const Arguments& args) {
  IngressServerOptions options;
  options.port = args.port;
  const std::size_t colon = std::min(args.upstream.rfind(':'), args.upstream.size());
  const char* end = args.upstream.data() + args.upstream.size();
  options.upstream_host = args.upstream.substr(0, colon);
  const auto parsed =
      std::from_chars(std::min(args.upstream.data() + colon + 1, end), end, options.upstream_port);
  if (options.upstream_host.empty() || parsed.ec != std::errc() || parsed.ptr != end ||
      options.upstream_port < 1 || options.upstream_port > 65535) {
    return MakeStatus(StatusCode::kInvalidArgument, "--upstream must be HOST:PORT, not '{}'",
                      args.upstream);
  }
  IngressOptions& ingress = options.ingress;
  ingress.name = args.name;
  ingress.transport = args.transport;
  if (args.silent) ingress.reach = IngressReach::kSilent;
  ingress.tls.session_tickets = !args.no_tickets;
  SQUALL_ASSIGN_OR_RETURN(ingress.tls.identity.certificate_chain_pem,
                          ReadText(args.tls_cert, "--tls-cert"));
  SQUALL_ASSIGN_OR_RETURN(ingress.tls.identity.private_key_pem,
                          ReadText(args.tls_key, "--tls-key"));
  if (!args.client_ca.empty()) {
    SQUALL_ASSIGN_OR_RETURN(ingress.tls.client_ca_pem, ReadText(args.client_ca, "--client-ca"));
    ingress.tls.require_client_certificate = true;
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
  if (!args.mint.empty()) {
    const Status minted = Mint(args.mint);
    return minted.ok() ? 0 : Complain(kFailed, Message(minted));
  }
  StatusOr<IngressServerOptions> options = ToOptions(args);
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
  StatusOr<std::unique_ptr<IngressServer>> server = IngressServer::Start(*std::move(options));
  if (!server.ok()) {
    const bool usage = server.status().code() == StatusCode::kInvalidArgument;
    return Complain(usage ? kWrongUsage : kCouldNotStart, Message(server.status()));
  }
  std::printf(R"({"squall_event":"ready","port":%d,"address":"%s","pid":%d,"tls":true})"
              "\n",
              (*server)->port(), (*server)->address().c_str(), static_cast<int>(::getpid()));
  std::fflush(stdout);
  int signal = 0;
  sigwait(&stop_signals, &signal);
  server->reset();
  if (journal != nullptr && !journal->status().ok()) {
    return Complain(kFailed, Message(journal->status()));
  }
  return 0;
}

}  // namespace
}  // namespace squall::fakes

int main(int argc, char** argv) { return squall::fakes::Main(argc, argv); }
