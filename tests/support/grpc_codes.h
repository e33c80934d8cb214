#pragma once
// gRPC's status codes as numbers, as they come over the wire.

namespace squall::testing {

inline constexpr int kCancelled = 1, kUnknown = 2, kDeadlineExceeded = 4, kNotFound = 5,
                     kPermissionDenied = 7, kResourceExhausted = 8, kUnimplemented = 12,
                     kInternal = 13, kUnavailable = 14, kUnauthenticated = 16;

}  // namespace squall::testing
