#include "fakes/engine/nexus_text.h"

#include <absl/strings/escaping.h>
#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>

#include <charconv>
#include <map>
#include <nlohmann/json.hpp>

#include "base/util/text.h"
#include "fakes/engine/commands.h"
#include "fakes/engine/tokens.h"

namespace squall::fakes::engine {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kEventLinkType[] = "temporal.api.common.v1.Link.WorkflowEvent";
constexpr char kEventTypePrefix[] = "EVENT_TYPE_";
constexpr char kEventReference[] = "EventReference", kRequestIdReference[] = "RequestIdReference";

// url.PathEscape and url.QueryEscape of Go. Inside a path some more characters stand for
// themselves.
std::string Escape(std::string_view text, std::string_view also) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x80 && std::isalnum(byte)) ||
        std::string_view("-_.~").find(c) != std::string_view::npos ||
        also.find(c) != std::string_view::npos) {
      out.push_back(c);
    } else {
      out += fmt::format("%{:02X}", byte);
    }
  }
  return out;
}
std::string EscapePath(std::string_view text) { return Escape(text, "$&+=:@"); }
std::string EscapeQuery(std::string_view text) {
  std::string out = Escape(text, " ");
  for (char& c : out) c = c == ' ' ? '+' : c;
  return out;
}

std::optional<std::string> Unescape(std::string_view text, bool query) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      unsigned value = 0;
      if (i + 2 >= text.size()) return std::nullopt;
      const char* end = text.data() + i + 3;
      if (auto [at, error] = std::from_chars(text.data() + i + 1, end, value, 16);
          error != std::errc() || at != end) {
        return std::nullopt;
      }
      out.push_back(static_cast<char>(value));
      i += 2;
    } else {
      out.push_back(query && text[i] == '+' ? ' ' : text[i]);
    }
  }
  return out;
}

// Both spellings: WorkflowExecutionStarted and EVENT_TYPE_WORKFLOW_EXECUTION_STARTED.
std::optional<enums::EventType> EventTypeOf(const std::string& text) {
  enums::EventType type{};
  if (enums::EventType_Parse(text, &type)) return type;
  const auto* values = enums::EventType_descriptor();
  for (int i = 0; i < values->value_count(); ++i) {
    if (PascalName(values->value(i)->name(), kEventTypePrefix) == text) {
      return static_cast<enums::EventType>(values->value(i)->number());
    }
  }
  return std::nullopt;
}

// Valid JSON without the blanks between its parts; numbers stay as they are written.
std::string Compact(std::string_view json) {
  std::string out;
  bool text = false, escaped = false;
  for (const char c : json) {
    if (!text && (c == ' ' || c == '\t' || c == '\n' || c == '\r')) continue;
    if (c == '"' && !escaped) text = !text;
    escaped = text && c == '\\' && !escaped;
    out.push_back(c);
  }
  return out;
}

std::string ToJson(const nexuspb::Failure& nexus, bool texts) {
  std::string out;
  const auto add = [&](std::string_view key, std::string_view value) {
    out += fmt::format("{}\"{}\":{}", out.empty() ? "" : ",", key, value);
  };
  if (texts && !nexus.message().empty()) add("message", Json(nexus.message()).dump());
  if (texts && !nexus.stack_trace().empty()) add("stackTrace", Json(nexus.stack_trace()).dump());
  if (!nexus.metadata().empty()) {
    const std::map<std::string, std::string> sorted(nexus.metadata().begin(),
                                                    nexus.metadata().end());
    add("metadata", Json(sorted).dump());
  }
  if (!nexus.details().empty()) add("details", Compact(nexus.details()));
  if (nexus.has_cause()) add("cause", ToJson(nexus.cause(), true));
  return "{" + out + "}";
}

}  // namespace

std::string GoDuration(Duration duration) {
  const std::int64_t total = duration.count();
  const bool negative = total < 0;
  const auto nanos = static_cast<std::uint64_t>(negative ? -total : total);
  const auto decimal = [](std::uint64_t value, std::uint64_t unit, int digits) {
    std::string text = std::to_string(value / unit);
    if (value % unit != 0) {
      text += fmt::format(".{:0{}}", value % unit, digits);
      while (text.back() == '0') text.pop_back();
    }
    return text;
  };
  std::string out = negative ? "-" : "";
  if (nanos == 0) return "0s";
  if (nanos < 1'000) return out + std::to_string(nanos) + "ns";
  if (nanos < 1'000'000) return out + decimal(nanos, 1'000, 3) + "\u00b5s";
  if (nanos < 1'000'000'000) return out + decimal(nanos, 1'000'000, 6) + "ms";
  constexpr std::uint64_t kMinute = 60'000'000'000, kHour = 60 * kMinute;
  if (nanos >= kHour) out += fmt::format("{}h", nanos / kHour);
  if (nanos >= kMinute) out += fmt::format("{}m", nanos % kHour / kMinute);
  return out + decimal(nanos % kMinute, 1'000'000'000, 9) + "s";
}

std::optional<Duration> ParseNexusDuration(std::string_view text) {
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [unit, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || number < 0) return std::nullopt;
  const std::string_view name(unit, static_cast<std::size_t>(end - unit));
  const double nanos = name == "ms" ? 1e6 : name == "s" ? 1e9 : name == "m" ? 60e9 : 0;
  constexpr double kMost = 1e18;  // some thirty years
  if (nanos == 0 || number * nanos > kMost) return std::nullopt;
  return Duration(static_cast<std::int64_t>(number * nanos));
}

nexuspb::Link ToNexusLink(const common::Link::WorkflowEvent& event) {
  const auto type_name = [](enums::EventType type) {
    return PascalName(enums::EventType_Name(type), kEventTypePrefix);
  };
  nexuspb::Link link;
  link.set_type(kEventLinkType);
  std::string query;
  if (event.has_request_id_ref()) {
    query = fmt::format("eventType={}&referenceType={}&requestID={}",
                        type_name(event.request_id_ref().event_type()), kRequestIdReference,
                        EscapeQuery(event.request_id_ref().request_id()));
  } else {
    if (event.event_ref().event_id() > 0)
      query = fmt::format("eventID={}&", event.event_ref().event_id());
    query += fmt::format("eventType={}&referenceType={}", type_name(event.event_ref().event_type()),
                         kEventReference);
  }
  link.set_url(fmt::format("temporal:///namespaces/{}/workflows/{}/{}/history?{}",
                           EscapePath(event.namespace_()), EscapePath(event.workflow_id()),
                           EscapePath(event.run_id()), query));
  return link;
}

std::optional<common::Link> FromNexusLink(const nexuspb::Link& nexus) {
  constexpr std::string_view kScheme = "temporal:///";
  std::string_view url = nexus.url();
  if (nexus.type() != kEventLinkType || !url.starts_with(kScheme)) return std::nullopt;
  url.remove_prefix(kScheme.size());
  const std::size_t mark = url.find('?');
  const std::vector<std::string_view> path = Split(url.substr(0, mark), '/');
  if (path.size() != 6 || path[0] != "namespaces" || path[2] != "workflows" || path[5] != "history")
    return std::nullopt;
  const auto ns = Unescape(path[1], false), id = Unescape(path[3], false),
             run = Unescape(path[4], false);
  if (!ns || !id || !run) return std::nullopt;
  std::map<std::string, std::string> query;
  if (mark != std::string_view::npos) {
    for (const std::string_view pair : Split(url.substr(mark + 1), '&')) {
      const std::size_t equals = pair.find('=');
      if (equals == std::string_view::npos) continue;
      const auto value = Unescape(pair.substr(equals + 1), true);
      if (!value) return std::nullopt;
      query[std::string(pair.substr(0, equals))] = *value;
    }
  }
  const auto type = EventTypeOf(query["eventType"]);
  if (!type) return std::nullopt;
  common::Link link;
  auto* event = link.mutable_workflow_event();
  event->set_namespace_(*ns);
  event->set_workflow_id(*id);
  event->set_run_id(*run);
  if (query["referenceType"] == kEventReference) {
    std::int64_t event_id = 0;
    const std::string& text = query["eventID"];
    if (!text.empty() &&
        std::from_chars(text.data(), text.data() + text.size(), event_id).ec != std::errc()) {
      return std::nullopt;
    }
    event->mutable_event_ref()->set_event_id(event_id);
    event->mutable_event_ref()->set_event_type(*type);
  } else if (query["referenceType"] == kRequestIdReference) {
    event->mutable_request_id_ref()->set_request_id(query["requestID"]);
    event->mutable_request_id_ref()->set_event_type(*type);
  } else {
    return std::nullopt;
  }
  return link;
}

bool IsJson(std::string_view text) { return Json::accept(text); }

failure::Failure FromNexusFailure(const nexuspb::Failure& nexus) {
  failure::Failure failure;
  const auto type = nexus.metadata().find("type");
  if (type != nexus.metadata().end() && type->second == "temporal.api.failure.v1.Failure") {
    google::protobuf::util::JsonParseOptions options;
    options.ignore_unknown_fields = true;
    if (!google::protobuf::util::JsonStringToMessage(nexus.details(), &failure, options).ok())
      failure.Clear();
  } else if (!nexus.metadata().empty() || !nexus.details().empty()) {
    auto* info = failure.mutable_application_failure_info();
    info->set_type("NexusFailure");
    common::Payload* payload = info->mutable_details()->add_payloads();
    (*payload->mutable_metadata())["encoding"] = "json/plain";
    payload->set_data(ToJson(nexus, false));
  }
  // Not part of the details.
  failure.set_message(nexus.message());
  failure.set_stack_trace(nexus.stack_trace());
  if (nexus.has_cause()) *failure.mutable_cause() = FromNexusFailure(nexus.cause());
  return failure;
}

failure::Failure HandlerFailure(std::string_view type, std::string_view message) {
  failure::Failure failure;
  failure.set_message(std::string(message));
  failure.mutable_nexus_handler_failure_info()->set_type(std::string(type));
  return failure;
}

failure::Failure FromHandlerError(const nexuspb::HandlerError& error) {
  failure::Failure failure = HandlerFailure(error.error_type(), "");
  failure.mutable_nexus_handler_failure_info()->set_retry_behavior(error.retry_behavior());
  *failure.mutable_cause() = FromNexusFailure(error.failure());
  return failure;
}

bool IsRetryable(const failure::NexusHandlerFailureInfo& info) {
  switch (info.retry_behavior()) {
    case enums::NEXUS_HANDLER_ERROR_RETRY_BEHAVIOR_RETRYABLE:
      return true;
    case enums::NEXUS_HANDLER_ERROR_RETRY_BEHAVIOR_NON_RETRYABLE:
      return false;
    default:
      break;
  }
  // The others of the specification are retryable, and so are unknown ones.
  const std::string& type = info.type();
  return type != "BAD_REQUEST" && type != "UNAUTHENTICATED" && type != "UNAUTHORIZED" &&
         type != "NOT_FOUND" && type != "CONFLICT" && type != "NOT_IMPLEMENTED";
}

std::string CallbackToken::Serialize() const {
  const std::string bytes = TaskToken{.namespace_id = namespace_id,
                                      .workflow_id = workflow_id,
                                      .run_id = run_id,
                                      .scheduled_event_id = scheduled_event_id,
                                      .activity_id = request_id}
                                .Serialize();
  return fmt::format(R"({{"v":1,"d":"{}"}})", absl::Base64Escape(bytes));
}

std::optional<CallbackToken> CallbackToken::Parse(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  const auto version = json.find("v"), data = json.find("d");
  if (version == json.end() || *version != 1 || data == json.end() || !data->is_string())
    return std::nullopt;
  std::string bytes;
  if (!absl::Base64Unescape(data->get_ref<const std::string&>(), &bytes)) return std::nullopt;
  auto token = TaskToken::Parse(bytes);
  if (!token) return std::nullopt;
  return CallbackToken{.namespace_id = token->namespace_id,
                       .workflow_id = token->workflow_id,
                       .run_id = token->run_id,
                       .request_id = token->activity_id,
                       .scheduled_event_id = token->scheduled_event_id};
}

}  // namespace squall::fakes::engine
