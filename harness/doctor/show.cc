#include "harness/doctor/show.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/util/status.h"
#include "base/util/text.h"
#include "reports/redactor.h"
#include "reports/text_width.h"
#include "reports/xml.h"

namespace squall::doctor {
namespace {

using reports::Padded;
using reports::Wrapped;

double Milliseconds(Duration d) {
  const auto whole = std::chrono::duration_cast<std::chrono::microseconds>(d).count();
  return static_cast<double>(whole) / 1000;
}

std::string_view ColourOf(State state) {
  switch (state) {
    case State::kOk:
      return "\033[32m";
    case State::kWarn:
      return "\033[33m";
    case State::kFail:
      return "\033[31m";
    case State::kSkipped:
      break;
  }
  return "\033[2m";
}

std::string_view FixOf(const Finding& finding) {
  return finding.fix.empty() ? FindCause(finding.cause)->fix : std::string_view(finding.fix);
}

std::string FullStop(std::string text) {
  if (!text.empty() && text.back() != '.' && text.back() != '?') text += '.';
  return text;
}

class TextWriter {
 public:
  TextWriter(const Diagnosis& diagnosis, const ShowOptions& options)
      : d_(diagnosis), options_(options), width_(std::max<std::size_t>(options.width, 60)) {}

  std::string Write() {
    text_ = fmt::format("squall doctor: {}\n\n", d_.target.empty() ? "no target" : d_.target);
    if (options_.settings) Settings();
    for (const Check& check : d_.checks) Row(check);
    text_ += '\n';
    Conclusion();
    return std::move(text_);
  }

 private:
  void Settings() {
    std::size_t name = 0, value = 0;
    for (const SettingRow& row : d_.settings) {
      name = std::max(name, reports::DisplayWidth(row.name));
      value = std::max(value, std::min<std::size_t>(reports::DisplayWidth(row.value), width_ / 2));
    }
    for (const SettingRow& row : d_.settings) {
      text_ += fmt::format("  {}  {}  {}\n", Padded(row.name, name), Padded(row.value, value),
                           row.source);
    }
    if (!d_.settings.empty()) text_ += '\n';
  }

  void Row(const Check& check) {
    constexpr std::size_t kIndent = 2 + 9 + 12;
    // Once for all rows of the layer.
    const bool same = last_ == check.layer;
    last_ = check.layer;
    const std::string name(same ? "" : LayerName(check.layer));
    std::string detail = check.detail;
    if (!check.name.empty()) detail = check.name + ": " + detail;
    if (check.took > Duration::zero()) detail += fmt::format(" ({})", FormatDuration(check.took));
    const auto lines = Wrapped(detail, width_ - kIndent);
    const std::string state = Padded(StateName(check.state), 9);
    text_ += fmt::format(
        "  {}{}{}\n",
        options_.colour ? fmt::format("{}{}\033[0m", ColourOf(check.state), state) : state,
        Padded(name, 12), lines.front());
    for (std::size_t i = 1; i < lines.size(); ++i)
      text_ += std::string(kIndent, ' ') + lines[i] + '\n';
  }

  void Paragraph(std::string_view head, std::string_view words) {
    const auto lines = Wrapped(words, width_ - 10);
    for (std::size_t i = 0; i < lines.size(); ++i) {
      text_ += fmt::format("{}{}\n", i == 0 ? Padded(head, 10) : std::string(10, ' '), lines[i]);
    }
  }

  void Conclusion() {
    const Finding* cause = d_.cause();
    if (cause != nullptr) {
      const Cause& info = *FindCause(cause->cause);
      Paragraph(cause->weight == Weight::kBroken ? "cause" : "perhaps",
                fmt::format("{} ({}).", info.title, info.id));
      Paragraph("evidence", FullStop(cause->evidence));
      Paragraph("fix", FullStop(std::string(FixOf(*cause))));
    }
    for (const Finding& finding : d_.findings) {
      if (&finding == cause) continue;
      const std::string_view head = finding.weight == Weight::kBroken     ? "also"
                                    : finding.weight == Weight::kPossible ? "perhaps"
                                                                          : "notice";
      Paragraph(head, fmt::format("{} ({}). {}", finding.evidence, finding.cause,
                                  FullStop(std::string(FixOf(finding)))));
    }
    if (!d_.findings.empty()) text_ += '\n';
    const std::string_view word = d_.verdict() == Verdict::kHealthy  ? "healthy"
                                  : d_.verdict() == Verdict::kBroken ? "broken"
                                                                     : "could not tell";
    text_ += fmt::format("{} in {}\n", word, FormatDuration(d_.took));
  }

  const Diagnosis& d_;
  const ShowOptions& options_;
  const std::size_t width_;
  std::optional<Layer> last_;
  std::string text_;
};

std::string_view WeightName(Weight weight) {
  switch (weight) {
    case Weight::kBroken:
      return "broken";
    case Weight::kPossible:
      return "possible";
    case Weight::kNotice:
      break;
  }
  return "notice";
}

nlohmann::ordered_json FindingJson(const Finding& finding) {
  const Cause& cause = *FindCause(finding.cause);
  nlohmann::ordered_json out;
  out["id"] = cause.id;
  out["layer"] = LayerName(cause.layer);
  out["weight"] = WeightName(finding.weight);
  out["title"] = cause.title;
  out["evidence"] = finding.evidence;
  out["fix"] = FixOf(finding);
  return out;
}

nlohmann::ordered_json QueueJson(const QueueFigures& queue) {
  nlohmann::ordered_json out;
  out["workflow_pollers"] = queue.workflow_pollers;
  out["activity_pollers"] = queue.activity_pollers;
  out["backlog"] = queue.backlog;
  out["pollers"] = nlohmann::ordered_json::array();
  for (const PollerRow& row : queue.pollers) {
    out["pollers"].push_back({{"kind", row.kind},
                              {"identity", row.identity},
                              {"version", row.version},
                              {"age_milliseconds", Milliseconds(row.age)}});
  }
  return out;
}

}  // namespace

Diagnosis Redacted(Diagnosis diagnosis, const std::vector<std::string>& secrets) {
  const reports::Redactor redactor(secrets);
  const auto clean = [&redactor](std::string& text) { text = redactor.Clean(text); };
  clean(diagnosis.target);
  for (SettingRow& row : diagnosis.settings) {
    clean(row.value);
    clean(row.source);
  }
  for (Check& check : diagnosis.checks) clean(check.detail);
  if (diagnosis.queue) {
    for (PollerRow& row : diagnosis.queue->pollers) clean(row.identity);
  }
  for (Finding& finding : diagnosis.findings) {
    clean(finding.evidence);
    clean(finding.fix);
  }
  return diagnosis;
}

std::string AsText(const Diagnosis& diagnosis, const ShowOptions& options) {
  return TextWriter(diagnosis, options).Write();
}

std::string AsJson(const Diagnosis& diagnosis) {
  nlohmann::ordered_json out;
  out["schema"] = "squall-doctor/1";
  out["verdict"] = VerdictName(diagnosis.verdict());
  out["exit_code"] = static_cast<int>(diagnosis.verdict());
  out["target"] = diagnosis.target;
  const Finding* cause = diagnosis.cause();
  out["cause"] = cause != nullptr ? FindingJson(*cause) : nlohmann::ordered_json(nullptr);
  out["findings"] = nlohmann::ordered_json::array();
  for (const Finding& finding : diagnosis.findings) out["findings"].push_back(FindingJson(finding));
  out["checks"] = nlohmann::ordered_json::array();
  for (const Check& check : diagnosis.checks) {
    nlohmann::ordered_json row;
    row["layer"] = LayerName(check.layer);
    row["name"] = check.name;
    row["state"] = StateName(check.state);
    row["detail"] = check.detail;
    row["milliseconds"] = Milliseconds(check.took);
    out["checks"].push_back(std::move(row));
  }
  out["settings"] = nlohmann::ordered_json::array();
  for (const SettingRow& setting : diagnosis.settings) {
    out["settings"].push_back(
        {{"name", setting.name}, {"value", setting.value}, {"source", setting.source}});
  }
  out["queue"] = diagnosis.queue ? QueueJson(*diagnosis.queue) : nlohmann::ordered_json(nullptr);
  out["milliseconds"] = Milliseconds(diagnosis.took);
  return out.dump(2, ' ', /*ensure_ascii=*/false,
                  nlohmann::ordered_json::error_handler_t::replace) +
         "\n";
}

std::string AsJUnit(const Diagnosis& diagnosis) {
  using reports::XmlAttribute;
  const auto seconds = [](Duration took) {
    return XmlAttribute("time", fmt::format("{:.3f}", Milliseconds(took) / 1000));
  };
  const auto begin = [&](std::string_view name, Duration took) {
    return fmt::format("    <testcase{}{}{}", XmlAttribute("classname", "squall.doctor"),
                       XmlAttribute("name", name), seconds(took));
  };
  const Finding* cause = diagnosis.cause();
  std::string cases;
  for (const Check& check : diagnosis.checks) {
    const std::string_view layer = LayerName(check.layer);
    cases +=
        begin(check.name.empty() ? std::string(layer) : fmt::format("{}: {}", layer, check.name),
              check.took);
    if (check.state == State::kFail) {
      cases += fmt::format(">\n      <failure{}{}>{}</failure>\n    </testcase>\n",
                           XmlAttribute("message", check.detail),
                           XmlAttribute("type", cause != nullptr ? cause->cause : "fail"),
                           cause != nullptr ? reports::XmlText(FixOf(*cause)) : "");
    } else if (check.state == State::kSkipped) {
      cases += fmt::format(">\n      <skipped{}/>\n    </testcase>\n",
                           XmlAttribute("message", check.detail));
    } else {
      cases += "/>\n";
    }
  }
  const bool unknown = diagnosis.verdict() == Verdict::kUnknown;
  if (unknown) {
    cases += fmt::format("{}>\n      <error{}{}>{}</error>\n    </testcase>\n",
                         begin("verdict", Duration::zero()),
                         XmlAttribute("message", "could not tell"), XmlAttribute("type", "unknown"),
                         cause != nullptr ? reports::XmlText(cause->evidence) : "");
  }
  const auto count = [&](State state) {
    return std::ranges::count(diagnosis.checks, state, &Check::state);
  };
  const std::string sums = fmt::format(" tests=\"{}\" failures=\"{}\" errors=\"{}\"",
                                       diagnosis.checks.size() + (unknown ? 1 : 0),
                                       count(State::kFail), unknown ? 1 : 0);
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites{0}{1}>\n"
      "  <testsuite name=\"squall doctor\"{0} skipped=\"{2}\"{1}>\n{3}  </testsuite>\n"
      "</testsuites>\n",
      sums, seconds(diagnosis.took), count(State::kSkipped), cases);
}

}  // namespace squall::doctor
