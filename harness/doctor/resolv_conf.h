#pragma once
// What the resolver makes of a name before it asks (resolv.conf(5)): which suffixes it tries, and
// in which order. Pure functions.

#include <string>
#include <string_view>
#include <vector>

namespace squall::doctor {

struct ResolvConf {
  std::vector<std::string> servers;
  std::vector<std::string> search;
  int ndots = 1;
};

// `local_domain` and `options`: the variables LOCALDOMAIN and RES_OPTIONS, which rule over the file
// ("" where they are not set).
ResolvConf ParseResolvConf(std::string_view text, std::string_view local_domain,
                           std::string_view options);

// The names that are asked for, in their order: "orders.prod.svc.cluster.local", "orders".
std::vector<std::string> NamesTried(const std::string& name, const ResolvConf& conf);

}  // namespace squall::doctor
