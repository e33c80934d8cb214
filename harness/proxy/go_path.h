#pragma once
// Paths of requests as the original's router (gorilla/mux) takes them.

#include <optional>
#include <string>
#include <string_view>

namespace squall::harness {

// Without what is percent-encoded; nothing where that is broken.
std::optional<std::string> DecodePath(std::string_view encoded);
// Without empty segments, "." and ".."; a slash at its end stays. Other paths are redirected there.
std::string CleanPath(std::string_view path);
// As Go writes it into a URL.
std::string EncodePath(std::string_view path);

}  // namespace squall::harness
