#pragma once
// The page's own files (reports/timeline/*), written into the program when it is built.

#include <string_view>

namespace squall::reports {

extern const std::string_view kTimelinePage;    // page.html, with a place for each of the others
extern const std::string_view kTimelineStyle;   // style.css
extern const std::string_view kTimelineScript;  // the scripts, one after another

}  // namespace squall::reports
