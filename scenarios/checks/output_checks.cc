// What programs write: lines that must or must not be there, and errors that must name their cause.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <regex>
#include <set>

#include "scenarios/checks/builders.h"
#include "scenarios/checks/tracks.h"

namespace squall::scenarios {
namespace {

using journal::Event;
using journal::LogEvent;
using journal::ProcessEvent;
using journal::RpcEvent;
using journal::WorkerEvent;
using enum ParamType;

constexpr std::array<std::string_view, 5> kLevels = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR"};

// -1 for a line whose level is not known.
int Severity(std::string_view level) {
  const auto it = std::find(kLevels.begin(), kLevels.end(), level);
  return it == kLevels.end() ? -1 : static_cast<int>(it - kLevels.begin());
}

std::string Shortened(std::string text, std::size_t bytes_max = 300) {
  if (text.size() <= bytes_max) return text;
  std::size_t cut = bytes_max;
  while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xc0U) == 0x80U)
    --cut;  // not inside a character
  return text.substr(0, cut) + "...";
}

// What log_seen and log_never share: which lines count.
struct LineFilter {
  std::string process, pattern, level;
  std::regex regex;

  explicit LineFilter(const Params& params)
      : process(params.Text("process")),
        pattern(params.Text("pattern")),
        level(params.Text("level", "any")),
        regex(pattern) {}

  bool OfProcess(const LogEvent& log) const { return process.empty() || log.process == process; }
  bool Matches(const LogEvent& log) const {
    if (!OfProcess(log)) return false;
    if (level != "any" && Severity(log.level) < Severity(level)) return false;
    return std::regex_search(log.line, regex);
  }
  std::string Describe() const {
    return fmt::format("/{}/{}{}", pattern, process.empty() ? "" : " of " + process,
                       level == "any" ? "" : fmt::format(" at {} or worse", level));
  }
};

// ----------------------------------------------------------------------------------------------------------------
// log_seen

class LogSeen final : public Checker {
 public:
  static StatusOr<std::unique_ptr<Checker>> Create(const Params& params) {
    std::optional<EventPattern> after;
    if (params.Has("after")) {
      SQUALL_ASSIGN_OR_RETURN(after, PatternOf(params, "after", ""));
    }
    return std::unique_ptr<Checker>(new LogSeen(params, std::move(after)));
  }

  void Observe(const Event& event) override {
    if (!from_ && after_ && after_->Matches(event)) from_ = event.time;
    const auto* log = event.As<LogEvent>();
    if (log == nullptr) return;
    if (filter_.OfProcess(*log)) ++lines_;
    if (!from_ || !filter_.Matches(*log) || event.time > *from_ + within_) return;
    if (++seen_ == 1) first_ = fmt::format("at {}: {}", At(event.time), Shortened(log->line));
  }

  std::optional<SteadyTime> NextDeadline() const override {
    if (!from_ || seen_ >= min_) return std::nullopt;
    return *from_ + within_;
  }

  Verdict Finish(SteadyTime end) const override {
    const std::string expected =
        fmt::format("a line {}{} within {} of {}", filter_.Describe(),
                    min_ == 1 ? "" : fmt::format(", {} times,", min_), FormatDuration(within_),
                    after_ ? after_->text() : "the start");
    if (!from_) return Unknown(expected, after_->text() + " never happened");
    if (seen_ >= min_) return Pass(expected, first_);
    const std::string happened =
        seen_ > 0 ? fmt::format("only {}, the first {}", Counted(seen_, "time"), first_)
                  : fmt::format("not among {}", Counted(lines_, "line"));
    if (end < *from_ + within_) {
      return Unknown(expected, happened + fmt::format(", when observation ended after {}",
                                                      FormatDuration(end - *from_)));
    }
    return Fail(expected, happened);
  }

 private:
  LogSeen(const Params& params, std::optional<EventPattern> after)
      : filter_(params),
        after_(std::move(after)),
        within_(params.Time("within")),
        min_(static_cast<std::size_t>(params.Int("min", 1))) {
    if (!after_) from_ = SteadyTime{};
  }

  LineFilter filter_;
  std::optional<EventPattern> after_;
  Duration within_;
  std::size_t min_, seen_ = 0, lines_ = 0;
  std::optional<SteadyTime> from_;
  std::string first_;
};

// ---------------------------------------------------------------------------------------------------------------
// log_never

class LogNever final : public Checker {
 public:
  explicit LogNever(const Params& params) : filter_(params) {}

  void Observe(const Event& event) override {
    const auto* log = event.As<LogEvent>();
    if (log == nullptr || !filter_.OfProcess(*log)) return;
    ++lines_;
    if (!filter_.Matches(*log)) return;
    if (++seen_ == 1) first_ = fmt::format("at {}: {}", At(event.time), Shortened(log->line));
  }

  Verdict Finish(SteadyTime) const override {
    const std::string expected = fmt::format("no line {}", filter_.Describe());
    if (seen_ > 0)
      return Fail(expected, fmt::format("{}, the first {}", Counted(seen_, "time"), first_));
    if (lines_ == 0) return Unknown(expected, "no output was seen at all");
    return Pass(expected, fmt::format("none among {}", Counted(lines_, "line")));
  }

 private:
  LineFilter filter_;
  std::size_t seen_ = 0, lines_ = 0;
  std::string first_;
};

// -------------------------------------------------------------------------------------------------------------
// error_names

class ErrorNames final : public Checker {
 public:
  static StatusOr<std::unique_ptr<Checker>> Create(const Params& params) {
    if (params.Texts("text").empty())
      return MakeStatus(StatusCode::kInvalidArgument, "text: at least one");
    std::optional<EventPattern> after;
    if (params.Has("after")) {
      SQUALL_ASSIGN_OR_RETURN(after, PatternOf(params, "after", ""));
    }
    return std::unique_ptr<Checker>(new ErrorNames(params, std::move(after)));
  }

  std::vector<std::string> Needs() const override {
    return after_ ? std::vector<std::string>{after_->kind()} : std::vector<std::string>{};
  }

  void Observe(const Event& event) override {
    if (after_ && !begun_ && after_->Matches(event)) begun_ = event.time;
    if (const auto* p = event.As<ProcessEvent>(); p != nullptr && p->process == process_) {
      Begin(event.time);
      if (p->what == "start_failed" || (p->what == "exited" && p->reason == "unexpected"))
        Error(event.time, p->detail);
    }
    if (const auto* w = event.As<WorkerEvent>(); w != nullptr && w->worker == process_) {
      Begin(event.time);
      if (w->what == "fatal" || w->what == "retrying" || w->what == "unhealthy")
        Error(event.time, w->detail);
    }
    if (const auto* r = event.As<RpcEvent>();
        r != nullptr && r->side == "client" && r->endpoint == process_) {
      Begin(event.time);
      if (r->code.value_or(0) != 0) Error(event.time, r->detail);
    }
    if (const auto* log = event.As<LogEvent>(); log != nullptr && log->process == process_) {
      Begin(event.time);
      // Lines whose level is not known count when they went to standard error.
      const int severity = Severity(log->level);
      if (severity >= Severity("WARN") || (severity < 0 && log->what == "stderr"))
        Error(event.time, log->line);
    }
  }

  std::optional<SteadyTime> NextDeadline() const override {
    if (named_ || !begun_) return std::nullopt;
    return *begun_ + within_;
  }

  Verdict Finish(SteadyTime end) const override {
    const std::string expected =
        fmt::format("an error of {} names {} within {}{}", process_, fmt::join(texts_, " and "),
                    FormatDuration(within_), after_ ? " of " + after_->text() : "");
    if (named_) return Pass(expected, fmt::format("at {}: {}", At(named_at_), Shortened(*named_)));
    if (!begun_)
      return Unknown(expected,
                     after_ ? after_->text() + " never happened" : "nothing was seen of it");
    if (end < *begun_ + within_) return Unknown(expected, "not yet, when observation ended");
    if (errors_ == 0) return Fail(expected, "it reported no error");
    return Fail(expected, fmt::format("none of {} does, the last: {}", Counted(errors_, "error"),
                                      Shortened(last_)));
  }

 private:
  ErrorNames(const Params& params, std::optional<EventPattern> after)
      : process_(params.Text("process")),
        texts_(params.Texts("text")),
        after_(std::move(after)),
        within_(params.Time("within")) {}

  void Begin(SteadyTime time) {
    if (!begun_ && !after_) begun_ = time;
  }

  void Error(SteadyTime at, const std::string& text) {
    if (text.empty()) return;
    ++errors_;
    last_ = text;
    if (named_ || !begun_ || at > *begun_ + within_) return;
    if (std::all_of(texts_.begin(), texts_.end(),
                    [&](const std::string& t) { return text.find(t) != std::string::npos; })) {
      named_ = text;
      named_at_ = at;
    }
  }

  std::string process_;
  std::vector<std::string> texts_;
  std::optional<EventPattern> after_;
  Duration within_;
  std::optional<SteadyTime> begun_;  // `after`, or first sight of it
  std::size_t errors_ = 0;
  std::string last_;
  std::optional<std::string> named_;
  SteadyTime named_at_{};
};

}  // namespace

std::vector<CheckKind> OutputChecks() {
  const ParamSpec process{.name = "process", .type = kNode, .doc = "Whose output; unset: of all."};
  const ParamSpec pattern{.name = "pattern",
                          .type = kRegex,
                          .doc = "Regular expression to be found in the line.",
                          .required = true};
  const ParamSpec level{.name = "level",
                        .type = kWord,
                        .doc = "Only lines known to be of this level or a worse one.",
                        .default_text = "any",
                        .words = {"any", "TRACE", "DEBUG", "INFO", "WARN", "ERROR"}};
  return {
      {.definition = {.name = "log_seen",
                      .doc = "A line of output is written in time.",
                      .params = {process,
                                 pattern,
                                 level,
                                 {.name = "min",
                                  .type = kInt,
                                  .doc = "How many such lines.",
                                  .default_text = "1",
                                  .min = 1},
                                 {.name = "within",
                                  .type = kDuration,
                                  .doc = "Time allowed; it is waited for.",
                                  .default_text = "10s",
                                  .upper_limit = true},
                                 {.name = "after",
                                  .type = kText,
                                  .doc = "The event that starts the time, its first occurrence: "
                                         "fault.injected. Unset: the start of the run."}},
                      .needs = {"log"}},
       .nothing_seen = "fail when no such line was seen; unknown when `after` never happened",
       .example = "- log_seen: {process: w, pattern: 'shutting down', within: 5s, after: "
                  "process.signalled process=w}",
       .make = &LogSeen::Create},
      {.definition = {.name = "log_never",
                      .doc = "A line of output is never written.",
                      .params = {process, pattern, level},
                      .needs = {"log"}},
       .nothing_seen = "unknown when there was no output at all",
       .example = "- log_never: {process: w, pattern: 'secret-[a-z]+'}",
       .make = Make<LogNever>},
      {.definition = {.name = "error_names",
                      .doc = "Of the errors that a program reports (its `fatal`, `retrying` and "
                             "`unhealthy` lines, log lines at WARN or worse, "
                             "standard error, its last lines when it ends unasked; for a client of "
                             "squall, its failed calls) one contains all "
                             "these texts: the cause is named, not just felt.",
                      .params = {{.name = "process",
                                  .type = kNode,
                                  .doc = "The worker, server or client.",
                                  .required = true},
                                 {.name = "text",
                                  .type = kTextList,
                                  .doc = "Texts, all to be found in the same error.",
                                  .required = true},
                                 {.name = "within",
                                  .type = kDuration,
                                  .doc = "Time allowed from `after`.",
                                  .default_text = "30s",
                                  .upper_limit = true},
                                 {.name = "after",
                                  .type = kText,
                                  .doc = "The event that starts the time, its first occurrence: "
                                         "worker.connecting worker=w. Unset: its start (for a "
                                         "client: its first call)."}},
                      .needs = {}},
       .nothing_seen =
           "fail when it ran and reported no error; unknown when nothing was seen of it",
       .example = "- error_names: {process: w, text: [orders, not found]}",
       .make = &ErrorNames::Create},
  };
}

}  // namespace squall::scenarios
