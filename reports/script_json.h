#pragma once
// JSON that stands inside an HTML page, in a <script type="application/json"> element: whatever the
// texts hold, the element ends where its writer ends it.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "reports/redactor.h"

namespace squall::reports {

// Appends `text` as a JSON string. `<`, `>` and `&` are written as \u escapes (no "</script>", no
// "<!--"), as are U+2028 and U+2029 (line ends to JavaScript) and control characters; what is not
// UTF-8 becomes U+FFFD.
void AppendScriptString(std::string* out, std::string_view text);

// Every distinct text once, cleaned of secrets and cut where it is very long; items refer to it by
// number.
class StringTable {
 public:
  explicit StringTable(const Redactor& redactor) : redactor_(redactor) {}
  std::size_t Of(std::string_view text);
  // The texts so far, as a JSON array.
  std::string Json() const { return "[" + json_ + "]"; }

 private:
  const Redactor& redactor_;
  std::map<std::string, std::size_t, std::less<>> numbers_;
  std::string json_;
};

}  // namespace squall::reports
