#pragma once
// A fake Temporal server in the simulated world: the engine, driven by the world's loop, and the
// life of its process.
//
// It dies, comes back with or without its data, is stopped in the middle (SIGSTOP), and refuses
// calls by rules. Loop thread only.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/journal/journal.h"
#include "base/util/executor.h"
#include "base/wire/grpc.h"
#include "base/wire/misbehaviour.h"
#include "fakes/engine/engine.h"
#include "fakes/frontend/fault_names.h"
#include "fakes/frontend/frontend.h"
#include "sim/net/stream.h"
#include "sim/world/acceptor.h"
#include "sim/world/channel.h"

namespace squall::sim {

struct ServerOptions {
  std::string name = "temporal";
  std::vector<std::string> namespaces = {"default"};
  std::uint64_t seed = 1;
  bool frontend = false;                  // it takes connections
  bool complete_polls_on_shutdown = false;
  std::shared_ptr<wire::TlsContext> tls;  // of those; null: plaintext
  std::vector<std::string> api_keys;      // that it accepts; empty: it asks for none
  // Links whose connections have rules of their own.
  std::vector<std::string> ruled_links;
  std::size_t frontends = 1;
};

class Server final : public Acceptor, public Callee {
 public:
  Server(Executor& loop, journal::Sink& journal, ServerOptions options);
  ~Server() override;
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  const std::string& name() const { return options_.name; }
  bool running() const override { return running_; }
  std::size_t fronts() const override { return fronts_.size(); }
  bool Takes(std::size_t front) const override { return running_ && fronts_[front]; }
  bool paused() const { return paused_; }

  // With its data, where it had any. `ready` is called once it serves, or was ended before.
  void Start(bool keep_data, std::function<void()> ready = nullptr);
  // From now on a start takes so long, and `on_wait` is told of each.
  void DelayStarts(Duration by, std::function<void()> on_wait);
  // The process ends: open calls are answered by nobody, connections are closed. `signal` 0: it
  // ended by itself.
  void End(int signal, const std::string& reason);
  void Pause();
  void Resume();
  // Misbehaviour of the front end: the fault `fault` on `link`, or on the server itself where that
  // is empty. The rule's id is the fault's.
  Status SetRule(wire::Rule rule, std::string_view fault, const std::string& link);
  void LiftRule(std::string_view id);
  // Without a front end: calls of these methods (a trailing * matches any ending) get this status
  // until AcceptRpcs.
  void RefuseRpcs(std::string fault_id, std::vector<std::string> methods, fakes::RpcStatus status);
  void AcceptRpcs(std::string_view fault_id);

  // One call, from a client in this process or through CallPath; answered once unless cancelled,
  // with UNAVAILABLE where the server goes away before. On a paused server it waits.
  std::uint64_t Call(fakes::RpcRequest request, Answer answer) override;
  void Cancel(std::uint64_t call) override;
  // Told when connections are cut: the server ended.
  void OnEnd(std::function<void()> callback) { on_end_.push_back(std::move(callback)); }

  fakes::Engine& engine() { return *engine_; }
  // Null without one. Settle after using it.
  fakes::Frontend* frontend() { return frontend_.get(); }
  void Accept(const std::shared_ptr<Stream>& stream, const std::string& peer,
              const std::string& link, std::size_t front) override;
  // One front end dies, and comes back; the engine goes on.
  void EndFront(std::size_t front);
  void StartFront(std::size_t front);

  // After somebody used the engine or the front end: carries answers on, and sets the next
  // deadline.
  void Settle();

 private:
  class Connection;
  class Loopback;
  std::optional<fakes::RpcStatus> Refusal(const fakes::RpcRequest& request);
  std::string ListenerOf(const std::string& link) const;
  void Serve(bool keep_data);
  void TellReady();
  void SetTimer();
  void Flush();
  void CloseConnections();
  void Tell(std::string_view what, int signal, std::string reason, std::string_view detail = "");
  Moment Now() const { return loop_.clock().MomentNow(); }

  struct Rule {
    std::string fault_id;
    std::vector<std::string> methods;
    fakes::RpcStatus status;
    bool hit = false;
  };

  Executor& loop_;
  journal::Sink& journal_;
  const ServerOptions options_;
  const std::string source_;
  fakes::FaultNames names_;                // before the front end, which writes to it
  std::vector<wire::Rule> waiting_rules_;  // until there is a front end
  std::unique_ptr<fakes::Engine> engine_;
  std::unique_ptr<fakes::Frontend> frontend_;
  std::map<std::uint64_t, std::shared_ptr<Connection>> connections_;  // by the front end's number
  std::map<std::uint64_t, std::shared_ptr<Connection>>
      waiting_;  // by the stream's: accepted by the kernel only
  std::unique_ptr<Loopback> loopback_;
  std::vector<fakes::RpcResponse> answered_;  // to calls of the loopback
  std::vector<bool> fronts_;                  // which are there
  bool running_ = false, paused_ = false, settling_ = false;
  Duration start_delay_{};
  std::function<void()> on_wait_;
  TimerId start_timer_ = 0;
  std::vector<std::function<void()>> on_ready_;
  TimerId timer_ = 0;
  SteadyTime timer_at_{};
  std::uint64_t last_call_ = 0;
  std::map<std::uint64_t, Answer> open_;
  std::vector<std::pair<std::uint64_t, fakes::RpcRequest>> held_;  // came while paused
  std::vector<Rule> rules_;
  std::vector<std::function<void()>> on_end_;
};

}  // namespace squall::sim
