// The stand-alone proxy beside Toxiproxy's server and no proxy at all, in one run: how much later a
// small message comes back, how much passes on one connection and on many, and what that costs in
// CPU. Both servers are driven through the same API; rounds alternate so that a busy machine hits
// all; medians, ratios and what was asked for are printed, as Markdown for docs/performance.md.
//
// Usage: squall-bench-proxy --squall PORT:PID --toxiproxy PORT:PID [--rounds 5] [--pings 5000]
// [--seconds 2] [--connections 200]
// (tools/bench-proxy.sh starts the servers.)

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include "base/util/clock.h"
#include "base/util/status.h"

namespace squall {
namespace {

using namespace std::chrono_literals;

struct Settings {
  std::string squall, toxiproxy;  // API's port and process
  int rounds = 5, pings = 5000, connections = 200;
  double seconds = 2;
};

[[noreturn]] void Die(const std::string& why) {
  std::fprintf(stderr, "squall-bench-proxy: %s: %s\n", why.c_str(), std::strerror(errno));
  std::exit(3);
}

sockaddr_in Loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int Connect(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = Loopback(port);
  if (fd < 0 || ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    Die("connect");
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

// Everything that the proxies lead to, on one thread: echoes on one port, counts on the other.
class Upstreams {
 public:
  Upstreams() : epoll_(::epoll_create1(EPOLL_CLOEXEC)), buffer_(1 << 20) {
    echo_ = Listen(&echo_port);
    sink_ = Listen(&sink_port);
    thread_ = std::thread([this] { Serve(); });
  }
  ~Upstreams() {
    stop_ = true;
    ::close(Connect(echo_port));
    thread_.join();
  }
  Upstreams(const Upstreams&) = delete;
  Upstreams& operator=(const Upstreams&) = delete;

  std::uint16_t echo_port = 0, sink_port = 0;
  std::atomic<std::uint64_t> received{0};  // by the sink

 private:
  int Listen(std::uint16_t* port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = Loopback(0);
    socklen_t size = sizeof address;
    if (::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(fd, 1024) != 0 ||
        ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      Die("listen");
    }
    *port = ntohs(address.sin_port);
    Watch(fd);
    return fd;
  }
  void Watch(int fd) const {
    epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  }
  void Serve() {
    std::vector<bool> echoes(65536);
    std::array<epoll_event, 256> events{};
    while (!stop_) {
      const int ready = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < ready; ++i) {
        const int fd = events[static_cast<std::size_t>(i)].data.fd;
        if (fd == echo_ || fd == sink_) {
          const int accepted = ::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC);
          const int on = 1;
          ::setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
          echoes[static_cast<std::size_t>(accepted)] = fd == echo_;
          Watch(accepted);
          continue;
        }
        const ssize_t bytes = ::recv(fd, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
        if (bytes < 0 && errno == EAGAIN) continue;
        if (bytes <= 0) {
          ::close(fd);
        } else if (echoes[static_cast<std::size_t>(fd)]) {
          ::send(fd, buffer_.data(), static_cast<std::size_t>(bytes), MSG_NOSIGNAL);
        } else {
          received += static_cast<std::uint64_t>(bytes);
        }
      }
    }
  }

  const int epoll_;
  std::vector<char> buffer_;
  int echo_ = -1, sink_ = -1;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

// One way to the upstreams.
struct Path {
  std::string name;
  std::uint16_t echo_port = 0, sink_port = 0;
  long pid = 0;  // of the proxy; 0: none
};

struct Figures {
  double p50_us = 0, p99_us = 0;               // a round trip of 64 bytes
  double one_gb_s = 0, many_gb_s = 0;          // 1e9 bytes per second
  double one_cpu_s_gb = 0, many_cpu_s_gb = 0;  // CPU seconds of the proxy for 1e9 bytes
};

double Seconds(Duration d) { return static_cast<double>(d.count()) / 1e9; }

// Time on a CPU of all threads of a process, of the living and the gone.
double CpuSeconds(long pid) {
  if (pid == 0) return 0;
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text{std::istreambuf_iterator<char>(file), {}};
  std::istringstream fields(text.substr(text.rfind(')') + 2));
  std::vector<std::string> all{std::istream_iterator<std::string>(fields), {}};
  if (all.size() < 13) Die("no process " + std::to_string(pid));
  return static_cast<double>(std::stoull(all[11]) + std::stoull(all[12])) /
         static_cast<double>(::sysconf(_SC_CLK_TCK));
}

void RoundTrips(const Path& path, int pings, Figures* figures) {
  const RealClock clock;
  const int fd = Connect(path.echo_port);
  std::array<char, 64> message{};
  std::vector<double> times;
  for (int i = -200; i < pings; ++i) {  // the first ones warm up
    const SteadyTime begin = clock.Now();
    if (::send(fd, message.data(), message.size(), MSG_NOSIGNAL) != 64 ||
        ::recv(fd, message.data(), message.size(), MSG_WAITALL) != 64) {
      Die("a round trip by " + path.name);
    }
    if (i >= 0) times.push_back(Seconds(clock.Now() - begin) * 1e6);
  }
  ::close(fd);
  std::sort(times.begin(), times.end());
  figures->p50_us = times[times.size() / 2];
  figures->p99_us = times[times.size() * 99 / 100];
}

// As much as passes in so long; returns 1e9 bytes per second and the CPU seconds for each.
std::pair<double, double> Throughput(const Path& path, Upstreams& upstreams, int connections,
                                     double seconds) {
  const RealClock clock;
  const std::vector<char> data(256 * 1024, 'x');
  std::vector<pollfd> links;
  for (int i = 0; i < connections; ++i)
    links.push_back({.fd = Connect(path.sink_port), .events = POLLOUT, .revents = 0});
  const auto run = [&](double limit) {
    const std::uint64_t before = upstreams.received;
    const double cpu_before = CpuSeconds(path.pid);
    const SteadyTime begin = clock.Now();
    while (Seconds(clock.Now() - begin) < limit) {
      ::poll(links.data(), links.size(), 1000);
      for (const pollfd& link : links) {
        if ((link.revents & POLLOUT) == 0) continue;
        if (::send(link.fd, data.data(), data.size(), MSG_DONTWAIT | MSG_NOSIGNAL) < 0 &&
            errno != EAGAIN) {
          Die("send by " + path.name);
        }
      }
    }
    const double took = Seconds(clock.Now() - begin);
    const double gb = static_cast<double>(upstreams.received - before) / 1e9;
    return std::pair{gb / took, (CpuSeconds(path.pid) - cpu_before) / gb};
  };
  run(seconds / 4);  // buffers grow to their size
  const auto result = run(seconds);
  for (const pollfd& link : links) ::close(link.fd);
  // What is under way must not be counted by the next.
  for (std::uint64_t last = upstreams.received + 1; last != upstreams.received;) {
    last = upstreams.received;
    ::poll(nullptr, 0, 50);
  }
  return result;
}

// A proxy on a free port; returns the port. Both servers speak the same API.
std::uint16_t MakeProxy(std::uint16_t api, const std::string& name, std::uint16_t upstream) {
  const std::string body = fmt::format(
      R"({{"name":"{}","listen":"127.0.0.1:0","upstream":"127.0.0.1:{}"}})", name, upstream);
  const std::string request = fmt::format(
      "POST /proxies HTTP/1.1\r\nHost: bench\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{}",
      body.size(), body);
  const int fd = Connect(api);
  ::send(fd, request.data(), request.size(), MSG_NOSIGNAL);
  std::string reply;
  std::array<char, 4096> buffer{};
  for (ssize_t n = 0; (n = ::recv(fd, buffer.data(), buffer.size(), 0)) > 0;)
    reply.append(buffer.data(), static_cast<std::size_t>(n));
  ::close(fd);
  const std::string key = "\"listen\":\"127.0.0.1:";
  const std::size_t at = reply.find(key);
  if (at == std::string::npos) Die("no proxy: " + reply);
  return static_cast<std::uint16_t>(std::stoi(reply.substr(at + key.size())));
}

Path Behind(const std::string& name, const std::string& server, const Upstreams& upstreams) {
  const auto api = static_cast<std::uint16_t>(std::stoi(server));
  return {name, MakeProxy(api, "echo", upstreams.echo_port),
          MakeProxy(api, "sink", upstreams.sink_port),
          std::stol(server.substr(server.find(':') + 1))};
}

double Median(std::vector<double> all) {
  std::sort(all.begin(), all.end());
  return all[all.size() / 2];
}

void Print(const std::vector<std::vector<Figures>>& rounds) {
  // direct, toxiproxy, squall
  const auto median = [&](std::size_t path, double Figures::*member) {
    std::vector<double> all;
    for (const auto& round : rounds) all.push_back(round[path].*member);
    return Median(all);
  };
  // Of each round what the proxy adds to that round's direct way.
  const auto added = [&](std::size_t path, double Figures::*member) {
    std::vector<double> all;
    for (const auto& round : rounds) all.push_back(round[path].*member - round[0].*member);
    return Median(all);
  };
  const auto row = [](std::string_view what, double direct, double theirs, double ours,
                      std::string_view unit, double ratio, std::string_view asked, bool holds) {
    std::printf("%s\n", fmt::format("| {} | {} | {:.2f} {} | {:.2f} {} | {:.2f} | {} | {} |", what,
                                    direct < 0 ? "" : fmt::format("{:.2f} {}", direct, unit),
                                    theirs, unit, ours, unit, ratio, asked, holds ? "yes" : "no")
                            .c_str());
  };
  std::printf(
      "| | no proxy | toxiproxy | squall | ratio | asked | holds "
      "|\n|---|---|---|---|---|---|---|\n");
  const double p50 = added(2, &Figures::p50_us), p50_theirs = added(1, &Figures::p50_us);
  const double p99 = added(2, &Figures::p99_us), p99_theirs = added(1, &Figures::p99_us);
  row("round trip of 64 bytes, p50", median(0, &Figures::p50_us), median(1, &Figures::p50_us),
      median(2, &Figures::p50_us), "us", median(2, &Figures::p50_us) / median(1, &Figures::p50_us),
      "", true);
  row("added to a round trip, p50", -1, p50_theirs, p50, "us", p50 / p50_theirs,
      "<= 0.5 and <= 30 us", p50 <= 30 && p50 <= 0.5 * p50_theirs);
  row("added to a round trip, p99", -1, p99_theirs, p99, "us", p99 / p99_theirs, "<= 100 us",
      p99 <= 100);
  for (const auto& [what, speed, cpu] :
       {std::tuple{"1 connection", &Figures::one_gb_s, &Figures::one_cpu_s_gb},
        std::tuple{"many connections", &Figures::many_gb_s, &Figures::many_cpu_s_gb}}) {
    const double ratio = median(2, speed) / median(1, speed);
    row(fmt::format("throughput, {}", what), median(0, speed), median(1, speed), median(2, speed),
        "GB/s", ratio, ">= 1.5", ratio >= 1.5);
    const double cpu_ratio = median(2, cpu) / median(1, cpu);
    row(fmt::format("CPU of the proxy for 1 GB, {}", what), -1, median(1, cpu), median(2, cpu), "s",
        cpu_ratio, "<= 0.5", cpu_ratio <= 0.5);
  }
}

int Main(int argc, char** argv) {
  Settings settings;
  CLI::App app("squall's proxy beside toxiproxy and no proxy", "squall-bench-proxy");
  app.add_option("--squall", settings.squall, "PORT:PID of the API")->required();
  app.add_option("--toxiproxy", settings.toxiproxy, "PORT:PID of the API")->required();
  app.add_option("--rounds", settings.rounds)->capture_default_str();
  app.add_option("--pings", settings.pings)->capture_default_str();
  app.add_option("--seconds", settings.seconds)->capture_default_str();
  app.add_option("--connections", settings.connections)->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  Upstreams upstreams;
  const std::vector<Path> paths = {{"no proxy", upstreams.echo_port, upstreams.sink_port, 0},
                                   Behind("toxiproxy", settings.toxiproxy, upstreams),
                                   Behind("squall", settings.squall, upstreams)};
  std::vector<std::vector<Figures>> rounds;
  for (int i = 0; i < settings.rounds; ++i) {
    std::vector<Figures> round;
    for (const Path& path : paths) {
      Figures figures;
      RoundTrips(path, settings.pings, &figures);
      std::tie(figures.one_gb_s, figures.one_cpu_s_gb) =
          Throughput(path, upstreams, 1, settings.seconds);
      std::tie(figures.many_gb_s, figures.many_cpu_s_gb) =
          Throughput(path, upstreams, settings.connections, settings.seconds);
      std::fprintf(stderr,
                   "round %d %-9s p50 %6.1f us  p99 %6.1f us  1: %5.2f GB/s %5.2f s/GB  %d: %5.2f "
                   "GB/s %5.2f s/GB\n",
                   i + 1, path.name.c_str(), figures.p50_us, figures.p99_us, figures.one_gb_s,
                   figures.one_cpu_s_gb, settings.connections, figures.many_gb_s,
                   figures.many_cpu_s_gb);
      round.push_back(figures);
    }
    rounds.push_back(std::move(round));
  }
  Print(rounds);
  return 0;
}

}  // namespace
}  // namespace squall

int main(int argc, char** argv) { return squall::Main(argc, argv); }
