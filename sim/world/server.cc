#include "sim/world/server.h"

#include <algorithm>
#include <utility>

#include "base/journal/words.h"

namespace squall::sim {
namespace {

bool Matches(const std::vector<std::string>& patterns, std::string_view method) {
  return std::any_of(patterns.begin(), patterns.end(), [method](std::string_view pattern) {
    return pattern.ends_with('*') ? method.starts_with(pattern.substr(0, pattern.size() - 1))
                                  : method == pattern;
  });
}

// The front end's listener for clients in this process.
constexpr std::size_t kLoopback = 1;
// And the first of those of links with rules of their own.
constexpr std::size_t kFirstRuled = 2;

}  // namespace

// The server's end of a connection. While the server is stopped its kernel keeps what comes.
class Server::Connection final : public StreamEnd {
 public:
  Connection(Server& server, std::shared_ptr<Stream> stream, std::string peer, std::size_t listener,
             std::size_t front)
      : server_(server),
        stream_(std::move(stream)),
        peer_(std::move(peer)),
        listener_(listener),
        front_(front) {}

  // The server's process takes it up.
  void Open() {
    number_ = server_.frontend_->Accept(server_.Now(), peer_, "", listener_);
    server_.connections_[number_] = server_.waiting_.extract(stream_->number()).mapped();
  }
  bool open() const { return number_ != 0; }
  std::uint64_t stream() const { return stream_->number(); }
  std::uint64_t number() const { return number_; }
  std::size_t front() const { return front_; }

  void OnBytes(std::string_view bytes) override {
    kept_ += bytes;
    Work();
  }
  void OnEnd() override {
    ended_ = true;
    Work();
  }
  void OnReset(int) override {
    reset_ = true;
    Work();
  }
  void OnRoom() override { Push(); }

  // What came so far goes to the front end.
  void Work() {
    if (!server_.running_ || server_.paused_ || !open()) return;
    if (!kept_.empty() && !reset_)
      server_.frontend_->Receive(server_.Now(), number_, std::exchange(kept_, {}));
    if (ended_ || reset_) {
      server_.frontend_->PeerClosed(server_.Now(), number_, reset_);
      if (!reset_) stream_->End(Side::kServer);
      server_.connections_.erase(number_);
    }
    server_.Settle();
  }

  void Send(const fakes::FrontendOutput& output) {
    unsent_ += output.bytes;
    end_ = output.end;
    Push();
  }
  // The process died: its kernel ends the connection, by RST where bytes were not read.
  void Abandon() {
    if (kept_.empty()) {
      stream_->End(Side::kServer);
    } else {
      stream_->Reset(Side::kServer);
    }
  }

 private:
  void Push() {
    unsent_.erase(0, stream_->Send(Side::kServer, unsent_));
    if (!unsent_.empty() && end_ != fakes::FrontendOutput::End::kReset) return;
    if (end_ == fakes::FrontendOutput::End::kClose) stream_->End(Side::kServer);
    if (end_ == fakes::FrontendOutput::End::kReset) stream_->Reset(Side::kServer);
  }

  Server& server_;
  const std::shared_ptr<Stream> stream_;
  const std::string peer_;
  const std::size_t listener_, front_;
  std::uint64_t number_ = 0;
  std::string kept_, unsent_;
  bool ended_ = false, reset_ = false;
  fakes::FrontendOutput::End end_ = fakes::FrontendOutput::End::kKeep;
};

// A client in this process: its bytes reach the front end at once.
class Server::Loopback {
 public:
  explicit Loopback(Server& server) : server_(server), client_({.authority = "loopback"}) {
    number_ = server_.frontend_->Accept(server_.Now(), "loopback", "", kLoopback);
  }
  std::uint64_t number() const { return number_; }
  bool usable() const { return !lost_ && !client_.going_away(); }

  void Call(std::uint64_t call, const fakes::RpcRequest& request) {
    wire::GrpcRequest grpc{request.service, request.method, {},
                           request.message, std::nullopt,   false};
    grpc.metadata = request.metadata;
    if (request.deadline) grpc.timeout = *request.deadline - server_.Now().steady;
    streams_[call] = client_.StartCall(grpc, [this, call](wire::GrpcResponse response) {
      streams_.erase(call);
      server_.answered_.push_back(
          {call,
           {response.status.code, response.status.message, response.status.details},
           response.message});
    });
    Push();
  }
  void Cancel(std::uint64_t call) {
    const auto it = streams_.find(call);
    if (it == streams_.end()) return;
    const wire::StreamId stream = it->second;
    streams_.erase(it);
    client_.Cancel(stream);
    Push();
  }
  void Receive(const fakes::FrontendOutput& output) {
    if (!client_.Feed(output.bytes).ok()) lost_ = true;
    if (output.end != fakes::FrontendOutput::End::kKeep) {
      lost_ = true;
      client_.ConnectionLost("the server closed the connection");
    }
    Push();
  }

 private:
  void Push() {
    const std::string bytes = client_.TakeOutput();
    if (!bytes.empty() && !lost_) server_.frontend_->Receive(server_.Now(), number_, bytes);
  }

  Server& server_;
  wire::GrpcClientConnection client_;
  std::uint64_t number_ = 0;
  std::map<std::uint64_t, wire::StreamId> streams_;
  bool lost_ = false;
};

Server::Server(Executor& loop, journal::Sink& journal, ServerOptions options)
    : loop_(loop),
      journal_(journal),
      options_(std::move(options)),
      source_("server:" + options_.name),
      names_(journal, options_.name),
      fronts_(options_.frontends, true) {}

Server::~Server() {
  loop_.Cancel(timer_);
  loop_.Cancel(start_timer_);
}

void Server::Tell(std::string_view what, int signal, std::string reason, std::string_view detail) {
  journal::ProcessEvent event;
  event.what = what;
  event.process = options_.name;
  event.role = "server";
  if (signal != 0) event.signal = signal;
  if (what == "exited" && signal == 0) event.exit_code = 0;
  event.reason = std::move(reason);
  event.detail = detail;
  journal_.Append(source_, std::move(event));
}

void Server::Start(bool keep_data, std::function<void()> ready) {
  if (ready) on_ready_.push_back(std::move(ready));
  if (running_) return TellReady();
  if (start_timer_ != 0) return;
  Tell("starting", 0, "", engine_ != nullptr && !keep_data ? journal::kWithoutItsData : "");
  if (start_delay_ == Duration::zero()) return Serve(keep_data);
  if (on_wait_) on_wait_();
  start_timer_ = loop_.After(start_delay_, [this, keep_data] {
    start_timer_ = 0;
    Serve(keep_data);
  });
}

void Server::DelayStarts(Duration by, std::function<void()> on_wait) {
  start_delay_ = by;
  on_wait_ = std::move(on_wait);
}

void Server::TellReady() {
  for (const auto& callback : std::exchange(on_ready_, {})) callback();
}

void Server::Serve(bool keep_data) {
  if (engine_ == nullptr) {
    fakes::EngineOptions options;
    options.name = options_.name;
    options.namespaces = options_.namespaces;
    options.seed = options_.seed;
    options.complete_polls_on_shutdown = options_.complete_polls_on_shutdown;
    engine_ = std::make_unique<fakes::Engine>(std::move(options), journal_);
    engine_->SetRpcHook([this](const fakes::RpcRequest& request) { return Refusal(request); });
    if (options_.frontend) {
      fakes::FrontendOptions front;
      front.name = options_.name;
      front.tls = options_.tls;
      front.api_keys = options_.api_keys;
      front.listeners = {{"loopback", nullptr}};
      for (const std::string& link : options_.ruled_links)
        front.listeners.push_back({ListenerOf(link), options_.tls});
      front.seed = options_.seed;
      frontend_ = std::make_unique<fakes::Frontend>(std::move(front), *engine_, names_);
      for (wire::Rule& rule : std::exchange(waiting_rules_, {}))
        frontend_->SetRules(Now(), {std::move(rule)}).IgnoreError();
    }
  } else {
    engine_->Restart(Now(), keep_data);
  }
  running_ = true;
  paused_ = false;
  fronts_.assign(fronts_.size(), true);
  Tell("ready", 0, "");
  Settle();
  TellReady();
}

void Server::End(int signal, const std::string& reason) {
  if (start_timer_ != 0) {
    loop_.Cancel(std::exchange(start_timer_, 0));
    Tell("exited", signal, reason);
    return TellReady();
  }
  if (!running_) return;
  running_ = paused_ = false;
  loop_.Cancel(std::exchange(timer_, 0));
  held_.clear();
  if (frontend_ != nullptr) CloseConnections();
  Tell("exited", signal, reason);
  for (const auto& callback : on_end_) callback();
  const auto open = std::exchange(open_, {});
  for (const auto& [call, answer] : open) {
    answer({call, {kUnavailable, "error reading a body from connection", ""}, ""});
  }
}

void Server::Pause() {
  if (!running_ || std::exchange(paused_, true)) return;
  loop_.Cancel(std::exchange(timer_, 0));
  Tell("paused", 0, "");
}

void Server::Resume() {
  if (!running_ || !std::exchange(paused_, false)) return;
  Tell("resumed", 0, "");
  if (frontend_ != nullptr) {
    std::vector<std::shared_ptr<Connection>> all;
    for (const auto& [number, connection] : waiting_) all.push_back(connection);
    for (const auto& connection : all) connection->Open();
    for (const auto& [number, connection] : connections_) all.push_back(connection);
    for (const auto& connection : all) connection->Work();
    for (auto& [call, request] : std::exchange(held_, {})) {
      if (open_.contains(call)) loopback_->Call(call, request);
    }
    frontend_->Advance(Now());
    return Settle();
  }
  for (auto& [call, request] : std::exchange(held_, {})) {
    if (open_.contains(call)) engine_->Call(Now(), call, std::move(request));
  }
  engine_->Advance(Now());
  Settle();
}

std::string Server::ListenerOf(const std::string& link) const {
  return fmt::format("{} by {}", options_.name, link);
}

Status Server::SetRule(wire::Rule rule, std::string_view fault, const std::string& link) {
  names_.Name(rule.id, fault, link);
  if (!link.empty()) rule.match.listener = ListenerOf(link);
  if (frontend_ == nullptr) {
    waiting_rules_.push_back(std::move(rule));
    return absl::OkStatus();
  }
  const Status set = frontend_->SetRules(Now(), {std::move(rule)}).status();
  Settle();
  return set;
}

void Server::LiftRule(std::string_view id) {
  std::erase_if(waiting_rules_, [id](const wire::Rule& rule) { return rule.id == id; });
  if (frontend_ == nullptr) return;
  frontend_->LiftRule(Now(), id);
  Settle();
}

void Server::RefuseRpcs(std::string fault_id, std::vector<std::string> methods,
                        fakes::RpcStatus status) {
  rules_.push_back({std::move(fault_id), std::move(methods), std::move(status)});
}

void Server::AcceptRpcs(std::string_view fault_id) {
  std::erase_if(rules_, [&](const Rule& rule) { return rule.fault_id == fault_id; });
}

std::optional<fakes::RpcStatus> Server::Refusal(const fakes::RpcRequest& request) {
  for (auto rule = rules_.rbegin(); rule != rules_.rend(); ++rule) {
    if (!Matches(rule->methods, request.method)) continue;
    engine_->SetFaultId(rule->fault_id);
    if (!std::exchange(rule->hit, true)) {
      journal::FaultEvent hit;
      hit.what = "hit";
      hit.fault_id = rule->fault_id;
      hit.fault = "rpc_error";
      hit.target = options_.name;
      hit.detail = request.method;
      journal_.Append(source_, std::move(hit));
    }
    return rule->status;
  }
  engine_->SetFaultId("");
  return std::nullopt;
}

std::uint64_t Server::Call(fakes::RpcRequest request, Answer answer) {
  const std::uint64_t call = ++last_call_;
  if (!running_) {
    loop_.Post([call, answer = std::move(answer)] {
      answer({call, {kUnavailable, "tcp connect error", ""}, ""});
    });
    return call;
  }
  open_.emplace(call, std::move(answer));
  if (frontend_ != nullptr && (loopback_ == nullptr || !loopback_->usable()))
    loopback_ = std::make_unique<Loopback>(*this);
  if (paused_) {
    held_.emplace_back(call, std::move(request));
  } else if (frontend_ != nullptr) {
    loopback_->Call(call, request);
    Settle();
  } else {
    engine_->Call(Now(), call, std::move(request));
    Settle();
  }
  return call;
}

void Server::Cancel(std::uint64_t call) {
  if (open_.erase(call) == 0 || !running_ || paused_) return;
  if (frontend_ != nullptr) {
    loopback_->Cancel(call);
  } else {
    engine_->Cancel(Now(), call);
  }
  Settle();
}

void Server::Settle() {
  // Answers lead to calls, which settle what they changed themselves.
  if (!running_ || paused_ || std::exchange(settling_, true)) return;
  if (frontend_ != nullptr) {
    Flush();
    settling_ = false;
    return SetTimer();
  }
  for (auto responses = engine_->TakeResponses(); !responses.empty();
       responses = engine_->TakeResponses()) {
    for (const fakes::RpcResponse& response : responses) {
      auto node = open_.extract(response.call);
      if (!node.empty()) node.mapped()(response);
    }
  }
  settling_ = false;
  SetTimer();
}

void Server::Accept(const std::shared_ptr<Stream>& stream, const std::string& peer,
                    const std::string& link, std::size_t front) {
  const auto& ruled = options_.ruled_links;
  const auto it = std::find(ruled.begin(), ruled.end(), link);
  const std::size_t listener =
      it == ruled.end() ? 0 : kFirstRuled + static_cast<std::size_t>(it - ruled.begin());
  auto connection = std::make_shared<Connection>(*this, stream, peer, listener, front);
  stream->Attach(Side::kServer, connection);
  waiting_[stream->number()] = connection;
  if (paused_) return;
  connection->Open();
  Settle();
}

void Server::Flush() {
  for (;;) {
    frontend_->Poll(Now());
    const std::vector<fakes::FrontendOutput> outputs = frontend_->TakeOutput();
    for (const fakes::FrontendOutput& output : outputs) {
      if (loopback_ != nullptr && output.connection == loopback_->number()) {
        loopback_->Receive(output);
        continue;
      }
      const auto it = connections_.find(output.connection);
      if (it == connections_.end()) continue;
      const std::shared_ptr<Connection> connection = it->second;
      if (output.end != fakes::FrontendOutput::End::kKeep) connections_.erase(it);
      connection->Send(output);
    }
    const auto answered = std::exchange(answered_, {});
    for (const fakes::RpcResponse& response : answered) {
      auto node = open_.extract(response.call);
      if (!node.empty()) node.mapped()(response);
    }
    if (outputs.empty() && answered.empty()) return;
  }
}

void Server::CloseConnections() {
  frontend_->CloseAll(Now(), fakes::Frontend::Ending::kCrash);
  frontend_->TakeOutput();  // a dead process sends nothing
  for (const auto& [number, connection] : std::exchange(connections_, {})) connection->Abandon();
  for (const auto& [number, connection] : std::exchange(waiting_, {})) connection->Abandon();
  loopback_ = nullptr;
  answered_.clear();
}

void Server::EndFront(std::size_t front) {
  if (!running_ || front >= fronts_.size() || !fronts_[front]) return;
  fronts_[front] = false;
  std::vector<std::shared_ptr<Connection>> mine;
  for (auto* all : {&connections_, &waiting_}) {
    for (const auto& [number, connection] : *all) {
      if (connection->front() == front) mine.push_back(connection);
    }
    std::erase_if(*all, [front](const auto& entry) { return entry.second->front() == front; });
  }
  for (const auto& connection : mine) {
    if (connection->open()) frontend_->PeerClosed(Now(), connection->number(), true);
    connection->Abandon();
  }
  Settle();
}

void Server::StartFront(std::size_t front) {
  if (front < fronts_.size()) fronts_[front] = true;
}

void Server::SetTimer() {
  const auto next = frontend_ != nullptr ? frontend_->NextDeadline() : engine_->NextDeadline();
  if (timer_ != 0 && next && *next == timer_at_) return;
  loop_.Cancel(std::exchange(timer_, 0));
  if (!next) return;
  timer_at_ = *next;
  timer_ = loop_.At(*next, [this] {
    timer_ = 0;
    if (frontend_ != nullptr) {
      frontend_->Advance(Now());
    } else {
      engine_->Advance(Now());
    }
    Settle();
  });
}

}  // namespace squall::sim
