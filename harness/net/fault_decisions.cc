#include "harness/net/fault_decisions.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace squall::harness {
namespace {

// Far beyond any run, and far from where a Duration overflows.
constexpr double kLongestDelay = 1e17;

}  // namespace

Rng StreamDecisions::At(std::uint64_t position) const {
  // An odd factor: no two positions share a generator.
  return Rng(key_ ^ (position * 0x9e3779b97f4a7c15ULL));
}

Duration StreamDecisions::Delay(const NetFault& spec, std::uint64_t position) const {
  Rng rng = At(position);
  const auto jitter = static_cast<double>(spec.jitter.count());
  double deviation = 0;
  if (jitter > 0) {
    switch (spec.spread) {
      case Spread::kUniform:
        deviation = (2 * rng.Uniform() - 1) * jitter;
        break;
      case Spread::kNormal: {
        // Box and Muller; 1 - u is never 0.
        const double radius = std::sqrt(-2 * std::log(1 - rng.Uniform()));
        deviation = radius * std::cos(2 * std::numbers::pi * rng.Uniform()) * jitter;
        break;
      }
      case Spread::kExponential:
        deviation = -std::log(1 - rng.Uniform()) * jitter;
        break;
      case Spread::kPareto:
        deviation = (std::pow(1 - rng.Uniform(), -1 / spec.shape) - 1) * jitter;
        break;
    }
  }
  const double nanoseconds = static_cast<double>(spec.latency.count()) + deviation;
  const Duration delay(static_cast<Duration::rep>(std::clamp(nanoseconds, 0.0, kLongestDelay)));
  return spec.longest > Duration::zero() ? std::min(delay, spec.longest) : delay;
}

std::uint64_t StreamDecisions::SliceBytes(const NetFault& spec, std::uint64_t position) const {
  if (spec.slice_variation == 0) return spec.slice_bytes;
  return spec.slice_bytes - spec.slice_variation + At(position).Below(2 * spec.slice_variation + 1);
}

std::uint8_t StreamDecisions::Change(const NetFault& spec, std::uint64_t position) const {
  Rng rng = At(position);
  if (spec.corrupt_share < 1 && !rng.Chance(spec.corrupt_share)) return 0;
  return static_cast<std::uint8_t>(1 + rng.Below(255));
}

FaultDecisions::FaultDecisions(std::uint64_t seed, std::string_view link, std::string_view fault_id)
    : rng_(Rng(Rng(seed).Split(link).Next()).Split(fault_id)) {}

bool FaultDecisions::Chosen(double probability, std::uint64_t connection) const {
  return rng_.Split(fmt::format("connection {}", connection)).Chance(probability);
}

StreamDecisions FaultDecisions::Stream(std::uint64_t connection, bool up) const {
  return StreamDecisions(
      rng_.Split(fmt::format("connection {} {}", connection, up ? "up" : "down")).Next());
}

}  // namespace squall::harness
