#pragma once
// What a run says on the terminal: a head, progress, one line per finished subject with failures
// explained, and at the end a table of incidents and the sum.
//
// A pure state machine: text goes out through a function, time comes in with every call. On a
// terminal the last line tells what runs and is rewritten in place; elsewhere only finished lines
// appear, so that a log stays readable. Single-threaded.

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/util/clock.h"
#include "reports/result.h"

namespace squall::reports {

struct ConsoleOptions {
  std::size_t width = 100;  // columns; texts are cut and wrapped to it. At least 40.
  bool terminal = false;    // a status line that is rewritten
  bool colour = false;
};

// How the given descriptor wants it: its width where it is a terminal (else COLUMNS, else 100),
// colours on a terminal unless NO_COLOR is set or TERM is "dumb".
ConsoleOptions ConsoleOptionsFor(int fd);

class Console {
 public:
  using Writer = std::function<void(std::string_view)>;
  Console(ConsoleOptions options, Writer write);

  // Worlds, number of subjects, jobs and seed. `run` needs no results yet.
  void Begin(const RunReport& run);
  // `label` with its world: "E1/broken@fake"; `elapsed` since the run began, as everywhere below.
  void Started(const std::string& label, Duration elapsed);
  // The subject's line, and the explanation where it is not as it should be. Takes `label` off what
  // runs.
  void Finished(const std::string& label, const SubjectReport& subject, Duration elapsed);
  // Rewrites the status line; to be called about every 100 ms to 1 s on a terminal, does nothing
  // elsewhere.
  void Tick(Duration elapsed);
  // One line of its own: "stopping 3 running subjects".
  void Notice(std::string_view text);
  // What was not as it should be once more, the table, the sum and where the report lies.
  void End(const RunReport& run);

 private:
  void Line(const std::string& line);
  void EraseStatus();
  void DrawStatus(Duration elapsed);
  std::string Painted(std::string_view text, std::string_view colour) const;
  std::string SubjectLine(const SubjectReport& subject) const;
  void Explain(const SubjectReport& subject);
  // "  key       text", wrapped with the text hanging.
  void Entry(std::string_view key, std::string_view text, std::size_t indent);

  const ConsoleOptions options_;
  const Writer write_;
  std::size_t planned_ = 0, finished_ = 0, worlds_width_ = 4, label_width_ = 16;
  std::vector<std::pair<std::string, Duration>> running_;
  bool status_shown_ = false, blank_ = false;
};

// The table alone: one row per scenario in natural order, one column per world, in each whether its
// broken subjects were caught and its fixed ones are green.
std::vector<std::string> IncidentTable(const RunReport& run, std::size_t width);

// "24 subjects in 1m23s: 11 passed, 12 caught, 1 failed".
std::string SumLine(const RunReport& run);

}  // namespace squall::reports
