#pragma once
// Random damage to inputs, for builds without libFuzzer.

#include <string>

#include "base/util/rng.h"

namespace squall::fuzz {

// One to eight changes: a byte replaced, a bit flipped, a stretch cut out, repeated or filled.
std::string Damage(std::string bytes, Rng& rng);

}  // namespace squall::fuzz
