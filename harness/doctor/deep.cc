#include "harness/doctor/deep.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "base/util/text.h"
#include "harness/doctor/converse.h"
#include "harness/doctor/worker_calls.h"

namespace squall::doctor {
namespace {

// Certificates and tokens, and what a user reads in histories, suffer from more.
constexpr auto kTolerableSkew = std::chrono::seconds(5);
constexpr auto kSlowCall = std::chrono::milliseconds(500);

class DeepProbe {
 public:
  DeepProbe(const Probe& probe, Rpc& rpc, const DeepOptions& options)
      : probe_(probe),
        rpc_(rpc),
        options_(options),
        own_("squall-doctor-" + options.tag + "-deep") {}

  bool Run() {
    const WallTime polled_at = probe_.executor.clock().WallNow();
    began_ = probe_.Now();
    CallPtr poll = BeginPoll();
    if (!Latency() || !Message() || !Skew(polled_at)) return false;
    if (!LongPoll(*poll, began_)) return false;
    const Duration lasted = probe_.Now() - began_;
    probe_.Ok(Layer::kPath, "long poll",
              fmt::format("held for {} and answered", FormatDuration(lasted)), lasted);
    while (!rpc_.going_away() && probe_.Now() - began_ < options_.hold) {
      const SteadyTime polled = probe_.Now();
      poll = BeginPoll();
      if (!LongPoll(*poll, polled)) return false;
    }
    TellAge();
    return true;
  }

 private:
  CallPtr Begin(std::string_view method, std::string request, Duration timeout) {
    return rpc_.Start(Rpc::kWorkflowService, method, std::move(request), timeout);
  }
  CallPtr BeginPoll() {
    return Begin("PollWorkflowTaskQueue", PollRequest(probe_.target.ns, own_), options_.poll);
  }
  bool Await(const CallPtr& call) {
    probe_.Wait([&] { return call->done || rpc_.channel().over(); }, probe_.limits.call * 5);
    return call->done;
  }

  bool Latency() {
    std::vector<Duration> times;
    for (int i = 0; i < options_.calls; ++i) {
      const CallPtr call = Begin("GetSystemInfo", "", probe_.limits.call * 5);
      if (!Await(call) || !call->response.status.ok()) {
        probe_.Fail(Layer::kPath, "latency", "grpc.failing",
                    fmt::format("call {} of {} was not answered", i + 1, options_.calls));
        return false;
      }
      times.push_back(call->took);
    }
    std::ranges::sort(times);
    const Duration middle = times[times.size() / 2];
    const bool slow = middle > kSlowCall;
    probe_.diagnosis.Row(
        Layer::kPath, "latency", slow ? State::kWarn : State::kOk,
        fmt::format("{} calls: median {}, nine of ten below {}, slowest {}", times.size(),
                    FormatDuration(middle), FormatDuration(times[times.size() * 9 / 10]),
                    FormatDuration(times.back())));
    return true;
  }

  bool Message() {
    const CallPtr call = Begin("RecordActivityTaskHeartbeat",
                               LargeHeartbeat(probe_.target.ns, own_, options_.message_bytes),
                               probe_.limits.call * 5);
    const std::string size =
        fmt::format("{:.1f} MB", static_cast<double>(options_.message_bytes) / 1e6);
    if (!Await(call) || (call->response.http_status != 200 && !call->response.status.ok())) {
      probe_.Fail(Layer::kPath, "message size", "grpc.message_limit",
                  fmt::format("a message of {} {}", size,
                              call->done && call->response.http_status != 0
                                  ? fmt::format("is answered HTTP {}", call->response.http_status)
                                  : "is not answered"));
      return false;
    }
    if (call->response.status.code == static_cast<int>(StatusCode::kResourceExhausted)) {
      probe_.Fail(Layer::kPath, "message size", "grpc.message_limit",
                  fmt::format("a message of {} is answered {}", size,
                              EscapeControl(call->response.status.message)));
      return false;
    }
    probe_.Ok(Layer::kPath, "message size", fmt::format("{} pass", size), call->took);
    return true;
  }

  // When the server says that our poll came, beside when we sent it.
  bool Skew(WallTime polled_at) {
    const CallPtr call =
        Begin("DescribeTaskQueue", DescribeTaskQueueRequest(probe_.target.ns, own_, false),
              probe_.limits.call * 5);
    std::optional<WallTime> seen;
    if (Await(call) && call->response.status.ok()) {
      if (const auto info = ReadQueue(call->response.message); info.ok()) {
        for (const Poller& one : info->pollers) seen = one.last_access;
      }
    }
    if (!seen) {
      probe_.diagnosis.Row(Layer::kPath, "clock", State::kSkipped, "could not tell");
      return true;
    }
    const Duration ahead = *seen - polled_at;
    const bool skewed = ahead > kTolerableSkew || ahead < -kTolerableSkew;
    const std::string text = fmt::format("the server's clock is {} {} this one",
                                         FormatDuration(ahead < Duration::zero() ? -ahead : ahead),
                                         ahead < Duration::zero() ? "behind" : "ahead of");
    probe_.diagnosis.Row(Layer::kPath, "clock", skewed ? State::kWarn : State::kOk, text);
    if (skewed) probe_.diagnosis.Add("grpc.clock_skew", Weight::kNotice, text);
    return true;
  }

  // Until the poll is answered; its connection is looked after meanwhile.
  bool LongPoll(const Call& poll, SteadyTime began) {
    const auto settled = [&] {
      if (rpc_.going_away() && !goaway_) goaway_ = probe_.Now();
      return poll.done || rpc_.channel().over();
    };
    while (!settled() && probe_.Now() - began < options_.poll) {
      if (probe_.Wait(settled,
                      std::min(options_.ping_interval, options_.poll - (probe_.Now() - began))))
        break;
      rpc_.Ping();
      if (!probe_.Wait([&] { return rpc_.TakePingAck() || settled(); }, options_.ping_limit)) {
        probe_.Fail(Layer::kPath, "keepalive", "http.keepalive",
                    fmt::format("a PING after {} is not answered within {}",
                                FormatDuration(probe_.Now() - began_),
                                FormatDuration(options_.ping_limit)));
        return false;
      }
    }
    if (poll.done && poll.response.status.ok()) return true;
    TellCut(poll, probe_.Now() - began);
    return false;
  }

  void TellCut(const Call& poll, Duration lasted) {
    const Duration age = probe_.Now() - began_;
    if (rpc_.going_away()) {
      return probe_.Fail(Layer::kPath, "long poll", "http.goaway",
                         fmt::format("GOAWAY after {}: {}", FormatDuration(age),
                                     EscapeControl(poll.response.status.message)),
                         age);
    }
    std::string how = "nothing is answered";
    if (rpc_.channel().over())
      how = rpc_.channel().state() == Channel::State::kReset ? "the connection is reset"
                                                             : "the connection is ended";
    else if (poll.done && poll.response.http_status != 0 && poll.response.http_status != 200)
      how = fmt::format("it is answered HTTP {}", poll.response.http_status);
    else if (poll.done)
      how = fmt::format("it is answered {}", CodeName(poll.response.status.code));
    const std::string of =
        age == lasted ? "" : fmt::format(", the connection's age {}", FormatDuration(age));
    probe_.Fail(
        Layer::kPath, "long poll", "grpc.poll_cut",
        fmt::format("a poll that no task came for: after {} {}{}", FormatDuration(lasted), how, of),
        lasted);
  }

  void TellAge() {
    const std::string text =
        rpc_.going_away()
            ? fmt::format("the server ends the connection after {}, and answers what it holds",
                          FormatDuration(goaway_.value_or(probe_.Now()) - began_))
            : fmt::format("no GOAWAY within {}", FormatDuration(probe_.Now() - began_));
    probe_.Ok(Layer::kPath, "connection age", text);
  }

  const Probe& probe_;
  Rpc& rpc_;
  const DeepOptions& options_;
  const std::string own_;
  SteadyTime began_{};                // of the first poll
  std::optional<SteadyTime> goaway_;  // when it was seen
};

}  // namespace

bool ProbeDeep(const Probe& probe, Rpc& rpc, const DeepOptions& options) {
  return DeepProbe(probe, rpc, options).Run();
}

}  // namespace squall::doctor
