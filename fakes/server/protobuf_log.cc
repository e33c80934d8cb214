#include "fakes/server/protobuf_log.h"

#include <google/protobuf/stubs/common.h>
#include <google/protobuf/stubs/logging.h>

#include <algorithm>
#include <atomic>
#include <cstdio>

namespace squall::fakes {
namespace {

constexpr std::size_t kMostWaiting = 100;

// A handler of protobuf is a plain function.
std::atomic<ProtobufLog*> taker = nullptr;

void Take(google::protobuf::LogLevel level, const char* file, int line_number,
          const std::string& message) {
  std::string line = message;
  std::replace(line.begin(), line.end(), '\n', ' ');
  line.erase(line.find_last_not_of(' ') + 1);
  if (level == google::protobuf::LOGLEVEL_FATAL) {  // protobuf aborts next
    std::fprintf(stderr, "%s:%d: %s\n", file, line_number, line.c_str());
  }
  ProtobufLog* log = taker;
  if (log == nullptr) return;
  const bool error = level >= google::protobuf::LOGLEVEL_ERROR;
  log->Add(error                                         ? "ERROR"
           : level == google::protobuf::LOGLEVEL_WARNING ? "WARN"
                                                         : "INFO",
           "protobuf: " + line);
}

google::protobuf::LogHandler* before = nullptr;

}  // namespace

ProtobufLog::ProtobufLog() {
  taker = this;
  before = google::protobuf::SetLogHandler(&Take);
}

ProtobufLog::~ProtobufLog() {
  google::protobuf::SetLogHandler(before);
  taker = nullptr;
}

void ProtobufLog::To(Sink sink) {
  const std::lock_guard lock(mutex_);
  sink_ = std::move(sink);
  if (sink_ == nullptr) return;
  for (auto& [level, line] : std::exchange(waiting_, {})) sink_(std::move(level), std::move(line));
}

void ProtobufLog::Add(std::string level, std::string line) {
  const std::lock_guard lock(mutex_);
  if (sink_ != nullptr) return sink_(std::move(level), std::move(line));
  if (waiting_.size() < kMostWaiting) waiting_.emplace_back(std::move(level), std::move(line));
}

}  // namespace squall::fakes
