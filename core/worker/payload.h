#pragma once
// Values on their way through Temporal: typed C++ to and from payloads in the two encodings that
// every official SDK writes by default, "json/plain" and "binary/null" (the SDKs' default payload
// converter).
//
// Codec<T> converts one type; it exists for bool, int, int64, double, std::string, Json (any JSON
// text, kept as it is), Nothing (no value), Payload (no conversion) and std::optional of these.
// Other types bring a specialization.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "base/util/status.h"
#include "temporal/api/common/v1/message.pb.h"

namespace squall::core {

using Payload = temporal::api::common::v1::Payload;
using Payloads = std::vector<Payload>;

// Any JSON value as text, passed on byte for byte.
struct Json {
  std::string text = "null";
  friend bool operator==(const Json&, const Json&) = default;
};

// The absence of a value: what a workflow or activity without result returns. Encoded as
// binary/null.
struct Nothing {
  friend bool operator==(const Nothing&, const Nothing&) = default;
};

// A payload with encoding json/plain around `text`, which must be valid JSON.
Payload JsonPayload(std::string text);
// The payload of None and of Nothing: encoding binary/null, no data.
Payload NullPayload();
// The value as JSON text: the data of json/plain, "null" for binary/null; INVALID_ARGUMENT for
// other encodings and for data that is no JSON.
StatusOr<std::string> PayloadToJson(const Payload& payload);

template <typename T>
struct Codec;

// Decode's errors are INVALID_ARGUMENT and name the wanted type and what was there instead.
#define SQUALL_DECLARE_CODEC(type)                   \
  template <>                                        \
  struct Codec<type> {                               \
    static Payload Encode(const type& value);        \
    static StatusOr<type> Decode(const Payload& in); \
  }
SQUALL_DECLARE_CODEC(bool);
SQUALL_DECLARE_CODEC(int);
SQUALL_DECLARE_CODEC(std::int64_t);
SQUALL_DECLARE_CODEC(double);
SQUALL_DECLARE_CODEC(std::string);
SQUALL_DECLARE_CODEC(Json);
SQUALL_DECLARE_CODEC(Nothing);
SQUALL_DECLARE_CODEC(Payload);
#undef SQUALL_DECLARE_CODEC

template <typename T>
struct Codec<std::optional<T>> {
  static Payload Encode(const std::optional<T>& value) {
    return value ? Codec<T>::Encode(*value) : NullPayload();
  }
  static StatusOr<std::optional<T>> Decode(const Payload& in) {
    SQUALL_ASSIGN_OR_RETURN(const std::string text, PayloadToJson(in));
    if (text == "null") return std::optional<T>();
    SQUALL_ASSIGN_OR_RETURN(T value, Codec<T>::Decode(in));
    return std::optional<T>(std::move(value));
  }
};

template <typename T>
Payload Encode(const T& value) {
  return Codec<T>::Encode(value);
}

namespace internal {

template <typename T>
inline constexpr bool kIsOptional = false;
template <typename T>
inline constexpr bool kIsOptional<std::optional<T>> = true;

template <typename T>
StatusOr<T> DecodeAt(const Payloads& in, std::size_t index) {
  if (index >= in.size()) {
    if constexpr (kIsOptional<T>) return T();
    return MakeStatus(StatusCode::kInvalidArgument, "argument {} is missing: {} given", index + 1,
                      in.size());
  }
  StatusOr<T> value = Codec<T>::Decode(in[index]);
  if (!value.ok()) return Annotate(value.status(), fmt::format("argument {}", index + 1));
  return value;
}

template <typename... Args, std::size_t... I>
StatusOr<std::tuple<Args...>> DecodeAll(const Payloads& in, std::index_sequence<I...>) {
  std::tuple<StatusOr<Args>...> parts{DecodeAt<Args>(in, I)...};
  Status first;
  [[maybe_unused]] const auto look = [&first](const auto& part) {
    if (first.ok() && !part.ok()) first = part.status();
  };
  (look(std::get<I>(parts)), ...);
  if (!first.ok()) return first;
  return std::tuple<Args...>(*std::move(std::get<I>(parts))...);
}

}  // namespace internal

// The arguments as the types of `Args`. Missing trailing optionals are empty, surplus arguments are
// ignored (so that callers may be newer than the code), anything else that does not fit is
// INVALID_ARGUMENT.
template <typename... Args>
StatusOr<std::tuple<Args...>> DecodeArguments(const Payloads& in) {
  return internal::DecodeAll<Args...>(in, std::index_sequence_for<Args...>());
}

}  // namespace squall::core
