#pragma once
// One direction of a connection through a TcpProxy. Internal to harness/net.
//
// While no fault acts on it, what was read is written at once, and what comes in bulk goes through
// the kernel without being copied here. As soon as one does, every piece passes through `held_`,
// where it is delayed, cut, sliced, changed or stopped, exact to the byte.

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>

#include "base/util/clock.h"
#include "base/util/executor.h"
#include "harness/net/kernel_pipe.h"
#include "harness/net/stream_faults.h"

namespace squall::harness {

class ProxyConnection;

class ProxyPipe {
 public:
  using Socket = boost::asio::ip::tcp::socket;

  ProxyPipe(ProxyConnection& connection, bool up, Socket& from, Socket& to)
      : connection_(connection), up_(up), from_(from), to_(to) {}
  ProxyPipe(const ProxyPipe&) = delete;
  ProxyPipe& operator=(const ProxyPipe&) = delete;

  bool up() const { return up_; }
  Socket& from() { return from_; }
  StreamPosition position() const { return {.read = read_, .written = written_}; }
  // Nothing more will be read.
  bool read_done() const { return read_done_; }
  // The end was passed on, or nobody is left to pass it to.
  bool done() const { return done_; }

  void MaybeRead();
  void MaybeWrite();
  // Faults came or went: everything is looked at anew. `undelayed`: what waits for a delay waits no
  // longer.
  void FaultsChanged(bool undelayed);
  // Ends the direction after what is held.
  void EndAfterHeld();
  // From here on what comes is thrown away; read_done() then tells whether its sender has ended.
  void Drain();
  // The receiver is gone: what is held is dropped, and nothing more is read.
  void Drop();
  void CancelTimer();

 private:
  struct Piece {
    std::string data;
    std::size_t sent = 0;
    bool end = false;    // the direction ends here
    bool reset = false;  // by RST
    SteadyTime due{};
  };

  void OnRead(const boost::system::error_code& error, std::size_t bytes);
  // Nothing acts on the direction, and nothing is before what comes now.
  bool Unhindered() const;
  void PassOn(std::size_t bytes);
  void PassOnInBulk();
  void LeaveBulk();
  void Hold(const char* data, std::size_t bytes);
  void HoldEnd(const boost::system::error_code& error);
  std::size_t HeldMax() const;
  // Bytes written, 0 when the receiver takes none now, or -1 after having told the connection of
  // the error.
  long Write(const char* data, std::size_t bytes);
  void Count(std::size_t bytes);
  void WaitForRoom();
  void WaitUntil(SteadyTime when);

  ProxyConnection& connection_;
  const bool up_;
  Socket& from_;
  Socket& to_;
  std::unique_ptr<std::array<char, 16 * 1024>> buffer_;
  std::unique_ptr<KernelPipe> kernel_;
  std::deque<Piece> held_;
  std::size_t held_bytes_ = 0;
  bool reading_ = false;           // a read, or the next turn of a bulk transfer, is on its way
  bool waiting_for_room_ = false;  // in the receiver's buffer
  bool read_done_ = false, done_ = false;
  std::uint64_t read_ = 0, written_ = 0;
  SteadyTime last_due_{}, pace_free_{};
  TimerId timer_ = 0;
};

}  // namespace squall::harness
