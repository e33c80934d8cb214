#pragma once
// The typed model of a scenario file. docs/scenarios.md is its reference; loader.h makes it from
// YAML.
//
// A file holds one scenario with several subjects. Each subject is the scenario's topology and
// steps with its own patch merged in, so that everything below Subject is concrete: whoever runs a
// subject looks at nothing else.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/util/clock.h"
#include "scenarios/format/check_spec.h"
#include "scenarios/format/fault_catalogue.h"

namespace squall::scenarios {

enum class WorldKind { kSim, kFake, kReal };
std::string_view WorldName(WorldKind world);  // "sim", "fake", "real"
std::optional<WorldKind> WorldFromName(std::string_view name);

enum class StartMode { kAuto, kManual };  // kAuto: before the first step

// --- topology ---

enum class TlsMode { kNone, kServer, kMutual };

// A Temporal server: the fake one, or the dev server in the real world.
struct ServerSpec {
  std::string name;
  std::vector<std::string> namespaces = {
      "default"};                // registered before the server counts as ready
  TlsMode tls = TlsMode::kNone;  // fake world only: the dev server has none, an ingress gives it
  std::string certificate = "server";  // name in wire's certificate catalogue
  std::vector<std::string> api_keys;   // that it accepts, fake world only; empty: it asks for none
  int frontends = 1;  // behind one name, each at an address of its own; sim world only
  bool keep_data =
      true;  // what a restart does to namespaces and workflows, unless the step says otherwise
  StartMode start = StartMode::kAuto;
  SourcePos pos;
};

// A TLS-terminating ingress or load balancer in front of a server.
struct IngressSpec {
  std::string name;
  std::string to;  // a server
  TlsMode tls = TlsMode::kServer;
  std::string certificate = "server";
  bool http1 =
      false;  // transport: http1 answers HTTP/1.1, as an ingress does whose transport is set wrong
  bool internal = false;    // reach: internal, TCP connects and nothing ever answers
  Duration idle_timeout{};  // 0: never
  int pool = 0;             // connections to the server that all clients share; 0: one each
  int recycle_after = 0;    // calls, of a connection of the pool; 0: never
  Duration recycle_age{};   // of a connection of the pool; 0: never
  StartMode start = StartMode::kAuto;
  SourcePos pos;
};

// One TCP fault proxy. Faults are injected into links.
struct LinkSpec {
  enum class End { kNode, kClosed, kSilent };
  std::string name;
  End end = End::kNode;
  std::string to;  // a server or ingress; kClosed (`to: closed`): a port on which nobody listens;
                   // kSilent (`to: silent`): accepts and never answers
  SourcePos pos;
};

// How a worker or client reaches a server.
struct ConnectSpec {
  std::string to;  // a link, ingress or server
  enum class Tls { kAuto, kOff, kOn };
  Tls tls = Tls::kAuto;     // kAuto: what the other end wants, all of it right
  std::string ca = "ca";    // "ca", "wrong_ca" or "none" (the system's roots)
  std::string server_name;  // SNI and the name to verify; "" = the one the certificate carries
  std::string client_certificate;  // "" = `client` where the other end asks for one; "none"; or a
                                   // name of the catalogue
  std::string api_key;             // the first of the server's where none was given; "" = none
};

struct RestartPolicy {
  bool on_exit =
      false;  // restart: {on_exit: [1s, 2s, 4s]}: the platform's back-off, its last value repeats
  std::vector<Duration> back_off;
};

struct WorkerSpec {
  enum class Kind { kCore, kHost, kPython, kCommand };
  std::string name;
  Kind kind = Kind::kCore;  // squall-worker, squall-host, the Python worker, any command
  std::string host;         // kHost: supervising, cancelling, shared-client, fail-fast, no-restart
  std::vector<std::string>
      command;  // kCommand: argv; {address} {host} {port} ... are filled in (docs/scenarios.md)
  std::vector<std::string> args;           // appended to the argv of every kind, filled in alike
  std::map<std::string, std::string> env;  // filled in alike; an empty value removes the variable
  std::string ns = "default";
  std::string task_queue = "squall";
  ConnectSpec connect;
  Duration grace = std::chrono::seconds(5);  // graceful shutdown period given to the worker
  int count = 1;                             // n > 1 makes name-1 .. name-n
  StartMode start = StartMode::kAuto;
  RestartPolicy restart;
  std::string health;  // path of an HTTP health page on {port} ("" = none); asked every 250 ms,
                       // told as worker events healthy and unhealthy. {port} is a free port, leased
                       // when an argument or variable names it
  SourcePos pos;
};

// A client of the harness: starts workflows and makes calls. One named "direct" always exists: to
// the first server, no link.
struct ClientSpec {
  std::string name;
  ConnectSpec connect;
  std::string ns = "default";
  Duration timeout = std::chrono::seconds(10);  // of each call
  SourcePos pos;
};

struct Topology {
  std::vector<ServerSpec> servers;  // in the order of the file, as all of these
  std::vector<IngressSpec> ingresses;
  std::vector<LinkSpec> links;
  std::vector<WorkerSpec> workers;  // with count unrolled
  std::vector<ClientSpec> clients;  // with "direct" in front

  const ServerSpec* Server(std::string_view name) const;
  const IngressSpec* Ingress(std::string_view name) const;
  const LinkSpec* Link(std::string_view name) const;
  const WorkerSpec* Worker(std::string_view name) const;
  const ClientSpec* Client(std::string_view name) const;
  // The server that a link, ingress or server leads to; nullptr for a closed or silent link.
  const ServerSpec* ServerBehind(std::string_view name) const;
  // How the end of `name` (a link, ingress or server) speaks TLS.
  TlsMode TlsAt(std::string_view name) const;
  std::string CertificateAt(std::string_view name) const;
};

// --- steps ---

struct StartStep {
  std::vector<std::string> nodes;
};  // servers, ingresses, workers
struct StopStep {
  std::vector<std::string> nodes;
  std::string signal;
};  // asked to stop, waits for the end; "" = SIGTERM
struct KillStep {
  std::vector<std::string> nodes;
};  // SIGKILL (in process: dropped without a word)
struct RestartStep {
  std::string node;
  std::optional<bool> keep_data;  // servers; unset = the server's own
  Duration down_for{};            // between the end and the new start
  bool kill = false;              // how: kill | stop
};
struct PauseStep {
  std::vector<std::string> nodes;
};  // SIGSTOP
struct ResumeStep {
  std::vector<std::string> nodes;
};
struct SignalStep {
  std::string node;
  int number = 0;
  std::string name;
};

// `run` waits for the end of every workflow, `start_workflow` only for the server's acceptance.
struct WorkflowStep {
  bool wait_for_end = true;
  std::string workflow;  // type
  std::string
      id;  // default: type in lower case and the step's number; with count > 1: id-1 .. id-n
  std::string input = "null";         // JSON
  std::optional<std::string> result;  // JSON; a different one fails the step
  std::string status = "completed";   // the end that `run` wants: a word of journal::WorkflowEvent
  std::string task_queue;             // default: the first worker's
  std::string ns;                     // default: the client's
  std::string client = "direct";
  int count = 1;
  bool parallel = false;  // all at once instead of one after the other
  std::optional<Duration> execution_timeout;
  bool may_be_refused = false;  // a refusal is recorded and is no failure of the step
};
struct AwaitStep {
  std::vector<std::string> ids;  // workflows started before; empty = all
  std::string client = "direct";
  std::string ns;
  std::optional<std::string> result;
  std::string status = "completed";
};
struct SignalWorkflowStep {
  std::string id, signal, input = "null", client = "direct", ns;
};

// Waits until `count` matching events were seen.
struct WaitStep {
  std::string kind, event;                   // "worker", "polling" from `event: worker.polling`
  std::map<std::string, std::string> where;  // field of the event -> its text, or /regex/
  int count = 1;
  std::string
      since;  // "" = the run's start, "step" = this step's, else the name of an earlier step
};
struct WaitHealthyStep {
  std::vector<std::string> workers;
};  // each polls and its process is up
struct ForStep {
  Duration duration{};
};

struct InjectStep {
  std::string fault;  // with `target`: a row of the catalogue
  FaultTarget target = FaultTarget::kLink;
  std::vector<std::string> on;  // at least one node
  bool one = false;             // one of them, drawn anew in each round; else all
  std::string as;  // label, the fault's id in the journal (fault_ids.h); default: the fault's name,
                   // made unique
  std::optional<Duration> span;   // `for`: heals by itself after it, while the steps go on
  std::optional<WaitStep> when;   // the first round comes with this event; unset: with the step
  std::optional<Duration> every;  // again after it, from one round's beginning to the next one's
  int times = 0;                  // rounds; 0: until it is healed
  double chance = 1;              // of each node in each round
  Params params;
};
struct HealStep {
  std::vector<std::string> faults;
};  // labels; empty = all
struct NamespaceStep {
  bool remove = false;
  std::string ns, server;
};
struct CallStep {
  std::string method;          // DescribeNamespace
  std::string request = "{}";  // JSON of the request message
  std::string client = "direct";
  std::optional<std::string>
      code;  // wanted gRPC status, "OK" or "UNAVAILABLE"; another one fails the step
};
struct CloseClientStep {
  std::string client;
};

using StepAction =
    std::variant<StartStep, StopStep, KillStep, RestartStep, PauseStep, ResumeStep, SignalStep,
                 WorkflowStep, AwaitStep, SignalWorkflowStep, WaitStep, WaitHealthyStep, ForStep,
                 InjectStep, HealStep, NamespaceStep, CallStep, CloseClientStep>;

struct Step {
  std::string name;  // "" = none
  std::string text;  // "inject refuse on w->temporal": for people and journal::StepEvent
  StepAction action;
  Duration within{};      // its time-out, always set (defaults by kind)
  bool optional = false;  // not reaching it is recorded and the next step follows
  SourcePos pos;
};

// --- the whole ---

struct Needs {
  std::vector<WorldKind> worlds = {WorldKind::kSim, WorldKind::kFake, WorldKind::kReal};
  std::vector<std::string>
      tools;  // words of KnownTools(); what a kind of worker or world needs is implied
};
// What is meant for the fake server is meant for virtual time, too: the server is the same.
bool MeantFor(const Needs& needs, WorldKind world);
const std::vector<std::string>& KnownTools();  // core, python, go, typescript

// What must come of a subject: pass, or exactly these checks fail.
struct Expectation {
  std::vector<std::string> fail;  // ids of checks; empty = pass
  bool pass() const { return fail.empty(); }
};

struct Subject {
  std::string name;
  std::string why;
  Expectation expect;
  Needs needs;  // the scenario's, or the subject's own
  Topology topology;
  std::vector<Step> steps;
  std::vector<CheckSpec>
      checks;  // the scenario's, and those that are asked of this subject besides
  SourcePos pos;
};

struct Scenario {
  std::string file;
  std::string id;    // E1: stable, what reports and documents carry
  std::string name;  // the file's name without folder and ending
  std::string title;
  std::string why;
  std::vector<std::string> tags;
  std::optional<std::uint64_t> seed;
  Duration timeout = std::chrono::seconds(60);  // of a subject, from its first start to its verdict
  std::vector<Subject>
      subjects;  // at least one; a file without `subjects:` has one named "default" that must pass
  std::vector<CheckSpec>
      checks;  // what is asked of every subject; what to judge one by is Subject::checks

  const Subject* FindSubject(std::string_view subject_name) const;
};

}  // namespace squall::scenarios
