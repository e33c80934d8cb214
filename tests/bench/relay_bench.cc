// What a call costs the relay of the frame-aware proxy alone: no sockets, one thread, CPU time and
// not time, so that the figure hardly depends on what else the machine does. A client and a server of
// base/wire on either side, whose time is not counted; calls of GetSystemInfo's size, so many at a
// time.
//
// Usage: squall-bench-relay [--calls 20000] [--rounds 7]

#include <fmt/format.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "base/util/status.h"
#include "base/wire/grpc_relay.h"
#include "tests/bench/figures.h"

namespace squall::wire {
namespace {

constexpr std::size_t kAnswerBytes = 180;

double RelayCpuMicros() {
  rusage used = {};
  getrusage(RUSAGE_THREAD, &used);
  const auto micros = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
  };
  return micros(used.ru_utime) + micros(used.ru_stime);
}

class RelayBench : GrpcServerHandler, GrpcRelay::Owner {
 public:
  double MicrosPerCall(int at_once, int calls) {
    for (int i = 0; i < 20; ++i) Batch(at_once);
    spent_ = 0;
    const int batches = calls / at_once;
    for (int i = 0; i < batches; ++i) Batch(at_once);
    return spent_ / (batches * at_once);
  }

 private:
  void OnCallStarted(StreamId, GrpcCallHead) override {}
  void OnMessage(StreamId call, std::string) override { waiting_.push_back(call); }
  void OnCancelled(StreamId) override {}
  void OnOutput() override {}

  void Pass(RelaySide from, const std::string& bytes) {
    const double begun = RelayCpuMicros();
    const Status status = relay_.Feed({}, from, bytes);
    relay_.TakeOutput(RelaySide::kUpstream, to_server_);
    relay_.TakeOutput(RelaySide::kDownstream, to_client_);
    spent_ += RelayCpuMicros() - begun;
    SQUALL_CHECK(status.ok(), "the relay was fed what it does not take");
  }

  void Batch(int at_once) {
    int done = 0;
    GrpcRequest request;
    request.service = "temporal.api.workflowservice.v1.WorkflowService";
    request.method = "GetSystemInfo";
    for (int i = 0; i < at_once; ++i) {
      client_.StartCall(request, [&done](const GrpcResponse& response) {
        SQUALL_CHECK(response.status.ok(), "a call failed");
        ++done;
      });
    }
    while (done < at_once) {
      Pass(RelaySide::kDownstream, client_.TakeOutput());
      SQUALL_CHECK(server_.Feed(std::exchange(to_server_, {})).ok(), "the server was fed nonsense");
      for (const StreamId call : waiting_) server_.Reply(call, std::string(kAnswerBytes, 'x'));
      waiting_.clear();
      Pass(RelaySide::kUpstream, server_.TakeOutput());
      SQUALL_CHECK(client_.Feed(std::exchange(to_client_, {})).ok(), "the client was fed nonsense");
    }
  }

  MisbehaviourScript script_{{}};
  GrpcRelay relay_{{}, *this, &script_, {.connection = 1, .listener = ""}, {}};
  GrpcClientConnection client_{GrpcClientOptions{.http2 = {}, .authority = "localhost"}};
  GrpcServerConnection server_{GrpcServerOptions{}, *this};
  std::vector<StreamId> waiting_;
  std::string to_server_, to_client_;
  double spent_ = 0;
};

}  // namespace
}  // namespace squall::wire

int main(int argc, char** argv) {
  CLI::App app("CPU time of the frame-aware proxy's relay for a call");
  int calls = 20000;
  int rounds = 7;
  app.add_option("--calls", calls)->check(CLI::PositiveNumber);
  app.add_option("--rounds", rounds)->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  for (const int at_once : {1, 8, 64}) {
    std::vector<double> values;
    for (int round = 0; round < rounds; ++round) {
      values.push_back(squall::wire::RelayBench().MicrosPerCall(at_once, calls));
    }
    fmt::print("{:2} at a time: {:.2f} us of CPU a call (median of {}, least {:.2f})\n", at_once,
               squall::bench::Median(values), rounds, *std::min_element(values.begin(), values.end()));
  }
  return 0;
}
