#include "sim/run/subject_run.h"

#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>

#include "base/journal/journal.h"
#include "scenarios/checks/conclusion.h"
#include "scenarios/checks/judge.h"
#include "sim/kernel/scheduler.h"
#include "sim/run/deterministic_protobuf.h"
#include "sim/run/dump.h"
#include "sim/run/escapes.h"
#include "sim/run/leaks.h"
#include "sim/world/certificates.h"
#include "sim/world/core_assertions.h"
#include "sim/world/loop.h"
#include "sim/world/sim_world.h"

namespace squall::sim {
namespace {

// FNV-1a over every field, in the order in which events have them.
class Digest {
 public:
  void Add(journal::Event& event) {
    Mix(static_cast<std::uint64_t>(event.time.time_since_epoch().count()));
    Mix(event.source);
    Mix(event.kind());
    Mix(event.what());
    std::visit(
        [this](auto& payload) { payload.Visit([this](const char*, auto& field) { Mix(field); }); },
        event.payload);
  }
  std::uint64_t value() const { return hash_; }

 private:
  void Mix(std::uint64_t value) {
    for (int i = 0; i < 8; ++i) hash_ = (hash_ ^ (value >> (8 * i) & 0xff)) * 0x100000001b3ULL;
  }
  void Mix(std::string_view text) {
    Mix(static_cast<std::uint64_t>(text.size()));
    for (const char c : text) hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  }
  void Mix(const std::string& text) { Mix(std::string_view(text)); }
  void Mix(std::int64_t value) { Mix(static_cast<std::uint64_t>(value)); }
  void Mix(int value) { Mix(static_cast<std::uint64_t>(value)); }
  void Mix(Duration value) { Mix(static_cast<std::uint64_t>(value.count())); }
  template <typename T>
  void Mix(const std::optional<T>& value) {
    Mix(value ? 1 : 0);
    if (value) Mix(*value);
  }
  template <typename T>
  void Mix(const std::vector<T>& values) {
    for (const T& value : values) Mix(value);
  }
  void Mix(const std::map<std::string, std::string>& values) {
    for (const auto& [key, value] : values) {
      Mix(key);
      Mix(value);
    }
  }

  std::uint64_t hash_ = 0xcbf29ce484222325ULL;
};

// A scenario's judge, and core's own assertions.
class JudgeAndCore final : public scenarios::Judge {
 public:
  JudgeAndCore(scenarios::Judge& judge, const CoreAssertions& core) : judge_(judge), core_(core) {}
  void Observe(const journal::Event& event) override { judge_.Observe(event); }
  std::optional<SteadyTime> NextDeadline() const override { return judge_.NextDeadline(); }
  std::vector<scenarios::CheckResult> Finish(SteadyTime end) override {
    auto results = judge_.Finish(end);
    if (auto violation = core_.Violation()) results.push_back(*std::move(violation));
    return results;
  }

 private:
  scenarios::Judge& judge_;
  const CoreAssertions& core_;
};

}  // namespace

StatusOr<RunResult> RunSubject(const scenarios::Scenario& scenario,
                               const scenarios::Subject& subject, const RunOptions& options) {
  if (const std::string why = Unsupported(subject, options.world.transport); !why.empty()) {
    return MakeStatus(StatusCode::kUnimplemented, "{}", why);
  }
  SQUALL_ASSIGN_OR_RETURN(const std::unique_ptr<scenarios::ChecksJudge> judge,
                          scenarios::ChecksJudge::Create(subject.checks));
  SerializeMapsInOrder();
  if (UsesTls(subject.topology)) TheCertificates();
  SchedulerOptions scheduler;
  scheduler.seed = options.seed;
  scheduler.preemption = options.preemption;
  scheduler.trace = options.trace;
  TheScheduler().Begin(scheduler);

  // Objects of simulated processes refer to these, and their threads do not end with the run.
  auto* core_assertions = new CoreAssertions();
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
  JudgeAndCore judge_and_core(*judge, *core_assertions);
  // A subject that is to fail may do what core rightly complains of.
  scenarios::Judge& all =
      subject.expect.fail.empty() ? judge_and_core : static_cast<scenarios::Judge&>(*judge);
  scenarios::StepMachine machine(*loop, *world, all, *journal, scenario, subject, machine_options);
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
  if (!options.leak.empty()) {
    PlantLeak(options.leak, *loop, *journal);
    PlantEscape(options.leak, *loop);
  }
  if (options.until != kNever) {
    loop->After(Duration(options.until), [&] {
      result.dump = DumpOf(*world, journal->Events());
      loop->Stop();
    });
  }
  loop->Run();
  journal->SetObserver(nullptr);
  if (!finished && result.dump.empty())
    return MakeStatus(StatusCode::kInternal, "the loop ended before the machine");

  if (finished) {
    result.verdict = finished->conclusion.verdict;
    result.explanation = finished->conclusion.explanation;
    result.checks = finished->checks;
    result.timed_out = finished->timed_out;
    if (!finished->clean_up.ok())
      result.leaks.push_back("clean-up: " + std::string(Message(finished->clean_up)));
  }
  result.versions = world->Versions();
  if (!journal->status().ok()) return journal->status();
  std::vector<journal::Event> events = journal->Events();
  Digest digest;
  for (journal::Event& event : events) {
    digest.Add(event);
    if (options.story) result.journal.push_back(journal::ToJson(event));
  }
  result.journal_digest = digest.value();
  result.hits = HitsOf(events);
  result.core_assertions = core_assertions->table();
  result.schedule_digest = TheScheduler().digest();
  result.choices = TheScheduler().choices();
  result.virtual_ns = TheScheduler().now();
  result.trace = TheScheduler().trace();
  return result;
}

}  // namespace squall::sim
