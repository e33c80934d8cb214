#include "harness/doctor/queue_probe.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "base/util/text.h"
#include "harness/doctor/near_name.h"
#include "harness/doctor/worker_calls.h"

namespace squall::doctor {
namespace {

// Polls last a minute, and workers poll again at once; what is older has stopped.
constexpr auto kStalePoll = std::chrono::seconds(90);

CallPtr Describe(const Probe& probe, Rpc& rpc, const std::string& queue, bool activities) {
  return rpc.Start(Rpc::kWorkflowService, "DescribeTaskQueue",
                   DescribeTaskQueueRequest(probe.target.ns, queue, activities),
                   std::chrono::seconds(10));
}

std::string VersionText(const std::string& version) {
  return version.empty() ? "no version" : EscapeControl(version);
}

class QueueProbe {
 public:
  QueueProbe(const Probe& probe, Rpc& rpc, const QueueCalls& calls, bool expect_pollers)
      : probe_(probe),
        rpc_(rpc),
        calls_(calls),
        expect_pollers_(expect_pollers),
        now_(probe.executor.clock().WallNow()),
        queue_(EscapeControl(probe.target.task_queue)) {}

  void Run() {
    if (!Read(*calls_.workflows, workflows_) || !Read(*calls_.activities, activities_)) return;
    const std::int64_t workflows = Fresh(workflows_), activities = Fresh(activities_);
    const std::int64_t backlog = workflows_.backlog + activities_.backlog;
    probe_.diagnosis.queue = QueueFigures{workflows, activities, backlog, Rows()};
    waiting_ = backlog > 0 ? fmt::format(", {} tasks wait", backlog) : "";
    const std::size_t known = workflows_.pollers.size() + activities_.pollers.size();
    if (workflows + activities > 0) {
      if (!Versions(workflows_, "workflow") || !Versions(activities_, "activity")) return;
      if (workflows > 0 && activities > 0)
        Polled(workflows, activities);
      else
        HalfPolled(workflows, activities);
    } else if (known > 0) {
      Tell("queue.stale_pollers", fmt::format("{}: {} pollers, the last heard of {} ago{}", queue_,
                                              known, Age(), waiting_));
    } else if (const auto near = NearQueue()) {
      Tell("queue.near_miss",
           fmt::format("nobody polls '{}'{}; '{}' has pollers", queue_, waiting_,
                       EscapeControl(*near)),
           fmt::format("Use '{}' in both worker and starter, or start a worker on '{}'.",
                       EscapeControl(*near), queue_));
    } else {
      Tell("queue.no_poller", fmt::format("nobody polls '{}'{}", queue_, waiting_));
    }
  }

 private:
  bool Read(const Call& call, QueueInfo& info) {
    auto read = call.response.status.ok() ? ReadQueue(call.response.message)
                                          : StatusOr<QueueInfo>(call.response.status.ToStatus());
    if (read.ok()) {
      info = *std::move(read);
      return true;
    }
    // A worker needs no right to this.
    probe_.diagnosis.Row(
        Layer::kTaskQueue, "", State::kSkipped,
        fmt::format("could not tell: DescribeTaskQueue is answered {}", Message(read.status())),
        call.took);
    if (expect_pollers_) {
      probe_.diagnosis.Add("queue.no_poller", Weight::kPossible,
                           "DescribeTaskQueue is not permitted, so nobody knows");
    }
    return false;
  }

  std::vector<PollerRow> Rows() const {
    std::vector<PollerRow> rows;
    const auto add = [&](const QueueInfo& info, const char* kind) {
      for (const Poller& one : info.pollers) {
        rows.push_back({kind, EscapeControl(one.identity), EscapeControl(one.version),
                        std::max(Duration::zero(), Duration(now_ - one.last_access))});
      }
    };
    add(workflows_, "workflow");
    add(activities_, "activity");
    return rows;
  }

  bool IsFresh(const Poller& one) const { return now_ - one.last_access < kStalePoll; }
  std::int64_t Fresh(const QueueInfo& info) const {
    return std::ranges::count_if(info.pollers, [this](const Poller& one) { return IsFresh(one); });
  }

  // Something that would keep tasks from being worked on: wrong where pollers are expected.
  void Tell(std::string cause, std::string evidence, std::string fix = {}) {
    probe_.diagnosis.Row(Layer::kTaskQueue, "", expect_pollers_ ? State::kFail : State::kWarn,
                         evidence, calls_.workflows->took);
    probe_.diagnosis.Add(std::move(cause), expect_pollers_ ? Weight::kBroken : Weight::kNotice,
                         std::move(evidence), std::move(fix));
  }

  void Polled(std::int64_t workflows, std::int64_t activities) {
    probe_.Ok(Layer::kTaskQueue, "",
              fmt::format("{}: {} workflow and {} activity pollers, last heard of {} ago{}{}",
                          queue_, workflows, activities, Age(), waiting_, versions_),
              calls_.workflows->took);
  }

  void HalfPolled(std::int64_t workflows, std::int64_t activities) {
    const bool has_workflows = workflows > 0;
    const std::string evidence =
        fmt::format("{}: {} pollers for {} tasks, none for {} tasks{}{}", queue_,
                    workflows + activities, has_workflows ? "workflow" : "activity",
                    has_workflows ? "activity" : "workflow", waiting_, versions_);
    // Workers for one kind alone are quite usual: only tasks that wait for the other kind show a
    // mistake.
    if ((has_workflows ? activities_ : workflows_).backlog > 0)
      return Tell("queue.half_polled", evidence);
    probe_.diagnosis.Row(Layer::kTaskQueue, "", State::kWarn, evidence, calls_.workflows->took);
    probe_.diagnosis.Add("queue.half_polled", Weight::kNotice, evidence);
  }

  // Do the pollers have the version that tasks go to? False when not, which is then told.
  bool Versions(const QueueInfo& info, std::string_view kind) {
    std::map<std::string, int> polled;
    for (const Poller& one : info.pollers) {
      if (IsFresh(one)) ++polled[one.version];
    }
    const bool versioned =
        !info.current_version.empty() || !info.ramping_version.empty() ||
        std::ranges::any_of(polled, [](const auto& one) { return !one.first.empty(); });
    if (!versioned || polled.empty()) return true;
    std::vector<std::string> texts;
    for (const auto& [version, count] : polled) {
      texts.push_back(fmt::format("{} of {}{}", count, VersionText(version),
                                  version == info.current_version ? " (current)"
                                  : info.ramping_share > 0 && version == info.ramping_version
                                      ? " (ramping)"
                                      : ""));
    }
    versions_ = fmt::format("; {} pollers: {}", kind, fmt::join(texts, ", "));
    const auto unpolled = [&](const std::string& version) { return !polled.contains(version); };
    const std::string pollers =
        fmt::format("{}: {} pollers are {}{}", queue_, kind, fmt::join(texts, ", "), waiting_);
    if (unpolled(info.current_version)) {
      // A ramp that takes everything leaves nothing for the current version.
      if (info.ramping_share >= 100 && !unpolled(info.ramping_version)) return true;
      if (info.current_version.empty()) {
        Tell("queue.version_not_current",
             fmt::format("{}; no version is current, so tasks go to workers without one", pollers),
             fmt::format("Make {} current: temporal worker deployment set-current-version.",
                         VersionText(polled.rbegin()->first)));
      } else {
        Tell("queue.version_unpolled",
             fmt::format("{}; tasks go to version {}, which nobody polls for", pollers,
                         EscapeControl(info.current_version)));
      }
      return false;
    }
    if (info.ramping_share > 0 && unpolled(info.ramping_version)) {
      Tell("queue.version_unpolled",
           fmt::format("{}; {:.0f} % of the tasks go to {}, which nobody polls for", pollers,
                       info.ramping_share, VersionText(info.ramping_version)));
      return false;
    }
    return true;
  }

  std::string Age() const {
    std::optional<WallTime> latest;
    for (const QueueInfo* info : {&workflows_, &activities_}) {
      for (const Poller& one : info->pollers)
        latest = std::max(latest.value_or(one.last_access), one.last_access);
    }
    return latest ? FormatDuration(std::max(Duration::zero(), Duration(now_ - *latest))) : "never";
  }

  // A queue with nearly this name that does have pollers.
  std::optional<std::string> NearQueue() {
    if (!calls_.executions->response.status.ok()) return std::nullopt;
    const auto near =
        NearestOther(probe_.target.task_queue, ReadQueueNames(calls_.executions->response.message));
    if (!near) return std::nullopt;
    for (const bool activities : {false, true}) {
      const CallPtr call = Describe(probe_, rpc_, *near, activities);
      probe_.Wait([&] { return call->done || rpc_.channel().over(); }, probe_.limits.call);
      if (!call->done || !call->response.status.ok()) continue;
      const auto info = ReadQueue(call->response.message);
      if (info.ok() && !info->pollers.empty()) return near;
    }
    return std::nullopt;
  }

  const Probe& probe_;
  Rpc& rpc_;
  const QueueCalls& calls_;
  const bool expect_pollers_;
  const WallTime now_;
  const std::string queue_;
  QueueInfo workflows_, activities_;
  std::string waiting_, versions_;
};

}  // namespace

QueueCalls AskAboutQueue(const Probe& probe, Rpc& rpc) {
  QueueCalls calls;
  calls.workflows = Describe(probe, rpc, probe.target.task_queue, false);
  calls.activities = Describe(probe, rpc, probe.target.task_queue, true);
  calls.executions = rpc.Start(Rpc::kWorkflowService, "ListWorkflowExecutions",
                               ListExecutionsRequest(probe.target.ns), std::chrono::seconds(10));
  return calls;
}

void JudgeQueue(const Probe& probe, Rpc& rpc, const QueueCalls& calls, bool expect_pollers) {
  QueueProbe(probe, rpc, calls, expect_pollers).Run();
}

}  // namespace squall::doctor
