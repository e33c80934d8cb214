// squall-ingress: a cloud ingress look-alike as a program of its own. Its options are explained by
// --help.

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <string>
#include <utility>

#include "base/util/rng.h"
#include "base/wire/certificates.h"
#include "fakes/server/ingress_server.h"
#include "fakes/server/program.h"

namespace squall::fakes {
namespace {

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
  std::string mint;
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
  app.add_option(
      "--mint", args.mint,
      "Write test certificates (right, expired, wrong name, ...) to this folder and exit");
  app.description(kDescription);
  app.footer(kFooter);
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
  Program program("squall-ingress");
  Arguments args;
  Declare(program.options(), args);
  if (const std::optional<int> code = program.Parse(argc, argv)) return *code;
  if (!args.mint.empty()) {
    const Status minted = Mint(args.mint);
    return minted.ok() ? 0 : program.Complain(kFailed, Message(minted));
  }
  StatusOr<IngressServerOptions> options = ToOptions(args);
  if (!options.ok()) return program.Complain(kWrongUsage, Message(options.status()));
  const StatusOr<journal::Sink*> journal = program.OpenJournal();
  if (!journal.ok()) return program.Complain(kWrongUsage, Message(journal.status()));
  options->journal = *journal;

  StatusOr<std::unique_ptr<IngressServer>> server = IngressServer::Start(*std::move(options));
  if (!server.ok()) return program.ComplainOfStart(server.status());
  program.PrintReady({(*server)->port(), (*server)->address(), /*tls=*/true});
  program.WaitForStop();
  server->reset();
  return program.Finish();
}

}  // namespace
}  // namespace squall::fakes

int main(int argc, char** argv) { return squall::fakes::Main(argc, argv); }
