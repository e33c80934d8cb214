// The parts of gRPC that need no connection: message framing, compression, and the encodings of
// header values.

#include <zlib.h>

#include <algorithm>
#include <array>

#include "base/wire/grpc.h"

namespace squall::wire {
namespace {

constexpr std::size_t kPrefixBytes = 5;
constexpr int kGzipWindow =
    15 + 16;  // zlib: the largest window, with gzip's own header and trailer

struct TimeoutUnit {
  char letter;
  Duration length;
};
// Finest first: what formatting tries in this order.
constexpr std::array<TimeoutUnit, 6> kTimeoutUnits = {{{'n', std::chrono::nanoseconds(1)},
                                                       {'u', std::chrono::microseconds(1)},
                                                       {'m', std::chrono::milliseconds(1)},
                                                       {'S', std::chrono::seconds(1)},
                                                       {'M', std::chrono::minutes(1)},
                                                       {'H', std::chrono::hours(1)}}};
constexpr std::int64_t kLargestTimeoutValue = 99999999;  // eight digits

constexpr std::string_view kHex = "0123456789ABCDEF";
constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

constexpr std::array<int, 256> MakeBase64Values() {
  std::array<int, 256> values = {};
  values.fill(-1);
  for (std::size_t i = 0; i < kBase64.size(); ++i) {
    values[static_cast<unsigned char>(kBase64[i])] = static_cast<int>(i);
  }
  return values;
}
constexpr std::array<int, 256> kBase64Values = MakeBase64Values();

// zlib wants non-const input in its oldest interface only; it never writes there.
Bytef* ZlibInput(std::string_view bytes) {
  return reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
}

// zlib's state, kept by each thread that needs it: making it anew costs more than a usual message.
class Inflater {
 public:
  Inflater() { SQUALL_CHECK(inflateInit2(&stream_, kGzipWindow) == Z_OK, "zlib: out of memory"); }
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  z_stream& Begin() {
    inflateReset(&stream_);
    stream_.msg = nullptr;
    return stream_;
  }

 private:
  z_stream stream_ = {};
};

class Deflater {
 public:
  Deflater() {
    SQUALL_CHECK(deflateInit2(&stream_, Z_BEST_SPEED, Z_DEFLATED, kGzipWindow, 8,
                              Z_DEFAULT_STRATEGY) == Z_OK,
                 "zlib: out of memory");
  }
  ~Deflater() { deflateEnd(&stream_); }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;
  z_stream& Begin() {
    deflateReset(&stream_);
    return stream_;
  }

 private:
  z_stream stream_ = {};
};

}  // namespace

Status GrpcStatus::ToStatus() const {
  if (code == 0) return absl::OkStatus();
  const bool known = code > 0 && code <= 16;
  return Status(known ? static_cast<StatusCode>(code) : StatusCode::kUnknown, message);
}

GrpcStatus GrpcStatus::From(const Status& status) {
  return {static_cast<int>(status.code()), std::string(squall::Message(status)), {}};
}

Status GrpcFrameParser::Feed(std::string_view bytes, std::vector<Frame>& frames) {
  if (!error_.ok()) return error_;
  while (!bytes.empty()) {
    if (!in_message_) {
      const std::size_t n = std::min(kPrefixBytes - prefix_size_, bytes.size());
      std::copy_n(bytes.data(), n, prefix_ + prefix_size_);
      prefix_size_ += n;
      bytes.remove_prefix(n);
      if (prefix_size_ < kPrefixBytes) break;
      const auto byte = [this](int i) { return static_cast<unsigned char>(prefix_[i]); };
      if (byte(0) > 1) {
        return error_ = MakeStatus(StatusCode::kInternal, "bad flag {} before a message", byte(0));
      }
      wanted_ = static_cast<std::size_t>(byte(1)) << 24 | static_cast<std::size_t>(byte(2)) << 16 |
                static_cast<std::size_t>(byte(3)) << 8 | static_cast<std::size_t>(byte(4));
      if (wanted_ > max_message_bytes_) {
        // The words of grpc-go, which Temporal's server is built on.
        return error_ = MakeStatus(StatusCode::kResourceExhausted,
                                   "grpc: received message larger than max ({} vs. {})", wanted_,
                                   max_message_bytes_);
      }
      current_.compressed = byte(0) == 1;
      // Not the whole length at once: a peer that only announces much must not cost memory.
      current_.payload.reserve(std::min(wanted_, std::max(bytes.size(), std::size_t{16384})));
      in_message_ = true;
      prefix_size_ = 0;
    }
    const std::size_t n = std::min(wanted_ - current_.payload.size(), bytes.size());
    current_.payload.append(bytes.substr(0, n));
    bytes.remove_prefix(n);
    if (current_.payload.size() < wanted_) break;
    frames.push_back(std::exchange(current_, {}));
    in_message_ = false;
  }
  // An empty message is complete with its prefix.
  if (in_message_ && wanted_ == 0) {
    frames.push_back(std::exchange(current_, {}));
    in_message_ = false;
  }
  return absl::OkStatus();
}

std::string GrpcFrame(std::string_view message, bool compressed) {
  const auto size = static_cast<std::uint32_t>(message.size());
  std::string frame;
  frame.reserve(kPrefixBytes + message.size());
  frame.push_back(compressed ? '\x01' : '\x00');
  for (int shift = 24; shift >= 0; shift -= 8) {
    frame.push_back(static_cast<char>(size >> shift & 0xff));
  }
  frame.append(message);
  return frame;
}

StatusOr<std::string> Gunzip(std::string_view bytes, std::size_t max_bytes) {
  thread_local Inflater inflater;
  z_stream& stream = inflater.Begin();
  std::string result;
  stream.next_in = ZlibInput(bytes);
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::array<char, 16384> chunk;
  bool ended = false;
  while (!ended) {
    stream.next_out = reinterpret_cast<Bytef*>(chunk.data());
    stream.avail_out = static_cast<uInt>(chunk.size());
    const int rv = inflate(&stream, Z_NO_FLUSH);
    if (rv != Z_OK && rv != Z_STREAM_END) {
      return MakeStatus(StatusCode::kInternal, "gzip: {}",
                        stream.msg != nullptr ? stream.msg : "the data ends early");
    }
    result.append(chunk.data(), chunk.size() - stream.avail_out);
    if (result.size() > max_bytes) {
      return MakeStatus(StatusCode::kResourceExhausted,
                        "grpc: received message after decompression larger than max {}", max_bytes);
    }
    if (rv == Z_STREAM_END) {
      ended = stream.avail_in == 0;
      if (!ended && inflateReset(&stream) != Z_OK) {
        return Status(StatusCode::kInternal, "gzip: cannot start the next member");
      }
    }
  }
  return result;
}

std::string Gzip(std::string_view bytes) {
  thread_local Deflater deflater;
  z_stream& stream = deflater.Begin();
  std::string result(deflateBound(&stream, static_cast<uLong>(bytes.size())), '\0');
  stream.next_in = ZlibInput(bytes);
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(result.data());
  stream.avail_out = static_cast<uInt>(result.size());
  const int rv = deflate(&stream, Z_FINISH);
  SQUALL_CHECK(rv == Z_STREAM_END, "deflateBound promises room for everything");
  result.resize(result.size() - stream.avail_out);
  return result;
}

std::optional<Duration> ParseGrpcTimeout(std::string_view text) {
  if (text.size() < 2 || text.size() > 9) return std::nullopt;
  std::int64_t value = 0;
  for (const char c : text.substr(0, text.size() - 1)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  for (const TimeoutUnit& unit : kTimeoutUnits) {
    if (unit.letter != text.back()) continue;
    if (value > Duration::max() / unit.length) return Duration::max();
    return value * unit.length;
  }
  return std::nullopt;
}

std::string FormatGrpcTimeout(Duration timeout) {
  if (timeout <= Duration::zero()) return "0n";
  for (const TimeoutUnit& unit : kTimeoutUnits) {
    const std::int64_t value = timeout / unit.length + (timeout % unit.length != Duration::zero());
    if (value <= kLargestTimeoutValue) return fmt::format("{}{}", value, unit.letter);
  }
  return fmt::format("{}H", kLargestTimeoutValue);
}

std::string PercentEncode(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (const char c : text) {
    if (c >= ' ' && c <= '~' && c != '%') {
      result.push_back(c);
    } else {
      const auto byte = static_cast<unsigned char>(c);
      result.push_back('%');
      result.push_back(kHex[byte >> 4]);
      result.push_back(kHex[byte & 0xf]);
    }
  }
  return result;
}

std::string PercentDecode(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      const int high = HexValue(text[i + 1]);
      const int low = HexValue(text[i + 2]);
      if (high >= 0 && low >= 0) {
        result.push_back(static_cast<char>(high << 4 | low));
        i += 2;
        continue;
      }
    }
    result.push_back(text[i]);
  }
  return result;
}

std::string Base64Encode(std::string_view bytes) {
  std::string result;
  result.reserve((bytes.size() * 4 + 2) / 3);
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : bytes) {
    bits = bits << 8 | static_cast<unsigned char>(c);
    count += 8;
    while (count >= 6) {
      count -= 6;
      result.push_back(kBase64[bits >> count & 0x3f]);
    }
  }
  if (count > 0) result.push_back(kBase64[bits << (6 - count) & 0x3f]);
  return result;
}

std::optional<std::string> Base64Decode(std::string_view text) {
  for (int i = 0; i < 2 && text.ends_with('='); ++i) text.remove_suffix(1);
  if (text.size() % 4 == 1) return std::nullopt;
  std::string result;
  result.reserve(text.size() * 3 / 4);
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const int value = kBase64Values[static_cast<unsigned char>(c)];
    if (value < 0) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      result.push_back(static_cast<char>(bits >> count & 0xff));
    }
  }
  return result;
}

int GrpcCodeFromHttpStatus(int http_status) {
  switch (http_status) {
    case 400:
      return static_cast<int>(StatusCode::kInternal);
    case 401:
      return static_cast<int>(StatusCode::kUnauthenticated);
    case 403:
      return static_cast<int>(StatusCode::kPermissionDenied);
    case 404:
      return static_cast<int>(StatusCode::kUnimplemented);
    case 429:
    case 502:
    case 503:
    case 504:
      return static_cast<int>(StatusCode::kUnavailable);
    default:
      return static_cast<int>(StatusCode::kUnknown);
  }
}

int GrpcCodeFromHttp2Error(Http2Error error) {
  switch (error) {
    case Http2Error::kRefusedStream:
      return static_cast<int>(StatusCode::kUnavailable);
    case Http2Error::kCancel:
      return static_cast<int>(StatusCode::kCancelled);
    case Http2Error::kEnhanceYourCalm:
      return static_cast<int>(StatusCode::kResourceExhausted);
    case Http2Error::kInadequateSecurity:
      return static_cast<int>(StatusCode::kPermissionDenied);
    case Http2Error::kNoError:
    case Http2Error::kProtocolError:
    case Http2Error::kInternalError:
    case Http2Error::kFlowControlError:
    case Http2Error::kSettingsTimeout:
    case Http2Error::kFrameSizeError:
    case Http2Error::kCompressionError:
    case Http2Error::kConnectError:
    case Http2Error::kHttp11Required:
    case Http2Error::kStreamClosed:
      return static_cast<int>(StatusCode::kInternal);
  }
  return static_cast<int>(StatusCode::kUnknown);
}

}  // namespace squall::wire
