#include "harness/runner/health_probe.h"

#include <fmt/format.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <istream>

namespace squall::harness {

using boost::asio::ip::tcp;

struct HealthProbe::Impl : std::enable_shared_from_this<HealthProbe::Impl> {
  Impl(AsioExecutor& e, journal::Sink& j, std::string w, HostPort a, std::string p, Duration i)
      : executor(e),
        journal(j),
        worker(std::move(w)),
        where(std::move(a)),
        path(std::move(p)),
        interval(i),
        socket(e.io()) {}

  AsioExecutor& executor;
  journal::Sink& journal;
  const std::string worker;
  const HostPort where;
  const std::string path;
  const Duration interval;
  tcp::socket socket;
  boost::asio::streambuf answer;
  std::string request;
  TimerId timer = 0;
  bool ended = false, healthy = false;
  std::uint64_t attempt = 0;

  void Try() {
    const std::uint64_t current = ++attempt;
    // One timer both ends a try that takes too long and begins the next one.
    timer = executor.After(interval, [self = shared_from_this()] {
      if (self->ended) return;
      self->Close();
      self->Try();
    });
    Close();
    answer.consume(answer.size());
    boost::system::error_code error;
    const tcp::endpoint endpoint(boost::asio::ip::make_address(where.host, error), where.port);
    if (error) return Conclude(current, false, error.message());
    socket.async_connect(
        endpoint, [self = shared_from_this(), current](const boost::system::error_code& failed) {
          if (failed) return self->Conclude(current, false, failed.message());
          self->Ask(current);
        });
  }

  void Ask(std::uint64_t current) {
    request = fmt::format("GET {} HTTP/1.0\r\nHost: {}\r\n\r\n", path, where.ToString());
    boost::asio::async_write(
        socket, boost::asio::buffer(request),
        [self = shared_from_this(), current](const boost::system::error_code& failed, std::size_t) {
          if (failed) return self->Conclude(current, false, failed.message());
          boost::asio::async_read_until(
              self->socket, self->answer, "\r\n",
              [self, current](const boost::system::error_code& cut, std::size_t) {
                if (cut) return self->Conclude(current, false, cut.message());
                std::istream stream(&self->answer);
                std::string line;
                std::getline(stream, line);
                if (!line.empty() && line.back() == '\r') line.pop_back();
                // "HTTP/1.0 200 OK"
                const std::size_t space = line.find(' ');
                const bool good =
                    space != std::string::npos && line.compare(space + 1, 1, "2") == 0;
                self->Conclude(current, good, line);
              });
        });
  }

  void Conclude(std::uint64_t current, bool good, const std::string& detail) {
    if (ended || current != attempt) return;
    Close();
    if (good == healthy) return;
    healthy = good;
    journal::WorkerEvent event;
    event.what = good ? "healthy" : "unhealthy";
    event.worker = worker;
    event.detail = detail;
    journal.Append("probe:" + worker, std::move(event));
  }

  void Close() {
    boost::system::error_code ignored;
    socket.close(ignored);
  }
};

HealthProbe::HealthProbe(AsioExecutor& executor, journal::Sink& journal, std::string worker,
                         HostPort where, std::string path, Duration interval)
    : impl_(std::make_shared<Impl>(executor, journal, std::move(worker), std::move(where),
                                   std::move(path), interval)) {
  impl_->Try();
}

HealthProbe::~HealthProbe() {
  impl_->ended = true;
  impl_->executor.Cancel(impl_->timer);
  impl_->Close();
}

}  // namespace squall::harness
