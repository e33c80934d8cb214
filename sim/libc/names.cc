// Names: the simulated network's.
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "sim/kernel/escape.h"
#include "sim/kernel/raw.h"
#include "sim/kernel/scheduler.h"
#include "sim/net/network.h"

namespace squall::sim {
namespace {

// One entry of the list, with its address behind it.
struct Entry {
  addrinfo info{};
  sockaddr_storage address{};
};

}  // namespace

SQUALL_REPLACES(int, getaddrinfo, const char* node, const char* service, const addrinfo*,
                addrinfo** result) {
  Network* network = Simulated() ? Network::Current() : nullptr;
  if (network == nullptr || node == nullptr) Escaped("getaddrinfo");
  Scheduler& scheduler = TheScheduler();
  scheduler.Note("getaddrinfo");
  std::vector<Endpoint> addresses;
  Endpoint literal;
  if (::inet_pton(AF_INET, node, literal.address.data()) == 1) {
    addresses.push_back(literal);
  } else {
    scheduler.Wait(WaitOn::kSleep, scheduler.current(),
                   scheduler.now() + network->ResolverLatency().count());
    auto found = network->Find(node);
    if (found && found->on_lookup) found->on_lookup();
    if (found && found->hangs > Duration::zero())
      scheduler.Wait(WaitOn::kSleep, scheduler.current(), scheduler.now() + found->hangs.count());
    if (!found || found->addresses.empty()) return found && found->fails ? EAI_AGAIN : EAI_NONAME;
    if (found->fails) return EAI_AGAIN;
    addresses = found->addresses;
  }
  *result = nullptr;
  for (auto it = addresses.rbegin(); it != addresses.rend(); ++it) {
    auto* entry = new Entry();
    if (service != nullptr) it->port = static_cast<std::uint16_t>(std::atoi(service));
    unsigned size = sizeof entry->address;
    it->To(reinterpret_cast<sockaddr*>(&entry->address), &size);
    entry->info.ai_family = it->v6 ? AF_INET6 : AF_INET;
    entry->info.ai_socktype = SOCK_STREAM;
    entry->info.ai_addrlen = size;
    entry->info.ai_addr = reinterpret_cast<sockaddr*>(&entry->address);
    entry->info.ai_next = *result;
    *result = &entry->info;
  }
  return 0;
}

SQUALL_REPLACES(void, freeaddrinfo, addrinfo* list) {
  while (list != nullptr) {
    auto* entry = reinterpret_cast<Entry*>(list);
    list = list->ai_next;
    delete entry;
  }
}

}  // namespace squall::sim
