#include "reports/html.h"

#include <fmt/format.h>

#include <span>

#include "reports/console.h"
#include "reports/html_assets.h"
#include "reports/script_json.h"

namespace squall::reports {
namespace {

std::int64_t Microseconds(Duration d) {
  return std::chrono::duration_cast<std::chrono::microseconds>(d).count();
}

// Objects and lists by hand: a page may hold a hundred thousand items, and only texts need care.
class Writer {
 public:
  explicit Writer(const Redactor& redactor) : redactor_(redactor) {}

  Writer& Key(std::string_view key) {
    Comma();
    AppendScriptString(&out_, key);
    out_ += ':';
    fresh_ = true;
    return *this;
  }
  Writer& Text(std::string_view text) {
    Comma();
    AppendScriptString(&out_, redactor_.Clean(text));
    return *this;
  }
  // Already JSON.
  Writer& Raw(std::string_view json) {
    Comma();
    out_ += json;
    return *this;
  }
  template <typename T>
  Writer& Number(T number) {
    return Raw(fmt::format("{}", number));
  }
  Writer& Open(char bracket) {
    Comma();
    out_ += bracket;
    fresh_ = true;
    return *this;
  }
  Writer& Close(char bracket) {
    out_ += bracket;
    fresh_ = false;
    return *this;
  }
  std::string Take() { return std::move(out_); }

 private:
  void Comma() {
    if (!fresh_) out_ += ',';
    fresh_ = false;
  }
  const Redactor& redactor_;
  std::string out_;
  bool fresh_ = true;
};

void Texts(Writer* out, std::string_view key, std::span<const std::string> texts) {
  out->Key(key).Open('[');
  for (const std::string& text : texts) out->Text(text);
  out->Close(']');
}

void Versions(Writer* out, const std::map<std::string, std::string>& versions) {
  out->Key("versions").Open('{');
  for (const auto& [name, version] : versions) out->Key(name).Text(version);
  out->Close('}');
}

void Subject(Writer* out, const SubjectReport& s, bool timeline) {
  out->Open('{');
  out->Key("key").Text(TimelineKey(s)).Key("scenario").Text(s.scenario).Key("title").Text(s.title);
  out->Key("subject").Text(s.subject).Key("world").Text(s.world);
  out->Key("repetition").Number(s.repetition);
  // A JavaScript number would lose digits of a seed.
  out->Key("seed").Text(std::to_string(s.seed));
  out->Key("status").Text(StatusWordText(StatusOf(s))).Key("skipped").Text(s.skipped);
  out->Key("explanation").Text(s.explanation).Key("took").Number(Microseconds(s.took));
  out->Key("began").Text(FormatWall(s.began)).Key("repeat").Text(s.repeat_command);
  out->Key("folder").Text(s.work_directory).Key("timeline").Raw(timeline ? "true" : "false");
  Texts(out, "expectedFailures", s.expected_failures);
  Texts(out, "leaks", s.leaks);
  Texts(out, "lastLines", s.last_lines);
  Versions(out, s.versions);
  out->Key("checks").Open('[');
  for (const journal::CheckResult& check : s.checks) {
    out->Open('{').Key("check").Text(check.check).Key("outcome");
    out->Text(journal::OutcomeName(check.outcome)).Key("expected").Text(check.expected);
    out->Key("happened").Text(check.happened).Close('}');
  }
  out->Close(']').Close('}');
}

std::string RunJson(const RunReport& run, const TimelineShelf& timelines,
                    const Redactor& redactor) {
  Writer out(redactor);
  out.Open('{').Key("squall").Text(run.version).Key("seed").Text(std::to_string(run.seed));
  Texts(&out, "worlds", run.worlds);
  out.Key("jobs").Number(run.jobs).Key("began").Text(FormatWall(run.began));
  out.Key("took").Number(Microseconds(run.took));
  out.Key("aborted").Raw(run.aborted ? "true" : "false").Key("directory").Text(run.directory);
  out.Key("sum").Text(SumLine(run)).Key("leftOut").Number(timelines.left_out());
  Versions(&out, VersionsOf(run.subjects));
  out.Key("subjects").Open('[');
  for (const SubjectReport& subject : run.subjects)
    Subject(&out, subject, timelines.Find(TimelineKey(subject)) != nullptr);
  out.Close(']').Close('}');
  return out.Take();
}

std::string DataElement(std::string_view id, std::string_view json) {
  return fmt::format("<script type=\"application/json\" id=\"{}\">{}</script>\n", id, json);
}

}  // namespace

std::string TimelineJson(const Timeline& timeline, const Redactor& redactor) {
  StringTable strings(redactor);
  Writer out(redactor);
  const auto optional_time = [&](std::string_view key, const std::optional<Duration>& time) {
    out.Key(key);
    if (time) {
      out.Number(Microseconds(*time));
    } else {
      out.Raw("null");
    }
  };
  out.Open('{').Key("end").Number(Microseconds(timeline.end));
  out.Key("origin").Number(Microseconds(timeline.origin.time_since_epoch()));
  optional_time("judging", timeline.judging);
  optional_time("finished", timeline.finished);
  out.Key("events").Number(timeline.events).Key("leftOut").Number(timeline.left_out);
  out.Key("lanes").Open('[');
  for (const Lane& lane : timeline.lanes) {
    out.Open('[').Text(LaneGroupName(lane.group)).Text(lane.name).Text(lane.note);
    out.Number(lane.rows).Close(']');
  }
  out.Close(']').Key("shades").Open('[');
  for (const Shade& shade : timeline.shades) {
    out.Open('[').Number(Microseconds(shade.begin)).Number(Microseconds(shade.end));
    out.Number(shade.open ? 1 : 0).Text(shade.label).Close(']');
  }
  out.Close(']').Key("violations").Open('[');
  for (const Violation& violation : timeline.violations) {
    out.Open('{').Key("at").Number(Microseconds(violation.at));
    out.Key("placed").Raw(violation.placed ? "true" : "false");
    out.Key("outcome").Text(journal::OutcomeName(violation.outcome));
    out.Key("check").Text(violation.check).Key("expected").Text(violation.expected);
    out.Key("happened").Text(violation.happened).Close('}');
  }
  // lane, row, begin, end, look, tone, open, label, line of the journal, [key, value, ...].
  out.Close(']').Key("items").Open('[');
  for (const Item& item : timeline.items) {
    std::string facts;
    for (const Fact& fact : item.facts) {
      facts += fmt::format("{}{},{}", facts.empty() ? "" : ",", strings.Of(fact.key),
                           strings.Of(fact.value));
    }
    out.Raw(fmt::format("[{},{},{},{},{},{},{},{},{},[{}]]", item.lane, item.row,
                        Microseconds(item.begin), Microseconds(item.end),
                        static_cast<int>(item.look), static_cast<int>(item.tone), item.open ? 1 : 0,
                        strings.Of(item.label), item.sequence, facts));
  }
  out.Close(']').Key("strings").Raw(strings.Json()).Close('}');
  return out.Take();
}

void TimelineShelf::Add(const std::string& key, std::string json, bool good) {
  const std::size_t room = good ? most_bytes_ / 2 : most_bytes_;
  if (bytes_ + json.size() > room) {
    ++left_out_;
    return;
  }
  bytes_ += json.size();
  json_[key] = std::move(json);
}

const std::string* TimelineShelf::Find(const std::string& key) const {
  const auto it = json_.find(key);
  return it == json_.end() ? nullptr : &it->second;
}

std::string TimelineKey(const SubjectReport& subject) {
  return fmt::format("{}@{}", subject.Label(), subject.world);
}

std::string HtmlPage(const RunReport& run, const TimelineShelf& timelines,
                     const Redactor& redactor) {
  std::string data = DataElement("run", RunJson(run, timelines, redactor));
  for (std::size_t i = 0; i < run.subjects.size(); ++i) {
    if (const std::string* json = timelines.Find(TimelineKey(run.subjects[i])))
      data += DataElement(fmt::format("timeline-{}", i), *json);
  }
  // The page's own text has one place for each part; what is put in is not looked at again.
  std::string page;
  std::string_view rest = kTimelinePage;
  const auto put = [&](std::string_view place, std::string_view part) {
    const std::size_t at = rest.find(place);
    page += rest.substr(0, at);
    page += part;
    rest.remove_prefix(at + place.size());
  };
  put("/*STYLE*/", kTimelineStyle);
  put("<!--DATA-->", data);
  put("/*SCRIPT*/", kTimelineScript);
  page += rest;
  return page;
}

}  // namespace squall::reports
