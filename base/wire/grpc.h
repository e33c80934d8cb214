#pragma once
// gRPC over Http2Connection, unary calls, in both roles (github.com/grpc/grpc,
// doc/PROTOCOL-HTTP2.md).
//
// Server: requests in any segmentation, gzip, deadlines, limits, answered whenever the owner wants.
// Client: the same from the other side, with every ending of a call (status, HTTP error, reset,
// GOAWAY, lost connection) turned into a status.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/util/clock.h"
#include "base/util/status.h"
#include "base/wire/http2.h"

namespace squall::wire {

// Custom metadata: lower-case names; values of names that end in "-bin" are raw bytes here, base64
// on the wire.
using Metadata = std::multimap<std::string, std::string>;

// The end of a call. `code` is gRPC's number (absl's StatusCode has the same); `details` a
// serialized google.rpc.Status or empty (grpc-status-details-bin).
struct GrpcStatus {
  int code = 0;
  std::string message;
  std::string details;
  bool ok() const { return code == 0; }
  // The absl status of the same code and message; details are dropped. Codes above 16 become
  // UNKNOWN.
  Status ToStatus() const;
  static GrpcStatus From(const Status& status);
};

// The largest message that gRPC servers take unless told otherwise.
inline constexpr std::size_t kDefaultMaxMessageBytes = 4 << 20;

// --- Pieces, each usable by itself
// -----------------------------------------------------------------------------------

// Takes messages out of a body that comes in pieces: five bytes of prefix (compressed flag,
// length), then the message.
class GrpcFrameParser {
 public:
  explicit GrpcFrameParser(std::size_t max_message_bytes) : max_message_bytes_(max_message_bytes) {}
  struct Frame {
    bool compressed = false;
    std::string payload;
  };
  // Adds bytes; complete messages go behind `frames`. RESOURCE_EXHAUSTED for a length above the
  // limit, found by the prefix alone; INTERNAL for a flag that is neither 0 nor 1. After an error
  // the parser takes nothing more.
  Status Feed(std::string_view bytes, std::vector<Frame>& frames);
  // In the middle of a message: when the body ends here, it was cut.
  bool partial() const { return prefix_size_ != 0 || in_message_; }

 private:
  std::size_t max_message_bytes_;
  char prefix_[5] = {};
  std::size_t prefix_size_ = 0;
  bool in_message_ = false;
  std::size_t wanted_ = 0;
  Frame current_;
  Status error_;
};
// The prefix and the message, uncompressed.
inline constexpr std::size_t kGrpcPrefixBytes = 5;  // of a message: flag and length
std::string GrpcFrame(std::string_view message, bool compressed = false);

// RFC 1952, one member or several. RESOURCE_EXHAUSTED when the result would be longer than
// `max_bytes`; INTERNAL for bytes that are not gzip or end early.
StatusOr<std::string> Gunzip(std::string_view bytes, std::size_t max_bytes);
std::string Gzip(std::string_view bytes);

// grpc-timeout: one to eight digits and a unit (H M S m u n). Parsing is strict; formatting rounds
// up, and picks the finest unit that fits. Values that a Duration cannot hold become the longest
// Duration.
std::optional<Duration> ParseGrpcTimeout(std::string_view text);
std::string FormatGrpcTimeout(Duration timeout);

// grpc-message: bytes outside printable ASCII and '%' as %XX. Decoding leaves a broken escape as it
// stands.
std::string PercentEncode(std::string_view text);
std::string PercentDecode(std::string_view text);

// "-bin" metadata: encoding leaves the padding out, decoding takes both forms; nullopt for what is
// not base64.
std::string Base64Encode(std::string_view bytes);
std::optional<std::string> Base64Decode(std::string_view text);

// What an HTTP status without a grpc-status means (doc/http-grpc-status-mapping.md).
int GrpcCodeFromHttpStatus(int http_status);
// What a reset without a grpc-status means (doc/PROTOCOL-HTTP2.md, "Errors").
int GrpcCodeFromHttp2Error(Http2Error error);

// --- Server
// ----------------------------------------------------------------------------------------------------------

// What is known once the headers of a call are there.
struct GrpcCallHead {
  std::string service;              // "temporal.api.workflowservice.v1.WorkflowService"
  std::string method;               // "StartWorkflowExecution"
  std::string authority;            // :authority, "" if missing
  Metadata metadata;                // everything but pseudo-headers and gRPC's own
  std::optional<Duration> timeout;  // grpc-timeout, counted from now
};

class GrpcServerHandler {
 public:
  virtual ~GrpcServerHandler() = default;
  // The headers of a call came; the message is still to come. For deadlines and for refusing early
  // with Finish. The head may be moved from: it is not kept.
  virtual void OnCallStarted(StreamId call, GrpcCallHead head) = 0;
  // The request is complete. Answer with Reply or Finish, now or at any later time.
  virtual void OnMessage(StreamId call, std::string message) = 0;
  // A started call is over without our answer: the client reset it (or broke the protocol on it).
  virtual void OnCancelled(StreamId call) = 0;
  // The client sends nothing more on a call that was accepted as a stream.
  virtual void OnHalfClosed(StreamId /*call*/) {}
  // A PING of the client came, or (`ack`) its answer to ours.
  virtual void OnPing(bool /*ack*/) {}
};

struct GrpcServerOptions {
  Http2Options http2;  // role is set by the connection
  std::size_t max_request_bytes = kDefaultMaxMessageBytes;
};

// The server side of one connection. Same rules as Http2Connection: single-threaded, handler called
// from within Feed and TakeOutput, and free to call anything but those two and the destructor.
class GrpcServerConnection final : private Http2Handler {
 public:
  GrpcServerConnection(const GrpcServerOptions& options, GrpcServerHandler& handler);
  ~GrpcServerConnection() override;

  Status Feed(std::string_view bytes) { return http2_.Feed(bytes); }
  std::string TakeOutput() { return http2_.TakeOutput(); }
  void TakeOutput(std::string& out) { http2_.TakeOutput(out); }

  // Ends the call with OK and one message. Calls that are over already are ignored (they may be
  // cancelled at any moment).
  void Reply(StreamId call, std::string_view message, const Metadata& trailers = {});
  // Ends the call with a status and no message: headers and trailers in one block
  // ("trailers-only").
  void Finish(StreamId call, const GrpcStatus& status, const Metadata& trailers = {});
  // From within OnCallStarted: the call is a stream. Each message comes by OnMessage as soon as it
  // is there, then OnHalfClosed; answer with any number of Send and one Finish.
  void AcceptStream(StreamId call);
  // One message of a stream's answer.
  void Send(StreamId call, std::string_view message);
  // Leaves the answer to the caller, who gives it by http2(). False when the call is over.
  bool Take(StreamId call);
  // Ends the call without a status.
  void Reset(StreamId call, Http2Error error);

  // Calls started and not yet answered or cancelled.
  std::size_t open_calls() const { return calls_.size(); }
  // For GOAWAY, PING, raw bytes and answers that gRPC forbids.
  Http2Connection& http2() { return http2_; }
  const Http2Connection& http2() const { return http2_; }

 private:
  struct Call;
  void OnHeaders(StreamId stream, Headers headers) override;
  void OnData(StreamId stream, std::string_view data) override;
  void OnTrailers(StreamId stream, Headers trailers) override;
  void OnEndStream(StreamId stream) override;
  void OnStreamClosed(StreamId stream, Http2Error error, bool by_peer) override;
  void OnPing(std::string_view opaque, bool ack) override;
  void FinishHttp(StreamId stream, int http_status, const GrpcStatus& status);

  GrpcServerHandler& handler_;
  const std::size_t max_request_bytes_;
  Http2Connection http2_;
  std::unordered_map<StreamId, std::unique_ptr<Call>> calls_;  // looked up only, never iterated
};

// --- Client
// ----------------------------------------------------------------------------------------------------------

struct GrpcRequest {
  std::string service, method;
  Metadata metadata;
  std::string message;
  // Sent as grpc-timeout. Keeping it is the caller's business: Cancel with DEADLINE_EXCEEDED when
  // it has passed.
  std::optional<Duration> timeout;
  bool gzip = false;
};

struct GrpcResponse {
  GrpcStatus status;
  std::string message;  // the response, when the status is OK
  Metadata initial, trailing;
  int http_status = 0;  // 0 when no response headers came
};

struct GrpcClientOptions {
  Http2Options http2;     // role is set by the connection
  std::string authority;  // ":authority", "localhost:7233"
  bool tls = false;       // ":scheme" https instead of http
  std::string user_agent = "squall";
  std::size_t max_response_bytes = kDefaultMaxMessageBytes;
};

// The client side of one connection. Calls beyond the peer's SETTINGS_MAX_CONCURRENT_STREAMS wait
// inside.
class GrpcClientConnection final : private Http2Handler {
 public:
  using Done = std::function<void(GrpcResponse)>;

  explicit GrpcClientConnection(const GrpcClientOptions& options);
  ~GrpcClientConnection() override;  // calls that are still open are dropped without `done`

  Status Feed(std::string_view bytes);
  std::string TakeOutput() { return http2_.TakeOutput(); }
  void TakeOutput(std::string& out) { http2_.TakeOutput(out); }

  // Begins a unary call; `done` runs exactly once, from within Feed, TakeOutput, Cancel or
  // ConnectionLost, and may start calls. After a GOAWAY or a lost connection it runs before
  // StartCall returns, with UNAVAILABLE, and 0 is returned.
  StreamId StartCall(const GrpcRequest& request, Done done);
  // Ends a call with `status` and resets its stream. Finished calls are ignored.
  void Cancel(StreamId call, const GrpcStatus& status = {1, "cancelled", ""});
  // The transport is gone: every open call ends with UNAVAILABLE and this text.
  void ConnectionLost(std::string_view why);

  // A GOAWAY came: start no calls here; those above its last stream have ended with UNAVAILABLE
  // already.
  bool going_away() const { return going_away_; }
  // The answer to our PING came since the last call of this function.
  bool TakePingAck() { return std::exchange(ping_acked_, false); }
  // The peer's SETTINGS came: it speaks HTTP/2.
  bool established() const { return established_; }
  std::size_t open_calls() const { return calls_.size(); }
  Http2Connection& http2() { return http2_; }

 private:
  struct Call;
  void OnHeaders(StreamId stream, Headers headers) override;
  void OnData(StreamId stream, std::string_view data) override;
  void OnTrailers(StreamId stream, Headers trailers) override;
  void OnEndStream(StreamId stream) override;
  void OnStreamClosed(StreamId stream, Http2Error error, bool by_peer) override;
  void OnGoaway(StreamId last_stream, Http2Error error, std::string_view debug) override;
  void OnSettings(bool ack) override;
  void OnPing(std::string_view opaque, bool ack) override;
  void End(StreamId stream, GrpcStatus status);
  void EndAll(const GrpcStatus& status);

  const GrpcClientOptions options_;
  Http2Connection http2_;
  std::map<StreamId, std::unique_ptr<Call>> calls_;
  bool established_ = false;
  bool going_away_ = false;
  bool ping_acked_ = false;
  std::string lost_;  // why no call can be made any more
};

}  // namespace squall::wire
