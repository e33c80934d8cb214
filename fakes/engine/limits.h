#pragma once
// How large the real server lets things become, with the default values of its dynamic
// configuration, and what it puts in the place of what is larger.

#include <cstddef>
#include <string_view>

#include "fakes/engine/pb.h"

namespace squall::fakes::engine {

inline constexpr std::size_t kBlobSizeWarn = std::size_t{512} << 10;  // limit.blobSize.warn
inline constexpr std::size_t kBlobSizeError = std::size_t{2} << 20;   // limit.blobSize.error
inline constexpr std::size_t kMemoSizeError = std::size_t{2} << 20;   // limit.memoSize.error
inline constexpr std::string_view kBlobExceedsLimit = "Blob data size exceeds limit.";

// Whether a payload or failure is beyond limit.blobSize.error. Null is not.
bool ExceedsBlobLimit(const google::protobuf::Message* payload);

// A failure of the server's own that no retry mends.
failure::Failure ServerFailure(std::string_view message);

// `given`, or when it is too large the server's failure with what is left of it as the cause.
failure::Failure WithinBlobLimit(const failure::Failure& given);

}  // namespace squall::fakes::engine
