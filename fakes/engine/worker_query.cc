#include "fakes/engine/worker_query.h"

#include <absl/strings/ascii.h>
#include <fmt/format.h>
#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <cctype>
#include <optional>
#include <string>
#include <vector>

#include "fakes/engine/errors.h"
#include "fakes/engine/times.h"

namespace squall::fakes::engine {

struct WorkerQuery::Node {
  enum class Kind { kAnd, kOr, kCompare, kNull, kBetween, kNonsense };
  Kind kind = Kind::kNonsense;
  std::shared_ptr<const Node> left, right;
  std::string field, op, value, upper;  // upper: of between
  bool quoted = false, negated = false;
};

namespace {

using Node = WorkerQuery::Node;

struct Token {
  enum class Kind { kWord, kText, kNumber, kSymbol, kEnd };
  Kind kind = Kind::kEnd;
  std::string text;
  std::size_t end = 0;  // offset behind it
};

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) { Next(); }

  StatusOr<std::shared_ptr<const Node>> Query() {
    auto node = Or();
    if (!failed_ && Word("order")) {  // read, and of no effect
      while (token_.kind != Token::Kind::kEnd && !Word("limit")) Next();
    }
    if (!failed_ && Word("limit"))
      return InvalidArgument("operation is not supported: 'limit' clause");
    if (!failed_ && token_.kind != Token::Kind::kEnd) Fail();
    if (failed_) {
      // Where the real parser stood: the prefix it puts before the filter counts too.
      constexpr std::size_t kPrefix = 27;  // "select * from table1 where "
      const std::string near = token_.text.empty() || token_.kind == Token::Kind::kSymbol
                                   ? ""
                                   : fmt::format(" near '{}'", token_.text);
      return InvalidArgument(fmt::format("malformed query: syntax error at position {}{}",
                                         kPrefix + token_.end + 1, near));
    }
    return node;
  }

 private:
  void Fail() { failed_ = true; }
  bool Word(std::string_view word) const {
    return token_.kind == Token::Kind::kWord && absl::AsciiStrToLower(token_.text) == word;
  }
  bool Take(std::string_view word) {
    if (!Word(word)) return false;
    Next();
    return true;
  }

  void Next() {
    if (failed_) return;
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
    token_ = {};
    if (at_ == text_.size()) {
      token_.end = at_;
      return;
    }
    const char c = text_[at_];
    if (c == '\'' || c == '"') {
      token_.kind = Token::Kind::kText;
      for (++at_; at_ < text_.size() && text_[at_] != c; ++at_) {
        if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
        token_.text += text_[at_];
      }
      if (at_ == text_.size()) {
        Fail();
      } else {
        ++at_;
      }
    } else if (std::isalpha(static_cast<unsigned char>(c)) || c == '_' || c == '`') {
      token_.kind = Token::Kind::kWord;
      for (; at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) ||
                                    text_[at_] == '_' || text_[at_] == '`');
           ++at_) {
        if (text_[at_] != '`') token_.text += text_[at_];
      }
    } else if (std::isdigit(static_cast<unsigned char>(c))) {
      token_.kind = Token::Kind::kNumber;
      for (; at_ < text_.size() &&
             (std::isdigit(static_cast<unsigned char>(text_[at_])) || text_[at_] == '.');
           ++at_) {
        token_.text += text_[at_];
      }
    } else {
      token_.kind = Token::Kind::kSymbol;
      token_.text = c;
      ++at_;
      if (at_ < text_.size() &&
          ((c == '!' && text_[at_] == '=') || (c == '<' && text_[at_] == '=') ||
           (c == '>' && text_[at_] == '=') || (c == '<' && text_[at_] == '>'))) {
        token_.text += text_[at_++];
        if (token_.text == "<>") token_.text = "!=";
      }
    }
    token_.end = at_;
  }

  std::shared_ptr<const Node> Join(Node::Kind kind, std::shared_ptr<const Node> left,
                                   std::shared_ptr<const Node> right) {
    auto node = std::make_shared<Node>();
    node->kind = kind;
    node->left = std::move(left);
    node->right = std::move(right);
    return node;
  }
  std::shared_ptr<const Node> Or() {
    auto left = And();
    while (!failed_ && Take("or")) left = Join(Node::Kind::kOr, left, And());
    return left;
  }
  std::shared_ptr<const Node> And() {
    auto left = Term();
    while (!failed_ && Take("and")) left = Join(Node::Kind::kAnd, left, Term());
    return left;
  }
  std::shared_ptr<const Node> Term() {
    if (failed_) return nullptr;
    if (token_.kind == Token::Kind::kSymbol && token_.text == "(") {
      Next();
      auto inner = Or();
      if (token_.kind != Token::Kind::kSymbol || token_.text != ")") {
        Fail();
        return nullptr;
      }
      Next();
      return inner;
    }
    auto node = std::make_shared<Node>();
    if (Take("not")) {  // read, and never true
      Term();
      return node;
    }
    if (token_.kind != Token::Kind::kWord) {
      Fail();
      return nullptr;
    }
    node->field = token_.text;
    Next();
    if (Take("is")) {
      node->negated = Take("not");
      if (!Take("null")) Fail();
      node->kind = Node::Kind::kNull;
      return node;
    }
    node->negated = Take("not");
    if (Take("between")) {
      node->kind = Node::Kind::kBetween;
      node->value = Value(node.get());
      if (!Take("and")) Fail();
      node->upper = Value(node.get());
      return node;
    }
    if (Take("in")) {  // read, and never true
      if (token_.text != "(") Fail();
      while (!failed_ && token_.kind != Token::Kind::kEnd && token_.text != ")") Next();
      if (token_.text != ")") Fail();
      Next();
      return node;
    }
    if (Take("like") || Take("rlike")) {
      Value(node.get());
      return node;
    }
    if (Take("starts_with")) {
      node->op = "starts_with";
    } else if (token_.kind == Token::Kind::kSymbol && !node->negated) {
      static const char* const kOperators[] = {"=", "!=", "<", "<=", ">", ">="};
      if (std::find(std::begin(kOperators), std::end(kOperators), token_.text) ==
          std::end(kOperators)) {
        Fail();
        return nullptr;
      }
      node->op = token_.text;
      Next();
    } else if (token_.kind == Token::Kind::kEnd && !node->negated) {
      return node;  // a field alone: an incomplete expression, never true
    } else {
      Fail();
      return nullptr;
    }
    node->kind = Node::Kind::kCompare;
    node->value = Value(node.get());
    return node;
  }
  std::string Value(Node* node) {
    if (token_.kind == Token::Kind::kWord) {  // another field: read, and never true
      node->kind = Node::Kind::kNonsense;
      Next();
      return {};
    }
    if (token_.kind != Token::Kind::kText && token_.kind != Token::Kind::kNumber) {
      Fail();
      return {};
    }
    node->quoted = token_.kind == Token::Kind::kText;
    std::string value = token_.text;
    Next();
    return value;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  Token token_;
  bool failed_ = false;
};

// The text of a field; nothing for fields of another kind or none.
std::optional<std::string> TextOf(const workerpb::WorkerHeartbeat& worker,
                                  const std::string& field) {
  if (field == "WorkerInstanceKey") return worker.worker_instance_key();
  if (field == "WorkerIdentity") return worker.worker_identity();
  if (field == "HostName") return worker.host_info().host_name();
  if (field == "TaskQueue") return worker.task_queue();
  if (field == "DeploymentName") return worker.deployment_version().deployment_name();
  if (field == "BuildId") return worker.deployment_version().build_id();
  if (field == "SdkName") return worker.sdk_name();
  if (field == "SdkVersion") return worker.sdk_version();
  if (field == "WorkerStatus" || absl::AsciiStrToLower(field) == "status") {
    // Go's name of the value: WORKER_STATUS_SHUTTING_DOWN -> ShuttingDown.
    std::string name = enums::WorkerStatus_Name(worker.status()).substr(14), pascal;
    bool upper = true;
    for (const char c : name) {
      if (c == '_') {
        upper = true;
        continue;
      }
      pascal += upper ? c : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      upper = false;
    }
    return pascal;
  }
  return {};
}

struct TimeField {
  bool known = false, set = false;
  WallTime value{};
};

TimeField TimeOf(const workerpb::WorkerHeartbeat& worker, const std::string& field) {
  if (field == "StartTime") return {true, worker.has_start_time(), FromProto(worker.start_time())};
  if (field == "HeartbeatTime")
    return {true, worker.has_heartbeat_time(), FromProto(worker.heartbeat_time())};
  return {};
}

std::optional<WallTime> ParseTime(const std::string& text) {
  google::protobuf::Timestamp time;
  if (!google::protobuf::util::TimeUtil::FromString(text, &time)) return {};
  return FromProto(time);
}

bool Ordered(const WallTime& a, const std::string& op, const WallTime& b) {
  if (op == "=") return a == b;
  if (op == "!=") return a != b;
  if (op == "<") return a < b;
  if (op == "<=") return a <= b;
  if (op == ">") return a > b;
  return op == ">=" && a >= b;
}

bool Evaluate(const Node& node, const workerpb::WorkerHeartbeat& worker) {
  switch (node.kind) {
    case Node::Kind::kAnd:
      return Evaluate(*node.left, worker) && Evaluate(*node.right, worker);
    case Node::Kind::kOr:
      return Evaluate(*node.left, worker) || Evaluate(*node.right, worker);
    case Node::Kind::kNull: {
      if (const auto text = TextOf(worker, node.field)) return text->empty() != node.negated;
      const TimeField time = TimeOf(worker, node.field);
      return time.known && time.set == node.negated;
    }
    case Node::Kind::kCompare: {
      if (const auto text = TextOf(worker, node.field)) {
        if (node.value.empty() || !node.quoted) return false;
        if (node.op == "=") return *text == node.value;
        if (node.op == "!=") return *text != node.value;
        return node.op == "starts_with" && text->starts_with(node.value) != node.negated;
      }
      const TimeField time = TimeOf(worker, node.field);
      const auto value = ParseTime(node.value);
      return time.known && value && Ordered(time.value, node.op, *value);
    }
    case Node::Kind::kBetween: {
      const TimeField time = TimeOf(worker, node.field);
      const auto from = ParseTime(node.value), to = ParseTime(node.upper);
      if (!time.known || !time.set || !from || !to) return false;
      return (time.value >= *from && time.value <= *to) != node.negated;
    }
    default:
      return false;
  }
}

}  // namespace

StatusOr<WorkerQuery> WorkerQuery::Parse(std::string_view text) {
  WorkerQuery query;
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())))
    text.remove_prefix(1);
  if (text.empty()) return query;
  const std::string start = absl::AsciiStrToLower(std::string(text.substr(0, 7)));
  if (start.starts_with("where ") || start.starts_with("select ")) {
    return MakeStatus(StatusCode::kUnknown, "invalid filter: {}", text);
  }
  SQUALL_ASSIGN_OR_RETURN(query.root_, Parser(text).Query());
  return query;
}

bool WorkerQuery::Matches(const workerpb::WorkerHeartbeat& heartbeat) const {
  return root_ == nullptr || Evaluate(*root_, heartbeat);
}

}  // namespace squall::fakes::engine
