#include "harness/doctor/names.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>

#include "base/util/text.h"
#include "harness/doctor/resolv_conf.h"

namespace squall::doctor {
namespace {

using boost::asio::ip::tcp;

struct Lookup {
  bool done = false;
  Status status = absl::UnavailableError("no answer in time");
  std::vector<Endpoint> endpoints;
  std::string canonical;  // the name that has the addresses, when aliases were followed
};

// The resolver runs on a thread of Asio's; the result is owned by its callback as well, which may
// come after somebody has given up.
std::shared_ptr<Lookup> Ask(const Probe& probe, const std::string& name, std::uint16_t port,
                            Duration limit) {
  auto lookup = std::make_shared<Lookup>();
  auto resolver = std::make_shared<tcp::resolver>(probe.executor.io());
  // Without address_configured: a family that has no address here is shown by the layer below.
  resolver->async_resolve(
      name, std::to_string(port), tcp::resolver::canonical_name,
      [lookup, resolver, port](const boost::system::error_code& problem,
                               const tcp::resolver::results_type& results) {
        lookup->done = true;
        if (problem) {
          const bool none = problem == boost::asio::error::host_not_found ||
                            problem == boost::asio::error::no_data;
          lookup->status = MakeStatus(none ? StatusCode::kNotFound : StatusCode::kUnavailable, "{}",
                                      problem.message());
          return;
        }
        lookup->status = absl::OkStatus();
        for (const auto& entry : results) {
          lookup->canonical = entry.host_name();
          Endpoint endpoint{entry.endpoint().address().to_string(), port};
          if (std::ranges::find(lookup->endpoints, endpoint.host, &Endpoint::host) ==
              lookup->endpoints.end())
            lookup->endpoints.push_back(std::move(endpoint));
        }
      });
  probe.Wait([&] { return lookup->done; }, limit);
  return lookup;
}

ResolvConf MachinesResolver() {
  std::ifstream file("/etc/resolv.conf");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string_view(value != nullptr ? value : "");
  };
  return ParseResolvConf(text, variable("LOCALDOMAIN"), variable("RES_OPTIONS"));
}

std::string ByFamily(const std::vector<Endpoint>& endpoints) {
  std::vector<std::string> four, six;
  for (const Endpoint& one : endpoints) (Contains(one.host, ":") ? six : four).push_back(one.host);
  if (six.empty()) return fmt::format("{} (IPv4 only)", fmt::join(four, ", "));
  if (four.empty()) return fmt::format("{} (IPv6 only)", fmt::join(six, ", "));
  return fmt::format("{}, {}", fmt::join(four, ", "), fmt::join(six, ", "));
}

}  // namespace

NameAnswer LookUp(const Probe& probe, const std::string& host, std::uint16_t port) {
  const SteadyTime began = probe.Now();
  const auto first = Ask(probe, host, port, probe.limits.dns);
  const ResolvConf conf = MachinesResolver();
  const auto tried = NamesTried(host, conf);
  NameAnswer answer;
  if (!first->status.ok() || first->endpoints.empty()) {
    answer.no_such_name = first->status.ok() || absl::IsNotFound(first->status);
    answer.text = first->status.ok() ? "it has no addresses" : std::string(Message(first->status));
    if (answer.no_such_name && tried.size() > 1)
      answer.text += fmt::format("; asked for {}", fmt::join(tried, ", "));
    if (!conf.servers.empty())
      answer.text += fmt::format("; name server{} {}", conf.servers.size() > 1 ? "s" : "",
                                 fmt::join(conf.servers, ", "));
    answer.text = EscapeControl(answer.text);
    return answer;
  }
  answer.endpoints = first->endpoints;
  answer.text = ByFamily(answer.endpoints);
  // As which name it was found: a search domain that is not the intended one is hard to see.
  const std::string canonical = LowerCase(first->canonical);
  std::optional<std::string> as;
  for (const std::string& name : tried) {
    if (LowerCase(name) == canonical) as = name;
  }
  if (!as && tried.size() > 1) {
    // It is an alias; of which of them, only the names themselves tell.
    for (const std::string& name : tried) {
      const Duration left = probe.limits.dns - (probe.Now() - began);
      if (left <= Duration::zero()) break;
      if (!Ask(probe, name + ".", port, left)->status.ok()) continue;
      as = name;
      break;
    }
  }
  std::vector<std::string> remarks;
  if (as && *as != host) {
    remarks.push_back(fmt::format("as {}, by the search domain {}", EscapeControl(*as),
                                  EscapeControl(as->substr(host.size() + 1))));
  }
  if (!canonical.empty() && canonical != LowerCase(as.value_or(host)))
    remarks.push_back(fmt::format("an alias of {}", EscapeControl(canonical)));
  if (!remarks.empty()) answer.text += fmt::format("; {}", fmt::join(remarks, ", "));
  return answer;
}

}  // namespace squall::doctor
