#pragma once
// Faults as handles: made from a name, a target and parameters; injected, healed, and healed by the
// destructor at the latest. What faults there are is said by scenarios/format/fault_catalogue.h;
// fault_action.h is what a new one implements.
//
// squall injects only into what it started itself: links (its own proxies), workers and servers
// that it launched. A fault on a server given by address is refused with PERMISSION_DENIED,
// whatever its name.
//
// Journal (source "fault"): injecting, injected, healing, healed, failed. "hit" comes from who
// meets it (the proxy, the server), or, for faults that act at once, from the injection.
//
// Loop thread only. Callbacks come from the loop, never from within the call.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/journal/journal.h"
#include "base/util/status.h"
#include "harness/net/asio_executor.h"
#include "harness/net/grpc_proxy.h"
#include "harness/net/tcp_proxy.h"
#include "harness/target/target.h"
#include "scenarios/format/fault_catalogue.h"

namespace squall::harness {

class NameServer;
class PrivateWire;

struct FaultSpec {
  std::string id;      // unique in the run; journal events carry it
  std::string fault;   // name in the catalogue
  std::string target;  // name of the link, worker or server
  scenarios::Params parameters;
};

// Finds targets by name; null for none. Links first, then workers, then servers, where names clash.
class FaultTargets {
 public:
  virtual ~FaultTargets() = default;
  virtual TcpProxy* Link(std::string_view name) = 0;
  virtual WorkerUnderTest* Worker(std::string_view name) = 0;
  virtual ServerUnderTest* Server(std::string_view name) = 0;
  // Of a subject with a network of its own: the wire from a link to its workers, and the DNS server
  // that tells them the link's address (DnsNameOf). Null where there is none.
  virtual PrivateWire* Wire(std::string_view) { return nullptr; }
  virtual NameServer* NamesOf(std::string_view) { return nullptr; }
  // What stands behind Link(name) where that one can have faults of HTTP/2, gRPC and TLS.
  virtual GrpcProxy* Frames(std::string_view /*name*/) { return nullptr; }
  // All names, for messages.
  virtual std::vector<std::string> Names() = 0;
};

// One fault, from before its injection to after its healing.
class FaultHandle {
 public:
  using Callback = std::function<void(Status)>;

  // Writes the fault that the name, target and parameters mean. NOT_FOUND: no such target or fault
  // (with the nearest name), INVALID_ARGUMENT: a parameter, PERMISSION_DENIED: squall did not start
  // the target, UNAVAILABLE: not on this machine or not in this server, with the reason. Nothing
  // happens yet. Target and journal must outlive the handle.
  static StatusOr<std::unique_ptr<FaultHandle>> Create(AsioExecutor& executor,
                                                       journal::Sink& journal,
                                                       FaultTargets& targets, FaultSpec spec);
  virtual ~FaultHandle() = default;

  // Once. Calls back when the fault is in effect. On an error nothing is left in effect.
  virtual void Inject(Callback done) = 0;
  // Idempotent: a second call, or one without an injection, calls back OK (or with the first one's
  // result, at the same time). Of a fault that needs a start (Healing::kRestart) it calls back when
  // the target is ready again; with the start's error when it is not, and then may be called again.
  virtual void Heal(Callback done) = 0;
  // In effect, or being healed.
  virtual bool active() const = 0;

  virtual const FaultSpec& spec() const = 0;
  virtual const scenarios::FaultDefinition& definition() const = 0;
};

}  // namespace squall::harness
