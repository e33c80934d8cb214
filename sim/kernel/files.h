#pragma once
// Files that simulated processes find beside the machine's own: certificates, for example. They
// exist in memory only.

#include <optional>
#include <string>
#include <string_view>

namespace squall::sim {

// From now on `path` opens (for reading) with this text.
void AddFile(const std::string& path, std::string text);
// A descriptor of the machine that reads it; nothing when there is no such file.
std::optional<int> OpenFile(std::string_view path);

}  // namespace squall::sim
