#pragma once
// The simulated network: who listens where, what becomes of connection attempts, and names.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/util/executor.h"
#include "base/util/rng.h"
#include "sim/net/endpoint.h"
#include "sim/net/stream.h"

namespace squall::sim {

// What answers a SYN.
enum class Answer {
  kAccept,
  kRefuse,       // RST
  kUnreachable,  // no way there: ENETUNREACH at once
  kDrop,  // nothing: the client's kernel asks again after 1, 2, 4, ... 32 s and gives up after 127
          // s
};

// Whatever stands at an endpoint. World's loop only.
class Listener {
 public:
  virtual ~Listener() = default;
  // A SYN came.
  virtual Answer OnSyn(const Endpoint& from) = 0;
  // It was accepted: the connection, without an end at the server's side yet.
  virtual void OnConnection(const std::shared_ptr<Stream>& stream, const Endpoint& from) = 0;
};

class Network {
 public:
  Network(Executor& loop, Rng rng);
  ~Network();
  // The one that simulated sockets use; null before there is one.
  static Network* Current();

  // Listens until it is null again.
  void SetListener(const Endpoint& at, std::shared_ptr<Listener> listener);

  // One attempt; `done` gets the connection or an errno, on the world's loop.
  using Connected = std::function<void(std::shared_ptr<Stream>, int error)>;
  void Connect(const Endpoint& from, const Endpoint& to, Connected done);

  // What a name resolves to: nothing for a name that does not exist. Port 0 in each.
  struct Name {
    std::vector<Endpoint> addresses;
    bool fails = false;  // the resolver does not know: EAI_AGAIN
    Duration hangs{};    // it says nothing for so long
    // Somebody asks.
    std::function<void()> on_lookup = nullptr;
  };
  void SetName(const std::string& name, Name what) { names_[name] = std::move(what); }
  std::optional<Name> Find(const std::string& name) const;
  // How long the resolver takes.
  Duration ResolverLatency();

  std::uint16_t NewPort() { return next_port_++; }

 private:
  void Syn(const Endpoint& from, const Endpoint& to, int attempt, Connected done);
  Duration RoundTrip();

  Executor& loop_;
  Rng rng_;
  std::map<Endpoint, std::shared_ptr<Listener>> listeners_;
  std::map<std::string, Name> names_;
  std::uint64_t streams_ = 0;
  std::uint16_t next_port_ = 40000;
};

}  // namespace squall::sim
