#pragma once
// The one connection that the settings describe, and what is wrong with them before anything
// connects.

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/util/clock.h"
#include "base/wire/tls.h"
#include "harness/doctor/diagnosis.h"
#include "harness/doctor/http_proxy.h"
#include "harness/doctor/sdk.h"
#include "harness/doctor/settings.h"

namespace squall::doctor {

// What a worker with these settings would connect to, and how.
struct Target {
  std::string host;
  std::uint16_t port = 0;
  bool tls = false;
  std::string tls_because;  // "an API key is set"
  bool verify = true;       // false: whatever certificate the server shows
  std::string server_name;  // that the certificate must be for; the host where none is set
  std::string ca_pem;       // what is trusted: TEMPORAL_TLS_SERVER_CA_CERT_*, else the system's
  std::string ca_source;
  std::optional<wire::TlsIdentity> identity;
  std::string api_key;
  std::string ns = "default";
  std::string task_queue;  // "": none is known
  std::map<std::string, std::string> metadata;
  std::optional<HttpProxy> proxy;  // that the connection goes through
  std::string proxy_note;          // why a proxy that is set is not gone through; "": none is

  std::string address() const;  // "host:port", IPv6 in brackets
};

struct TargetOptions {
  std::set<Setting> required;          // must be set: --require
  std::string system_authorities_pem;  // of this machine
  WallTime now;                        // certificates and keys are judged by it
  Sdk sdk;
};

// Adds rows and findings of the settings layer to `diagnosis`; the target is of use when none of
// them is broken. `read_file` as in Sources.
Target ResolveTarget(const Settings& settings, const TargetOptions& options,
                     const std::function<StatusOr<std::string>(const std::string&)>& read_file,
                     Diagnosis& diagnosis);

}  // namespace squall::doctor
