#include "harness/proxy/metrics.h"

#include <functional>

#include "harness/proxy/prometheus.h"

namespace squall::harness {
namespace {

class Page {
 public:
  explicit Page(const ProxySet& proxies) : proxies_(proxies) {}

  // One metric with its samples of each proxy.
  void Metric(std::string_view name, std::string_view type, std::string_view help,
              const std::function<void(const NamedProxy&)>& samples) {
    text_.Metric(name, type, help);
    for (const auto& [proxy_name, proxy] : proxies_.proxies()) samples(*proxy);
  }
  void Sample(const std::string& labels, std::uint64_t value) { text_.Sample(labels, value); }
  // Of one number of each proxy.
  void Count(std::string_view name, std::string_view type, std::string_view help,
             std::uint64_t ProxyCounters::*member) {
    Metric(name, type, help, [&](const NamedProxy& proxy) {
      Sample(Label("proxy", proxy.name()), proxy.tcp().counters().*member);
    });
  }
  // Of one number of each direction of each proxy.
  void Bytes(std::string_view name, std::string_view help, std::uint64_t ProxyCounters::*up,
             std::uint64_t ProxyCounters::*down) {
    Metric(name, "counter", help, [&](const NamedProxy& proxy) {
      const ProxyCounters counters = proxy.tcp().counters();
      for (const auto& [direction, value] :
           {std::pair{"downstream", counters.*down}, std::pair{"upstream", counters.*up}}) {
        Sample(fmt::format("{},{},{},{}", Label("direction", direction),
                           Label("listener", proxy.listen()), Label("proxy", proxy.name()),
                           Label("upstream", proxy.upstream())),
               value);
      }
    });
  }
  // Of one number of each toxic.
  void PerToxic(std::string_view name, std::string_view type, std::string_view help,
                const std::function<std::uint64_t(const NamedProxy&, const Toxic&)>& value) {
    Metric(name, type, help, [&](const NamedProxy& proxy) {
      for (const Toxic* toxic : proxy.Toxics()) {
        Sample(
            fmt::format("{},{},{},{}", Label("proxy", proxy.name()), Label("stream", toxic->stream),
                        Label("toxic", toxic->name), Label("type", toxic->type->name)),
            value(proxy, *toxic));
      }
    });
  }
  std::string Take() { return text_.Take(); }

  static constexpr auto Label = PrometheusText::Label;

 private:
  const ProxySet& proxies_;
  PrometheusText text_;
};

}  // namespace

std::string Metrics(const ProxySet& proxies) {
  Page page(proxies);
  using C = ProxyCounters;
  page.Bytes("toxiproxy_proxy_received_bytes_total", "Bytes received from the sender of a stream.",
             &C::received_up, &C::received_down);
  page.Bytes("toxiproxy_proxy_sent_bytes_total", "Bytes sent to the receiver of a stream.",
             &C::bytes_up, &C::bytes_down);
  page.Metric("squall_proxy_enabled", "gauge", "Whether the proxy is enabled.",
              [&](const NamedProxy& proxy) {
                page.Sample(Page::Label("proxy", proxy.name()), proxy.enabled());
              });
  page.Count("squall_proxy_connections_total", "counter", "Connections that reached the proxy.",
             &C::attempts);
  page.Count("squall_proxy_connections_established_total", "counter",
             "Of these, connected to the upstream.", &C::established);
  page.Count("squall_proxy_connections_failed_total", "counter",
             "Of these, with an upstream that could not be reached.", &C::failed);
  page.Count("squall_proxy_connections_reset_total", "counter",
             "Connections that a toxic or a command reset.", &C::reset);
  page.Count("squall_proxy_connections_open", "gauge", "Connections that are open.", &C::open);
  page.PerToxic("squall_proxy_toxics", "gauge", "Active toxics.",
                [](const NamedProxy&, const Toxic&) { return 1; });
  page.PerToxic(
      "squall_proxy_toxic_hits_total", "counter", "Connections that met the toxic.",
      [](const NamedProxy& proxy, const Toxic& toxic) { return proxy.tcp().hits(toxic.name); });
  return page.Take();
}

}  // namespace squall::harness
