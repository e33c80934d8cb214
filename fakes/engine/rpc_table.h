#pragma once
// Every RPC of the services, with its handler or the reason why there is none.

#include <google/protobuf/message.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fakes/engine/calls.h"
#include "fakes/engine/engine.h"

namespace squall::fakes::engine {

struct Core;

// Empty, or a message of the type of its RPC's requests.
using ParsedRequest = std::unique_ptr<google::protobuf::Message>;

struct RpcEntry {
  RpcSupport support;
  // What the journal tells about the request; empty fields for bytes that are none. `parsed`: what
  // was read, for `handle`.
  CallInfo (*describe)(const std::string& bytes, ParsedRequest& parsed) = nullptr;
  // Handles an open call; null for refused RPCs. Parses the bytes if nobody did.
  void (*handle)(Core& core, CallId call, const std::string& bytes,
                 const ParsedRequest& parsed) = nullptr;
};

const std::vector<RpcEntry>& RpcTable();
// Null for an unknown service or method.
const RpcEntry* FindRpc(std::string_view service, std::string_view method);

}  // namespace squall::fakes::engine
