#pragma once
// The table behind `squall explain`.

#include <array>
#include <span>
#include <string_view>

namespace squall::doctor {

struct Signature {
  std::string_view sdk;
  // All must occur, in lower case; "" where there are fewer.
  std::array<std::string_view, 3> parts;
  // The likeliest first; "" where there are fewer.
  std::array<std::string_view, 4> causes;
  std::string_view note = {};
};
std::span<const Signature> Signatures();

}  // namespace squall::doctor
