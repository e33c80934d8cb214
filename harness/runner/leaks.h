#pragma once
// What is left when a subject has been cleaned up and should not be.

#include <string>
#include <vector>

namespace squall::harness {

// One line per leak: living descendants of this process, sockets of it that still listen, files in
// `temp_directory`.
std::vector<std::string> FindLeaks(const std::string& temp_directory);

}  // namespace squall::harness
