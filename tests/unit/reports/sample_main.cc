// Writes the reports of the sample run into a folder, and tells the run on standard output as
// squall does: for the scripts that read the reports back, and for looking at the console with
// one's own eyes.
//
//   reports_sample DIR                DIR/junit.xml, DIR/summary.json and DIR/timeline.html
//   reports_sample DIR EVENTS         the same, with a second timeline of so many events
//   reports_sample --show             the console, as on this terminal

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>

#include "reports/console.h"
#include "reports/html.h"
#include "reports/junit.h"
#include "reports/summary.h"
#include "tests/unit/reports/sample.h"
#include "tests/unit/reports/sample_journal.h"

int main(int argc, char** argv) {
  using namespace squall::reports;  // NOLINT(google-build-using-namespace): a program of this one
                                    // library
  if (argc != 2 && argc != 3) {
    std::fputs("usage: reports_sample DIR [EVENTS] | --show\n", stderr);
    return 2;
  }
  const RunReport run = SampleRun();
  if (std::string_view(argv[1]) == "--show") {
    Console console(ConsoleOptionsFor(STDOUT_FILENO), [](std::string_view text) {
      std::fwrite(text.data(), 1, text.size(), stdout);
      std::fflush(stdout);
    });
    console.Begin(run);
    squall::Duration now{};
    for (const SubjectReport& subject : run.subjects) {
      const std::string label = subject.Label() + "@" + subject.world;
      console.Started(label, now);
      now += subject.took;
      console.Tick(now);
      // Somebody who looks goes on with a key.
      if (::isatty(STDIN_FILENO) == 1) std::getchar();
      console.Finished(label, subject, now);
    }
    console.Notice("signal 2: stopping 3 running subjects; once more kills them");
    console.End(run);
    return 0;
  }
  std::ofstream(std::string(argv[1]) + "/junit.xml", std::ios::binary)
      << JUnitXml(run, "box.example");
  std::ofstream(std::string(argv[1]) + "/summary.json", std::ios::binary) << SummaryJson(run);
  // The first subject has a small timeline with something in every lane, the second a large one.
  const Redactor redactor({kSampleSecret});
  TimelineShelf shelf;
  TimelineOptions options;
  options.broke_at["stays_up"] = squall::SteadyTime(3810ms);
  const auto add = [&](const SubjectReport& subject, const Timeline& timeline) {
    shelf.Add(TimelineKey(subject), TimelineJson(timeline, redactor), /*good=*/true);
  };
  add(run.subjects[0], TimelineOf(SampleJournal(), options));
  if (argc == 3)
    add(run.subjects[1], TimelineOf(LargeJournal(std::strtoull(argv[2], nullptr, 10))));
  std::ofstream(std::string(argv[1]) + "/timeline.html", std::ios::binary)
      << HtmlPage(run, shelf, redactor);
  return 0;
}
