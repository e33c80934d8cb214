#pragma once
// Prometheus' text format (version 0.0.4).

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

namespace squall::harness {

inline constexpr const char* kPrometheusType = "text/plain; version=0.0.4";

class PrometheusText {
 public:
  // A metric: samples follow until the next one. `type` is "counter" or "gauge".
  void Metric(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    text_ += fmt::format("# HELP {0} {2}\n# TYPE {0} {1}\n", name, type, help);
  }
  // `labels`: `a="b",c="d"`, values as Label writes them; "" for none.
  template <typename Number>
  void Sample(std::string_view labels, Number value) {
    text_ += labels.empty() ? fmt::format("{} {}\n", name_, value)
                            : fmt::format("{}{{{}}} {}\n", name_, labels, value);
  }
  // name="value", escaped.
  static std::string Label(std::string_view name, std::string_view value);

  std::string Take() { return std::move(text_); }

 private:
  std::string name_, text_;
};

}  // namespace squall::harness
