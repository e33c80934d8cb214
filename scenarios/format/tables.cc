#include "scenarios/format/tables.h"

#include "base/util/status.h"
#include "scenarios/format/scenario.h"

namespace squall::scenarios {
namespace {

using enum ParamType;

ParamSpec Object(std::string name, std::string table, std::string doc, bool required = false) {
  return {.name = std::move(name), .type = kObject, .doc = std::move(doc), .required = required, .words = {std::move(table)}};
}

ParamSpec Nodes(std::string doc) {
  return {.name = "nodes", .type = kTextList, .doc = std::move(doc), .required = true};
}

ParamSpec Client() {
  return {.name = "client", .type = kClient, .doc = "Who asks.", .default_text = "direct"};
}
ParamSpec Namespace() {
  return {.name = "namespace", .type = kText, .doc = "Default: the client's."};
}
ParamSpec StartKey() {
  return {.name = "start", .type = kWord, .doc = "auto: before the first step; manual: by a `start` step.",
          .default_text = "auto", .words = {"auto", "manual"}};
}
ParamSpec Certificate() {
  return {.name = "certificate", .type = kWord, .doc = "The certificate it presents.", .default_text = "server",
          .words = {"server", "expired", "not_yet", "wrong_name"}};
}

ParamTable WorkflowKeys(bool wait_for_end) {
  ParamTable keys = {
      {.name = "workflow", .type = kText, .doc = "Its type: Ping, Echo, Slow, ...", .required = true},
      {.name = "id", .type = kText, .doc = "Workflow id; with `count` a prefix: id-1, id-2, ... Default: type and number of the step."},
      {.name = "input", .type = kJson, .doc = "Its one argument."},
      {.name = "task_queue", .type = kText, .doc = "Default: the first worker's."},
      Namespace(),
      Client(),
      {.name = "count", .type = kInt, .doc = "How many.", .default_text = "1", .min = 1, .max = 10000},
      {.name = "parallel", .type = kBool, .doc = "All at once instead of one after the other.", .default_text = "false"},
      {.name = "execution_timeout", .type = kDuration, .doc = "The server ends the workflow after it. Default: never."},
      {.name = "may_be_refused", .type = kBool, .doc = "A refused start is recorded and is no failure of the step.",
       .default_text = "false"},
  };
  if (wait_for_end) {
    keys.push_back({.name = "result", .type = kJson, .doc = "The result wanted; another one fails the step."});
    keys.push_back({.name = "status", .type = kWord, .doc = "The end wanted.", .default_text = "completed",
                    .words = {"completed", "failed", "timed_out", "cancelled", "terminated"}});
  }
  return keys;
}

std::vector<ObjectTable> MakeObjects() {
  return {
      {"scenario",
       "The file as a whole.",
       {
           {.name = "id", .type = kText, .doc = "Stable and unique in a library; reports carry it.", .required = true},
           {.name = "title", .type = kText, .doc = "One line.", .required = true},
           {.name = "why", .type = kText, .doc = "What happened in production, in a sentence or two."},
           {.name = "tags", .type = kTextList, .doc = "For `squall run --tag`."},
           Object("needs", "needs", "What it requires; where that is missing it is skipped, with the reason."),
           {.name = "seed", .type = kInt, .doc = "Fixes all random choices. Default: the run's.", .min = 0},
           {.name = "timeout", .type = kDuration, .doc = "Of each subject, from its first start to its verdict.", .default_text = "60s"},
           Object("topology", "topology", "What runs.", true),
           {.name = "steps", .type = kObject, .doc = "What happens, in order: a list of steps.", .words = {"[step]"}},
           {.name = "expect", .type = kObject, .doc = "What must hold: a list of checks.", .required = true, .words = {"[check]"}},
           {.name = "subjects", .type = kObject, .doc = "Variants that must pass or fail. Default: one, `default`, that must pass.",
            .words = {"[subject]"}},
       },
       ""},
      {"needs",
       "Requirements.",
       {
           {.name = "worlds", .type = kTextList, .doc = "sim, fake, real. Default: fake and real."},
           {.name = "tools", .type = kTextList, .doc = "core, python; what a kind of worker needs is implied."},
       },
       ""},
      {"topology",
       "Names are unique over all of it.",
       {
           {.name = "servers", .type = kObject, .doc = "Temporal servers, by name.", .required = true, .words = {"{server}"}},
           {.name = "ingresses", .type = kObject, .doc = "TLS-terminating front ends, by name.", .words = {"{ingress}"}},
           {.name = "links", .type = kObject, .doc = "TCP fault proxies, by name.", .words = {"{link}"}},
           {.name = "workers", .type = kObject, .doc = "Workers under test, by name.", .words = {"{worker}"}},
           {.name = "clients", .type = kObject, .doc = "Clients of the harness, by name; `direct` always exists.", .words = {"{client}"}},
       },
       ""},
      {"server",
       "A Temporal server: the fake one, or the dev server in the real world.",
       {
           {.name = "namespaces", .type = kTextList, .doc = "Registered before it counts as ready.", .default_text = "default"},
           {.name = "tls", .type = kWord, .doc = "TLS of its own; fake world only (the dev server has none: put an ingress in front).",
            .default_text = "none", .words = {"none", "server", "mutual"}},
           Certificate(),
           {.name = "data", .type = kWord, .doc = "What a restart does to namespaces and workflows.", .default_text = "kept",
            .words = {"kept", "lost"}},
           StartKey(),
       },
       ""},
      {"ingress",
       "Terminates TLS in front of a server.",
       {
           {.name = "to", .type = kServer, .doc = "The server behind it.", .required = true},
           {.name = "tls", .type = kWord, .doc = "mutual asks clients for a certificate.", .default_text = "server",
            .words = {"none", "server", "mutual"}},
           Certificate(),
           {.name = "transport", .type = kWord, .doc = "http1 answers HTTP/1.1, as an ingress does whose transport is set wrong.",
            .default_text = "http2", .words = {"http2", "http1"}},
           StartKey(),
       },
       "to"},
      {"link",
       "A TCP fault proxy on a port of its own; faults are injected into links.",
       {{.name = "to", .type = kText,
         .doc = "A server or ingress; `closed`: a port on which nobody listens; `silent`: accepts and never answers.",
         .required = true}},
       "to"},
      {"connect",
       "How a worker or client reaches a server.",
       {
           {.name = "to", .type = kNode, .doc = "A link, ingress or server.", .required = true},
           {.name = "tls", .type = kWord, .doc = "auto: what the other end wants, all of it right.", .default_text = "auto",
            .words = {"auto", "off", "on"}},
           {.name = "ca", .type = kWord, .doc = "The certificate authority it trusts; none: the system's.", .default_text = "ca",
            .words = {"ca", "wrong_ca", "none"}},
           {.name = "server_name", .type = kText, .doc = "SNI, and the name to verify. Default: the right one."},
           {.name = "client_certificate", .type = kWord, .doc = "What it presents where it is asked. Default: the right one.",
            .words = {"client", "none", "wrong_ca", "expired", "not_yet", "no_client_auth"}},
           {.name = "api_key", .type = kText, .doc = "Sent as a bearer token."},
       },
       "to"},
      {"worker",
       "A worker under test, in a process of its own.",
       {
           {.name = "kind", .type = kWord, .doc = "core: squall-worker; host: squall-host; python: the Python SDK; command: any command.",
            .default_text = "core", .words = {"core", "host", "python", "command"}},
           {.name = "host", .type = kWord, .doc = "kind host: how it behaves.",
            .words = {"supervising", "cancelling", "shared-client", "fail-fast", "no-restart"}},
           {.name = "command", .type = kTextList, .doc = "kind command: program and arguments; placeholders are filled in."},
           {.name = "args", .type = kTextList, .doc = "More arguments; placeholders are filled in."},
           {.name = "env", .type = kTextMap, .doc = "More environment; an empty value removes a variable."},
           {.name = "namespace", .type = kText, .doc = "Its namespace.", .default_text = "default"},
           {.name = "task_queue", .type = kText, .doc = "Its task queue.", .default_text = "squall"},
           Object("connect", "connect", "Default: the only link, or the only server where there is no link."),
           {.name = "grace", .type = kDuration, .doc = "Graceful shutdown period given to the worker.", .default_text = "5s"},
           {.name = "count", .type = kInt, .doc = "More than one makes name-1, name-2, ...", .default_text = "1", .min = 1, .max = 100},
           StartKey(),
           Object("restart", "restart", "What the platform does when it exits: never, or a map. Default: never."),
           {.name = "health", .type = kText, .doc = "Path of an HTTP health page on {port}, asked every 250 ms."},
       },
       ""},
      {"restart",
       "A platform's restart policy.",
       {
           {.name = "policy", .type = kWord, .doc = "never, or on_exit with its back-off.", .words = {"never"}},
           {.name = "on_exit", .type = kDurationList, .doc = "Pauses before the restarts; the last one repeats."},
       },
       "policy"},
      {"client",
       "A client of the harness.",
       {
           Object("connect", "connect", "Default: as for workers."),
           {.name = "namespace", .type = kText, .doc = "Its namespace.", .default_text = "default"},
           {.name = "timeout", .type = kDuration, .doc = "Of each call.", .default_text = "10s"},
       },
       ""},
      {"subject",
       "One variant of the scenario.",
       {
           {.name = "name", .type = kText, .doc = "broken, fixed, fixed-python, ...", .required = true},
           {.name = "why", .type = kText, .doc = "What is wrong or right about it."},
           Object("expect", "expectation", "pass, or {fail: checks}: exactly these must fail.", true),
           {.name = "also", .type = kObject, .doc = "Checks asked of this subject besides: that its cause is named, for example.",
            .words = {"[check]"}},
           Object("needs", "needs", "In place of the scenario's."),
           Object("with", "with", "What differs."),
       },
       ""},
      {"expectation",
       "What must come of a subject.",
       {
           {.name = "verdict", .type = kWord, .doc = "pass, or a map with fail.", .words = {"pass"}},
           {.name = "fail", .type = kTextList, .doc = "The ids of the checks that must fail; no other may."},
       },
       "verdict"},
      {"with",
       "A patch: maps are merged key by key, other values replace, an empty value (~) removes.",
       {
           {.name = "topology", .type = kObject, .doc = "Merged into the topology.", .words = {"patch"}},
           {.name = "steps", .type = kObject, .doc = "A list replaces all steps; a map patches steps by their names.", .words = {"patch"}},
       },
       ""},
      {"step",
       "Keys beside the verb.",
       {
           {.name = "name", .type = kText, .doc = "For `since`, and for subjects to patch it."},
           {.name = "within", .type = kDuration, .doc = "The step's time-out."},
           {.name = "optional", .type = kBool, .doc = "Where it is not reached, that is recorded and the next step follows.",
            .default_text = "false"},
       },
       ""},
  };
}

std::vector<ObjectTable> MakeSteps() {
  return {
      {"start", "Starts nodes. A server is waited for until it serves, a worker until its process runs.",
       {Nodes("Servers, ingresses, workers.")}, "nodes"},
      {"stop", "Asks nodes to stop and waits for their end.",
       {Nodes("Servers, ingresses, workers."),
        {.name = "signal", .type = kWord, .doc = "What a process is sent.", .default_text = "TERM", .words = {"TERM", "INT"}}},
       "nodes"},
      {"kill", "SIGKILL.", {Nodes("Servers, workers.")}, "nodes"},
      {"restart", "Ends a node and starts it again on the same port.",
       {{.name = "node", .type = kNode, .doc = "A server, ingress or worker.", .required = true},
        {.name = "data", .type = kWord, .doc = "Of a server. Default: the server's own.", .words = {"kept", "lost"}},
        {.name = "down_for", .type = kDuration, .doc = "Between end and start.", .default_text = "0s"},
        {.name = "how", .type = kWord, .doc = "stop asks, kill does not.", .default_text = "stop", .words = {"stop", "kill"}}},
       "node"},
      {"pause", "SIGSTOP.", {Nodes("Servers, workers.")}, "nodes"},
      {"resume", "SIGCONT.", {Nodes("Servers, workers.")}, "nodes"},
      {"signal", "Sends a signal and waits for nothing.",
       {{.name = "node", .type = kNode, .doc = "A worker.", .required = true},
        {.name = "signal", .type = kWord, .doc = "Which.", .required = true,
         .words = {"INT", "TERM", "HUP", "USR1", "USR2", "QUIT"}}},
       ""},
      {"run", "Starts workflows and waits for their end.", WorkflowKeys(true), ""},
      {"start_workflow", "Starts workflows; done when the server has accepted them.", WorkflowKeys(false), ""},
      {"await", "Waits for the end of workflows that were started before.",
       {{.name = "ids", .type = kTextList, .doc = "Their ids. Default: all."},
        Client(), Namespace(),
        {.name = "result", .type = kJson, .doc = "The result wanted of each."},
        {.name = "status", .type = kWord, .doc = "The end wanted.", .default_text = "completed",
         .words = {"completed", "failed", "timed_out", "cancelled", "terminated"}}},
       "ids"},
      {"signal_workflow", "Sends a workflow a signal.",
       {{.name = "id", .type = kText, .doc = "The workflow's.", .required = true},
        {.name = "signal", .type = kText, .doc = "The signal's name.", .required = true},
        {.name = "input", .type = kJson, .doc = "Its one argument."}, Client(), Namespace()},
       ""},
      {"wait", "Waits until events were seen.",
       {{.name = "event", .type = kText, .doc = "kind.what of docs/journal.md: worker.polling, process.exited, ...", .required = true},
        {.name = "where", .type = kTextMap, .doc = "Field of the event: its text, or /regular expression/."},
        {.name = "count", .type = kInt, .doc = "How many of them.", .default_text = "1", .min = 1},
        {.name = "since", .type = kText, .doc = "run, step (this one), or the name of an earlier step: counts from its beginning.",
         .default_text = "run"}},
       "event"},
      {"wait_healthy", "Waits until workers are up and poll.", {{.name = "workers", .type = kTextList, .doc = "Their names.", .required = true}},
       "workers"},
      {"for", "Lets time pass: part of the scenario, not a wait for something.",
       {{.name = "duration", .type = kDuration, .doc = "How long.", .required = true}}, "duration"},
      {"inject", "Puts a fault into force; its own parameters stand beside these keys.",
       {{.name = "fault", .type = kText, .doc = "Its name.", .required = true},
        {.name = "on", .type = kNode, .doc = "What it is injected into.", .required = true},
        {.name = "as", .type = kText, .doc = "Label for `heal` and checks. Default: the fault's name."},
        {.name = "for", .type = kDuration, .doc = "Heals by itself after it, while the steps go on."}},
       ""},
      {"heal", "Heals faults; what is left is healed after the last step.",
       {{.name = "faults", .type = kTextList, .doc = "Labels, or all.", .required = true}}, "faults"},
      {"register_namespace", "Registers a namespace.",
       {{.name = "namespace", .type = kText, .doc = "Its name.", .required = true},
        {.name = "server", .type = kServer, .doc = "Default: the first."}}, "namespace"},
      {"delete_namespace", "Deletes a namespace.",
       {{.name = "namespace", .type = kText, .doc = "Its name.", .required = true},
        {.name = "server", .type = kServer, .doc = "Default: the first."}}, "namespace"},
      {"call", "Makes one call of WorkflowService; the journal gets its outcome.",
       {{.name = "method", .type = kText, .doc = "DescribeNamespace, ...", .required = true},
        {.name = "request", .type = kJson, .doc = "The request message as JSON. Default: {}."}, Client(),
        {.name = "code", .type = kText, .doc = "The status wanted: OK, UNAVAILABLE, ...; another one fails the step."}},
       "method"},
      {"close_client", "Closes a client's connection.", {{.name = "client", .type = kClient, .doc = "Which.", .required = true}}, "client"},
  };
}

}  // namespace

const std::vector<ObjectTable>& ObjectTables() {
  static const auto* const kTables = new std::vector<ObjectTable>(MakeObjects());
  return *kTables;
}

const ObjectTable& TableOf(std::string_view name) {
  for (const ObjectTable& table : ObjectTables()) {
    if (table.name == name) return table;
  }
  SQUALL_CHECK(false, fmt::format("no table '{}'", name));
  __builtin_unreachable();
}

const std::vector<ObjectTable>& StepTables() {
  static const auto* const kTables = new std::vector<ObjectTable>(MakeSteps());
  return *kTables;
}

const ObjectTable* FindStepTable(std::string_view verb) {
  for (const ObjectTable& table : StepTables()) {
    if (table.name == verb) return &table;
  }
  return nullptr;
}

}  // namespace squall::scenarios
