#include "harness/proxy/proxy_api.h"

#include <algorithm>
#include <utility>

#include "base/util/text.h"
#include "harness/proxy/go_path.h"
#include "harness/proxy/metrics.h"
#include "harness/proxy/prometheus.h"

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

// A proxy in a body; those of a list are embedded in another struct. More than Toxiproxy takes: a
// new proxy can bring its toxics along.
GoField ProxyField(std::string_view type, std::string_view embedded, bool with_toxics) {
  using Kind = GoField::Kind;
  GoField proxy{"",
                Kind::kStruct,
                std::string(type),
                {{"name", Kind::kText, "string", {}, embedded},
                 {"listen", Kind::kText, "string", {}, embedded},
                 {"upstream", Kind::kText, "string", {}, embedded},
                 {"enabled", Kind::kBool, "bool"},
                 {"Logger", Kind::kStruct, "zerolog.Logger", {}, embedded}}};
  if (with_toxics)
    proxy.parts.push_back(
        {"toxics", Kind::kList, "[]toxics.Toxic", {{"", Kind::kRaw, "toxics.Toxic"}}});
  return proxy;
}

// What the body gives; null is nothing.
template <typename T>
std::optional<T> Given(const Json& body, const char* name) {
  const auto it = body.find(name);
  if (it == body.end() || it->is_null()) return std::nullopt;
  return it->get<T>();
}

std::optional<ApiError> ReadRequest(const Json& body, ProxyRequest* request) {
  *request = {.name = Given<std::string>(body, "name").value_or(""),
              .listen = Given<std::string>(body, "listen"),
              .upstream = Given<std::string>(body, "upstream"),
              .enabled = Given<bool>(body, "enabled"),
              .toxics = {}};
  const auto toxics = Given<std::vector<std::string>>(body, "toxics");
  for (const std::string& text : toxics.value_or(std::vector<std::string>())) {
    Toxic toxic;
    if (auto error = ReadToxic(text, &toxic)) return error;
    if (auto error = ChangeToxic(text, &toxic)) return error;
    request->toxics.push_back(std::move(toxic));
  }
  return std::nullopt;
}

std::optional<ApiError> ReadProxy(std::string_view text, bool with_toxics, ProxyRequest* request) {
  Json body;
  const Status status = DecodeBody(text, ProxyField("toxiproxy.Proxy", "", with_toxics), &body);
  if (!status.ok()) return BadRequest(Message(status));
  return ReadRequest(body, request);
}

std::optional<ApiError> ReadProxies(std::string_view text, std::vector<ProxyRequest>* requests) {
  constexpr std::string_view kOne =
      R"(struct { toxiproxy.Proxy; Enabled *bool "json:\"enabled\"" })";
  Json body;
  const Status status = DecodeBody(
      text,
      {"", GoField::Kind::kList, fmt::format("[]{}", kOne), {ProxyField(kOne, "Proxy", true)}},
      &body);
  if (!status.ok()) return BadRequest(Message(status));
  for (const Json& one : body)
    if (auto error = ReadRequest(one, &requests->emplace_back())) return error;
  return std::nullopt;
}

}  // namespace

ApiReply ProxyApi::Handle(const ApiRequest& request) {
  const std::size_t query = std::min(request.path.find('?'), request.path.size());
  const std::optional<std::string> path = DecodePath(request.path.substr(0, query));
  if (!path) return {400, kText, "400 Bad Request"};
  if (const std::string clean = CleanPath(*path); clean != *path)
    return {301, "", "", EncodePath(clean) + request.path.substr(query)};
  // Pages in a browser are no clients of ours.
  if (request.user_agent.starts_with("Mozilla/")) return {403, kText, "User agent not allowed\n"};
  const std::vector<std::string_view> at = Split(std::string_view(*path).substr(1), '/');
  const auto is = [&](std::size_t segments, std::string_view first) {
    return at.size() == segments && at[0] == first && at.back() != "";
  };
  if (is(1, "proxies")) return Proxies(request);
  if (is(2, "proxies")) return Proxy(request, std::string(at[1]));
  if (is(3, "proxies") && at[2] == "toxics") return Toxics(request, std::string(at[1]));
  if (is(4, "proxies") && at[2] == "toxics")
    return OneToxic(request, std::string(at[1]), std::string(at[3]));
  if (is(1, "populate")) return Populate(request);
  if (is(1, "reset")) return Reset(request);
  if (is(1, "version")) {
    if (request.method != "GET") return NoSuchMethod();
    return {200, "application/json;charset=utf-8",
            "{\"version\": " + Json(version_).dump() + "}\n"};
  }
  if (is(1, "metrics"))
    return {200, fmt::format("{}; charset=utf-8", kPrometheusType), Metrics(proxies_)};
  return NoSuchPage();
}

ApiReply ProxyApi::Proxies(const ApiRequest& request) {
  if (request.method == "GET") {
    Json all = Json::object();
    for (const auto& [name, proxy] : proxies_.proxies()) all[name] = proxy->ToJson();
    return Answer(all);
  }
  if (request.method != "POST") return NoSuchMethod();
  ProxyRequest wanted;
  NamedProxy* proxy = nullptr;
  if (auto error = ReadProxy(request.body, true, &wanted)) return Refuse(*error);
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
  ProxyRequest wanted;
  if (auto error = ReadProxy(request.body, false, &wanted)) return Refuse(*error);
  if (auto error = proxies_.Update(name, wanted, &proxy)) return Refuse(*error);
  return Answer(proxy->ToJson());
}

ApiReply ProxyApi::Toxics(const ApiRequest& request, const std::string& name) {
  if (request.method != "GET" && request.method != "POST") return NoSuchMethod();
  NamedProxy* proxy = nullptr;
  if (auto error = proxies_.Find(name, &proxy)) return Refuse(*error);
  if (request.method == "GET") return Answer(proxy->ToxicsJson());
  Toxic added;
  if (auto error = proxies_.AddToxic(*proxy, request.body, &added)) return Refuse(*error);
  return Answer(added.ToJson());
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
    if (auto error = proxies_.ChangeToxic(*proxy, toxic, request.body)) return Refuse(*error);
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
