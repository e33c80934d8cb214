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

bool Goes(const std::string& direction, Side from) {
  return direction == "both" || direction == (from == Side::kClient ? "up" : "down");
}

}  // namespace

NetLink::NetLink(journal::Sink& journal, std::string name, Leads leads, Acceptor* behind, Rng rng)
    : journal_(journal), name_(std::move(name)), leads_(leads), behind_(behind), rng_(rng) {
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
      connection.shaped_by.push_back(fault.id);
      Shape(connection, fault, 1);
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
  for (Connection& connection : connections_) {
    if (connection.stream->over() || std::erase(connection.shaped_by, id) == 0) continue;
    Shape(connection, fault, -1);
  }
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
  Connection connection{attempts_, stream, {}};
  const std::string peer = from.ToString();
  Tell("accepted", connection, peer, fronts() == 1 ? "" : fmt::format("front end {}", front + 1));
  std::erase_if(connections_, [](const Connection& old) { return old.stream->over(); });
  stream->on_over = [weak = weak_from_this(), number = connection.number,
                     stream_weak = std::weak_ptr<Stream>(stream), peer](bool reset) {
    const auto self = weak.lock();
    const auto over = stream_weak.lock();
    if (self != nullptr && over != nullptr)
      self->Tell(reset ? "reset" : "closed", {number, over, {}}, peer);
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
    connection.shaped_by.push_back(fault.id);
    Shape(connection, fault, 1);
    if (fault.on_hit) fault.on_hit();
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
  bool cut = false;
  for (const Fault& fault : faults_) {
    const auto& by = it->shaped_by;
    if (std::find(by.begin(), by.end(), fault.id) == by.end()) continue;
    if (fault.on_hit) fault.on_hit();
    cut = cut || (ResetsOnData(fault.kind, fault.params) &&
                  Goes(fault.params.Text("direction", "both"), from));
  }
  if (cut) stream->Cut(/*with_reset=*/true);
}

}  // namespace squall::sim
