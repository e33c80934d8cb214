#pragma once
// The calls that are streams: Health.Watch and server reflection. They never reach the engine.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "base/wire/scripted_server.h"

namespace squall::fakes {

class Streams {
 public:
  static bool Has(std::string_view service, std::string_view method);

  // A call of those came on a connection, and was accepted as a stream. `server` outlives the
  // stream.
  void Open(std::uint64_t connection, wire::StreamId call, wire::ScriptedServer& server,
            std::string_view service);
  // False for calls that are no streams of ours.
  bool OnMessage(std::uint64_t connection, wire::StreamId call, const std::string& message);
  void OnHalfClosed(std::uint64_t connection, wire::StreamId call);
  bool Close(std::uint64_t connection, wire::StreamId call);
  void CloseAll(std::uint64_t connection);
  // The server is about to stop: whoever watches its health is told.
  void OnShutdown();

  std::size_t size() const { return streams_.size(); }
  std::size_t on(std::uint64_t connection) const;

 private:
  struct Stream {
    wire::ScriptedServer* server = nullptr;
    bool health = false;  // else reflection
    bool watching = false;
    bool known = false;  // it watches a service that is there
  };
  std::map<std::pair<std::uint64_t, wire::StreamId>, Stream> streams_;
};

}  // namespace squall::fakes
