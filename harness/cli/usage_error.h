#pragma once
// What is wrong with a command line, in one line, with the nearest right word.

#include <string>
#include <vector>

namespace CLI {
class App;
class Error;
}  // namespace CLI

namespace squall::harness {

// The text for what CLI11 found wrong with `arguments` (without the program's name), which `app`
// has tried to parse. Ends with a newline.
std::string UsageError(const CLI::App& app, const CLI::Error& error,
                       const std::vector<std::string>& arguments);

// Why `word` is none of the words of an option's list; "" when it is one.
std::string NoneOf(const std::vector<std::string>& words, const std::string& word);

}  // namespace squall::harness
