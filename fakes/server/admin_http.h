#pragma once
// The admin interface over HTTP/1.1 on the loopback device, in the thread of the server that it is
// for.

#include <boost/asio/io_context.hpp>
#include <memory>

#include "base/util/status.h"
#include "fakes/server/admin_api.h"

namespace squall::fakes {

// Everything runs in the io_context's thread, the destructor included, which ends all connections.
class AdminHttp {
 public:
  // Listening when it returns; port 0: a free one. UNAVAILABLE when it is taken. `io` and `target`
  // must outlive it.
  static StatusOr<std::unique_ptr<AdminHttp>> Start(boost::asio::io_context& io, int port,
                                                    AdminTarget& target);
  ~AdminHttp();
  AdminHttp(const AdminHttp&) = delete;
  AdminHttp& operator=(const AdminHttp&) = delete;

  int port() const;

 private:
  struct Impl;
  explicit AdminHttp(std::shared_ptr<Impl> impl);
  const std::shared_ptr<Impl> impl_;
};

}  // namespace squall::fakes
