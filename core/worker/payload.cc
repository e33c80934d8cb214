// The only file here that includes nlohmann's JSON; parse errors are asked for as values, so
// nothing is thrown.
#include "core/worker/payload.h"

#include <nlohmann/json.hpp>

namespace squall::core {
namespace {

constexpr char kEncodingKey[] = "encoding";
constexpr std::string_view kJsonPlain = "json/plain";
constexpr std::string_view kBinaryNull = "binary/null";

using nlohmann::json;

Payload MakePayload(std::string_view encoding, std::string data) {
  Payload payload;
  (*payload.mutable_metadata())[kEncodingKey] = std::string(encoding);
  payload.set_data(std::move(data));
  return payload;
}

Payload Dump(const json& value) {
  return MakePayload(kJsonPlain, value.dump(-1, ' ', false, json::error_handler_t::replace));
}

std::string_view EncodingOf(const Payload& payload) {
  const auto it = payload.metadata().find(kEncodingKey);
  return it == payload.metadata().end() ? std::string_view() : std::string_view(it->second);
}

StatusOr<json> Parse(const Payload& payload) {
  const std::string_view encoding = EncodingOf(payload);
  if (encoding == kBinaryNull) return json();
  if (encoding != kJsonPlain) {
    return MakeStatus(StatusCode::kInvalidArgument,
                      "payload has encoding '{}', not json/plain or binary/null", encoding);
  }
  json value = json::parse(payload.data(), nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded()) {
    return MakeStatus(StatusCode::kInvalidArgument,
                      "payload of encoding json/plain is no JSON ({} bytes)",
                      payload.data().size());
  }
  return value;
}

Status Mismatch(std::string_view wanted, const json& value) {
  return MakeStatus(StatusCode::kInvalidArgument, "expected {}, found {}", wanted,
                    value.type_name());
}

// Integers may also arrive as floats without a fraction: JavaScript knows no other number.
StatusOr<std::int64_t> AsInteger(const json& value) {
  if (value.is_number_integer()) return value.get<std::int64_t>();
  if (value.is_number_float()) {
    const double number = value.get<double>();
    const auto whole = static_cast<std::int64_t>(number);
    if (number >= -9e15 && number <= 9e15 && static_cast<double>(whole) == number) return whole;
  }
  return Mismatch("an integer", value);
}

}  // namespace

Payload JsonPayload(std::string text) { return MakePayload(kJsonPlain, std::move(text)); }

Payload NullPayload() { return MakePayload(kBinaryNull, ""); }

StatusOr<std::string> PayloadToJson(const Payload& payload) {
  const StatusOr<json> value = Parse(payload);
  if (!value.ok()) return value.status();
  if (value->is_null()) return std::string("null");
  return payload.data();
}

Payload Codec<bool>::Encode(const bool& value) { return Dump(json(value)); }
StatusOr<bool> Codec<bool>::Decode(const Payload& in) {
  SQUALL_ASSIGN_OR_RETURN(const json value, Parse(in));
  if (!value.is_boolean()) return Mismatch("a boolean", value);
  return value.get<bool>();
}

Payload Codec<int>::Encode(const int& value) { return Dump(json(value)); }
StatusOr<int> Codec<int>::Decode(const Payload& in) {
  SQUALL_ASSIGN_OR_RETURN(const json value, Parse(in));
  SQUALL_ASSIGN_OR_RETURN(const std::int64_t number, AsInteger(value));
  if (number < INT32_MIN || number > INT32_MAX) return Mismatch("a 32-bit integer", value);
  return static_cast<int>(number);
}

Payload Codec<std::int64_t>::Encode(const std::int64_t& value) { return Dump(json(value)); }
StatusOr<std::int64_t> Codec<std::int64_t>::Decode(const Payload& in) {
  SQUALL_ASSIGN_OR_RETURN(const json value, Parse(in));
  return AsInteger(value);
}

Payload Codec<double>::Encode(const double& value) { return Dump(json(value)); }
StatusOr<double> Codec<double>::Decode(const Payload& in) {
  SQUALL_ASSIGN_OR_RETURN(const json value, Parse(in));
  if (!value.is_number()) return Mismatch("a number", value);
  return value.get<double>();
}

Payload Codec<std::string>::Encode(const std::string& value) { return Dump(json(value)); }
StatusOr<std::string> Codec<std::string>::Decode(const Payload& in) {
  SQUALL_ASSIGN_OR_RETURN(const json value, Parse(in));
  if (!value.is_string()) return Mismatch("a string", value);
  return value.get<std::string>();
}

Payload Codec<Json>::Encode(const Json& value) {
  return value.text == "null" ? NullPayload() : JsonPayload(value.text);
}
StatusOr<Json> Codec<Json>::Decode(const Payload& in) {
  SQUALL_ASSIGN_OR_RETURN(std::string text, PayloadToJson(in));
  return Json{std::move(text)};
}

Payload Codec<Nothing>::Encode(const Nothing&) { return NullPayload(); }
// Whatever the other side returned, a caller that wants nothing is content.
StatusOr<Nothing> Codec<Nothing>::Decode(const Payload&) { return Nothing{}; }

Payload Codec<Payload>::Encode(const Payload& value) { return value; }
StatusOr<Payload> Codec<Payload>::Decode(const Payload& in) { return in; }

}  // namespace squall::core
