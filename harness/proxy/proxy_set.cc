#include "harness/proxy/proxy_set.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace squall::harness {
namespace {

// Go's net.SplitHostPort, with the words of its errors.
StatusOr<HostPort> Split(std::string_view text) {
  const auto bad = [&](std::string_view why) {
    return MakeStatus(StatusCode::kInvalidArgument, "address {}: {}", text, why);
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || (text.ends_with(']') && text.starts_with('[')))
    return bad("missing port in address");
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[')) {
    if (!host.ends_with(']')) return bad("missing ']' in address");
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return bad("too many colons in address");
  }
  const std::string_view digits = text.substr(colon + 1);
  unsigned port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (!digits.empty() && (error != std::errc() || end != digits.data() + digits.size()))
    return MakeStatus(StatusCode::kInvalidArgument, "lookup tcp/{}: unknown port", digits);
  if (port > 65535) return bad("invalid port");
  return HostPort{std::string(host), static_cast<std::uint16_t>(port)};
}

// Nothing but a free port of all addresses, for nothing at all.
StatusOr<HostPort> ListenAddress(const std::string& text) {
  if (text.empty()) return HostPort{};
  return Split(text);
}

// As Go prints an address that it has looked up.
std::string Printed(const HostPort& where) {
  if (where.host == "localhost") return HostPort{"127.0.0.1", where.port}.ToString();
  return where.ToString();
}

// Where connections go. What is no address fails for each of them, as in the original.
HostPort UpstreamAddress(const std::string& text) {
  const StatusOr<HostPort> where = Split(text);
  return where.ok() ? *where : HostPort{text, 0};
}

// Of a status of the link, without its name in front: what the system said.
ApiError Failed(const Status& status, const std::string& link) {
  std::string_view text = Message(status);
  const std::string prefix = "link " + link + ": ";
  if (text.starts_with(prefix)) text.remove_prefix(prefix.size());
  return {500, std::string(text)};
}

ApiError NotFound() { return {404, "proxy not found"}; }
ApiError ToxicExists() { return {409, "toxic already exists"}; }

}  // namespace

std::vector<const Toxic*> NamedProxy::Toxics() const {
  std::vector<const Toxic*> all;
  for (const Direction direction : {Direction::kUp, Direction::kDown, Direction::kBoth})
    for (const Toxic& toxic : toxics_)
      if (toxic.direction == direction) all.push_back(&toxic);
  return all;
}

Json NamedProxy::ToxicsJson() const {
  Json all = Json::array();
  for (const Toxic* toxic : Toxics()) all.push_back(toxic->ToJson());
  return all;
}

Json NamedProxy::ToJson() const {
  return {{"name", name_},
          {"listen", listen_},
          {"upstream", upstream_},
          {"enabled", enabled()},
          {"toxics", ToxicsJson()}};
}

ProxySet::ProxySet(AsioExecutor& executor, journal::Sink& journal, std::uint64_t seed)
    : executor_(executor), journal_(journal), seed_(seed) {}
ProxySet::~ProxySet() = default;

std::optional<ApiError> ProxySet::Find(const std::string& name, NamedProxy** proxy) {
  const auto it = proxies_.find(name);
  if (it == proxies_.end()) return NotFound();
  *proxy = it->second.get();
  return std::nullopt;
}

// Everything but the listener is there before that opens.
std::optional<ApiError> ProxySet::Make(const ProxyRequest& request,
                                       std::unique_ptr<NamedProxy>* made) {
  auto proxy = std::make_unique<NamedProxy>();
  proxy->name_ = request.name;
  proxy->listen_ = request.listen.value_or("");
  proxy->upstream_ = request.upstream.value_or("");
  StatusOr<std::unique_ptr<TcpProxy>> tcp =
      TcpProxy::Create(executor_, journal_,
                       {.link = proxy->name_,
                        .upstream = UpstreamAddress(proxy->upstream_),
                        .keep_port = false,
                        .seed = seed_,
                        .failed_with = CutWith::kFin,
                        .open = false});
  if (!tcp.ok()) return Failed(tcp.status(), proxy->name_);
  proxy->tcp_ = *std::move(tcp);
  for (const Toxic& toxic : request.toxics)
    if (auto error = Add(*proxy, toxic)) return error;
  if (request.enabled.value_or(true))
    if (auto error = Enable(*proxy)) return error;
  *made = std::move(proxy);
  return std::nullopt;
}

std::optional<ApiError> ProxySet::Enable(NamedProxy& proxy) {
  if (proxy.enabled()) return std::nullopt;
  const StatusOr<HostPort> listen = ListenAddress(proxy.listen_);
  if (!listen.ok()) return ApiError{500, fmt::format("listen tcp: {}", Message(listen.status()))};
  Status status = proxy.tcp_->SetListen(*listen);
  if (status.ok()) status = proxy.tcp_->SetOpen(true);
  if (!status.ok()) return Failed(status, proxy.name_);
  proxy.listen_ = proxy.tcp_->address();
  return std::nullopt;
}

void ProxySet::Disable(NamedProxy& proxy) {
  if (!proxy.enabled()) return;
  // Closing cannot fail: nothing is listened on.
  if (const Status status = proxy.tcp_->SetOpen(false); status.ok()) proxy.tcp_->DropConnections();
}

std::optional<ApiError> ProxySet::Create(const ProxyRequest& request, NamedProxy** proxy) {
  if (request.name.empty()) return ApiError{400, "missing required field: name"};
  if (request.upstream.value_or("").empty())
    return ApiError{400, "missing required field: upstream"};
  if (proxies_.contains(request.name)) return ApiError{409, "proxy already exists"};
  std::unique_ptr<NamedProxy> made;
  if (auto error = Make(request, &made)) return error;
  *proxy = made.get();
  proxies_[request.name] = std::move(made);
  return std::nullopt;
}

std::optional<ApiError> ProxySet::Update(const std::string& name, const ProxyRequest& request,
                                         NamedProxy** out) {
  if (auto error = Find(name, out)) return error;
  NamedProxy& proxy = **out;
  const std::string listen = request.listen.value_or(proxy.listen_);
  const std::string upstream = request.upstream.value_or(proxy.upstream_);
  const bool enabled = request.enabled.value_or(proxy.enabled());
  const StatusOr<HostPort> where = ListenAddress(listen);
  if (!where.ok()) return ApiError{500, std::string(Message(where.status()))};
  if (Printed(*where) != proxy.listen_ || upstream != proxy.upstream_) {
    Disable(proxy);
    proxy.listen_ = listen;
    proxy.upstream_ = upstream;
    proxy.tcp_->SetUpstream(UpstreamAddress(upstream));
  }
  if (enabled) return Enable(proxy);
  Disable(proxy);
  return std::nullopt;
}

std::optional<ApiError> ProxySet::Delete(const std::string& name) {
  NamedProxy* proxy = nullptr;
  if (auto error = Find(name, &proxy)) return error;
  Disable(*proxy);
  proxies_.erase(name);
  return std::nullopt;
}

std::optional<ApiError> ProxySet::Populate(const std::vector<ProxyRequest>& requests,
                                           std::vector<NamedProxy*>* proxies) {
  for (std::size_t i = 0; i < requests.size(); ++i) {
    if (requests[i].name.empty())
      return ApiError{400, fmt::format("missing required field: name at proxy {}", i + 1)};
    if (requests[i].upstream.value_or("").empty())
      return ApiError{400, fmt::format("missing required field: upstream at proxy {}", i + 1)};
  }
  for (const ProxyRequest& request : requests) {
    if (const auto it = proxies_.find(request.name); it != proxies_.end()) {
      NamedProxy& existing = *it->second;
      const StatusOr<HostPort> where = ListenAddress(request.listen.value_or(""));
      if (!where.ok()) return ApiError{500, std::string(Message(where.status()))};
      if (Printed(*where) == existing.listen_ && *request.upstream == existing.upstream_) {
        proxies->push_back(&existing);
        continue;
      }
      Disable(existing);
    }
    std::unique_ptr<NamedProxy> made;
    if (auto error = Make(request, &made)) return error;
    proxies->push_back(made.get());
    proxies_[request.name] = std::move(made);
  }
  return std::nullopt;
}

std::optional<ApiError> ProxySet::Reset() {
  for (const auto& [name, proxy] : proxies_) {
    if (auto error = Enable(*proxy)) return error;
    if (const Status status = proxy->tcp_->RemoveAll(); !status.ok())
      return Failed(status, proxy->name_);
    proxy->toxics_.clear();
  }
  return std::nullopt;
}

std::optional<ApiError> ProxySet::FindToxic(NamedProxy& proxy, const std::string& name,
                                            Toxic** toxic) {
  const auto it = std::find_if(proxy.toxics_.begin(), proxy.toxics_.end(),
                               [&](const Toxic& one) { return one.name == name; });
  if (it == proxy.toxics_.end()) return ApiError{404, "toxic not found"};
  *toxic = &*it;
  return std::nullopt;
}

std::optional<ApiError> ProxySet::AddToxic(NamedProxy& proxy, std::string_view body, Toxic* added) {
  if (auto error = ReadToxic(body, added)) return error;
  // Said before anything about its attributes, as in the original.
  Toxic* existing = nullptr;
  if (!FindToxic(proxy, added->name, &existing)) return ToxicExists();
  if (auto error = harness::ChangeToxic(body, added)) return error;
  return Add(proxy, *added);
}

std::optional<ApiError> ProxySet::Add(NamedProxy& proxy, const Toxic& toxic) {
  Toxic* existing = nullptr;
  if (!FindToxic(proxy, toxic.name, &existing)) return ToxicExists();
  const StatusOr<std::optional<NetFault>> fault = FaultOf(toxic);
  if (!fault.ok()) return ApiError{400, std::string(Message(fault.status()))};
  if (fault->has_value()) {
    if (const Status status = proxy.tcp_->Set(**fault); !status.ok())
      return Failed(status, proxy.name_);
  }
  proxy.toxics_.push_back(toxic);
  return std::nullopt;
}

std::optional<ApiError> ProxySet::ChangeToxic(NamedProxy& proxy, Toxic* toxic,
                                              std::string_view body) {
  Toxic changed = *toxic;
  if (auto error = harness::ChangeToxic(body, &changed)) return error;
  const StatusOr<std::optional<NetFault>> before = FaultOf(*toxic), after = FaultOf(changed);
  if (!after.ok()) return ApiError{400, std::string(Message(after.status()))};
  if (before.ok() && before->has_value() && after->has_value()) {
    Status status = absl::OkStatus();
    if ((*before)->kind == (*after)->kind) {
      status = proxy.tcp_->Update(**after);
    } else {  // a bandwidth of 0 is another fault than one above
      status = proxy.tcp_->Remove(toxic->name);
      if (status.ok()) status = proxy.tcp_->Set(**after);
    }
    if (!status.ok()) return Failed(status, proxy.name_);
  }
  *toxic = std::move(changed);
  return std::nullopt;
}

std::optional<ApiError> ProxySet::RemoveToxic(NamedProxy& proxy, const std::string& name) {
  Toxic* toxic = nullptr;
  if (auto error = FindToxic(proxy, name, &toxic)) return error;
  proxy.toxics_.erase(proxy.toxics_.begin() + (toxic - proxy.toxics_.data()));
  if (const Status status = proxy.tcp_->Remove(name); !status.ok())
    return Failed(status, proxy.name_);
  return std::nullopt;
}

}  // namespace squall::harness
