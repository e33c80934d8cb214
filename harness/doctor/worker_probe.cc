#include "harness/doctor/worker_probe.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/util/text.h"
#include "harness/doctor/converse.h"
#include "harness/doctor/worker_calls.h"

namespace squall::doctor {
namespace {

// Polls last a minute, and workers poll again at once; what is older has stopped.
constexpr auto kStalePoll = std::chrono::seconds(90);

bool IsDenied(const Call& call) {
  const auto code = static_cast<StatusCode>(call.response.status.code);
  return code == StatusCode::kPermissionDenied || code == StatusCode::kUnauthenticated;
}
bool IsCode(const Call& call, StatusCode code) {
  return call.done && call.response.status.code == static_cast<int>(code);
}

class WorkerProbe {
 public:
  WorkerProbe(const Probe& probe, Rpc& rpc, const WorkerProbeOptions& options)
      : probe_(probe), rpc_(rpc), options_(options) {}

  bool Run() {
    const Target& target = probe_.target;
    health_ = rpc_.Start(Rpc::kHealth, "Check", HealthRequest(), probe_.limits.call);
    describe_ = Begin("DescribeNamespace", DescribeNamespaceRequest(target.ns));
    names_ = Begin("ListNamespaces", ListNamespacesRequest());
    const std::string own = "squall-doctor-" + options_.tag;
    std::vector<WorkerCall> wanted = WorkerCalls(target.ns, own, own);
    for (WorkerCall& one : wanted) {
      (one.poll ? polls_ : calls_).push_back(Begin(one.method, std::move(one.request)));
    }
    if (!target.task_queue.empty() && options_.look_at_queue) {
      for (const bool activities : {false, true}) {
        queues_.push_back(
            Begin("DescribeTaskQueue",
                  DescribeTaskQueueRequest(target.ns, target.task_queue, activities)));
      }
      executions_ = Begin("ListWorkflowExecutions", ListExecutionsRequest(target.ns));
    }
    const auto answered = [this] {
      return rpc_.channel().over() ||
             (health_->done && describe_->done && names_->done && AllDone(calls_) &&
              AllDone(queues_) && (!executions_ || executions_->done));
    };
    probe_.Wait(answered, probe_.limits.call);
    // A poll that is refused is refused as quickly as the rest was answered.
    probe_.Wait([this] { return rpc_.channel().over() || AllDone(polls_); },
                probe_.limits.held_poll + describe_->took * 2);
    held_ = 0;
    for (const CallPtr& one : polls_) held_ += one->done ? 0 : 1;
    lost_ = rpc_.channel().over();
    rpc_.CancelOpen();
    return Judge();
  }

 private:
  CallPtr Begin(std::string_view method, std::string request) {
    return rpc_.Start(Rpc::kWorkflowService, method, std::move(request), std::chrono::seconds(10));
  }
  static bool AllDone(const std::vector<CallPtr>& calls) {
    return std::ranges::all_of(calls, [](const CallPtr& one) { return one->done; });
  }
  // Ended by us because it was not answered.
  static bool Unanswered(const Call& call) {
    return IsCode(call, StatusCode::kCancelled) && call.response.http_status == 0;
  }

  bool Judge() {
    if (lost_) {
      probe_.Fail(Layer::kHttp2, "", "http.broken", "the connection ended while calls were open");
      return false;
    }
    JudgeHealth();
    const std::size_t before = probe_.diagnosis.findings.size();
    if (IsCode(*describe_, StatusCode::kNotFound)) {
      TellMissingNamespace();
      return false;
    }
    JudgePermissions();
    const bool named = JudgeNamespace();
    const auto& findings = probe_.diagnosis.findings;
    const bool clean =
        std::all_of(findings.begin() + static_cast<std::ptrdiff_t>(before), findings.end(),
                    [](const Finding& one) { return one.weight == Weight::kNotice; });
    if (!clean || !named) return false;
    return JudgeQueue();
  }

  void JudgeHealth() {
    if (health_->response.status.ok()) {
      const bool serving = ReadServing(health_->response.message);
      probe_.diagnosis.Row(Layer::kGrpc, "health", serving ? State::kOk : State::kWarn,
                           serving ? "SERVING" : "not SERVING", health_->took);
      if (!serving)
        probe_.diagnosis.Add("grpc.unavailable", Weight::kNotice,
                             "the health service says that the workflow service is not SERVING");
    } else {
      probe_.diagnosis.Row(
          Layer::kGrpc, "health", State::kSkipped,
          fmt::format("could not tell: {}", CodeName(health_->response.status.code)),
          health_->took);
    }
  }

  void TellMissingNamespace() {
    const std::string& ns = probe_.target.ns;
    std::string fix;
    std::string evidence = fmt::format("DescribeNamespace '{}' is answered {}", EscapeControl(ns),
                                       EscapeControl(describe_->response.status.message));
    if (names_->response.status.ok()) {
      const auto names = ReadNamespaceNames(names_->response.message);
      if (const auto near = NearestName(ns, names)) {
        evidence += fmt::format("; there is '{}'", EscapeControl(*near));
        fix = fmt::format("Set TEMPORAL_NAMESPACE={}, or register '{}'.", EscapeControl(*near),
                          EscapeControl(ns));
      } else if (!names.empty() && names.size() <= 5) {
        std::string list;
        for (const std::string& one : names)
          list += (list.empty() ? "" : ", ") + EscapeControl(one);
        evidence += fmt::format("; there are {}", list);
      }
    }
    probe_.diagnosis.Row(Layer::kPermission, "", State::kSkipped,
                         "cannot be told without the namespace");
    probe_.Fail(Layer::kNamespace, "", "namespace.missing", evidence, describe_->took, fix);
  }

  static std::string Folded(std::string_view text) {
    std::string result = LowerCase(text);
    std::erase_if(result, [](char c) { return Contains("-_. ", {&c, 1}); });
    return result;
  }
  static std::optional<std::string> NearestName(const std::string& name,
                                                const std::vector<std::string>& names) {
    for (const std::string& one : names) {
      if (one != name && Folded(one) == Folded(name)) return one;
    }
    std::vector<std::string> others;
    std::ranges::copy_if(names, std::back_inserter(others),
                         [&](const std::string& one) { return one != name; });
    return Nearest(name, others);
  }

  void JudgePermissions() {
    std::vector<const Call*> all = {describe_.get()};
    for (const auto* list : {&polls_, &calls_}) {
      for (const CallPtr& one : *list) all.push_back(one.get());
    }
    std::string denied, unanswered;
    std::size_t refused = 0;
    for (const Call* call : all) {
      const bool poll =
          std::ranges::any_of(polls_, [call](const CallPtr& one) { return one.get() == call; });
      if (Unanswered(*call)) {
        if (!poll) unanswered += (unanswered.empty() ? "" : ", ") + call->method;
        continue;
      }
      if (IsDenied(*call)) {
        denied += (denied.empty() ? "" : ", ") + call->method;
        ++refused;
      } else if (const auto why = JudgeCall(probe_, *call)) {
        return probe_.Fail(why->layer, call->method, why->cause, why->evidence, call->took);
      }
    }
    if (refused > 0) {
      const bool all_of_them = refused == all.size();
      const bool has_key = !probe_.target.api_key.empty();
      const std::string& text = describe_->response.status.message;
      if (all_of_them) {
        // GetSystemInfo was let in: the client is known.
        return probe_.Fail(
            Layer::kPermission, "",
            has_key || probe_.target.identity ? "auth.wrong_namespace" : "auth.denied",
            fmt::format("every call in namespace '{}' is refused: {}",
                        EscapeControl(probe_.target.ns), EscapeControl(text)));
      }
      return probe_.Fail(Layer::kPermission, "", "auth.permission_rpc",
                         fmt::format("refused: {}", denied));
    }
    if (!unanswered.empty()) {
      return probe_.Fail(Layer::kPermission, "", "grpc.silent",
                         fmt::format("not answered within {}: {}",
                                     FormatDuration(probe_.limits.call), unanswered));
    }
    probe_.Ok(Layer::kPermission, "", fmt::format("{} calls of a worker's are let in", all.size()));
  }

  // The namespace is there and known.
  bool JudgeNamespace() {
    if (!describe_->response.status.ok()) {
      probe_.diagnosis.Row(Layer::kNamespace, "", State::kSkipped, "could not tell");
      return false;
    }
    const auto info = ReadNamespace(describe_->response.message);
    if (!info.ok()) {
      probe_.Fail(Layer::kNamespace, "", "grpc.garbled",
                  fmt::format("DescribeNamespace: {}", Message(info.status())));
      return false;
    }
    if (info->state == NamespaceState::kDeleted) {
      probe_.Fail(Layer::kNamespace, "", "namespace.deleted",
                  fmt::format("'{}' is in the state DELETED", EscapeControl(probe_.target.ns)));
      return false;
    }
    probe_.diagnosis.Row(
        Layer::kNamespace, "",
        info->state == NamespaceState::kDeprecated ? State::kWarn : State::kOk,
        fmt::format("{}{}, retention {}", EscapeControl(probe_.target.ns),
                    info->state == NamespaceState::kDeprecated ? " is deprecated" : " exists",
                    Days(info->retention)),
        describe_->took);
    return true;
  }

  static std::string Days(Duration time) {
    const auto hours = std::chrono::duration_cast<std::chrono::hours>(time).count();
    return hours % 24 == 0 ? fmt::format("{} day{}", hours / 24, hours == 24 ? "" : "s")
                           : fmt::format("{} hours", hours);
  }

  bool JudgeQueue() {
    if (queues_.empty()) {
      probe_.diagnosis.Row(Layer::kTaskQueue, "", State::kSkipped,
                           "no task queue is named (TEMPORAL_TASK_QUEUE, --task-queue)");
      return true;
    }
    const std::string queue = EscapeControl(probe_.target.task_queue);
    std::vector<QueueInfo> infos;
    for (const CallPtr& call : queues_) {
      const auto info = call->response.status.ok()
                            ? ReadQueue(call->response.message)
                            : StatusOr<QueueInfo>(call->response.status.ToStatus());
      if (!info.ok()) {
        // A worker needs no right to this.
        probe_.diagnosis.Row(
            Layer::kTaskQueue, "", State::kSkipped,
            fmt::format("could not tell: DescribeTaskQueue is answered {}", Message(info.status())),
            call->took);
        if (!options_.expect_pollers) return true;
        probe_.diagnosis.Add("queue.no_poller", Weight::kPossible,
                             "DescribeTaskQueue is not permitted, so nobody knows");
        return true;
      }
      infos.push_back(*info);
    }
    const WallTime now = probe_.executor.clock().WallNow();
    const auto fresh = [&](const QueueInfo& info) {
      return std::ranges::count_if(
          info.pollers, [&](const Poller& one) { return now - one.last_access < kStalePoll; });
    };
    const auto workflows = fresh(infos[0]), activities = fresh(infos[1]);
    probe_.diagnosis.queue =
        QueueFigures{workflows, activities, infos[0].backlog + infos[1].backlog};
    const std::size_t known = infos[0].pollers.size() + infos[1].pollers.size();
    const std::int64_t backlog = infos[0].backlog + infos[1].backlog;
    const std::string waiting = backlog > 0 ? fmt::format(", {} tasks wait", backlog) : "";
    const Duration took = queues_[0]->took;
    const Weight weight = options_.expect_pollers ? Weight::kBroken : Weight::kNotice;
    const State state = options_.expect_pollers ? State::kFail : State::kWarn;
    const auto tell = [&](std::string cause, std::string evidence, std::string fix = {}) {
      probe_.diagnosis.Row(Layer::kTaskQueue, "", state, evidence, took);
      probe_.diagnosis.Add(std::move(cause), weight, std::move(evidence), std::move(fix));
    };
    if (workflows > 0 && activities > 0) {
      probe_.Ok(Layer::kTaskQueue, "",
                fmt::format("{}: {} workflow and {} activity pollers, last heard of {} ago{}",
                            queue, workflows, activities, Age(infos, now), waiting),
                took);
    } else if (workflows + activities > 0) {
      const bool has_workflows = workflows > 0;
      const std::string evidence =
          fmt::format("{}: {} pollers for {} tasks, none for {} tasks{}", queue,
                      workflows + activities, has_workflows ? "workflow" : "activity",
                      has_workflows ? "activity" : "workflow", waiting);
      // Workers for one kind alone are quite usual: only tasks that wait for the other kind show a
      // mistake.
      const bool missing = infos[has_workflows ? 1 : 0].backlog > 0;
      probe_.diagnosis.Row(Layer::kTaskQueue, "", missing ? state : State::kWarn, evidence, took);
      probe_.diagnosis.Add("queue.half_polled", missing ? weight : Weight::kNotice, evidence);
    } else if (known > 0) {
      tell("queue.stale_pollers", fmt::format("{}: {} pollers, the last heard of {} ago{}", queue,
                                              known, Age(infos, now), waiting));
    } else if (const auto near = NearQueue()) {
      tell("queue.near_miss",
           fmt::format("nobody polls '{}'{}; '{}' has pollers", queue, waiting,
                       EscapeControl(*near)),
           fmt::format("Use '{}' in both worker and starter, or start a worker on '{}'.",
                       EscapeControl(*near), queue));
    } else {
      tell("queue.no_poller", fmt::format("nobody polls '{}'{}", queue, waiting));
    }
    return true;
  }

  static std::string Age(const std::vector<QueueInfo>& infos, WallTime now) {
    std::optional<WallTime> latest;
    for (const QueueInfo& info : infos) {
      for (const Poller& one : info.pollers)
        latest = std::max(latest.value_or(one.last_access), one.last_access);
    }
    return latest ? FormatDuration(std::max(Duration::zero(), Duration(now - *latest))) : "never";
  }

  // A queue with nearly this name that does have pollers.
  std::optional<std::string> NearQueue() {
    if (!executions_ || !executions_->response.status.ok()) return std::nullopt;
    const auto names = ReadQueueNames(executions_->response.message);
    const auto near = NearestName(probe_.target.task_queue, names);
    if (!near) return std::nullopt;
    for (const bool activities : {false, true}) {
      const CallPtr call =
          Begin("DescribeTaskQueue", DescribeTaskQueueRequest(probe_.target.ns, *near, activities));
      probe_.Wait([&] { return call->done || rpc_.channel().over(); }, probe_.limits.call);
      if (!call->done || !call->response.status.ok()) continue;
      const auto info = ReadQueue(call->response.message);
      if (info.ok() && !info->pollers.empty()) return near;
    }
    return std::nullopt;
  }

  const Probe& probe_;
  Rpc& rpc_;
  const WorkerProbeOptions& options_;
  CallPtr health_, describe_, names_, executions_;
  std::vector<CallPtr> polls_, calls_, queues_;
  std::size_t held_ = 0;
  bool lost_ = false;
};

}  // namespace

bool ProbeWorker(const Probe& probe, Rpc& rpc, const WorkerProbeOptions& options) {
  return WorkerProbe(probe, rpc, options).Run();
}

}  // namespace squall::doctor
