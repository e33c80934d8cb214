#include "harness/doctor/expectations.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/util/text.h"
#include "harness/doctor/expectation_calls.h"
#include "harness/doctor/explain.h"
#include "harness/doctor/near_name.h"

namespace squall::doctor {
namespace {

constexpr std::string_view kNotRegistered = "worker.type_not_registered";
// What is shown of an SDK's text.
constexpr std::size_t kShownFailure = 300;

bool SaysNotRegistered(std::string_view text) {
  const auto causes = Explain(text);
  return std::ranges::find(causes, kNotRegistered, &Explanation::cause) != causes.end();
}

class ExpectationProbe {
 public:
  ExpectationProbe(const Probe& probe, Rpc& rpc, const Expectations& wanted)
      : probe_(probe), rpc_(rpc), wanted_(wanted) {}

  bool Run() {
    for (const std::string& type : wanted_.workflow_types) WorkflowType(type);
    if (!wanted_.activity_types.empty()) ActivityTypes();
    if (!wanted_.search_attributes.empty()) Attributes();
    return met_;
  }

 private:
  CallPtr Ask(std::string_view service, std::string_view method, std::string request) {
    const CallPtr call = rpc_.Start(service, method, std::move(request), probe_.limits.call);
    probe_.Wait([&] { return call->done || rpc_.channel().over(); }, probe_.limits.call);
    return call;
  }
  // The answer's bytes; else why there is none, in `why_not_`.
  std::optional<std::string> Answer(std::string_view service, std::string_view method,
                                    std::string request) {
    const CallPtr call = Ask(service, method, std::move(request));
    if (call->done && call->response.status.ok()) return call->response.message;
    why_not_ = call->done
                   ? fmt::format("{} is answered {}", method, CodeName(call->response.status.code))
                   : fmt::format("{} is not answered", method);
    return std::nullopt;
  }

  void Met(const std::string& name, std::string detail) {
    probe_.Ok(Layer::kTypes, name, std::move(detail));
  }
  void Missed(const std::string& name, std::string cause, std::string evidence,
              std::string fix = {}) {
    met_ = false;
    probe_.Fail(Layer::kTypes, name, std::move(cause), std::move(evidence), {}, std::move(fix));
  }
  void CouldNotTell(const std::string& name, std::string_view cause, const std::string& why) {
    met_ = false;
    probe_.diagnosis.Row(Layer::kTypes, name, State::kSkipped,
                         fmt::format("could not tell: {}", why));
    probe_.diagnosis.Add(std::string(cause), Weight::kPossible,
                         fmt::format("{}: {}, so nobody knows", name, why));
  }

  // What workers did with tasks of executions on the target's queue, the latest first; with the
  // activities that are tried again, if asked.
  std::optional<std::vector<TypeEvent>> Events(const std::string& type, bool pending) {
    const Target& target = probe_.target;
    const auto list = Answer(Rpc::kWorkflowService, "ListWorkflowExecutions",
                             ListOnQueueRequest(target.ns, target.task_queue, type));
    if (!list) return std::nullopt;
    const auto names = ReadExecutionNames(*list);
    if (!names.ok()) return std::nullopt;
    std::vector<TypeEvent> events;
    const auto take = [&events](const StatusOr<std::vector<TypeEvent>>& read) {
      if (read.ok()) events.insert(events.end(), read->begin(), read->end());
    };
    for (const ExecutionName& one : *names) {
      if (pending) {
        if (const auto described = Answer(Rpc::kWorkflowService, "DescribeWorkflowExecution",
                                          DescribeExecutionRequest(target.ns, one)))
          take(ReadPendingFailures(*described));
      }
      if (const auto history = Answer(Rpc::kWorkflowService, "GetWorkflowExecutionHistoryReverse",
                                      HistoryEndRequest(target.ns, one)))
        take(ReadTypeEvents(*history));
    }
    return events;
  }

  // The first that tells anything of `activity` ("" of the workflow) decides: they come latest
  // first.
  void Decide(const std::string& name, const std::string& activity,
              const std::vector<TypeEvent>& events) {
    const std::string& queue = probe_.target.task_queue;
    for (const TypeEvent& event : events) {
      if (event.activity != activity) continue;
      if (!event.queue.empty() && event.queue != queue) continue;
      if (event.done) return Met(name, "a worker of this queue did the latest task of it");
      if (!SaysNotRegistered(event.failure)) continue;
      return Missed(
          name, std::string(kNotRegistered),
          fmt::format("{}: the worker of '{}' that got the latest task says \"{}\"", name,
                      EscapeControl(queue), EscapeControl(event.failure.substr(0, kShownFailure))));
    }
    CouldNotTell(name, kNotRegistered,
                 fmt::format("no worker has got a task of it on '{}' lately, and Temporal keeps "
                             "no list of the types that workers have",
                             EscapeControl(queue)));
  }

  bool NoQueue(const std::string& name) {
    if (!probe_.target.task_queue.empty()) return false;
    CouldNotTell(name, "settings.required_missing",
                 "no task queue is named (TEMPORAL_TASK_QUEUE, --task-queue)");
    return true;
  }

  void WorkflowType(const std::string& type) {
    const std::string name = fmt::format("workflow type {}", EscapeControl(type));
    if (NoQueue(name)) return;
    const auto events = Events(type, false);
    if (!events) return CouldNotTell(name, kNotRegistered, why_not_);
    Decide(name, "", *events);
  }

  void ActivityTypes() {
    std::optional<std::vector<TypeEvent>> events;
    for (const std::string& type : wanted_.activity_types) {
      const std::string name = fmt::format("activity type {}", EscapeControl(type));
      if (NoQueue(name)) continue;
      if (!events) events = Events("", true);
      if (!events) {
        CouldNotTell(name, kNotRegistered, why_not_);
      } else {
        Decide(name, type, *events);
      }
    }
  }

  std::optional<SearchAttributes> Known() {
    // Those of the namespace; who may not ask for them may still ask for the cluster's.
    if (const auto answer = Answer(kOperatorService, "ListSearchAttributes",
                                   ListSearchAttributesRequest(probe_.target.ns))) {
      if (auto read = ReadSearchAttributes(*answer); read.ok()) return *std::move(read);
    }
    const std::string first = why_not_;
    if (const auto answer = Answer(Rpc::kWorkflowService, "GetSearchAttributes", "")) {
      if (auto read = ReadClusterSearchAttributes(*answer); read.ok()) return *std::move(read);
    }
    why_not_ = fmt::format("{}, {}", first, why_not_);
    return std::nullopt;
  }

  void Attributes() {
    const auto known = Known();
    std::vector<std::string> names;
    if (known) {
      for (const auto& [name, type] : *known) names.push_back(name);
    }
    for (const auto& [wanted, type] : wanted_.search_attributes) {
      const std::string name = fmt::format("search attribute {}", EscapeControl(wanted));
      if (!known) {
        CouldNotTell(name, "types.search_attribute_missing", why_not_);
        continue;
      }
      const auto it = known->find(wanted);
      if (it == known->end()) {
        const auto near = NearestOther(wanted, names);
        Missed(name, "types.search_attribute_missing",
               fmt::format("the namespace '{}' has no search attribute '{}'{}",
                           EscapeControl(probe_.target.ns), EscapeControl(wanted),
                           near ? fmt::format("; there is '{}'", EscapeControl(*near)) : ""),
               near ? fmt::format("Write '{}', or add '{}'.", EscapeControl(*near),
                                  EscapeControl(wanted))
                    : fmt::format(
                          "Add it: temporal operator search-attribute create --name {} --type {}.",
                          EscapeControl(wanted), type));
      } else if (it->second != type) {
        Missed(name, "types.search_attribute_type",
               fmt::format("'{}' is of type {}, and {} is expected", EscapeControl(wanted),
                           it->second, type));
      } else {
        Met(name, fmt::format("is there, of type {}", type));
      }
    }
  }

  const Probe& probe_;
  Rpc& rpc_;
  const Expectations& wanted_;
  std::string why_not_;
  bool met_ = true;
};

}  // namespace

bool ProbeExpectations(const Probe& probe, Rpc& rpc, const Expectations& expectations) {
  return ExpectationProbe(probe, rpc, expectations).Run();
}

}  // namespace squall::doctor
