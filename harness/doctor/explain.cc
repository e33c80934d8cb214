#include "harness/doctor/explain.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "base/util/status.h"
#include "harness/doctor/causes.h"
#include "harness/doctor/explain_signatures.h"
#include "reports/text_width.h"

namespace squall::doctor {
namespace {

// Letters in lower case and white space as one blank, so that a log may break its lines anywhere.
std::string Flattened(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (std::isspace(static_cast<unsigned char>(c)) != 0) {
      if (!result.empty() && result.back() != ' ') result += ' ';
    } else {
      result += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
  }
  return result;
}

// How much of the text the signature accounts for; 0 when it does not occur.
std::size_t Weigh(const Signature& signature, std::string_view text) {
  std::size_t weight = 0;
  for (const std::string_view part : signature.parts) {
    if (part.empty()) continue;
    if (text.find(part) == std::string_view::npos) return 0;
    weight += part.size();
  }
  return weight;
}

// What makes the doctor look at the layer.
std::string_view OptionFor(Layer layer) {
  switch (layer) {
    case Layer::kSettings:
      return " --stage config";
    case Layer::kTypes:
      return " --expect-workflow-type TYPE --expect-activity-type TYPE";
    case Layer::kPath:
      return " --deep";
    case Layer::kCanary:
      return " --canary TYPE";
    default:
      return "";
  }
}

std::string Joined(const Signature& signature) {
  std::string text;
  for (const std::string_view part : signature.parts) {
    if (!part.empty()) text += fmt::format("{}{}", text.empty() ? "" : "\" and \"", part);
  }
  return text;
}

}  // namespace

std::vector<Explanation> Explain(std::string_view text) {
  const std::string flat = Flattened(text);
  std::vector<std::pair<std::size_t, const Signature*>> found;
  for (const Signature& signature : Signatures()) {
    if (const std::size_t weight = Weigh(signature, flat)) found.emplace_back(weight, &signature);
  }
  std::ranges::stable_sort(found, std::ranges::greater{},
                           [](const auto& one) { return one.first; });
  std::vector<Explanation> result;
  for (const auto& [weight, signature] : found) {
    for (const std::string_view cause : signature->causes) {
      if (cause.empty() || std::ranges::find(result, cause, &Explanation::cause) != result.end())
        continue;
      result.push_back({cause, signature->sdk, Joined(*signature), signature->note});
    }
  }
  return result;
}

std::string ExplanationText(const std::vector<Explanation>& explanations, std::size_t width) {
  if (explanations.empty()) {
    return "Nothing is known about this text. `squall doctor` looks at the target itself.\n";
  }
  std::string text;
  std::string_view note;
  for (std::size_t i = 0; i < explanations.size() && i < 5; ++i) {
    const Explanation& one = explanations[i];
    const Cause& cause = *FindCause(one.cause);
    const auto entry = [&](std::string_view begin, std::string_view words) {
      const auto lines = reports::Wrapped(words, std::max<std::size_t>(width, 40) - 11);
      for (std::size_t n = 0; n < lines.size(); ++n)
        text += fmt::format("   {:<8}{}\n", n == 0 ? begin : "", lines[n]);
    };
    text += fmt::format("{}. {} ({})\n", i + 1, cause.title, cause.id);
    entry("because",
          fmt::format("\"{}\"{}{}", one.matched,
                      one.sdk == "any" ? "" : fmt::format(", as {} says it", one.sdk),
                      one.note.empty() || one.note == note ? "" : fmt::format("; {}", one.note)));
    note = one.note;
    entry("check", cause.layer == Layer::kWorker
                       ? std::string("the worker's own log and code: nothing outside it shows this")
                       : fmt::format("`squall doctor{}` fails in the layer {} with {}",
                                     OptionFor(cause.layer), LayerName(cause.layer), cause.id));
    entry("fix", cause.fix);
  }
  return text;
}

std::string ExplanationJson(const std::vector<Explanation>& explanations) {
  nlohmann::ordered_json out;
  out["schema"] = "squall-explain/1";
  out["causes"] = nlohmann::ordered_json::array();
  for (const Explanation& one : explanations) {
    const Cause& cause = *FindCause(one.cause);
    nlohmann::ordered_json entry;
    entry["id"] = cause.id;
    entry["layer"] = LayerName(cause.layer);
    entry["title"] = cause.title;
    entry["fix"] = cause.fix;
    entry["sdk"] = one.sdk;
    entry["matched"] = one.matched;
    entry["note"] = one.note;
    out["causes"].push_back(std::move(entry));
  }
  return out.dump(2) + "\n";
}

}  // namespace squall::doctor
