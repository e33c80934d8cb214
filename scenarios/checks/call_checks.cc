// What callers are told, and how soon.

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "scenarios/checks/builders.h"
#include "scenarios/checks/tracks.h"

namespace squall::scenarios {
namespace {

using journal::Event;
using journal::RpcEvent;
using enum ParamType;

// The calls that clients made of one method, from an event on and until another one.
class Calls {
 public:
  struct Call {
    SteadyTime ended;
    int code = 0;
    Duration latency{};
    std::string detail;
  };

  static StatusOr<Calls> Create(const Params& params) {
    Calls calls;
    calls.method_ = params.Text("method");
    calls.client_ = params.Text("client");
    if (params.Has("after")) {
      SQUALL_ASSIGN_OR_RETURN(calls.after_, PatternOf(params, "after", ""));
    }
    if (params.Has("until")) {
      SQUALL_ASSIGN_OR_RETURN(calls.until_, PatternOf(params, "until", ""));
    }
    calls.from_ = calls.after_ ? std::nullopt : std::optional<SteadyTime>(SteadyTime::min());
    return calls;
  }

  void Observe(const Event& event) {
    if (const auto* r = event.As<RpcEvent>()) {
      if (r->side != "client" || r->method != method_ ||
          (!client_.empty() && r->endpoint != client_))
        return;
      if (r->what != "answered" && r->what != "failed") return;
      // A call belongs to the time in which it began.
      const SteadyTime began = event.time - r->latency;
      if (!from_ || began < *from_ || (to_ && began > *to_)) return;
      calls_.push_back(
          {event.time, r->code.value_or(r->what == "answered" ? 0 : 2), r->latency, r->detail});
      return;
    }
    if (!from_ && after_ && after_->Matches(event)) from_ = event.time;
    if (from_ && !to_ && until_ && until_->Matches(event)) to_ = event.time;
  }

  const std::vector<Call>& calls() const { return calls_; }
  bool begun() const { return from_.has_value(); }
  std::string Describe() const {
    std::string text = method_;
    if (!client_.empty()) text += " by " + client_;
    if (after_) text += " after " + after_->text();
    if (until_) text += " until " + until_->text();
    return text;
  }
  std::string NotBegun() const { return after_ ? after_->text() + " never happened" : ""; }

 private:
  std::string method_, client_;
  std::optional<EventPattern> after_, until_;
  std::optional<SteadyTime> from_, to_;
  std::vector<Call> calls_;
};

std::string DescribeCall(const Calls::Call& call) {
  return fmt::format("{} after {}{}{}", CodeName(call.code), FormatDuration(call.latency),
                     call.detail.empty() ? "" : ": ", call.detail);
}

// ---------------------------------------------------------------------------------------------------------------
// rpc_fails

class RpcFails final : public Checker {
 public:
  static StatusOr<std::unique_ptr<Checker>> Create(const Params& params) {
    std::set<int> codes;
    for (const std::string& name : params.Texts("code")) {
      const int code = CodeFromName(name);
      if (code <= 0) {
        return MakeStatus(StatusCode::kInvalidArgument,
                          "code: '{}' is no gRPC status of a failure: UNAVAILABLE, NOT_FOUND, ...",
                          name);
      }
      codes.insert(code);
    }
    SQUALL_ASSIGN_OR_RETURN(Calls calls, Calls::Create(params));
    return std::unique_ptr<Checker>(new RpcFails(params, std::move(codes), std::move(calls)));
  }

  void Observe(const Event& event) override { calls_.Observe(event); }

  Verdict Finish(SteadyTime) const override {
    std::vector<std::string> names;
    for (const int code : codes_) names.emplace_back(CodeName(code));
    const std::string expected =
        fmt::format("{} fails within {}{}{}", calls_.Describe(), FormatDuration(within_),
                    names.empty() ? "" : " with ", fmt::join(names, " or "));
    if (!calls_.begun()) return Unknown(expected, calls_.NotBegun());
    if (calls_.calls().empty()) return Unknown(expected, "it was never called");
    std::size_t failed = 0;
    Duration slowest{};
    for (const Calls::Call& call : calls_.calls()) {
      if (call.code == 0) continue;
      ++failed;
      slowest = std::max(slowest, call.latency);
      if (call.latency > within_ || (!codes_.empty() && !codes_.contains(call.code)))
        return Fail(expected, DescribeCall(call));
    }
    if (failed == 0)
      return Fail(expected, fmt::format("{} succeeded", Counted(calls_.calls().size(), "call")));
    if (all_ && failed < calls_.calls().size()) {
      return Fail(expected, fmt::format("only {} of {} failed", failed,
                                        Counted(calls_.calls().size(), "call")));
    }
    return Pass(expected, fmt::format("{} failed, the slowest after {}", Counted(failed, "call"),
                                      FormatDuration(slowest)));
  }

 private:
  RpcFails(const Params& params, std::set<int> codes, Calls calls)
      : within_(params.Time("within")),
        all_(params.Bool("all")),
        codes_(std::move(codes)),
        calls_(std::move(calls)) {}

  Duration within_;
  bool all_;
  std::set<int> codes_;
  Calls calls_;
};

// ------------------------------------------------------------------------------------------------------------
// rpc_succeeds

class RpcSucceeds final : public Checker {
 public:
  static StatusOr<std::unique_ptr<Checker>> Create(const Params& params) {
    SQUALL_ASSIGN_OR_RETURN(Calls calls, Calls::Create(params));
    return std::unique_ptr<Checker>(new RpcSucceeds(params, std::move(calls)));
  }

  void Observe(const Event& event) override { calls_.Observe(event); }

  Verdict Finish(SteadyTime) const override {
    const std::string expected =
        fmt::format("{} succeeds within {}{}", calls_.Describe(), FormatDuration(within_),
                    all_ ? ", every time" : ", at the last call");
    if (!calls_.begun()) return Unknown(expected, calls_.NotBegun());
    if (calls_.calls().empty()) return Unknown(expected, "it was never called");
    const std::size_t first = all_ ? 0 : calls_.calls().size() - 1;
    for (std::size_t i = first; i < calls_.calls().size(); ++i) {
      const Calls::Call& call = calls_.calls()[i];
      if (call.code != 0 || call.latency > within_) return Fail(expected, DescribeCall(call));
    }
    return Pass(expected,
                fmt::format("{} of {} OK, the last after {}", calls_.calls().size() - first,
                            Counted(calls_.calls().size(), "call"),
                            FormatDuration(calls_.calls().back().latency)));
  }

 private:
  RpcSucceeds(const Params& params, Calls calls)
      : within_(params.Time("within")), all_(params.Bool("all")), calls_(std::move(calls)) {}

  Duration within_;
  bool all_;
  Calls calls_;
};

}  // namespace

std::vector<CheckKind> CallChecks() {
  const ParamSpec method{.name = "method",
                         .type = kText,
                         .doc = "The method: StartWorkflowExecution.",
                         .required = true};
  const ParamSpec client{
      .name = "client", .type = kClient, .doc = "Whose calls; unset: of every client of squall."};
  const ParamSpec after{.name = "after",
                        .type = kText,
                        .doc = "Only calls that began after the first such event: fault.injected."};
  const ParamSpec until{.name = "until",
                        .type = kText,
                        .doc = "Only calls that began before the first such event after `after`."};
  return {
      {.definition = {.name = "rpc_fails",
                      .doc = "Calls of squall's own clients fail, fast and with the status "
                             "expected: at least one fails, and every one that "
                             "fails does so in time and with such a status.",
                      .params = {method,
                                 client,
                                 {.name = "code",
                                  .type = kTextList,
                                  .doc = "Statuses allowed: UNAVAILABLE; unset: any failure."},
                                 {.name = "within",
                                  .type = kDuration,
                                  .doc = "Longest time to the failure.",
                                  .required = true,
                                  .upper_limit = true},
                                 {.name = "all",
                                  .type = kBool,
                                  .doc = "No call may succeed.",
                                  .default_text = "false"},
                                 after,
                                 until},
                      .needs = {"rpc"}},
       .nothing_seen = "unknown when it was never called; fail when every call succeeded",
       .example = "- rpc_fails: {method: StartWorkflowExecution, within: 10s, code: UNAVAILABLE}",
       .make = &RpcFails::Create},
      {.definition = {.name = "rpc_succeeds",
                      .doc = "The last call of a client of squall succeeds (or, with `all`, every "
                             "one), in time.",
                      .params = {method,
                                 client,
                                 {.name = "within",
                                  .type = kDuration,
                                  .doc = "Longest time to the answer.",
                                  .default_text = "10s",
                                  .upper_limit = true},
                                 {.name = "all",
                                  .type = kBool,
                                  .doc = "Every call must.",
                                  .default_text = "false"},
                                 after,
                                 until},
                      .needs = {"rpc"}},
       .nothing_seen = "unknown when it was never called",
       .example =
           "- rpc_succeeds: {method: StartWorkflowExecution, within: 2s, after: fault.healed}",
       .make = &RpcSucceeds::Create},
  };
}

}  // namespace squall::scenarios
