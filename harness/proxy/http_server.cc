#include "harness/proxy/http_server.h"

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <set>
#include <utility>

#include "base/util/rng.h"
#include "harness/net/proxy_door.h"

namespace squall::harness {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::uint64_t kMaxBodyBytes = 4 << 20;
// A client that says nothing for so long is not waited for.
constexpr Duration kIdleMax = std::chrono::seconds(60);

}  // namespace

struct HttpServer::Impl final : std::enable_shared_from_this<HttpServer::Impl>,
                                ProxyDoor::Visitors {
  // One connection: a request at a time, kept alive.
  struct Session : std::enable_shared_from_this<Session> {
    Session(std::shared_ptr<Impl> the_owner, tcp::socket the_socket)
        : owner(std::move(the_owner)), socket(std::move(the_socket)) {}
    const std::shared_ptr<Impl> owner;
    tcp::socket socket;
    boost::beast::flat_buffer buffer;
    std::optional<http::request_parser<http::string_body>> parser;
    http::response<http::string_body> response;
    TimerId idle = 0;

    void Read() {
      parser.emplace();
      parser->body_limit(kMaxBodyBytes);
      idle = owner->executor.After(kIdleMax, [weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->End();
      });
      http::async_read(socket, buffer, *parser,
                       [self = shared_from_this()](const error_code& error, std::size_t) {
                         self->owner->executor.Cancel(std::exchange(self->idle, 0));
                         if (error) return self->End();
                         self->Handle();
                       });
    }

    void Handle() {
      if (!owner->handler) return;
      const auto& message = parser->get();
      ApiReply reply =
          owner->handler({.method = std::string(message.method_string()),
                          .path = std::string(message.target()),
                          .body = message.body(),
                          .user_agent = std::string(message[http::field::user_agent])});
      response = {};
      response.version(11);
      response.result(static_cast<unsigned>(reply.status));
      if (!reply.content_type.empty()) response.set(http::field::content_type, reply.content_type);
      if (!reply.location.empty()) response.set(http::field::location, reply.location);
      if (reply.status >= 400) response.set("X-Content-Type-Options", "nosniff");
      if (!owner->request_id.empty()) response.set(owner->request_id, owner->ids.Hex(20));
      response.keep_alive(message.keep_alive());
      response.body() = std::move(reply.body);
      if (reply.status != 204) response.prepare_payload();
      http::async_write(socket, response,
                        [self = shared_from_this()](const error_code& error, std::size_t) {
                          if (!error && self->response.keep_alive()) return self->Read();
                          self->End();
                        });
    }

    void End() {
      owner->executor.Cancel(std::exchange(idle, 0));
      error_code ignored;
      socket.shutdown(tcp::socket::shutdown_both, ignored);
      socket.close(ignored);
      owner->sessions.erase(shared_from_this());
    }
  };

  Impl(AsioExecutor& the_executor, const HostPort& where, Handler the_handler, std::string id_name)
      : executor(the_executor),
        handler(std::move(the_handler)),
        request_id(std::move(id_name)),
        door(executor, where, *this) {}

  void OnAccepted(tcp::socket socket, const std::string&) override {
    error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    const auto session = std::make_shared<Session>(shared_from_this(), std::move(socket));
    sessions.insert(session);
    session->Read();
  }
  void OnListening(const std::string&) override {}

  void Close() {
    handler = nullptr;
    door.ShutDown();
    const std::set<std::shared_ptr<Session>> all = sessions;
    for (const auto& session : all) session->End();
  }

  AsioExecutor& executor;
  Handler handler;  // empty once closed
  const std::string request_id;
  ProxyDoor door;
  Rng ids{SeedFromSystem()};  // of requests: they are to differ between runs
  std::set<std::shared_ptr<Session>> sessions;
};

HttpServer::HttpServer(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() { impl_->Close(); }
HostPort HttpServer::where() const { return impl_->door.where(); }

StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(AsioExecutor& executor,
                                                        const HostPort& where, Handler handler,
                                                        std::string request_id) {
  auto impl = std::make_shared<Impl>(executor, where, std::move(handler), std::move(request_id));
  SQUALL_RETURN_IF_ERROR(impl->door.Set(ProxyDoor::State::kOpen));
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

}  // namespace squall::harness
