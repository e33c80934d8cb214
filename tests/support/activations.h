#pragma once
// Core's activations built by hand: what tests of workflows feed instead of a server.

#include <google/protobuf/text_format.h>
#include <google/protobuf/util/message_differencer.h>

#include <string>
#include <utility>
#include <vector>

#include "core/worker/payload.h"
#include "core/worker/workflow_run.h"

namespace squall::testing {

// Activation(...).Init("Ping", 7).Signal("go", 1): jobs in the order given.
class Activate {
 public:
  explicit Activate(std::string run_id = "run-1", std::int64_t seconds = 1767225600) {
    activation_.set_run_id(std::move(run_id));
    activation_.mutable_timestamp()->set_seconds(seconds);
  }
  Activate& Replaying() {
    activation_.set_is_replaying(true);
    return *this;
  }
  template <typename... Args>
  Activate& Init(const std::string& type, const Args&... args) {
    auto& start = *activation_.add_jobs()->mutable_initialize_workflow();
    start.set_workflow_type(type);
    start.set_workflow_id("wf-1");
    start.set_randomness_seed(42);
    start.set_attempt(1);
    start.set_first_execution_run_id(activation_.run_id());
    (void)std::initializer_list<int>{(*start.add_arguments() = core::Encode(args), 0)...};
    return *this;
  }
  template <typename... Args>
  Activate& Signal(const std::string& name, const Args&... args) {
    auto& signal = *activation_.add_jobs()->mutable_signal_workflow();
    signal.set_signal_name(name);
    (void)std::initializer_list<int>{(*signal.add_input() = core::Encode(args), 0)...};
    return *this;
  }
  template <typename... Args>
  Activate& Query(const std::string& id, const std::string& type, const Args&... args) {
    auto& query = *activation_.add_jobs()->mutable_query_workflow();
    query.set_query_id(id);
    query.set_query_type(type);
    (void)std::initializer_list<int>{(*query.add_arguments() = core::Encode(args), 0)...};
    return *this;
  }
  template <typename... Args>
  Activate& Update(const std::string& id, const std::string& name, const Args&... args) {
    auto& update = *activation_.add_jobs()->mutable_do_update();
    update.set_id(id);
    update.set_protocol_instance_id(id + "/protocol");
    update.set_name(name);
    update.set_run_validator(!activation_.is_replaying());
    (void)std::initializer_list<int>{(*update.add_input() = core::Encode(args), 0)...};
    return *this;
  }
  Activate& Fire(std::uint32_t seq) {
    activation_.add_jobs()->mutable_fire_timer()->set_seq(seq);
    return *this;
  }
  template <typename T>
  Activate& ActivityDone(std::uint32_t seq, const T& value) {
    auto& job = *activation_.add_jobs()->mutable_resolve_activity();
    job.set_seq(seq);
    *job.mutable_result()->mutable_completed()->mutable_result() = core::Encode(value);
    return *this;
  }
  // As core reports it: an ActivityFailure with the application's failure as its cause.
  Activate& ActivityFailed(std::uint32_t seq, const std::string& message) {
    auto& job = *activation_.add_jobs()->mutable_resolve_activity();
    job.set_seq(seq);
    auto& failure = *job.mutable_result()->mutable_failed()->mutable_failure();
    failure.set_message("Activity task failed");
    failure.mutable_activity_failure_info();
    *failure.mutable_cause() = core::MakeApplicationFailure(message, "Boom", false);
    return *this;
  }
  Activate& ActivityCancelled(std::uint32_t seq) {
    auto& job = *activation_.add_jobs()->mutable_resolve_activity();
    job.set_seq(seq);
    auto& failure = *job.mutable_result()->mutable_cancelled()->mutable_failure();
    failure.set_message("Activity cancelled");
    failure.mutable_activity_failure_info();
    *failure.mutable_cause() = core::MakeCancelledFailure("cancelled");
    return *this;
  }
  Activate& ChildStarted(std::uint32_t seq) {
    auto& job = *activation_.add_jobs()->mutable_resolve_child_workflow_execution_start();
    job.set_seq(seq);
    job.mutable_succeeded()->set_run_id("child-run");
    return *this;
  }
  Activate& ChildNotStarted(std::uint32_t seq) {
    auto& job = *activation_.add_jobs()->mutable_resolve_child_workflow_execution_start();
    job.set_seq(seq);
    job.mutable_failed()->set_workflow_id("wf-1/child");
    job.mutable_failed()->set_cause(
        coresdk::child_workflow::
            START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE_WORKFLOW_ALREADY_EXISTS);
    return *this;
  }
  template <typename T>
  Activate& ChildDone(std::uint32_t seq, const T& value) {
    auto& job = *activation_.add_jobs()->mutable_resolve_child_workflow_execution();
    job.set_seq(seq);
    *job.mutable_result()->mutable_completed()->mutable_result() = core::Encode(value);
    return *this;
  }
  Activate& Cancel(const std::string& reason = "") {
    activation_.add_jobs()->mutable_cancel_workflow()->set_reason(reason);
    return *this;
  }
  Activate& Patch(const std::string& id) {
    activation_.add_jobs()->mutable_notify_has_patch()->set_patch_id(id);
    return *this;
  }
  Activate& Evict() {
    activation_.add_jobs()->mutable_remove_from_cache()->set_message("cache full");
    return *this;
  }
  // It stands where an activation is asked for.
  // NOLINTNEXTLINE(google-explicit-constructor)
  operator const core::Activation&() const { return activation_; }

 private:
  core::Activation activation_;
};

// The completion's commands as short words in their order, with what identifies each: "start_timer
// 1 5000ms", "schedule_activity 1 echo [7]", "complete 7"; or "task failed: message".
std::vector<std::string> Commands(const core::ActivationCompletion& completion);

}  // namespace squall::testing
