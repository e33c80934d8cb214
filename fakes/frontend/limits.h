#pragma once
// How long connections may live, stay idle and ping: what Temporal's frontend has grpc-go enforce.
// Times are given.

#include <optional>
#include <string>
#include <string_view>

#include "base/util/clock.h"
#include "base/util/rng.h"

namespace squall::fakes {

// Zero switches a limit off. Defaults: Temporal server 1.32, common/dynamicconfig
// (frontend.keepAlive*), and grpc-go.
struct ConnectionLimits {
  // GOAWAY at this age, drawn for each connection within +-10 % (grpc-go's jitter); the connection
  // is closed `age_grace` later at the latest.
  Duration max_age = std::chrono::minutes(5);
  Duration age_grace = std::chrono::seconds(70);
  // GOAWAY after so long without a call.
  Duration max_idle = std::chrono::minutes(2);
  // The server asks (PING) after so long without a byte from the client, and closes when none comes
  // within the time-out.
  Duration keepalive_time = std::chrono::minutes(1);
  Duration keepalive_timeout = std::chrono::seconds(10);
  // PINGs of the client that come faster are strikes; the third without an answer of ours in
  // between ends the connection with ENHANCE_YOUR_CALM "too_many_pings".
  Duration min_ping_interval = std::chrono::seconds(10);
  // TLS handshake and the client's preface (grpc-go's ConnectionTimeout).
  Duration handshake_timeout = std::chrono::minutes(2);

  static ConnectionLimits None() {
    return {.max_age = {},
            .age_grace = {},
            .max_idle = {},
            .keepalive_time = {},
            .keepalive_timeout = {},
            .min_ping_interval = {},
            .handshake_timeout = {}};
  }
};

// Keeps the limits of one connection.
class ConnectionKeeper {
 public:
  // `rng`: the connection's own.
  ConnectionKeeper(const ConnectionLimits& limits, SteadyTime now, Rng rng);

  // The handshake is done; nothing but its time-out is kept before.
  void OnEstablished() { slow_.reset(); }
  void OnBytes(SteadyTime now);
  void OnCalls(SteadyTime now, std::size_t open);
  // We sent headers or data: the client's next PING is free (grpc-go's resetPingStrikes).
  void OnAnswered() { ping_free_ = true; }
  // A PING of the client; true: too many, end the connection.
  bool OnPing(SteadyTime now);
  // The client acknowledged a PING of ours.
  void OnPingAck(SteadyTime now);

  enum class Step {
    kNothing,
    kWarn,          // GOAWAY that refuses nothing, and a PING: "max_age" or "max_idle" is why()
    kDrain,         // GOAWAY with the last stream seen
    kPing,          // ask whether the client is there
    kCloseUnheard,  // it is not
    kCloseOld,      // calls are still open at the end of the grace
    kCloseSlow,     // no handshake
  };
  // What is due at `now`; call until kNothing.
  Step Next(SteadyTime now);
  std::optional<SteadyTime> deadline() const;
  std::string_view why() const { return why_; }

 private:
  const ConnectionLimits limits_;
  std::optional<SteadyTime> slow_, old_, idle_, ask_, unheard_, drain_, end_;
  bool leaving_ = false;
  std::size_t open_ = 0;
  std::string_view why_;
  bool ping_free_ = false;
  int strikes_ = 0;
  std::optional<SteadyTime> last_ping_;
};

}  // namespace squall::fakes
