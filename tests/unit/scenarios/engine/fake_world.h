#pragma once
// A World in which every action is recorded and completes when the test says so, or at once.

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/util/executor.h"
#include "scenarios/engine/judge.h"
#include "scenarios/engine/world.h"

namespace squall::scenarios {

class FakeWorld final : public World {
 public:
  explicit FakeWorld(Executor& executor) : executor_(executor) {}

  std::vector<std::string> log;             // what was asked for, in order
  std::map<std::string, Status> fail;       // "start w" -> how it ends
  std::set<std::string> hang;               // "run ping" -> never completes
  std::map<std::string, Duration> takes;    // how long it takes
  std::map<std::string, WorkflowEnd> ends;  // by workflow id
  int faults_alive = 0;

  std::vector<std::string> Observes() const override { return {"step", "worker"}; }
  std::map<std::string, std::string> Versions() const override { return {{"server", "none"}}; }
  void Prepare(Done done) override { Act("prepare", std::move(done)); }
  void Start(const std::string& node, Done done) override { Act("start " + node, std::move(done)); }
  void Stop(const std::string& node, const std::string& signal, Done done) override {
    Act("stop " + node + " " + signal, std::move(done));
  }
  void Kill(const std::string& node, Done done) override { Act("kill " + node, std::move(done)); }
  void Restart(const RestartRequest& request, Done done) override {
    Act(fmt::format("restart {} keep={}", request.node, request.keep_data), std::move(done));
  }
  void Pause(const std::string& node, Done done) override { Act("pause " + node, std::move(done)); }
  void Resume(const std::string& node, Done done) override {
    Act("resume " + node, std::move(done));
  }
  void Signal(const std::string& node, int number, Done done) override {
    Act(fmt::format("signal {} {}", node, number), std::move(done));
  }
  void WaitHealthy(const std::string& worker, Done done) override {
    Act("healthy " + worker, std::move(done));
  }
  void StartWorkflow(const WorkflowRequest& request, Done done) override {
    Act(fmt::format("workflow {} {}", request.type, request.id), std::move(done));
  }
  void AwaitWorkflow(const std::string& id, const std::string&, const std::string&,
                     std::function<void(StatusOr<WorkflowEnd>)> done) override {
    const WorkflowEnd end = ends.contains(id) ? ends[id] : WorkflowEnd{"completed", "1", ""};
    Act("await " + id, [done = std::move(done), end](const Status& status) {
      if (status.ok()) {
        done(end);
      } else {
        done(status);
      }
    });
  }
  void SignalWorkflow(const SignalWorkflowStep& step, Done done) override {
    Act("signal " + step.id, std::move(done));
  }
  void Call(const CallRequest& request, std::function<void(StatusOr<CallOutcome>)> done) override {
    Act("call " + request.method, [done = std::move(done)](const Status& status) {
      done(CallOutcome{status.raw_code(), std::string(Message(status))});
    });
  }
  void CloseClient(const std::string& client, Done done) override {
    Act("close " + client, std::move(done));
  }
  void RegisterNamespace(const std::string&, const std::string& ns, Done done) override {
    Act("register " + ns, std::move(done));
  }
  void DeleteNamespace(const std::string&, const std::string& ns, Done done) override {
    Act("delete " + ns, std::move(done));
  }
  void Inject(const InjectRequest& request,
              std::function<void(StatusOr<std::unique_ptr<FaultHandle>>)> done) override {
    Act("inject " + request.fault_id,
        [this, id = request.fault_id, done = std::move(done)](const Status& status) {
          if (!status.ok()) return done(status);
          done(std::make_unique<Handle>(*this, id));
        });
  }
  void CancelWaits() override { log.push_back("cancel waits"); }
  void CleanUp(Done done) override { Act("clean up", std::move(done)); }

 private:
  class Handle final : public FaultHandle {
   public:
    Handle(FakeWorld& world, std::string id) : world_(world), id_(std::move(id)) {
      ++world_.faults_alive;
    }
    ~Handle() override {
      --world_.faults_alive;
      if (!healed_) world_.log.push_back("drop " + id_);
    }
    void Heal(Done done) override {
      healed_ = true;
      world_.Act("heal " + id_, std::move(done));
    }

   private:
    FakeWorld& world_;
    std::string id_;
    bool healed_ = false;
  };

  void Act(const std::string& what, Done done) {
    log.push_back(what);
    if (hang.contains(what)) return;
    const Status status = fail.contains(what) ? fail[what] : absl::OkStatus();
    if (takes.contains(what)) {
      executor_.After(takes[what], [done = std::move(done), status] { done(status); });
    } else {
      executor_.Post([done = std::move(done), status] { done(status); });
    }
  }

  Executor& executor_;
};

// One check, "check", with a verdict and a deadline that the test sets.
class FakeJudge final : public Judge {
 public:
  std::vector<std::string> seen;
  std::optional<SteadyTime> deadline;
  Outcome outcome = Outcome::kPass;
  std::optional<SteadyTime> finished_at;

  void Observe(const journal::Event& event) override {
    seen.push_back(std::string(event.kind()) + "." + std::string(event.what()));
  }
  std::optional<SteadyTime> NextDeadline() const override { return deadline; }
  std::vector<CheckResult> Finish(SteadyTime end) override {
    finished_at = end;
    return {{"check", outcome, "good", "seen"}};
  }
};

}  // namespace squall::scenarios
