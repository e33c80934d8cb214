#pragma once
// Every RPC of the services, with its handler or the reason why there is none.

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fakes/engine/calls.h"
#include "fakes/engine/engine.h"

namespace squall::fakes::engine {

struct Core;

struct RpcEntry {
  RpcSupport support;
  // What the journal tells about the request; empty fields for bytes that are none.
  CallInfo (*describe)(const std::string& bytes) = nullptr;
  // Handles an open call; null for refused RPCs.
  void (*handle)(Core& core, CallId call, const std::string& bytes) = nullptr;
};

const std::vector<RpcEntry>& RpcTable();
// Null for an unknown service or method.
const RpcEntry* FindRpc(std::string_view service, std::string_view method);

}  // namespace squall::fakes::engine
