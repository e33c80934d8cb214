#include "fakes/engine/nexus_endpoints.h"

#include <fmt/format.h>

#include <algorithm>

#include "fakes/engine/core.h"
#include "fakes/engine/errors.h"
#include "fakes/engine/limits.h"
#include "fakes/engine/times.h"
#include "fakes/engine/tokens.h"

namespace squall::fakes::engine {
namespace {

// limit.endpointNameMaxLength, limit.endpointExternalURLMaxLength,
// limit.endpointDescriptionMaxSize, limit.endpointListDefaultPageSize,
// limit.maxIDLength.
constexpr std::size_t kMaxEndpointName = 200, kMaxEndpointUrl = 4096, kMaxDescription = 20000,
                      kMaxQueue = 1000;
constexpr int kDefaultPage = 100;
constexpr char kNameRegex[] = R"(^[a-zA-Z][a-zA-Z0-9\\-]*[a-zA-Z0-9]$)";

bool IsName(std::string_view name) {
  const auto letter = [](char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; };
  const auto alnum = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; };
  return name.size() >= 2 && letter(name.front()) && alnum(name.back()) &&
         std::all_of(name.begin(), name.end(), [&](char c) { return alnum(c) || c == '-'; });
}

// Everything that is wrong with a request, in one text.
class Issues {
 public:
  void Add(std::string_view issue) {
    if (!text_.empty()) text_ += ", ";
    text_ += issue;
  }
  Status Result() const { return text_.empty() ? absl::OkStatus() : InvalidArgument(text_); }

 private:
  std::string text_;
};

void CheckId(const std::string& id, Issues* issues) {
  if (id.empty()) {
    issues->Add("endpoint ID not set");
  } else if (id.size() != 36) {
    issues->Add(fmt::format("malformed endpoint ID: \"invalid UUID length: {}\"", id.size()));
  } else if (!IsUuid(id)) {
    issues->Add("malformed endpoint ID: \"invalid UUID format\"");
  }
}

void CheckUrl(const std::string& url, Issues* issues) {
  if (url.empty()) return issues->Add("empty target URL");
  if (url.size() > kMaxEndpointUrl)
    return issues->Add(fmt::format("target URL length exceeds limit of {}", kMaxEndpointUrl));
  const std::size_t colon = url.find(':');
  const std::string scheme = colon == std::string::npos ? "" : url.substr(0, colon);
  if (scheme == "http" || scheme == "https") {
    const std::size_t open = url.find('['), close = url.find(']');
    if (open != std::string::npos && close == std::string::npos)
      issues->Add(fmt::format("invalid target URL: parse \"{}\": missing ']' in host", url));
    return;
  }
  issues->Add(fmt::format("invalid target URL scheme: \"{}\", expected http or https", scheme));
}

}  // namespace

Status NexusEndpoints::CheckSpec(const nexuspb::EndpointSpec& spec) const {
  Issues issues;
  if (spec.name().empty()) {
    issues.Add("endpoint name not set");
  } else {
    if (spec.name().size() > kMaxEndpointName)
      issues.Add(fmt::format("endpoint name exceeds length limit of {}", kMaxEndpointName));
    if (!IsName(spec.name()))
      issues.Add(fmt::format("endpoint name must match the regex: \"{}\"", kNameRegex));
  }
  switch (spec.target().variant_case()) {
    case nexuspb::EndpointTarget::kWorker: {
      const auto& worker = spec.target().worker();
      if (worker.namespace_().empty()) {
        issues.Add("target namespace not set");
      } else if (auto ns = core_.namespaces.Get(worker.namespace_()); !ns.ok()) {
        return MakeStatus(StatusCode::kFailedPrecondition,
                          "could not verify namespace referenced by target exists: {}",
                          Message(ns.status()));
      }
      const std::string& queue = worker.task_queue();
      if (queue.empty()) {
        issues.Add("invalid target task queue: \"taskQueue is not set\"");
      } else if (queue.size() > kMaxQueue) {
        issues.Add("invalid target task queue: \"taskQueue length exceeds limit\"");
      } else if (queue.starts_with("/_sys/")) {
        issues.Add(
            "invalid target task queue: \"task queue name cannot start with reserved prefix "
            "/_sys/\"");
      }
      break;
    }
    case nexuspb::EndpointTarget::kExternal:
      CheckUrl(spec.target().external().url(), &issues);
      break;
    default:
      issues.Add("empty target variant");
      return issues.Result();
  }
  if (spec.description().ByteSizeLong() > kMaxDescription)
    issues.Add(fmt::format("description size exceeds limit of {}", kMaxDescription));
  return issues.Result();
}

const nexuspb::Endpoint* NexusEndpoints::FindByName(const std::string& name) const {
  for (const auto& [id, endpoint] : by_id_) {
    if (endpoint.spec().name() == name) return &endpoint;
  }
  return nullptr;
}

const nexuspb::Endpoint* NexusEndpoints::Find(const std::string& id,
                                              const std::string& name) const {
  const auto it = by_id_.find(id);
  return it != by_id_.end() ? &it->second : FindByName(name);
}

StatusOr<op::CreateNexusEndpointResponse> NexusEndpoints::Create(
    const op::CreateNexusEndpointRequest& request) {
  SQUALL_RETURN_IF_ERROR(CheckSpec(request.spec()));
  if (FindByName(request.spec().name()) != nullptr) {
    return MakeStatus(StatusCode::kAlreadyExists,
                      "error creating Nexus endpoint. Endpoint with name {} already registered",
                      request.spec().name());
  }
  const std::string id = core_.rng.Uuid();
  nexuspb::Endpoint& endpoint = by_id_[id];
  endpoint.set_version(1);
  endpoint.set_id(id);
  *endpoint.mutable_spec() = request.spec();
  *endpoint.mutable_created_time() = ToProto(core_.now.wall);
  endpoint.set_url_prefix(fmt::format("/nexus/endpoints/{}/services", id));
  op::CreateNexusEndpointResponse response;
  *response.mutable_endpoint() = endpoint;
  return response;
}

StatusOr<op::UpdateNexusEndpointResponse> NexusEndpoints::Update(
    const op::UpdateNexusEndpointRequest& request) {
  SQUALL_RETURN_IF_ERROR(CheckSpec(request.spec()));
  const auto it = by_id_.find(request.id());
  if (it == by_id_.end()) {
    return NotFound(
        fmt::format("error updating Nexus endpoint. endpoint ID {} not found", request.id()));
  }
  nexuspb::Endpoint& endpoint = it->second;
  if (endpoint.version() != request.version()) {
    return MakeStatus(StatusCode::kFailedPrecondition,
                      "nexus endpoint version mismatch. received: {} expected {}",
                      request.version(), endpoint.version());
  }
  // The real server lets an update take the name of another endpoint, and loses the time of the
  // creation.
  endpoint.set_version(endpoint.version() + 1);
  *endpoint.mutable_spec() = request.spec();
  endpoint.clear_created_time();
  *endpoint.mutable_last_modified_time() = ToProto(core_.now.wall);
  op::UpdateNexusEndpointResponse response;
  *response.mutable_endpoint() = endpoint;
  return response;
}

StatusOr<op::DeleteNexusEndpointResponse> NexusEndpoints::Delete(
    const op::DeleteNexusEndpointRequest& request) {
  Issues issues;
  CheckId(request.id(), &issues);
  if (request.version() <= 0) issues.Add("endpoint version is non-positive");
  SQUALL_RETURN_IF_ERROR(issues.Result());
  // Whether the version is the latest is not asked.
  if (by_id_.erase(request.id()) == 0)
    return NotFound("error deleting nexus endpoint with ID: " + request.id());
  return op::DeleteNexusEndpointResponse();
}

StatusOr<op::GetNexusEndpointResponse> NexusEndpoints::Get(
    const op::GetNexusEndpointRequest& request) {
  Issues issues;
  CheckId(request.id(), &issues);
  SQUALL_RETURN_IF_ERROR(issues.Result());
  const auto it = by_id_.find(request.id());
  if (it == by_id_.end())
    return NotFound(fmt::format("Nexus endpoint with ID `{}` not found", request.id()));
  op::GetNexusEndpointResponse response;
  *response.mutable_endpoint() = it->second;
  return response;
}

StatusOr<op::ListNexusEndpointsResponse> NexusEndpoints::List(
    const op::ListNexusEndpointsRequest& request) {
  op::ListNexusEndpointsResponse response;
  if (!request.name().empty()) {
    if (const auto* endpoint = FindByName(request.name())) *response.add_endpoints() = *endpoint;
    return response;
  }
  if (request.page_size() < 0) return InvalidArgument("page_size is negative");
  if (request.page_size() > kMaxPage)
    return InvalidArgument(fmt::format("page_size exceeds limit of {}", kMaxPage));
  const int size = request.page_size() == 0 ? kDefaultPage : request.page_size();
  auto it = by_id_.begin();
  if (!request.next_page_token().empty()) {
    if (!IsUuid(request.next_page_token()))
      return Status(StatusCode::kInternal, "error listing Nexus endpoints");
    it = by_id_.upper_bound(request.next_page_token());
  }
  for (; it != by_id_.end() && response.endpoints_size() < size; ++it)
    *response.add_endpoints() = it->second;
  // A full page has a token, even when nothing follows.
  if (response.endpoints_size() == size)
    response.set_next_page_token(response.endpoints(size - 1).id());
  return response;
}

}  // namespace squall::fakes::engine
