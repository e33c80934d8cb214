#pragma once
// A small HTTP/1.1 server on the loop of what it is for: the proxies, a watching doctor.

#include <functional>
#include <memory>

#include "base/util/status.h"
#include "harness/net/asio_executor.h"
#include "harness/net/port.h"
#include "harness/proxy/proxy_api.h"

namespace squall::harness {

// Loop thread only; the destructor ends all connections.
class HttpServer {
 public:
  using Handler = std::function<ApiReply(const ApiRequest&)>;

  // Listening when it returns; port 0: a free one. UNAVAILABLE when it cannot be had. Replies carry
  // an id of their request under the name `request_id`, if it is not "".
  static StatusOr<std::unique_ptr<HttpServer>> Start(AsioExecutor& executor, const HostPort& where,
                                                     Handler handler, std::string request_id = "");
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // IP address and port.
  HostPort where() const;

 private:
  struct Impl;
  explicit HttpServer(std::shared_ptr<Impl> impl);
  const std::shared_ptr<Impl> impl_;
};

}  // namespace squall::harness
