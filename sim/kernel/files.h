#pragma once
// Files that simulated processes find beside the machine's own: certificates, for example. They
// exist in memory only.

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace squall::sim {

// From now on `path` opens (for reading) with this text.
void AddFile(const std::string& path, std::string text);
// From now on what anybody writes to `path` goes there, line by line; it is no process's.
void AddOutput(const std::string& path, std::function<void(std::string_view line)> on_line);
// A descriptor of the machine that reads it, or one that is written to; nothing when there is no
// such file.
std::optional<int> OpenFile(std::string_view path);

}  // namespace squall::sim
