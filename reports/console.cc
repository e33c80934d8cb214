#include "reports/console.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "reports/text_width.h"

namespace squall::reports {
namespace {

constexpr std::string_view kBold = "\033[1m", kDim = "\033[2m", kRed = "\033[31;1m",
                           kGreen = "\033[32m", kYellow = "\033[33m", kMagenta = "\033[35m",
                           kCyan = "\033[36m", kReset = "\033[0m";
constexpr std::string_view kErase = "\r\033[K";
constexpr std::size_t kWidthMin = 40;
constexpr std::size_t kWordWidth = 7;  // UNKNOWN
constexpr std::size_t kTimeWidth = 8;  // 123.45ms
constexpr std::size_t kKeyWidth = 10;

std::string_view ColourOf(StatusWord word) {
  switch (word) {
    case StatusWord::kPass:
    case StatusWord::kCaught:
      return kGreen;
    case StatusWord::kFail:
    case StatusWord::kMissed:
      return kRed;
    case StatusWord::kUnknown:
    case StatusWord::kLeak:
      return kMagenta;
    case StatusWord::kSkip:
      return kCyan;
    case StatusWord::kFlaky:
      return kYellow;
  }
  return "";
}

std::string Right(std::string_view text, std::size_t width) {
  return text.size() >= width ? std::string(text)
                              : std::string(width - text.size(), ' ') + std::string(text);
}

// "7s", "2m05s": what changes once a second is not told to the hundredth.
std::string WholeSeconds(Duration d) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(d).count();
  if (seconds < 60) return fmt::format("{}s", seconds);
  return fmt::format("{}m{:02}s", seconds / 60, seconds % 60);
}

std::string Plural(std::size_t n, std::string_view noun) {
  return fmt::format("{} {}{}", n, noun, n == 1 ? "" : "s");
}

// The part of a cell that speaks of some subjects of one scenario in one world: "caught", "2
// green", "MISSED".
struct CellPart {
  std::string text = "-";
  StatusWord word = StatusWord::kPass;
};
CellPart PartOf(const std::vector<const SubjectReport*>& subjects, std::string_view good) {
  if (subjects.empty()) return {};
  std::size_t skipped = 0;
  StatusWord worst = StatusWord::kPass;
  const auto rank = [](StatusWord word) {
    switch (word) {
      case StatusWord::kFail:
      case StatusWord::kMissed:
        return 4;
      case StatusWord::kUnknown:
        return 3;
      case StatusWord::kLeak:
        return 2;
      case StatusWord::kFlaky:
        return 1;
      default:
        return 0;
    }
  };
  for (const SubjectReport* subject : subjects) {
    const StatusWord word = StatusOf(*subject);
    if (word == StatusWord::kSkip) ++skipped;
    if (rank(word) > rank(worst)) worst = word;
  }
  if (rank(worst) > 0) return {std::string(StatusWordText(worst)), worst};
  if (skipped == subjects.size()) return {"skip", StatusWord::kSkip};
  const std::size_t n = subjects.size() - skipped;
  return {n == 1 ? std::string(good) : fmt::format("{} {}", n, good), StatusWord::kPass};
}

using Paint = std::function<std::string(std::string_view, StatusWord)>;
std::vector<std::string> Table(const RunReport& run, std::size_t width, const Paint& paint);

}  // namespace

ConsoleOptions ConsoleOptionsFor(int fd) {
  const auto set = [](const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr && *value != '\0' ? std::string_view(value) : std::string_view();
  };
  ConsoleOptions options;
  const bool dumb = set("TERM") == "dumb";
  const bool tty = ::isatty(fd) == 1;
  options.terminal = tty && !dumb;
  options.colour = options.terminal && set("NO_COLOR").empty();
  winsize size{};
  if (tty && ::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    options.width = size.ws_col;
  } else if (const std::string_view columns = set("COLUMNS"); !columns.empty()) {
    if (const long n = std::strtol(columns.data(), nullptr, 10); n > 0 && n < 10000)
      options.width = static_cast<std::size_t>(n);
  }
  return options;
}

Console::Console(ConsoleOptions options, Writer write)
    : options_([&] {
        options.width = std::max(options.width, kWidthMin);
        return options;
      }()),
      write_(std::move(write)) {}

std::string Console::Painted(std::string_view text, std::string_view colour) const {
  if (!options_.colour || colour.empty()) return std::string(text);
  return fmt::format("{}{}{}", colour, text, kReset);
}

void Console::Line(const std::string& line) {
  if (line.empty() && blank_) return;
  blank_ = line.empty();
  write_(line + "\n");
}

void Console::EraseStatus() {
  if (status_shown_) write_(kErase);
  status_shown_ = false;
}

void Console::DrawStatus(Duration elapsed) {
  if (!options_.terminal) return;
  const std::string total = planned_ == 0 ? "" : fmt::format("/{}", planned_);
  std::string text = fmt::format("{}{} done, {}", finished_, total, WholeSeconds(elapsed));
  std::string separator = "  running: ";
  for (const auto& [label, since] : running_) {
    text += fmt::format("{}{} {}", separator, label, WholeSeconds(elapsed - since));
    separator = ", ";
  }
  // One column is left free: a cursor behind the last one wraps on some terminals.
  write_(std::string(kErase) + Painted(Truncated(OneLine(text), options_.width - 1), kDim));
  status_shown_ = true;
}

void Console::Begin(const RunReport& run) {
  planned_ = run.planned;
  for (const std::string& world : run.worlds) worlds_width_ = std::max(worlds_width_, world.size());
  const std::string what =
      run.planned == 0 ? "subjects until one fails" : Plural(run.planned, "subject");
  const std::string head = fmt::format(
      "squall {}: {} in {}, {}, seed {}", run.version, what,
      run.worlds.empty() ? "no world" : fmt::format("{}", fmt::join(run.worlds, " and ")),
      run.jobs == 1 ? "one at a time" : fmt::format("{} at a time", run.jobs), run.seed);
  for (const std::string& line : Wrapped(OneLine(head), options_.width)) Line(Painted(line, kBold));
  Line("");
}

void Console::Started(const std::string& label, Duration elapsed) {
  running_.emplace_back(label, elapsed);
  DrawStatus(elapsed);
}

void Console::Tick(Duration elapsed) {
  if (!running_.empty()) DrawStatus(elapsed);
}

void Console::Notice(std::string_view text) {
  EraseStatus();
  for (const std::string& line : Wrapped(OneLine(text), options_.width))
    Line(Painted(line, kYellow));
}

std::string Console::SubjectLine(const SubjectReport& subject) const {
  const StatusWord word = StatusOf(subject);
  std::string note = subject.title;
  if (word == StatusWord::kSkip) note = subject.skipped;
  if (word == StatusWord::kCaught)
    note = fmt::format("by {}: {}", fmt::join(subject.expected_failures, ", "), subject.title);
  const std::string head = fmt::format(
      "{} [{}] {} {}", Right(StatusWordText(word), kWordWidth),
      Right(subject.ran() ? FormatDuration(subject.took) : "", kTimeWidth),
      Padded(subject.world, worlds_width_),
      // A longer label is not cut: it is what one looks for. It moves its title instead.
      DisplayWidth(subject.Label()) > label_width_
          ? OneLine(subject.Label())
          : Padded(OneLine(subject.Label()), label_width_));
  const std::size_t used = DisplayWidth(head);
  std::string line = head;
  if (used + 2 < options_.width) line += " " + Truncated(OneLine(note), options_.width - used - 1);
  while (!line.empty() && line.back() == ' ') line.pop_back();
  // The word alone is coloured; it stands right-aligned in front.
  const std::size_t at = kWordWidth - StatusWordText(word).size();
  return line.substr(0, at) + Painted(StatusWordText(word), ColourOf(word)) +
         line.substr(kWordWidth);
}

void Console::Entry(std::string_view key, std::string_view text, std::size_t indent) {
  const std::size_t left = indent + kKeyWidth;
  const std::size_t room = options_.width > left + 20 ? options_.width - left : 20;
  std::string prefix = std::string(indent, ' ') + Painted(Padded(key, kKeyWidth), kDim);
  std::size_t start = 0;
  while (start <= text.size()) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    for (const std::string& line : Wrapped(OneLine(text.substr(start, end - start)), room)) {
      Line(prefix + line);
      prefix = std::string(left, ' ');
    }
    start = end + 1;
  }
}

void Console::Explain(const SubjectReport& subject) {
  constexpr std::size_t kIndent = 4;
  const StatusWord word = StatusOf(subject);
  // "failed: reconnects" says nothing that does not follow in full.
  if (!subject.explanation.empty() && (word != StatusWord::kFail || subject.checks.empty()))
    Entry("why", subject.explanation, kIndent);
  if (subject.broken() && word == StatusWord::kMissed) {
    Entry("broken",
          fmt::format("to be caught by {}, and by nothing else",
                      fmt::join(subject.expected_failures, ", ")),
          kIndent);
  }
  for (const journal::CheckResult& check : subject.checks) {
    const bool named = std::find(subject.expected_failures.begin(), subject.expected_failures.end(),
                                 check.check) != subject.expected_failures.end();
    // What went as it should needs no explanation.
    if (named ? check.outcome == journal::Outcome::kFail : check.outcome == journal::Outcome::kPass)
      continue;
    const std::string verdict = check.outcome == journal::Outcome::kPass   ? "passed"
                                : check.outcome == journal::Outcome::kFail ? "failed"
                                                                           : "unknown";
    Line(std::string(kIndent, ' ') + Painted(OneLine(check.check), kBold) + " " + verdict);
    Entry("expected", check.expected, kIndent + 2);
    Entry("happened", check.happened, kIndent + 2);
  }
  for (const std::string& leak : subject.leaks) Entry("left", leak, kIndent);
  if (!subject.last_lines.empty()) {
    Line(std::string(kIndent, ' ') + Painted("last lines", kDim));
    for (const std::string& line : subject.last_lines) {
      for (const std::string& part : Wrapped(OneLine(line), options_.width - kIndent - 2))
        Line(std::string(kIndent + 2, ' ') + part);
    }
  }
  // Commands and paths are for copying: never broken by us.
  const std::string left = std::string(kIndent, ' ');
  if (!subject.repeat_command.empty())
    Line(left + Painted(Padded("repeat", kKeyWidth), kDim) + OneLine(subject.repeat_command));
  if (!subject.work_directory.empty())
    Line(left + Painted(Padded("files", kKeyWidth), kDim) + OneLine(subject.work_directory));
  Line("");
}

void Console::Finished(const std::string& label, const SubjectReport& subject, Duration elapsed) {
  ++finished_;
  const auto it = std::find_if(running_.begin(), running_.end(),
                               [&](const auto& r) { return r.first == label; });
  if (it != running_.end()) running_.erase(it);
  EraseStatus();
  Line(SubjectLine(subject));
  if (subject.ran() && !subject.good()) Explain(subject);
  if (!running_.empty()) DrawStatus(elapsed);
}

namespace {

std::vector<std::string> Table(const RunReport& run, std::size_t width, const Paint& paint) {
  struct Row {
    std::string title;
    std::map<std::string, std::array<std::vector<const SubjectReport*>, 2>>
        cells;  // by world: broken, fixed
  };
  std::map<std::string, Row, decltype(&NaturalLess)> rows(&NaturalLess);
  std::vector<std::string> worlds = run.worlds;
  for (const SubjectReport& subject : run.subjects) {
    Row& row = rows[subject.scenario];
    row.title = OneLine(subject.title);
    row.cells[subject.world][subject.broken() ? 0 : 1].push_back(&subject);
    if (std::find(worlds.begin(), worlds.end(), subject.world) == worlds.end())
      worlds.push_back(subject.world);
  }
  if (rows.empty()) return {};
  // Columns: id, title (what is left), and for each world what became of the broken and of the
  // fixed subjects.
  std::size_t id_width = std::string_view("incident").size();
  std::array<std::size_t, 2> part_width = {6, 5};  // caught, green
  std::map<std::string, std::map<std::string, std::array<CellPart, 2>>> parts;
  for (const auto& [id, row] : rows) {
    id_width = std::max(id_width, DisplayWidth(id));
    for (const std::string& world : worlds) {
      const auto cell = row.cells.find(world);
      for (std::size_t part = 0; part < 2; ++part) {
        CellPart& p = parts[id][world][part];
        if (cell != row.cells.end()) p = PartOf(cell->second[part], part == 0 ? "caught" : "green");
        part_width[part] = std::max(part_width[part], p.text.size());
      }
    }
  }
  const std::size_t cell_width = part_width[0] + 1 + part_width[1];
  const std::size_t fixed = id_width + 2 + worlds.size() * (cell_width + 2);
  std::size_t title_width = width > fixed + 8 ? width - fixed : 8;
  std::size_t longest = 0;
  for (const auto& [id, row] : rows) longest = std::max(longest, DisplayWidth(row.title));
  title_width = std::min(title_width, std::max(longest, std::string_view("title").size()));
  std::vector<std::string> lines;
  const auto finish = [&](std::string line) {
    while (!line.empty() && line.back() == ' ') line.pop_back();
    lines.push_back(std::move(line));
  };
  std::string head = Padded("incident", id_width) + "  " + Padded("", title_width);
  for (const std::string& world : worlds) head += "  " + Padded(world, cell_width);
  finish(head);
  for (const auto& [id, row] : rows) {
    std::string line = Padded(id, id_width) + "  " + Padded(row.title, title_width);
    for (const std::string& world : worlds) {
      line += " ";
      for (std::size_t part = 0; part < 2; ++part) {
        const CellPart& p = parts[id][world][part];
        line += " " + paint(p.text, p.word) + std::string(part_width[part] - p.text.size(), ' ');
      }
    }
    finish(line);
  }
  return lines;
}

}  // namespace

std::vector<std::string> IncidentTable(const RunReport& run, std::size_t width) {
  return Table(run, width, [](std::string_view text, StatusWord) { return std::string(text); });
}

std::string SumLine(const RunReport& run) {
  const Counts counts = CountOf(run.subjects);
  std::vector<std::string> parts;
  const auto part = [&](std::size_t n, std::string_view what) {
    if (n > 0) parts.push_back(fmt::format("{} {}", n, what));
  };
  part(counts.failed, "failed");
  part(counts.missed, "missed");
  part(counts.unknown, "unknown");
  part(counts.flaky, "flaky");
  part(counts.leaky, "leaky");
  part(counts.passed, "passed");
  part(counts.caught, "caught");
  part(counts.skipped, "skipped");
  return fmt::format("{}{} in {}: {}", run.aborted ? "aborted: " : "",
                     Plural(counts.ran, "subject"), FormatDuration(run.took),
                     parts.empty() ? "nothing ran" : fmt::format("{}", fmt::join(parts, ", ")));
}

void Console::End(const RunReport& run) {
  EraseStatus();
  running_.clear();
  Line("");
  const auto table = Table(run, options_.width, [this](std::string_view text, StatusWord word) {
    return Painted(text, word == StatusWord::kPass ? "" : ColourOf(word));
  });
  for (std::size_t i = 0; i < table.size(); ++i) Line(i == 0 ? Painted(table[i], kDim) : table[i]);
  if (!table.empty()) Line("");
  // Once more what needs a look: it may have scrolled away.
  bool any = false;
  for (const SubjectReport& subject : run.subjects) {
    if (!subject.ran() || (subject.good() && !subject.flaky)) continue;
    Line(SubjectLine(subject));
    if (!subject.repeat_command.empty()) Line("        " + OneLine(subject.repeat_command));
    any = true;
  }
  if (any) Line("");
  std::vector<std::string> versions;
  for (const auto& [name, version] : VersionsOf(run.subjects))
    versions.push_back(fmt::format("{} {}", name, version));
  if (!versions.empty()) Entry("versions", fmt::format("{}", fmt::join(versions, ", ")), 0);
  const Counts counts = CountOf(run.subjects);
  const bool bad = counts.failed + counts.missed > 0;
  const bool doubtful =
      counts.unknown + counts.leaky + counts.flaky > 0 || run.aborted || counts.ran == 0;
  for (const std::string& line : Wrapped(SumLine(run), options_.width))
    Line(Painted(line, bad ? kRed : doubtful ? kYellow : kGreen));
  if (!run.directory.empty())
    Line(Painted(Padded("report", kKeyWidth), kDim) + OneLine(run.directory));
}

}  // namespace squall::reports
