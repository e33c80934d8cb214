#include "fakes/frontend/api_keys.h"

#include <algorithm>

#include "base/util/text.h"
#include "base/wire/misbehaviour.h"
#include "fakes/engine/errors.h"
#include "temporal/api/errordetails/v1/message.pb.h"

namespace squall::fakes {
namespace {

constexpr std::string_view kBearer = "Bearer ";

bool StartsWithIgnoringCase(std::string_view text, std::string_view prefix) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return text.size() >= prefix.size() &&
         std::equal(prefix.begin(), prefix.end(), text.begin(),
                    [&lower](char a, char b) { return lower(a) == lower(b); });
}

// The text of the server's authorization interceptor; Cloud puts its reason into the details.
wire::GrpcStatus Unauthorized(const std::string& reason) {
  temporal::api::errordetails::v1::PermissionDeniedFailure failure;
  failure.set_reason(reason);
  const RpcStatus status = engine::ToRpcStatus(
      engine::WithDetail(StatusCode::kPermissionDenied, "Request unauthorized.", failure));
  return {status.code, status.message, status.details};
}

std::vector<std::string_view> Words(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const std::size_t begin = text.find_first_not_of(separators);
    if (begin == std::string_view::npos) break;
    const std::size_t end = std::min(text.find_first_of(separators, begin), text.size());
    words.push_back(text.substr(begin, end - begin));
    text.remove_prefix(end);
  }
  return words;
}

bool AgreesWithOne(const std::vector<std::string>& patterns, std::string_view text) {
  return patterns.empty() ||
         std::any_of(patterns.begin(), patterns.end(),
                     [text](const auto& pattern) { return wire::Agrees(pattern, text); });
}

}  // namespace

StatusOr<std::vector<ApiKey>> ParseApiKeys(std::string_view text) {
  std::vector<ApiKey> keys;
  int number = 0;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    ++number;
    const auto words = Words(line, " \t\r");
    if (words.empty() || words.front().front() == '#') continue;
    ApiKey key;
    key.key = words.front();
    for (std::size_t i = 1; i < words.size(); ++i) {
      if (words[i].front() == '#') break;
      const std::string_view name = words[i].substr(0, words[i].find('='));
      const bool ns = name == "namespace";
      if (name.size() == words[i].size() || (!ns && name != "rpc")) {
        const std::string known[] = {"namespace", "rpc"};
        return MakeStatus(StatusCode::kInvalidArgument,
                          "line {}: '{}' is neither namespace=... nor rpc=...{}", number,
                          EscapeControl(name), DidYouMean(name, known));
      }
      for (const std::string_view word : Words(words[i].substr(name.size() + 1), ",")) {
        (ns ? key.namespaces : key.methods).emplace_back(word);
      }
    }
    keys.push_back(std::move(key));
  }
  return keys;
}

ApiKeys::ApiKeys(std::vector<ApiKey> keys)
    : keys_(std::move(keys)),
      scoped_(std::any_of(keys_.begin(), keys_.end(), [](const ApiKey& key) {
        return !key.namespaces.empty() || !key.methods.empty();
      })) {}

const ApiKey* ApiKeys::Find(const wire::Metadata& metadata, wire::GrpcStatus& refusal) const {
  const auto field = metadata.find("authorization");
  if (field == metadata.end() || !StartsWithIgnoringCase(field->second, kBearer)) {
    refusal = {static_cast<int>(StatusCode::kUnauthenticated), "API key is missing", {}};
    return nullptr;
  }
  const std::string_view given = std::string_view(field->second).substr(kBearer.size());
  const auto known = std::find_if(keys_.begin(), keys_.end(),
                                  [given](const ApiKey& key) { return key.key == given; });
  if (known != keys_.end()) return &*known;
  refusal = Unauthorized({});
  return nullptr;
}

wire::GrpcStatus ApiKeys::Allow(const ApiKey& key, std::string_view method, std::string_view ns) {
  if (!ns.empty() && !AgreesWithOne(key.namespaces, ns)) {
    return Unauthorized(fmt::format("caller has insufficient permissions for namespace '{}'", ns));
  }
  if (!AgreesWithOne(key.methods, method))
    return Unauthorized("caller has insufficient permissions");
  return {};
}

}  // namespace squall::fakes
