#pragma once
// The TLS layer: what the server shows, what it asks for, and why it or we refuse.

#include <memory>
#include <string>

#include "harness/doctor/probe.h"

namespace squall::doctor {

// A connection with TLS and HTTP/2 negotiated; null when there is none, which is then told.
std::unique_ptr<Channel> Handshake(const Probe& probe, const Endpoint& endpoint);

// After the handshake: the peer refused the client's certificate (TLS 1.3 says so then), or ended
// the connection when it had asked for one. False when it did not.
bool TellRefusedClient(const Probe& probe, const Channel& channel);

}  // namespace squall::doctor
