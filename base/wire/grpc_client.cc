#include <charconv>
#include <utility>

#include "base/util/text.h"
#include "base/wire/grpc.h"
#include "base/wire/grpc_fields.h"

namespace squall::wire {
namespace {

// How much of an answer that is not gRPC is shown in the error.
constexpr std::size_t kExcerptBytes = 200;

Http2Options ClientSide(Http2Options options) {
  options.role = Http2Role::kClient;
  return options;
}

int ParseHttpStatus(std::string_view text) {
  int status = 0;
  std::from_chars(text.data(), text.data() + text.size(), status);
  return status;
}

}  // namespace

struct GrpcClientConnection::Call {
  Call(std::size_t max_bytes, Done done_in) : parser(max_bytes), done(std::move(done_in)) {}
  GrpcFrameParser parser;
  std::vector<GrpcFrameParser::Frame> frames;
  Done done;
  GrpcResponse response;
  std::string encoding;
  std::string content_type;
  std::string excerpt;  // the beginning of a body that is not gRPC
  bool grpc = false;    // the response's content type is gRPC's
  std::optional<GrpcStatus> status;
};

GrpcClientConnection::GrpcClientConnection(const GrpcClientOptions& options)
    : options_(options), http2_(ClientSide(options.http2), *this) {}

GrpcClientConnection::~GrpcClientConnection() = default;

Status GrpcClientConnection::Feed(std::string_view bytes) {
  Status status = http2_.Feed(bytes);
  if (!status.ok() && lost_.empty()) ConnectionLost(squall::Message(status));
  return status;
}

StreamId GrpcClientConnection::StartCall(const GrpcRequest& request, Done done) {
  if (!lost_.empty()) {
    GrpcResponse response;
    response.status = GrpcFailure(StatusCode::kUnavailable, lost_);
    done(std::move(response));
    return 0;
  }
  Headers headers = {{":method", "POST"},
                     {":scheme", options_.tls ? "https" : "http"},
                     {":path", fmt::format("/{}/{}", request.service, request.method)},
                     {":authority", options_.authority},
                     {"te", "trailers"},
                     {"content-type", std::string(kGrpcContentType)},
                     {"user-agent", options_.user_agent},
                     {"grpc-accept-encoding", "gzip"}};
  if (request.gzip) headers.push_back({"grpc-encoding", "gzip"});
  if (request.timeout.has_value()) {
    headers.push_back({"grpc-timeout", FormatGrpcTimeout(*request.timeout)});
  }
  AppendMetadata(request.metadata, headers);
  const StatusOr<StreamId> stream = http2_.SubmitRequest(headers, false);
  if (!stream.ok()) {
    GrpcResponse response;
    response.status =
        GrpcFailure(StatusCode::kUnavailable, std::string(squall::Message(stream.status())));
    done(std::move(response));
    return 0;
  }
  calls_.emplace(*stream, std::make_unique<Call>(options_.max_response_bytes, std::move(done)));
  http2_.SubmitData(
      *stream, request.gzip ? GrpcFrame(Gzip(request.message), true) : GrpcFrame(request.message),
      true);
  return *stream;
}

void GrpcClientConnection::Cancel(StreamId call, const GrpcStatus& status) {
  if (!calls_.contains(call)) return;
  http2_.Reset(call, Http2Error::kCancel);
  End(call, status);
}

void GrpcClientConnection::ConnectionLost(std::string_view why) {
  if (lost_.empty()) lost_ = why.empty() ? "connection lost" : std::string(why);
  EndAll(GrpcFailure(StatusCode::kUnavailable, lost_));
}

void GrpcClientConnection::OnHeaders(StreamId stream, Headers headers) {
  const auto it = calls_.find(stream);
  if (it == calls_.end()) return;
  Call& call = *it->second;
  call.response.http_status = ParseHttpStatus(FindHeader(headers, ":status"));
  call.content_type = FindHeader(headers, "content-type");
  call.grpc = IsGrpcContentType(call.content_type);
  call.encoding = FindHeader(headers, "grpc-encoding");
  call.status = ReadStatus(headers);
  const bool trailers_only = call.status.has_value();
  StatusOr<Metadata> metadata = TakeMetadata(std::move(headers));
  if (!metadata.ok()) {
    http2_.Reset(stream, Http2Error::kCancel);
    End(stream, GrpcStatus::From(metadata.status()));
    return;
  }
  (trailers_only ? call.response.trailing : call.response.initial) = *std::move(metadata);
}

void GrpcClientConnection::OnData(StreamId stream, std::string_view data) {
  const auto it = calls_.find(stream);
  if (it == calls_.end()) return;
  Call& call = *it->second;
  if (!call.grpc || call.response.http_status != 200) {
    if (call.excerpt.size() < kExcerptBytes) {
      call.excerpt.append(data.substr(0, kExcerptBytes - call.excerpt.size()));
    }
    return;
  }
  const Status status = call.parser.Feed(data, call.frames);
  if (!status.ok()) {
    http2_.Reset(stream, Http2Error::kCancel);
    End(stream, GrpcStatus::From(status));
  }
}

void GrpcClientConnection::OnTrailers(StreamId stream, Headers trailers) {
  const auto it = calls_.find(stream);
  if (it == calls_.end()) return;
  Call& call = *it->second;
  if (std::optional<GrpcStatus> status = ReadStatus(trailers)) call.status = std::move(status);
  StatusOr<Metadata> metadata = TakeMetadata(std::move(trailers));
  if (metadata.ok()) call.response.trailing = *std::move(metadata);
}

void GrpcClientConnection::OnEndStream(StreamId stream) {
  const auto it = calls_.find(stream);
  if (it == calls_.end()) return;
  Call& call = *it->second;
  if (!call.status.has_value()) {
    if (call.response.http_status != 200) {
      End(stream, {GrpcCodeFromHttpStatus(call.response.http_status),
                   fmt::format("the server answers HTTP {}{}{}", call.response.http_status,
                               call.excerpt.empty() ? "" : ": ", EscapeControl(call.excerpt)),
                   {}});
    } else if (!call.grpc) {
      End(stream,
          GrpcFailure(StatusCode::kUnknown,
                      fmt::format("the server answers content-type \"{}\" instead of gRPC{}{}",
                                  EscapeControl(call.content_type),
                                  call.excerpt.empty() ? "" : ": ", EscapeControl(call.excerpt))));
    } else {
      End(stream, GrpcFailure(StatusCode::kUnknown, "the response ends without a grpc-status"));
    }
    return;
  }
  GrpcStatus status = *std::move(call.status);
  if (status.ok()) {
    if (call.parser.partial() || call.frames.size() != 1) {
      status = GrpcFailure(
          StatusCode::kInternal,
          call.parser.partial()
              ? std::string("the response ends in the middle of a message")
              : fmt::format("a unary response carries {} messages", call.frames.size()));
    } else if (!call.frames.front().compressed) {
      call.response.message = std::move(call.frames.front().payload);
    } else if (call.encoding != "gzip") {
      status = GrpcFailure(
          StatusCode::kInternal,
          fmt::format("the response is compressed with \"{}\"", EscapeControl(call.encoding)));
    } else {
      StatusOr<std::string> plain =
          Gunzip(call.frames.front().payload, options_.max_response_bytes);
      if (plain.ok()) {
        call.response.message = *std::move(plain);
      } else {
        status = GrpcStatus::From(plain.status());
      }
    }
  }
  End(stream, std::move(status));
}

void GrpcClientConnection::OnStreamClosed(StreamId stream, Http2Error error, bool by_peer) {
  // Calls that ended with the stream's own end are gone already; what is left was reset or refused.
  if (!calls_.contains(stream)) return;
  const bool refused_by_goaway = going_away_ && error == Http2Error::kRefusedStream;
  End(stream,
      {GrpcCodeFromHttp2Error(error),
       refused_by_goaway ? lost_
                         : fmt::format("stream reset{}: {}", by_peer ? " by the server" : "",
                                       Http2ErrorName(error)),
       {}});
}

void GrpcClientConnection::OnGoaway(StreamId /*last_stream*/, Http2Error error,
                                    std::string_view debug) {
  going_away_ = true;
  if (lost_.empty()) {
    lost_ = fmt::format("the connection is going away: {}{}{}", Http2ErrorName(error),
                        debug.empty() ? "" : ": ", EscapeControl(debug));
  }
}

void GrpcClientConnection::OnSettings(bool ack) {
  if (!ack) established_ = true;
}

void GrpcClientConnection::OnPing(std::string_view /*opaque*/, bool ack) {
  if (ack) ping_acked_ = true;
}

void GrpcClientConnection::End(StreamId stream, GrpcStatus status) {
  const auto it = calls_.find(stream);
  if (it == calls_.end()) return;
  const std::unique_ptr<Call> call = std::move(it->second);
  calls_.erase(it);
  call->response.status = std::move(status);
  call->done(std::move(call->response));
}

void GrpcClientConnection::EndAll(const GrpcStatus& status) {
  while (!calls_.empty()) End(calls_.begin()->first, status);
}

}  // namespace squall::wire
