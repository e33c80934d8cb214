#pragma once
// Entry points for fuzzing base/wire. Each takes any bytes and must return; a crash, a hang, a
// sanitizer's finding or a failed check is a defect. libFuzzer drives them in the fuzz preset,
// tests/unit/base/wire/fuzz_targets_test.cc everywhere.

#include <string>
#include <string_view>
#include <vector>

namespace squall::fuzz {

// What a gRPC server makes of a client's bytes. The first byte chooses how the rest is cut into
// pieces.
void GrpcServerBytes(std::string_view bytes);
// What a gRPC client with open calls makes of a server's bytes.
void GrpcClientBytes(std::string_view bytes);
// Message framing: the result must not depend on how the bytes are cut. Complete messages also go
// through Gunzip.
void GrpcFrames(std::string_view bytes);
// The encodings of header values: timeouts, percent, base64.
void GrpcFields(std::string_view bytes);

// A relay between a client and a server that do anything, with rules in effect: it must neither
// hold more than it may nor end a call twice.
void RelayScript(std::string_view script);

// Inputs to begin with, for all targets alike: whole conversations and their parts.
std::vector<std::string> WireSeeds();
std::vector<std::string> RelaySeeds();

}  // namespace squall::fuzz
