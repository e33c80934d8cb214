// Servers that are processes: squall-server and Temporal's own dev server; and the one at an
// address, which is nobody's to touch.
#include <filesystem>
#include <utility>

#include "harness/net/port.h"
#include "harness/target/server_base.h"

namespace squall::harness {
namespace {

class ServerProcess final : public ServerBase {
 public:
  ServerProcess(AsioExecutor& executor, journal::Sink& journal, ServerOptions options,
                PortLease lease, std::string program)
      : ServerBase(executor, journal, std::move(options)),
        lease_(std::move(lease)),
        program_(std::move(program)),
        process_(executor, journal, Child()) {}

  ~ServerProcess() override { StopAwaiting(); }

  std::string address() const override { return "127.0.0.1:" + std::to_string(lease_.port()); }
  bool running() const override { return process_.alive(); }
  bool paused() const override { return process_.paused(); }
  std::int64_t pid() const override { return process_.pid(); }

  void Start(Done done) override {
    if (StartWaits([this, done] { Start(done); }, done)) return;
    if (const Status status = Prepare(); !status.ok())
      return Later(std::move(done), Annotate(status, "start server " + name()));
    process_.SetArgv(Command());
    process_.Start([done = std::move(done)](const Status& status) {
      if (done) done(status);
    });
  }

  void StartAgain(bool keep_data, Done done) override {
    if (process_.alive())
      return Later(std::move(done),
                   MakeStatus(StatusCode::kFailedPrecondition, "server {} runs already", name()));
    if (keep_data && Database().empty()) {
      return Later(
          std::move(done),
          MakeStatus(StatusCode::kUnimplemented,
                     "server {} keeps its data in memory: a {}{} cannot be restarted with them",
                     name(), ServerKindName(options_.kind),
                     options_.kind == ServerKind::kDevServer ? " without a database file" : ""));
    }
    if (!keep_data && !Database().empty()) {
      std::error_code error;
      for (const char* ending : {"", "-wal", "-shm", "-journal"})
        std::filesystem::remove(Database() + ending, error);
    }
    Start(std::move(done));
  }

  void Stop(Intent intent, Done done) override {
    StopAwaiting();
    GiveUpStart();
    process_.Stop(intent, Ended(std::move(done)));
  }
  void Kill(Intent intent, Done done) override {
    StopAwaiting();
    GiveUpStart();
    process_.Kill(intent, Ended(std::move(done)));
  }
  Status Pause(Intent) override { return process_.Pause(); }
  Status Resume(Intent) override { return process_.Resume(); }

 protected:
  std::string VersionFor(const std::string& server_version) const override {
    return (options_.kind == ServerKind::kDevServer ? "temporal dev server " : "squall-server ") +
           server_version;
  }

 private:
  static ChildProcess::ExitCallback Ended(Done done) {
    return [done = std::move(done)](const ProcessExit&) {
      if (done) done(absl::OkStatus());
    };
  }

  ChildOptions Child() {
    ChildOptions child;
    child.name = options_.name;
    child.role = "server";
    child.log_directory = options_.work_directory;
    child.stop_grace = options_.stop_grace;
    child.ready.limit = options_.ready_limit;
    child.on_exit = [this](const ProcessExit&) {
      StopAwaiting();
      port_probe_.reset();
    };
    // The port first, then what it answers: a client that connects before anybody listens would
    // wait out its back-off.
    child.ready.probe = [this](std::function<void(Status)> answer) {
      port_probe_ = std::make_unique<ConnectProbe>(
          executor_, HostPort{"127.0.0.1", lease_.port()}, Scaled(options_.ready_limit),
          [this, answer = std::move(answer)](Status status) {
            if (!status.ok()) return answer(std::move(status));
            AwaitServing(answer);
          });
    };
    return child;
  }

  std::string Database() const {
    return options_.kind == ServerKind::kDevServer && options_.keep_data &&
                   !options_.work_directory.empty()
               ? options_.work_directory + "/" + options_.name + ".db"
               : "";
  }

  std::vector<std::string> Command() const {
    const std::string port = std::to_string(lease_.port());
    std::vector<std::string> command = {program_};
    if (options_.kind == ServerKind::kDevServer) {
      command.insert(command.end(),
                     {"server", "start-dev", "--headless", "--ip", "127.0.0.1", "--port", port,
                      "--log-level", "warn", "--disable-config-file", "--disable-config-env"});
      for (const std::string& ns : options_.namespaces)
        command.insert(command.end(), {"--namespace", ns});
      if (!Database().empty()) command.insert(command.end(), {"--db-filename", Database()});
    } else {
      command.insert(command.end(), {"--port", port, "--name", options_.name, "--seed",
                                     std::to_string(options_.seed), "--no-default-namespace"});
      for (const std::string& ns : options_.namespaces)
        command.insert(command.end(), {"--namespace", ns});
      if (!options_.tls_identity.empty()) {
        command.insert(command.end(), {"--tls-cert", files_.certificate.at(options_.tls_identity),
                                       "--tls-key", files_.key.at(options_.tls_identity)});
        if (options_.require_client_certificate)
          command.insert(command.end(), {"--client-ca", files_.ca_pem});
      }
      if (!key_file_.empty()) command.insert(command.end(), {"--api-key-file", key_file_});
    }
    command.insert(command.end(), options_.arguments.begin(), options_.arguments.end());
    return command;
  }

  // Files that the command names.
  Status Prepare() {
    if (options_.kind != ServerKind::kFakeProcess || prepared_) return absl::OkStatus();
    if (!options_.tls_identity.empty()) {
      if (options_.certificates == nullptr ||
          options_.certificates->Find(options_.tls_identity) == nullptr) {
        return MakeStatus(StatusCode::kInvalidArgument, "no certificate '{}'",
                          options_.tls_identity);
      }
      SQUALL_ASSIGN_OR_RETURN(
          files_, WriteCertificates(*options_.certificates, options_.work_directory + "/" +
                                                                options_.name + ".certificates"));
    }
    if (!options_.api_keys.empty()) {
      std::string text;
      for (const std::string& key : options_.api_keys) text += key + "\n";
      key_file_ = options_.work_directory + "/" + options_.name + ".keys";
      SQUALL_RETURN_IF_ERROR(WritePrivateFile(key_file_, text));
    }
    prepared_ = true;
    return absl::OkStatus();
  }

  PortLease lease_;
  const std::string program_;
  CertificateFiles files_;
  std::string key_file_;
  bool prepared_ = false;
  std::unique_ptr<ConnectProbe> port_probe_;
  ChildProcess process_;
};

class ExternalServer final : public ServerBase {
 public:
  ExternalServer(AsioExecutor& executor, journal::Sink& journal, ServerOptions options)
      : ServerBase(executor, journal, std::move(options)) {}

  bool owned() const override { return false; }
  std::string address() const override { return options_.address; }
  bool running() const override { return true; }
  bool paused() const override { return false; }
  std::int64_t pid() const override { return 0; }

  void Start(Done done) override { AwaitServing(std::move(done)); }
  // Not ours to stop; a scenario that ends leaves it as it is.
  void Stop(Intent intent, Done done) override {
    Later(std::move(done), intent == Intent::kAsked ? absl::OkStatus() : Untouchable("stopped"));
  }
  void Kill(Intent, Done done) override { Later(std::move(done), Untouchable("killed")); }
  Status Pause(Intent) override { return Untouchable("paused"); }
  Status Resume(Intent) override { return absl::OkStatus(); }
  void StartAgain(bool, Done done) override { Later(std::move(done), Untouchable("restarted")); }

 protected:
  std::string VersionFor(const std::string& server_version) const override {
    return "server " + server_version;
  }

 private:
  Status Untouchable(std::string_view what) const {
    return MakeStatus(StatusCode::kPermissionDenied,
                      "server {} at {} was not started by squall: it is not {}", name(), address(),
                      what);
  }
};

}  // namespace

StatusOr<std::unique_ptr<ServerUnderTest>> MakeServerProcess(AsioExecutor& executor,
                                                             journal::Sink& journal,
                                                             ServerOptions options,
                                                             PortLease lease) {
  const bool fake = options.kind == ServerKind::kFakeProcess;
  SQUALL_ASSIGN_OR_RETURN(std::string program,
                          fake ? FindOurProgram("squall-server") : FindTemporalCli());
  if (!fake && !options.tls_identity.empty()) {
    return MakeStatus(StatusCode::kInvalidArgument,
                      "server {}: the dev server has no TLS; put an ingress in front of it",
                      options.name);
  }
  return std::unique_ptr<ServerUnderTest>(std::make_unique<ServerProcess>(
      executor, journal, std::move(options), std::move(lease), std::move(program)));
}

StatusOr<std::unique_ptr<ServerUnderTest>> MakeExternalServer(AsioExecutor& executor,
                                                              journal::Sink& journal,
                                                              ServerOptions options) {
  SQUALL_RETURN_IF_ERROR(
      Annotate(ParseHostPort(options.address).status(), "server " + options.name));
  return std::unique_ptr<ServerUnderTest>(
      std::make_unique<ExternalServer>(executor, journal, std::move(options)));
}

}  // namespace squall::harness
