#include "fakes/engine/time_zones.h"

#include <absl/time/internal/cctz/include/cctz/zone_info_source.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>

#include "fakes/engine/errors.h"

namespace squall::fakes::engine {
namespace {

namespace cctz = absl::time_internal::cctz;
using Factory = absl::time_internal::cctz_extension::ZoneInfoSourceFactory;

// Abseil loads zones by name only, but lets a program say where the bytes of a name come from: ours
// come from the name itself. No zone of LoadZone has a colon in it.
constexpr std::string_view kData = "squall:";

class DataSource final : public cctz::ZoneInfoSource {
 public:
  explicit DataSource(std::string data) : data_(std::move(data)) {}
  std::size_t Read(void* to, std::size_t size) override {
    size = std::min(size, data_.size() - at_);
    std::memcpy(to, data_.data() + at_, size);
    at_ += size;
    return size;
  }
  int Skip(std::size_t offset) override {
    if (offset > data_.size() - at_) return -1;
    at_ += offset;
    return 0;
  }

 private:
  const std::string data_;
  std::size_t at_ = 0;
};

Factory& BeforeUs() {
  static Factory factory = nullptr;
  return factory;
}

std::unique_ptr<cctz::ZoneInfoSource> Source(
    const std::string& name,
    const std::function<std::unique_ptr<cctz::ZoneInfoSource>(const std::string&)>& otherwise) {
  if (name.starts_with(kData)) return std::make_unique<DataSource>(name.substr(kData.size()));
  return BeforeUs()(name, otherwise);
}

// Once, whichever thread needs it first.
void Install() {
  static const bool installed = [] {
    BeforeUs() =
        std::exchange(absl::time_internal::cctz_extension::zone_info_source_factory, &Source);
    return true;
  }();
  static_cast<void>(installed);
}

}  // namespace

StatusOr<absl::TimeZone> LoadZone(const std::string& name) {
  if (name.empty() || name == "UTC" || name == "Local") return absl::UTCTimeZone();
  if (name.find("..") != std::string::npos || name.front() == '/' || name.front() == '\\')
    return InvalidArgument("time: invalid location name");
  absl::TimeZone zone;
  // Abseil knows names of its own (file:, libc:, Fixed/UTC+01:00:00, UTC0) that are no zones here.
  const bool own =
      name.find(':') != std::string::npos || name.starts_with("Fixed/") || name == "UTC0";
  if (own || !absl::LoadTimeZone(name, &zone))
    return InvalidArgument(fmt::format("unknown time zone {}", name));
  return zone;
}

StatusOr<absl::TimeZone> ZoneFromData(const std::string& data) {
  Install();
  absl::TimeZone zone;
  if (!data.starts_with("TZif") || !absl::LoadTimeZone(std::string(kData) + data, &zone))
    return InvalidArgument("malformed time zone information");
  return zone;
}

}  // namespace squall::fakes::engine
