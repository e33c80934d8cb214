#include "harness/process/private_names.h"

#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "harness/process/private_network.h"

namespace squall::harness {
namespace {

namespace fs = std::filesystem;

constexpr const char* kResolvers = "/etc/resolv.conf";
constexpr const char* kSources = "/etc/nsswitch.conf";

Status NamesError(std::string_view what) {
  const int number = errno;
  return MakeStatus(number == EPERM ? StatusCode::kPermissionDenied : StatusCode::kUnavailable,
                    "look-up of names of its own: {}: {}", what, std::strerror(number));
}

Status WriteFile(const std::string& path, std::string_view text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  if (!file.flush()) return NamesError(path);
  return absl::OkStatus();
}

// What this process may do in a user namespace of its own, the programs that it starts may too:
// tools that set up a network, or that go to the far end of a wire (private_wire.h). Whoever is not
// root loses it with exec otherwise.
Status KeepRightsAcrossExec() {
  constexpr unsigned kKept[] = {CAP_NET_ADMIN, CAP_SYS_ADMIN, CAP_SYS_PTRACE};
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
  if (::syscall(SYS_capget, &header, data) != 0) return NamesError("capabilities");
  for (const unsigned kept : kKept) data[CAP_TO_INDEX(kept)].inheritable |= CAP_TO_MASK(kept);
  if (::syscall(SYS_capset, &header, data) != 0) return NamesError("inheritable capabilities");
  for (const unsigned kept : kKept) {
    if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, kept, 0, 0) != 0)
      return NamesError("ambient capabilities");
  }
  return absl::OkStatus();
}

// Rights over namespaces that are made from now on; the user stays who they are.
Status EnterOwnUser() {
  const auto uid = ::geteuid();
  const auto gid = ::getegid();
  if (::unshare(CLONE_NEWUSER) != 0) return NamesError("a user namespace");
  SQUALL_RETURN_IF_ERROR(WriteFile("/proc/self/setgroups", "deny"));
  SQUALL_RETURN_IF_ERROR(WriteFile("/proc/self/uid_map", fmt::format("{0} {0} 1", uid)));
  SQUALL_RETURN_IF_ERROR(WriteFile("/proc/self/gid_map", fmt::format("{0} {0} 1", gid)));
  return KeepRightsAcrossExec();
}

Status Cover(const char* path, const std::string& with) {
  if (::mount(with.c_str(), path, nullptr, MS_BIND, nullptr) != 0) return NamesError(path);
  return absl::OkStatus();
}

bool Forbids(const char* setting, char value) {
  std::ifstream file(setting);
  char found = 0;
  return file >> found && found == value;
}

}  // namespace

Status EnterPrivateNames(const std::string& folder) {
  static bool entered = false;
  if (entered) return absl::OkStatus();
  // Asked for a second or two, and no longer: a scenario waits for what comes after.
  SQUALL_RETURN_IF_ERROR(
      WriteFile(folder + "/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:2\n"));
  SQUALL_RETURN_IF_ERROR(WriteFile(folder + "/nsswitch.conf", "hosts: files dns\n"));
  if (!MayMakeNamespaces()) SQUALL_RETURN_IF_ERROR(EnterOwnUser());
  SQUALL_RETURN_IF_ERROR(EnterPrivateNetwork());
  if (::unshare(CLONE_NEWNS) != 0) return NamesError("a mount namespace");
  // Nothing that is mounted here is seen outside.
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return NamesError("private mounts");
  SQUALL_RETURN_IF_ERROR(Cover(kResolvers, folder + "/resolv.conf"));
  if (fs::exists(kSources)) SQUALL_RETURN_IF_ERROR(Cover(kSources, folder + "/nsswitch.conf"));
  entered = true;
  return absl::OkStatus();
}

std::optional<std::string> WhyNoPrivateNames() {
  std::error_code error;
  if (!fs::exists(kResolvers, error))
    return "there is no /etc/resolv.conf that could be covered by one of its own";
  for (const char* daemon : {"/run/nscd/socket", "/var/run/nscd/socket"}) {
    if (fs::exists(daemon, error)) return "nscd answers for every program here";
  }
  if (MayMakeNamespaces()) return std::nullopt;
  // The kernel's, Debian's and Ubuntu's ways to say no.
  if (Forbids("/proc/sys/user/max_user_namespaces", '0') ||
      Forbids("/proc/sys/kernel/unprivileged_userns_clone", '0') ||
      Forbids("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", '1'))
    return "look-up of names of its own needs root, or user namespaces, which are forbidden here";
  return std::nullopt;
}

}  // namespace squall::harness
