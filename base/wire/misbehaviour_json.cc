// JSON form of rules. One description of each effect's fields serves reader and writer.

#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/util/text.h"
#include "base/wire/misbehaviour.h"

namespace squall::wire {
namespace {

using nlohmann::json;

template <typename T>
using Names = std::vector<std::pair<std::string, T>>;

const Names<Way> kWays = {{"request", Way::kRequest}, {"answer", Way::kAnswer}};
const Names<LoseAnswer::How> kLosses = {{"silence", LoseAnswer::How::kSilence},
                                        {"reset_stream", LoseAnswer::How::kResetStream},
                                        {"close_connection", LoseAnswer::How::kCloseConnection},
                                        {"reset_connection", LoseAnswer::How::kResetConnection}};
const Names<AnswerTwice::As> kTwice = {{"messages", AnswerTwice::As::kMessages},
                                       {"responses", AnswerTwice::As::kResponses}};
const Names<AnswerEmpty::What> kEmpties = {{"message", AnswerEmpty::What::kMessage},
                                           {"nothing", AnswerEmpty::What::kNothing}};
const Names<AnswerMalformed::How> kMalformed = {{"garbage", AnswerMalformed::How::kGarbage},
                                                {"truncated", AnswerMalformed::How::kTruncated},
                                                {"compressed", AnswerMalformed::How::kCompressed}};
const Names<bool> kHeaderPlaces = {{"headers", false}, {"trailers", true}};
const Names<bool> kVersions = {{"2", false}, {"1.1", true}};
const Names<bool> kRefusals = {{"status", false}, {"page", true}};
const Names<Trigger> kTriggers = {{"call", Trigger::kCall},
                                  {"connection", Trigger::kConnection},
                                  {"now", Trigger::kNow},
                                  {"every", Trigger::kEvery}};
const Names<std::uint16_t> kSettings = {{"header_table_size", 1},      {"enable_push", 2},
                                        {"max_concurrent_streams", 3}, {"initial_window_size", 4},
                                        {"max_frame_size", 5},         {"max_header_list_size", 6}};

std::vector<std::string> KeysOf(const auto& names) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : names) keys.push_back(key);
  return keys;
}

// --- Durations and errors' names
// --------------------------------------------------------------------------------------

constexpr std::pair<std::string_view, std::int64_t> kUnits[] = {
    {"h", 3'600'000'000'000}, {"m", 60'000'000'000}, {"s", 1'000'000'000},
    {"ms", 1'000'000},        {"us", 1'000},         {"ns", 1}};

// A century, in nanoseconds: longer than any script means, and well inside a Duration (292 years).
constexpr double kLongest = 100 * 365.25 * 86'400e9;

std::optional<Duration> ReadDuration(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || !(number >= 0)) return std::nullopt;  // from_chars reads "nan" too
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  for (const auto& [name, factor] : kUnits) {
    if (unit != name) continue;
    const double nanoseconds = number * static_cast<double>(factor);
    if (nanoseconds > kLongest) return std::nullopt;
    return Duration(std::llround(nanoseconds));
  }
  return std::nullopt;
}

std::string WriteDuration(Duration d) {
  for (const auto& [name, factor] : kUnits) {
    if (d.count() % factor == 0) return fmt::format("{}{}", d.count() / factor, name);
  }
  return {};
}

// --- Reading
// ----------------------------------------------------------------------------------------------------------

// The first thing that is wrong, by its place.
struct Failure {
  Status status;
  bool ok() const { return status.ok(); }
  void Set(const std::string& place, const std::string& text) {
    if (ok()) status = MakeStatus(StatusCode::kInvalidArgument, "{}: {}", place, text);
  }
};

// One JSON object being read: keys that nobody asked for are errors.
class Reader {
 public:
  Reader(const json& in, std::string place, Failure& failure)
      : in_(in), place_(std::move(place)), failure_(failure) {
    if (!in_.is_object()) failure_.Set(place_, "must be an object");
  }

  const json* Find(const char* name, bool required = false) {
    known_.emplace_back(name);
    const auto it = in_.is_object() ? in_.find(name) : in_.end();
    if (in_.is_object() && it != in_.end()) return &*it;
    if (required) failure_.Set(place_, fmt::format("'{}' is missing", name));
    return nullptr;
  }
  std::string Place(const char* name) const { return place_.empty() ? name : place_ + "." + name; }
  void Fail(const char* name, const std::string& text) { failure_.Set(Place(name), text); }

  void Text(const char* name, std::string& out, const std::string& = {}, bool required = false) {
    const json* value = Find(name, required);
    if (value == nullptr) return;
    if (!value->is_string()) return Fail(name, "must be a text");
    out = value->get<std::string>();
    if (required && out.empty()) Fail(name, "must not be empty");
  }
  void Flag(const char* name, bool& out, bool = {}) {
    const json* value = Find(name);
    if (value == nullptr) return;
    if (!value->is_boolean()) return Fail(name, "must be true or false");
    out = value->get<bool>();
  }
  template <typename T>
  void Number(const char* name, T& out, T = {}, std::uint64_t least = 0,
              std::uint64_t most = std::numeric_limits<T>::max()) {
    const json* value = Find(name);
    if (value == nullptr) return;
    if (!value->is_number_unsigned() || value->get<std::uint64_t>() < least ||
        value->get<std::uint64_t>() > most) {
      return Fail(name, fmt::format("must be a whole number from {} to {}", least, most));
    }
    out = static_cast<T>(value->get<std::uint64_t>());
  }
  void Time(const char* name, Duration& out, Duration = {}, bool required = false) {
    const json* value = Find(name, required);
    if (value == nullptr) return;
    const auto read = value->is_string() ? ReadDuration(value->get<std::string>()) : std::nullopt;
    if (!read.has_value())
      return Fail(name,
                  "must be a time with its unit, like '250ms', '5s' or '1m', of a century at most");
    out = *read;
  }
  void Time(const char* name, std::optional<Duration>& out, std::optional<Duration>) {
    Duration value{};
    if (!in_.is_object() || !in_.contains(name)) return static_cast<void>(Find(name));
    Time(name, value);
    out = value;
  }
  template <typename T>
  void Choice(const char* name, T& out, const Names<T>& names, T = {}) {
    const json* value = Find(name);
    if (value == nullptr) return;
    const std::vector<std::string> keys = KeysOf(names);
    const std::string text = value->is_string() ? value->get<std::string>() : value->dump();
    for (const auto& [key, meaning] : names) {
      if (key == text) return static_cast<void>(out = meaning);
    }
    Fail(name,
         fmt::format("'{}' is none of {}{}", text, fmt::join(keys, ", "), DidYouMean(text, keys)));
  }
  void Code(const char* name, int& out, int) {
    const json* value = Find(name, true);
    if (value == nullptr) return;
    int code = -1;
    if (value->is_number_unsigned()) code = value->get<int>();
    if (value->is_string()) code = CodeFromName(value->get<std::string>());
    if (code >= 1 && code <= 16) return static_cast<void>(out = code);
    std::vector<std::string> names;
    for (int i = 1; i <= 16; ++i) names.emplace_back(CodeName(i));
    Fail(name, fmt::format("{} is no gRPC error code{}", value->dump(),
                           value->is_string() ? DidYouMean(value->get<std::string>(), names) : ""));
  }
  void Error(const char* name, Http2Error& out, Http2Error) {
    const json* value = Find(name);
    if (value == nullptr) return;
    if (value->is_number_unsigned() && value->get<std::uint64_t>() <= 0xffffffff) {
      out = static_cast<Http2Error>(value->get<std::uint32_t>());
      return;
    }
    std::vector<std::string> names;
    for (std::uint32_t i = 0; i <= 0xd; ++i) {
      names.push_back(Http2ErrorName(static_cast<Http2Error>(i)));
      if (*value == names.back()) return static_cast<void>(out = static_cast<Http2Error>(i));
    }
    Fail(name, fmt::format("{} is no HTTP/2 error code{}", value->dump(),
                           value->is_string() ? DidYouMean(value->get<std::string>(), names) : ""));
  }
  void LastStream(const char* name, StreamId& out, StreamId) {
    const json* value = Find(name);
    if (value == nullptr) return;
    if (*value == "seen") return static_cast<void>(out = Http2Connection::kSeen);
    if (*value == "all") return static_cast<void>(out = Http2Connection::kEverything);
    if (*value == "none") return static_cast<void>(out = 0);
    if (value->is_number_unsigned() && value->get<std::uint64_t>() <= 0x7fffffff) {
      return static_cast<void>(out = value->get<StreamId>());
    }
    Fail(name, "must be a stream's number, 'seen', 'all' or 'none'");
  }
  void Numbers(const char* name, std::optional<Range>& out, const std::optional<Range>&) {
    const json* value = Find(name);
    if (value == nullptr) return;
    const std::string text = value->is_string() ? value->get<std::string>() : value->dump();
    const auto part = [](std::string_view digits, std::uint64_t& number) {
      const auto [end, error] =
          std::from_chars(digits.data(), digits.data() + digits.size(), number);
      return error == std::errc() && end == digits.data() + digits.size() && number >= 1;
    };
    Range range;
    const std::size_t dash = text.find('-');
    bool good = text != "-";
    if (dash == std::string::npos) {
      good = part(text, range.first);
      range.last = range.first;
    } else {
      if (dash != 0) good = good && part(std::string_view(text).substr(0, dash), range.first);
      if (dash + 1 != text.size())
        good = good && part(std::string_view(text).substr(dash + 1), range.last);
    }
    if (!good || range.first > range.last)
      return Fail(name, "must be like 3, '2-5', '4-' or '-5', from 1");
    out = range;
  }
  void Probability(const char* name, double& out, double) {
    const json* value = Find(name);
    if (value == nullptr) return;
    if (!value->is_number() || value->get<double>() < 0 || value->get<double>() > 1) {
      return Fail(name, "must be from 0 to 1");
    }
    out = value->get<double>();
  }
  void Texts(const char* name, std::vector<std::string>& out, const std::vector<std::string>&) {
    const json* value = Find(name);
    if (value == nullptr) return;
    if (value->is_string()) return out.push_back(value->get<std::string>());
    bool good = value->is_array() && !value->empty();
    for (std::size_t i = 0; good && i < value->size(); ++i) {
      good = (*value)[i].is_string();
      if (good) out.push_back((*value)[i].get<std::string>());
    }
    if (!good) Fail(name, "must be a text or a list of texts");
  }
  void Details(const char* name, std::vector<AnswerStatus::Detail>& out,
               const std::vector<AnswerStatus::Detail>&) {
    const json* value = Find(name);
    if (value == nullptr) return;
    if (!value->is_array()) return Fail(name, "must be a list");
    for (std::size_t i = 0; i < value->size(); ++i) {
      Reader item((*value)[i], fmt::format("{}[{}]", Place(name), i), failure_);
      AnswerStatus::Detail detail;
      item.Text("type", detail.type, {}, true);
      item.Object("fields", detail.fields, "{}");
      item.Done();
      out.push_back(std::move(detail));
    }
  }
  void Object(const char* name, std::string& out, const std::string&, bool required = false) {
    const json* value = Find(name, required);
    if (value == nullptr) return;
    if (!value->is_object() || (required && value->empty()))
      return Fail(name, "must be an object with fields");
    out = value->dump();
  }
  void Settings(std::vector<std::pair<std::uint16_t, std::uint32_t>>& out) {
    for (const auto& [name, id] : kSettings) {
      if (!in_.is_object() || !in_.contains(name)) {
        known_.push_back(name);
        continue;
      }
      std::uint32_t value = 0;
      Number(name.c_str(), value);
      out.emplace_back(id, value);
    }
    if (in_.is_object() && in_.empty()) failure_.Set(place_, "names no setting");
  }

  void Done() {
    if (!in_.is_object()) return;
    for (const auto& [key, value] : in_.items()) {
      if (std::find(known_.begin(), known_.end(), key) == known_.end()) {
        failure_.Set(place_.empty() ? key : place_ + "." + key,
                     "unknown key" + DidYouMean(key, known_));
      }
    }
  }

 private:
  const json& in_;
  const std::string place_;
  Failure& failure_;
  std::vector<std::string> known_;
};

// --- Writing
// ----------------------------------------------------------------------------------------------------------

// Writes what differs from the default.
class Writer {
 public:
  explicit Writer(json& out) : out_(out) {}
  void Text(const char* name, const std::string& v, const std::string& d = {}, bool = false) {
    Put(name, v, v != d);
  }
  void Flag(const char* name, bool v, bool d = {}) { Put(name, v, v != d); }
  template <typename T>
  void Number(const char* name, T v, T d = {}, std::uint64_t = 0, std::uint64_t = 0) {
    Put(name, v, v != d);
  }
  void Time(const char* name, Duration v, Duration d = {}, bool = false) {
    Put(name, WriteDuration(v), v != d);
  }
  void Time(const char* name, const std::optional<Duration>& v, std::optional<Duration>) {
    if (v.has_value()) out_[name] = WriteDuration(*v);
  }
  template <typename T>
  void Choice(const char* name, T v, const Names<T>& names, T d = {}) {
    for (const auto& [key, meaning] : names) {
      if (meaning == v) Put(name, key, v != d);
    }
  }
  void Code(const char* name, int v, int) { out_[name] = CodeName(v); }
  void Error(const char* name, Http2Error v, Http2Error d) {
    const auto number = static_cast<std::uint32_t>(v);
    Put(name, number <= 0xd ? json(Http2ErrorName(v)) : json(number), v != d);
  }
  void LastStream(const char* name, StreamId v, StreamId d) {
    Put(name,
        v == Http2Connection::kEverything ? json("all")
        : v == 0                          ? json("none")
                                          : json(v),
        v != d);
  }
  void Numbers(const char* name, const std::optional<Range>& v, const std::optional<Range>&) {
    if (!v.has_value()) return;
    if (v->first == v->last) {
      out_[name] = v->first;
    } else if (v->last == Range().last) {
      out_[name] = fmt::format("{}-", v->first);
    } else {
      out_[name] = fmt::format("{}-{}", v->first, v->last);
    }
  }
  void Probability(const char* name, double v, double d) { Put(name, v, v != d); }
  void Texts(const char* name, const std::vector<std::string>& v, const std::vector<std::string>&) {
    if (v.size() == 1) out_[name] = v.front();
    if (v.size() > 1) out_[name] = v;
  }
  void Details(const char* name, const std::vector<AnswerStatus::Detail>& v,
               const std::vector<AnswerStatus::Detail>&) {
    for (const AnswerStatus::Detail& detail : v) {
      json item = {{"type", detail.type}};
      if (detail.fields != "{}") item["fields"] = json::parse(detail.fields, nullptr, false);
      out_[name].push_back(std::move(item));
    }
  }
  void Object(const char* name, const std::string& v, const std::string& d, bool = false) {
    Put(name, json::parse(v, nullptr, false), v != d);
  }
  void Settings(const std::vector<std::pair<std::uint16_t, std::uint32_t>>& v) {
    for (const auto& [id, value] : v) {
      for (const auto& [name, known] : kSettings) {
        if (known == id) out_[name] = value;
      }
    }
  }

 private:
  template <typename T>
  void Put(const char* name, const T& value, bool write) {
    if (write) out_[name] = value;
  }
  json& out_;
};

// --- The fields
// -------------------------------------------------------------------------------------------------------

// `e` is what is read into or written, `d` a default one.
void Fields(auto& v, auto& e, const AnswerStatus& d) {
  v.Code("code", e.code, d.code);
  v.Text("message", e.message);
  v.Details("details", e.details, d.details);
}
void Fields(auto& v, auto& e, const DelayCall& d) {
  v.Time("by", e.by, d.by, true);
  v.Choice("way", e.way, kWays, d.way);
}
void Fields(auto&, auto&, const HangCall&) {}
void Fields(auto& v, auto& e, const LoseAnswer& d) {
  v.Choice("how", e.how, kLosses, d.how);
  v.Error("error", e.error, d.error);
}
void Fields(auto& v, auto& e, const AnswerTwice& d) { v.Choice("as", e.as, kTwice, d.as); }
void Fields(auto& v, auto& e, const AnswerEmpty& d) { v.Choice("what", e.what, kEmpties, d.what); }
void Fields(auto& v, auto& e, const AnswerMalformed& d) {
  v.Choice("how", e.how, kMalformed, d.how);
}
void Fields(auto& v, auto& e, const ChangeAnswer& d) {
  v.Object("fields", e.fields, d.fields, true);
}
void Fields(auto& v, auto& e, const HoldCall& d) {
  v.Text("gate", e.gate, d.gate, true);
  v.Choice("way", e.way, kWays, d.way);
}
void Fields(auto& v, auto& e, const ResetStream& d) {
  v.Error("error", e.error, d.error);
  v.Flag("headers", e.headers, d.headers);
}
void Fields(auto&, auto&, const MissingTrailers&) {}
void Fields(auto& v, auto& e, const OversizedHeader& d) {
  v.Number("bytes", e.bytes, d.bytes, 1, 15 << 20);
  v.Choice("in", e.in_trailers, kHeaderPlaces, d.in_trailers);
}
void Fields(auto& v, auto& e, const AnswerHttp& d) {
  v.Number("status", e.status, d.status, 200, 599);
  v.Text("content_type", e.content_type, d.content_type);
  v.Text("body", e.body, d.body);
  v.Choice("version", e.http1, kVersions, d.http1);
}
void Fields(auto& v, auto& e, const ReadTimeout& d) {
  v.Time("by", e.by, d.by);
  v.Number("status", e.status, d.status, 200, 599);
  v.Text("content_type", e.content_type, d.content_type);
  v.Text("body", e.body, d.body);
}
void Fields(auto& v, auto& e, const LimitMessage& d) {
  v.Number("bytes", e.bytes, d.bytes, 1);
  v.Choice("way", e.way, kWays, d.way);
  v.Choice("answer", e.page, kRefusals, d.page);
}
void Fields(auto&, auto&, const RepeatRequest&) {}
void Fields(auto& v, auto& e, const SendGoaway& d) {
  v.Error("error", e.error, d.error);
  v.LastStream("last_stream", e.last_stream, d.last_stream);
  v.Text("debug", e.debug, d.debug);
  v.Flag("close", e.close, d.close);
}
void Fields(auto& v, auto& e, const ChangeSettings&) { v.Settings(e.values); }
void Fields(auto&, auto&, const WithholdPingAck&) {}
void Fields(auto&, auto&, const WithholdWindow&) {}
void Fields(auto&, auto&, const CloseConnection&) {}
void Fields(auto&, auto&, const ResetConnection&) {}
void Fields(auto&, auto&, const HalfOpen&) {}
void Fields(auto& v, auto& e, const Matcher& d) {
  v.Texts("method", e.methods, d.methods);
  v.Text("namespace", e.ns);
  v.Text("task_queue", e.task_queue);
  v.Text("identity", e.identity);
  v.Text("workflow_id", e.workflow_id);
  v.Text("listener", e.listener);
  v.Numbers("number", e.numbers, d.numbers);
  v.Numbers("stream", e.streams, d.streams);
  v.Numbers("connection", e.connections, d.connections);
  v.Time("from", e.from, d.from);
  v.Time("until", e.until, d.until);
  v.Probability("probability", e.probability, d.probability);
  v.Number("times", e.times, d.times, 1);
}

template <std::size_t I = 0>
bool MakeEffect(std::string_view name, Effect& out) {
  if constexpr (I == std::variant_size_v<Effect>) {
    return false;
  } else {
    using T = std::variant_alternative_t<I, Effect>;
    if (name != T::kName) return MakeEffect<I + 1>(name, out);
    out = T();
    return true;
  }
}

void ReadEffect(const json& in, const std::string& place, Effect& out, Failure& failure) {
  std::string name;
  json fields = json::object();
  if (in.is_string()) {
    name = in.get<std::string>();
  } else if (in.is_object() && in.size() == 1) {
    name = in.begin().key();
    fields = in.begin().value();
  } else {
    return failure.Set(place,
                       "must be one effect: its name, or an object with the name as its only key");
  }
  if (!MakeEffect(name, out)) {
    const std::vector<std::string> names = EffectNames();
    return failure.Set(place,
                       fmt::format("there is no effect '{}'{}", name, DidYouMean(name, names)));
  }
  std::visit(
      [&]<typename T>(T& effect) {
        Reader reader(fields, place + "." + name, failure);
        Fields(reader, effect, T());
        reader.Done();
      },
      out);
}

Rule ReadRule(const json& in, const std::string& place, Failure& failure) {
  Rule rule;
  Reader reader(in, place, failure);
  reader.Text("id", rule.id);
  reader.Text("why", rule.why);
  if (const json* match = reader.Find("match")) {
    Reader fields(*match, reader.Place("match"), failure);
    Fields(fields, rule.match, Matcher());
    fields.Done();
  }
  const json* effect = reader.Find("do", true);
  if (effect != nullptr) ReadEffect(*effect, reader.Place("do"), rule.effect, failure);
  const bool connection = OnConnection(rule.effect);
  rule.on = connection && !rule.match.NamesCalls() ? Trigger::kConnection : Trigger::kCall;
  reader.Choice("on", rule.on, kTriggers);
  reader.Time("after", rule.after);
  reader.Done();
  if (effect != nullptr && !connection && rule.on != Trigger::kCall) {
    reader.Fail("on",
                fmt::format("'{}' happens to calls, not to connections", EffectName(rule.effect)));
  }
  if (rule.on != Trigger::kCall && rule.match.NamesCalls()) {
    reader.Fail("match", "names calls, but the rule is set off by connections");
  }
  if (rule.match.until.has_value() && *rule.match.until <= rule.match.from) {
    reader.Fail("match", "'until' is not behind 'from'");
  }
  return rule;
}

}  // namespace

StatusOr<std::vector<Rule>> RulesFromJson(std::string_view text) {
  json in;
  try {
    in = json::parse(text);
  } catch (const json::exception& e) {
    // nlohmann names line and column behind "[json.exception.parse_error.101] ".
    const std::string_view what = e.what();
    return MakeStatus(StatusCode::kInvalidArgument, "not JSON: {}",
                      what.substr(what.find("] ") + 2));
  }
  Failure failure;
  std::vector<Rule> rules;
  Reader reader(in, "", failure);
  if (const json* list = reader.Find("rules", true)) {
    if (!list->is_array()) failure.Set("rules", "must be a list");
    for (std::size_t i = 0; list->is_array() && i < list->size(); ++i) {
      rules.push_back(ReadRule((*list)[i], fmt::format("rules[{}]", i), failure));
      for (std::size_t j = 0; j < i; ++j) {
        if (!rules[i].id.empty() && rules[j].id == rules[i].id) {
          failure.Set(fmt::format("rules[{}].id", i),
                      fmt::format("'{}' is taken by rules[{}]", rules[i].id, j));
        }
      }
    }
  }
  reader.Done();
  if (!failure.ok()) {
    // The place of the whole is nothing: no colon in front.
    const std::string_view message = Message(failure.status);
    return message.starts_with(": ")
               ? MakeStatus(StatusCode::kInvalidArgument, "{}", message.substr(2))
               : failure.status;
  }
  return rules;
}

std::string RulesToJson(std::span<const Rule> rules) {
  json list = json::array();
  for (const Rule& rule : rules) {
    json out = json::object();
    Writer writer(out);
    writer.Text("id", rule.id);
    writer.Text("why", rule.why);
    json match = json::object();
    Writer match_writer(match);
    Fields(match_writer, rule.match, Matcher());
    if (!match.empty()) out["match"] = std::move(match);
    const std::string name(EffectName(rule.effect));
    json fields = json::object();
    std::visit(
        [&]<typename T>(const T& effect) {
          Writer effect_writer(fields);
          Fields(effect_writer, effect, T());
        },
        rule.effect);
    if (fields.empty()) {
      out["do"] = name;
    } else {
      out["do"][name] = std::move(fields);
    }
    const Trigger usual = OnConnection(rule.effect) && !rule.match.NamesCalls()
                              ? Trigger::kConnection
                              : Trigger::kCall;
    writer.Choice("on", rule.on, kTriggers, usual);
    writer.Time("after", rule.after);
    list.push_back(std::move(out));
  }
  return json({{"rules", std::move(list)}}).dump(2, ' ', false, json::error_handler_t::replace);
}

}  // namespace squall::wire
