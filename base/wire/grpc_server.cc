#include <utility>

#include "base/util/text.h"
#include "base/wire/grpc.h"
#include "base/wire/grpc_fields.h"

namespace squall::wire {
namespace {

// Below it gzip costs more time than it saves bytes.
constexpr std::size_t kWorthCompressing = 1024;

Http2Options ServerSide(Http2Options options) {
  options.role = Http2Role::kServer;
  return options;
}

// "/package.Service/Method" apart.
bool SplitPath(std::string_view path, GrpcCallHead& head) {
  if (path.empty() || path.front() != '/') return false;
  path.remove_prefix(1);
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos || slash == 0 || slash + 1 == path.size()) return false;
  head.service = path.substr(0, slash);
  head.method = path.substr(slash + 1);
  return true;
}

}  // namespace

struct GrpcServerConnection::Call {
  explicit Call(std::size_t max_bytes) : parser(max_bytes) {}
  GrpcFrameParser parser;
  std::vector<GrpcFrameParser::Frame> frames;
  std::string encoding;
  bool stream = false;   // AcceptStream
  bool sending = false;  // response headers are out
};

GrpcServerConnection::GrpcServerConnection(const GrpcServerOptions& options,
                                           GrpcServerHandler& handler)
    : handler_(handler),
      max_request_bytes_(options.max_request_bytes),
      http2_(ServerSide(options.http2), *this) {}

GrpcServerConnection::~GrpcServerConnection() = default;

void GrpcServerConnection::OnHeaders(StreamId stream, Headers headers) {
  // Refusals in the order and the words of grpc-go, which Temporal's server is built on.
  const std::string_view content_type = FindHeader(headers, "content-type");
  if (!IsGrpcContentType(content_type)) {
    FinishHttp(stream, 415,
               GrpcFailure(StatusCode::kInvalidArgument,
                           fmt::format("invalid gRPC request content-type \"{}\"",
                                       EscapeControl(content_type))));
    return;
  }
  const std::string_view method = FindHeader(headers, ":method");
  if (method != "POST") {
    FinishHttp(
        stream, 405,
        GrpcFailure(StatusCode::kInternal,
                    fmt::format("Received a HEADERS frame with :method \"{}\" which should be "
                                "POST",
                                EscapeControl(method))));
    return;
  }
  GrpcCallHead head;
  if (const std::string_view timeout = FindHeader(headers, "grpc-timeout"); !timeout.empty()) {
    head.timeout = ParseGrpcTimeout(timeout);
    if (!head.timeout.has_value()) {
      FinishHttp(stream, 400,
                 GrpcFailure(StatusCode::kInternal, fmt::format("malformed grpc-timeout: \"{}\"",
                                                                EscapeControl(timeout))));
      return;
    }
  }
  const std::string_view path = FindHeader(headers, ":path");
  if (!SplitPath(path, head)) {
    FinishHttp(stream, 200,
               GrpcFailure(StatusCode::kUnimplemented,
                           fmt::format("malformed method name: \"{}\"", EscapeControl(path))));
    return;
  }
  head.authority = FindHeader(headers, ":authority");
  std::string encoding(FindHeader(headers, "grpc-encoding"));
  StatusOr<Metadata> metadata = TakeMetadata(std::move(headers));
  if (!metadata.ok()) {
    FinishHttp(stream, 400, GrpcStatus::From(metadata.status()));
    return;
  }
  head.metadata = *std::move(metadata);
  auto call = std::make_unique<Call>(max_request_bytes_);
  call->encoding = std::move(encoding);
  calls_.emplace(stream, std::move(call));
  handler_.OnCallStarted(stream, std::move(head));
}

void GrpcServerConnection::OnData(StreamId stream, std::string_view data) {
  const auto it = calls_.find(stream);
  if (it == calls_.end()) return;  // answered before the request was complete
  const Status status = it->second->parser.Feed(data, it->second->frames);
  if (!status.ok()) {
    Finish(stream, GrpcStatus::From(status));
    handler_.OnCancelled(stream);
    return;
  }
  if (!it->second->stream) return;
  for (GrpcFrameParser::Frame& frame : std::exchange(it->second->frames, {})) {
    if (frame.compressed) {
      Finish(stream,
             GrpcFailure(StatusCode::kUnimplemented, "streams are taken uncompressed only"));
      handler_.OnCancelled(stream);
      return;
    }
    handler_.OnMessage(stream, std::move(frame.payload));
    if (!calls_.contains(stream)) return;
  }
}

void GrpcServerConnection::OnTrailers(StreamId /*stream*/, Headers /*trailers*/) {
  // gRPC clients send none; HTTP/2 allows them and the end of the stream is what counts.
}

void GrpcServerConnection::OnEndStream(StreamId stream) {
  const auto it = calls_.find(stream);
  if (it == calls_.end()) return;
  Call& call = *it->second;
  if (call.stream) return handler_.OnHalfClosed(stream);
  GrpcStatus failure;
  if (call.parser.partial()) {
    failure = GrpcFailure(StatusCode::kInternal, "the request ends in the middle of a message");
  } else if (call.frames.size() != 1) {
    failure = GrpcFailure(StatusCode::kInternal,
                          fmt::format("a unary request carries {} messages", call.frames.size()));
  } else if (call.frames.front().compressed) {
    if (call.encoding == "gzip") {
      StatusOr<std::string> plain = Gunzip(call.frames.front().payload, max_request_bytes_);
      if (plain.ok()) {
        call.frames.front().payload = *std::move(plain);
      } else {
        failure = GrpcStatus::From(plain.status());
      }
    } else if (call.encoding.empty() || call.encoding == "identity") {
      failure = GrpcFailure(StatusCode::kInternal,
                            "grpc: compressed flag set with identity or empty encoding");
    } else {
      failure =
          GrpcFailure(StatusCode::kUnimplemented,
                      fmt::format("grpc: Decompressor is not installed for grpc-encoding \"{}\"",
                                  EscapeControl(call.encoding)));
    }
  }
  if (!failure.ok()) {
    Finish(stream, failure);
    handler_.OnCancelled(stream);
    return;
  }
  std::string message = std::move(call.frames.front().payload);
  call.frames.clear();
  handler_.OnMessage(stream, std::move(message));
}

void GrpcServerConnection::OnStreamClosed(StreamId stream, Http2Error /*error*/, bool /*by_peer*/) {
  if (calls_.erase(stream) > 0) handler_.OnCancelled(stream);
}

void GrpcServerConnection::Reply(StreamId call, std::string_view message,
                                 const Metadata& trailers) {
  const auto it = calls_.find(call);
  if (it == calls_.end()) return;
  // A server answers in the encoding it was asked in (grpc-go does, so Temporal's does). The header
  // says which; the flag of each message whether it was worth it.
  const bool gzip = it->second->encoding == "gzip";
  calls_.erase(it);
  Headers headers = {{":status", "200"}, {"content-type", std::string(kGrpcContentType)}};
  if (gzip) headers.push_back({"grpc-encoding", "gzip"});
  http2_.SubmitHeaders(call, headers, false);
  if (gzip && message.size() >= kWorthCompressing) {
    http2_.SubmitData(call, GrpcFrame(Gzip(message), true), false);
  } else {
    http2_.SubmitData(call, GrpcFrame(message), false);
  }
  Headers fields = {{"grpc-status", "0"}};
  AppendMetadata(trailers, fields);
  http2_.SubmitTrailers(call, fields);
}

void GrpcServerConnection::AcceptStream(StreamId call) {
  const auto it = calls_.find(call);
  if (it != calls_.end()) it->second->stream = true;
}

void GrpcServerConnection::Send(StreamId call, std::string_view message) {
  const auto it = calls_.find(call);
  if (it == calls_.end()) return;
  if (!std::exchange(it->second->sending, true)) {
    http2_.SubmitHeaders(
        call, {{":status", "200"}, {"content-type", std::string(kGrpcContentType)}}, false);
  }
  http2_.SubmitData(call, GrpcFrame(message), false);
}

void GrpcServerConnection::Finish(StreamId call, const GrpcStatus& status,
                                  const Metadata& trailers) {
  const auto it = calls_.find(call);
  if (it == calls_.end()) return;
  const bool sending = it->second->sending;
  calls_.erase(it);
  if (sending) {
    Headers fields;
    AppendStatus(status, fields);
    AppendMetadata(trailers, fields);
    return http2_.SubmitTrailers(call, fields);
  }
  Headers fields = {{":status", "200"}, {"content-type", std::string(kGrpcContentType)}};
  AppendStatus(status, fields);
  AppendMetadata(trailers, fields);
  http2_.SubmitHeaders(call, fields, true);
}

void GrpcServerConnection::FinishHttp(StreamId stream, int http_status, const GrpcStatus& status) {
  Headers fields = {{":status", fmt::format("{}", http_status)},
                    {"content-type", std::string(kGrpcContentType)}};
  AppendStatus(status, fields);
  http2_.SubmitHeaders(stream, fields, true);
}

bool GrpcServerConnection::Take(StreamId call) { return calls_.erase(call) > 0; }

void GrpcServerConnection::OnPing(std::string_view /*opaque*/, bool ack) { handler_.OnPing(ack); }

void GrpcServerConnection::Reset(StreamId call, Http2Error error) {
  if (calls_.erase(call) > 0) http2_.Reset(call, error);
}

}  // namespace squall::wire
