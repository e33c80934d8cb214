#include "scenarios/format/event_reader.h"

#include <algorithm>
#include <regex>

#include "base/journal/event.h"
#include "base/util/text.h"
#include "scenarios/format/event_fields.h"

namespace squall::scenarios {
namespace {

Status CheckWhere(const ReadContext& context, const YamlNode& where, const WaitStep& events) {
  const std::vector<std::string> fields = EventFields(events.kind);
  for (const auto& [key, value] : where.members) {
    if (std::find(fields.begin(), fields.end(), key.text) == fields.end()) {
      return ErrorAt(context.file, key,
                     fmt::format("an event of the kind {} has no field '{}'{}", events.kind,
                                 EscapeControl(key.text), DidYouMean(key.text, fields)));
    }
    const std::string& text = value.text;
    if (text.size() < 2 || text.front() != '/' || text.back() != '/') continue;
    try {
      const std::regex compiled(text.substr(1, text.size() - 2), std::regex::ECMAScript);
    } catch (const std::regex_error& error) {
      return ErrorAt(context.file, value, fmt::format("no regular expression: {}", error.what()));
    }
  }
  return absl::OkStatus();
}

}  // namespace

StatusOr<WaitStep> ReadEvents(const ReadContext& context, const ReadObject& object) {
  const YamlNode& node = *object.Node("event");
  const std::string event = object.params.Text("event");
  const std::size_t dot = event.find('.');
  if (dot == std::string::npos) {
    return ErrorAt(context.file, node,
                   fmt::format("'event' is kind.what, such as worker.polling, not '{}'",
                               EscapeControl(event)));
  }
  WaitStep events;
  events.kind = event.substr(0, dot);
  events.event = event.substr(dot + 1);
  std::vector<std::string> kinds;
  for (const std::string_view kind : journal::AllKinds()) kinds.emplace_back(kind);
  if (std::find(kinds.begin(), kinds.end(), events.kind) == kinds.end()) {
    return ErrorAt(context.file, node,
                   fmt::format("there is no kind of event '{}'{}", EscapeControl(events.kind),
                               DidYouMean(events.kind, kinds)));
  }
  const journal::Words words = journal::WordsOf(events.kind);
  if (std::find(words.begin(), words.end(), events.event) == words.end()) {
    const std::vector<std::string> list(words.begin(), words.end());
    return ErrorAt(context.file, node,
                   fmt::format("'{}' is no word of the kind {}: {}{}", EscapeControl(events.event),
                               events.kind, fmt::join(list, ", "), DidYouMean(events.event, list)));
  }
  events.where = object.params.TextMap("where");
  if (const YamlNode* where = object.Node("where"))
    SQUALL_RETURN_IF_ERROR(CheckWhere(context, *where, events));
  events.count = static_cast<int>(object.params.Int("count", 1));
  return events;
}

std::string DescribeEvents(const WaitStep& events) {
  std::string text = events.count == 1 ? "" : fmt::format("{} x ", events.count);
  text += events.kind + "." + events.event;
  for (const auto& [field, value] : events.where) text += fmt::format(" {}={}", field, value);
  return text;
}

}  // namespace squall::scenarios
