#pragma once
// Header fields that both roles of gRPC share. Internal to base/wire.

#include <string>
#include <string_view>

#include "base/wire/grpc.h"

namespace squall::wire {

inline constexpr std::string_view kGrpcContentType = "application/grpc";

// "application/grpc", with "+proto" or parameters behind it.
bool IsGrpcContentType(std::string_view value);

// Metadata among a block's fields, without pseudo-headers and those that gRPC itself uses. INTERNAL
// for a "-bin" value that is not base64.
StatusOr<Metadata> TakeMetadata(Headers headers);
void AppendMetadata(const Metadata& metadata, Headers& headers);

// grpc-status, grpc-message and grpc-status-details-bin.
void AppendStatus(const GrpcStatus& status, Headers& headers);
// Nullopt when there is no grpc-status; UNKNOWN when it is not a number.
std::optional<GrpcStatus> ReadStatus(const Headers& headers);

GrpcStatus GrpcFailure(StatusCode code, std::string message);

}  // namespace squall::wire
