#pragma once
// The bytes of a state file: a mark, then frames. Each frame is a length, the CRC-32 of its
// payload, the CRC-32 of these two, and the payload; all numbers are little-endian. The first
// payload is the header, the others are records. Described for users in docs/fake-server.md.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/util/clock.h"
#include "base/util/status.h"
#include "fakes/engine/engine.h"

namespace squall::fakes::state {

inline constexpr std::string_view kMark = "squall-server state\n";
// Grows with every change of what is below.
inline constexpr std::uint32_t kFormat = 1;

// What a file was written under: the options of the engine that change what it does, by name.
struct Header {
  std::uint32_t format = kFormat;
  std::vector<std::pair<std::string, std::string>> options;
};
Header HeaderOf(const EngineOptions& options);

struct Record {
  // The kinds of EngineInput, and the server's time moving ahead of the calendar (to `offset`).
  enum class Kind : std::uint8_t {
    kCall = 1,
    kCancel = 2,
    kAdvance = 3,
    kRestart = 4,
    kOffset = 5
  };
  Kind kind = Kind::kAdvance;
  Moment now{};
  std::uint64_t call = 0;
  RpcRequest request;
  bool keep_data = false;
  Duration offset{};
  std::uint64_t digest = 0;  // of the engine after the input
};

std::string Encode(const Header& header);
std::string Encode(const EngineInput& input, std::uint64_t digest);
std::string EncodeOffset(Moment now, Duration offset);
StatusOr<Header> DecodeHeader(std::string_view payload);
StatusOr<Record> DecodeRecord(std::string_view payload);

std::string Frame(std::string_view payload);

// What lies at an offset of a file.
struct FrameAt {
  enum class State {
    kWhole,
    kEnd,      // nothing: the file ends here
    kTorn,     // no whole frame, and none behind it: the last write did not get through
    kDamaged,  // no whole frame, but whole ones behind it
  };
  State state = State::kEnd;
  std::string_view payload;
  std::size_t next = 0;  // where the next frame begins
};
FrameAt ReadFrame(std::string_view file, std::size_t offset);

}  // namespace squall::fakes::state
