#pragma once
// What the callbacks at the end of workflows and of standalone activities have in common.

#include <optional>
#include <string>

#include "base/util/status.h"
#include "fakes/engine/nexus_operations.h"
#include "fakes/engine/nexus_state.h"
#include "fakes/engine/pb.h"

namespace squall::fakes::engine {

// Of a request: addresses, header, number. Puts header names into lower case.
Status NormalizeCallbacks(google::protobuf::RepeatedPtrField<common::Callback>* callbacks);

// Calls back. The text of the error; none: delivered.
std::optional<std::string> CallBack(Core& core, const common::Callback& callback,
                                    const NexusCompletion& completion);
// Notes in `callback` how that went.
void NoteCall(const Core& core, CompletionCallback* callback,
              const std::optional<std::string>& error);

// When it started, as it travels: an HTTP date has whole seconds.
WallTime AsHttpDate(WallTime time);

}  // namespace squall::fakes::engine
