#include "harness/proxy/metrics.h"

#include <functional>

namespace squall::harness {
namespace {

// A label's value between quotes.
std::string Escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

class Page {
 public:
  explicit Page(const ProxySet& proxies) : proxies_(proxies) {}

  // One metric with its samples of each proxy.
  void Metric(std::string_view name, std::string_view type, std::string_view help,
              const std::function<void(const NamedProxy&)>& samples) {
    name_ = name;
    text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
    for (const auto& [proxy_name, proxy] : proxies_.proxies()) samples(*proxy);
  }
  void Sample(const std::string& labels, std::uint64_t value) {
    text_ += fmt::format("{}{{{}}} {}\n", name_, labels, value);
  }
  // Of one number of each proxy.
  void Count(std::string_view name, std::string_view type, std::string_view help,
             std::uint64_t ProxyCounters::*member) {
    Metric(name, type, help, [&](const NamedProxy& proxy) {
      Sample(fmt::format("proxy=\"{}\"", Escaped(proxy.name())), proxy.tcp().counters().*member);
    });
  }
  // Of one number of each direction of each proxy.
  void Bytes(std::string_view name, std::string_view help, std::uint64_t ProxyCounters::*up,
             std::uint64_t ProxyCounters::*down) {
    Metric(name, "counter", help, [&](const NamedProxy& proxy) {
      const ProxyCounters counters = proxy.tcp().counters();
      for (const auto& [direction, value] :
           {std::pair{"downstream", counters.*down}, std::pair{"upstream", counters.*up}}) {
        Sample(
            fmt::format("direction=\"{}\",listener=\"{}\",proxy=\"{}\",upstream=\"{}\"", direction,
                        Escaped(proxy.listen()), Escaped(proxy.name()), Escaped(proxy.upstream())),
            value);
      }
    });
  }
  // Of one number of each toxic.
  void PerToxic(std::string_view name, std::string_view type, std::string_view help,
                const std::function<std::uint64_t(const NamedProxy&, const Toxic&)>& value) {
    Metric(name, type, help, [&](const NamedProxy& proxy) {
      for (const Toxic* toxic : proxy.Toxics()) {
        Sample(fmt::format("proxy=\"{}\",stream=\"{}\",toxic=\"{}\",type=\"{}\"",
                           Escaped(proxy.name()), toxic->stream, Escaped(toxic->name),
                           toxic->type->name),
               value(proxy, *toxic));
      }
    });
  }
  std::string Take() { return std::move(text_); }

 private:
  const ProxySet& proxies_;
  std::string name_, text_;
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
                page.Sample(fmt::format("proxy=\"{}\"", Escaped(proxy.name())), proxy.enabled());
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
