// gRPC unary calls per second straight to the fake server and through the frame-aware proxy, in one
// run and by the same client: base/wire's own over a socket, and grpc++. The server is a process,
// the proxy another (this program, forked off by --serve-proxy), as in a run of squall. Rounds
// alternate so that a busy machine hits both; medians and ratios are printed, as Markdown for
// docs/performance.md. The time that the process at that port spends on a CPU for each call is told
// beside them: it hardly depends on what else the machine does.
//
// Usage: squall-bench-grpc-proxy [--rounds 5] [--seconds 2] [--in-flight 64] [--server PROGRAM]
//        [--proxy PROGRAM]

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <array>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/journal/journal.h"
#include "base/util/clock.h"
#include "base/wire/grpc.h"
#include "harness/net/asio_executor.h"
#include "harness/net/grpc_proxy.h"
#include "harness/net/tcp_proxy.h"
#include "harness/process/process.h"
#include "temporal/api/workflowservice/v1/service.grpc.pb.h"
#include "tests/bench/figures.h"

namespace squall::harness {
namespace {

namespace asio = boost::asio;
namespace service = temporal::api::workflowservice::v1;
using asio::ip::tcp;

struct Settings {
  int rounds = 5;
  double seconds = 2;
  int in_flight = 64;
  std::string server;
  std::string proxy;
};

void Must(const Status& status, std::string_view what) {
  if (status.ok()) return;
  fmt::print(stderr, "squall-bench-grpc-proxy: {}: {}\n", what, status.message());
  std::exit(1);
}

// What a client saw, and what each of its calls cost the process that it called.
struct Sample {
  double rate = 0;    // calls per second
  double cpu_us = 0;  // a call
};

// Takes both over a span: `done` counts calls and moves on while `pass` lets the time pass.
template <typename Counter, typename Pass>
Sample TakeSample(const Clock& clock, std::int64_t pid, const Counter& done, const Pass& pass) {
  const SteadyTime begun = clock.Now();
  const double cpu = bench::CpuMillis(pid);
  const std::uint64_t before = done;
  pass();
  const double calls = static_cast<double>(done - before);
  return {.rate = calls / std::chrono::duration<double>(clock.Now() - begun).count(),
          .cpu_us = 1000 * (bench::CpuMillis(pid) - cpu) / calls};
}

// Calls GetSystemInfo with base/wire over one socket, so many at a time.
class PlainLoad {
 public:
  PlainLoad(AsioExecutor& executor, std::uint16_t port, int in_flight)
      : executor_(executor), socket_(executor.io()), client_({.authority = "localhost"}) {
    boost::system::error_code error;
    socket_.connect({asio::ip::address_v4::loopback(), port}, error);
    Must(error ? absl::UnavailableError(error.message()) : absl::OkStatus(), "connect");
    socket_.set_option(tcp::no_delay(true), error);
    for (int i = 0; i < in_flight; ++i) Begin();
    Read();
    Write();
  }

  Sample Measure(std::int64_t pid, Duration span) {
    return TakeSample(executor_.clock(), pid, done_, [&] {
      bool over = false;
      executor_.After(span, [&over] { over = true; });
      executor_.RunUntil([&over] { return over; }, span * 10);
    });
  }

 private:
  void Begin() {
    wire::GrpcRequest request;
    request.service = "temporal.api.workflowservice.v1.WorkflowService";
    request.method = "GetSystemInfo";
    client_.StartCall(request, [this](const wire::GrpcResponse& response) {
      Must(response.status.ToStatus(), "call");
      ++done_;
      Begin();
    });
  }
  void Read() {
    socket_.async_read_some(asio::buffer(input_),
                            [this](const boost::system::error_code& error, std::size_t bytes) {
                              if (error) return;
                              Must(client_.Feed({input_.data(), bytes}), "answer");
                              Write();
                              Read();
                            });
  }
  void Write() {
    if (writing_) return;
    client_.TakeOutput(output_);
    if (output_.empty()) return;
    writing_ = true;
    asio::async_write(socket_, asio::buffer(output_),
                      [this](const boost::system::error_code& error, std::size_t) {
                        writing_ = false;
                        output_.clear();
                        if (!error) Write();
                      });
  }

  AsioExecutor& executor_;
  tcp::socket socket_;
  wire::GrpcClientConnection client_;
  std::array<char, 64 * 1024> input_{};
  std::string output_;
  bool writing_ = false;
  std::uint64_t done_ = 0;
};

// A process that serves calls.
struct Served {
  std::uint16_t port = 0;
  std::int64_t pid = 0;
};

Sample Plain(const Served& at, const Settings& settings, int in_flight) {
  RealClock clock;
  AsioExecutor executor(clock);
  auto load = std::make_unique<PlainLoad>(executor, at.port, in_flight);
  load->Measure(at.pid, std::chrono::milliseconds(200));
  return load->Measure(at.pid, Duration(static_cast<Duration::rep>(settings.seconds * 1e9)));
}

// grpc++'s synchronous stub on so many threads, over one channel.
Sample Grpcpp(const Served& at, const Settings& settings, int threads) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  const auto channel = grpc::CreateCustomChannel(fmt::format("127.0.0.1:{}", at.port),
                                                 grpc::InsecureChannelCredentials(), arguments);
  std::atomic<bool> over = false;
  std::atomic<std::uint64_t> done = 0;
  std::vector<std::thread> callers;
  for (int i = 0; i < threads; ++i) {
    callers.emplace_back([&] {
      const auto stub = service::WorkflowService::NewStub(channel);
      while (!over) {
        grpc::ClientContext context;
        service::GetSystemInfoResponse response;
        const grpc::Status status = stub->GetSystemInfo(&context, {}, &response);
        if (!status.ok()) Must(absl::UnavailableError(status.error_message()), "grpc++");
        ++done;
      }
    });
  }
  RealClock clock;
  AsioExecutor timer(clock);
  const Duration span(static_cast<Duration::rep>(settings.seconds * 1e9));
  timer.RunUntil([] { return false; }, std::chrono::milliseconds(200));
  const Sample sample =
      TakeSample(clock, at.pid, done, [&] { timer.RunUntil([] { return false; }, span); });
  over = true;
  for (std::thread& caller : callers) caller.join();
  return sample;
}

// A proxy as a process of its own: says its port and serves until it is killed.
int ServeProxy(const std::string& upstream, bool frames) {
  RealClock clock;
  journal::NullSink journal;
  AsioExecutor executor(clock);
  const auto parsed = ParseHostPort(upstream);
  Must(parsed.status(), "upstream");
  std::unique_ptr<GrpcProxy> grpc;
  std::unique_ptr<TcpProxy> tcp;
  if (frames) {
    GrpcProxyOptions options;
    options.link = "bench";
    options.upstream = *parsed;
    auto made = GrpcProxy::Create(executor, journal, std::move(options));
    Must(made.status(), "proxy");
    grpc = *std::move(made);
  } else {
    ProxyOptions options;
    options.link = "bench";
    options.upstream = *parsed;
    auto made = TcpProxy::Create(executor, journal, std::move(options));
    Must(made.status(), "proxy");
    tcp = *std::move(made);
  }
  fmt::print("port {}\n", grpc ? grpc->port() : tcp->port());
  std::fflush(stdout);
  executor.Run();
  return 0;
}

struct Way {
  std::string name;
  Served at;
  std::vector<Sample> one, many, grpcpp;
};
using Samples = std::vector<Sample> Way::*;

double MedianOf(const std::vector<Sample>& samples, double Sample::*figure) {
  std::vector<double> values;
  for (const Sample& sample : samples) values.push_back(sample.*figure);
  return bench::Median(values);
}

class Bench {
 public:
  explicit Bench(const Settings& settings) : settings_(settings) {}

  void Run() {
    const Served server = Start({settings_.server, "--port", "0"}, "127.0.0.1:");
    const std::string upstream = fmt::format("127.0.0.1:{}", server.port);
    std::vector<Way> ways = {
        {.name = "direct", .at = server},
        {.name = "TcpProxy", .at = Start({settings_.proxy, "--serve-tcp", upstream}, "port ")},
        {.name = "GrpcProxy", .at = Start({settings_.proxy, "--serve-grpc", upstream}, "port ")}};
    for (int round = 0; round < settings_.rounds; ++round) {
      for (Way& way : ways) {
        way.one.push_back(Plain(way.at, settings_, 1));
        way.many.push_back(Plain(way.at, settings_, settings_.in_flight));
        way.grpcpp.push_back(Grpcpp(way.at, settings_, 8));
      }
    }
    fmt::print(
        "| unary calls per second | one at a time | of direct | {} in flight | of direct | grpc++, "
        "8 threads | of direct |\n",
        settings_.in_flight);
    fmt::print("|---|---|---|---|---|---|---|\n");
    const std::array<Samples, 3> loads = {&Way::one, &Way::many, &Way::grpcpp};
    for (const Way& way : ways) {
      fmt::print("| {} |", way.name);
      for (const Samples load : loads) {
        const double rate = MedianOf(way.*load, &Sample::rate);
        fmt::print(" {:.0f} | {:.0f} % |", rate,
                   100 * rate / MedianOf(ways.front().*load, &Sample::rate));
      }
      fmt::print("\n");
    }
    fmt::print(
        "\n| CPU of the called process for a call | one at a time | {} in flight | grpc++ |\n",
        settings_.in_flight);
    fmt::print("|---|---|---|---|\n");
    for (const Way& way : ways) {
      fmt::print("| {} |", way.name);
      for (const Samples load : loads) {
        fmt::print(" {:.1f} us |", MedianOf(way.*load, &Sample::cpu_us));
      }
      fmt::print("\n");
    }
  }

 private:
  // A program that says its port behind that text.
  Served Start(std::vector<std::string> argv, std::string_view before_port) {
    std::uint16_t port = 0;
    ChildOptions options;
    options.name = argv.front();
    options.argv = std::move(argv);
    options.journal_lines = false;
    options.on_line = [&port, before_port](Stream, std::string_view line) {
      const std::size_t at = line.find(before_port);
      if (at == std::string_view::npos || port != 0) return;
      port = static_cast<std::uint16_t>(
          std::atoi(std::string(line.substr(at + before_port.size())).c_str()));
    };
    children_.push_back(std::make_unique<ChildProcess>(executor_, journal_, std::move(options)));
    children_.back()->Start([](const Status& status) { Must(status, "start"); });
    executor_.RunUntil([&] { return port != 0; }, std::chrono::seconds(30));
    Must(port != 0 ? absl::OkStatus() : absl::UnavailableError("no port"), "start");
    return {.port = port, .pid = children_.back()->pid()};
  }

  const Settings settings_;
  RealClock clock_;
  journal::NullSink journal_;
  AsioExecutor executor_{clock_};
  std::vector<std::unique_ptr<ChildProcess>> children_;
};

}  // namespace
}  // namespace squall::harness

int main(int argc, char** argv) {
  CLI::App app("Calls per second through the frame-aware proxy");
  squall::harness::Settings settings;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe");
  settings.server = (self.parent_path() / "squall-server").string();
  settings.proxy = self.string();
  std::string tcp, grpc;
  app.add_option("--rounds", settings.rounds);
  app.add_option("--seconds", settings.seconds);
  app.add_option("--in-flight", settings.in_flight);
  app.add_option("--server", settings.server, "The server's program; default: beside this one");
  app.add_option("--proxy", settings.proxy, "Serves the proxies, e.g. an older build of this one");
  app.add_option("--serve-tcp", tcp, "Be a TCP proxy before that address");
  app.add_option("--serve-grpc", grpc, "Be a frame-aware proxy before that address");
  CLI11_PARSE(app, argc, argv);
  if (!tcp.empty()) return squall::harness::ServeProxy(tcp, false);
  if (!grpc.empty()) return squall::harness::ServeProxy(grpc, true);
  squall::harness::Bench(settings).Run();
  return 0;
}
