#include "sim/world/net_link.h"

#include <algorithm>
#include <utility>

namespace squall::sim {
namespace {

bool HoldsBack(const std::string& kind) {
  return kind == "stall" || kind == "black_hole" || kind == "never_accept";
}

bool IsIcmp(const scenarios::Params& params) { return params.Text("with", "reset") == "icmp"; }

// Packets vanish, and TCP sends them again.
bool Partitions(const std::string& kind, const scenarios::Params& params) {
  return kind == "kernel_drop" || kind == "kernel_link_down" || kind == "kernel_address_change" ||
         (kind == "kernel_reject" && IsIcmp(params));
}

// The next bytes end the connection.
bool ResetsOnData(const std::string& kind, const scenarios::Params& params) {
  return kind == "reset_on_data" || (kind == "kernel_reject" && !IsIcmp(params));
}

// Of connections that are silent for a while.
bool WaitsForSilence(const std::string& kind) { return kind == "idle_drop" || kind == "half_open"; }

bool Goes(const std::string& direction, Side from) {
  return direction == "both" || direction == (from == Side::kClient ? "up" : "down");
}

}  // namespace

NetLink::NetLink(Executor& loop, journal::Sink& journal, std::string name, Leads leads,
                 Acceptor* behind, Rng rng)
    : loop_(loop),
      journal_(journal),
      name_(std::move(name)),
      leads_(leads),
      behind_(behind),
      rng_(rng) {
  journal::ConnectionEvent listening;
  listening.what = "listening";
  listening.link = name_;
  journal_.Append("proxy:" + name_, std::move(listening));
}

void NetLink::Tell(std::string_view what, const Connection& connection, const std::string& peer,
                   std::string detail) {
  journal::ConnectionEvent event;
  event.what = what;
  event.link = name_;
  event.connection = connection.number;
  event.peer = peer;
  event.detail = std::move(detail);
  if (connection.stream != nullptr && connection.stream->over()) {
    event.bytes_up = connection.stream->bytes(Side::kClient);
    event.bytes_down = connection.stream->bytes(Side::kServer);
  }
  journal_.Append("proxy:" + name_, std::move(event));
}

bool NetLink::Chooses(Fault& fault) {
  const std::int64_t first = fault.params.Int("first_connections");
  if (first > 0 && fault.connections++ >= first) return false;
  return rng_.Chance(fault.params.Number("probability", 1));
}

void NetLink::Shape(Connection& connection, const Fault& fault, int sign) {
  const std::string direction = fault.params.Text("direction", "both");
  for (const Side side : {Side::kClient, Side::kServer}) {
    if (!Goes(direction, side)) continue;
    sim::Shape& shape = connection.stream->shape(side);
    if (HoldsBack(fault.kind)) shape.held += sign;
    if (Partitions(fault.kind, fault.params)) shape.partitioned += sign;
    if (fault.kind == "swallow") shape.swallowed += sign;
    if (fault.kind == "corrupt") {
      const std::int64_t most = fault.params.Int("most");
      shape.corrupt_share = sign > 0 ? fault.params.Number("share", 1) : 0;
      shape.corrupt_from =
          connection.stream->bytes(side) + static_cast<std::uint64_t>(fault.params.Int("after"));
      shape.corrupt_most = most > 0 ? static_cast<std::uint64_t>(most) : UINT64_MAX;
    }
    if (fault.kind == "slice") {
      const auto bytes = static_cast<double>(fault.params.Int("bytes"));
      const double variation = fault.params.Number("variation");
      shape.smallest_piece = static_cast<std::size_t>(std::max(1.0, bytes * (1 - variation)));
      shape.largest_piece = sign > 0 ? std::max(shape.smallest_piece,
                                                static_cast<std::size_t>(bytes * (1 + variation)))
                                     : 0;
    }
    if (fault.kind == "latency") {
      shape.delay += sign * fault.params.Time("delay");
      shape.jitter += sign * fault.params.Time("jitter");
    }
    if (fault.kind == "bandwidth" || fault.kind == "kernel_bandwidth")
      shape.bytes_per_second = sign > 0 ? fault.params.Int("rate") : 0;
    if (fault.kind == "slow_close") shape.end_delay += sign * fault.params.Time("delay");
    if (fault.kind == "cut") {
      const auto passed = static_cast<std::int64_t>(connection.stream->bytes(side));
      shape.cut_after = sign > 0 ? passed + fault.params.Int("after") : -1;
      shape.cut_with_reset = fault.params.Text("with", "reset") == "reset";
    }
  }
  connection.stream->Reshaped();
}

void NetLink::SetFault(std::string id, std::string kind, scenarios::Params params,
                       std::function<void()> on_hit) {
  Fault fault{std::move(id), std::move(kind), std::move(params), std::move(on_hit), 0};
  std::erase_if(connections_,
                [](const Connection& connection) { return connection.stream->over(); });
  const bool cuts = fault.kind == "reset" || fault.kind == "drop_connections" ||
                    (fault.kind == "refuse" && !fault.params.Bool("keep_connections"));
  if (cuts) {
    if (!connections_.empty() && fault.on_hit) fault.on_hit();
    for (const Connection& connection : std::vector<Connection>(connections_))
      connection.stream->Cut(true);
  } else if (fault.kind != "refuse" && fault.kind != "connection_limit") {
    for (Connection& connection : connections_) {
      if (!Chooses(fault)) continue;
      Attach(connection, fault);
    }
  }
  if (fault.kind != "drop_connections") faults_.push_back(std::move(fault));
}

void NetLink::LiftFault(const std::string& id) {
  const auto it = std::find_if(faults_.begin(), faults_.end(),
                               [&](const Fault& fault) { return fault.id == id; });
  if (it == faults_.end()) return;
  const Fault fault = std::move(*it);
  faults_.erase(it);
  std::vector<std::shared_ptr<Stream>> holed;
  for (Connection& connection : connections_) {
    if (connection.stream->over() || std::erase(connection.shaped_by, id) == 0) continue;
    Shape(connection, fault, -1);
    if (fault.kind == "swallow" || (WaitsForSilence(fault.kind) && connection.stream->forgotten()))
      holed.push_back(connection.stream);
  }
  // What was thrown away does not come back.
  for (const auto& stream : holed) stream->Cut(/*with_reset=*/fault.kind != "swallow");
}

void NetLink::Attach(Connection& connection, const Fault& fault) {
  connection.shaped_by.push_back(fault.id);
  Shape(connection, fault, 1);
  if (WaitsForSilence(fault.kind))
    return WatchSilence(connection.number, fault.id,
                        loop_.clock().Now() + fault.params.Time("idle"));
  if (fault.kind != "swallow" || fault.params.Time("ends_after") <= Duration::zero()) return;
  loop_.After(fault.params.Time("ends_after"),
              [weak = weak_from_this(), number = connection.number, id = fault.id] {
                const auto self = weak.lock();
                Connection* swallowed = self == nullptr ? nullptr : self->Find(number, id);
                if (swallowed != nullptr)
                  std::shared_ptr<Stream>(swallowed->stream)->Cut(/*with_reset=*/false);
              });
}

NetLink::Connection* NetLink::Find(std::uint64_t number, const std::string& fault_id) {
  for (Connection& connection : connections_) {
    const auto& by = connection.shaped_by;
    if (connection.number == number && !connection.stream->over() &&
        std::find(by.begin(), by.end(), fault_id) != by.end())
      return &connection;
  }
  return nullptr;
}

void NetLink::WatchSilence(std::uint64_t number, const std::string& fault_id, SteadyTime when) {
  loop_.At(when, [weak = weak_from_this(), number, fault_id] {
    const auto self = weak.lock();
    Connection* connection = self == nullptr ? nullptr : self->Find(number, fault_id);
    if (connection == nullptr || connection->stream->forgotten()) return;
    const auto fault = std::find_if(self->faults_.begin(), self->faults_.end(),
                                    [&](const Fault& one) { return one.id == fault_id; });
    const SteadyTime due = connection->last_traffic + fault->params.Time("idle");
    if (due > self->loop_.clock().Now()) return self->WatchSilence(number, fault_id, due);
    self->OnSilence(*connection, *fault);
  });
}

void NetLink::OnSilence(Connection& connection, const Fault& fault) {
  if (fault.on_hit) fault.on_hit();
  const std::shared_ptr<Stream> stream = connection.stream;
  const std::string end = fault.params.Text("end", "silent");
  if (fault.kind == "half_open")
    return stream->Forget(fault.params.Text("direction", "up") == "up" ? Side::kServer
                                                                       : Side::kClient);
  if (end == "reset") return stream->Cut(/*with_reset=*/true);
  connection.speaker_is_reset = end == "reset_next";
  stream->Forget(std::nullopt);
}

class NetLink::DoorOf final : public Listener {
 public:
  DoorOf(std::shared_ptr<NetLink> link, std::size_t front)
      : link_(std::move(link)), front_(front) {}
  Answer OnSyn(const Endpoint& from) override { return link_->OnSyn(from, front_); }
  void OnConnection(const std::shared_ptr<Stream>& stream, const Endpoint& from) override {
    link_->OnConnection(stream, from, front_);
  }

 private:
  const std::shared_ptr<NetLink> link_;
  const std::size_t front_;
};

std::shared_ptr<Listener> NetLink::Door(std::size_t front) {
  return std::make_shared<DoorOf>(shared_from_this(), front);
}

Answer NetLink::OnSyn(const Endpoint& from, std::size_t front) {
  Connection attempt;
  attempt.number = ++attempts_;
  Tell("attempt", attempt, from.ToString());
  Answer answer = Answer::kAccept;
  for (const Fault& fault : faults_) {
    if (fault.kind == "refuse" || fault.kind == "kernel_reject") answer = Answer::kRefuse;
    if (fault.kind == "never_accept" && fault.params.Text("backlog", "open") == "full")
      answer = Answer::kDrop;
    if (fault.kind == "kernel_drop") answer = Answer::kDrop;
    if (fault.kind == "kernel_link_down") answer = Answer::kUnreachable;
    if (answer == Answer::kAccept) continue;
    if (fault.on_hit) fault.on_hit();
    break;
  }
  if (answer == Answer::kAccept && leads_ == Leads::kNowhere) answer = Answer::kRefuse;
  if (answer == Answer::kAccept && leads_ == Leads::kSomewhere && !behind_->Takes(front))
    answer = Answer::kRefuse;
  if (answer == Answer::kRefuse) Tell("refused", attempt, from.ToString());
  return answer;
}

void NetLink::OnConnection(const std::shared_ptr<Stream>& stream, const Endpoint& from,
                           std::size_t front) {
  Connection connection{attempts_, stream, {}, loop_.clock().Now()};
  const std::string peer = from.ToString();
  Tell("accepted", connection, peer, fronts() == 1 ? "" : fmt::format("front end {}", front + 1));
  std::erase_if(connections_, [](const Connection& old) { return old.stream->over(); });
  stream->on_over = [weak = weak_from_this(), number = connection.number,
                     stream_weak = std::weak_ptr<Stream>(stream), peer](bool reset) {
    const auto self = weak.lock();
    const auto over = stream_weak.lock();
    if (self != nullptr && over != nullptr)
      self->Tell(reset ? "reset" : "closed", {number, over}, peer);
  };
  stream->on_traffic = [weak = weak_from_this(), number = connection.number](Side side) {
    if (const auto self = weak.lock()) self->OnTraffic(number, side);
  };
  bool cut = false;
  for (Fault& fault : faults_) {
    if (fault.kind == "refuse" || fault.kind == "kernel_address_change" || !Chooses(fault))
      continue;
    const auto open = static_cast<std::int64_t>(connections_.size());
    if (fault.kind == "connection_limit" && open < fault.params.Int("limit")) continue;
    if (fault.kind == "reset" || fault.kind == "connection_limit") {
      cut = true;
      if (fault.on_hit) fault.on_hit();
      continue;
    }
    Attach(connection, fault);
    if (fault.on_hit && !WaitsForSilence(fault.kind)) fault.on_hit();
  }
  connections_.push_back(connection);
  if (leads_ == Leads::kSomewhere && !cut) {
    Tell("established", connection, peer);
    behind_->Accept(stream, peer, name_, front);
  }
  if (cut) stream->Reset(Side::kServer);
}

void NetLink::OnTraffic(std::uint64_t number, Side from) {
  const auto it = std::find_if(connections_.begin(), connections_.end(),
                               [number](const Connection& open) { return open.number == number; });
  if (it == connections_.end()) return;
  const std::shared_ptr<Stream> stream = it->stream;
  it->last_traffic = loop_.clock().Now();
  if (it->speaker_is_reset) {
    it->speaker_is_reset = false;
    return stream->Forget(from);
  }
  bool cut = false;
  for (const Fault& fault : faults_) {
    const auto& by = it->shaped_by;
    if (WaitsForSilence(fault.kind)) continue;
    if (std::find(by.begin(), by.end(), fault.id) == by.end()) continue;
    if (fault.on_hit) fault.on_hit();
    cut = cut || (ResetsOnData(fault.kind, fault.params) &&
                  Goes(fault.params.Text("direction", "both"), from));
  }
  if (cut) stream->Cut(/*with_reset=*/true);
}

}  // namespace squall::sim
