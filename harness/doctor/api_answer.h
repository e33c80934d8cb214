#pragma once
// Reading the API's messages, for the files that know them.

#include <string>
#include <string_view>

#include "base/util/status.h"

namespace squall::doctor {

// INTERNAL, naming `what` it should have been, for bytes that are no such message.
template <typename Message>
StatusOr<Message> ParseAnswer(const std::string& answer, std::string_view what) {
  Message message;
  if (!message.ParseFromString(answer))
    return MakeStatus(StatusCode::kInternal, "the answer is no {}", what);
  return message;
}

}  // namespace squall::doctor
