// 2,000 connections with 10,000 polls.

#include <fmt/core.h>

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/load/proofs.h"
#include "tests/load/requests.h"
#include "tests/load/server.h"

namespace squall::load {
namespace {

constexpr Duration kPollLimit = std::chrono::minutes(3);
constexpr Duration kPatience = std::chrono::milliseconds(20);  // between two looks at /proc

class PollProof {
 public:
  PollProof(harness::AsioExecutor& executor, const PollSettings& settings, Server& server)
      : executor_(executor),
        settings_(settings),
        server_(server),
        connections_(executor, server.port(), settings.connections),
        // Starts and completions have their own, which stay.
        clients_(executor, server.port(), 8) {}

  Status Run() {
    const double empty = server_.private_mib();
    fmt::print("| private memory, nobody connected | {:.1f} MiB |\n", empty);
    SteadyTime start = executor_.clock().Now();
    SQUALL_RETURN_IF_ERROR(connections_.ConnectAll(kPollLimit));
    SQUALL_RETURN_IF_ERROR(clients_.ConnectAll(kPollLimit));
    const double connected = server_.private_mib();
    fmt::print("| {} connections established | {:.0f} ms, {:.1f} MiB, {:.1f} KiB each |\n",
               connections_.size(), Millis(executor_.clock().Now() - start), connected,
               PerItem(connected - empty, connections_.size()));

    start = executor_.clock().Now();
    const double cpu = server_.cpu_ms();
    SQUALL_RETURN_IF_ERROR(PollOn(All()));
    const double holding = server_.private_mib();
    fmt::print(
        "| {} polls held | {:.0f} ms, {:.0f} ms CPU of the server, {:.1f} MiB, {:.1f} KiB each |\n",
        settings_.polls, Millis(executor_.clock().Now() - start), server_.cpu_ms() - cpu, holding,
        PerItem(holding - connected, settings_.polls));
    SQUALL_RETURN_IF_ERROR(JustHold());

    SQUALL_RETURN_IF_ERROR(Release("all of them", settings_.polls));
    SQUALL_RETURN_IF_ERROR(LoseConnections());
    SQUALL_RETURN_IF_ERROR(LoseStreams());

    for (std::size_t i = 0; i < connections_.size(); ++i) connections_.Close(i);
    SQUALL_RETURN_IF_ERROR(AwaitDescriptors(base_descriptors_));
    fmt::print("| all connections closed, {} workflows kept | {:.1f} MiB |\n", tasks_.size(),
               server_.private_mib());
    return server_.alive();
  }

 private:
  static double PerItem(double mib, std::size_t items) {
    return mib * 1024 / static_cast<double>(items);
  }
  std::string QueueOf(std::size_t slot) const {
    return fmt::format("q{}", slot % settings_.queues);
  }
  std::vector<std::size_t> All() const {
    std::vector<std::size_t> slots(connections_.size());
    for (std::size_t i = 0; i < slots.size(); ++i) slots[i] = i;
    return slots;
  }

  // Each of the slots gets its share of polls; returns when the server holds them: a call behind
  // them on the same connection is answered, and none of them is.
  Status PollOn(const std::vector<std::size_t>& slots) {
    const std::size_t each = settings_.polls / settings_.connections;
    for (const std::size_t slot : slots) {
      for (std::size_t i = 0; i < each; ++i) {
        ++polling_;
        connections_.Call(slot, "PollWorkflowTaskQueue", PollRequest(QueueOf(slot)), kPollTimeout,
                          [this](const wire::GrpcResponse& response) { Polled(response); });
      }
    }
    return Fence(slots, slots.size() * each);
  }

  Status Fence(const std::vector<std::size_t>& slots, std::size_t held) {
    std::size_t answered = 0;
    for (const std::size_t slot : slots) {
      connections_.Call(slot, "GetSystemInfo", ws::GetSystemInfoRequest(), kCallTimeout,
                        [this, &answered](const wire::GrpcResponse& response) {
                          ++answered;
                          errors_.Saw(response);
                        });
    }
    if (!executor_.RunUntil([&] { return answered == slots.size(); }, kPollLimit))
      return absl::DeadlineExceededError("the server does not answer behind the polls");
    SQUALL_RETURN_IF_ERROR(errors_.status("calls"));
    if (polling_ != held)
      return MakeStatus(StatusCode::kInternal, "{} polls are held, not {}", polling_, held);
    return absl::OkStatus();
  }

  void Polled(const wire::GrpcResponse& response) {
    --polling_;
    if (leaving_) return;
    if (errors_.Saw(response)) return;
    ws::PollWorkflowTaskQueueResponse task;
    if (!task.ParseFromString(response.message) || task.task_token().empty()) {
      ++empty_;
      return;
    }
    if (task.attempt() != 1 || !tasks_.insert(task.workflow_execution().run_id()).second) ++twice_;
    ws::RespondWorkflowTaskCompletedRequest request;
    request.set_namespace_("default");
    request.set_task_token(task.task_token());
    *request.add_commands() = CompleteWorkflow();
    clients_.Call(next_client_++ % clients_.size(), "RespondWorkflowTaskCompleted", request,
                  kCallTimeout, [this](const wire::GrpcResponse& completed) {
                    if (!errors_.Saw(completed)) ++completed_;
                  });
  }

  Status JustHold() {
    const double cpu = server_.cpu_ms();
    executor_.RunUntil([] { return false; }, settings_.held);
    if (polling_ != settings_.polls)
      return MakeStatus(StatusCode::kInternal, "{} polls ended without work",
                        settings_.polls - polling_);
    fmt::print("| held for {:.0f} s | {:.0f} ms CPU of the server |\n",
               Millis(settings_.held) / 1000, server_.cpu_ms() - cpu);
    return absl::OkStatus();
  }

  // As many workflows as there are polls, spread over the queues as they are: each poll has a task,
  // each workflow is completed.
  Status Release(std::string_view what, std::size_t polls) {
    const std::size_t before = completed_;
    const double cpu = server_.cpu_ms();
    const SteadyTime start = executor_.clock().Now();
    Window starts(executor_, polls, 200, [this](std::size_t n, Connections::Done done) {
      const std::string id = fmt::format("w{}", ++started_);
      clients_.Call(n % clients_.size(), "StartWorkflowExecution",
                    StartRequest(id, fmt::format("q{}", n % settings_.queues)), kCallTimeout,
                    std::move(done));
    });
    SQUALL_RETURN_IF_ERROR(starts.Run(kPollLimit));
    const bool all = executor_.RunUntil(
        [&] { return completed_ - before == polls || errors_.count != 0; }, kPollLimit);
    SQUALL_RETURN_IF_ERROR(errors_.status("calls"));
    if (!all || polling_ != 0 || empty_ != 0 || twice_ != 0 || tasks_.size() != started_) {
      return MakeStatus(
          StatusCode::kInternal,
          "{}: {} of {} workflows completed; {} polls left, {} empty, {} tasks twice, "
          "{} of {} tasks in all",
          what, completed_ - before, polls, polling_, empty_, twice_, tasks_.size(), started_);
    }
    const double cpu_ms = server_.cpu_ms() - cpu;
    fmt::print(
        "| released by {} workflows, {} | {:.0f} ms; {:.3f} ms CPU of the server each; no "
        "poll lost |\n",
        polls, what, Millis(executor_.clock().Now() - start), cpu_ms / static_cast<double>(polls));
    return absl::OkStatus();
  }

  // Every second connection of each queue is closed while its polls are held.
  Status LoseConnections() {
    base_descriptors_ = server_.descriptors() - static_cast<int>(connections_.size());
    SQUALL_RETURN_IF_ERROR(PollOn(All()));
    leaving_ = true;
    for (const std::size_t slot : All()) {
      if (Closes(slot)) connections_.Close(slot);
    }
    leaving_ = false;
    const std::size_t rest = connections_.size() / 2;
    SQUALL_RETURN_IF_ERROR(AwaitDescriptors(base_descriptors_ + static_cast<int>(rest)));
    return Release(fmt::format("after {} connections with {} more polls were closed",
                               connections_.size() - rest, settings_.polls / 2),
                   settings_.polls / 2);
  }

  // The polls of the rest are reset, and made again.
  Status LoseStreams() {
    std::vector<std::size_t> rest;
    for (const std::size_t slot : All()) {
      if (!Closes(slot)) rest.push_back(slot);
    }
    SQUALL_RETURN_IF_ERROR(PollOn(rest));
    leaving_ = true;
    for (const std::size_t slot : rest) connections_.CancelCalls(slot);
    leaving_ = false;
    SQUALL_RETURN_IF_ERROR(PollOn(rest));
    return Release(fmt::format("after {} polls were reset and made again", settings_.polls / 2),
                   settings_.polls / 2);
  }

  bool Closes(std::size_t slot) const { return slot / settings_.queues % 2 == 0; }

  // Until the server has closed its ends.
  Status AwaitDescriptors(int count) {
    const SteadyTime give_up = executor_.clock().Now() + std::chrono::seconds(30);
    while (server_.descriptors() > count) {
      if (executor_.clock().Now() > give_up)
        return MakeStatus(StatusCode::kDeadlineExceeded, "the server has {} descriptors, not {}",
                          server_.descriptors(), count);
      executor_.RunUntil([] { return false; }, kPatience);
    }
    return absl::OkStatus();
  }

  harness::AsioExecutor& executor_;
  const PollSettings settings_;
  Server& server_;
  Connections connections_, clients_;
  Errors errors_;
  std::set<std::string> tasks_;  // run ids that came to a poll
  std::size_t started_ = 0, completed_ = 0, polling_ = 0, empty_ = 0, twice_ = 0;
  std::size_t next_client_ = 0;
  bool leaving_ = false;  // polls end because we end them
  int base_descriptors_ = 0;
};

}  // namespace

Status ProvePolls(harness::AsioExecutor& executor, const PollSettings& settings) {
  if (settings.polls % settings.connections != 0 ||
      settings.connections % (2 * settings.queues) != 0) {
    return absl::InvalidArgumentError(
        "polls must be a multiple of connections, and these an even multiple of queues");
  }
  SQUALL_ASSIGN_OR_RETURN(const std::unique_ptr<Server> server, Server::Start(executor));
  return PollProof(executor, settings, *server).Run();
}

}  // namespace squall::load
