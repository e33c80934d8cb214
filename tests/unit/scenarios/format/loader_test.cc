#include "scenarios/format/loader.h"

#include <gmock/gmock.h>

#include "scenarios/format/json_text.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/scenarios/format/test_checks.h"

namespace squall::scenarios {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::StatusIs;
using namespace std::chrono_literals;

constexpr const char* kFull = R"(id: T1
title: Everything at once
why: The loader reads every kind of thing.
tags: [test, quick]
needs: {worlds: [fake], tools: python}
seed: 7
timeout: 2m
topology:
  servers:
    temporal: {namespaces: [default, orders], data: lost}
  ingresses:
    edge: {to: temporal, tls: mutual}
  links:
    wire: {to: edge}
    wrong-port: closed
  workers:
    w:
      kind: host
      host: supervising
      namespace: orders
      connect: {to: wire, ca: wrong_ca}
      count: 2
      grace: 1500ms
      restart: {on_exit: [1s, 2s]}
      start: manual
      env: {MODE: worker}
    http: {kind: command, command: [python3, -m, http.server, "{port}"], connect: wrong-port, health: /}
  clients:
    app: {connect: wire, namespace: orders, timeout: 3s}
steps:
  - start: w
    name: begin
  - inject: {fault: latency, on: wire, delay: 20ms, as: slow, for: 2s}
  - run: {workflow: Ping, input: {a: [1, true, x]}, result: {a: [1, true, x]}, count: 3, client: app}
    name: ping
    within: 7s
  - wait: {event: worker.polling, where: {worker: /^w-/}, count: 2, since: begin}
    optional: true
  - heal: slow
  - restart: {node: temporal, data: kept, down_for: 500ms, how: kill}
  - for: 100ms
  - signal: {node: http, signal: USR1}
  - call: {method: DescribeNamespace, request: {namespace: orders}, code: OK}
expect:
  - workflow_completed
  - reconnects: {worker: w-1, within: 4s, after: slow}
  - reconnects: {worker: w-2, id: second}
subjects:
  - name: broken
    why: It is slower.
    expect: {fail: [reconnects, second]}
    with:
      topology:
        workers: {w: {restart: ~, args: [--slow]}}
      steps:
        ping: {within: 3s, run: {count: 1}}
  - name: fixed
    expect: pass
    needs: {worlds: [fake, real]}
)";

TEST(Loader, ReadsEverything) {
  const auto loaded = LoadScenario(kFull, "dir/T1.yaml", TestChecks());
  ASSERT_OK(loaded);
  EXPECT_EQ(loaded->id, "T1");
  EXPECT_EQ(loaded->name, "T1");
  EXPECT_EQ(loaded->seed, 7);
  EXPECT_EQ(loaded->timeout, 2min);
  ASSERT_EQ(loaded->subjects.size(), 2);
  const Subject& fixed = loaded->subjects[1];
  EXPECT_TRUE(fixed.expect.pass());
  EXPECT_THAT(fixed.needs.worlds, ElementsAre(WorldKind::kFake, WorldKind::kReal));
  const Topology& topology = fixed.topology;
  EXPECT_FALSE(topology.servers[0].keep_data);
  ASSERT_EQ(topology.workers.size(), 3);
  const WorkerSpec& worker = topology.workers[0];
  EXPECT_EQ(worker.name, "w-1");
  EXPECT_EQ(worker.kind, WorkerSpec::Kind::kHost);
  EXPECT_EQ(worker.grace, 1500ms);
  EXPECT_EQ(worker.connect.ca, "wrong_ca");
  EXPECT_THAT(worker.restart.back_off, ElementsAre(1s, 2s));
  EXPECT_EQ(topology.TlsAt("wire"), TlsMode::kMutual);
  EXPECT_EQ(topology.ServerBehind("wire")->name, "temporal");
  EXPECT_EQ(topology.ServerBehind("wrong-port"), nullptr);
  EXPECT_EQ(topology.clients[0].name, "direct");

  ASSERT_EQ(fixed.steps.size(), 9);
  EXPECT_THAT(std::get<StartStep>(fixed.steps[0].action).nodes, ElementsAre("w-1", "w-2"));
  const auto& inject = std::get<InjectStep>(fixed.steps[1].action);
  EXPECT_EQ(inject.as, "slow");
  EXPECT_EQ(inject.span, Duration(2s));
  EXPECT_EQ(inject.params.Time("delay"), 20ms);
  EXPECT_EQ(inject.params.Time("jitter"), 0ms);
  EXPECT_EQ(inject.params.Text("direction"), "both");
  EXPECT_FALSE(inject.params.Has("for"));
  const auto& run = std::get<WorkflowStep>(fixed.steps[2].action);
  EXPECT_EQ(run.id, "ping-3");
  EXPECT_EQ(run.ns, "orders");
  EXPECT_TRUE(SameJson(run.input, R"({ "a": [1, true, "x"] })"));
  EXPECT_EQ(fixed.steps[2].within, 7s);
  const auto& wait = std::get<WaitStep>(fixed.steps[3].action);
  EXPECT_EQ(wait.kind, "worker");
  EXPECT_EQ(wait.since, "begin");
  EXPECT_TRUE(fixed.steps[3].optional);
  EXPECT_EQ(std::get<RestartStep>(fixed.steps[5].action).keep_data, true);
  EXPECT_EQ(std::get<SignalStep>(fixed.steps[7].action).number, SIGUSR1);

  ASSERT_EQ(loaded->checks.size(), 3);
  EXPECT_EQ(loaded->checks[1].params.Time("within"), 4s);
  EXPECT_EQ(loaded->checks[2].id, "second");
  EXPECT_EQ(loaded->checks[2].params.Time("within"), 10s);
}

TEST(Loader, AnApiKeyIsTheServersFirstUnlessItIsSaid) {
  const auto loaded = LoadScenario(R"(
id: K
title: t
topology:
  servers: {temporal: {api_keys: [first, second]}, open: {}}
  links: {wire: temporal}
  workers:
    default: {connect: wire}
    other: {connect: {to: wire, api_key: third}}
    none: {connect: {to: wire, api_key: none}}
    elsewhere: {connect: open}
steps: [{wait_healthy: default}]
expect: [workflow_completed]
)",
                                   "K.yaml", TestChecks());
  ASSERT_OK(loaded);
  const Topology& topology = loaded->subjects[0].topology;
  EXPECT_THAT(topology.servers[0].api_keys, ElementsAre("first", "second"));
  EXPECT_EQ(topology.clients[0].connect.api_key, "first");
  EXPECT_EQ(topology.workers[0].connect.api_key, "first");
  EXPECT_EQ(topology.workers[1].connect.api_key, "third");
  EXPECT_EQ(topology.workers[2].connect.api_key, "");
  EXPECT_EQ(topology.workers[3].connect.api_key, "");
}

TEST(Loader, MergesASubjectsPatchIntoItsOwnCopyOnly) {
  const auto loaded = LoadScenario(kFull, "T1.yaml", TestChecks());
  ASSERT_OK(loaded);
  const Subject& broken = loaded->subjects[0];
  EXPECT_THAT(broken.expect.fail, ElementsAre("reconnects", "second"));
  EXPECT_THAT(broken.needs.worlds, ElementsAre(WorldKind::kFake));
  EXPECT_FALSE(broken.topology.workers[0].restart.on_exit);
  EXPECT_THAT(broken.topology.workers[0].args, ElementsAre("--slow"));
  EXPECT_EQ(broken.topology.workers[0].host, "supervising");
  EXPECT_EQ(broken.steps[2].within, 3s);
  EXPECT_EQ(std::get<WorkflowStep>(broken.steps[2].action).count, 1);
  EXPECT_EQ(std::get<WorkflowStep>(loaded->subjects[1].steps[2].action).count, 3);
}

struct Bad {
  const char* what;
  const char* replace;
  const char* with;
  const char* error;
};

class BadScenario : public ::testing::TestWithParam<Bad> {};

TEST_P(BadScenario, IsRefusedWithItsPlace) {
  std::string text = kFull;
  const std::size_t at = text.find(GetParam().replace);
  ASSERT_NE(at, std::string::npos) << GetParam().replace;
  text.replace(at, std::string(GetParam().replace).size(), GetParam().with);
  EXPECT_THAT(LoadScenario(text, "T1.yaml", TestChecks()),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr(GetParam().error)));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadScenario,
    ::testing::Values(
        Bad{"unknown_key", "kind: host", "knid: host",
            "T1.yaml:18:7: worker 'w' has no key 'knid' (did you mean 'kind'?)"},
        Bad{"bad_word", "supervising", "supervisin",
            "T1.yaml:19:13: 'host' of worker 'w' is one of supervising, cancelling"},
        Bad{"reserved_name", "wire: {to: edge}", "all: {to: edge}",
            "'all' is a word of the format"},
        Bad{"connects_to_worker", "{to: wire, ca", "{to: http, ca",
            "connects to a link, an ingress or a server, and 'http' is none"},
        Bad{"command_without_command", "kind: host\n      host: supervising", "kind: command",
            "worker 'w': 'command' belongs to kind command"},
        Bad{"host_of_core", "kind: host", "kind: core",
            "worker 'w': 'host' belongs to the kind host"},
        Bad{"group_in_a_single_place", "signal: {node: http", "signal: {node: w",
            "there is no node 'w'"},
        Bad{"since_later_step", "since: begin", "since: bgein",
            "no step before this one is named 'bgein' (did you mean 'begin'?)"},
        Bad{"heal_unknown", "heal: slow", "heal: slwo",
            "no step before this one injects 'slwo' (did you mean 'slow'?)"},
        Bad{"check_of_unknown_fault", "after: slow", "after: fast",
            "no inject step is labelled 'fast'"},
        Bad{"check_of_unknown_worker", "worker: w-2", "worker: w-3",
            "there is no worker 'w-3' (did you mean 'w-1'?)"},
        Bad{"two_checks_alike", ", id: second", "", "two checks are called 'reconnects'"},
        Bad{"bad_code", "code: OK", "code: FINE", "'FINE' is no gRPC status"},
        Bad{"bad_tool", "tools: python", "tools: pyhton",
            "there is no tool 'pyhton' (did you mean 'python'?)"},
        Bad{"bad_world", "worlds: [fake]", "worlds: [flake]",
            "there is no world 'flake' (did you mean 'fake'?)"},
        Bad{"negative_seed", "seed: 7", "seed: -7",
            "'seed' of the scenario is at least 0, not '-7'"},
        Bad{"bad_expect", "expect: pass", "expect: passes",
            "is one of pass, not 'passes' (did you mean 'pass'?)"},
        Bad{"both_expectations", "expect: pass", "expect: {verdict: pass, fail: second}",
            "is either pass or {fail: [checks]}"},
        Bad{"quoted_bool", "optional: true", "optional: \"true\"",
            "'optional' of a step is true or false, not 'true'"},
        Bad{"bad_event_field", "where: {worker: /^w-/}", "where: {wroker: w}",
            "has no field 'wroker' (did you mean 'worker'?)"},
        Bad{"span_of_nothing", "timeout: 2m", "timeout: 0s", "'timeout' is longer than nothing"},
        Bad{"anchor", "tags: [test, quick]", "tags: &t [test]", "anchors (&name) are not used"},
        Bad{"tag", "tags: [test, quick]", "tags: !!set {a}",
            "tags (tag:yaml.org,2002:set) are not used"}),
    [](const auto& param) { return param.param.what; });

TEST(Loader, AFileThatIsNotThereIsNotFound) {
  EXPECT_THAT(LoadScenarioFile("/nowhere/E1.yaml", TestChecks()),
              StatusIs(StatusCode::kNotFound, HasSubstr("no such file")));
  EXPECT_THAT(LoadScenarioFile("/", TestChecks()),
              StatusIs(StatusCode::kNotFound, HasSubstr("is a folder")));
}

TEST(Loader, TenMegabytesAreRefusedWithTheLimit) {
  std::string text = kFull;
  text.resize(10 << 20, '#');
  EXPECT_THAT(LoadScenario(text, "T1.yaml", TestChecks()),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("at most 1048576 (1 MiB)")));
}

TEST(Loader, NoTruncationOrFlippedByteCrashesIt) {
  const std::string text = kFull;
  for (std::size_t i = 0; i < text.size(); ++i) {
    (void)LoadScenario(text.substr(0, i), "T1.yaml", TestChecks());
    for (const char c : {'{', ']', ':', '\n', '-', '"', '\0', '\xff'}) {
      std::string changed = text;
      changed[i] = c;
      (void)LoadScenario(changed, "T1.yaml", TestChecks());
    }
    i += 6;  // every seventh byte is enough for each kind of place
  }
}

}  // namespace
}  // namespace squall::scenarios
