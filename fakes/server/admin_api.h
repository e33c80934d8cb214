#pragma once
// What the admin interface answers (docs/admin.md), without HTTP around it.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fakes/engine/engine.h"
#include "fakes/frontend/frontend.h"
#include "fakes/server/event_log.h"
#include "fakes/server/server_time.h"

namespace squall::fakes {

// The server behind the interface. All on its own thread.
class AdminTarget {
 public:
  virtual ~AdminTarget() = default;
  virtual Moment AdminNow() const = 0;
  virtual Frontend& AdminFrontend() = 0;
  virtual const Engine& AdminEngine() const = 0;
  virtual EventLog& AdminEvents() = 0;
  virtual std::string AdminName() const = 0;
  virtual std::vector<std::pair<std::string, int>> AdminPorts() const = 0;
  virtual const ServerTime& AdminTime() const = 0;
  // Moves time ahead, in every mode, firing what falls due on the way.
  virtual void AdminAdvance(Duration by) = 0;
  // Something may have changed: output is to be carried.
  virtual void AdminDone() = 0;
};

struct AdminRequest {
  std::string method;  // GET, POST, DELETE
  std::string path;    // "/v1/rules", with %XX undone
  std::map<std::string, std::string> query;
  std::string body;
};
// "/v1/events?after=3" into path and query.
void SplitTarget(std::string_view target, AdminRequest& request);

struct AdminReply {
  int status = 200;
  std::string body;  // JSON
  // Set: nothing to tell yet. Ask again with each event, and answer at the latest after this time.
  std::optional<Duration> wait;
};

AdminReply HandleAdmin(AdminTarget& target, const AdminRequest& request);

}  // namespace squall::fakes
