#include "harness/doctor/worker_probe.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "base/util/text.h"
#include "harness/doctor/converse.h"
#include "harness/doctor/near_name.h"
#include "harness/doctor/queue_probe.h"
#include "harness/doctor/worker_calls.h"

namespace squall::doctor {
namespace {

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
    if (!target.task_queue.empty() && options_.look_at_queue) queue_ = AskAboutQueue(probe_, rpc_);
    const auto answered = [this] {
      return rpc_.channel().over() || (health_->done && describe_->done && names_->done &&
                                       AllDone(calls_) && (!queue_ || queue_->done()));
    };
    probe_.Wait(answered, probe_.limits.call);
    // A poll that is refused is refused as quickly as the rest was answered.
    probe_.Wait([this] { return rpc_.channel().over() || AllDone(polls_); },
                probe_.limits.held_poll + describe_->took * 2);
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
    Queue();
    return true;
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
    std::string cause = "namespace.missing";
    if (names_->response.status.ok()) {
      const NamespaceNames names = ReadNamespaceNames(names_->response.message);
      const auto renamed = std::ranges::find_if(names.deleted, [&ns](const std::string& name) {
        return name.starts_with(ns + "-deleted-");
      });
      if (renamed != names.deleted.end()) {
        cause = "namespace.deleted";
        evidence += fmt::format("; it is being deleted as '{}'", EscapeControl(*renamed));
      } else if (const auto near = NearestOther(ns, names.there)) {
        evidence += fmt::format("; there is '{}'", EscapeControl(*near));
        fix = fmt::format("Set TEMPORAL_NAMESPACE={}, or register '{}'.", EscapeControl(*near),
                          EscapeControl(ns));
      } else if (!names.there.empty() && names.there.size() <= 5) {
        evidence += fmt::format("; there are {}",
                                EscapeControl(fmt::format("{}", fmt::join(names.there, ", "))));
      }
    }
    probe_.diagnosis.Row(Layer::kPermission, "", State::kSkipped,
                         "cannot be told without the namespace");
    probe_.Fail(Layer::kNamespace, "", cause, evidence, describe_->took, fix);
  }

  void JudgePermissions() {
    std::vector<const Call*> all = {describe_.get()};
    for (const auto* list : {&polls_, &calls_}) {
      for (const CallPtr& one : *list) all.push_back(one.get());
    }
    std::vector<std::string> denied, unanswered;
    for (const Call* call : all) {
      const bool poll =
          std::ranges::any_of(polls_, [call](const CallPtr& one) { return one.get() == call; });
      if (Unanswered(*call)) {
        if (!poll) unanswered.push_back(call->method);
        continue;
      }
      if (IsDenied(*call)) {
        denied.push_back(call->method);
      } else if (const auto why = JudgeCall(probe_, *call)) {
        return probe_.Fail(why->layer, call->method, why->cause, why->evidence, call->took);
      }
    }
    if (!denied.empty()) {
      const bool all_of_them = denied.size() == all.size();
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
                         fmt::format("refused: {}", fmt::join(denied, ", ")));
    }
    if (!unanswered.empty()) {
      return probe_.Fail(
          Layer::kPermission, "", "grpc.silent",
          fmt::format("not answered within {}: {}", FormatDuration(probe_.limits.call),
                      fmt::join(unanswered, ", ")));
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
    TellRemarks(probe_, MissingFor(probe_.sdk, info->capabilities, true), Layer::kNamespace);
    return true;
  }

  static std::string Days(Duration time) {
    const auto hours = std::chrono::duration_cast<std::chrono::hours>(time).count();
    return hours % 24 == 0 ? fmt::format("{} day{}", hours / 24, hours == 24 ? "" : "s")
                           : fmt::format("{} hours", hours);
  }

  void Queue() {
    if (queue_) return JudgeQueue(probe_, rpc_, *queue_, options_.expect_pollers);
    probe_.diagnosis.Row(Layer::kTaskQueue, "", State::kSkipped,
                         options_.look_at_queue
                             ? "no task queue is named (TEMPORAL_TASK_QUEUE, --task-queue)"
                             : "not of this stage");
  }

  const Probe& probe_;
  Rpc& rpc_;
  const WorkerProbeOptions& options_;
  CallPtr health_, describe_, names_;
  std::vector<CallPtr> polls_, calls_;
  std::optional<QueueCalls> queue_;
  bool lost_ = false;
};

}  // namespace

bool ProbeWorker(const Probe& probe, Rpc& rpc, const WorkerProbeOptions& options) {
  return WorkerProbe(probe, rpc, options).Run();
}

}  // namespace squall::doctor
