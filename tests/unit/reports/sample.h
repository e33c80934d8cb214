#pragma once
// A run with every kind of result in it, and with texts that are hard to write down: what the tests
// of all reports share.

#include <chrono>

#include "reports/result.h"

namespace squall::reports {

using namespace std::chrono_literals;

inline SubjectReport Sample(std::string scenario, std::string subject, std::string world,
                            std::string title, Duration took) {
  SubjectReport s;
  s.scenario = std::move(scenario);
  s.title = std::move(title);
  s.file = "scenarios/library/" + s.scenario + ".yaml";
  s.subject = std::move(subject);
  s.world = std::move(world);
  s.seed = 11400714819323198485u;
  s.verdict = journal::Outcome::kPass;
  s.took = took;
  s.began = WallTime(1795267800s);
  s.versions = {{"core", "0.10.1"},
                {"server", s.world == "real" ? "temporal 1.9.1 (server 1.32.0)" : "fake 0.1.0"}};
  s.repeat_command = "squall run " + s.scenario + "/" + s.subject + " --world " + s.world +
                     " --seed 11400714819323198485";
  return s;
}

inline SubjectReport Caught(SubjectReport s, std::string check) {
  s.expected_failures = {check};
  s.caught = true;
  s.checks = {{std::move(check), journal::Outcome::kFail, "it polls", "nobody polled"}};
  return s;
}

inline RunReport SampleRun() {
  RunReport run;
  run.version = "0.1.0";
  run.worlds = {"fake", "real"};
  run.jobs = 2;
  run.seed = 11400714819323198485u;
  run.planned = 14;
  run.began = WallTime(1795267800s);
  run.took = 83'400ms;
  run.directory = "/work/squall-runs/20261121-133000";

  run.subjects.push_back(
      Caught(Sample("E1", "broken", "fake", "Worker container that runs the HTTP API", 6'020ms),
             "not_zombie"));
  run.subjects.push_back(
      Sample("E1", "fixed", "fake", "Worker container that runs the HTTP API", 1'230ms));
  run.subjects.push_back(
      Caught(Sample("E1", "broken", "real", "Worker container that runs the HTTP API", 7'100ms),
             "not_zombie"));
  run.subjects.push_back(
      Sample("E1", "fixed", "real", "Worker container that runs the HTTP API", 3'020ms));

  SubjectReport fail = Sample("R2", "fixed", "fake",
                              "Server restart while running: the host notices, stops its old "
                              "workers and starts three new ones",
                              42'100ms);
  fail.verdict = journal::Outcome::kFail;
  fail.explanation = "failed: reconnects";
  fail.checks = {
      {"reconnects", journal::Outcome::kFail, "host is back within 10.00s of the last restoration",
       "nothing of it in 10.00s since temporal was ready again at 31.20s\nlast seen: poll of queue "
       "orders"},
      {"workflow_completed", journal::Outcome::kPass, "workflow ping is completed exactly once",
       "completed after 40.0ms"}};
  fail.last_lines = {
      "host | WARN temporalio_sdk_core::worker: tcp connect error, Os { code: 111, kind: "
      "ConnectionRefused }",
      "host | \x1b[31mred\x1b[0m and <tags> & \"quotes\" ]]> 漢字 ünïcode"};
  fail.work_directory = "/work/squall-runs/20261121-133000/R2-fixed-fake";
  run.subjects.push_back(fail);

  SubjectReport missed = Sample("R2", "broken", "fake",
                                "Server restart while running: the host notices, stops its old "
                                "workers and starts three new ones",
                                12'000ms);
  missed.verdict = journal::Outcome::kFail;
  missed.expected_failures = {"reconnects"};
  missed.explanation = "this subject is broken, but reconnects did not fail";
  missed.checks = {{"reconnects", journal::Outcome::kPass, "host is back within 10.00s",
                    "poll of queue orders arrived 1.00s after"}};
  run.subjects.push_back(missed);

  SubjectReport unknown =
      Sample("I3", "fixed", "real", "Größe, 漢字, 🌩 and a line\nbreak", 60'000ms);
  unknown.verdict = journal::Outcome::kUnknown;
  unknown.timed_out = true;
  unknown.explanation = "cannot be told: infrastructure";
  unknown.checks = {{"infrastructure", journal::Outcome::kUnknown, "run",
                     "DEADLINE_EXCEEDED: heal outage: timed out"}};
  run.subjects.push_back(unknown);

  SubjectReport skipped = Sample("I2", "python", "real", "Twenty workflows back to back", 0ms);
  skipped.skipped = "needs python: no .venv/bin/python (run `make setup`)";
  run.subjects.push_back(skipped);

  for (int repetition : {1, 2}) {
    SubjectReport flaky = Sample("A4", "fixed", "fake", "Connection refused", 850ms);
    flaky.repetition = repetition;
    flaky.flaky = true;
    if (repetition == 2) {
      flaky.verdict = journal::Outcome::kFail;
      flaky.explanation = "failed: error_names";
      flaky.checks = {{"error_names", journal::Outcome::kFail,
                       "an error of w names refused within 1.00s", "it reported no error"}};
    }
    run.subjects.push_back(flaky);
  }

  SubjectReport leaky =
      Sample("A2", "fixed", "fake", "Graceful shutdown on SIGINT and SIGTERM", 5'860ms);
  leaky.leaks = {"process 4711 (squall-worker)", "port 127.0.0.1:40123"};
  run.subjects.push_back(leaky);

  SubjectReport aborted = Sample("R10", "fixed", "fake", "Cut short", 100ms);
  aborted.verdict = journal::Outcome::kUnknown;
  aborted.aborted = true;
  aborted.explanation = "cannot be told: \xff\xfe bytes and \x01 controls";
  run.subjects.push_back(aborted);
  return run;
}

}  // namespace squall::reports
