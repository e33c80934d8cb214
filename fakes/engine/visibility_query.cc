#include "fakes/engine/visibility_query.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <variant>
#include <vector>

#include "fakes/engine/commands.h"
#include "fakes/engine/core.h"
#include "fakes/engine/errors.h"

namespace squall::fakes::engine {
namespace {

// A value in a comparison: text, number, or nothing (NULL).
using Value = std::variant<std::monostate, std::string, double>;
using Predicate = std::function<bool(const Run&)>;

struct VisibilityToken {
  enum Kind { kWord, kText, kNumber, kSign, kEnd } kind = kEnd;
  std::string text;
};

std::string Upper(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return out;
}

StatusOr<std::vector<VisibilityToken>> Tokens(std::string_view text) {
  std::vector<VisibilityToken> tokens;
  std::size_t i = 0;
  while (i < text.size()) {
    const char c = text[i];
    if (std::isspace(static_cast<unsigned char>(c))) {
      ++i;
    } else if (c == '\'' || c == '"') {
      std::string value;
      std::size_t j = i + 1;
      while (j < text.size()) {
        if (text[j] == c) {
          if (j + 1 >= text.size() || text[j + 1] != c) break;
          ++j;  // a doubled quote stands for one
        } else if (text[j] == '\\' && j + 1 < text.size()) {
          ++j;
        }
        value.push_back(text[j++]);
      }
      if (j >= text.size())
        return InvalidArgument("invalid query: malformed SQL query: a quote is not closed");
      tokens.push_back({VisibilityToken::kText, value});
      i = j + 1;
    } else if (std::isdigit(static_cast<unsigned char>(c)) ||
               (c == '-' && i + 1 < text.size() &&
                std::isdigit(static_cast<unsigned char>(text[i + 1])))) {
      std::size_t j = i + 1;
      while (j < text.size() &&
             (std::isdigit(static_cast<unsigned char>(text[j])) || text[j] == '.'))
        ++j;
      tokens.push_back({VisibilityToken::kNumber, std::string(text.substr(i, j - i))});
      i = j;
    } else if (std::isalpha(static_cast<unsigned char>(c)) || c == '_' || c == '`') {
      const bool quoted = c == '`';
      std::size_t j = quoted ? i + 1 : i;
      const std::size_t begin = j;
      while (j < text.size() && (quoted ? text[j] != '`'
                                        : std::isalnum(static_cast<unsigned char>(text[j])) ||
                                              text[j] == '_' || text[j] == '-' || text[j] == '.')) {
        ++j;
      }
      tokens.push_back({VisibilityToken::kWord, std::string(text.substr(begin, j - begin))});
      i = quoted ? j + 1 : j;
    } else {
      static constexpr std::string_view kSigns[] = {"!=", "<>", "<=", ">=", "=",
                                                    "<",  ">",  "(",  ")",  ","};
      bool found = false;
      for (const std::string_view sign : kSigns) {
        if (!text.substr(i).starts_with(sign)) continue;
        tokens.push_back({VisibilityToken::kSign, sign == "<>" ? "!=" : std::string(sign)});
        i += sign.size();
        found = true;
        break;
      }
      if (!found)
        return InvalidArgument(
            fmt::format("invalid query: malformed SQL query: unexpected character '{}'", c));
    }
  }
  tokens.push_back({});
  return tokens;
}

std::string StatusName(const Run& run) {
  return PascalName(enums::WorkflowExecutionStatus_Name(run.status), "WORKFLOW_EXECUTION_STATUS_");
}

// RFC 3339 in UTC sorts as text when the fraction has a fixed width.
Value TimeValue(WallTime time) { return FormatWall(time); }

Value NormalizeTime(const Value& value) {
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr) {
    // Nanoseconds since 1970, as the real server takes them.
    if (const auto* number = std::get_if<double>(&value)) {
      return TimeValue(WallTime(std::chrono::nanoseconds(std::llround(*number))));
    }
    return value;
  }
  std::string out = *text;
  if (!out.empty() && (out.back() == 'Z' || out.back() == 'z')) out.pop_back();
  if (out.ends_with("+00:00")) out.resize(out.size() - 6);
  const std::size_t dot = out.find('.');
  std::string fraction = dot == std::string::npos ? "" : out.substr(dot + 1);
  if (dot != std::string::npos) out.resize(dot);
  fraction.resize(9, '0');
  return out + "." + fraction + "Z";
}

std::vector<Value> PayloadValues(const common::Payload& payload) {
  // JSON: a string, a number, true/false, or an array of them.
  std::string_view data = payload.data();
  std::vector<Value> values;
  const bool list = data.starts_with("[") && data.ends_with("]");
  if (list) data = data.substr(1, data.size() - 2);
  while (!data.empty()) {
    while (!data.empty() &&
           (data.front() == ',' || std::isspace(static_cast<unsigned char>(data.front())))) {
      data.remove_prefix(1);
    }
    if (data.empty()) break;
    if (data.front() == '"') {
      std::string text;
      data.remove_prefix(1);
      while (!data.empty() && data.front() != '"') {
        if (data.front() == '\\' && data.size() > 1) data.remove_prefix(1);
        text.push_back(data.front());
        data.remove_prefix(1);
      }
      if (!data.empty()) data.remove_prefix(1);
      values.emplace_back(text);
    } else {
      const std::size_t end = std::min(data.find(','), data.size());
      const std::string word(data.substr(0, end));
      char* rest = nullptr;
      const double number = std::strtod(word.c_str(), &rest);
      if (rest != word.c_str()) {
        values.emplace_back(number);
      } else {
        values.emplace_back(word);
      }
      data.remove_prefix(end);
    }
  }
  return values;
}

using Field = std::function<std::vector<Value>(const Run&)>;

class VisibilityParser {
 public:
  VisibilityParser(std::vector<VisibilityToken> tokens, const Namespace& ns)
      : tokens_(std::move(tokens)), ns_(ns) {}

  StatusOr<VisibilityQuery> Parse() {
    VisibilityQuery query;
    query.matches = [](const Run&) { return true; };
    if (!AtClause() && Peek().kind != VisibilityToken::kEnd) {
      SQUALL_ASSIGN_OR_RETURN(query.matches, Or());
    }
    while (Peek().kind != VisibilityToken::kEnd) {
      if (Keyword("GROUP")) {
        if (!Keyword("BY")) return Unexpected();
        const std::string field = Next().text;
        if (field != "ExecutionStatus") {
          return InvalidArgument(
              fmt::format("invalid query: operation is not supported: 'GROUP BY' clause is not "
                          "supported for search attribute {}",
                          field));
        }
        query.group_by = field;
      } else if (Keyword("ORDER")) {
        return InvalidArgument("invalid query: operation is not supported: 'ORDER BY' clause");
      } else {
        return Unexpected();
      }
    }
    return query;
  }

 private:
  const VisibilityToken& Peek() const { return tokens_[at_]; }
  VisibilityToken Next() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }
  bool AtClause() const {
    const std::string word = Upper(Peek().text);
    return Peek().kind == VisibilityToken::kWord && (word == "GROUP" || word == "ORDER");
  }
  bool Keyword(std::string_view word) {
    if (Peek().kind != VisibilityToken::kWord || Upper(Peek().text) != word) return false;
    ++at_;
    return true;
  }
  bool Sign(std::string_view sign) {
    if (Peek().kind != VisibilityToken::kSign || Peek().text != sign) return false;
    ++at_;
    return true;
  }
  Status Unexpected() const {
    return InvalidArgument(
        fmt::format("invalid query: malformed SQL query: not understood at '{}'",
                    Peek().kind == VisibilityToken::kEnd ? "the end" : Peek().text));
  }

  StatusOr<Predicate> Or() {
    SQUALL_ASSIGN_OR_RETURN(Predicate left, And());
    while (Keyword("OR")) {
      SQUALL_ASSIGN_OR_RETURN(Predicate right, And());
      left = [left, right](const Run& run) { return left(run) || right(run); };
    }
    return left;
  }
  StatusOr<Predicate> And() {
    SQUALL_ASSIGN_OR_RETURN(Predicate left, Factor());
    while (Keyword("AND")) {
      SQUALL_ASSIGN_OR_RETURN(Predicate right, Factor());
      left = [left, right](const Run& run) { return left(run) && right(run); };
    }
    return left;
  }
  StatusOr<Predicate> Factor() {
    if (++depth_ > 100) return InvalidArgument("invalid query: nested too deeply");
    if (Keyword("NOT")) {
      SQUALL_ASSIGN_OR_RETURN(Predicate inner, Factor());
      --depth_;
      return Predicate([inner](const Run& run) { return !inner(run); });
    }
    if (Sign("(")) {
      SQUALL_ASSIGN_OR_RETURN(Predicate inner, Or());
      if (!Sign(")")) return Unexpected();
      --depth_;
      return inner;
    }
    --depth_;
    return Comparison();
  }

  StatusOr<Predicate> Comparison() {
    if (Peek().kind != VisibilityToken::kWord) return Unexpected();
    const std::string name = Next().text;
    SQUALL_ASSIGN_OR_RETURN(const Field field, FieldOf(name));
    if (Keyword("IS")) {
      const bool negated = Keyword("NOT");
      if (!Keyword("NULL")) return Unexpected();
      return Predicate([field, negated](const Run& run) { return field(run).empty() != negated; });
    }
    if (Keyword("BETWEEN")) {
      SQUALL_ASSIGN_OR_RETURN(const Value low, ReadValue(name));
      if (!Keyword("AND")) return Unexpected();
      SQUALL_ASSIGN_OR_RETURN(const Value high, ReadValue(name));
      return Any(field, [low, high](const Value& value) { return value >= low && value <= high; });
    }
    const bool negated = Keyword("NOT");
    if (Keyword("IN")) {
      if (!Sign("(")) return Unexpected();
      std::vector<Value> values;
      do {
        SQUALL_ASSIGN_OR_RETURN(Value value, ReadValue(name));
        values.push_back(std::move(value));
      } while (Sign(","));
      if (!Sign(")")) return Unexpected();
      Predicate in = Any(field, [values](const Value& value) {
        return std::find(values.begin(), values.end(), value) != values.end();
      });
      if (!negated) return in;
      return Predicate([in](const Run& run) { return !in(run); });
    }
    if (Keyword("STARTS_WITH")) {
      SQUALL_ASSIGN_OR_RETURN(const Value value, ReadValue(name));
      const auto* prefix = std::get_if<std::string>(&value);
      if (prefix == nullptr) return Unexpected();
      Predicate starts = Any(field, [prefix = *prefix](const Value& candidate) {
        const auto* text = std::get_if<std::string>(&candidate);
        return text != nullptr && text->starts_with(prefix);
      });
      if (!negated) return starts;
      return Predicate([starts](const Run& run) { return !starts(run); });
    }
    if (negated || Peek().kind != VisibilityToken::kSign) return Unexpected();
    const std::string sign = Next().text;
    SQUALL_ASSIGN_OR_RETURN(const Value value, ReadValue(name));
    if (sign == "=")
      return Any(field, [value](const Value& candidate) { return candidate == value; });
    if (sign == "!=") {
      Predicate equal = Any(field, [value](const Value& candidate) { return candidate == value; });
      return Predicate([equal](const Run& run) { return !equal(run); });
    }
    if (sign == "<")
      return Any(field, [value](const Value& candidate) { return candidate < value; });
    if (sign == "<=")
      return Any(field, [value](const Value& candidate) { return candidate <= value; });
    if (sign == ">")
      return Any(field, [value](const Value& candidate) { return candidate > value; });
    if (sign == ">=")
      return Any(field, [value](const Value& candidate) { return candidate >= value; });
    return Unexpected();
  }

  static Predicate Any(Field field, std::function<bool(const Value&)> test) {
    return [field = std::move(field), test = std::move(test)](const Run& run) {
      const std::vector<Value> values = field(run);
      return std::any_of(values.begin(), values.end(), test);
    };
  }

  StatusOr<Value> ReadValue(const std::string& field) {
    const VisibilityToken token = Next();
    Value value;
    if (token.kind == VisibilityToken::kText) {
      value = token.text;
    } else if (token.kind == VisibilityToken::kNumber) {
      value = std::strtod(token.text.c_str(), nullptr);
    } else if (token.kind == VisibilityToken::kWord &&
               (Upper(token.text) == "TRUE" || Upper(token.text) == "FALSE")) {
      value = Upper(token.text) == "TRUE" ? std::string("true") : std::string("false");
    } else {
      return InvalidArgument(
          fmt::format("invalid query: malformed SQL query: no value at '{}'", token.text));
    }
    if (const std::string type = TextType(field);
        token.kind == VisibilityToken::kNumber && !type.empty()) {
      const bool whole = token.text.find('.') == std::string::npos;
      return InvalidArgument(
          fmt::format("invalid query: invalid expression: invalid value type for search attribute "
                      "{} of type {}: {} (type: {})",
                      field, type, token.text, whole ? "int64" : "float64"));
    }
    if (field == "StartTime" || field == "CloseTime" || field == "ExecutionTime")
      return NormalizeTime(value);
    if (field == "ExecutionStatus") {
      if (const auto* number = std::get_if<double>(&value)) {
        value = PascalName(enums::WorkflowExecutionStatus_Name(
                               static_cast<enums::WorkflowExecutionStatus>(*number)),
                           "WORKFLOW_EXECUTION_STATUS_");
      }
      const std::string& name = std::get<std::string>(value);
      for (int i = enums::WORKFLOW_EXECUTION_STATUS_RUNNING;
           i <= enums::WORKFLOW_EXECUTION_STATUS_PAUSED; ++i) {
        const std::string known = PascalName(
            enums::WorkflowExecutionStatus_Name(static_cast<enums::WorkflowExecutionStatus>(i)),
            "WORKFLOW_EXECUTION_STATUS_");
        if (known == name) return value;
      }
      return InvalidArgument(fmt::format(
          "invalid query: invalid expression: invalid ExecutionStatus value '{}'", name));
    }
    return value;
  }

  // "Keyword" or "Text" when the field is of text, else "".
  std::string TextType(const std::string& field) const {
    for (const char* keyword : {"WorkflowId", "RunId", "WorkflowType", "TaskQueue",
                                "ParentWorkflowId", "RootWorkflowId"}) {
      if (field == keyword) return "Keyword";
    }
    const auto it = ns_.search_attributes.find(field);
    if (it == ns_.search_attributes.end()) return {};
    if (it->second == enums::INDEXED_VALUE_TYPE_KEYWORD) return "Keyword";
    return it->second == enums::INDEXED_VALUE_TYPE_TEXT ? "Text" : "";
  }

  StatusOr<Field> FieldOf(const std::string& name) const {
    const auto text = [](auto get) {
      return Field([get](const Run& run) {
        const std::string value = get(run);
        return value.empty() ? std::vector<Value>{} : std::vector<Value>{value};
      });
    };
    if (name == "WorkflowId") return text([](const Run& run) { return run.workflow_id; });
    if (name == "RunId") return text([](const Run& run) { return run.run_id; });
    if (name == "WorkflowType")
      return text([](const Run& run) { return run.start.workflow_type().name(); });
    if (name == "TaskQueue")
      return text([](const Run& run) { return run.start.task_queue().name(); });
    if (name == "ExecutionStatus") return text([](const Run& run) { return StatusName(run); });
    if (name == "ParentWorkflowId") {
      return text(
          [](const Run& run) { return run.start.parent_workflow_execution().workflow_id(); });
    }
    if (name == "RootWorkflowId") {
      return text([](const Run& run) {
        return run.start.has_root_workflow_execution()
                   ? run.start.root_workflow_execution().workflow_id()
                   : run.workflow_id;
      });
    }
    if (name == "StartTime")
      return Field([](const Run& run) { return std::vector<Value>{TimeValue(run.started)}; });
    if (name == "ExecutionTime") {
      return Field(
          [](const Run& run) { return std::vector<Value>{TimeValue(run.execution_time)}; });
    }
    if (name == "CloseTime") {
      return Field([](const Run& run) {
        return run.open() ? std::vector<Value>{} : std::vector<Value>{TimeValue(run.closed)};
      });
    }
    if (name == "HistoryLength") {
      return Field([](const Run& run) {
        return std::vector<Value>{static_cast<double>(run.history.next_event_id() - 1)};
      });
    }
    const bool custom =
        ns_.search_attributes.contains(name) || name.starts_with("Temporal") || name == "BuildIds";
    if (!custom)
      return InvalidArgument(fmt::format("invalid query: invalid search attribute: {}", name));
    return Field([name](const Run& run) {
      const auto it = run.search_attributes.find(name);
      return it == run.search_attributes.end() ? std::vector<Value>{} : PayloadValues(it->second);
    });
  }

  std::vector<VisibilityToken> tokens_;
  const Namespace& ns_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

StatusOr<VisibilityQuery> ParseVisibilityQuery(std::string_view text, const Namespace& ns) {
  SQUALL_ASSIGN_OR_RETURN(std::vector<VisibilityToken> tokens, Tokens(text));
  return VisibilityParser(std::move(tokens), ns).Parse();
}

}  // namespace squall::fakes::engine
