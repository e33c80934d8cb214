#include "fakes/server/admin_http.h"

#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <set>
#include <utility>

#include "fakes/server/acceptor.h"

namespace squall::fakes {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::uint64_t kMaxBodyBytes = 4 << 20;

}  // namespace

struct AdminHttp::Impl : std::enable_shared_from_this<AdminHttp::Impl> {
  // One connection: a request at a time, kept alive. Lives as long as one of its operations is
  // pending.
  struct Session : std::enable_shared_from_this<Session> {
    Session(std::shared_ptr<Impl> owner_in, tcp::socket socket_in)
        : owner(std::move(owner_in)), socket(std::move(socket_in)), limit(socket.get_executor()) {}
    const std::shared_ptr<Impl> owner;
    tcp::socket socket;
    asio::steady_timer limit;  // of a long poll
    boost::beast::flat_buffer buffer;
    std::optional<http::request_parser<http::string_body>> parser;
    http::response<http::string_body> response;
    AdminRequest request;
    bool waiting = false;

    void Read() {
      parser.emplace();
      parser->body_limit(kMaxBodyBytes);
      http::async_read(socket, buffer, *parser,
                       [self = shared_from_this()](const error_code& error, std::size_t) {
                         if (!error) return self->Handle();
                         self->owner->sessions.erase(self);
                       });
    }

    void Handle() {
      const auto& message = parser->get();
      request = AdminRequest();
      request.method = std::string(message.method_string());
      request.body = message.body();
      SplitTarget(std::string(message.target()), request);
      // Pages in a browser of this machine are no admins: a request of theirs carries where it
      // comes from.
      if (message.find(http::field::origin) != message.end()) {
        return Send({.status = 403,
                     .body = "{\"error\":\"requests of web pages are refused\"}\n",
                     .wait = {}});
      }
      Answer(false);
    }

    // `at_last`: a long poll that may not wait any longer.
    void Answer(bool at_last) {
      if (owner->target == nullptr) return;
      AdminReply reply = HandleAdmin(*owner->target, request);
      if (!reply.wait.has_value() || at_last) {
        waiting = false;
        limit.cancel();
        return Send(std::move(reply));
      }
      if (std::exchange(waiting, true)) return;
      owner->waiting.insert(shared_from_this());
      limit.expires_after(*reply.wait);
      limit.async_wait([self = shared_from_this()](const error_code& error) {
        if (!error && self->waiting) self->Answer(true);
      });
    }

    void Send(AdminReply reply) {
      owner->waiting.erase(shared_from_this());
      response = {};
      response.version(11);
      response.result(static_cast<unsigned>(reply.status));
      response.set(http::field::content_type, "application/json");
      response.keep_alive(parser->get().keep_alive());
      response.body() = std::move(reply.body);
      response.prepare_payload();
      http::async_write(socket, response,
                        [self = shared_from_this()](const error_code& error, std::size_t) {
                          if (!error && self->response.keep_alive()) return self->Read();
                          error_code ignored;
                          self->socket.shutdown(tcp::socket::shutdown_both, ignored);
                          self->owner->sessions.erase(self);
                        });
    }
  };

  Impl(asio::io_context& io_in, AdminTarget& target_in)
      : io(io_in), target(&target_in), acceptor(io_in) {}

  Status Open(int wanted) {
    SQUALL_RETURN_IF_ERROR(acceptor.Open(
        wanted, [this](Descriptor fd, const std::string&) { OnAccepted(std::move(fd)); }));
    // Events may come from any thread, and many at a time: one look at the waiting sessions for all
    // of them.
    target->AdminEvents().SetObserver([self = weak_from_this(), &context = io, posted = posted] {
      if (posted->exchange(true)) return;
      asio::post(context, [self, posted] {
        posted->store(false);
        if (const auto impl = self.lock()) impl->Wake();
      });
    });
    return absl::OkStatus();
  }

  void Wake() {
    const std::set<std::shared_ptr<Session>> all = waiting;
    for (const auto& session : all) session->Answer(false);
  }

  void OnAccepted(Descriptor fd) {
    tcp::socket socket(io);
    if (!Adopt(std::move(fd), socket)) return;
    auto session = std::make_shared<Session>(shared_from_this(), std::move(socket));
    sessions.insert(session);
    session->Read();
  }

  void Close() {
    if (target == nullptr) return;
    target->AdminEvents().SetObserver(nullptr);
    target = nullptr;
    acceptor.Close();
    error_code ignored;
    for (const auto& session : std::exchange(sessions, {})) {
      session->socket.close(ignored);
      session->limit.cancel();
    }
    waiting.clear();
  }

  asio::io_context& io;
  AdminTarget* target;  // null once closed
  Acceptor acceptor;
  std::set<std::shared_ptr<Session>> sessions;
  std::set<std::shared_ptr<Session>> waiting;
  const std::shared_ptr<std::atomic<bool>> posted = std::make_shared<std::atomic<bool>>(false);
};

AdminHttp::AdminHttp(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

AdminHttp::~AdminHttp() { impl_->Close(); }

int AdminHttp::port() const { return impl_->acceptor.port(); }

StatusOr<std::unique_ptr<AdminHttp>> AdminHttp::Start(asio::io_context& io, int port,
                                                      AdminTarget& target) {
  auto impl = std::make_shared<Impl>(io, target);
  SQUALL_RETURN_IF_ERROR(Annotate(impl->Open(port), "admin interface"));
  return std::unique_ptr<AdminHttp>(new AdminHttp(std::move(impl)));
}

}  // namespace squall::fakes
