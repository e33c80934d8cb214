#pragma once
// Who may call what, by API keys as Temporal Cloud takes them: "authorization: Bearer KEY".

#include <string>
#include <string_view>
#include <vector>

#include "base/util/status.h"
#include "base/wire/grpc.h"

namespace squall::fakes {

struct ApiKey {
  std::string key;
  // Namespaces and RPCs that it is good for, stars allowed; empty: all. Calls that name no
  // namespace (GetSystemInfo) are not held against `namespaces`.
  std::vector<std::string> namespaces;
  std::vector<std::string> methods;
};

// One key per line, "#" comments, and behind the key what it is good for:
//   KEY namespace=orders,billing rpc=Poll*,Respond*
// INVALID_ARGUMENT with the line's number.
StatusOr<std::vector<ApiKey>> ParseApiKeys(std::string_view text);

// Refusals, in the words and with the details of Temporal Cloud. Keys appear in no message.
class ApiKeys {
 public:
  ApiKeys() = default;
  explicit ApiKeys(std::vector<ApiKey> keys);

  bool empty() const { return keys_.empty(); }
  // Some key is not good for everything: Allow has to be asked.
  bool scoped() const { return scoped_; }
  // The key of a call, by its metadata: null with a refusal for none and for an unknown one.
  const ApiKey* Find(const wire::Metadata& metadata, wire::GrpcStatus& refusal) const;
  // OK, or the refusal.
  static wire::GrpcStatus Allow(const ApiKey& key, std::string_view method, std::string_view ns);

 private:
  std::vector<ApiKey> keys_;
  bool scoped_ = false;
};

}  // namespace squall::fakes
