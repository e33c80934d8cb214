#pragma once
// Whose code an address belongs to: for stories, and to know callers that are told apart by name.
//
// The program's own functions are looked up in its symbol table (a stripped program has none),
// those of libraries among what they export.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace squall::sim {

// From its first byte to the one after its last.
struct CodeRange {
  std::uintptr_t begin = 0, end = 0;
  bool Holds(std::uintptr_t address) const { return address >= begin && address < end; }
};

// "libcrypto.so.3+0x1b2c3 (after RAND_bytes)", "squall-sim (squall::sim::RunSeed)". Costs a
// millisecond or ten.
std::string PlaceOf(std::uintptr_t address);

// The program's functions whose mangled names begin with one of these, in the order of addresses.
std::vector<CodeRange> OwnFunctions(std::span<const std::string_view> prefixes);

// The code of the library that the program has loaded under a name that begins so; empty when there
// is none.
CodeRange LibraryCode(std::string_view file_name);

}  // namespace squall::sim
