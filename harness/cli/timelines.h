#pragma once
// From work folders to timelines: reads the journal, asks the checks where they broke, and knows
// which secrets must not be shown.

#include <set>
#include <string>
#include <vector>

#include "base/util/status.h"
#include "reports/html.h"
#include "reports/result.h"
#include "reports/timeline.h"

namespace squall::harness {

struct FolderTimeline {
  reports::Timeline timeline;
  std::vector<std::string> secrets;  // that the scenario gives to its programs
};

// `path`: a subject's work folder, or a journal file. With the scenario beside the journal, rules
// that were violated stand where they broke.
StatusOr<FolderTimeline> ReadTimeline(const std::string& path);

// What a folder says of its subject: result.json, else what the journal alone tells.
StatusOr<reports::SubjectReport> ReadSubject(const std::string& path);

// Values of environment variables that name a secret (..._KEY, _TOKEN, _SECRET, _PASSWORD, and
// `also`): the programs under test inherit them, and may print them.
std::vector<std::string> SecretsOfEnvironment(const std::string& also = "");

// The page of a run while it goes on.
class TimelinePage {
 public:
  explicit TimelinePage(std::vector<std::string> secrets)
      : secrets_(secrets.begin(), secrets.end()) {}

  // Reads `path` now: it may be gone later. A journal that cannot be read leaves the subject
  // without a timeline.
  Status Add(const reports::SubjectReport& subject, const std::string& path);
  std::string Html(const reports::RunReport& run) const;

 private:
  reports::Redactor Redactor() const {
    return reports::Redactor({secrets_.begin(), secrets_.end()});
  }
  std::set<std::string> secrets_;
  reports::TimelineShelf shelf_;
};

}  // namespace squall::harness
