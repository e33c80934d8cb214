#pragma once
// What no payload becomes on its way through Nexus: a null, not nothing.

#include "fakes/engine/pb.h"

namespace squall::fakes::engine {

inline common::Payload NullPayload() {
  common::Payload payload;
  (*payload.mutable_metadata())["encoding"] = "binary/null";
  return payload;
}

}  // namespace squall::fakes::engine
