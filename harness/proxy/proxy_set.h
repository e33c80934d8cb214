#pragma once
// Proxies by name, each a TcpProxy with its toxics: what the stand-alone proxy serves. Errors have
// the status codes and words of Toxiproxy's API.
//
// Toxics are set before the listener opens: a proxy that is created with toxics, or enabled with
// them, has them in force from the first byte of the first connection.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/journal/journal.h"
#include "harness/net/asio_executor.h"
#include "harness/net/tcp_proxy.h"
#include "harness/proxy/toxic.h"

namespace squall::harness {

// What a proxy is to be. Not given: as it is, or the default.
struct ProxyRequest {
  std::string name;
  std::optional<std::string> listen, upstream;
  std::optional<bool> enabled;
  std::vector<Toxic> toxics;
};

class NamedProxy {
 public:
  const std::string& name() const { return name_; }
  const std::string& listen() const { return listen_; }
  const std::string& upstream() const { return upstream_; }
  bool enabled() const { return tcp_ && tcp_->open(); }
  // Upstream's first, as Toxiproxy lists them; of one stream in the order in which they were added.
  std::vector<const Toxic*> Toxics() const;
  const TcpProxy& tcp() const { return *tcp_; }
  Json ToJson() const;
  Json ToxicsJson() const;

 private:
  friend class ProxySet;
  std::string name_, listen_, upstream_;
  std::vector<Toxic> toxics_;
  std::unique_ptr<TcpProxy> tcp_;
};

// Loop thread only.
class ProxySet {
 public:
  // Every draw comes from `seed`, split by the names of proxy and toxic.
  ProxySet(AsioExecutor& executor, journal::Sink& journal, std::uint64_t seed);
  ~ProxySet();

  const std::map<std::string, std::unique_ptr<NamedProxy>>& proxies() const { return proxies_; }
  std::optional<ApiError> Find(const std::string& name, NamedProxy** proxy);

  std::optional<ApiError> Create(const ProxyRequest& request, NamedProxy** proxy);
  std::optional<ApiError> Update(const std::string& name, const ProxyRequest& request,
                                 NamedProxy** proxy);
  std::optional<ApiError> Delete(const std::string& name);
  // Proxies that are as they are to be stay; others are replaced. Stops at the first error.
  std::optional<ApiError> Populate(const std::vector<ProxyRequest>& requests,
                                   std::vector<NamedProxy*>* proxies);
  // Enables all and removes all toxics.
  std::optional<ApiError> Reset();

  std::optional<ApiError> FindToxic(NamedProxy& proxy, const std::string& name, Toxic** toxic);
  // A toxic of a request's body, as it then is.
  std::optional<ApiError> AddToxic(NamedProxy& proxy, std::string_view body, Toxic* added);
  std::optional<ApiError> ChangeToxic(NamedProxy& proxy, Toxic* toxic, std::string_view body);
  std::optional<ApiError> RemoveToxic(NamedProxy& proxy, const std::string& name);

 private:
  std::optional<ApiError> Make(const ProxyRequest& request, std::unique_ptr<NamedProxy>* made);
  std::optional<ApiError> Add(NamedProxy& proxy, const Toxic& toxic);
  std::optional<ApiError> Enable(NamedProxy& proxy);
  void Disable(NamedProxy& proxy);

  AsioExecutor& executor_;
  journal::Sink& journal_;
  const std::uint64_t seed_;
  std::map<std::string, std::unique_ptr<NamedProxy>> proxies_;
};

}  // namespace squall::harness
