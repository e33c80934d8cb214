#pragma once
// One end of a simulated connection for what stands in the network itself (ingresses, the world's
// own clients): bytes to send are kept until there is room. World's loop only.

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/util/executor.h"
#include "sim/net/stream.h"

namespace squall::sim {

class Leg final : public StreamEnd, public std::enable_shared_from_this<Leg> {
 public:
  struct Events {
    std::function<void(std::string_view bytes)> bytes;
    std::function<void()> ended;           // FIN
    std::function<void(int error)> reset;  // errno
  };
  // `loop` outlives the leg.
  static std::shared_ptr<Leg> Attach(Executor& loop, std::shared_ptr<Stream> stream, Side side,
                                     Events events);

  void Send(std::string_view bytes);
  // Ends this direction once all is sent.
  void EndWrite();
  // Ends this direction once all is sent, and takes nothing more: a peer that does not end its own
  // soon is reset. Nothing is told any more.
  void Close();
  void Reset();

 private:
  Leg(Executor& loop, std::shared_ptr<Stream> stream, Side side, Events events);
  void OnBytes(std::string_view bytes) override;
  void OnEnd() override;
  void OnReset(int error) override;
  void OnRoom() override { Push(); }
  void Push();

  Executor& loop_;
  const std::shared_ptr<Stream> stream_;
  const Side side_;
  Events events_;
  std::string unsent_;
  bool end_write_ = false, closed_ = false, over_ = false;
};

}  // namespace squall::sim
