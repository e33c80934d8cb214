#pragma once
// Which HTTP CONNECT proxy the SDK would go through. Each of them reads other variables, and reads
// the same variable in another way: what stands here was read from core 0.10.1 (temporalio-client
// 1.1.1, src/proxy.rs), grpc-go 1.83.2 (internal/resolver/delegatingresolver, with
// golang.org/x/net/http/httpproxy) and grpc-js 1.14.7 (src/http_proxy.ts). Pure functions.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/doctor/sdk.h"
#include "harness/net/port.h"

namespace squall::doctor {

// What stands before the last "@" of a proxy's URL, percent-encoding undone; "" for none.
std::string CredentialsIn(std::string_view url);

// The variables that any of them reads: "HTTPS_PROXY", "no_grpc_proxy", ...
bool IsProxyVariable(std::string_view name);

struct ProxySettings {
  std::map<std::string, std::string> variables;  // those of the above that are set
  // What the program gives core (`HttpConnectProxyOptions`, `http_connect_proxy_config`, `proxy`):
  // HOST:PORT, and USER:PASSWORD.
  std::string given, credentials;
};

struct HttpProxy {
  harness::HostPort where;
  std::string credentials;  // "user:password"; "": none
  std::string source;       // "HTTPS_PROXY", "--proxy"
};

struct ProxyChoice {
  std::optional<HttpProxy> proxy;  // the SDK's connection goes through it
  std::string problem;             // it should, and cannot: why
  // What is set and has no effect, and why: "no_proxy has the target's name".
  std::vector<std::string> notes;
};

// Without an SDK nothing is gone through, unless it is given; the notes tell who would.
ProxyChoice ChooseProxy(const ProxySettings& settings, const Sdk& sdk,
                        const harness::HostPort& target);

}  // namespace squall::doctor
