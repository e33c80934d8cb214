#include "fakes/server/state_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "fakes/server/state_format.h"

namespace squall::fakes {
namespace {

// The bytes of a file as they are now, without a copy.
class Mapping {
 public:
  explicit Mapping(int fd) {
    struct stat info = {};
    if (::fstat(fd, &info) != 0) {
      error_ = errno;
      return;
    }
    if (info.st_size == 0) return;
    const auto size = static_cast<std::size_t>(info.st_size);
    void* bytes = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED) {
      error_ = errno;
      return;
    }
    bytes_ = {static_cast<const char*>(bytes), size};
  }
  ~Mapping() {
    if (!bytes_.empty()) ::munmap(const_cast<char*>(bytes_.data()), bytes_.size());
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  std::string_view bytes() const { return bytes_; }
  int error() const { return error_; }

 private:
  std::string_view bytes_;
  int error_ = 0;
};

// 0, or an errno. What was written of a record that did not get through is taken back.
int WriteAll(int fd, std::string_view bytes, std::uint64_t offset) {
  std::uint64_t at = offset;
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      const int error = n < 0 ? errno : ENOSPC;
      if (at != offset && ::ftruncate(fd, static_cast<off_t>(offset)) != 0) return error;
      return error;
    }
    bytes.remove_prefix(static_cast<std::size_t>(n));
    at += static_cast<std::uint64_t>(n);
  }
  return 0;
}

std::string InputName(const state::Record& record) {
  switch (record.kind) {
    case state::Record::Kind::kCall:
      return record.request.method;
    case state::Record::Kind::kCancel:
      return "a cancelled call";
    case state::Record::Kind::kRestart:
      return "a restart";
    case state::Record::Kind::kAdvance:
    case state::Record::Kind::kOffset:
      break;
  }
  return "time passing";
}

void Apply(Engine& engine, state::Record& record) {
  switch (record.kind) {
    case state::Record::Kind::kCall:
      engine.Call(record.now, record.call, std::move(record.request));
      break;
    case state::Record::Kind::kCancel:
      engine.Cancel(record.now, record.call);
      break;
    case state::Record::Kind::kAdvance:
      engine.Advance(record.now);
      break;
    case state::Record::Kind::kRestart:
      engine.Restart(record.now, record.keep_data);
      break;
    case state::Record::Kind::kOffset:
      break;
  }
  engine.TakeResponses();  // they were given long ago
}

}  // namespace

StatusOr<std::unique_ptr<StateFile>> StateFile::Open(StateFileOptions options,
                                                     const EngineOptions& engine) {
  std::unique_ptr<StateFile> file(new StateFile(std::move(options)));
  SQUALL_RETURN_IF_ERROR(file->Lock());
  SQUALL_RETURN_IF_ERROR(file->ReadHeader(engine));
  return file;
}

StateFile::~StateFile() {
  if (engine_ != nullptr) engine_->SetInputObserver(nullptr);
  if (fd_ >= 0) ::close(fd_);
}

Status StateFile::Lock() {
  fd_ = ::open(options_.path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd_ < 0) {
    return Error(StatusCode::kFailedPrecondition, "cannot open it: {}", std::strerror(errno));
  }
  if (::flock(fd_, LOCK_EX | LOCK_NB) == 0) return absl::OkStatus();
  if (errno == EWOULDBLOCK) return Error(StatusCode::kUnavailable, "another server uses it");
  return Error(StatusCode::kFailedPrecondition, "cannot lock it: {}", std::strerror(errno));
}

Status StateFile::Begin(const EngineOptions& engine) {
  if (::ftruncate(fd_, 0) != 0) {
    return Error(StatusCode::kFailedPrecondition, "cannot empty it: {}", std::strerror(errno));
  }
  const std::string start =
      std::string(state::kMark) + state::Frame(state::Encode(state::HeaderOf(engine)));
  if (const int error = WriteAll(fd_, start, 0); error != 0) {
    return Error(StatusCode::kFailedPrecondition, "cannot write it: {}", std::strerror(error));
  }
  begin_ = size_ = start.size();
  return absl::OkStatus();
}

Status StateFile::ReadHeader(const EngineOptions& engine) {
  const Mapping mapping(fd_);
  if (mapping.error() != 0) {
    return Error(StatusCode::kFailedPrecondition, "cannot read it: {}",
                 std::strerror(mapping.error()));
  }
  const std::string_view file = mapping.bytes();
  if (file.empty()) return Begin(engine);
  const std::string_view mark = file.substr(0, state::kMark.size());
  // Nothing here empties or mends a file of somebody else.
  if (!state::kMark.starts_with(mark)) {
    return Error(StatusCode::kFailedPrecondition, "it is no state file of squall-server");
  }
  if (options_.reset) return Begin(engine);

  const state::FrameAt frame =
      mark.size() < state::kMark.size()
          ? state::FrameAt{.state = state::FrameAt::State::kTorn, .payload = {}}
          : state::ReadFrame(file, mark.size());
  switch (frame.state) {
    case state::FrameAt::State::kWhole:
      break;
    case state::FrameAt::State::kDamaged:
      return Error(StatusCode::kDataLoss, "its header is damaged; --state-file-reset starts empty");
    case state::FrameAt::State::kEnd:
    case state::FrameAt::State::kTorn:
      if (!options_.repair) {
        return Error(StatusCode::kDataLoss,
                     "torn at offset 0, before anything was recorded; --state-file-repair or "
                     "--state-file-reset starts empty");
      }
      report_.cut_bytes = file.size();
      return Begin(engine);
  }
  begin_ = size_ = frame.next;
  const StatusOr<state::Header> header = state::DecodeHeader(frame.payload);
  if (!header.ok()) {
    return Error(header.status().code(), "{}; --state-file-reset starts empty",
                 Message(header.status()));
  }
  const state::Header ours = state::HeaderOf(engine);
  for (std::size_t i = 0; i < std::max(ours.options.size(), header->options.size()); ++i) {
    static const std::pair<std::string, std::string> kNone = {"", "unknown"};
    const auto& mine = i < ours.options.size() ? ours.options[i] : kNone;
    const auto& theirs = i < header->options.size() ? header->options[i] : kNone;
    if (mine == theirs) continue;
    if (mine.first != theirs.first) {
      return Error(StatusCode::kFailedPrecondition,
                   "another version of squall wrote it, with other options; --state-file-reset "
                   "starts empty");
    }
    return Error(StatusCode::kFailedPrecondition,
                 "it was written with {} '{}', this server has '{}'; --state-file-reset starts "
                 "empty",
                 mine.first, theirs.second, mine.second);
  }
  return absl::OkStatus();
}

Status StateFile::Replay(Engine& engine) {
  {
    const Mapping mapping(fd_);
    if (mapping.error() != 0) {
      return Error(StatusCode::kFailedPrecondition, "cannot read it: {}",
                   std::strerror(mapping.error()));
    }
    SQUALL_RETURN_IF_ERROR(ReplayFrames(engine, mapping.bytes()));
  }
  engine_ = &engine;
  engine.SetInputObserver([this](const EngineInput& input) {
    last_ = input.now;
    Append(state::Encode(input, engine_->StateDigest()));
  });
  // The calls of before are gone with their connections.
  if (last_.has_value()) engine.Restart(*last_, /*keep_data=*/true);
  return status_;
}

Status StateFile::ReplayFrames(Engine& engine, std::string_view file) {
  for (std::uint64_t offset = begin_;;) {
    const state::FrameAt frame = state::ReadFrame(file, offset);
    switch (frame.state) {
      case state::FrameAt::State::kWhole:
        break;
      case state::FrameAt::State::kEnd:
        return absl::OkStatus();
      case state::FrameAt::State::kDamaged:
        return Error(
            StatusCode::kDataLoss,
            "damaged at offset {}, with whole records from {} on; this cannot be repaired, "
            "--state-file-reset starts empty",
            offset, frame.next);
      case state::FrameAt::State::kTorn:
        return CutOff(offset, file.size() - offset);
    }
    StatusOr<state::Record> record = state::DecodeRecord(frame.payload);
    if (!record.ok()) {
      return Error(record.status().code(), "{} at offset {}", Message(record.status()), offset);
    }
    last_ = record->now;
    if (record->kind == state::Record::Kind::kOffset) {
      offset_ = record->offset;
    } else {
      const std::string name = InputName(*record);
      ++report_.inputs;
      Apply(engine, *record);
      if (engine.StateDigest() != record->digest) {
        return Error(StatusCode::kFailedPrecondition,
                     "input {} ({}, at offset {}) does something else here than where it was "
                     "written: that was another version of squall; --state-file-reset starts empty",
                     report_.inputs, name, offset);
      }
    }
    offset = size_ = frame.next;
  }
}

Status StateFile::CutOff(std::uint64_t offset, std::uint64_t size) {
  if (!options_.repair) {
    return Error(StatusCode::kDataLoss,
                 "the last record, at offset {}, is torn ({} bytes are left of it); "
                 "--state-file-repair cuts it off",
                 offset, size);
  }
  if (::ftruncate(fd_, static_cast<off_t>(offset)) != 0) {
    return Error(StatusCode::kFailedPrecondition, "cannot cut it off: {}", std::strerror(errno));
  }
  report_.cut_at = offset;
  report_.cut_bytes = size;
  return absl::OkStatus();
}

void StateFile::RecordOffset(Moment now, Duration offset) {
  last_ = now;
  offset_ = offset;
  Append(state::EncodeOffset(now, offset));
}

void StateFile::Append(std::string_view payload) {
  if (!status_.ok()) return;
  const std::string frame = state::Frame(payload);
  if (const int error = WriteAll(fd_, frame, size_); error != 0) {
    status_ = Error(StatusCode::kUnavailable, "cannot write it: {}", std::strerror(error));
    return;
  }
  size_ += frame.size();
}

}  // namespace squall::fakes
