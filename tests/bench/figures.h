#pragma once
// What the kernel tells of a process's memory and time, and what is told of a set of measurements.

#include <cstdint>
#include <string_view>
#include <vector>

namespace squall::bench {

// Of /proc/PID/smaps_rollup, in MiB; pid 0 is this process. 0 when there is no such process.
// Private: pages that no other process has; what this process alone costs.
double PrivateMib(std::int64_t pid);
// With the pages that it shares, those of libraries and of its own program included.
double ResidentMib(std::int64_t pid);

// User and system time so far, of all threads; the kernel counts in steps of 10 ms.
double CpuMillis(std::int64_t pid);

// The value that `percent` of the values do not exceed (nearest rank); 0 of nothing.
double Percentile(std::vector<double> values, double percent);
inline double Median(std::vector<double> values) { return Percentile(std::move(values), 50); }

}  // namespace squall::bench
