#include "scenarios/engine/step_machine.h"

#include <algorithm>
#include <utility>

#include "scenarios/format/json_text.h"

namespace squall::scenarios {
namespace {

constexpr std::string_view kSource = "runner";
// Of the loop: one may come before the loop looks at its descriptors, the next before what it found there, the third behind it.
constexpr int kTurnsBeforeJudging = 3;

Conclusion WorstOf(std::span<const CheckResult> results) {
  Conclusion conclusion;
  conclusion.verdict = results.empty() ? Outcome::kUnknown : Outcome::kPass;
  for (const CheckResult& result : results) {
    if (result.outcome > conclusion.verdict) {
      conclusion.explanation = fmt::format("{}: {}", result.check, result.happened);
    }
    conclusion.verdict = Worst(conclusion.verdict, result.outcome);
  }
  return conclusion;
}

}  // namespace

StepMachine::StepMachine(Executor& executor, World& world, Judge& judge, journal::Sink& journal,
                         const Scenario& scenario, const Subject& subject, MachineOptions options)
    : executor_(executor),
      world_(world),
      judge_(judge),
      journal_(journal),
      scenario_(scenario),
      subject_(subject),
      options_(std::move(options)),
      faults_(executor, world, options_.seed,
              [this](const std::string& what, const Status& status) { Blame(what, status); }) {
  if (!options_.conclude) options_.conclude = WorstOf;
  for (const Step& step : subject_.steps) {
    if (const auto* wait = std::get_if<WaitStep>(&step.action)) waited_kinds_.insert(wait->kind);
  }
}

StepMachine::~StepMachine() {
  *alive_ = false;
  for (const TimerId timer : {limit_timer_, scenario_timer_, judge_timer_}) executor_.Cancel(timer);
}

SteadyTime StepMachine::JournalNow() const {
  return SteadyTime(executor_.clock().Now() - options_.journal_origin);
}

void StepMachine::Append(journal::Payload payload) { journal_.Append(kSource, std::move(payload)); }

bool StepMachine::IsServerSide(const std::string& node) const {
  return subject_.topology.Worker(node) == nullptr;
}

Done StepMachine::Current(std::function<void(Status)> then) {
  return [this, alive = alive_, epoch = epoch_, then = std::move(then)](Status status) {
    if (*alive && epoch == epoch_) then(std::move(status));
  };
}

void StepMachine::SetLimit(Duration limit, std::function<void()> on_limit) {
  ClearLimit();
  limit_timer_ = executor_.After(Scaled(limit), [this, on_limit = std::move(on_limit)] {
    limit_timer_ = 0;
    on_limit();
  });
}

void StepMachine::ClearLimit() {
  executor_.Cancel(limit_timer_);
  limit_timer_ = 0;
}

// --- prepare and start ---

void StepMachine::Start(Finished finished) {
  SQUALL_CHECK(phase_ == Phase::kIdle, "Start is called once");
  finished_ = std::move(finished);
  phase_ = Phase::kPreparing;
  ++epoch_;
  scenario_timer_ = executor_.After(Scaled(options_.timeout), [this] {
    scenario_timer_ = 0;
    result_.timed_out = true;
    Blame("scenario", MakeStatus(StatusCode::kDeadlineExceeded, "its time-out of {} is over",
                                 FormatDuration(Scaled(options_.timeout))));
    if (phase_ < Phase::kHealing) {
      world_.CancelWaits();
      EnterHealing();
    } else if (phase_ == Phase::kJudging) {
      Conclude();
    }
  });
  const auto prepared = [this](const Status& status) {
    ClearLimit();
    journal::RunEvent run;
    run.what = "started";
    run.scenario = scenario_.id;
    run.subject = subject_.name;
    run.world = options_.world;
    run.seed = options_.seed;
    run.observes = world_.Observes();
    run.versions = world_.Versions();
    Append(std::move(run));
    if (!status.ok()) {
      Blame("prepare", status);
      return EnterHealing();
    }
    phase_ = Phase::kStarting;
    for (const ServerSpec& node : subject_.topology.servers) {
      if (node.start == StartMode::kAuto) to_start_.push_back(node.name);
    }
    for (const IngressSpec& node : subject_.topology.ingresses) {
      if (node.start == StartMode::kAuto) to_start_.push_back(node.name);
    }
    for (const WorkerSpec& node : subject_.topology.workers) {
      if (node.start == StartMode::kAuto) to_start_.push_back(node.name);
    }
    StartNodes(0);
  };
  SetLimit(options_.prepare_limit, [this] {
    Blame("prepare", Status(StatusCode::kDeadlineExceeded, "timed out"));
    EnterHealing();
  });
  world_.Prepare(Current(prepared));
}

void StepMachine::StartNodes(std::size_t index) {
  ++epoch_;
  if (index == to_start_.size()) {
    ClearLimit();
    phase_ = Phase::kSteps;
    return NextStep();
  }
  const std::string& node = to_start_[index];
  SetLimit(options_.prepare_limit, [this, node] {
    Blame("start " + node, Status(StatusCode::kDeadlineExceeded, "timed out"));
    EnterHealing();
  });
  world_.Start(node, Current([this, node, index](const Status& status) {
                 if (status.ok()) return StartNodes(index + 1);
                 Blame("start " + node, status);
                 EnterHealing();
               }));
}

// --- steps ---

void StepMachine::NextStep() {
  ++epoch_;
  if (step_ == subject_.steps.size()) return EnterHealing();
  const Step& step = subject_.steps[step_];
  step_began_ = executor_.clock().Now();
  journal::StepEvent event;
  event.what = "begun";
  event.index = step_ + 1;
  event.step = step.text;
  Append(std::move(event));
  SetLimit(step.within, [this, &step] {
    world_.CancelWaits();
    std::string detail = fmt::format("not done within {}", FormatDuration(Scaled(step.within)));
    if (const auto* wait = std::get_if<WaitStep>(&step.action)) {
      detail += fmt::format("; {} of {} seen", matched_, wait->count);
    } else if (const auto* workflows = std::get_if<WorkflowStep>(&step.action)) {
      detail += fmt::format("; {} of {} accepted, {} ended", workflows_.started, workflows->count,
                            workflows_.ended);
    }
    StepFailed("timed_out", detail);
  });
  RunStep(step);
}

void StepMachine::StepDone() {
  matcher_.reset();
  ClearLimit();
  journal::StepEvent event;
  event.what = "done";
  event.index = step_ + 1;
  event.step = subject_.steps[step_].text;
  event.took = executor_.clock().Now() - step_began_;
  Append(std::move(event));
  ++step_;
  NextStep();
}

void StepMachine::StepEnded(const Status& status, bool infrastructure) {
  if (status.ok()) return StepDone();
  if (infrastructure || status.code() == StatusCode::kInternal) {
    Blame(subject_.steps[step_].text, status);
  }
  StepFailed("failed", fmt::format("{}: {}", CodeName(status.raw_code()), Message(status)));
}

void StepMachine::StepFailed(std::string what, const std::string& detail) {
  const Step& step = subject_.steps[step_];
  if (const auto* inject = std::get_if<InjectStep>(&step.action))
    faults_.ForgetInjections({inject->as});
  matcher_.reset();
  ClearLimit();
  journal::StepEvent event;
  event.index = step_ + 1;
  event.step = step.text;
  event.took = executor_.clock().Now() - step_began_;
  if (step.optional && !infrastructure_failure_) {
    event.what = "done";
    event.detail = "optional, not reached: " + detail;
    Append(std::move(event));
    ++step_;
    return NextStep();
  }
  event.what = std::move(what);
  event.detail = detail;
  Append(std::move(event));
  if (!infrastructure_failure_) {
    steps_failure_ = CheckResult{std::string(kStepsCheck), Outcome::kFail,
                                 fmt::format("step {}: {}, within {}", step_ + 1, step.text,
                                             FormatDuration(Scaled(step.within))),
                                 detail};
  }
  EnterHealing();
}

Done StepMachine::Ends(bool infrastructure) {
  return Current(
      [this, infrastructure](const Status& status) { StepEnded(status, infrastructure); });
}

void StepMachine::ForEach(std::vector<std::string> nodes,
                          std::function<void(const std::string&, Done)> action,
                          std::function<bool(const std::string&)> infrastructure) {
  if (nodes.empty()) return StepDone();
  const std::string node = nodes.front();
  nodes.erase(nodes.begin());
  action(node, Current([this, node, nodes = std::move(nodes), action,
                        infrastructure](const Status& status) {
           if (!status.ok()) return StepEnded(Annotate(status, node), infrastructure(node));
           ForEach(nodes, action, infrastructure);
         }));
}

void StepMachine::RunStep(const Step& step) {
  const auto server_side = [this](const std::string& node) { return IsServerSide(node); };
  const auto subjects_own = [](const std::string&) { return false; };
  if (const auto* start = std::get_if<StartStep>(&step.action)) {
    ForEach(
        start->nodes,
        [this](const std::string& node, Done done) { world_.Start(node, std::move(done)); },
        server_side);
  } else if (const auto* stop = std::get_if<StopStep>(&step.action)) {
    ForEach(
        stop->nodes,
        [this, signal = stop->signal](const std::string& node, Done done) {
          world_.Stop(node, signal, std::move(done));
        },
        server_side);
  } else if (const auto* kill = std::get_if<KillStep>(&step.action)) {
    ForEach(
        kill->nodes,
        [this](const std::string& node, Done done) { world_.Kill(node, std::move(done)); },
        subjects_own);
  } else if (const auto* pause = std::get_if<PauseStep>(&step.action)) {
    ForEach(
        pause->nodes,
        [this](const std::string& node, Done done) {
          paused_.insert(node);
          world_.Pause(node, std::move(done));
        },
        subjects_own);
  } else if (const auto* resume = std::get_if<ResumeStep>(&step.action)) {
    ForEach(
        resume->nodes,
        [this](const std::string& node, Done done) {
          paused_.erase(node);
          world_.Resume(node, std::move(done));
        },
        subjects_own);
  } else if (const auto* restart = std::get_if<RestartStep>(&step.action)) {
    const ServerSpec* server = subject_.topology.Server(restart->node);
    const bool keep = restart->keep_data.value_or(server == nullptr || server->keep_data);
    world_.Restart({restart->node, keep, restart->down_for, restart->kill},
                   Ends(IsServerSide(restart->node)));
  } else if (const auto* signal = std::get_if<SignalStep>(&step.action)) {
    world_.Signal(signal->node, signal->number, Ends(false));
  } else if (const auto* workflows = std::get_if<WorkflowStep>(&step.action)) {
    RunWorkflows(*workflows);
  } else if (const auto* await = std::get_if<AwaitStep>(&step.action)) {
    AwaitWorkflows(*await, 0);
  } else if (const auto* signal_workflow = std::get_if<SignalWorkflowStep>(&step.action)) {
    world_.SignalWorkflow(*signal_workflow, Ends(false));
  } else if (const auto* wait = std::get_if<WaitStep>(&step.action)) {
    matcher_.emplace(*wait);
    looked_ = 0;
    matched_ = 0;
    CheckWait();
  } else if (const auto* healthy = std::get_if<WaitHealthyStep>(&step.action)) {
    ForEach(
        healthy->workers,
        [this](const std::string& node, Done done) { world_.WaitHealthy(node, std::move(done)); },
        subjects_own);
  } else if (const auto* span = std::get_if<ForStep>(&step.action)) {
    executor_.After(span->duration, [done = Ends(false)] { done(absl::OkStatus()); });
  } else if (const auto* inject = std::get_if<InjectStep>(&step.action)) {
    faults_.Inject(*inject, Ends(true));
  } else if (const auto* heal = std::get_if<HealStep>(&step.action)) {
    faults_.Heal(heal->faults, Ends(true));
  } else if (const auto* ns = std::get_if<NamespaceStep>(&step.action)) {
    if (ns->remove) {
      world_.DeleteNamespace(ns->server, ns->ns, Ends(true));
    } else {
      world_.RegisterNamespace(ns->server, ns->ns, Ends(true));
    }
  } else if (const auto* call = std::get_if<CallStep>(&step.action)) {
    world_.Call({call->client, call->method, call->request},
                [this, call, ends = Ends(false)](const StatusOr<CallOutcome>& outcome) {
                  if (!outcome.ok()) return ends(outcome.status());
                  const std::string code(CodeName(outcome->code));
                  if (!call->code || *call->code == code) return ends(absl::OkStatus());
                  ends(MakeStatus(StatusCode::kFailedPrecondition, "{} ended with {}, not {}: {}",
                                  call->method, code, *call->code, outcome->detail));
                });
  } else if (const auto* close = std::get_if<CloseClientStep>(&step.action)) {
    world_.CloseClient(close->client, Ends(false));
  }
}

void StepMachine::RunWorkflows(const WorkflowStep& step) {
  workflows_ = {};
  if (!step.parallel) return RunOneWorkflow(step, 1);
  for (int number = 1; number <= step.count; ++number) RunOneWorkflow(step, number);
}

void StepMachine::RunOneWorkflow(const WorkflowStep& step, int number) {
  WorkflowRequest request;
  request.id = step.count == 1 ? step.id : fmt::format("{}-{}", step.id, number);
  request.type = step.workflow;
  request.input = step.input;
  request.task_queue = step.task_queue;
  request.ns = step.ns;
  request.client = step.client;
  request.execution_timeout = step.execution_timeout.value_or(Duration::zero());
  const std::string id = request.id;
  const auto next = [this, &step, number] {
    if (++workflows_.ended == step.count) return StepDone();
    if (!step.parallel) RunOneWorkflow(step, number + 1);
  };
  world_.StartWorkflow(request, Current([this, &step, id, next](const Status& status) {
                         if (!status.ok()) {
                           if (step.may_be_refused && status.code() != StatusCode::kInternal)
                             return next();
                           return StepEnded(Annotate(status, "workflow " + id), false);
                         }
                         ++workflows_.started;
                         if (!step.wait_for_end) return next();
                         world_.AwaitWorkflow(id, step.ns, step.client,
                                              [this, alive = alive_, epoch = epoch_, &step, id,
                                               next](const StatusOr<WorkflowEnd>& end) {
                                                if (!*alive || epoch != epoch_) return;
                                                const Status wanted =
                                                    CheckEnd(id, end, step.status, step.result);
                                                if (!wanted.ok()) return StepEnded(wanted, false);
                                                next();
                                              });
                       }));
}

Status StepMachine::CheckEnd(const std::string& id, const StatusOr<WorkflowEnd>& end,
                             const std::string& status,
                             const std::optional<std::string>& result) const {
  if (!end.ok()) return Annotate(end.status(), "workflow " + id);
  if (end->status != status) {
    return MakeStatus(StatusCode::kFailedPrecondition, "workflow {} ended as {}, not {}{}{}", id,
                      end->status, status, end->detail.empty() ? "" : ": ", end->detail);
  }
  if (result && !SameJson(*result, end->result)) {
    return MakeStatus(StatusCode::kFailedPrecondition, "workflow {} returned {}, not {}", id,
                      end->result, *result);
  }
  return absl::OkStatus();
}

void StepMachine::AwaitWorkflows(const AwaitStep& step, std::size_t index) {
  if (index == step.ids.size()) return StepDone();
  const std::string& id = step.ids[index];
  world_.AwaitWorkflow(
      id, step.ns, step.client,
      [this, alive = alive_, epoch = epoch_, &step, index, id](const StatusOr<WorkflowEnd>& end) {
        if (!*alive || epoch != epoch_) return;
        const Status wanted = CheckEnd(id, end, step.status, step.result);
        if (!wanted.ok()) return StepEnded(wanted, false);
        AwaitWorkflows(step, index + 1);
      });
}

// --- waiting for events ---

void StepMachine::CheckWait() {
  if (!matcher_) return;
  const Step& step = subject_.steps[step_];
  const auto& wait = std::get<WaitStep>(step.action);
  std::uint64_t since = 0;
  if (!wait.since.empty()) {
    std::uint64_t number = step_ + 1;
    for (std::size_t i = 0; wait.since != "step" && i < step_; ++i) {
      if (subject_.steps[i].name == wait.since) number = i + 1;
    }
    const auto begun = begun_sequence_.find(number);
    if (begun == begun_sequence_.end()) return;  // its own step.begun is on the way
    since = begun->second;
  }
  for (; looked_ < events_.size(); ++looked_) {
    if (events_[looked_].sequence > since && matcher_->Matches(events_[looked_])) ++matched_;
  }
  if (matched_ >= wait.count) StepDone();
}

void StepMachine::OnEvent(const journal::Event& event) {
  if (phase_ == Phase::kDone) return;
  if (!judged_) judge_.Observe(event);
  if (phase_ >= Phase::kCleaning) return;
  if (const auto* step = event.As<journal::StepEvent>(); step != nullptr && step->what == "begun") {
    begun_sequence_[step->index] = event.sequence;
  }
  if (waited_kinds_.contains(event.kind())) events_.push_back(event);
  if (phase_ == Phase::kSteps) {
    faults_.OnEvent(event);
    CheckWait();
  }
  if (phase_ == Phase::kJudging && !judge_look_posted_) {
    // Posted, so that a burst of events is looked at once.
    judge_look_posted_ = true;
    executor_.Post([this, alive = alive_] {
      if (!*alive) return;
      judge_look_posted_ = false;
      LookAtJudge();
    });
  }
}

// --- heal, judge, clean up ---

void StepMachine::Blame(const std::string& what, const Status& status) {
  if (infrastructure_failure_) return;  // the first is the cause
  infrastructure_failure_ =
      CheckResult{std::string(kInfrastructureCheck), Outcome::kUnknown, what,
                  fmt::format("{}: {}", CodeName(status.raw_code()), Message(status))};
}

void StepMachine::Abort(const std::string& reason) {
  if (phase_ == Phase::kIdle || phase_ >= Phase::kCleaning || result_.aborted) return;
  result_.aborted = true;
  Blame("run", Status(StatusCode::kAborted, reason));
  world_.CancelWaits();
  Conclude();
}

void StepMachine::EnterHealing() {
  ++epoch_;
  ClearLimit();
  matcher_.reset();
  phase_ = Phase::kHealing;
  faults_.EndSchedules();
  HealNext();
}

void StepMachine::HealNext() {
  ++epoch_;
  ClearLimit();
  if (!paused_.empty()) {
    const std::string node = *paused_.begin();
    paused_.erase(paused_.begin());
    SetLimit(options_.heal_limit, [this] { HealNext(); });
    // A node that died while it was paused is the checks' business.
    return world_.Resume(node, Current([this](const Status&) { HealNext(); }));
  }
  const std::optional<std::string> fault = faults_.Last();
  if (!fault) return EnterJudging();
  SetLimit(options_.heal_limit, [this, id = *fault] {
    Blame("heal " + id, Status(StatusCode::kDeadlineExceeded, "timed out"));
    faults_.DropLast();
    HealNext();
  });
  faults_.HealLast(Current([this](const Status&) { HealNext(); }));
}

void StepMachine::EnterJudging() {
  ++epoch_;
  phase_ = Phase::kJudging;
  journal::RunEvent run;
  run.what = "judging";
  run.scenario = scenario_.id;
  run.subject = subject_.name;
  run.world = options_.world;
  run.seed = options_.seed;
  Append(std::move(run));
  Settle(kTurnsBeforeJudging);
}

void StepMachine::Settle(int turns) {
  if (turns == 0) return LookAtJudge();
  executor_.Post([this, alive = alive_, turns] {
    if (*alive) Settle(turns - 1);
  });
}

void StepMachine::LookAtJudge() {
  if (phase_ != Phase::kJudging) return;
  executor_.Cancel(judge_timer_);
  judge_timer_ = 0;
  const std::optional<SteadyTime> deadline =
      infrastructure_failure_ ? std::nullopt : judge_.NextDeadline();
  if (!deadline || *deadline <= JournalNow()) return Conclude();
  judge_timer_ = executor_.At(options_.journal_origin + deadline->time_since_epoch(), [this] {
    judge_timer_ = 0;
    LookAtJudge();
  });
}

void StepMachine::Conclude() {
  if (judged_) return;
  judged_ = true;
  ++epoch_;
  ClearLimit();
  executor_.Cancel(judge_timer_);
  executor_.Cancel(scenario_timer_);
  judge_timer_ = scenario_timer_ = 0;
  result_.checks = judge_.Finish(JournalNow());
  if (steps_failure_) result_.checks.push_back(*steps_failure_);
  if (infrastructure_failure_) result_.checks.push_back(*infrastructure_failure_);
  result_.conclusion = options_.conclude(result_.checks);
  for (const CheckResult& check : result_.checks) {
    journal::AssertionEvent event;
    event.what = OutcomeName(check.outcome);
    event.check = check.check;
    event.expected = check.expected;
    event.happened = check.happened;
    Append(std::move(event));
  }
  journal::RunEvent run;
  run.what = "finished";
  run.scenario = scenario_.id;
  run.subject = subject_.name;
  run.world = options_.world;
  run.seed = options_.seed;
  run.versions = world_.Versions();
  run.verdict = OutcomeName(result_.conclusion.verdict);
  run.detail = result_.conclusion.explanation;
  Append(std::move(run));
  EnterCleaning();
}

void StepMachine::EnterCleaning() {
  ++epoch_;
  phase_ = Phase::kCleaning;
  matcher_.reset();
  faults_.DropAll();
  SetLimit(options_.clean_limit,
           [this] { Finish(Status(StatusCode::kDeadlineExceeded, "the clean-up timed out")); });
  world_.CleanUp(Current([this](const Status& status) { Finish(status); }));
}

void StepMachine::Finish(Status clean_up) {
  ClearLimit();
  phase_ = Phase::kDone;
  result_.clean_up = std::move(clean_up);
  // Moved out first: the callback may destroy the machine.
  const Finished finished = std::move(finished_);
  finished(std::move(result_));
}

}  // namespace squall::scenarios
