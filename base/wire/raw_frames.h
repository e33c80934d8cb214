#pragma once
// HTTP/2 frames by hand, for what nghttp2 refuses to send. Internal to base/wire and for tests.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/wire/http2.h"

namespace squall::wire {

// RFC 9113, 4.1: length, type, flags, stream; `payload` at most 16 MiB - 1.
std::string RawFrame(std::uint8_t type, std::uint8_t flags, StreamId stream,
                     std::string_view payload);
// One HEADERS frame of literals that leave the peer's HPACK table alone; together below 16 KiB.
std::string RawHeaders(StreamId stream, const Headers& headers, bool end);
std::string RawData(StreamId stream, std::string_view data, bool end);
std::string RawSettings(const std::vector<std::pair<std::uint16_t, std::uint32_t>>& values);
std::string RawGoaway(StreamId last_stream, Http2Error error, std::string_view debug);

}  // namespace squall::wire
