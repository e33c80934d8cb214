#include "harness/runner/untagging_sink.h"

#include <map>
#include <vector>

namespace squall::harness {
namespace {

struct Untag {
  const std::string& tag;

  void operator()(const char*, std::string& text) const {
    for (std::size_t at = text.find(tag); at != std::string::npos; at = text.find(tag, at)) {
      text.erase(at, tag.size());
    }
  }
  void operator()(const char* name, std::vector<std::string>& texts) const {
    for (std::string& text : texts) (*this)(name, text);
  }
  void operator()(const char* name, std::map<std::string, std::string>& texts) const {
    for (auto& [key, text] : texts) (*this)(name, text);
  }
  template <typename T>
  void operator()(const char*, T&) const {}
};

}  // namespace

void UntaggingSink::Append(std::string_view source, journal::Payload payload) {
  if (!tag_.empty()) {
    std::visit([this](auto& event) { event.Visit(Untag{tag_}); }, payload);
  }
  below_.Append(source, std::move(payload));
}

}  // namespace squall::harness
