#include "harness/proxy/proxy_api.h"

#include <charconv>
#include <utility>

#include "harness/proxy/go_json.h"
#include "harness/proxy/metrics.h"

namespace squall::harness {
namespace {

constexpr const char* kText = "text/plain; charset=utf-8";

ApiReply Answer(const Json& body, int status = 200) {
  return {.status = status, .body = Compact(body)};
}

// Go's http.Error: plain text by its header, JSON by its content, and a line end behind it.
ApiReply Refuse(const ApiError& error) {
  return {.status = error.status,
          .content_type = kText,
          .body = Compact(Json{{"error", error.message}, {"status", error.status}}) + "\n"};
}

ApiReply NoSuchPage() { return {404, kText, "404 page not found\n"}; }
ApiReply NoSuchMethod() { return {405, "", ""}; }

std::vector<std::string> Segments(std::string_view path) {
  path = path.substr(0, path.find('?'));
  std::vector<std::string> segments;
  std::string segment;
  for (std::size_t i = 1; i <= path.size(); ++i) {
    if (i == path.size() || path[i] == '/') {
      segments.push_back(std::exchange(segment, {}));
      continue;
    }
    unsigned value = 0;
    if (path[i] == '%' && i + 2 < path.size() &&
        std::from_chars(path.data() + i + 1, path.data() + i + 3, value, 16).ptr ==
            path.data() + i + 3) {
      segment += static_cast<char>(value);
      i += 2;
    } else {
      segment += path[i];
    }
  }
  return segments;
}

std::optional<ApiError> ReadBody(const std::string& text, Json* body) {
  StatusOr<Json> parsed = ParseBody(text);
  if (!parsed.ok()) return BadRequest(Message(parsed.status()));
  *body = *std::move(parsed);
  return std::nullopt;
}

std::optional<ApiError> ReadProxy(const Json& body, std::string_view type, ProxyRequest* request) {
  if (!body.is_object() && !body.is_null())
    return BadRequest(Mismatch(body, "", fmt::format("toxiproxy.{}", type)));
  std::optional<std::string> name;
  // In the order of the text: the first mistake is told.
  for (const auto& [key, value] : body.items()) {
    if (value.is_null()) continue;
    for (const auto& [field, text] :
         {std::pair{"name", &name}, std::pair{"listen", &request->listen},
          std::pair{"upstream", &request->upstream}}) {
      if (!SameName(key, field)) continue;
      if (!value.is_string())
        return BadRequest(Mismatch(value, fmt::format("{}.{}", type, field), "string"));
      *text = value.get<std::string>();
    }
    if (!SameName(key, "enabled")) continue;
    if (!value.is_boolean())
      return BadRequest(Mismatch(value, fmt::format("{}.enabled", type), "bool"));
    request->enabled = value.get<bool>();
  }
  request->name = name.value_or("");
  return std::nullopt;
}

// More than Toxiproxy takes: a new proxy can bring its toxics along.
std::optional<ApiError> ReadToxics(const Json& body, ProxyRequest* request) {
  const Json* toxics = FindMember(body, "toxics");
  if (toxics == nullptr) return std::nullopt;
  if (!toxics->is_array()) return BadRequest(Mismatch(*toxics, "Proxy.toxics", "[]toxics.Toxic"));
  for (const Json& one : *toxics) {
    Toxic toxic;
    if (auto error = ReadToxic(one, &toxic)) return error;
    request->toxics.push_back(std::move(toxic));
  }
  return std::nullopt;
}

std::optional<ApiError> ReadProxies(std::string_view text, std::vector<ProxyRequest>* requests) {
  const StatusOr<Json> body = ParseBody(text);
  if (!body.ok()) return BadRequest(Message(body.status()));
  if (!body->is_array()) {
    return BadRequest(Mismatch(
        *body, "", "[]struct { toxiproxy.Proxy; Enabled *bool \"json:\\\"enabled\\\"\" }"));
  }
  for (const Json& one : *body) {
    ProxyRequest request;
    if (auto error = ReadProxy(one, "", &request)) return error;
    if (auto error = ReadToxics(one, &request)) return error;
    requests->push_back(std::move(request));
  }
  return std::nullopt;
}

}  // namespace

ApiReply ProxyApi::Handle(const ApiRequest& request) {
  // Pages in a browser are no clients of ours.
  if (request.user_agent.starts_with("Mozilla/")) return {403, kText, "User agent not allowed\n"};
  const std::vector<std::string> at = Segments(request.path);
  const auto is = [&](std::size_t segments, std::string_view first) {
    return at.size() == segments && at[0] == first && at.back() != "";
  };
  if (is(1, "proxies")) return Proxies(request);
  if (is(2, "proxies")) return Proxy(request, at[1]);
  if (is(3, "proxies") && at[2] == "toxics") return Toxics(request, at[1]);
  if (is(4, "proxies") && at[2] == "toxics") return OneToxic(request, at[1], at[3]);
  if (is(1, "populate")) return Populate(request);
  if (is(1, "reset")) return Reset(request);
  if (is(1, "version")) {
    if (request.method != "GET") return NoSuchMethod();
    return {200, "application/json;charset=utf-8",
            "{\"version\": " + Json(version_).dump() + "}\n"};
  }
  if (is(1, "metrics")) return {200, "text/plain; version=0.0.4; charset=utf-8", Metrics(proxies_)};
  return NoSuchPage();
}

ApiReply ProxyApi::Proxies(const ApiRequest& request) {
  if (request.method == "GET") {
    Json all = Json::object();
    for (const auto& [name, proxy] : proxies_.proxies()) all[name] = proxy->ToJson();
    return Answer(all);
  }
  if (request.method != "POST") return NoSuchMethod();
  Json body;
  ProxyRequest wanted;
  NamedProxy* proxy = nullptr;
  if (auto error = ReadBody(request.body, &body)) return Refuse(*error);
  if (auto error = ReadProxy(body, "Proxy", &wanted)) return Refuse(*error);
  if (auto error = ReadToxics(body, &wanted)) return Refuse(*error);
  if (auto error = proxies_.Create(wanted, &proxy)) return Refuse(*error);
  return Answer(proxy->ToJson(), 201);
}

ApiReply ProxyApi::Proxy(const ApiRequest& request, const std::string& name) {
  NamedProxy* proxy = nullptr;
  if (request.method == "GET") {
    if (auto error = proxies_.Find(name, &proxy)) return Refuse(*error);
    return Answer(proxy->ToJson());
  }
  if (request.method == "DELETE") {
    if (auto error = proxies_.Delete(name)) return Refuse(*error);
    return {204, "", ""};
  }
  if (request.method != "POST" && request.method != "PATCH") return NoSuchMethod();
  if (auto error = proxies_.Find(name, &proxy)) return Refuse(*error);
  Json body;
  ProxyRequest wanted;
  if (auto error = ReadBody(request.body, &body)) return Refuse(*error);
  if (auto error = ReadProxy(body, "Proxy", &wanted)) return Refuse(*error);
  if (auto error = proxies_.Update(name, wanted, &proxy)) return Refuse(*error);
  return Answer(proxy->ToJson());
}

ApiReply ProxyApi::Toxics(const ApiRequest& request, const std::string& name) {
  if (request.method != "GET" && request.method != "POST") return NoSuchMethod();
  NamedProxy* proxy = nullptr;
  if (auto error = proxies_.Find(name, &proxy)) return Refuse(*error);
  if (request.method == "GET") return Answer(proxy->ToxicsJson());
  Json body;
  Toxic toxic;
  if (auto error = ReadBody(request.body, &body)) return Refuse(*error);
  if (auto error = ReadToxic(body, &toxic)) return Refuse(*error);
  const Json added = toxic.ToJson();
  if (auto error = proxies_.AddToxic(*proxy, std::move(toxic))) return Refuse(*error);
  return Answer(added);
}

ApiReply ProxyApi::OneToxic(const ApiRequest& request, const std::string& name,
                            const std::string& toxic_name) {
  const bool changes = request.method == "POST" || request.method == "PATCH";
  if (request.method != "GET" && request.method != "DELETE" && !changes) return NoSuchMethod();
  NamedProxy* proxy = nullptr;
  Toxic* toxic = nullptr;
  if (auto error = proxies_.Find(name, &proxy)) return Refuse(*error);
  if (auto error = proxies_.FindToxic(*proxy, toxic_name, &toxic)) return Refuse(*error);
  if (request.method == "DELETE") {
    if (auto error = proxies_.RemoveToxic(*proxy, toxic_name)) return Refuse(*error);
    return {204, "", ""};
  }
  if (changes) {
    Json body;
    if (auto error = ReadBody(request.body, &body)) return Refuse(*error);
    if (auto error = proxies_.ChangeToxic(*proxy, toxic, body)) return Refuse(*error);
  }
  return Answer(toxic->ToJson());
}

ApiReply ProxyApi::Populate(const ApiRequest& request) {
  if (request.method != "POST") return NoSuchMethod();
  std::vector<ProxyRequest> wanted;
  std::vector<NamedProxy*> made;
  std::optional<ApiError> error = ReadProxies(request.body, &wanted);
  if (!error) error = proxies_.Populate(wanted, &made);
  Json body = Json::object();
  if (error) {
    body["error"] = error->message;
    body["status"] = error->status;
  }
  // Null where there is none, as a slice of Go's is that nothing was put into.
  body["proxies"] = Json();
  for (const NamedProxy* proxy : made) body["proxies"].push_back(proxy->ToJson());
  return Answer(body, error ? error->status : 201);
}

ApiReply ProxyApi::Reset(const ApiRequest& request) {
  if (request.method != "POST") return NoSuchMethod();
  if (auto error = proxies_.Reset()) return Refuse(*error);
  return {204, "", ""};
}

std::optional<ApiError> ProxyApi::PopulateFrom(std::string_view text, std::size_t* count) {
  std::vector<ProxyRequest> wanted;
  std::vector<NamedProxy*> made;
  if (auto error = ReadProxies(text, &wanted)) return error;
  auto error = proxies_.Populate(wanted, &made);
  *count = made.size();
  return error;
}

}  // namespace squall::harness
