#include "sim/net/stream.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace squall::sim {
namespace {

// One way, on one machine's network.
constexpr Duration kLeastLatency = std::chrono::microseconds(200);
constexpr std::uint64_t kLatencySpread = 800;  // microseconds
// Linux: the first retransmission, the longest distance between two, and how long until it gives up
// (tcp_retries2 = 15).
constexpr Duration kFirstRetransmission = std::chrono::milliseconds(200);
constexpr Duration kLongestRetransmission = std::chrono::seconds(120);
constexpr Duration kGivesUp = std::chrono::milliseconds(924'600);

}  // namespace

Stream::Stream(Executor& loop, Rng rng, std::uint64_t number)
    : loop_(loop), rng_(rng), number_(number) {}

void Stream::Attach(Side side, std::weak_ptr<StreamEnd> end) {
  ends_[Index(side)] = std::move(end);
  if (!over_) return;
  // It was cut before this end had it.
  if (const auto late = ends_[Index(side)].lock()) late->OnReset(ECONNRESET);
}

SteadyTime Stream::DueAt(Way& way, std::size_t size) {
  const Shape& shape = way.shape;
  Duration delay =
      kLeastLatency + std::chrono::microseconds(rng_.Below(kLatencySpread)) + shape.delay;
  if (shape.jitter > Duration::zero()) {
    const auto spread = static_cast<std::uint64_t>(2 * shape.jitter.count());
    delay += Duration(static_cast<std::int64_t>(rng_.Below(spread))) - shape.jitter;
  }
  SteadyTime at = loop_.clock().Now() + std::max(delay, Duration::zero());
  if (shape.bytes_per_second > 0) {
    at = std::max(at, way.last) +
         Duration(static_cast<std::int64_t>(size) * 1'000'000'000 / shape.bytes_per_second);
  }
  way.last = std::max(at, way.last + Duration(1));
  return way.last;
}

std::size_t Stream::Send(Side from, std::string_view bytes) {
  Way& way = way_[Index(from)];
  if (over_ || way.ended) return bytes.size();
  const std::size_t taken = std::min(bytes.size(), kBuffer - std::min(way.in_flight, kBuffer));
  way.in_flight += taken;
  for (std::size_t at = 0; at < taken;) {
    std::size_t size = taken - at;
    const Shape& shape = way.shape;
    if (shape.largest_piece > 0) {
      const std::size_t spread = shape.largest_piece - shape.smallest_piece + 1;
      size = std::min<std::size_t>(size, shape.smallest_piece + rng_.Below(spread));
    }
    Put(from, {Piece::What::kBytes, std::string(bytes.substr(at, size)), {}});
    at += size;
  }
  return taken;
}

void Stream::End(Side from) {
  Way& way = way_[Index(from)];
  if (over_ || std::exchange(way.ended, true)) return;
  Put(from, {Piece::What::kEnd, "", {}});
}

void Stream::Reset(Side from) {
  Way& way = way_[Index(from)];
  if (over_ || std::exchange(way.ended, true)) return;
  // What is on the way in the other direction meets nobody.
  way_[Index(Other(from))].pieces.clear();
  way_[Index(Other(from))].ended = true;
  Put(from, {Piece::What::kReset, "", {}});
}

void Stream::Put(Side from, Piece piece) {
  if (over_) return;
  Way& way = way_[Index(from)];
  piece.at = DueAt(way, piece.bytes.size());
  if (piece.what != Piece::What::kBytes) piece.at = way.last += way.shape.end_delay;
  way.pieces.push_back(std::move(piece));
  if (on_traffic) on_traffic(from);
  SetTimer(from);
}

void Stream::SetTimer(Side from) {
  Way& way = way_[Index(from)];
  if (over_ || way.timer != 0 || way.pieces.empty() || way.shape.held > 0) return;
  if (way.shape.partitioned > 0) {
    if (way.retry_timer == 0 && way.retry == Duration::zero()) {
      way.lost_since = loop_.clock().Now();
      way.retry = kFirstRetransmission;
      Retransmit(from);
    }
    return;
  }
  way.timer = loop_.At(way.pieces.front().at, [self = shared_from_this(), from] {
    self->way_[Index(from)].timer = 0;
    self->Arrive(from);
  });
}

// Nothing gets through until a retransmission does; its distances double.
void Stream::Retransmit(Side from) {
  Way& way = way_[Index(from)];
  way.retry_timer = loop_.After(way.retry, [self = shared_from_this(), from] {
    Way& lost = self->way_[Index(from)];
    lost.retry_timer = 0;
    if (self->over_) return;
    if (lost.shape.partitioned == 0) {
      lost.retry = {};
      self->SetTimer(from);
      return;
    }
    if (self->loop_.clock().Now() - lost.lost_since >= kGivesUp) {
      if (const auto end = self->ends_[Index(from)].lock()) end->OnReset(ETIMEDOUT);
      self->Finish(true);
      return;
    }
    lost.retry = std::min(lost.retry * 2, kLongestRetransmission);
    self->Retransmit(from);
  });
}

void Stream::Arrive(Side from) {
  Way& way = way_[Index(from)];
  if (over_ || way.shape.held > 0 || way.shape.partitioned > 0 || way.pieces.empty())
    return SetTimer(from);
  Piece piece = std::move(way.pieces.front());
  way.pieces.pop_front();
  const auto receiver = ends_[Index(Other(from))].lock();
  if (forgotten_ || (piece.what == Piece::What::kBytes && way.shape.swallowed > 0)) {
    way.in_flight -= piece.bytes.size();
    if (const auto sender = ends_[Index(from)].lock()) sender->OnRoom();
  } else if (piece.what == Piece::What::kBytes) {
    way.in_flight -= piece.bytes.size();
    if (way.shape.corrupt_share > 0) Corrupt(way, piece.bytes);
    std::string_view bytes = piece.bytes;
    const bool cut = way.shape.cut_after >= 0 &&
                     static_cast<std::int64_t>(way.passed + bytes.size()) > way.shape.cut_after;
    if (cut)
      bytes = bytes.substr(0, static_cast<std::size_t>(std::max<std::int64_t>(
                                  0, way.shape.cut_after - static_cast<std::int64_t>(way.passed))));
    way.passed += bytes.size();
    if (receiver != nullptr && !bytes.empty()) receiver->OnBytes(bytes);
    if (cut) return Cut(way.shape.cut_with_reset);
    if (const auto sender = ends_[Index(from)].lock()) sender->OnRoom();
  } else if (piece.what == Piece::What::kEnd) {
    if (receiver != nullptr) receiver->OnEnd();
    const Way& back = way_[Index(Other(from))];
    if (back.ended && back.pieces.empty()) Finish(false);
  } else {
    if (receiver != nullptr) receiver->OnReset(ECONNRESET);
    Finish(true);
  }
  SetTimer(from);
}

void Stream::Cut(bool with_reset) {
  if (over_) return;
  for (const Side side : {Side::kClient, Side::kServer}) {
    if (const auto end = ends_[Index(side)].lock()) {
      if (with_reset) {
        end->OnReset(ECONNRESET);
      } else {
        end->OnEnd();
      }
    }
  }
  Finish(with_reset);
}

void Stream::Forget(std::optional<Side> told) {
  if (over_) return;
  forgotten_ = true;
  if (!told) return;
  const auto end = ends_[Index(*told)].lock();
  ends_[Index(*told)].reset();
  if (end != nullptr) end->OnReset(ECONNRESET);
}

void Stream::Corrupt(Way& way, std::string& bytes) {
  Shape& shape = way.shape;
  for (std::size_t i = 0; i < bytes.size() && shape.corrupt_most > 0; ++i) {
    if (way.passed + i < shape.corrupt_from || !rng_.Chance(shape.corrupt_share)) continue;
    bytes[i] = static_cast<char>(static_cast<std::uint8_t>(bytes[i]) ^ (1 + rng_.Below(255)));
    --shape.corrupt_most;
  }
}

void Stream::Finish(bool reset) {
  if (std::exchange(over_, true)) return;
  for (Way& way : way_) {
    loop_.Cancel(std::exchange(way.timer, 0));
    loop_.Cancel(std::exchange(way.retry_timer, 0));
    way.pieces.clear();
  }
  if (on_over) on_over(reset);
}

void Stream::Reshaped() {
  for (const Side side : {Side::kClient, Side::kServer}) {
    Way& way = way_[Index(side)];
    if (way.shape.held > 0 || way.shape.partitioned > 0) {
      loop_.Cancel(std::exchange(way.timer, 0));
      if (way.shape.held == 0) SetTimer(side);
    } else {
      // What was held flows on now, in order.
      const SteadyTime now = loop_.clock().Now();
      SteadyTime last{};
      for (Piece& piece : way.pieces)
        last = piece.at = std::max({piece.at, now + kLeastLatency, last + Duration(1)});
      SetTimer(side);
    }
  }
}

}  // namespace squall::sim
