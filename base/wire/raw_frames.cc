#include "base/wire/raw_frames.h"

namespace squall::wire {
namespace {

constexpr std::uint8_t kDataFrame = 0, kHeadersFrame = 1, kSettingsFrame = 4, kGoawayFrame = 7;
constexpr std::uint8_t kEndStream = 0x1, kEndHeaders = 0x4;

void Put(std::string& out, std::uint64_t value, int bytes) {
  while (bytes-- > 0) out.push_back(static_cast<char>(value >> (8 * bytes) & 0xff));
}

// RFC 7541, 5.1 with a prefix of seven bits, and the bytes.
void PutText(std::string& out, std::string_view text) {
  std::size_t n = text.size();
  if (n < 127) {
    out.push_back(static_cast<char>(n));
  } else {
    out.push_back(127);
    for (n -= 127; n >= 128; n >>= 7) out.push_back(static_cast<char>(0x80 | (n & 0x7f)));
    out.push_back(static_cast<char>(n));
  }
  out.append(text);
}

}  // namespace

std::string RawFrame(std::uint8_t type, std::uint8_t flags, StreamId stream,
                     std::string_view payload) {
  std::string frame;
  Put(frame, payload.size(), 3);
  Put(frame, type, 1);
  Put(frame, flags, 1);
  Put(frame, static_cast<std::uint32_t>(stream), 4);
  frame.append(payload);
  return frame;
}

std::string RawHeaders(StreamId stream, const Headers& headers, bool end) {
  std::string block;
  for (const Header& header : headers) {
    block.push_back(0);  // literal without indexing, new name
    PutText(block, header.name);
    PutText(block, header.value);
  }
  return RawFrame(kHeadersFrame, kEndHeaders | (end ? kEndStream : 0), stream, block);
}

std::string RawData(StreamId stream, std::string_view data, bool end) {
  return RawFrame(kDataFrame, end ? kEndStream : 0, stream, data);
}

std::string RawSettings(const std::vector<std::pair<std::uint16_t, std::uint32_t>>& values) {
  std::string payload;
  for (const auto& [id, value] : values) {
    Put(payload, id, 2);
    Put(payload, value, 4);
  }
  return RawFrame(kSettingsFrame, 0, 0, payload);
}

std::string RawGoaway(StreamId last_stream, Http2Error error, std::string_view debug) {
  std::string payload;
  Put(payload, static_cast<std::uint32_t>(last_stream), 4);
  Put(payload, static_cast<std::uint32_t>(error), 4);
  payload.append(debug);
  return RawFrame(kGoawayFrame, 0, 0, payload);
}

}  // namespace squall::wire
