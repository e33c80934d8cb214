#pragma once
// What scenarios run against and what they run: servers, workers and ingresses under test, behind
// one interface each, so that a scenario never knows which kind it has.
//
// Loop thread only. All actions are asynchronous and call back once, from the loop; destroying the
// object drops callbacks, stops what it started (bounded), and leaves nothing behind. Process
// events (starting, ready, paused, resumed, signalled, exited) are written for all kinds,
// in-process servers included: pid 0, reason as for a process.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/journal/event.h"
#include "base/journal/journal.h"
#include "base/util/clock.h"
#include "base/util/status.h"
#include "base/wire/certificates.h"
#include "base/wire/misbehaviour.h"
#include "harness/net/asio_executor.h"
#include "harness/process/process.h"
#include "harness/target/temporal_client.h"

namespace squall::fakes {
class FakeServer;
}

namespace squall::harness {

using Done = std::function<void(Status)>;

// ----------------------------------------------------------------------------------------------------------
// certificates

// The catalogue as PEM files, for programs that take paths.
struct CertificateFiles {
  std::string directory;
  std::string ca_pem, wrong_ca_pem;  // paths
  // Paths by identity: server, client, wrong_ca, expired, not_yet, wrong_name, no_ip,
  // no_client_auth.
  std::map<std::string, std::string> certificate, key;
};
// Writes to `directory` (created; keys with mode 0600).
StatusOr<CertificateFiles> WriteCertificates(const wire::CertificateSet& set,
                                             const std::string& directory);

// ----------------------------------------------------------------------------------------------------------------
// servers

enum class ServerKind {
  kFakeInProcess,  // fakes/server in this process, on a thread of its own
  kFakeProcess,    // the program squall-server
  kDevServer,      // temporal server start-dev
  kAddress,        // somebody else's server: no process faults
};
std::string_view ServerKindName(ServerKind kind);  // fake, fake-process, dev-server, address

struct ServerOptions {
  std::string name = "temporal";
  ServerKind kind = ServerKind::kFakeInProcess;
  // Namespaces that exist once it is ready; "default" is not added by itself. The dev server always
  // has "default".
  std::vector<std::string> namespaces = {"default"};
  // Fakes only: serve TLS with `tls_identity` of the set; with `client_ca` ask for client
  // certificates.
  const wire::CertificateSet* certificates = nullptr;
  std::string tls_identity;  // empty: plaintext
  bool require_client_certificate = false;
  // Fakes only: keys that are accepted; empty: all.
  std::vector<std::string> api_keys;
  std::uint64_t seed = 1;
  // Data survive a restart of the dev server (--db-filename in the work folder) unless the restart
  // says otherwise.
  bool keep_data = true;
  // kAddress: host:port, and how to connect.
  std::string address;
  std::optional<ClientTls> client_tls;
  std::string api_key;
  // Work folder: database file, logs, certificates.
  std::string work_directory;
  // Extra arguments for the dev server.
  std::vector<std::string> arguments;
  // Until ready; multiplied by SQUALL_TIMEOUT_SCALE.
  Duration ready_limit = std::chrono::seconds(60);
  Duration stop_grace = std::chrono::seconds(10);
};

// A Temporal server. Its address is known from creation and never changes, whether it runs or not.
class ServerUnderTest {
 public:
  virtual ~ServerUnderTest() = default;
  virtual const ServerOptions& options() const = 0;
  const std::string& name() const { return options().name; }
  // Started by squall: process faults are allowed.
  virtual bool owned() const = 0;
  virtual std::string address() const = 0;  // host:port
  virtual bool running() const = 0;
  virtual bool paused() const = 0;
  virtual std::int64_t pid() const = 0;  // 0: in process, or not running
  // "fake 1.32.0", "temporal 1.9.1 (server 1.32.0)"; known once it was ready, else empty.
  virtual std::string version() const = 0;

  // Ready when it calls back OK: the port accepts, GetSystemInfo answers and every namespace of the
  // options can be described.
  virtual void Start(Done done) = 0;
  // The graceful way (SIGTERM; GOAWAY, then closed).
  virtual void Stop(Intent intent, Done done) = 0;
  // SIGKILL; connections are reset.
  virtual void Kill(Intent intent, Done done) = 0;
  // SIGSTOP and SIGCONT: connections stay, nothing is answered.
  virtual Status Pause(Intent intent) = 0;
  virtual Status Resume(Intent intent) = 0;
  // After Stop or Kill: on the same port, with the data it had or without. UNIMPLEMENTED when it
  // cannot keep data.
  virtual void StartAgain(bool keep_data, Done done) = 0;

  virtual void RegisterNamespace(const std::string& ns, Done done) = 0;
  virtual void DeleteNamespace(const std::string& ns, Done done) = 0;
  // Its own front end misbehaves by this rule until Behave; the rule's id is the fault's, and what
  // meets it first is the `hit` of the fault of this name. UNIMPLEMENTED for every kind but
  // kFakeInProcess. A new start of the server keeps it in force; a paused one obeys once it goes
  // on. Behave is idempotent.
  virtual Status Misbehave(std::string_view fault, wire::Rule rule) = 0;
  virtual Status Behave(std::string_view fault_id) = 0;
  // Its next starts take so much longer, with the port closed; `met` is told of each. Zero: no
  // more, and a start that waits comes at once.
  virtual void DelayStarts(Duration by, std::function<void()> met) = 0;
  // The harness's own client, directly connected (around every link and fault).
  virtual TemporalClient& client() = 0;
  // For kFakeInProcess: hooks into the engine; null otherwise or while it has not been started.
  virtual fakes::FakeServer* fake() { return nullptr; }
};

// NOT_FOUND when the program is missing (the message says what was searched and how to install it).
StatusOr<std::unique_ptr<ServerUnderTest>> MakeServer(AsioExecutor& executor,
                                                      journal::Sink& journal,
                                                      ServerOptions options);

// The dev server's program: SQUALL_TEMPORAL_CLI, PATH, $SQUALL_VENV/bin/temporal,
// $SQUALL_SOURCE_DIR/.venv/bin/temporal.
StatusOr<std::string> FindTemporalCli();
// A program of ours: next to the running one, or in SQUALL_BIN_DIR.
StatusOr<std::string> FindOurProgram(std::string_view name);
// The Python with the SDK: $SQUALL_VENV/bin/python, $SQUALL_SOURCE_DIR/.venv/bin/python.
StatusOr<std::string> FindPython();

// ----------------------------------------------------------------------------------------------------------------
// workers

enum class WorkerKind { kSquallWorker, kSquallHost, kPython, kCommand };
std::string_view WorkerKindName(WorkerKind kind);  // squall-worker, squall-host, python, command

// "{address}" in arguments and environment is replaced by its value; "{{" and "}}" are braces; an
// unknown name is INVALID_ARGUMENT with the nearest known one.
using TemplateValues = std::map<std::string, std::string>;
StatusOr<std::string> ExpandTemplate(std::string_view text, const TemplateValues& values);

struct WorkerOptions {
  std::string name = "worker";
  WorkerKind kind = WorkerKind::kSquallWorker;
  // Where and as what it works; they become TEMPORAL_* variables for every kind, and {address},
  // {namespace}, {task_queue}, {name}, {work_directory} in templates.
  std::string address;
  std::string ns = "default";
  std::string task_queue = "squall";
  std::string api_key;
  // Paths; {ca_file}, {client_certificate_file}, {client_key_file}, {server_name}. `tls` without
  // paths: the system's roots.
  bool tls = false;
  std::string ca_file, client_certificate_file, client_key_file, server_name;
  // kCommand: all of it. kPython: script and its arguments. Others: arguments after the program's
  // own. Templates.
  std::vector<std::string> command;
  std::map<std::string, std::optional<std::string>> environment;  // templates; on top of TEMPORAL_*
  bool clean_environment = false;
  TemplateValues values;  // more names for templates
  // Put in front of the command, whatever a fault makes of that: where it runs (PrivateWire).
  std::vector<std::string> launcher;
  // The lifecycle word that shows that it is ready. Empty: ready once it runs.
  std::string ready_word = "started";
  Duration ready_limit = std::chrono::seconds(60);
  int stop_signal = 15;
  Duration stop_grace = std::chrono::seconds(30);
  std::string work_directory;  // logs, and where it runs
  // What its lifecycle lines tell, after it was written to the journal (source "worker:NAME").
  std::function<void(const journal::WorkerEvent&)> on_event;
  std::function<void(const ProcessExit&)> on_exit;
};

// How a worker is launched while a fault is in force, beside what its options say.
struct LaunchChange {
  std::vector<std::string> replace;   // instead of its command; empty: its own
  std::vector<std::string> in_front;  // of the command: a wrapper
  std::map<std::string, std::optional<std::string>> environment;  // set, or removed when null
  // A life that was launched so and ends by itself ends by the fault.
  bool ends_it = false;
};

// A worker as a process. Thin over ChildProcess: readiness by lifecycle line, worker events from
// its output.
class WorkerUnderTest {
 public:
  // INVALID_ARGUMENT for templates, NOT_FOUND for programs.
  static StatusOr<std::unique_ptr<WorkerUnderTest>> Create(AsioExecutor& executor,
                                                           journal::Sink& journal,
                                                           WorkerOptions options);
  ~WorkerUnderTest();

  const WorkerOptions& options() const;
  const std::string& name() const { return options().name; }
  // OK when ready; otherwise as ChildProcess::Start.
  void Start(Done done);
  void Stop(Intent intent, ChildProcess::ExitCallback done);
  void Kill(Intent intent, ChildProcess::ExitCallback done);
  Status Signal(int signal, Intent intent);
  Status Pause(Intent intent);
  Status Resume(Intent intent);
  // From its next start on, until RestoreLaunch; several changes apply in the order in which they
  // came.
  void ChangeLaunch(std::string_view fault_id, LaunchChange change);
  void RestoreLaunch(std::string_view fault_id);
  // Called at each of its starts, as soon as the process is there; null: no more.
  void OnLaunch(std::string_view fault_id, std::function<void()> launched);
  // The process itself: pid, state, last exit, last lines.
  ChildProcess& process();

 private:
  struct Impl;
  explicit WorkerUnderTest(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

// One line of a worker's output as an event: {"squall_event":"started","task_queue":"q","pid":1};
// null for any other line. A line that claims to be one and is not (unknown word, wrong type) is
// INVALID_ARGUMENT, which says why.
StatusOr<std::optional<journal::WorkerEvent>> ParseLifecycleLine(std::string_view line);

// --------------------------------------------------------------------------------------------------------------
// ingresses

struct IngressUnderTestOptions {
  std::string name = "ingress";
  std::string upstream;  // host:port
  // Identities of the set by field name: the default one, and by server name.
  const wire::CertificateSet* certificates = nullptr;
  std::string identity = "server";
  std::map<std::string, std::string> identity_by_sni;
  bool refuse_unknown_sni = false;
  bool require_client_certificate = false;
  std::vector<std::string> alpn = {"h2"};
  // http2 passes streams on; http1 answers as an HTTP/1.1 ingress does.
  std::string transport = "http2";
  // TCP connects, and nothing ever answers.
  bool internal = false;
  Duration idle_timeout{};  // 0: never
  // An L7 load balancer behind it (fakes/ingress/balancer.h): connections to the server, the calls
  // and the age after which one is replaced (0: never). 0: none. Without an identity there is the
  // balancer alone, in plaintext.
  std::size_t pool = 0;
  std::uint64_t recycle_after = 0;
  Duration recycle_age{};
};

// A TLS-terminating ingress in this process, on a thread of its own; the same port for life.
class IngressUnderTest {
 public:
  static StatusOr<std::unique_ptr<IngressUnderTest>> Start(AsioExecutor& executor,
                                                           journal::Sink& journal,
                                                           IngressUnderTestOptions options);
  ~IngressUnderTest();
  const std::string& name() const;
  std::string address() const;
  void SetUpstream(const std::string& address);
  // Replaces settings (certificates, ALPN, transport) on the same port; open connections are
  // closed.
  Status Reconfigure(IngressUnderTestOptions options);
  void CloseConnections();

 private:
  struct Impl;
  explicit IngressUnderTest(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace squall::harness
