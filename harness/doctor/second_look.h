#pragma once
// Further connections to a peer that is not what the settings say: is it another protocol, TLS,
// plaintext? They tell what they saw and judge nothing.

#include <string>
#include <vector>

#include "harness/doctor/answer.h"
#include "harness/doctor/probe.h"

namespace squall::doctor {

// What a peer does with a TLS client that trusts everything.
struct TlsLook {
  bool speaks_tls = false;  // it sent a TLS record
  bool done = false;        // the handshake is complete
  std::string alpn, subject, error;
  bool certificate_requested = false;
};
TlsLook LookWithTls(const Probe& probe, const Endpoint& endpoint, std::vector<std::string> alpn,
                    Duration limit);

// What a peer answers to the beginning of HTTP/2 in plaintext.
Answer LookInPlaintext(const Probe& probe, const Endpoint& endpoint, Duration limit);

// It is Temporal's web interface or its HTTP API: answers to two GET requests say so. With TLS
// (unverified, ALPN http/1.1) or without.
bool IsTemporalsWeb(const Probe& probe, const Endpoint& endpoint, bool tls, Duration limit);

}  // namespace squall::doctor
