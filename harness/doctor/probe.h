#pragma once
// What all probes share: the loop, the target, how long they may take, and where they write.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/util/clock.h"
#include "harness/doctor/channel.h"
#include "harness/doctor/diagnosis.h"
#include "harness/doctor/sdk.h"
#include "harness/doctor/target.h"
#include "harness/net/asio_executor.h"

namespace squall::doctor {

// Upper limits, each of one wait; --timeout multiplies them. The sum along any path of a target
// that says nothing is below 3 s.
struct Limits {
  Duration dns = std::chrono::milliseconds(2500);
  Duration tcp = std::chrono::milliseconds(2000);
  // The other addresses' and ports', once one has answered.
  Duration tcp_rest = std::chrono::milliseconds(250);
  // Until a peer that is silent is looked at in another way as well, and what that gets on top.
  Duration first_word = std::chrono::milliseconds(1200);
  Duration second_look = std::chrono::milliseconds(1000);
  // A call's answer, on a connection that has answered before.
  Duration call = std::chrono::milliseconds(2000);
  // A poll that is still held then, after everything else was answered, is let in.
  Duration held_poll = std::chrono::milliseconds(60);

  Limits Times(double factor) const;
};

struct Probe {
  harness::AsioExecutor& executor;
  const Target& target;
  const Limits& limits;
  Diagnosis& diagnosis;
  Sdk sdk;
  // Ports of the same host that are tried where the given one does not answer.
  std::vector<std::uint16_t> other_ports;
  // Set once an HTTP proxy on the way has been found to work: all connections go through it.
  std::optional<Tunnel> tunnel;

  SteadyTime Now() const { return executor.clock().Now(); }
  // Serves the loop until `done`; false when the limit passed first.
  bool Wait(const std::function<bool()>& done, Duration limit) const {
    return executor.RunUntil(done, limit);
  }
  std::unique_ptr<Channel> Open(const Endpoint& endpoint,
                                std::shared_ptr<wire::TlsContext> tls) const {
    return std::make_unique<Channel>(executor, endpoint, std::move(tls), executor.clock().WallNow(),
                                     tunnel);
  }
  void Ok(Layer layer, std::string name, std::string detail, Duration took = {}) const {
    diagnosis.Row(layer, std::move(name), State::kOk, std::move(detail), took);
  }
  // A row that fails, with its finding.
  void Fail(Layer layer, std::string name, std::string cause, std::string evidence,
            Duration took = {}, std::string fix = {}) const {
    diagnosis.Row(layer, std::move(name), State::kFail, evidence, took);
    diagnosis.Add(std::move(cause), Weight::kBroken, std::move(evidence), std::move(fix));
  }
};

}  // namespace squall::doctor
