#include "base/wire/http2.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <utility>

#include "base/util/text.h"
#include "base/wire/raw_frames.h"
#include "base/wire/stream_map.h"

namespace squall::wire {
namespace {

constexpr std::array<std::string_view, 14> kErrorNames = {"NO_ERROR",
                                                          "PROTOCOL_ERROR",
                                                          "INTERNAL_ERROR",
                                                          "FLOW_CONTROL_ERROR",
                                                          "SETTINGS_TIMEOUT",
                                                          "STREAM_CLOSED",
                                                          "FRAME_SIZE_ERROR",
                                                          "REFUSED_STREAM",
                                                          "CANCEL",
                                                          "COMPRESSION_ERROR",
                                                          "CONNECT_ERROR",
                                                          "ENHANCE_YOUR_CALM",
                                                          "INADEQUATE_SECURITY",
                                                          "HTTP_1_1_REQUIRED"};

// The longest header block that may be sent: far above what peers take, as sending too much is a
// test's business.
constexpr std::size_t kMaxHeaderBlock = 64 << 20;

// How many of the peer's first bytes are kept to say what it speaks instead of HTTP/2.
constexpr std::size_t kFirstBytes = 64;

std::string_view View(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// nghttp2 copies both, so the cast that its C interface wants is harmless.
nghttp2_nv ToNv(std::string_view name, std::string_view value) {
  return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
          reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(),
          value.size(), NGHTTP2_NV_FLAG_NONE};
}

// A block as nghttp2 wants it; used again for the next one.
class NvList {
 public:
  void Clear() { list_.clear(); }
  void Add(const Headers& headers) {
    for (const Header& header : headers) list_.push_back(ToNv(header.name, header.value));
  }
  void Add(const HeaderBlock& block) {
    for (std::size_t i = 0; i < block.size(); ++i) {
      list_.push_back(ToNv(block.name(i), block.value(i)));
    }
  }
  const nghttp2_nv* data() const { return list_.data(); }
  std::size_t size() const { return list_.size(); }

 private:
  std::vector<nghttp2_nv> list_;
};

// What a stream's buffer may keep for the next stream.
constexpr std::size_t kKeptBody = 16 << 10;

// What a peer that does not speak HTTP/2 speaks instead, from its first bytes.
std::string Foreign(std::string_view first) {
  if (first.starts_with("HTTP/1.")) {
    return fmt::format("the peer answers HTTP/1.1 instead of HTTP/2: {}",
                       EscapeControl(first.substr(0, first.find('\r'))));
  }
  if (first.size() >= 3 && first[0] == '\x16' && first[1] == '\x03') {
    return "the peer speaks TLS on a plaintext connection";
  }
  if (first.size() >= 3 && first[0] == '\x15' && first[1] == '\x03') {
    return "the peer answers with a TLS alert on a plaintext connection";
  }
  const std::string_view line = first.substr(0, first.find('\r'));
  if (line.find(" HTTP/1.") != std::string_view::npos) {
    return fmt::format("the peer speaks HTTP/1.1 instead of HTTP/2: {}", EscapeControl(line));
  }
  return {};
}

struct OptionDeleter {
  void operator()(nghttp2_option* option) const { nghttp2_option_del(option); }
};
struct CallbacksDeleter {
  void operator()(nghttp2_session_callbacks* callbacks) const {
    nghttp2_session_callbacks_del(callbacks);
  }
};
struct SessionDeleter {
  void operator()(nghttp2_session* session) const { nghttp2_session_del(session); }
};

}  // namespace

std::string Http2ErrorName(Http2Error error) {
  const auto number = static_cast<std::uint32_t>(error);
  if (number < kErrorNames.size()) return std::string(kErrorNames[number]);
  return fmt::format("{:#x}", number);
}

struct Http2Connection::Impl {
  struct Stream {
    // What the peer sends.
    HeaderBlock incoming;
    std::size_t incoming_bytes = 0;
    bool headers_seen = false;
    bool peer_ended = false;
    bool dropped = false;  // reset for a header block that is too long: nothing more is reported
    bool reset_by_peer = false;
    // What we send.
    std::string body;
    std::size_t body_sent = 0;
    bool body_ended = false;
    bool deferred = false;  // nghttp2 found nothing to send and waits to be told
    bool has_trailers = false;
    Headers trailers;
    HeaderBlock trailer_block;  // behind those

    void Recycle() {
      Stream fresh;
      fresh.incoming.swap(incoming);
      fresh.trailer_block.swap(trailer_block);
      if (body.capacity() <= kKeptBody) fresh.body.swap(body);
      fresh.incoming.clear();
      fresh.trailer_block.clear();
      fresh.body.clear();
      *this = std::move(fresh);
    }
  };

  const Http2Options opt;
  Http2Handler& handler;
  bool ack_pings = opt.auto_ping_ack;
  bool give_window = opt.auto_window_update;
  std::map<StreamId, std::size_t> withheld;  // window that SetAutoWindowUpdate(false) kept back
  std::unique_ptr<nghttp2_session, SessionDeleter> session;
  StreamMap<std::unique_ptr<Stream>> streams;
  Spares<Stream> spares;
  NvList nv;
  std::string out;
  std::string raw_later;  // SendRaw from within a callback, where nghttp2 must not be pumped
  std::string first;      // the peer's first bytes
  std::string reason;     // nghttp2's words for the last thing that went wrong
  Status error;
  int own_goaways = 0;      // submitted by the owner and not yet framed
  bool busy = false;        // nghttp2 is on the stack
  bool held = false;        // SETTINGS wait for SendSettings, and everything behind them
  bool going_away = false;  // the peer sent GOAWAY

  Impl(const Http2Options& options, Http2Handler& handler_in) : opt(options), handler(handler_in) {}

  bool server() const { return opt.role == Http2Role::kServer; }

  Stream* Find(StreamId id) {
    const auto* found = streams.Find(id);
    return found == nullptr ? nullptr : found->get();
  }

  void Start() {
    nghttp2_session_callbacks* raw_callbacks = nullptr;
    SQUALL_CHECK(nghttp2_session_callbacks_new(&raw_callbacks) == 0, "out of memory");
    const std::unique_ptr<nghttp2_session_callbacks, CallbacksDeleter> callbacks(raw_callbacks);
    nghttp2_session_callbacks_set_on_begin_headers_callback(raw_callbacks, OnBeginHeaders);
    nghttp2_session_callbacks_set_on_header_callback2(raw_callbacks, OnHeader);
    nghttp2_session_callbacks_set_on_frame_recv_callback(raw_callbacks, OnFrameReceived);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(raw_callbacks, OnDataChunk);
    nghttp2_session_callbacks_set_on_stream_close_callback(raw_callbacks, OnStreamClose);
    nghttp2_session_callbacks_set_on_frame_send_callback(raw_callbacks, OnFrameSent);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(raw_callbacks, OnFrameNotSent);
    nghttp2_session_callbacks_set_error_callback2(raw_callbacks, OnError);

    nghttp2_option* raw_option = nullptr;
    SQUALL_CHECK(nghttp2_option_new(&raw_option) == 0, "out of memory");
    const std::unique_ptr<nghttp2_option, OptionDeleter> option(raw_option);
    // Both are done here, as they can be switched in mid-life.
    nghttp2_option_set_no_auto_ping_ack(raw_option, 1);
    nghttp2_option_set_no_auto_window_update(raw_option, 1);
    nghttp2_option_set_max_send_header_block_length(raw_option, kMaxHeaderBlock);
    nghttp2_option_set_no_closed_streams(raw_option, 1);
    nghttp2_option_set_peer_max_concurrent_streams(raw_option, 1000);
    // nghttp2 limits resets by its own reading of the clock, which a simulated run must not depend
    // on.
    nghttp2_option_set_stream_reset_rate_limit(raw_option, std::uint64_t{1} << 32,
                                               std::uint64_t{1} << 32);

    nghttp2_session* raw_session = nullptr;
    const int rv = server()
                       ? nghttp2_session_server_new2(&raw_session, raw_callbacks, this, raw_option)
                       : nghttp2_session_client_new2(&raw_session, raw_callbacks, this, raw_option);
    SQUALL_CHECK(rv == 0, nghttp2_strerror(rv));
    session.reset(raw_session);
    SubmitSettings();
    held = !opt.auto_settings;
  }

  void SubmitSettings() {
    std::vector<nghttp2_settings_entry> entries = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, opt.max_concurrent_streams},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, opt.stream_window},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, opt.max_header_bytes}};
    if (opt.max_frame_size != 16384) {
      entries.push_back({NGHTTP2_SETTINGS_MAX_FRAME_SIZE, opt.max_frame_size});
    }
    if (!server()) entries.push_back({NGHTTP2_SETTINGS_ENABLE_PUSH, 0});
    int rv =
        nghttp2_submit_settings(session.get(), NGHTTP2_FLAG_NONE, entries.data(), entries.size());
    SQUALL_CHECK(rv == 0, nghttp2_strerror(rv));
    rv = nghttp2_session_set_local_window_size(session.get(), NGHTTP2_FLAG_NONE, 0,
                                               static_cast<std::int32_t>(opt.connection_window));
    SQUALL_CHECK(rv == 0, nghttp2_strerror(rv));
  }

  // Frames everything that can be sent now into `out`.
  void Pump() {
    if (busy) return;
    busy = true;
    while (!held) {
      const std::uint8_t* data = nullptr;
      const ssize_t n = nghttp2_session_mem_send(session.get(), &data);
      if (n > 0) {
        out.append(View(data, static_cast<std::size_t>(n)));
        continue;
      }
      if (n < 0 && error.ok()) {
        error = MakeStatus(StatusCode::kInternal, "cannot frame output: {}",
                           nghttp2_strerror(static_cast<int>(n)));
      }
      break;
    }
    busy = false;
    if (!raw_later.empty()) out.append(std::exchange(raw_later, {}));
  }

  Status Feed(std::string_view bytes) {
    if (!error.ok()) return error;
    SQUALL_CHECK(!busy, "Http2Connection::Feed was called from within its handler");
    if (first.size() < kFirstBytes) first.append(bytes.substr(0, kFirstBytes - first.size()));
    if (!server() && first.size() <= kFirstBytes && first.starts_with("HTTP/1.")) {
      // nghttp2 would take the text for a frame of an absurd length, and say only that.
      return error = Status(StatusCode::kInvalidArgument, Foreign(first));
    }
    busy = true;
    const ssize_t n = nghttp2_session_mem_recv(
        session.get(), reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    busy = false;
    if (n < 0) {
      std::string foreign = Foreign(first);
      if (foreign.empty()) {
        foreign = n == NGHTTP2_ERR_BAD_CLIENT_MAGIC
                      ? "the peer does not speak HTTP/2"
                      : fmt::format("HTTP/2: {}", nghttp2_strerror(static_cast<int>(n)));
      }
      error = Status(StatusCode::kInvalidArgument, foreign);
    }
    Pump();  // also finds the GOAWAY by which nghttp2 ends a connection that broke the protocol
    return error;
  }

  void Open(StreamId id) {
    if (streams.Find(id) == nullptr) streams.Add(id, spares.Take());
  }

  void CloseStream(StreamId id, Http2Error code, bool by_peer) {
    std::unique_ptr<Stream> closed = streams.Remove(id);
    if (closed == nullptr) return;
    spares.Keep(std::move(closed));
    handler.OnStreamClosed(id, code, by_peer);
  }

  void HandleHeaders(const nghttp2_frame& frame) {
    const StreamId id = frame.hd.stream_id;
    Stream* stream = Find(id);
    if (stream == nullptr || stream->dropped) return;
    HeaderBlock& block = stream->incoming;
    stream->incoming_bytes = 0;
    if (stream->headers_seen) {
      handler.OnTrailerBlock(id, block);
    } else if (!server() && block.Find(":status").starts_with('1')) {
      return block.clear();  // 1xx: the final response is still to come
    } else {
      stream->headers_seen = true;
      handler.OnHeaderBlock(id, block);
    }
    block.clear();
    if ((frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) HandleEnd(id);
  }

  void HandleEnd(StreamId id) {
    Stream* stream = Find(id);
    if (stream == nullptr || stream->dropped) return;
    stream->peer_ended = true;
    handler.OnEndStream(id);
  }

  // --- nghttp2's callbacks
  // -------------------------------------------------------------------------------------------

  static Impl& Self(void* user) { return *static_cast<Impl*>(user); }

  static int OnBeginHeaders(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    Impl& self = Self(user);
    if (self.server() && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
      self.Open(frame->hd.stream_id);
    }
    return 0;
  }

  static int OnHeader(nghttp2_session* session, const nghttp2_frame* frame, nghttp2_rcbuf* name,
                      nghttp2_rcbuf* value, std::uint8_t /*flags*/, void* user) {
    Impl& self = Self(user);
    Stream* stream = self.Find(frame->hd.stream_id);
    if (stream == nullptr || stream->dropped) return 0;
    HeaderBlock& block = stream->incoming;
    block.Add(name, value);
    const std::size_t last = block.size() - 1;
    // As RFC 9113, 6.5.2 counts.
    stream->incoming_bytes += block.name(last).size() + block.value(last).size() + 32;
    if (stream->incoming_bytes > self.opt.max_header_bytes) {
      stream->dropped = true;
      block.clear();
      return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                       NGHTTP2_ENHANCE_YOUR_CALM);
    }
    return 0;
  }

  static int OnFrameReceived(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    Impl& self = Self(user);
    switch (frame->hd.type) {
      case NGHTTP2_HEADERS:
        self.HandleHeaders(*frame);
        break;
      case NGHTTP2_DATA:
        if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) self.HandleEnd(frame->hd.stream_id);
        break;
      case NGHTTP2_RST_STREAM:
        if (Stream* stream = self.Find(frame->hd.stream_id)) stream->reset_by_peer = true;
        break;
      case NGHTTP2_SETTINGS:
        self.handler.OnSettings((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0);
        break;
      case NGHTTP2_PING:
        if (self.ack_pings && (frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) {
          nghttp2_submit_ping(self.session.get(), NGHTTP2_FLAG_ACK, frame->ping.opaque_data);
        }
        self.handler.OnPing(View(frame->ping.opaque_data, 8),
                            (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0);
        break;
      case NGHTTP2_GOAWAY:
        self.going_away = true;
        self.handler.OnGoaway(frame->goaway.last_stream_id,
                              static_cast<Http2Error>(frame->goaway.error_code),
                              View(frame->goaway.opaque_data, frame->goaway.opaque_data_len));
        break;
      default:
        break;
    }
    return 0;
  }

  static int OnDataChunk(nghttp2_session* session, std::uint8_t /*flags*/, std::int32_t id,
                         const std::uint8_t* data, std::size_t size, void* user) {
    Impl& self = Self(user);
    Stream* stream = self.Find(id);
    if (stream != nullptr && !stream->dropped) self.handler.OnData(id, View(data, size));
    if (self.give_window) {
      nghttp2_session_consume(session, id, size);
    } else if (self.opt.auto_window_update) {
      self.withheld[id] += size;
    }
    return 0;
  }

  static int OnStreamClose(nghttp2_session*, std::int32_t id, std::uint32_t code, void* user) {
    Impl& self = Self(user);
    Stream* stream = self.Find(id);
    if (stream == nullptr) return 0;
    // REFUSED_STREAM without a reset: a GOAWAY of the peer left the stream unprocessed.
    const bool by_peer =
        stream->reset_by_peer || (!self.server() && code == NGHTTP2_REFUSED_STREAM);
    self.CloseStream(id, static_cast<Http2Error>(code), by_peer);
    return 0;
  }

  static int OnFrameSent(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
    Impl& self = Self(user);
    if (frame->hd.type == NGHTTP2_GOAWAY) {
      if (self.own_goaways > 0) {
        --self.own_goaways;
      } else if (self.error.ok()) {
        const std::string foreign = Foreign(self.first);
        const auto code = static_cast<Http2Error>(frame->goaway.error_code);
        const std::string_view debug =
            View(frame->goaway.opaque_data, frame->goaway.opaque_data_len);
        const std::string_view why = debug.empty() ? std::string_view(self.reason) : debug;
        self.error = Status(StatusCode::kInvalidArgument,
                            !foreign.empty()
                                ? foreign
                                : fmt::format("the peer broke HTTP/2: {}{}{}", Http2ErrorName(code),
                                              why.empty() ? "" : ": ", why));
      }
      return 0;
    }
    const bool ends = (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
                      (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (ends && self.server()) {
      // A complete answer to an incomplete request: ask the client to stop sending (RFC 9113, 8.1).
      Stream* stream = self.Find(frame->hd.stream_id);
      if (stream != nullptr && !stream->peer_ended) {
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                  NGHTTP2_NO_ERROR);
      }
    }
    return 0;
  }

  static int OnFrameNotSent(nghttp2_session*, const nghttp2_frame* frame, int rv, void* user) {
    Impl& self = Self(user);
    // A request that never left: nghttp2 has no stream for it and so will report no end.
    if (self.server() || frame->hd.type != NGHTTP2_HEADERS ||
        frame->headers.cat != NGHTTP2_HCAT_REQUEST) {
      return 0;
    }
    const bool going_away = rv == NGHTTP2_ERR_START_STREAM_NOT_ALLOWED;
    self.CloseStream(frame->hd.stream_id,
                     going_away ? Http2Error::kRefusedStream : Http2Error::kCancel, going_away);
    return 0;
  }

  static int OnError(nghttp2_session*, int /*code*/, const char* text, std::size_t size,
                     void* user) {
    Self(user).reason.assign(text, size);
    return 0;
  }

  static ssize_t ReadBody(nghttp2_session* session, std::int32_t id, std::uint8_t* buffer,
                          std::size_t size, std::uint32_t* flags, nghttp2_data_source*,
                          void* user) {
    Impl& self = Self(user);
    Stream* stream = self.Find(id);
    if (stream == nullptr) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    const std::size_t left = stream->body.size() - stream->body_sent;
    if (left == 0 && !stream->body_ended && !stream->has_trailers) {
      stream->deferred = true;
      return NGHTTP2_ERR_DEFERRED;
    }
    const std::size_t n = std::min(left, size);
    std::memcpy(buffer, stream->body.data() + stream->body_sent, n);
    stream->body_sent += n;
    if (n == left) {
      stream->body.clear();
      stream->body_sent = 0;
      if (stream->has_trailers) {
        *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
        self.nv.Clear();
        self.nv.Add(stream->trailers);
        self.nv.Add(stream->trailer_block);
        const int rv = nghttp2_submit_trailer(session, id, self.nv.data(), self.nv.size());
        if (rv != 0) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
      } else if (stream->body_ended) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
      }
    }
    return static_cast<ssize_t>(n);
  }

  nghttp2_data_provider Provider() {
    nghttp2_data_provider provider = {};
    provider.read_callback = ReadBody;
    return provider;
  }

  // A stream that had nothing to send has something now.
  void Resume(StreamId id, Stream& stream) {
    if (!std::exchange(stream.deferred, false)) return;
    nghttp2_session_resume_data(session.get(), id);
  }

  StatusOr<StreamId> Request(const auto& headers, bool end) {
    SQUALL_CHECK(!server(), "a server cannot send requests");
    if (going_away) {
      return Status(StatusCode::kFailedPrecondition,
                    "cannot open a stream: the peer is going away");
    }
    nv.Clear();
    nv.Add(headers);
    const nghttp2_data_provider provider = Provider();
    const std::int32_t id = nghttp2_submit_request(session.get(), nullptr, nv.data(), nv.size(),
                                                   end ? nullptr : &provider, nullptr);
    if (id < 0) {
      return MakeStatus(StatusCode::kFailedPrecondition, "cannot open a stream: {}",
                        nghttp2_strerror(id));
    }
    Open(id);
    return id;
  }

  void Respond(StreamId stream, const auto& headers, bool end) {
    if (Find(stream) == nullptr) return;
    nv.Clear();
    nv.Add(headers);
    const nghttp2_data_provider provider = Provider();
    nghttp2_submit_response(session.get(), stream, nv.data(), nv.size(), end ? nullptr : &provider);
  }

  // The stream if something may still be sent on it.
  Stream* Writable(StreamId stream) {
    Stream* found = Find(stream);
    return found == nullptr || found->body_ended || found->has_trailers ? nullptr : found;
  }
};

Http2Connection::Http2Connection(const Http2Options& options, Http2Handler& handler)
    : impl_(std::make_unique<Impl>(options, handler)) {
  impl_->Start();
}

Http2Connection::~Http2Connection() = default;

Status Http2Connection::Feed(std::string_view bytes) { return impl_->Feed(bytes); }

std::string Http2Connection::TakeOutput() {
  impl_->Pump();
  return std::exchange(impl_->out, {});
}

void Http2Connection::TakeOutput(std::string& out) {
  impl_->Pump();
  if (out.empty()) {
    out.swap(impl_->out);
  } else {
    out.append(impl_->out);
  }
  impl_->out.clear();
}

StatusOr<StreamId> Http2Connection::SubmitRequest(const Headers& headers, bool end) {
  return impl_->Request(headers, end);
}

StatusOr<StreamId> Http2Connection::SubmitRequest(const HeaderBlock& block, bool end) {
  return impl_->Request(block, end);
}

void Http2Connection::SubmitHeaders(StreamId stream, const Headers& headers, bool end) {
  impl_->Respond(stream, headers, end);
}

void Http2Connection::SubmitHeaders(StreamId stream, const HeaderBlock& block, bool end) {
  impl_->Respond(stream, block, end);
}

void Http2Connection::SubmitData(StreamId stream, std::string data, bool end) {
  Impl::Stream* found = impl_->Writable(stream);
  if (found == nullptr) return;
  if (found->body.empty()) {
    found->body = std::move(data);
  } else {
    found->body += data;
  }
  found->body_ended = end;
  impl_->Resume(stream, *found);
}

void Http2Connection::AppendData(StreamId stream, std::string_view data) {
  Impl::Stream* found = impl_->Writable(stream);
  if (found == nullptr) return;
  found->body += data;
  impl_->Resume(stream, *found);
}

void Http2Connection::SubmitTrailers(StreamId stream, const Headers& trailers) {
  Impl::Stream* found = impl_->Writable(stream);
  if (found == nullptr) return;
  found->has_trailers = true;
  found->trailers = trailers;
  impl_->Resume(stream, *found);
}

void Http2Connection::SubmitTrailers(StreamId stream, HeaderBlock& trailers) {
  Impl::Stream* found = impl_->Writable(stream);
  if (found == nullptr) return;
  found->has_trailers = true;
  found->trailer_block.swap(trailers);
  trailers.clear();
  impl_->Resume(stream, *found);
}

void Http2Connection::Reset(StreamId stream, Http2Error error) {
  Impl::Stream* found = impl_->Find(stream);
  if (found == nullptr) return;
  found->body.clear();
  found->body_sent = 0;
  nghttp2_submit_rst_stream(impl_->session.get(), NGHTTP2_FLAG_NONE, stream,
                            static_cast<std::uint32_t>(error));
}

void Http2Connection::Goaway(Http2Error error, StreamId last_stream, std::string_view debug) {
  if (last_stream == kEverything && impl_->server() && error == Http2Error::kNoError) {
    // nghttp2's own notice; any other GOAWAY makes it ignore streams that come later.
    if (nghttp2_submit_shutdown_notice(impl_->session.get()) == 0) ++impl_->own_goaways;
    return;
  }
  if (last_stream == kSeen) {
    last_stream = nghttp2_session_get_last_proc_stream_id(impl_->session.get());
  } else if (last_stream == kEverything && !impl_->server()) {
    last_stream = kEverything - 1;  // the largest number that a server could use
  }
  const int rv = nghttp2_submit_goaway(
      impl_->session.get(), NGHTTP2_FLAG_NONE, last_stream, static_cast<std::uint32_t>(error),
      reinterpret_cast<const std::uint8_t*>(debug.data()), debug.size());
  if (rv == 0) {
    ++impl_->own_goaways;
  } else {
    SendRaw(RawGoaway(last_stream, error, debug));  // a stream that no server may name
  }
}

void Http2Connection::Ping(std::string_view opaque) {
  std::array<std::uint8_t, 8> bytes = {};
  std::memcpy(bytes.data(), opaque.data(), std::min(opaque.size(), bytes.size()));
  nghttp2_submit_ping(impl_->session.get(), NGHTTP2_FLAG_NONE, bytes.data());
}

void Http2Connection::AckPing(std::string_view opaque) {
  SQUALL_CHECK(!impl_->ack_pings, "PINGs are acknowledged automatically");
  std::array<std::uint8_t, 8> bytes = {};
  std::memcpy(bytes.data(), opaque.data(), std::min(opaque.size(), bytes.size()));
  nghttp2_submit_ping(impl_->session.get(), NGHTTP2_FLAG_ACK, bytes.data());
}

void Http2Connection::Consume(StreamId stream, std::size_t bytes) {
  SQUALL_CHECK(!impl_->opt.auto_window_update, "windows are given back automatically");
  nghttp2_session_consume(impl_->session.get(), stream, bytes);
}

void Http2Connection::SetAutoPingAck(bool on) { impl_->ack_pings = on; }

void Http2Connection::SetAutoWindowUpdate(bool on) {
  impl_->give_window = on;
  if (!on) return;
  for (const auto& [stream, bytes] : std::exchange(impl_->withheld, {})) {
    nghttp2_session_consume(impl_->session.get(), stream, bytes);
  }
}

void Http2Connection::SubmitSettings(
    const std::vector<std::pair<std::uint16_t, std::uint32_t>>& values) {
  std::vector<nghttp2_settings_entry> entries;
  for (const auto& [id, value] : values) entries.push_back({id, value});
  const int rv = nghttp2_submit_settings(impl_->session.get(), NGHTTP2_FLAG_NONE, entries.data(),
                                         entries.size());
  if (rv != 0) SendRaw(RawSettings(values));
}

void Http2Connection::SendSettings() {
  SQUALL_CHECK(!impl_->opt.auto_settings, "SETTINGS are sent automatically");
  impl_->held = false;
}

void Http2Connection::SendRaw(std::string_view bytes) {
  impl_->raw_later.append(bytes);
  impl_->Pump();
}

std::size_t Http2Connection::open_streams() const { return impl_->streams.size(); }

std::size_t Http2Connection::queued_bytes(StreamId stream) const {
  const Impl::Stream* found = impl_->Find(stream);
  return found == nullptr ? 0 : found->body.size() - found->body_sent;
}

bool Http2Connection::finished() const {
  return nghttp2_session_want_read(impl_->session.get()) == 0 &&
         nghttp2_session_want_write(impl_->session.get()) == 0 && impl_->out.empty();
}

const Status& Http2Connection::error() const { return impl_->error; }

}  // namespace squall::wire
