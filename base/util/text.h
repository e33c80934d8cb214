#pragma once
// Small text helpers that error messages and generated documents share.

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/util/clock.h"

namespace squall {

// The candidate nearest to `word` by edits (insert, delete, replace, swap of neighbours), when it is near enough to be
// what the user meant: at most a third of the longer one's length, rounded up. For "did you mean" in error messages.
std::optional<std::string> Nearest(std::string_view word, std::span<const std::string> candidates);
// " (did you mean 'x'?)" or "".
std::string DidYouMean(std::string_view word, std::span<const std::string> candidates);

// Replaces the characters that would break a line of output (control characters) with escapes.
std::string EscapeControl(std::string_view text);
// The parts between the separators: one more than there are separators.
std::vector<std::string_view> Split(std::string_view text, char separator);
// Without the white space of ASCII at either end.
std::string_view Trim(std::string_view text);
// Letters of ASCII in lower case; everything else as it is.
std::string LowerCase(std::string_view text);
bool Contains(std::string_view text, std::string_view part);
// RFC 3339 in UTC to the second, as people and xs:dateTime read it: 2026-11-21T13:30:00Z.
std::string FormatSecond(WallTime time);
// The text as it stands in a cell of a Markdown table: a bar would end the cell.
std::string MarkdownCell(std::string_view text);

}  // namespace squall
