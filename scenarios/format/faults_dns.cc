// The catalogue's faults of links in DNS: workers of a scenario that uses one reach the link by its
// name, which they look up at a DNS server of squall's.

#include "scenarios/format/fault_catalogue.h"

namespace squall::scenarios {
namespace {

using enum ParamType;

}  // namespace

std::vector<FaultDefinition> DnsFaults() {
  constexpr FaultTarget kLink = FaultTarget::kLink;
  constexpr const char* kAskedAgain =
      "Healing, with the next look-up; connections that stand were never met.";
  // What is connected does not look anything up.
  constexpr const char* kLooksUp = "inject: {fault: drop_connections, on: wire, as: dropped}";
  return {
      {.name = "dns_answer",
       .target = kLink,
       .doc = "The link's name means other addresses: a record that was changed, or not yet.",
       .params = {{.name = "addresses",
                   .type = kTextList,
                   .doc = "IPv4; nobody listens on the default one, and 192.0.2.1 has no route.",
                   .default_text = "127.0.0.2"}},
       .restored_by = kAskedAgain,
       .needs = {FaultNeed::kOwnNames},
       .during = kLooksUp},
      {.name = "dns_fail",
       .target = kLink,
       .doc = "Look-ups of the link's name are refused by the DNS server.",
       .params = {{.name = "code",
                   .type = kWord,
                   .doc = "How: it failed itself, knows no such name, or does not want to.",
                   .default_text = "SERVFAIL",
                   .words = {"SERVFAIL", "NXDOMAIN", "REFUSED"}}},
       .restored_by = kAskedAgain,
       .needs = {FaultNeed::kOwnNames},
       .during = kLooksUp},
      {.name = "dns_hang",
       .target = kLink,
       .doc = "Look-ups of the link's name are not answered; resolvers ask again after a second, "
              "twice, and then fail.",
       .restored_by = kAskedAgain,
       .needs = {FaultNeed::kOwnNames},
       .during = kLooksUp},
  };
}

}  // namespace squall::scenarios
