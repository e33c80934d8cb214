#pragma once
// Entry points for fuzzing base/wire's TLS and fakes/ingress, as in wire_targets.h.

#include <string>
#include <string_view>
#include <vector>

namespace squall::fuzz {

// What a TLS server, a TLS client make of a peer's bytes. The first byte chooses options and how
// the rest is cut.
void TlsServerBytes(std::string_view bytes);
void TlsClientBytes(std::string_view bytes);
// Somebody between a client and a server who changes, drops, repeats and inserts bytes of the
// handshake and of what is said after it: what arrives as plaintext is the beginning of what was
// sent, whatever he does.
void TlsMeddling(std::string_view script);
// An ingress whose client and upstream do what the script says: raw bytes, bytes within TLS, ends,
// errors, time.
void IngressScript(std::string_view script);

std::vector<std::string> TlsSeeds();

}  // namespace squall::fuzz
