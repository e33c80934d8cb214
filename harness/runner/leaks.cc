#include "harness/runner/leaks.h"

#include <fmt/format.h>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "harness/process/guardian.h"

namespace squall::harness {
namespace {

namespace fs = std::filesystem;

// Inodes of this process's sockets, from the links in /proc/self/fd: "socket:[12345]".
std::set<std::string> OwnSockets() {
  std::set<std::string> inodes;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/proc/self/fd", error)) {
    std::error_code gone;
    const std::string target = fs::read_symlink(entry.path(), gone).string();
    constexpr std::string_view kPrefix = "socket:[";
    if (!gone && target.starts_with(kPrefix))
      inodes.insert(target.substr(kPrefix.size(), target.size() - kPrefix.size() - 1));
  }
  return inodes;
}

void FindListeners(const char* table, const std::set<std::string>& own,
                   std::vector<std::string>* leaks) {
  std::ifstream file(table);
  std::string line;
  std::getline(file, line);  // the header
  while (std::getline(file, line)) {
    // sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode
    std::istringstream fields(line);
    std::string slot, local, remote, state, queues, timer, retransmits, uid, timeout, inode;
    fields >> slot >> local >> remote >> state >> queues >> timer >> retransmits >> uid >>
        timeout >> inode;
    constexpr const char* kListen = "0A";
    if (state != kListen || !own.contains(inode)) continue;
    unsigned port = 0;
    const std::size_t colon = local.rfind(':');
    std::from_chars(local.data() + colon + 1, local.data() + local.size(), port, 16);
    leaks->push_back(fmt::format("port {} is still listened on", port));
  }
}

}  // namespace

std::vector<std::string> FindLeaks(const std::string& temp_directory) {
  std::vector<std::string> leaks;
  for (const Descendant& process : FindDescendants()) {
    leaks.push_back(fmt::format("process {} is still there: {}", process.pid, process.command));
  }
  const std::set<std::string> own = OwnSockets();
  FindListeners("/proc/self/net/tcp", own, &leaks);
  FindListeners("/proc/self/net/tcp6", own, &leaks);
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(temp_directory, error)) {
    leaks.push_back("temporary file is still there: " + entry.path().filename().string());
  }
  return leaks;
}

}  // namespace squall::harness
