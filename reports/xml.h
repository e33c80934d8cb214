#pragma once
// Text inside XML and HTML.

#include <string>
#include <string_view>

namespace squall::reports {

// As content: markup escaped, characters that XML 1.0 does not allow made visible (\x1b). Line
// breaks and tabs stay.
std::string XmlText(std::string_view text);
// ` name="value"`, with the blank before it. Line breaks and tabs become references: in attributes
// they would be read back as blanks.
std::string XmlAttribute(std::string_view name, std::string_view value);

}  // namespace squall::reports
