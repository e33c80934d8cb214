#pragma once
// An L7 load balancer as workers meet it behind an ingress: it ends HTTP/2 on both sides, spreads
// the calls of all its clients over a few connections to the server, and replaces these from time
// to time. What follows for a client: its keepalive is answered by the balancer, whether or not the
// server lives; its calls reach the server on connections that others share; and a call that is
// under way when its connection is replaced, or lost, ends although the client's own connection
// stands.
//
// Sans-IO: the owner moves bytes between this object and its transports, by their numbers.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/journal/journal.h"
#include "base/util/clock.h"
#include "base/wire/http2.h"

namespace squall::fakes {

// Envoy's drain_timeout, 5 s by default.
inline constexpr Duration kBalancerDrainLimit = std::chrono::seconds(5);

struct BalancerOptions {
  // Name in the journal: source "balancer:NAME", and the connection events' link.
  std::string name = "balancer";
  // Connections to the server that calls take in turn, at least 1; each is opened when a call first
  // needs it.
  std::size_t pool = 2;
  // A connection to the server that has carried so many calls takes no more, and is replaced; 0:
  // never. (Envoy: max_requests_per_connection.)
  std::uint64_t calls_per_connection = 0;
  // The same for one that is so old; 0: never. (Envoy: max_connection_duration.)
  Duration connection_age{};
  // Calls that are still open on a connection that is being replaced are reset after this long; 0:
  // they have all the time they want. A balancer that replaces by age has kBalancerDrainLimit
  // mostly.
  Duration drain_limit{};
  // Bytes of one call that are held for the slower side before the faster one gets no more window.
  std::size_t buffer_limit = 256 * 1024;
};

// What the owner has to do with one transport: send `bytes`, then `then`.
struct BalancerOutput {
  enum class Then {
    kKeep,
    kConnect,  // open a transport to the server; answer with Connected or Lost
    kClose,    // send what is left, then close; nothing of it is reported back any more
  };
  std::uint64_t transport = 0;
  std::string bytes;
  Then then = Then::kKeep;
};

// Not thread-safe. After each call drain TakeOutput. Calls for a transport that is over are
// ignored.
//
// Journal: connection events of clients ("accepted", "closed", with the peer's address) and of the
// pool ("established", "failed", "closed"; detail: how many calls it carried and why it ended).
class Balancer {
 public:
  // `journal` must outlive the balancer.
  Balancer(BalancerOptions options, journal::Sink& journal);
  ~Balancer();
  Balancer(const Balancer&) = delete;
  Balancer& operator=(const Balancer&) = delete;

  // A client connected; `peer` is its address. The number of its transport; those to the server
  // are numbered in the same row.
  std::uint64_t Accept(Moment now, std::string peer);
  void Connected(Moment now, std::uint64_t transport);
  void Receive(Moment now, std::uint64_t transport, std::string_view bytes);
  // The transport ended or broke, or could not be opened.
  void Lost(Moment now, std::uint64_t transport, std::string_view reason);

  void Advance(Moment now);
  std::optional<SteadyTime> NextDeadline() const;
  std::vector<BalancerOutput> TakeOutput();

  // GOAWAY to every client, and all transports are closed.
  void CloseAll(Moment now);
  std::size_t clients() const;
  // Connections to the server that take calls, and those that only finish what they have.
  std::size_t pooled() const;
  std::size_t draining() const;

 private:
  struct Peer;
  struct Call;

  Peer& PeerForCall(Moment now);
  void OnRequest(Peer& client, wire::StreamId stream, const wire::Headers& headers);
  void OnAnswer(Peer& server, wire::StreamId stream, wire::Headers headers);
  void OnBody(Peer& from, wire::StreamId stream, std::string_view data);
  void OnTrailers(Peer& from, wire::StreamId stream, const wire::Headers& trailers);
  void OnEnd(Peer& from, wire::StreamId stream);
  void OnClosed(Peer& from, wire::StreamId stream, wire::Http2Error error);
  // The server's answer never came: gRPC's UNAVAILABLE, or a reset where it had begun.
  void Refuse(Call& call, std::string_view reason);
  void SendHeldAnswers();
  void Unlink(Peer& peer, Call& call);
  void Drain(Peer& server, std::string reason);
  // Closes what drains and has nothing left to do.
  void Sweep();
  void End(Peer& peer, std::string_view reason);
  void GiveBackWindow();
  void Collect();
  void Record(const Peer& peer, std::string_view what, std::string detail);
  Peer* Find(std::uint64_t transport) const;

  const BalancerOptions options_;
  journal::Sink& journal_;
  const std::string source_;
  std::map<std::uint64_t, std::unique_ptr<Peer>> peers_;
  // Kept until the outermost call is over: handlers may still be on the stack.
  std::vector<std::unique_ptr<Peer>> ended_;
  // Answers whose headers wait for what follows them: without anything they end the stream.
  std::vector<std::shared_ptr<Call>> held_;
  std::vector<BalancerOutput> output_;
  std::uint64_t next_transport_ = 1;
  std::uint64_t turn_ = 0;
  Moment now_{};
};

}  // namespace squall::fakes
