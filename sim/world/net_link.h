#pragma once
// A link with bytes: connections to a server or an ingress (or to nothing) through the simulated
// network, and the catalogue's faults of links.
//
// It writes the events that the harness's proxy writes. World's loop only.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/journal/journal.h"
#include "base/util/executor.h"
#include "base/util/rng.h"
#include "scenarios/format/check_spec.h"
#include "sim/net/network.h"
#include "sim/world/acceptor.h"

namespace squall::sim {

class NetLink final : public std::enable_shared_from_this<NetLink> {
 public:
  enum class Leads { kSomewhere, kNowhere, kIntoSilence };

  // `loop` and `journal` outlive it.
  NetLink(Executor& loop, journal::Sink& journal, std::string name, Leads leads, Acceptor* behind,
          Rng rng);

  // In force until lifted; one-shot faults are over at once. `on_hit`: traffic met it.
  void SetFault(std::string id, std::string kind, scenarios::Params params,
                std::function<void()> on_hit);
  void LiftFault(const std::string& id);

  // What listens at the link's addresses: one for each front end of what it leads to.
  std::size_t fronts() const { return behind_ == nullptr ? 1 : behind_->fronts(); }
  std::shared_ptr<Listener> Door(std::size_t front);

 private:
  class DoorOf;
  Answer OnSyn(const Endpoint& from, std::size_t front);
  void OnConnection(const std::shared_ptr<Stream>& stream, const Endpoint& from, std::size_t front);

  struct Fault {
    std::string id, kind;
    scenarios::Params params;
    std::function<void()> on_hit;
    std::int64_t connections = 0;  // that came since
  };
  struct Connection {
    std::uint64_t number = 0;
    std::shared_ptr<Stream> stream;
    std::vector<std::string> shaped_by;  // ids of the faults that chose it
    SteadyTime last_traffic{};
    bool speaker_is_reset = false;  // it was forgotten, and whoever speaks next is told
  };

  bool Chooses(Fault& fault);
  // Bytes set out from this side of a connection.
  void OnTraffic(std::uint64_t number, Side from);
  void Shape(Connection& connection, const Fault& fault, int sign);
  // It comes to a connection, new or old.
  void Attach(Connection& connection, const Fault& fault);
  // The connection that the fault still acts on; null: none.
  Connection* Find(std::uint64_t number, const std::string& fault_id);
  // Until it was silent for so long, at `when` for the first time.
  void WatchSilence(std::uint64_t number, const std::string& fault_id, SteadyTime when);
  void OnSilence(Connection& connection, const Fault& fault);
  void Tell(std::string_view what, const Connection& connection, const std::string& peer,
            std::string detail = "");

  Executor& loop_;
  journal::Sink& journal_;
  const std::string name_;
  const Leads leads_;
  Acceptor* const behind_;  // null where it leads to nobody
  Rng rng_;
  std::vector<Fault> faults_;
  std::vector<Connection> connections_;
  std::uint64_t attempts_ = 0;
};

}  // namespace squall::sim
