#include "reports/xml.h"

#include <fmt/format.h>

#include "reports/text_width.h"

namespace squall::reports {
namespace {

std::string XmlEscaped(std::string_view text, bool attribute) {
  std::string out;
  const auto line = [&](std::string_view part) {
    // OneLine leaves only characters that are text; of these XML refuses two.
    for (const char c : OneLine(part)) {
      switch (c) {
        case '&':
          out += "&amp;";
          break;
        case '<':
          out += "&lt;";
          break;
        case '>':
          out += "&gt;";
          break;
        case '"':
          out += "&quot;";
          break;
        default:
          out += c;
      }
    }
  };
  std::size_t start = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && text[i] != '\n' && text[i] != '\t') continue;
    line(text.substr(start, i - start));
    if (i < text.size())
      out += attribute ? (text[i] == '\n' ? "&#10;" : "&#9;") : std::string_view(&text[i], 1);
    start = i + 1;
  }
  for (const std::string_view bad : {"\xef\xbf\xbe", "\xef\xbf\xbf"}) {  // U+FFFE, U+FFFF
    for (std::size_t at = out.find(bad); at != std::string::npos; at = out.find(bad, at))
      out.replace(at, 3, "\xef\xbf\xbd");
  }
  return out;
}

}  // namespace

std::string XmlText(std::string_view text) { return XmlEscaped(text, false); }

std::string XmlAttribute(std::string_view name, std::string_view value) {
  return fmt::format(" {}=\"{}\"", name, XmlEscaped(value, true));
}

}  // namespace squall::reports
