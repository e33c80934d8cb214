#include "tests/integration/doctor/bed.h"

#include <array>
#include <atomic>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <list>

namespace squall::doctor {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

class AheadClock final : public Clock {
 public:
  explicit AheadClock(Duration ahead) : ahead_(ahead) {}
  SteadyTime Now() const override { return clock_.Now(); }
  WallTime WallNow() const override { return clock_.WallNow() + ahead_.load(); }
  // From another thread than the server's.
  void Set(Duration ahead) { ahead_ = ahead; }

 private:
  RealClock clock_;
  std::atomic<Duration> ahead_;
};

template <typename T>
T Take(StatusOr<T> result) {
  SQUALL_CHECK(result.ok(), result.status().ToString());
  return *std::move(result);
}

}  // namespace

struct Speaker::Impl : std::enable_shared_from_this<Speaker::Impl> {
  struct Session {
    explicit Session(tcp::socket the_socket) : socket(std::move(the_socket)) {}
    tcp::socket socket;
    std::array<char, 4096> buffer{};
    std::string out;
  };

  Impl(asio::io_context& io, Script the_script)
      : script(std::move(the_script)),
        acceptor(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {}

  void Accept() {
    acceptor.async_accept(
        [self = shared_from_this()](const boost::system::error_code& error, tcp::socket socket) {
          if (error || self->closed) return;
          self->Begin(std::make_shared<Session>(std::move(socket)));
          self->Accept();
        });
  }

  void Begin(const std::shared_ptr<Session>& session) {
    sessions.push_back(session);
    if (!script.banner.empty()) Write(session, script.banner, false);
    session->socket.async_read_some(asio::buffer(session->buffer),
                                    [self = shared_from_this(), session](
                                        const boost::system::error_code& error, std::size_t size) {
                                      if (error || self->closed) return;
                                      const std::string text =
                                          self->script.answer
                                              ? self->script.answer({session->buffer.data(), size})
                                              : std::string();
                                      self->Write(session, text, self->script.close);
                                    });
  }

  void Write(const std::shared_ptr<Session>& session, std::string text, bool then_close) {
    session->out = std::move(text);
    asio::async_write(session->socket, asio::buffer(session->out),
                      [self = shared_from_this(), session, then_close](
                          const boost::system::error_code&, std::size_t) {
                        if (self->closed || !then_close) return;
                        boost::system::error_code ignored;
                        session->socket.shutdown(tcp::socket::shutdown_send, ignored);
                      });
  }

  Script script;
  tcp::acceptor acceptor;
  std::list<std::shared_ptr<Session>> sessions;
  bool closed = false;
};

Speaker::Speaker(harness::AsioExecutor& executor, Script script)
    : impl_(std::make_shared<Impl>(executor.io(), std::move(script))) {
  impl_->Accept();
}
Speaker::~Speaker() {
  impl_->closed = true;
  boost::system::error_code ignored;
  impl_->acceptor.close(ignored);
  for (const auto& session : impl_->sessions) session->socket.close(ignored);
}
int Speaker::port() const { return impl_->acceptor.local_endpoint().port(); }

std::string_view PathName(Path path) {
  constexpr std::string_view kNames[] = {"plaintext", "TLS", "mTLS", "ingress"};
  return kNames[static_cast<std::size_t>(path)];
}

const wire::CertificateSet& Certificates() {
  static Rng rng(2026);
  static const wire::CertificateSet set = wire::MintCatalogue(RealClock().WallNow(), rng);
  return set;
}

std::vector<wire::Rule> Rules(const std::string& json) {
  return Take(wire::RulesFromJson("{\"rules\": [" + json + "]}"));
}

DoctorBed::DoctorBed(std::uint64_t seed) : rng_(seed) {
  options.tag = rng_.Hex(8);
  options.other_ports.clear();
  sources.read_file = [](const std::string&) -> StatusOr<std::string> {
    return absl::NotFoundError("No such file or directory");
  };
}

DoctorBed::~DoctorBed() {
  helper_.reset();
  connect_proxy_.reset();
  proxy_.reset();
  ingress_.reset();
  fake_.reset();
}

void DoctorBed::Set(std::string_view name, std::string value) {
  Unset(name);
  sources.environment.emplace_back(name, std::move(value));
}
void DoctorBed::Unset(std::string_view name) {
  std::erase_if(sources.environment, [name](const auto& one) { return one.first == name; });
}
std::string DoctorBed::Get(std::string_view name) const {
  for (const auto& [key, value] : sources.environment) {
    if (key == name) return value;
  }
  return {};
}

void DoctorBed::Address(std::uint16_t port, bool by_name) {
  worker_port_ = port;
  by_name_ = by_name;
  Set("TEMPORAL_ADDRESS", fmt::format("{}:{}", by_name ? "localhost" : "127.0.0.1", port));
}
void DoctorBed::TrustServer() { Set("TEMPORAL_TLS_SERVER_CA_CERT_DATA", Certificates().ca_pem); }
void DoctorBed::ShowIdentity(const wire::TlsIdentity& identity) {
  Set("TEMPORAL_TLS_CLIENT_CERT_DATA", identity.certificate_chain_pem);
  Set("TEMPORAL_TLS_CLIENT_KEY_DATA", identity.private_key_pem);
}

void DoctorBed::Serve(Path path, fakes::FakeServerOptions server, bool by_name,
                      fakes::IngressOptions ingress) {
  wire::TlsServerOptions tls;
  tls.identity = Certificates().server;
  if (path == Path::kMtls) {
    tls.client_ca_pem = Certificates().ca_pem;
    tls.require_client_certificate = true;
  }
  if (path == Path::kTls || path == Path::kMtls) {
    if (!server.tls) server.tls = tls;
  }
  std::uint16_t port = 0;
  bool in_front = path == Path::kIngress;
  if (real_) {
    // It speaks plaintext; what it would need for the rest stands in front of it.
    port = real_->port;
    in_front = path != Path::kPlain;
  } else {
    server.listeners.push_back({.name = "helper", .port = 0, .tls = std::nullopt});
    fake_ = Take(fakes::FakeServer::Start(std::move(server)));
    port = static_cast<std::uint16_t>(fake_->port());
  }
  if (in_front) {
    fakes::IngressServerOptions front;
    front.ingress = std::move(ingress);
    if (front.ingress.tls.identity.private_key_pem.empty()) front.ingress.tls = tls;
    front.upstream_port = port;
    front.journal = &journal_;
    ingress_ = Take(fakes::IngressServer::Start(std::move(front)));
    port = static_cast<std::uint16_t>(ingress_->port());
  }
  Address(port, by_name);
  Set("TEMPORAL_NAMESPACE", "default");
  if (path != Path::kPlain) TrustServer();
  if (path == Path::kMtls) ShowIdentity(Certificates().client);
}

void DoctorBed::ServeMode(wire::TlsFault mode, bool by_name, bool identity, bool tls12) {
  wire::TlsServerOptions right;
  right.identity = Certificates().server;
  wire::TlsListener listener =
      wire::ListenerIn(mode, right, Certificates(), clock_.WallNow(), rng_);
  fakes::FakeServerOptions server;
  server.tls = listener.tls;
  if (tls12 && server.tls) server.tls->max_version = wire::TlsVersion::kTls12;
  if (listener.calendar_ahead > Duration::zero())
    server.clock = ServerClock(listener.calendar_ahead);
  Serve(Path::kPlain, std::move(server), by_name);
  TrustServer();
  if (identity) ShowIdentity(Certificates().client);
  if (listener.hangs) Disturb({.id = "hangs", .kind = harness::NetFaultKind::kBlackhole});
}

void DoctorBed::Disturb(harness::NetFault fault) {
  if (!proxy_) {
    harness::ProxyOptions link;
    link.link = "doctor->target";
    link.upstream = {"127.0.0.1", worker_port_};
    proxy_ = Take(harness::TcpProxy::Create(executor_, journal_, std::move(link)));
    Address(proxy_->port(), by_name_);
  }
  const Status set = proxy_->Set(std::move(fault));
  SQUALL_CHECK(set.ok(), set.ToString());
}

void DoctorBed::Say(Speaker::Script script) {
  speaker_ = std::make_unique<Speaker>(executor_, std::move(script));
  Address(speaker_->port());
}

std::uint16_t DoctorBed::ClosedPort() {
  leases_.push_back(Take(harness::PortLease::Take()));
  return leases_.back().port();
}

void DoctorBed::GoThrough(ConnectProxy::Script script) {
  connect_proxy_ = std::make_unique<ConnectProxy>(executor_, worker_port_, std::move(script));
  sources.proxy = fmt::format("127.0.0.1:{}", connect_proxy_->port());
}

std::string DoctorBed::Unique(std::string_view name) {
  return real_ ? fmt::format("{}-{}", rng_.Hex(16), name) : std::string(name);
}

const Clock* DoctorBed::ServerClock(Duration ahead) {
  if (!server_clock_) server_clock_ = std::make_unique<AheadClock>(ahead);
  static_cast<AheadClock&>(*server_clock_).Set(ahead);
  return server_clock_.get();
}

Diagnosis DoctorBed::Examine() { return doctor::Examine(executor_, sources, options); }

}  // namespace squall::doctor
