#include "harness/cli/usage_error.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <optional>

#include "base/util/text.h"

namespace squall::harness {
namespace {

// Options of the program that take the next argument for their value.
bool TakesValue(const CLI::App& app, const std::string& argument) {
  const CLI::Option* option = app.get_option_no_throw(argument);
  return option != nullptr && option->get_items_expected_max() > 0;
}

// The first argument that stands where a command does; "" for none.
std::string CommandWord(const CLI::App& app, const std::vector<std::string>& arguments) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i].empty() || arguments[i].front() != '-') return arguments[i];
    if (TakesValue(app, arguments[i])) ++i;
  }
  return "";
}

std::vector<std::string> Commands(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (!command->get_group().empty()) names.push_back(command->get_name());  // the rest is hidden
  }
  return names;
}

void AppendOptions(const CLI::App& app, std::vector<std::string>& names) {
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
}

// The first long option that neither the program nor the chosen command knows.
std::optional<std::string> UnknownOption(const CLI::App& app,
                                         const std::vector<std::string>& arguments) {
  std::vector<std::string> names;
  AppendOptions(app, names);
  for (const CLI::App* command : app.get_subcommands()) AppendOptions(*command, names);
  for (const std::string& argument : arguments) {
    const std::string name = argument.substr(0, argument.find('='));
    if (name.starts_with("--") && name != "--" && std::ranges::find(names, name) == names.end())
      return fmt::format("unknown option '{}'{}", EscapeControl(name), DidYouMean(name, names));
  }
  return std::nullopt;
}

std::string Text(const CLI::App& app, const CLI::Error& error,
                 const std::vector<std::string>& arguments) {
  // An error's name is sometimes the program's.
  const bool extra = error.get_exit_code() == static_cast<int>(CLI::ExitCodes::ExtrasError);
  const bool missing = error.get_exit_code() == static_cast<int>(CLI::ExitCodes::RequiredError);
  if (extra || missing) {
    if (const auto unknown = UnknownOption(app, arguments)) return *unknown;
  }
  if (missing && app.get_subcommands().empty()) {
    const std::string word = CommandWord(app, arguments);
    const auto commands = Commands(app);
    if (!word.empty())
      return fmt::format("unknown command '{}'{}", EscapeControl(word), DidYouMean(word, commands));
    return fmt::format("a command is missing: one of {}", fmt::join(commands, ", "));
  }
  return error.what();
}

}  // namespace

std::string UsageError(const CLI::App& app, const CLI::Error& error,
                       const std::vector<std::string>& arguments) {
  const auto chosen = app.get_subcommands();
  return fmt::format("squall: {}\nRun `squall {}--help` for what there is.\n",
                     Text(app, error, arguments),
                     chosen.empty() ? "" : chosen.front()->get_name() + " ");
}

std::string NoneOf(const std::vector<std::string>& words, const std::string& word) {
  if (std::ranges::find(words, word) != words.end()) return "";
  return fmt::format("'{}' is none of {}{}", EscapeControl(word), fmt::join(words, ", "),
                     DidYouMean(word, words));
}

}  // namespace squall::harness
