#pragma once
// The API over HTTP/1.1, on the loop of the proxies that it is for.

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

  // Listening when it returns; port 0: a free one. UNAVAILABLE when it cannot be had.
  static StatusOr<std::unique_ptr<HttpServer>> Start(AsioExecutor& executor, const HostPort& where,
                                                     Handler handler);
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
