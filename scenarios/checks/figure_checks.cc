// Figures and texts in what programs write: bounds, growth, and agreement between programs.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "scenarios/checks/builders.h"
#include "scenarios/checks/tracks.h"

namespace squall::scenarios {
namespace {

using journal::Event;
using journal::LogEvent;
using enum ParamType;

Status OneGroup(const std::regex& regex, std::string_view pattern) {
  if (regex.mark_count() == 1) return absl::OkStatus();
  return MakeStatus(StatusCode::kInvalidArgument,
                    "pattern: '{}' must have exactly one (group): what is looked at", pattern);
}

// -------------------------------------------------------------------------------------------------------------
// figure

class Figure final : public Checker {
 public:
  static StatusOr<std::unique_ptr<Checker>> Create(const Params& params) {
    auto checker = std::unique_ptr<Figure>(new Figure(params));
    SQUALL_RETURN_IF_ERROR(OneGroup(checker->regex_, checker->pattern_));
    if (!checker->at_most_ && !checker->at_least_) {
      return MakeStatus(StatusCode::kInvalidArgument, "give `at_most`, `at_least` or both");
    }
    return std::unique_ptr<Checker>(std::move(checker));
  }

  void Observe(const Event& event) override {
    const auto* log = event.As<LogEvent>();
    if (log == nullptr || log->process != process_) return;
    std::smatch match;
    if (!std::regex_search(log->line, match, regex_)) return;
    const std::string text = match[1].str();
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) {
      if (unreadable_.empty()) unreadable_ = text;
      return;
    }
    if (skip_ > 0) {
      --skip_;
      return;
    }
    values_.push_back(value);
  }

  Verdict Finish(SteadyTime) const override {
    std::string bounds;
    if (at_least_) bounds += fmt::format(" at least {:g}", *at_least_);
    if (at_most_) bounds += fmt::format("{} at most {:g}", at_least_ ? " and" : "", *at_most_);
    const std::string expected =
        fmt::format("{} of what {} writes as /{}/:{}", Which(), process_, pattern_, bounds);
    if (!unreadable_.empty()) return Fail(expected, fmt::format("'{}' is no number", unreadable_));
    if (values_.size() < min_) {
      return Unknown(expected,
                     fmt::format("{} of at least {}", Counted(values_.size(), "figure"), min_));
    }
    std::vector<double> sorted = values_;
    std::sort(sorted.begin(), sorted.end());
    const double median = sorted[sorted.size() / 2];
    const std::string told =
        fmt::format("{}: first {:g}, last {:g}, lowest {:g}, median {:g}, highest {:g}",
                    Counted(values_.size(), "figure"), values_.front(), values_.back(),
                    sorted.front(), median, sorted.back());
    const auto inside = [&](double value) {
      return (!at_most_ || value <= *at_most_) && (!at_least_ || value >= *at_least_);
    };
    bool good = false;
    if (of_ == "all") good = inside(sorted.front()) && inside(sorted.back());
    if (of_ == "lowest") good = inside(sorted.front());
    if (of_ == "median") good = inside(median);
    if (of_ == "last") good = inside(values_.back());
    if (of_ == "growth") good = inside(values_.back() - values_.front());
    return good ? Pass(expected, told) : Fail(expected, told);
  }

 private:
  explicit Figure(const Params& params)
      : process_(params.Text("process")),
        pattern_(params.Text("pattern")),
        of_(params.Text("of", "all")),
        regex_(pattern_),
        skip_(params.Int("skip", 0)),
        min_(static_cast<std::size_t>(params.Int("min", 1))) {
    if (params.Has("at_most")) at_most_ = params.Number("at_most");
    if (params.Has("at_least")) at_least_ = params.Number("at_least");
  }

  std::string Which() const {
    if (of_ == "all") return "every figure";
    if (of_ == "growth") return "the last figure less the first";
    return fmt::format("the {} figure", of_);
  }

  std::string process_, pattern_, of_;
  std::regex regex_;
  std::optional<double> at_most_, at_least_;
  std::int64_t skip_;
  std::size_t min_;
  std::vector<double> values_;
  std::string unreadable_;
};

// -----------------------------------------------------------------------------------------------------------
// same_text

class SameText final : public Checker {
 public:
  static StatusOr<std::unique_ptr<Checker>> Create(const Params& params) {
    auto checker = std::unique_ptr<SameText>(new SameText(params));
    SQUALL_RETURN_IF_ERROR(OneGroup(checker->regex_, checker->pattern_));
    if (checker->processes_.size() < 2)
      return MakeStatus(StatusCode::kInvalidArgument, "processes: at least two");
    return std::unique_ptr<Checker>(std::move(checker));
  }

  void Observe(const Event& event) override {
    const auto* log = event.As<LogEvent>();
    if (log == nullptr ||
        std::find(processes_.begin(), processes_.end(), log->process) == processes_.end())
      return;
    std::smatch match;
    if (std::regex_search(log->line, match, regex_)) seen_[log->process].push_back(match[1].str());
  }

  Verdict Finish(SteadyTime) const override {
    const std::string expected =
        fmt::format("what {} write as /{}/ is the same", Listed(processes_, 10), pattern_);
    std::vector<std::string> silent, told;
    std::optional<std::string> first;
    bool differ = false;
    for (const std::string& process : processes_) {
      const auto it = seen_.find(process);
      if (it == seen_.end()) {
        silent.push_back(process);
        continue;
      }
      for (const std::string& text : it->second) {
        if (!first) first = text;
        differ = differ || text != *first;
      }
      told.push_back(fmt::format("{}: {}", process, Listed(it->second)));
    }
    if (differ) return Fail(expected, fmt::format("{}", fmt::join(told, "; ")));
    if (!silent.empty()) return Unknown(expected, "no such line of " + Listed(silent));
    return Pass(expected, *first);
  }

 private:
  explicit SameText(const Params& params)
      : processes_(params.Texts("processes")), pattern_(params.Text("pattern")), regex_(pattern_) {}

  std::vector<std::string> processes_;
  std::string pattern_;
  std::regex regex_;
  std::map<std::string, std::vector<std::string>> seen_;
};

}  // namespace

std::vector<CheckKind> FigureChecks() {
  const ParamSpec pattern{.name = "pattern",
                          .type = kRegex,
                          .doc = "Regular expression with one group: what is looked at.",
                          .required = true};
  return {
      {.definition = {.name = "figure",
                      .doc = "A figure that a program writes stays within bounds: how long a "
                             "health check takes, how many descriptors it holds.",
                      .params = {{.name = "process",
                                  .type = kNode,
                                  .doc = "Who writes it.",
                                  .required = true},
                                 pattern,
                                 {.name = "of",
                                  .type = kWord,
                                  .doc = "Which figures: all, the lowest (at best), the median, "
                                         "the last, or growth: the last less the first.",
                                  .default_text = "all",
                                  .words = {"all", "lowest", "median", "last", "growth"}},
                                 {.name = "at_most", .type = kNumber, .doc = "Upper bound."},
                                 {.name = "at_least", .type = kNumber, .doc = "Lower bound."},
                                 {.name = "skip",
                                  .type = kInt,
                                  .doc = "How many of the first figures do not count.",
                                  .default_text = "0",
                                  .min = 0},
                                 {.name = "min",
                                  .type = kInt,
                                  .doc = "Fewer figures prove nothing.",
                                  .default_text = "1",
                                  .min = 1}},
                      .needs = {"log"}},
       .nothing_seen = "unknown when fewer than `min` figures were written",
       .example =
           "- figure: {process: w, pattern: 'holds ([0-9]+) sockets', of: growth, at_most: 3, "
           "min: 50}",
       .make = &Figure::Create},
      {.definition = {.name = "same_text",
                      .doc = "Programs write the same: the result on the command line and that of "
                             "the workflow.",
                      .params = {{.name = "processes",
                                  .type = kTextList,
                                  .doc = "Their names, two or more.",
                                  .required = true},
                                 pattern},
                      .needs = {"log"}},
       .nothing_seen = "unknown when one of them wrote no such line",
       .example = "- same_text: {processes: [w, v], pattern: 'found ([0-9]+) events'}",
       .make = &SameText::Create},
  };
}

}  // namespace squall::scenarios
