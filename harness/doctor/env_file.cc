#include "harness/doctor/env_file.h"

#include <algorithm>
#include <cctype>

namespace squall::doctor {
namespace {

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\r'; }
bool IsNameCharacter(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.' || c == '-';
}

class EnvReader {
 public:
  explicit EnvReader(std::string_view text) : text_(text) {}

  StatusOr<std::vector<std::pair<std::string, std::string>>> Read() {
    std::vector<std::pair<std::string, std::string>> result;
    while (at_ < text_.size()) {
      SkipBlanks();
      if (End() || Peek() == '#') {
        SkipLine();
        continue;
      }
      SQUALL_ASSIGN_OR_RETURN(std::string name, Name());
      SQUALL_ASSIGN_OR_RETURN(std::string value, Value());
      result.emplace_back(std::move(name), std::move(value));
    }
    return result;
  }

 private:
  bool End() const { return at_ >= text_.size() || text_[at_] == '\n'; }
  char Peek() const { return text_[at_]; }
  void SkipBlanks() {
    while (!End() && IsBlank(Peek())) ++at_;
  }
  void SkipLine() {
    while (!End()) ++at_;
    if (at_ < text_.size()) ++at_;
    ++line_;
  }
  Status Bad(std::string_view what) const {
    return MakeStatus(StatusCode::kInvalidArgument, "line {}: {}", line_, what);
  }

  StatusOr<std::string> Name() {
    std::string name = Word();
    if (name == "export" && !End() && IsBlank(Peek())) {
      SkipBlanks();
      name = Word();
    }
    SkipBlanks();
    if (name.empty() || End() || Peek() != '=') return Bad("not NAME=value");
    ++at_;
    return name;
  }
  std::string Word() {
    const std::size_t from = at_;
    while (!End() && IsNameCharacter(Peek())) ++at_;
    return std::string(text_.substr(from, at_ - from));
  }

  StatusOr<std::string> Value() {
    SkipBlanks();
    if (!End() && (Peek() == '"' || Peek() == '\'')) return Quoted();
    const std::size_t from = at_;
    while (!End() && !(Peek() == '#' && at_ > from && IsBlank(text_[at_ - 1]))) ++at_;
    std::string value(text_.substr(from, at_ - from));
    while (!value.empty() && IsBlank(value.back())) value.pop_back();
    SkipLine();
    return value;
  }

  StatusOr<std::string> Quoted() {
    const char quote = text_[at_++];
    const std::size_t began = line_;
    std::string value;
    for (; at_ < text_.size() && text_[at_] != quote; ++at_) {
      char c = text_[at_];
      if (c == '\n') ++line_;
      if (c == '\\' && quote == '"' && at_ + 1 < text_.size()) {
        c = text_[++at_];
        c = c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
      }
      value += c;
    }
    if (at_ >= text_.size()) {
      line_ = began;
      return Bad("the quote is never closed");
    }
    ++at_;
    SkipBlanks();
    if (!End() && Peek() != '#') return Bad("something stands behind the closing quote");
    SkipLine();
    return value;
  }

  std::string_view text_;
  std::size_t at_ = 0, line_ = 1;
};

}  // namespace

StatusOr<std::vector<std::pair<std::string, std::string>>> ParseEnvFile(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);  // a byte order mark
  return EnvReader(text).Read();
}

}  // namespace squall::doctor
