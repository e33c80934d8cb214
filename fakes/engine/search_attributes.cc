#include "fakes/engine/search_attributes.h"

#include <fmt/format.h>

#include "fakes/engine/commands.h"
#include "fakes/engine/namespaces.h"

namespace squall::fakes::engine {
namespace {

constexpr auto kBool = enums::INDEXED_VALUE_TYPE_BOOL;
constexpr auto kDatetime = enums::INDEXED_VALUE_TYPE_DATETIME;
constexpr auto kInt = enums::INDEXED_VALUE_TYPE_INT;
constexpr auto kKeyword = enums::INDEXED_VALUE_TYPE_KEYWORD;
constexpr auto kKeywordList = enums::INDEXED_VALUE_TYPE_KEYWORD_LIST;

AttributeTypes Columns() {
  AttributeTypes columns;
  const auto add = [&](std::string_view name, enums::IndexedValueType type, int count) {
    for (int i = 1; i <= count; ++i) columns[fmt::format("{}{:02}", name, i)] = type;
  };
  add("Bool", kBool, 3);
  add("Datetime", kDatetime, 3);
  add("Double", enums::INDEXED_VALUE_TYPE_DOUBLE, 3);
  add("Int", kInt, 3);
  add("Keyword", kKeyword, 10);
  add("KeywordList", kKeywordList, 3);
  add("Text", enums::INDEXED_VALUE_TYPE_TEXT, 3);
  return columns;
}

}  // namespace

const AttributeTypes& SystemAttributes() {
  static const auto* const types =
      new AttributeTypes{{"BatcherNamespace", kKeyword},
                         {"BatcherUser", kKeyword},
                         {"BinaryChecksums", kKeywordList},
                         {"BuildIds", kKeywordList},
                         {"CloseTime", kDatetime},
                         {"ExecutionDuration", kInt},
                         {"ExecutionStatus", kKeyword},
                         {"ExecutionTime", kDatetime},
                         {"HistoryLength", kInt},
                         {"HistorySizeBytes", kInt},
                         {"ParentRunId", kKeyword},
                         {"ParentWorkflowId", kKeyword},
                         {"RootRunId", kKeyword},
                         {"RootWorkflowId", kKeyword},
                         {"RunId", kKeyword},
                         {"StartTime", kDatetime},
                         {"StateTransitionCount", kInt},
                         {"TaskQueue", kKeyword},
                         {"TemporalChangeVersion", kKeywordList},
                         {"TemporalExternalPayloadCount", kInt},
                         {"TemporalExternalPayloadSizeBytes", kInt},
                         {"TemporalNamespaceDivision", kKeyword},
                         {"TemporalPauseInfo", kKeywordList},
                         {"TemporalReportedProblems", kKeywordList},
                         {kSchedulePaused, kBool},
                         {kScheduledById, kKeyword},
                         {kScheduledStartTime, kDatetime},
                         {"TemporalUsedWorkerDeploymentVersions", kKeywordList},
                         {"TemporalWorkerDeployment", kKeyword},
                         {"TemporalWorkerDeploymentVersion", kKeyword},
                         {"TemporalWorkflowVersioningBehavior", kKeyword},
                         {"WorkflowId", kKeyword},
                         {"WorkflowType", kKeyword}};
  return *types;
}

const AttributeTypes& StoreColumns() {
  static const auto* const columns = new AttributeTypes(Columns());
  return *columns;
}

std::string TypeName(enums::IndexedValueType type) {
  return PascalName(enums::IndexedValueType_Name(type), "INDEXED_VALUE_TYPE_");
}

common::Payload TypedAttribute(std::string data, enums::IndexedValueType type) {
  common::Payload value;
  (*value.mutable_metadata())["encoding"] = "json/plain";
  (*value.mutable_metadata())["type"] = TypeName(type);
  value.set_data(std::move(data));
  return value;
}

void SetType(const Namespace& ns, const std::string& key, common::Payload* value) {
  auto it = ns.search_attributes.find(key);
  if (it == ns.search_attributes.end()) {
    it = SystemAttributes().find(key);
    if (it == SystemAttributes().end()) return;
  }
  (*value->mutable_metadata())["type"] = TypeName(it->second);
}

std::string JsonQuoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == '<' || c == '>' || c == '&') {
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + "\"";
}

common::Payloads JsonText(std::string_view text) {
  common::Payloads payloads;
  common::Payload* payload = payloads.add_payloads();
  (*payload->mutable_metadata())["encoding"] = "json/plain";
  payload->set_data(JsonQuoted(text));
  return payloads;
}

}  // namespace squall::fakes::engine
