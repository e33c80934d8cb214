#pragma once
// A simulated process's TCP socket: non-blocking, a client's. Behind the functions of
// sim/libc/sockets.cc.

#include <cstdint>
#include <memory>
#include <string>

#include "sim/kernel/descriptors.h"
#include "sim/net/endpoint.h"
#include "sim/net/stream.h"

namespace squall::sim {

class Socket final : public Object, public StreamEnd {
 public:
  explicit Socket(Process* owner);

  // As connect(2) on a non-blocking socket: -1 and EINPROGRESS.
  int Connect(const Endpoint& to);
  // MSG_PEEK leaves what is read.
  long Receive(void* bytes, std::size_t size, bool peek);
  // SHUT_RD 0, SHUT_WR 1, SHUT_RDWR 2.
  int Shutdown(int how);
  // SO_ERROR: tells the error once.
  int TakeError();
  bool connected() const { return state_ == State::kOpen; }
  const Endpoint& peer() const { return peer_; }
  const Endpoint& local() const { return local_; }

  std::uint32_t Ready() const override;
  long Read(void* bytes, std::size_t size) override { return Receive(bytes, size, false); }
  long Write(const void* bytes, std::size_t size) override;
  void Closed() override;

  void OnBytes(std::string_view bytes) override;
  void OnEnd() override;
  void OnReset(int error) override;
  void OnRoom() override;

 private:
  enum class State { kNew, kConnecting, kOpen, kFailed };
  std::shared_ptr<Socket> Self() { return std::static_pointer_cast<Socket>(shared_from_this()); }

  State state_ = State::kNew;
  Endpoint peer_, local_;
  std::shared_ptr<Stream> stream_;
  std::string received_;
  std::size_t read_ = 0;  // of what was received
  bool end_ = false, reset_ = false, write_shut_ = false, full_ = false, closed_ = false;
  int error_ = 0;
};

}  // namespace squall::sim
