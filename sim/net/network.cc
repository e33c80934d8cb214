#include "sim/net/network.h"

#include <cerrno>
#include <utility>

namespace squall::sim {
namespace {

Network* current = nullptr;
// Linux: tcp_syn_retries = 6.
constexpr int kSynRetries = 6;

}  // namespace

Network::Network(Executor& loop, Rng rng) : loop_(loop), rng_(rng) { current = this; }
Network::~Network() { current = nullptr; }
Network* Network::Current() { return current; }

void Network::SetListener(const Endpoint& at, std::shared_ptr<Listener> listener) {
  if (listener == nullptr) {
    listeners_.erase(at);
  } else {
    listeners_[at] = std::move(listener);
  }
}

Duration Network::RoundTrip() { return std::chrono::microseconds(400 + rng_.Below(1600)); }
Duration Network::ResolverLatency() { return std::chrono::microseconds(300 + rng_.Below(2000)); }

std::optional<Network::Name> Network::Find(const std::string& name) const {
  const auto it = names_.find(name);
  return it == names_.end() ? std::nullopt : std::optional(it->second);
}

void Network::Connect(const Endpoint& from, const Endpoint& to, Connected done) {
  Syn(from, to, 0, std::move(done));
}

void Network::Syn(const Endpoint& from, const Endpoint& to, int attempt, Connected done) {
  loop_.After(RoundTrip(), [this, from, to, attempt, done = std::move(done)] {
    const auto it = listeners_.find(to);
    const std::shared_ptr<Listener> listener = it == listeners_.end() ? nullptr : it->second;
    switch (listener == nullptr ? Answer::kRefuse : listener->OnSyn(from)) {
      case Answer::kAccept: {
        ++streams_;
        auto stream = std::make_shared<Stream>(
            loop_, rng_.Split("stream " + std::to_string(streams_)), streams_);
        listener->OnConnection(stream, from);
        return done(std::move(stream), 0);
      }
      case Answer::kRefuse:
        return done(nullptr, ECONNREFUSED);
      case Answer::kUnreachable:
        return done(nullptr, ENETUNREACH);
      case Answer::kDrop:
        break;
    }
    if (attempt == kSynRetries) {
      loop_.After(std::chrono::seconds(64), [done] { done(nullptr, ETIMEDOUT); });
      return;
    }
    loop_.After(std::chrono::seconds(1 << attempt),
                [this, from, to, attempt, done] { Syn(from, to, attempt + 1, done); });
  });
}

}  // namespace squall::sim
