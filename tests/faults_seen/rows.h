#pragma once
// The faults that clients are shown. What each client is to see of them stands in expected.txt.

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "harness/net/net_fault.h"

namespace squall::seen {

enum class When {
  kFresh,        // the fault is there before the client connects
  kEstablished,  // it comes to a client whose first call was answered
};

struct Row {
  std::string_view name;
  // Rules in JSON, or the name of a TLS mode, or a fault of the TCP proxy in front.
  std::string_view rules, tls_mode;
  std::optional<harness::NetFault> net;
  std::string_view server_rules;  // of the fake server behind the proxy, for the faulty call
  When when = When::kEstablished;
  std::size_t input_bytes = 0;    // of the call that meets the fault; 0: GetSystemInfo
  bool unseen = false;            // the fault does its work without being told of it
  bool plaintext_client = false;  // of TLS modes
  bool by_address = false;
  bool certificate = true;  // the client has one
  // Of the call that meets the fault; generous where it is not what ends the call.
  int deadline_ms = 10000;
};

std::span<const Row> Rows();

}  // namespace squall::seen
