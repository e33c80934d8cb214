#pragma once
// gRPC server reflection (grpc.reflection.v1 and v1alpha, which have the same messages): what
// grpcurl and its like ask.

#include <string>
#include <string_view>

namespace squall::fakes {

inline constexpr std::string_view kReflectionV1 = "grpc.reflection.v1.ServerReflection";
inline constexpr std::string_view kReflectionV1Alpha = "grpc.reflection.v1alpha.ServerReflection";
inline constexpr std::string_view kReflectionMethod = "ServerReflectionInfo";

// A serialized ServerReflectionResponse to a serialized ServerReflectionRequest. Bytes that are no
// request are answered with an error response (INVALID_ARGUMENT).
std::string AnswerReflection(const std::string& request);

}  // namespace squall::fakes
