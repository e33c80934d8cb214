#pragma once
// A run as one HTML page: the verdicts, and for each subject its timeline. The page holds all it
// needs (no network, opens from disk) and shows nothing that the redactor hides.

#include <cstddef>
#include <map>
#include <string>

#include "reports/redactor.h"
#include "reports/result.h"
#include "reports/timeline.h"

namespace squall::reports {

// A timeline as the page's script reads it (reports/timeline/data.js): JSON in which every text
// stands once. Safe inside a script element.
std::string TimelineJson(const Timeline& timeline, const Redactor& redactor);

// Timelines of a run while it goes on: as JSON, since their journals may be removed as soon as they
// were read, and not more than a page can hold.
class TimelineShelf {
 public:
  // What `most_bytes` leaves no room for is dropped, of subjects that are as they should be sooner:
  // they may fill half of it only.
  explicit TimelineShelf(std::size_t most_bytes = 192U << 20U) : most_bytes_(most_bytes) {}

  // Keyed by label and world: "E1/broken@fake", "E1/broken#2@fake".
  void Add(const std::string& key, std::string json, bool good);
  const std::string* Find(const std::string& key) const;
  std::size_t left_out() const { return left_out_; }

 private:
  const std::size_t most_bytes_;
  std::size_t bytes_ = 0, left_out_ = 0;
  std::map<std::string, std::string> json_;
};

std::string TimelineKey(const SubjectReport& subject);

// The page. `hostname` as in JUnit.
std::string HtmlPage(const RunReport& run, const TimelineShelf& timelines,
                     const Redactor& redactor);

}  // namespace squall::reports
