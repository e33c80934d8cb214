#pragma once
// One established TCP connection of the simulated network: two directions of bytes in flight, and
// what links do to them.
//
// Bytes take a latency and arrive in order; a direction that is held keeps them (somebody on the
// way acknowledges, and passes nothing on), one that is partitioned loses them until TCP's
// retransmission gets through or gives up. World's loop only, except Send, End and Reset of the
// client's end, which come from whichever simulated thread has the baton.

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/util/executor.h"
#include "base/util/rng.h"

namespace squall::sim {

// What one end is told.
class StreamEnd {
 public:
  virtual ~StreamEnd() = default;
  virtual void OnBytes(std::string_view bytes) = 0;
  virtual void OnEnd() = 0;             // FIN
  virtual void OnReset(int error) = 0;  // errno
  virtual void OnRoom() = 0;            // what was sent has arrived: there is room for more
};

enum class Side { kClient = 0, kServer = 1 };

// How a direction treats bytes; links change it while the connection stands.
struct Shape {
  Duration delay{}, jitter{};
  std::int64_t bytes_per_second = 0;  // 0: no limit
  int held = 0;                       // faults that hold it back
  int partitioned = 0;                // faults that lose everything
  Duration end_delay{};               // FIN and RST come so much later
  std::int64_t cut_after = -1;        // bytes that still pass; then the connection is cut
  bool cut_with_reset = true;
  std::size_t smallest_piece = 1, largest_piece = 0;  // of bytes on their way; 0: as sent
  int swallowed = 0;                                  // faults that throw bytes away
  // From this position on each byte is changed with this probability; `corrupt_most` more at most.
  double corrupt_share = 0;
  std::uint64_t corrupt_from = 0, corrupt_most = UINT64_MAX;
};

class Stream : public std::enable_shared_from_this<Stream> {
 public:
  // What a sender may have in flight.
  static constexpr std::size_t kBuffer = 256 * 1024;

  Stream(Executor& loop, Rng rng, std::uint64_t number);

  void Attach(Side side, std::weak_ptr<StreamEnd> end);
  std::uint64_t number() const { return number_; }

  // Bytes from this side; how many were taken (fewer when the buffer is full).
  std::size_t Send(Side from, std::string_view bytes);
  bool HasRoom(Side from) const { return way_[Index(from)].in_flight < kBuffer; }
  void End(Side from);
  void Reset(Side from);
  // Ends both sides at once, as whoever stands between does.
  void Cut(bool with_reset);
  // Whoever stands between has forgotten it: from now on all that either side sends vanishes, ends
  // too, and nobody is told but `told`, which is reset.
  void Forget(std::optional<Side> told);
  bool forgotten() const { return forgotten_; }

  // From this side to the other. Call Reshaped after a change.
  Shape& shape(Side from) { return way_[Index(from)].shape; }
  void Reshaped();
  std::uint64_t bytes(Side from) const { return way_[Index(from)].passed; }
  bool over() const { return over_; }
  // Called with each piece that arrives or is held: traffic met the link's faults. And at the end.
  std::function<void(Side from)> on_traffic;
  std::function<void(bool reset)> on_over;

 private:
  struct Piece {
    enum class What : std::uint8_t { kBytes, kEnd, kReset } what = What::kBytes;
    std::string bytes;
    SteadyTime at;
  };
  struct Way {
    Shape shape;
    std::deque<Piece> pieces;
    std::size_t in_flight = 0;
    std::uint64_t passed = 0;
    SteadyTime last;  // when the latest piece arrives: order is kept
    TimerId timer = 0;
    bool ended = false;  // FIN or RST sent
    // TCP's retransmission while partitioned: the next attempt, and how long after it the one
    // after.
    SteadyTime lost_since{};
    Duration retry{};
    TimerId retry_timer = 0;
  };
  static std::size_t Index(Side side) { return static_cast<std::size_t>(side); }
  static Side Other(Side side) { return side == Side::kClient ? Side::kServer : Side::kClient; }

  void Put(Side from, Piece piece);
  SteadyTime DueAt(Way& way, std::size_t size);
  void Arrive(Side from);
  void SetTimer(Side from);
  void Retransmit(Side from);
  void Finish(bool reset);
  void Corrupt(Way& way, std::string& bytes);

  Executor& loop_;
  Rng rng_;
  const std::uint64_t number_;
  Way way_[2];
  std::weak_ptr<StreamEnd> ends_[2];
  bool over_ = false, forgotten_ = false;
};

}  // namespace squall::sim
