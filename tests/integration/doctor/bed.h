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

// An HTTP proxy: answers CONNECT, and leads every connection to one port of this machine.
class ConnectProxy {
 public:
  struct Script {
    // "200 Connection established" leads on, "" says nothing, all else is refused with it.
    std::string status = "200 Connection established";
    std::string credentials;  // "user:password", without which it answers 407
  };
  ConnectProxy(harness::AsioExecutor& executor, std::uint16_t upstream, Script script);
  ~ConnectProxy();
  std::uint16_t port() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

// `temporal server start-dev`, started by tools/prove-doctor.sh.
struct RealServer {
  std::uint16_t port = 0, web_port = 0;
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
  // A calendar for FakeServerOptions that is so much ahead of ours, from now on; negative: behind.
  const Clock* ServerClock(Duration ahead);
  // What the worker connects to from here on goes through a proxy with this fault.
  void Disturb(harness::NetFault fault);
  void Say(Speaker::Script script);
  // What the worker connects to is reached through an HTTP proxy that does this, which the program
  // gives core. It leads to the target, whatever name it is asked for.
  void GoThrough(ConnectProxy::Script script);
  std::uint16_t connect_proxy_port() const { return connect_proxy_->port(); }
  // From here on a real server in place of the fake one, and its own ports for the worker's.
  void UseReal(const RealServer& real) { real_ = real; }
  const std::optional<RealServer>& real() const { return real_; }
  // The name itself; on a real server, which outlives the case, one that nobody else has.
  std::string Unique(std::string_view name);
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
  // The same by a worker of a version ("deployment.build").
  void PollAs(const std::string& queue, bool activities, const std::string& deployment,
              const std::string& build);
  // Until both kinds of the queue's tasks go there.
  void MakeCurrent(const std::string& queue, const std::string& deployment,
                   const std::string& build);
  // A namespace is registered and gets the state DELETED.
  void DeleteNamespace(const std::string& name);
  // A workflow is started on the queue.
  void StartWorkflow(const std::string& queue, const std::string& type = "Ping");
  // A worker takes one workflow task of the queue: it schedules this activity (""  none) there, or
  // fails it with this text.
  void DoWorkflowTask(const std::string& queue, const std::string& activity,
                      const std::string& failure = "");
  // The same with an activity task: it completes it, or fails it with this text.
  void DoActivityTask(const std::string& queue, const std::string& failure = "");
  // Until the queue's executions are listed as such.
  void AwaitListed(const std::string& queue);

  Diagnosis Examine();

  harness::AsioExecutor& executor() { return executor_; }
  fakes::FakeServer& fake() { return *fake_; }
  std::uint16_t worker_port() const { return worker_port_; }
  ExamineOptions options;
  Sources sources;

 private:
  Rpc& Helper();
  // Asks until the queue is as it shall be.
  void AwaitQueue(const std::string& queue, bool activities, std::string_view otherwise,
                  const std::function<bool(const std::string&)>& is);
  // One call of the helper's, answered OK.
  std::string Answered(std::string_view method, const std::string& request);

  RealClock clock_;
  journal::Journal journal_{clock_};
  harness::AsioExecutor executor_{clock_};
  std::unique_ptr<Clock> server_clock_;
  std::unique_ptr<fakes::FakeServer> fake_;
  std::unique_ptr<fakes::IngressServer> ingress_;
  std::unique_ptr<harness::TcpProxy> proxy_;
  std::unique_ptr<Speaker> speaker_;
  std::unique_ptr<ConnectProxy> connect_proxy_;
  std::optional<RealServer> real_;
  std::vector<harness::PortLease> leases_;
  std::unique_ptr<Rpc> helper_;
  Rng rng_;
  std::uint16_t worker_port_ = 0;
  bool by_name_ = false;
};

// Rules of misbehaviour from their JSON.
std::vector<wire::Rule> Rules(const std::string& json);

}  // namespace squall::doctor
