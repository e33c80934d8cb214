#pragma once
// The stand-alone proxy's HTTP API, without HTTP: a request in, a reply out. Paths, JSON, status
// codes and errors are those of Toxiproxy 2.12; docs/proxy.md tells what is more and what differs.

#include <string>

#include "harness/proxy/proxy_set.h"

namespace squall::harness {

struct ApiRequest {
  std::string method, path, body, user_agent;  // the path is still percent-encoded
};

struct ApiReply {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::string location;  // where to look instead
};

class ProxyApi {
 public:
  // `version`: what /version tells.
  ProxyApi(ProxySet& proxies, std::string version)
      : proxies_(proxies), version_(std::move(version)) {}

  ApiReply Handle(const ApiRequest& request);

  // Proxies of a file, as /populate takes them.
  std::optional<ApiError> PopulateFrom(std::string_view text, std::size_t* count);

 private:
  ApiReply Proxies(const ApiRequest& request);
  ApiReply Proxy(const ApiRequest& request, const std::string& name);
  ApiReply Toxics(const ApiRequest& request, const std::string& proxy);
  ApiReply OneToxic(const ApiRequest& request, const std::string& proxy, const std::string& toxic);
  ApiReply Populate(const ApiRequest& request);
  ApiReply Reset(const ApiRequest& request);

  ProxySet& proxies_;
  const std::string version_;
};

}  // namespace squall::harness
