#pragma once
// `squall explain`: which causes an error text of an SDK speaks of, by the texts that SDKs were
// seen to print for each cause.

#include <string>
#include <string_view>
#include <vector>

namespace squall::doctor {

struct Explanation {
  std::string_view cause;  // an id of the catalogue
  std::string_view sdk;    // whose text it is: "core", "Go", "grpc-js", "any"
  std::string matched;     // the parts of the text that say so, in lower case
  std::string_view note;   // "" or what is to be known about this text
};

// The likeliest first; each cause once. Empty when nothing is known.
std::vector<Explanation> Explain(std::string_view text);

// For a terminal. `width` columns.
std::string ExplanationText(const std::vector<Explanation>& explanations, std::size_t width);
std::string ExplanationJson(const std::vector<Explanation>& explanations);

}  // namespace squall::doctor
