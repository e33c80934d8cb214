#pragma once
// The doctor's test bed: targets that are right or wrong in one thing each, and the settings of a
// worker for them.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/journal/journal.h"
#include "base/util/rng.h"
#include "base/wire/certificates.h"
#include "base/wire/tls_modes.h"
#include "fakes/server/fake_server.h"
#include "fakes/server/ingress_server.h"
#include "harness/doctor/examine.h"
#include "harness/doctor/rpc.h"
#include "harness/net/asio_executor.h"
#include "harness/net/port.h"
#include "harness/net/tcp_proxy.h"

namespace squall::doctor {

// Says something to whoever connects, or answers what comes first. On the doctor's own loop.
class Speaker {
 public:
  struct Script {
    std::string banner;  // at once
    // What is answered to the first bytes; "" nothing.
    std::function<std::string(std::string_view)> answer;
    bool close = true;  // after the answer
  };
  Speaker(harness::AsioExecutor& executor, Script script);
  ~Speaker();
  int port() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

// How a worker gets to the fake server, when all is right.
enum class Path { kPlain, kTls, kMtls, kIngress };
inline constexpr Path kPaths[] = {Path::kPlain, Path::kTls, Path::kMtls, Path::kIngress};
std::string_view PathName(Path path);

// Minted once: keys take time.
const wire::CertificateSet& Certificates();

class DoctorBed {
 public:
  explicit DoctorBed(std::uint64_t seed);
  ~DoctorBed();

  // A fake server behind `path`, and the settings of a worker that is right in everything.
  void Serve(Path path, fakes::FakeServerOptions options = {}, bool by_name = false,
             fakes::IngressOptions ingress = {});
  // The same with TLS in this mode; the worker has a client certificate if `identity`.
  void ServeMode(wire::TlsFault mode, bool by_name, bool identity, bool tls12 = false);
  // What the worker connects to from here on goes through a proxy with this fault.
  void Disturb(harness::NetFault fault);
  void Say(Speaker::Script script);
  // A port that refuses.
  std::uint16_t ClosedPort();

  void Set(std::string_view name, std::string value);
  void Unset(std::string_view name);
  std::string Get(std::string_view name) const;
  void Address(std::uint16_t port, bool by_name = false);
  // The worker's credentials and trust, by the variables for the texts themselves.
  void TrustServer();
  void ShowIdentity(const wire::TlsIdentity& identity);

  // Somebody polls the queue, until the bed goes.
  void Poll(const std::string& queue, bool activities);
  // A workflow is started on the queue.
  void StartWorkflow(const std::string& queue);

  Diagnosis Examine();

  harness::AsioExecutor& executor() { return executor_; }
  fakes::FakeServer& fake() { return *fake_; }
  std::uint16_t worker_port() const { return worker_port_; }
  ExamineOptions options;
  Sources sources;

 private:
  Rpc& Helper();

  RealClock clock_;
  journal::Journal journal_{clock_};
  harness::AsioExecutor executor_{clock_};
  std::unique_ptr<Clock> server_clock_;
  std::unique_ptr<fakes::FakeServer> fake_;
  std::unique_ptr<fakes::IngressServer> ingress_;
  std::unique_ptr<harness::TcpProxy> proxy_;
  std::unique_ptr<Speaker> speaker_;
  std::vector<harness::PortLease> leases_;
  std::unique_ptr<Rpc> helper_;
  Rng rng_;
  std::uint16_t worker_port_ = 0;
  bool by_name_ = false;
};

// Rules of misbehaviour from their JSON.
std::vector<wire::Rule> Rules(const std::string& json);

}  // namespace squall::doctor
