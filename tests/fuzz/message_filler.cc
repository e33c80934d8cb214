#include "tests/fuzz/message_filler.h"

#include <google/protobuf/any.pb.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "temporal/api/command/v1/message.pb.h"
#include "temporal/api/update/v1/message.pb.h"

namespace squall::fuzz {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Reflection;

constexpr int kDeepest = 6;
constexpr std::size_t kMostElements = 3;
constexpr std::size_t kMostKept = 8;

using Words = std::vector<const char*>;

// Words by the end of a field's name; the first that fits.
const std::vector<std::pair<std::string_view, Words>>& Dictionary() {
  static const std::vector<std::pair<std::string_view, Words>> words = {
      {"namespace",
       {"default", "default", "default", "default", "default", "default", "default", "other", ""}},
      {"workflow_id", {"wf0", "wf1", "wf2", "own", ""}},
      {"activity_id", {"a0", "a1", "a2", ""}},
      {"timer_id", {"t0", "t1", ""}},
      {"update_id", {"u0", "u1", ""}},
      {"schedule_id", {"s0", "s1", ""}},
      {"job_id", {"j0", "j1", ""}},
      {"operation_id", {"o0", "o1", ""}},
      {"request_id", {"r0", "r1", "r2", ""}},
      {"identity", {"w0", "w1", ""}},
      {"task_queue", {"q0", "q1", "sticky", ""}},
      {"build_id", {"b0", "b1", ""}},
      {"deployment_name", {"d0", "d1", ""}},
      {"series_name", {"d0", "d1", ""}},
      {"worker_instance_key", {"k0", "k1", ""}},
      {"query_type", {"x", "__stack_trace", ""}},
      {"query",
       {"", "WorkflowId = 'wf0'", "ExecutionStatus = 'Running' AND WorkflowType = 'T'",
        "StartTime > '2025-01-01T00:00:00Z' OR CloseTime IS NULL",
        "WorkflowId STARTS_WITH 'wf' ORDER BY StartTime DESC", "K IN ('a', 'b') GROUP BY Status",
        "GROUP BY ExecutionStatus", "N BETWEEN 1 AND 2 AND NOT B = true", "((", "'"}},
      {"visibility_query", {"WorkflowType = 'T'", "", "ActivityType = 'T'"}},
      {"cron_schedule",
       {"* * * * *", "@every 5s", "0 0 31 2 *", "CRON_TZ=Europe/Berlin 0 2 * * *", "x", ""}},
      {"cron_string", {"* * * * *", "@every 5s/3s", "0 0 31 2 *", "*/7 1-3 * JAN MON 2026", "x"}},
      {"timezone_name", {"Europe/Berlin", "America/New_York", "Nowhere", ""}},
      {"encoding", {"json/plain", "binary/null"}},
      {"paths",
       {"start_to_close_timeout", "heartbeat_timeout", "retry_policy", "task_queue.name",
        "versioning_override", "priority", "*", "x"}},
  };
  return words;
}

// A short word of its own now and then.
std::string Text(const FieldDescriptor& field, const Seen& seen, ByteSource& source) {
  if (source.OneIn(16)) return std::string(source.Take(source.Below(24)));
  std::string name = field.name();
  const std::string& holder = field.containing_type()->name();
  if (name == "name" && holder == "TaskQueue") name = "task_queue";
  if (name == "name" && holder == "Namespace") name = "namespace";
  if (const std::string known = seen.Pick(name, source); !known.empty() && !source.OneIn(4))
    return known;
  for (const auto& [end, words] : Dictionary()) {
    if (name.size() >= end.size() && name.compare(name.size() - end.size(), end.size(), end) == 0)
      return words[source.Below(words.size())];
  }
  static constexpr std::array<const char*, 6> kNames = {"T", "x", "K", "N", "B", "e0"};
  return kNames[source.Below(kNames.size())];
}

std::int64_t Integer(ByteSource& source) {
  switch (source.Below(8)) {
    case 0:
      return 0;
    case 1:
      return -1;
    case 2:
      return INT64_MAX;
    case 3:
      return INT64_MIN;
    case 4:
      return static_cast<std::int64_t>(source.Number(4));
    default:
      return static_cast<std::int64_t>(source.Below(24));
  }
}

void FillDuration(google::protobuf::Duration& duration, ByteSource& source) {
  switch (source.Below(8)) {
    case 0:
      break;
    case 1:
      duration.set_seconds(-1);
      break;
    case 2:
      duration.set_seconds(INT64_MAX);
      duration.set_nanos(-5);
      break;
    case 3:
      duration.set_nanos(static_cast<std::int32_t>(source.Number(4)));
      break;
    case 4:
      duration.set_seconds(3600 * static_cast<std::int64_t>(source.Byte()));
      break;
    default:
      duration.set_seconds(static_cast<std::int64_t>(source.Below(30)));
  }
}

void FillTimestamp(google::protobuf::Timestamp& time, ByteSource& source) {
  constexpr std::int64_t kToday = 1767225600;  // of the manual clock
  switch (source.Below(4)) {
    case 0:
      time.set_seconds(Integer(source));
      break;
    case 1:
      time.set_nanos(static_cast<std::int32_t>(source.Number(4)));
      break;
    default:
      time.set_seconds(kToday - 60 + static_cast<std::int64_t>(source.Byte()));
  }
}

class Filler {
 public:
  Filler(const Seen& seen, ByteSource& source) : seen_(seen), source_(source) {}

  void FillMessage(google::protobuf::Message& message, int depth) {
    if (auto* duration = dynamic_cast<google::protobuf::Duration*>(&message))
      return FillDuration(*duration, source_);
    if (auto* time = dynamic_cast<google::protobuf::Timestamp*>(&message))
      return FillTimestamp(*time, source_);
    if (auto* any = dynamic_cast<google::protobuf::Any*>(&message)) return FillAny(*any, depth);
    const Descriptor* type = message.GetDescriptor();
    for (int i = 0; i < type->field_count() && !source_.empty(); ++i) {
      const FieldDescriptor& field = *type->field(i);
      // The field of a oneof is chosen below; of the others most are set.
      if (field.real_containing_oneof() != nullptr || !Wanted(field)) continue;
      Set(message, field, depth);
    }
    for (int i = 0; i < type->real_oneof_decl_count() && !source_.empty(); ++i) {
      const auto* oneof = type->oneof_decl(i);
      const auto choice =
          static_cast<int>(source_.Below(static_cast<std::size_t>(oneof->field_count()) + 1));
      if (choice < oneof->field_count()) Set(message, *oneof->field(choice), depth);
    }
    if (auto* command = dynamic_cast<temporal::api::command::v1::Command*>(&message))
      MakeItFit(*command);
  }

 private:
  // What nothing works without is nearly always there.
  bool Wanted(const FieldDescriptor& field) {
    static const std::vector<std::string_view> kNeeded = {
        "namespace",   "workflow_id", "workflow_execution", "execution",
        "task_queue",  "task_token",  "workflow_type",      "activity_type",
        "activity_id", "name",        "commands",           "schedule_id"};
    for (const std::string_view needed : kNeeded) {
      if (field.name() == needed) return !source_.OneIn(32);
    }
    return source_.OneIn(3);
  }

  // A command's attributes are of its type, most of the time.
  void MakeItFit(temporal::api::command::v1::Command& command) {
    if (source_.OneIn(16)) return;
    const Descriptor* type = command.GetDescriptor();
    const auto* set =
        command.GetReflection()->GetOneofFieldDescriptor(command, type->oneof_decl(0));
    if (set == nullptr) return;
    std::string name = "COMMAND_TYPE_";  // schedule_activity_task_command_attributes
    for (const char c : set->name().substr(0, set->name().rfind("_command_attributes")))
      name += static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    temporal::api::enums::v1::CommandType value{};
    if (temporal::api::enums::v1::CommandType_Parse(name, &value)) command.set_command_type(value);
  }

  // Messages of the update protocol.
  void FillAny(google::protobuf::Any& any, int depth) {
    namespace update = temporal::api::update::v1;
    const auto pack = [&](auto body) {
      FillMessage(body, depth + 1);
      any.PackFrom(body);
    };
    switch (source_.Below(4)) {
      case 0:
        return pack(update::Acceptance());
      case 1:
        return pack(update::Rejection());
      case 2:
        return pack(update::Response());
      default:
        any.set_type_url(std::string(source_.Take(source_.Below(40))));
        any.set_value(std::string(source_.Take(source_.Below(20))));
    }
  }

  void Set(google::protobuf::Message& message, const FieldDescriptor& field, int depth) {
    if (field.message_type() != nullptr && depth >= kDeepest) return;
    if (!field.is_repeated()) return SetOne(message, field, depth, false);
    for (std::size_t i = source_.Below(kMostElements + 1); i > 0; --i)
      SetOne(message, field, depth, true);
  }

  void SetOne(google::protobuf::Message& message, const FieldDescriptor& field, int depth,
              bool add) {
    const Reflection& r = *message.GetReflection();
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return FillMessage(
            add ? *r.AddMessage(&message, &field) : *r.MutableMessage(&message, &field), depth + 1);
      case FieldDescriptor::CPPTYPE_STRING: {
        std::string text = field.type() == FieldDescriptor::TYPE_BYTES
                               ? Bytes(field)
                               : Text(field, seen_, source_);
        // Strings are UTF-8; what is not is refused before the engine sees it.
        if (field.type() != FieldDescriptor::TYPE_BYTES) {
          for (char& c : text) c = static_cast<char>(c & 0x7f);
        }
        return add ? r.AddString(&message, &field, std::move(text))
                   : r.SetString(&message, &field, std::move(text));
      }
      case FieldDescriptor::CPPTYPE_ENUM: {
        const EnumDescriptor* type = field.enum_type();
        const int value = source_.OneIn(32)
                              ? source_.Byte()
                              : type->value(static_cast<int>(source_.Below(
                                                static_cast<std::size_t>(type->value_count()))))
                                    ->number();
        return add ? r.AddEnumValue(&message, &field, value)
                   : r.SetEnumValue(&message, &field, value);
      }
      case FieldDescriptor::CPPTYPE_BOOL: {
        const bool value = source_.Below(2) == 1;
        return add ? r.AddBool(&message, &field, value) : r.SetBool(&message, &field, value);
      }
      case FieldDescriptor::CPPTYPE_INT32: {
        const auto value = static_cast<std::int32_t>(Integer(source_));
        return add ? r.AddInt32(&message, &field, value) : r.SetInt32(&message, &field, value);
      }
      case FieldDescriptor::CPPTYPE_INT64: {
        const std::int64_t value = Integer(source_);
        return add ? r.AddInt64(&message, &field, value) : r.SetInt64(&message, &field, value);
      }
      case FieldDescriptor::CPPTYPE_UINT32: {
        const auto value = static_cast<std::uint32_t>(Integer(source_));
        return add ? r.AddUInt32(&message, &field, value) : r.SetUInt32(&message, &field, value);
      }
      case FieldDescriptor::CPPTYPE_UINT64: {
        const auto value = static_cast<std::uint64_t>(Integer(source_));
        return add ? r.AddUInt64(&message, &field, value) : r.SetUInt64(&message, &field, value);
      }
      case FieldDescriptor::CPPTYPE_DOUBLE: {
        const auto value = static_cast<double>(Integer(source_)) / 4;
        return add ? r.AddDouble(&message, &field, value) : r.SetDouble(&message, &field, value);
      }
      case FieldDescriptor::CPPTYPE_FLOAT: {
        const auto value = static_cast<float>(Integer(source_)) / 4;
        return add ? r.AddFloat(&message, &field, value) : r.SetFloat(&message, &field, value);
      }
    }
  }

  // Tokens that were handed out, whole or damaged; short bytes else.
  std::string Bytes(const FieldDescriptor& field) {
    std::string token = seen_.Pick(field.name(), source_);
    if (!token.empty() && !source_.OneIn(8)) {
      if (source_.OneIn(16)) token[source_.Below(token.size())] = static_cast<char>(source_.Byte());
      return token;
    }
    if (field.name() == "data") {
      static constexpr std::array<const char*, 6> kData = {"1", "\"a\"", "null", "[]", "true", "{"};
      return kData[source_.Below(kData.size())];
    }
    return std::string(source_.Take(source_.Below(12)));
  }

  const Seen& seen_;
  ByteSource& source_;
};

}  // namespace

void Seen::Learn(const google::protobuf::Message& answer) {
  const Reflection& r = *answer.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  r.ListFields(answer, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->is_map()) continue;
    const int count = field->is_repeated() ? std::min(r.FieldSize(answer, field), 4) : 1;
    for (int i = 0; i < count; ++i) {
      if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        Learn(field->is_repeated() ? r.GetRepeatedMessage(answer, field, i)
                                   : r.GetMessage(answer, field));
        continue;
      }
      const std::string& name = field->name();
      const bool useful = name.ends_with("run_id") || name.ends_with("token") ||
                          name == "protocol_instance_id" || name == "endpoint_id";
      if (field->cpp_type() != FieldDescriptor::CPPTYPE_STRING || !useful) continue;
      std::vector<std::string>& kept = values_[name.ends_with("run_id") ? "run_id" : name];
      if (kept.size() == kMostKept) kept.erase(kept.begin());
      kept.push_back(field->is_repeated() ? r.GetRepeatedString(answer, field, i)
                                          : r.GetString(answer, field));
    }
  }
}

std::string Seen::Pick(const std::string& field, ByteSource& source) const {
  const bool run = field.size() >= 6 && field.compare(field.size() - 6, 6, "run_id") == 0;
  const auto known = values_.find(run ? "run_id" : field);
  if (known == values_.end() || known->second.empty()) return {};
  // The latest is what a worker would use.
  const std::size_t back = source.OneIn(3) ? source.Below(known->second.size()) : 0;
  return known->second[known->second.size() - 1 - back];
}

void Fill(google::protobuf::Message& message, const Seen& seen, ByteSource& source) {
  Filler(seen, source).FillMessage(message, 0);
}

}  // namespace squall::fuzz
