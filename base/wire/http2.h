#pragma once
// HTTP/2 without a socket, in both roles: bytes in, bytes out, events to a handler.
//
// nghttp2 does framing, HPACK and stream states. What a test server has to be able to do wrong
// stays in the owner's hands: when windows are given back, whether a PING is acknowledged, which
// GOAWAY is sent and when, how a stream is reset, and bytes that are no HTTP/2 at all.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/util/status.h"
#include "base/wire/headers.h"

namespace squall::wire {

// Odd for streams that the client opened; 0 is the connection itself.
using StreamId = std::int32_t;

// RFC 9113, section 7. Peers may send numbers that are not listed.
enum class Http2Error : std::uint32_t {
  kNoError = 0x0,
  kProtocolError = 0x1,
  kInternalError = 0x2,
  kFlowControlError = 0x3,
  kSettingsTimeout = 0x4,
  kStreamClosed = 0x5,
  kFrameSizeError = 0x6,
  kRefusedStream = 0x7,
  kCancel = 0x8,
  kCompressionError = 0x9,
  kConnectError = 0xa,
  kEnhanceYourCalm = 0xb,
  kInadequateSecurity = 0xc,
  kHttp11Required = 0xd,
};
// "ENHANCE_YOUR_CALM"; "0x2a" for a number that has no name.
std::string Http2ErrorName(Http2Error error);

enum class Http2Role { kClient, kServer };

struct Http2Options {
  Http2Role role = Http2Role::kServer;
  // What we let the peer send before we give window back, per stream and in all. Default: 1 MiB and
  // 16 MiB, so that large messages need few updates; 65535 is HTTP/2's own default and the least
  // allowed for the connection.
  std::uint32_t stream_window = 1 << 20;
  std::uint32_t connection_window = 16 << 20;
  // Streams that the peer may have open at once (SETTINGS_MAX_CONCURRENT_STREAMS). Default: 1000 as
  // a Temporal server would take any number and workers hold tens of polls.
  std::uint32_t max_concurrent_streams = 1000;
  // Largest frame that the peer may send (SETTINGS_MAX_FRAME_SIZE): 16384 to 16777215.
  std::uint32_t max_frame_size = 16384;
  // Names and values of one header block together (SETTINGS_MAX_HEADER_LIST_SIZE); a longer block
  // resets its stream with ENHANCE_YOUR_CALM. Default: 64 KiB.
  std::uint32_t max_header_bytes = 64 << 10;
  // Acknowledge PINGs as they come. False leaves it to AckPing.
  bool auto_ping_ack = true;
  // Give window back as data is handed to the handler. False leaves it to Consume: until then the
  // peer stalls.
  bool auto_window_update = true;
  // Send the preface and SETTINGS with the first output. False: nothing but SendRaw's bytes goes
  // out until SendSettings.
  bool auto_settings = true;
};

// What the connection tells its owner, from within Feed (and stream ends also from within
// TakeOutput). The handler may call any method of the connection but Feed, TakeOutput and the
// destructor.
class Http2Handler {
 public:
  virtual ~Http2Handler() = default;
  // The request (server) or the final response (client) of a stream. 1xx responses are not
  // reported.
  // NOLINTNEXTLINE(performance-unnecessary-value-param): for handlers to take over
  virtual void OnHeaders(StreamId /*stream*/, Headers /*headers*/) {}
  virtual void OnData(StreamId /*stream*/, std::string_view /*data*/) {}
  // A second header block, which ends the peer's side.
  // NOLINTNEXTLINE(performance-unnecessary-value-param): for handlers to take over
  virtual void OnTrailers(StreamId /*stream*/, Headers /*trailers*/) {}
  // Both before anything is copied. Whoever passes blocks on overrides these instead, and swaps
  // with a block of its own what it keeps.
  virtual void OnHeaderBlock(StreamId stream, HeaderBlock& block) {
    OnHeaders(stream, block.ToHeaders());
  }
  virtual void OnTrailerBlock(StreamId stream, HeaderBlock& block) {
    OnTrailers(stream, block.ToHeaders());
  }
  // The peer sends nothing more on this stream. Comes once, after headers, data and trailers.
  virtual void OnEndStream(StreamId /*stream*/) {}
  // The stream is over: kNoError when both sides ended it, else the code of the reset (`by_peer`
  // says whose) or of the GOAWAY that left it unprocessed (REFUSED_STREAM).
  virtual void OnStreamClosed(StreamId /*stream*/, Http2Error /*error*/, bool /*by_peer*/) {}
  virtual void OnGoaway(StreamId /*last_stream*/, Http2Error /*error*/,
                        std::string_view /*debug*/) {}
  // The peer's SETTINGS came (`ack` false) or it acknowledged ours (true).
  virtual void OnSettings(bool /*ack*/) {}
  // A PING of the peer, or (`ack`) its answer to ours, with its eight bytes.
  virtual void OnPing(std::string_view /*opaque*/, bool /*ack*/) {}
};

// One side of a connection. Single-threaded; not movable. The destructor drops everything without
// telling anyone.
class Http2Connection {
 public:
  // `handler` must outlive the connection.
  Http2Connection(const Http2Options& options, Http2Handler& handler);
  ~Http2Connection();
  Http2Connection(const Http2Connection&) = delete;
  Http2Connection& operator=(const Http2Connection&) = delete;

  // Bytes from the peer, cut anywhere. An error means that the connection is beyond use (the peer
  // does not speak HTTP/2, or broke the protocol); a GOAWAY that tells the peer so may then be
  // waiting in TakeOutput. Later calls return the same error.
  Status Feed(std::string_view bytes);
  // Everything that may be sent now, and forgets it. Empty when nothing is pending or the peer's
  // windows are full.
  std::string TakeOutput();
  // The same, put behind what `out` holds already.
  void TakeOutput(std::string& out);

  // Client: opens a stream; its number is returned at once, the frames go out with TakeOutput.
  // `end`: no body follows. Errors: FAILED_PRECONDITION after a GOAWAY or when the numbers are used
  // up.
  StatusOr<StreamId> SubmitRequest(const Headers& headers, bool end);
  StatusOr<StreamId> SubmitRequest(const HeaderBlock& block, bool end);
  // Server: the response of a stream. `end`: neither body nor trailers follow. Unknown and closed
  // streams are ignored, as in all calls below: they may close at any moment by the peer's will.
  void SubmitHeaders(StreamId stream, const Headers& headers, bool end);
  void SubmitHeaders(StreamId stream, const HeaderBlock& block, bool end);
  // Queues body bytes; they leave as the peer's windows allow.
  void SubmitData(StreamId stream, std::string data, bool end);
  // The same, copied behind what is queued: for small pieces that the caller does not own.
  void AppendData(StreamId stream, std::string_view data);
  // Ends the stream with trailers, after the data that is queued.
  void SubmitTrailers(StreamId stream, const Headers& trailers);
  // Takes the block's fields away.
  void SubmitTrailers(StreamId stream, HeaderBlock& trailers);
  // RST_STREAM; drops what is queued for the stream.
  void Reset(StreamId stream, Http2Error error);
  // GOAWAY. last_stream: the last of the peer's streams that we still serve. kSeen is the highest
  // that we have seen; kEverything (a server's, with NO_ERROR) announces a shutdown without
  // refusing any (RFC 9113, 6.8). The connection stays usable for its open streams; closing it is
  // the owner's business.
  static constexpr StreamId kSeen = -1;
  static constexpr StreamId kEverything = 0x7fffffff;
  void Goaway(Http2Error error, StreamId last_stream = kSeen, std::string_view debug = {});
  // PING with eight bytes (shorter ones are filled with zeros).
  void Ping(std::string_view opaque);
  // Answers a PING; with auto_ping_ack false only.
  void AckPing(std::string_view opaque);
  // Changes Http2Options::auto_ping_ack and auto_window_update for what comes from now on.
  // Switching window updates on again gives back what was withheld.
  void SetAutoPingAck(bool on);
  void SetAutoWindowUpdate(bool on);
  // SETTINGS in mid-life: pairs of number and value, in this order. Values that HTTP/2 forbids are
  // sent all the same, and the peer will end the connection.
  void SubmitSettings(const std::vector<std::pair<std::uint16_t, std::uint32_t>>& values);
  // Gives back window for `bytes` of data received on `stream`; with auto_window_update false only.
  void Consume(StreamId stream, std::size_t bytes);
  // Lets the preface (client), SETTINGS and all that waits behind them go; with auto_settings false
  // only.
  void SendSettings();
  // Puts bytes that nghttp2 knows nothing of into the output, behind all that is pending:
  // misbehaviour.
  void SendRaw(std::string_view bytes);

  // Streams that are open or half closed.
  std::size_t open_streams() const;
  // Body bytes queued for `stream` that have not left yet, by flow control or because nobody took
  // the output.
  std::size_t queued_bytes(StreamId stream) const;
  // No stream is open and none can come (GOAWAY was sent or received): the transport may be closed.
  bool finished() const;
  // The error that Feed returned.
  const Status& error() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace squall::wire
