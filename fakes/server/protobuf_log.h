#pragma once
// What protobuf complains of while it reads what clients send ("String field 'x' contains invalid
// UTF-8 data ..."), as lines for the program's own log. Without this it writes them to standard
// error, where nothing belongs that a client can write.

#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <utility>

namespace squall::fakes {

class ProtobufLog {
 public:
  // Without line breaks; `level` is the journal's ("WARN", "ERROR").
  using Sink = std::function<void(std::string level, std::string line)>;

  // Takes the complaints of the whole process from here on; there may be one at a time. What kills
  // the process is told on standard error too.
  ProtobufLog();
  // The complaints go to standard error again.
  ~ProtobufLog();
  ProtobufLog(const ProtobufLog&) = delete;
  ProtobufLog& operator=(const ProtobufLog&) = delete;

  // Where they go, beginning with those that came before (the first 100); called on the thread that
  // parses, one at a time. Null: they wait again.
  void To(Sink sink);

  // For protobuf's handler.
  void Add(std::string level, std::string line);

 private:
  std::mutex mutex_;
  Sink sink_;
  std::deque<std::pair<std::string, std::string>> waiting_;
};

}  // namespace squall::fakes
