#pragma once
// Cuts a byte stream into random pieces, as TCP may.

#include <algorithm>
#include <string_view>

#include "base/util/rng.h"

namespace squall::wire {

// Hands `bytes` to `feed` in pieces of 1 to `largest` bytes; stops early when `feed` returns false.
template <typename Feed>
void InPieces(std::string_view bytes, Rng& rng, std::size_t largest, Feed feed) {
  while (!bytes.empty()) {
    const std::size_t n = std::min<std::size_t>(bytes.size(), 1 + rng.Below(largest));
    if (!feed(bytes.substr(0, n))) return;
    bytes.remove_prefix(n);
  }
}

}  // namespace squall::wire
