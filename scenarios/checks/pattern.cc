#include "scenarios/checks/pattern.h"

#include <algorithm>

#include "base/util/text.h"
#include "scenarios/format/event_fields.h"

namespace squall::scenarios {
namespace {

// Splits at spaces outside double quotes and regular expressions; a quote or slash opens only right
// behind '='.
StatusOr<std::vector<std::string>> SplitFields(std::string_view text) {
  std::vector<std::string> parts;
  std::string part;
  char closing = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (closing != 0) {
      if (c == '\\' && i + 1 < text.size() && text[i + 1] == closing) {
        part += c;
        part += text[++i];
        continue;
      }
      part += c;
      if (c == closing) closing = 0;
    } else if (c == ' ') {
      if (!part.empty()) parts.push_back(std::move(part));
      part.clear();
    } else {
      if ((c == '"' || c == '/') && !part.empty() && part.back() == '=') closing = c;
      part += c;
    }
  }
  if (closing != 0)
    return MakeStatus(StatusCode::kInvalidArgument, "'{}' has an open {}", text, closing);
  if (!part.empty()) parts.push_back(std::move(part));
  return parts;
}

std::vector<std::string> Strings(std::span<const std::string_view> views) {
  return {views.begin(), views.end()};
}

}  // namespace

StatusOr<EventPattern> EventPattern::Parse(std::string_view text) {
  SQUALL_ASSIGN_OR_RETURN(const std::vector<std::string> parts, SplitFields(text));
  if (parts.empty())
    return MakeStatus(StatusCode::kInvalidArgument,
                      "an event is missing: KIND.WORD, as in process.ready");
  EventPattern pattern;
  pattern.text_ = std::string(text);
  const std::size_t dot = parts[0].find('.');
  if (dot == std::string::npos) {
    return MakeStatus(StatusCode::kInvalidArgument,
                      "'{}' is no event: write KIND.WORD, as in process.ready", parts[0]);
  }
  pattern.kind_ = parts[0].substr(0, dot);
  pattern.word_ = parts[0].substr(dot + 1);
  const auto kinds = Strings(journal::AllKinds());
  const auto words = Strings(journal::WordsOf(pattern.kind_));
  if (words.empty()) {
    return MakeStatus(StatusCode::kInvalidArgument, "unknown kind of event '{}'{}", pattern.kind_,
                      DidYouMean(pattern.kind_, kinds));
  }
  if (std::find(words.begin(), words.end(), pattern.word_) == words.end()) {
    return MakeStatus(StatusCode::kInvalidArgument, "unknown {} event '{}'{}", pattern.kind_,
                      pattern.word_, DidYouMean(pattern.word_, words));
  }
  const std::vector<std::string> names = EventFields(pattern.kind_);
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const std::size_t equals = parts[i].find('=');
    if (equals == std::string::npos) {
      return MakeStatus(StatusCode::kInvalidArgument, "'{}' is no field=value", parts[i]);
    }
    Field field{.name = parts[i].substr(0, equals),
                .value = parts[i].substr(equals + 1),
                .regex = std::nullopt};
    if (std::find(names.begin(), names.end(), field.name) == names.end()) {
      return MakeStatus(StatusCode::kInvalidArgument, "{} events have no field '{}'{}",
                        pattern.kind_, field.name, DidYouMean(field.name, names));
    }
    const bool enclosed = field.value.size() >= 2 && field.value.front() == field.value.back();
    if (enclosed && field.value.front() == '/') {
      const std::string source = field.value.substr(1, field.value.size() - 2);
      try {
        field.regex.emplace(source, std::regex::ECMAScript);
      } catch (const std::regex_error& e) {
        return MakeStatus(StatusCode::kInvalidArgument, "'{}' is no regular expression: {}", source,
                          e.what());
      }
    } else if (enclosed && field.value.front() == '"') {
      field.value = field.value.substr(1, field.value.size() - 2);
    }
    pattern.fields_.push_back(std::move(field));
  }
  return pattern;
}

bool EventPattern::Matches(const journal::Event& event) const {
  if (event.kind() != kind_ || event.what() != word_) return false;
  for (const Field& field : fields_) {
    const std::optional<std::string> value = EventField(event, field.name);
    if (!value) return false;
    if (field.regex ? !std::regex_search(*value, *field.regex) : *value != field.value)
      return false;
  }
  return true;
}

}  // namespace squall::scenarios
