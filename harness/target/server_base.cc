#include "harness/target/server_base.h"

#include <fmt/format.h>

#include <utility>

namespace squall::harness {
namespace {

constexpr Duration kAskPause = std::chrono::milliseconds(25);
constexpr Duration kAskLimit = std::chrono::seconds(5);

}  // namespace

std::string_view ServerKindName(ServerKind kind) {
  switch (kind) {
    case ServerKind::kFakeInProcess:
      return "fake";
    case ServerKind::kFakeProcess:
      return "fake-process";
    case ServerKind::kDevServer:
      return "dev-server";
    case ServerKind::kAddress:
      return "address";
  }
  return "?";
}

// One round of asking: system info first, then each namespace in turn.
class ServerBase::Serving : public std::enable_shared_from_this<ServerBase::Serving> {
 public:
  Serving(ServerBase& server, Done done)
      : server_(server),
        limit_(Scaled(server.options_.ready_limit)),
        end_(server.executor_.clock().Now() + limit_),
        done_(std::move(done)) {}

  void AskSystem() {
    server_.client().GetSystemInfo(How(), [self = shared_from_this()](StatusOr<SystemInfo> info) {
      if (self->over()) return;
      if (!info.ok()) return self->Retry(info.status(), &Serving::AskSystem);
      self->server_.SetVersion(self->server_.VersionFor(info->server_version));
      self->AskNamespace();
    });
  }

  void Stop() {
    done_ = nullptr;
    server_.executor_.Cancel(timer_);
  }
  bool over() const { return done_ == nullptr; }

 private:
  void AskNamespace() {
    if (next_ == server_.options_.namespaces.size()) return Finish(absl::OkStatus());
    const std::string& ns = server_.options_.namespaces[next_];
    server_.client().DescribeNamespace(
        ns, How(), [self = shared_from_this(), ns](const Status& status) {
          if (self->over()) return;
          if (status.ok()) {
            ++self->next_;
            self->AskNamespace();
            return;
          }
          if (status.code() != StatusCode::kNotFound || !self->server_.owned()) {
            return self->Retry(Annotate(status, "namespace " + ns), &Serving::AskNamespace);
          }
          self->server_.client().RegisterNamespace(
              ns, self->How(), [self, ns](const Status& registered) {
                if (self->over()) return;
                self->Retry(registered.ok() ? MakeStatus(StatusCode::kUnavailable,
                                                         "namespace {} is not there yet", ns)
                                            : registered,
                            &Serving::AskNamespace);
              });
        });
  }

  void Retry(Status why, void (Serving::*next)()) {
    const bool hopeless = why.code() == StatusCode::kUnauthenticated ||
                          why.code() == StatusCode::kPermissionDenied ||
                          why.code() == StatusCode::kInvalidArgument ||
                          (why.code() == StatusCode::kNotFound && !server_.owned());
    if (hopeless) return Finish(std::move(why));
    if (server_.executor_.clock().Now() >= end_) {
      return Finish(MakeStatus(StatusCode::kDeadlineExceeded,
                               "server {} does not serve within {}: {}", server_.name(),
                               FormatDuration(limit_), Message(why)));
    }
    timer_ = server_.executor_.After(kAskPause, [self = shared_from_this(), next] {
      if (!self->over()) (self.get()->*next)();
    });
  }

  void Finish(Status status) {
    if (const auto done = std::exchange(done_, nullptr)) done(std::move(status));
  }

  CallOptions How() const { return {.deadline = Scaled(kAskLimit), .journal = false}; }

  ServerBase& server_;
  const Duration limit_;
  const SteadyTime end_;
  Done done_;
  std::size_t next_ = 0;
  TimerId timer_ = 0;
};

ServerBase::ServerBase(AsioExecutor& executor, journal::Sink& journal, ServerOptions options)
    : executor_(executor),
      journal_(journal),
      options_(std::move(options)),
      source_("server:" + options_.name) {}

ServerBase::~ServerBase() {
  *alive_ = false;
  if (waiting_start_) executor_.Cancel(waiting_start_->timer);
  StopAwaiting();
}

TemporalClient& ServerBase::client() {
  if (client_) return *client_;
  TemporalClientOptions options;
  options.name = "harness@" + options_.name;
  options.address = address();
  if (!options_.namespaces.empty()) options.ns = options_.namespaces.front();
  options.tls = options_.client_tls;
  options.api_key = options_.api_key.empty() && !options_.api_keys.empty()
                        ? options_.api_keys.front()
                        : options_.api_key;
  if (options_.kind != ServerKind::kAddress && !options_.tls_identity.empty() &&
      options_.certificates != nullptr) {
    // Around every wrong certificate that the server may be showing: its own is the one that is
    // trusted.
    ClientTls tls;
    const wire::CertificateSet& set = *options_.certificates;
    tls.ca_pem = options_.tls_identity == "wrong_ca" ? set.wrong_ca_pem : set.ca_pem;
    tls.server_name = options_.tls_identity == "wrong_name" ? "other.example" : "localhost";
    if (options_.require_client_certificate) {
      tls.certificate_chain_pem = set.client.certificate_chain_pem;
      tls.private_key_pem = set.client.private_key_pem;
    }
    options.tls = std::move(tls);
  }
  client_ = std::make_unique<TemporalClient>(executor_, journal_, std::move(options));
  return *client_;
}

void ServerBase::RegisterNamespace(const std::string& ns, Done done) {
  client().RegisterNamespace(ns, {}, std::move(done));
}
void ServerBase::DeleteNamespace(const std::string& ns, Done done) {
  client().DeleteNamespace(ns, {}, std::move(done));
}

Status ServerBase::Misbehave(std::string_view, wire::Rule) {
  return MakeStatus(StatusCode::kUnimplemented,
                    "server {} is a {}: only the fake server in process misbehaves on demand",
                    name(), ServerKindName(options_.kind));
}
Status ServerBase::Behave(std::string_view) { return absl::OkStatus(); }

void ServerBase::DelayStarts(Duration by, std::function<void()> met) {
  start_delay_ = by;
  start_delayed_ = std::move(met);
  if (by > Duration::zero() || !waiting_start_) return;
  executor_.Cancel(waiting_start_->timer);
  const auto start = std::move(waiting_start_->start);
  waiting_start_.reset();
  start_now_ = true;
  start();
  start_now_ = false;
}

bool ServerBase::StartWaits(std::function<void()> start, const Done& done) {
  if (start_now_ || start_delay_ <= Duration::zero()) return false;
  if (waiting_start_) {
    Later(done, MakeStatus(StatusCode::kFailedPrecondition, "server {} starts already", name()));
    return true;
  }
  if (start_delayed_) start_delayed_();
  waiting_start_ = {std::move(start), done, executor_.After(start_delay_, [this] {
                      const auto begin = std::move(waiting_start_->start);
                      waiting_start_.reset();
                      start_now_ = true;
                      begin();
                      start_now_ = false;
                    })};
  return true;
}

void ServerBase::GiveUpStart() {
  if (!waiting_start_) return;
  executor_.Cancel(waiting_start_->timer);
  const Done done = std::move(waiting_start_->done);
  waiting_start_.reset();
  Later(done,
        MakeStatus(StatusCode::kCancelled, "server {} was stopped before it had started", name()));
}

void ServerBase::AwaitServing(Done done) {
  StopAwaiting();
  FreshClient();
  serving_ = std::make_shared<Serving>(*this, std::move(done));
  serving_->AskSystem();
}

void ServerBase::FreshClient() {
  if (client_) client_->Reconnect();
}

void ServerBase::StopAwaiting() {
  if (serving_) std::exchange(serving_, nullptr)->Stop();
}

void ServerBase::Later(Done done, Status status) {
  if (!done) return;
  executor_.Post([alive = alive_, done = std::move(done), status = std::move(status)] {
    if (*alive) done(status);
  });
}

void ServerBase::Tell(std::string_view word, std::int64_t pid, std::string_view reason,
                      std::string detail, std::optional<int> signal) {
  journal_.Append(source_, journal::ProcessEvent{.what = std::string(word),
                                                 .process = name(),
                                                 .role = "server",
                                                 .pid = pid,
                                                 .signal = signal,
                                                 .reason = std::string(reason),
                                                 .detail = std::move(detail)});
}

StatusOr<std::unique_ptr<ServerUnderTest>> MakeServer(AsioExecutor& executor,
                                                      journal::Sink& journal,
                                                      ServerOptions options) {
  if (options.kind == ServerKind::kAddress)
    return MakeExternalServer(executor, journal, std::move(options));
  SQUALL_ASSIGN_OR_RETURN(PortLease lease, PortLease::Take());
  if (options.kind == ServerKind::kFakeInProcess)
    return MakeFakeInProcess(executor, journal, std::move(options), std::move(lease));
  return MakeServerProcess(executor, journal, std::move(options), std::move(lease));
}

}  // namespace squall::harness
