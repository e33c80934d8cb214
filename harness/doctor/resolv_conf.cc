#include "harness/doctor/resolv_conf.h"

#include <algorithm>
#include <charconv>
#include <sstream>

#include "base/util/status.h"
#include "base/util/text.h"

namespace squall::doctor {
namespace {

// glibc's and the kernel's headers: RES_MAXNDOTS.
constexpr int kMostDots = 15;

void TakeOptions(std::istream& words, ResolvConf& conf) {
  for (std::string word; words >> word;) {
    constexpr std::string_view kNdots = "ndots:";
    if (!word.starts_with(kNdots)) continue;
    int number = 0;
    const auto [end, error] =
        std::from_chars(word.data() + kNdots.size(), word.data() + word.size(), number);
    if (error == std::errc()) conf.ndots = std::clamp(number, 0, kMostDots);
  }
}

std::vector<std::string> Words(std::istream& in) {
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(std::move(word));
  return words;
}

}  // namespace

ResolvConf ParseResolvConf(std::string_view text, std::string_view local_domain,
                           std::string_view options) {
  ResolvConf conf;
  for (const std::string_view line : Split(text, '\n')) {
    std::istringstream words{std::string(line)};
    std::string key;
    words >> key;
    if (key == "nameserver") {
      if (std::string server; words >> server) conf.servers.push_back(std::move(server));
    } else if (key == "search" || key == "domain") {
      conf.search = Words(words);  // the last line of them rules
    } else if (key == "options") {
      TakeOptions(words, conf);
    }
  }
  if (!local_domain.empty()) {
    std::istringstream words{std::string(local_domain)};
    conf.search = Words(words);
  }
  std::istringstream words{std::string(options)};
  TakeOptions(words, conf);
  std::erase(conf.search, ".");  // the root: the name as it stands
  return conf;
}

std::vector<std::string> NamesTried(const std::string& name, const ResolvConf& conf) {
  if (name.ends_with('.')) return {name.substr(0, name.size() - 1)};
  std::vector<std::string> names;
  for (const std::string& suffix : conf.search) names.push_back(name + "." + suffix);
  const bool as_it_stands_first = std::ranges::count(name, '.') >= conf.ndots;
  names.insert(as_it_stands_first ? names.begin() : names.end(), name);
  return names;
}

}  // namespace squall::doctor
