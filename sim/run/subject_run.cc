#include "sim/run/subject_run.h"

#include <memory>
#include <optional>
#include <utility>

#include "base/journal/journal.h"
#include "scenarios/checks/conclusion.h"
#include "scenarios/checks/judge.h"
#include "sim/kernel/scheduler.h"
#include "sim/run/deterministic_protobuf.h"
#include "sim/run/leaks.h"
#include "sim/world/loop.h"
#include "sim/world/sim_world.h"

namespace squall::sim {

std::uint64_t Digest(const std::vector<std::string>& lines) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const std::string& line : lines) {
    for (const char c : line) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    hash = (hash ^ '\n') * 0x100000001b3ULL;
  }
  return hash;
}

StatusOr<RunResult> RunSubject(const scenarios::Scenario& scenario,
                               const scenarios::Subject& subject, const RunOptions& options) {
  if (const std::string why = Unsupported(subject, options.world.transport); !why.empty()) {
    return MakeStatus(StatusCode::kUnimplemented, "{}", why);
  }
  SQUALL_ASSIGN_OR_RETURN(const std::unique_ptr<scenarios::ChecksJudge> judge,
                          scenarios::ChecksJudge::Create(subject.checks));
  SerializeMapsInOrder();
  SchedulerOptions scheduler;
  scheduler.seed = options.seed;
  scheduler.preemption = options.preemption;
  scheduler.trace = options.trace;
  TheScheduler().Begin(scheduler);

  // Objects of simulated processes refer to these, and their threads do not end with the run.
  auto* loop = new WorldLoop();
  std::unique_ptr<journal::Journal> opened;
  if (options.journal_file.empty()) {
    opened = std::make_unique<journal::Journal>(loop->clock());
  } else {
    SQUALL_ASSIGN_OR_RETURN(opened, journal::Journal::Create(loop->clock(), options.journal_file));
  }
  auto* journal = opened.release();
  SimWorldOptions world_options = options.world;
  world_options.seed = options.seed;
  auto* world = new SimWorld(*loop, *journal, subject, world_options);

  RunResult result;
  scenarios::MachineOptions machine_options;
  machine_options.world = "sim";
  machine_options.seed = options.seed;
  machine_options.journal_origin = journal->origin();
  machine_options.timeout = scenario.timeout;
  machine_options.conclude = [&](std::span<const scenarios::CheckResult> results) {
    const auto conclusion = scenarios::ConcludeSubject(results, subject.expect);
    result.caught = conclusion.caught;
    return scenarios::Conclusion{conclusion.verdict, conclusion.explanation};
  };
  scenarios::StepMachine machine(*loop, *world, *judge, *journal, scenario, subject,
                                 machine_options);
  journal->SetObserver([&, loop, world](const journal::Event& event) {
    loop->Post([&machine, world, event] {
      machine.OnEvent(event);
      world->OnEvent(event);
    });
  });
  std::optional<scenarios::MachineResult> finished;
  machine.Start([&](scenarios::MachineResult machine_result) {
    finished = std::move(machine_result);
    loop->Stop();
  });
  if (!options.leak.empty()) PlantLeak(options.leak, *loop, *journal);
  loop->Run();
  journal->SetObserver(nullptr);
  if (!finished) return MakeStatus(StatusCode::kInternal, "the loop ended before the machine");

  result.verdict = finished->conclusion.verdict;
  result.explanation = finished->conclusion.explanation;
  result.checks = finished->checks;
  result.timed_out = finished->timed_out;
  result.versions = world->Versions();
  if (!finished->clean_up.ok())
    result.leaks.push_back("clean-up: " + std::string(Message(finished->clean_up)));
  if (!journal->status().ok()) return journal->status();
  for (const journal::Event& event : journal->Events())
    result.journal.push_back(journal::ToJson(event));
  result.journal_digest = Digest(result.journal);
  result.schedule_digest = TheScheduler().digest();
  result.choices = TheScheduler().choices();
  result.virtual_ns = TheScheduler().now();
  result.trace = TheScheduler().trace();
  return result;
}

}  // namespace squall::sim
