#include "harness/fault/limits.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>

namespace squall::harness {
namespace {

Status Failed(std::int64_t pid, std::string_view what) {
  const int number = errno;
  return MakeStatus(number == ESRCH ? StatusCode::kNotFound : StatusCode::kUnavailable,
                    "{} of process {}: {}", what, pid, std::strerror(number));
}

StatusOr<rlimit> Limits(std::int64_t pid, int resource) {
  rlimit limits{};
  if (::prlimit(static_cast<pid_t>(pid), static_cast<__rlimit_resource>(resource), nullptr,
                &limits) != 0) {
    return Failed(pid, "read a limit");
  }
  return limits;
}

}  // namespace

StatusOr<std::uint64_t> SoftLimit(std::int64_t pid, int resource) {
  SQUALL_ASSIGN_OR_RETURN(const rlimit limits, Limits(pid, resource));
  return limits.rlim_cur;
}

Status SetSoftLimit(std::int64_t pid, int resource, std::uint64_t limit) {
  SQUALL_ASSIGN_OR_RETURN(rlimit limits, Limits(pid, resource));
  limits.rlim_cur = std::min<rlim_t>(limit, limits.rlim_max);
  if (::prlimit(static_cast<pid_t>(pid), static_cast<__rlimit_resource>(resource), &limits,
                nullptr) != 0) {
    return Failed(pid, "set a limit");
  }
  return absl::OkStatus();
}

StatusOr<std::uint64_t> DescriptorLimitFor(std::int64_t pid, std::int64_t left) {
  std::set<std::uint64_t> open;
  std::error_code error;
  for (const auto& entry :
       std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd", error))
    open.insert(std::stoull(entry.path().filename().string()));
  if (error)
    return MakeStatus(StatusCode::kNotFound, "descriptors of process {}: {}", pid, error.message());
  std::uint64_t next = 0;
  for (;; ++next) {
    if (!open.contains(next) && left-- == 0) return next;
  }
}

StatusOr<std::uint64_t> AddressSpace(std::int64_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/statm");
  std::uint64_t pages = 0;
  if (!(file >> pages))
    return MakeStatus(StatusCode::kNotFound, "memory of process {}: it is gone", pid);
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace squall::harness
