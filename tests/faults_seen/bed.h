#pragma once
// What every row of faults stands on: a fake server, a GrpcProxy in front of it (and before that,
// where it is asked for, a TcpProxy) on a loop of its own, and the certificates that all are right
// with.

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/journal/journal.h"
#include "base/util/clock.h"
#include "base/util/status.h"
#include "base/wire/certificates.h"
#include "fakes/server/fake_server.h"
#include "harness/net/asio_executor.h"
#include "harness/net/grpc_proxy.h"
#include "harness/net/tcp_proxy.h"

namespace squall::seen {

// Minted for today, once a program.
const wire::CertificateSet& Certificates();

enum class Security { kPlaintext, kTls };
enum class Front { kFramesOnly, kTcpBeforeFrames };

class Bed {
 public:
  // `client_side` is how the proxy is spoken to while nothing is wrong; the server speaks TLS where
  // `server_side` says so.
  Bed(Security client_side, Security server_side, Front front = Front::kFramesOnly);
  ~Bed();
  Bed(const Bed&) = delete;
  Bed& operator=(const Bed&) = delete;

  // Whether everything could be started; nothing else may be called if not.
  const Status& status() const { return status_; }
  std::string address() const { return address_; }
  fakes::FakeServer& server() { return *server_; }

  // Runs `work` on the proxy's loop and waits for it.
  void OnLoop(const std::function<void(harness::GrpcProxy&)>& work);
  // Rules in JSON, without the outermost braces.
  Status SetRules(const std::string& rules);
  // With Front::kTcpBeforeFrames.
  Status SetNetFault(const harness::NetFault& fault);
  // Faults of the TcpProxy too.
  void LiftRules();
  // Of either proxy.
  std::uint64_t Hits(const std::string& fault_id);
  // Until something has met the fault, or the limit is over.
  void AwaitHit(const std::string& fault_id, Duration limit);
  // Between two attempts of a client that fails at once: it needs the processor to recover.
  void Pause(Duration pause);
  // What still stands is reset.
  void CloseConnections();
  std::vector<journal::Event> Journal() const { return journal_.Events(); }

 private:
  RealClock clock_;
  journal::Journal journal_{clock_};
  harness::AsioExecutor executor_{clock_};
  Status status_;
  std::unique_ptr<fakes::FakeServer> server_;
  std::unique_ptr<harness::GrpcProxy> proxy_;
  std::unique_ptr<harness::TcpProxy> tcp_;
  std::string address_;
  std::thread thread_;
};

}  // namespace squall::seen
