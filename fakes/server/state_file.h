#pragma once
// A fake server's state in a file: the inputs of its engine, in order. The engine is a pure state
// machine, so replaying them into a new one gives the old state back. Each input is written with
// one write before its answer can go out: killing the process loses nothing that was answered. (The
// file is not synced to the disk: losing the machine may tear its end.)

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/util/clock.h"
#include "base/util/status.h"
#include "fakes/engine/engine.h"

namespace squall::fakes {

struct StateFileOptions {
  // Made when it does not exist; readable by its owner only, as it holds payloads.
  std::string path;
  // Forget what is in the file: a server restarted empty.
  bool reset = false;
  // Cut off a last record that is torn, instead of refusing the file.
  bool repair = false;
};

// What was found in a file.
struct StateFileReport {
  std::uint64_t inputs = 0;                 // replayed
  std::uint64_t cut_at = 0, cut_bytes = 0;  // the torn record that was cut off; no bytes: none
};

// Single-threaded.
class StateFile {
 public:
  // Opens and locks the file, makes it when there is none, and reads its header. UNAVAILABLE while
  // another server has it, DATA_LOSS when it is torn or damaged (with the offset),
  // FAILED_PRECONDITION when it is no state file, of another format, or written under other
  // options.
  static StatusOr<std::unique_ptr<StateFile>> Open(StateFileOptions options,
                                                   const EngineOptions& engine);
  ~StateFile();
  StateFile(const StateFile&) = delete;
  StateFile& operator=(const StateFile&) = delete;

  // Puts the recorded inputs into an engine that is new, drops the calls that were held at the end,
  // and records what the engine is given from now on. `engine` must outlive this. DATA_LOSS as
  // above; FAILED_PRECONDITION when the engine gets into another state than the one that wrote the
  // file: that was another version of squall.
  Status Replay(Engine& engine);

  // After Replay: the moment of the last record, none in a new file; how far ahead of the calendar
  // the server was.
  std::optional<Moment> last() const { return last_; }
  Duration offset() const { return offset_; }
  const StateFileReport& report() const { return report_; }

  // The server's time has moved to `now`, `offset` ahead of the calendar. Before the input that is
  // given at that time.
  void RecordOffset(Moment now, Duration offset);

  // The first error of writing. From then on nothing is recorded, and nothing may be answered.
  const Status& status() const { return status_; }
  const std::string& path() const { return options_.path; }

 private:
  explicit StateFile(StateFileOptions options) : options_(std::move(options)) {}
  Status Lock();
  Status ReadHeader(const EngineOptions& engine);
  // Leaves the mark and a header of this version only.
  Status Begin(const EngineOptions& engine);
  Status ReplayFrames(Engine& engine, std::string_view file);
  Status CutOff(std::uint64_t offset, std::uint64_t size);
  void Append(std::string_view payload);
  template <typename... Args>
  Status Error(StatusCode code, fmt::format_string<Args...> format, Args&&... args) const {
    return MakeStatus(code, "state file {}: {}", options_.path,
                      fmt::format(format, std::forward<Args>(args)...));
  }

  const StateFileOptions options_;
  int fd_ = -1;
  std::uint64_t size_ = 0;   // of what is whole
  std::uint64_t begin_ = 0;  // of the first record
  Engine* engine_ = nullptr;
  std::optional<Moment> last_;
  Duration offset_{};
  StateFileReport report_;
  Status status_;
};

}  // namespace squall::fakes
