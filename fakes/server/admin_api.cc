#include "fakes/server/admin_api.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "base/util/text.h"
#include "fakes/engine/go_duration.h"

namespace squall::fakes {
namespace {

using nlohmann::json;

constexpr std::uint64_t kLongestWaitSeconds = 300;

AdminReply Answer(const json& body, int status = 200) {
  return {.status = status,
          .body = body.dump(-1, ' ', false, json::error_handler_t::replace) + "\n",
          .wait = {}};
}

AdminReply Error(int status, std::string_view text) { return Answer({{"error", text}}, status); }

AdminReply ErrorOf(const Status& status) {
  return Error(status.code() == StatusCode::kAlreadyExists ? 409 : 400, Message(status));
}

// The query's numbers and texts; keys that nobody asked for are errors.
class Query {
 public:
  explicit Query(const std::map<std::string, std::string>& query) : query_(query) {}
  std::string Text(const std::string& name) {
    known_.push_back(name);
    const auto it = query_.find(name);
    return it == query_.end() ? std::string() : it->second;
  }
  std::uint64_t Number(const std::string& name, std::uint64_t otherwise) {
    const std::string text = Text(name);
    if (text.empty()) return otherwise;
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) {
      problem_ = fmt::format("{}: '{}' is no whole number", name, text);
    }
    return number;
  }
  // Empty when all is well.
  std::string Problem() const {
    if (!problem_.empty()) return problem_;
    for (const auto& [name, value] : query_) {
      if (std::find(known_.begin(), known_.end(), name) == known_.end()) {
        return fmt::format("{}: unknown parameter{}", name, DidYouMean(name, known_));
      }
    }
    return {};
  }

 private:
  const std::map<std::string, std::string>& query_;
  std::vector<std::string> known_;
  std::string problem_;
};

json ListRules(Frontend& frontend) {
  const std::vector<wire::RuleState> states = frontend.Rules();
  std::vector<wire::Rule> rules;
  for (const wire::RuleState& state : states) rules.push_back(state.rule);
  json list = json::parse(wire::RulesToJson(rules));
  for (std::size_t i = 0; i < states.size(); ++i) {
    list["rules"][i]["state"] = {
        {"matched", states[i].matched}, {"chosen", states[i].chosen}, {"hits", states[i].hits}};
  }
  return list;
}

AdminReply Rules(AdminTarget& target, const AdminRequest& request, std::string_view id) {
  Frontend& frontend = target.AdminFrontend();
  if (request.method == "GET" && id.empty()) return Answer(ListRules(frontend));
  if (request.method == "POST" && id.empty()) {
    StatusOr<std::vector<wire::Rule>> rules = wire::RulesFromJson(request.body);
    if (!rules.ok()) return ErrorOf(rules.status());
    const auto ids = frontend.SetRules(target.AdminNow(), *std::move(rules));
    if (!ids.ok()) return ErrorOf(ids.status());
    target.AdminDone();
    return Answer({{"ids", *ids}});
  }
  if (request.method == "DELETE") {
    std::vector<std::string> ids;
    for (const wire::RuleState& state : frontend.Rules()) ids.push_back(state.rule.id);
    if (!id.empty()) {
      if (std::find(ids.begin(), ids.end(), id) == ids.end()) {
        return Error(404, fmt::format("no rule '{}' is in effect{}", id, DidYouMean(id, ids)));
      }
      ids = {std::string(id)};
    }
    for (const std::string& rule : ids) frontend.LiftRule(target.AdminNow(), rule);
    target.AdminDone();
    return Answer({{"lifted", ids}});
  }
  return Error(405, "rules: GET, POST and DELETE; one rule: DELETE");
}

AdminReply Gates(AdminTarget& target, const AdminRequest& request, std::string_view rest) {
  Frontend& frontend = target.AdminFrontend();
  if (rest.empty() && request.method == "GET") {
    json gates = json::object();
    for (const auto& [gate, waiting] : frontend.Gates()) gates[gate] = waiting;
    return Answer({{"gates", std::move(gates)}});
  }
  constexpr std::string_view kRelease = "/release";
  if (request.method != "POST" || !rest.ends_with(kRelease))
    return Error(405, "gates: GET; POST /v1/gates/GATE/release");
  const std::string gate(rest.substr(0, rest.size() - kRelease.size()));
  Query query(request.query);
  const std::uint64_t count = query.Number("count", SIZE_MAX);
  if (const std::string problem = query.Problem(); !problem.empty()) return Error(400, problem);
  const auto gates = frontend.Gates();
  if (!gates.contains(gate)) {
    std::vector<std::string> names;
    for (const auto& [name, waiting] : gates) names.push_back(name);
    return Error(404, fmt::format("there is no gate '{}'{}", gate, DidYouMean(gate, names)));
  }
  const std::size_t released = frontend.Release(target.AdminNow(), gate, count);
  target.AdminDone();
  return Answer({{"released", released}});
}

AdminReply Events(AdminTarget& target, const AdminRequest& request) {
  Query query(request.query);
  EventFilter filter;
  filter.kind = query.Text("kind");
  filter.what = query.Text("what");
  filter.method = query.Text("method");
  filter.fault_id = query.Text("fault_id");
  const std::uint64_t after = query.Number("after", 0);
  const std::uint64_t limit = query.Number("limit", 1000);
  const std::uint64_t wait = query.Number("wait", 0);
  std::string problem = query.Problem();
  if (problem.empty() && !filter.kind.empty()) {
    std::vector<std::string> kinds(journal::AllKinds().begin(), journal::AllKinds().end());
    if (std::find(kinds.begin(), kinds.end(), filter.kind) == kinds.end()) {
      problem = fmt::format("kind: there is none called '{}'{}", filter.kind,
                            DidYouMean(filter.kind, kinds));
    }
  }
  if (problem.empty() && (limit == 0 || wait > kLongestWaitSeconds)) {
    problem = fmt::format("limit is at least 1, wait at most {} (seconds)", kLongestWaitSeconds);
  }
  if (!problem.empty()) return Error(400, problem);
  const EventLog::Page page = target.AdminEvents().Read(filter, after, limit);
  json events = json::array();
  for (const journal::Event& event : page.events)
    events.push_back(json::parse(journal::ToJson(event)));
  AdminReply reply =
      Answer({{"events", std::move(events)}, {"next", page.next}, {"lost", page.lost}});
  if (page.events.empty() && wait > 0) reply.wait = std::chrono::seconds(wait);
  return reply;
}

AdminReply Connections(AdminTarget& target) {
  json list = json::array();
  for (const ConnectionInfo& info : target.AdminFrontend().Snapshot()) {
    list.push_back(
        {{"connection", info.connection},
         {"listener", info.listener},
         {"peer", info.peer},
         {"local", info.local},
         {"tls", info.tls},
         {"age_ms", std::chrono::duration_cast<std::chrono::milliseconds>(info.age).count()},
         {"open_calls", info.open_calls},
         {"bytes_up", info.bytes_up},
         {"bytes_down", info.bytes_down},
         {"half_open", info.half_open}});
  }
  return Answer({{"connections", std::move(list)}});
}

AdminReply Counters(AdminTarget& target) {
  json events = json::object();
  for (const auto& [name, count] : target.AdminEvents().Counters()) events[name] = count;
  return Answer({{"connections", target.AdminFrontend().connections()},
                 {"open_calls", target.AdminFrontend().open_calls()},
                 {"held_calls", target.AdminEngine().held_calls()},
                 {"open_workflows", target.AdminEngine().open_workflows()},
                 {"events", std::move(events)}});
}

constexpr Duration kFarthest = std::chrono::hours(24 * 365 * 100);  // of the calendar

std::int64_t Milliseconds(Duration d) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
}

std::string_view ModeName(TimeMode mode) {
  switch (mode) {
    case TimeMode::kSkipping:
      return "skipping";
    case TimeMode::kManual:
      return "manual";
    case TimeMode::kReal:
      break;
  }
  return "real";
}

json TellTime(AdminTarget& target) {
  const Moment now = target.AdminNow();
  const std::optional<SteadyTime> next = target.AdminFrontend().NextDeadline();
  return {{"mode", ModeName(target.AdminTime().mode())},
          {"now", FormatWall(now.wall)},
          {"ahead_ms", Milliseconds(target.AdminTime().offset())},
          {"next_in_ms", next.has_value()
                             ? json(Milliseconds(std::max(Duration::zero(), *next - now.steady)))
                             : json()}};
}

AdminReply Time(AdminTarget& target, const AdminRequest& request, std::string_view rest) {
  if (rest.empty() && request.method == "GET") return Answer(TellTime(target));
  if (request.method != "POST" || rest != "advance")
    return Error(405, "time: GET; POST /v1/time/advance");
  Query query(request.query);
  const std::string by_text = query.Text("by"), to = query.Text("to");
  if (const std::string problem = query.Problem(); !problem.empty()) return Error(400, problem);
  if (by_text.empty() == to.empty() || (!to.empty() && to != "next"))
    return Error(400, "either by=DURATION (90s, 1h30m) or to=next");
  Duration by{};
  if (to.empty()) {
    const StatusOr<Duration> parsed = engine::ParseGoDuration(by_text);
    if (!parsed.ok() || *parsed < Duration::zero())
      return Error(400, fmt::format("by: '{}' is no duration (90s, 1h30m)", by_text));
    by = *parsed;
  } else {
    const std::optional<SteadyTime> next = target.AdminFrontend().NextDeadline();
    if (!next.has_value()) return Error(409, "nothing will fall due");
    by = std::max(Duration::zero(), *next - target.AdminNow().steady);
  }
  if (by > kFarthest - target.AdminTime().offset())
    return Error(400, "by: at most a hundred years ahead of the calendar");
  target.AdminAdvance(by);
  target.AdminDone();
  json told = TellTime(target);
  told["advanced_ms"] = Milliseconds(by);
  return Answer(told);
}

std::string Unescape(std::string_view text) {
  std::string plain(text);
  for (char& c : plain) {
    if (c == '+') c = ' ';
  }
  return wire::PercentDecode(plain);
}

}  // namespace

void SplitTarget(std::string_view target, AdminRequest& request) {
  const std::size_t mark = target.find('?');
  request.path = wire::PercentDecode(target.substr(0, mark));
  if (mark == std::string_view::npos) return;
  for (std::string_view rest = target.substr(mark + 1); !rest.empty();) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), pair.size() + 1));
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    request.query[Unescape(pair.substr(0, equals))] =
        equals == std::string_view::npos ? std::string() : Unescape(pair.substr(equals + 1));
  }
}

AdminReply HandleAdmin(AdminTarget& target, const AdminRequest& request) {
  const auto under = [&](std::string_view prefix, std::string_view& rest) {
    const std::string_view path = request.path;
    if (!path.starts_with(prefix)) return false;
    rest = path.substr(prefix.size());
    if (!rest.empty() && rest.front() != '/') return false;
    if (!rest.empty()) rest.remove_prefix(1);
    return true;
  };
  std::string_view rest;
  if (under("/v1/rules", rest)) return Rules(target, request, rest);
  if (under("/v1/gates", rest)) return Gates(target, request, rest);
  if (under("/v1/time", rest)) return Time(target, request, rest);
  const bool known = request.path == "/v1/events" || request.path == "/v1/connections" ||
                     request.path == "/v1/counters" || request.path == "/v1";
  if (known && request.method != "GET") return Error(405, request.path + ": GET");
  if (request.path == "/v1/events") return Events(target, request);
  if (request.path == "/v1/connections") return Connections(target);
  if (request.path == "/v1/counters") return Counters(target);
  if (request.path == "/v1") {
    json ports = json::object();
    for (const auto& [name, port] : target.AdminPorts()) ports[name] = port;
    return Answer({{"name", target.AdminName()},
                   {"ports", std::move(ports)},
                   {"cursor", target.AdminEvents().last()}});
  }
  return Error(
      404,
      fmt::format("nothing is at {}; /v1/rules, /v1/gates, /v1/time, /v1/events, /v1/connections, "
                  "/v1/counters",
                  EscapeControl(request.path)));
}

}  // namespace squall::fakes
