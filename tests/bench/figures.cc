#include "tests/bench/figures.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>
#include <string>

namespace squall::bench {
namespace {

std::string Proc(std::int64_t pid, std::string_view file) {
  return pid == 0 ? fmt::format("/proc/self/{}", file) : fmt::format("/proc/{}/{}", pid, file);
}

// The sum of the lines that begin so.
double SmapsMib(std::int64_t pid, std::string_view prefix) {
  std::ifstream in(Proc(pid, "smaps_rollup"));
  double kib = 0;
  for (std::string line; std::getline(in, line);) {
    if (line.rfind(prefix, 0) != 0) continue;
    std::istringstream fields(line.substr(line.find(':') + 1));
    double value = 0;
    fields >> value;
    kib += value;
  }
  return kib / 1024;
}

}  // namespace

double PrivateMib(std::int64_t pid) { return SmapsMib(pid, "Private_"); }
double ResidentMib(std::int64_t pid) { return SmapsMib(pid, "Rss:"); }

double CpuMillis(std::int64_t pid) {
  std::ifstream in(Proc(pid, "stat"));
  std::string text;
  std::getline(in, text);
  const std::size_t name_end = text.rfind(')');  // names may hold spaces
  if (name_end == std::string::npos) return 0;
  std::istringstream fields(text.substr(name_end + 2));
  std::string skip;
  for (int i = 0; i < 11; ++i) fields >> skip;
  double user = 0;
  double system = 0;
  fields >> user >> system;
  return (user + system) * 1000 / static_cast<double>(sysconf(_SC_CLK_TCK));
}

double Percentile(std::vector<double> values, double percent) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const double rank = std::ceil(percent / 100 * static_cast<double>(values.size()));
  return values[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
}

}  // namespace squall::bench
