#pragma once
// Keeps secrets out of reports: programs under test may write theirs into their output, and a
// report is handed around.
//
// Hidden are the values it was told, what looks like a credential by itself (private keys in PEM,
// bearer tokens, JSON web tokens, passwords in URLs), and what stands behind a name that says so
// (api_key=..., "password": "..."). A guess may hide a harmless word; it never touches short ones.

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace squall::reports {

inline constexpr std::string_view kHidden = "[hidden]";

class Redactor {
 public:
  Redactor() : Redactor(std::vector<std::string>()) {}
  // Values of fewer than 6 bytes are ignored: they would hide everything. Of longer ones every part
  // from their beginning on that has at least 8 bytes is hidden too: programs print those.
  explicit Redactor(std::vector<std::string> secrets);

  std::string Clean(std::string_view text) const;

 private:
  std::vector<std::string> secrets_;   // longest first
  std::array<bool, 256> may_begin_{};  // bytes that something hidden can begin with
};

}  // namespace squall::reports
