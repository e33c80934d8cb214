#pragma once
// Faults as handles: made from a name, a target and parameters; injected, healed, and healed by the
// destructor at the latest. The catalogue is the list of all of them, for documentation, validation
// and `squall list`.
//
// squall injects only into what it started itself: links (its own proxies), workers and servers
// that it launched. A fault on a server given by address is refused with PERMISSION_DENIED,
// whatever its name.
//
// Journal (source "fault"): injecting, injected, healing, healed, failed. "hit" comes from who
// meets it (the proxy), or, for faults on processes and servers, from the injection itself, which
// acts at once.
//
// Loop thread only. Callbacks come from the loop, never from within the call.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/journal/journal.h"
#include "base/util/clock.h"
#include "base/util/status.h"
#include "harness/net/asio_executor.h"
#include "harness/net/tcp_proxy.h"
#include "harness/target/target.h"

namespace squall::harness {

enum class FaultTarget { kLink, kWorker, kServer };
// How service comes back.
enum class Healing {
  kHealed,   // healing removes the fault, and with it its effect
  kRestart,  // the injection is over at once; healing starts again what it stopped
  kOneShot,  // nothing is left to heal; what restores service is said in `restored_by`
};

enum class ParameterType { kDuration, kSize, kRate, kCount, kNumber, kBool, kText, kTextList };

struct FaultParameter {
  std::string_view name;
  ParameterType type;
  std::string_view default_text;  // "" with required
  bool required;
  std::vector<std::string_view> choices;  // of kText; empty: any
  std::string_view doc;
};

// One row of the catalogue. Names and parameters are those of scenarios/format's catalogue, and
// some more.
struct FaultInfo {
  std::string_view name;
  FaultTarget target;
  Healing healing;
  std::vector<FaultParameter> parameters;
  std::string_view needs;        // what it requires beyond its target; "" for nothing
  std::string_view doc;          // one sentence
  std::string_view restored_by;  // one sentence
};

// Sorted by target, then name. A name may occur once per target: "kill" of a worker, "kill" of a
// server.
std::span<const FaultInfo> FaultCatalogue();
// Null for none.
const FaultInfo* FindFault(FaultTarget target, std::string_view name);

// kDuration: Duration; kSize, kRate (bytes per second), kCount: int64; kNumber: double; kTextList:
// vector<string>.
using FaultValue =
    std::variant<bool, std::int64_t, double, std::string, Duration, std::vector<std::string>>;
using FaultParameters = std::map<std::string, FaultValue, std::less<>>;

struct FaultSpec {
  std::string id;      // unique in the run; journal events carry it
  std::string fault;   // name in the catalogue
  std::string target;  // name of the link, worker or server
  FaultParameters parameters;
};

// Finds targets by name; null for none. Links first, then workers, then servers, where names clash.
class FaultTargets {
 public:
  virtual ~FaultTargets() = default;
  virtual TcpProxy* Link(std::string_view name) = 0;
  virtual WorkerUnderTest* Worker(std::string_view name) = 0;
  virtual ServerUnderTest* Server(std::string_view name) = 0;
  // All names, for messages.
  virtual std::vector<std::string> Names() = 0;
};

// One fault, from before its injection to after its healing.
class FaultHandle {
 public:
  using Callback = std::function<void(Status)>;

  // Writes the fault that the name, target and parameters mean. NOT_FOUND: no such target or fault
  // (with the nearest name), INVALID_ARGUMENT: a parameter, PERMISSION_DENIED: squall did not start
  // the target. Nothing happens yet. Target and journal must outlive the handle.
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
  virtual const FaultInfo& info() const = 0;
};

}  // namespace squall::harness
