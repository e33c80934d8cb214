#include "sim/world/leg.h"

#include <utility>

namespace squall::sim {
namespace {

// Envoy's delayed_close_timeout.
constexpr Duration kLinger = std::chrono::seconds(1);

}  // namespace

Leg::Leg(Executor& loop, std::shared_ptr<Stream> stream, Side side, Events events)
    : loop_(loop), stream_(std::move(stream)), side_(side), events_(std::move(events)) {}

std::shared_ptr<Leg> Leg::Attach(Executor& loop, std::shared_ptr<Stream> stream, Side side,
                                 Events events) {
  const std::shared_ptr<Leg> leg(new Leg(loop, std::move(stream), side, std::move(events)));
  leg->stream_->Attach(side, leg);
  return leg;
}

void Leg::Send(std::string_view bytes) {
  if (over_ || end_write_) return;
  unsent_ += bytes;
  Push();
}

void Leg::EndWrite() {
  end_write_ = true;
  Push();
}

void Leg::Close() {
  if (std::exchange(closed_, true)) return;
  events_ = {};
  EndWrite();
  // Alive until then, though nobody owns it any more.
  loop_.After(kLinger, [self = shared_from_this()] {
    if (!self->stream_->over()) self->stream_->Cut(/*with_reset=*/true);
  });
}

void Leg::Reset() {
  if (std::exchange(over_, true)) return;
  stream_->Reset(side_);
}

void Leg::Push() {
  if (over_) return;
  unsent_.erase(0, stream_->Send(side_, unsent_));
  if (unsent_.empty() && end_write_) stream_->End(side_);
}

void Leg::OnBytes(std::string_view bytes) {
  const auto told = events_.bytes;  // it may close this leg
  if (told) told(bytes);
}

void Leg::OnEnd() {
  if (closed_) over_ = true;  // both have ended
  const auto told = events_.ended;
  if (told) told();
}

void Leg::OnReset(int error) {
  over_ = true;
  const auto told = events_.reset;
  if (told) told(error);
}

}  // namespace squall::sim
