#pragma once
// What all servers under test share: their client, and the evidence that they serve. Internal to
// harness/target.

#include <memory>
#include <string>

#include "harness/net/port.h"
#include "harness/target/target.h"

namespace squall::harness {

class ServerBase : public ServerUnderTest {
 public:
  ServerBase(AsioExecutor& executor, journal::Sink& journal, ServerOptions options);
  ~ServerBase() override;

  const ServerOptions& options() const override { return options_; }
  bool owned() const override { return true; }
  std::string version() const override { return version_; }
  TemporalClient& client() override;
  void RegisterNamespace(const std::string& ns, Done done) override;
  void DeleteNamespace(const std::string& ns, Done done) override;
  Status Misbehave(std::string_view fault, wire::Rule rule) override;
  Status Behave(std::string_view fault_id) override;
  void DelayStarts(Duration by, std::function<void()> met) override;

 protected:
  // GetSystemInfo and the namespaces of the options, asked until they are as they should be:
  // missing ones are registered. Ends with the first answer that no waiting will mend, or after
  // options().ready_limit. Only one at a time.
  void AwaitServing(Done done);
  void StopAwaiting();
  // After a start: the client forgets connections to the server's last life, and its back-off.
  void FreshClient();
  // Whether this start has to wait, by DelayStarts: then `start` is called later, or `done` with
  // CANCELLED when GiveUpStart comes first.
  bool StartWaits(std::function<void()> start, const Done& done);
  // A start that waits does not come: the server is told to stop, or killed.
  void GiveUpStart();
  // Runs `done` on the loop unless this object is gone by then.
  void Later(Done done, Status status);
  void Tell(std::string_view word, std::int64_t pid, std::string_view reason = "",
            std::string detail = "", std::optional<int> signal = std::nullopt);
  void SetVersion(std::string version) { version_ = std::move(version); }
  virtual std::string VersionFor(const std::string& server_version) const = 0;

  AsioExecutor& executor_;
  journal::Sink& journal_;
  ServerOptions options_;
  const std::string source_;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);

 private:
  class Serving;
  struct WaitingStart {
    std::function<void()> start;
    Done done;
    TimerId timer;
  };
  std::shared_ptr<Serving> serving_;
  std::unique_ptr<TemporalClient> client_;
  std::string version_;
  Duration start_delay_{};
  std::function<void()> start_delayed_;
  std::optional<WaitingStart> waiting_start_;
  bool start_now_ = false;  // the start that waited is under way: it is not delayed again
};

// A file that only its owner may read: keys.
Status WritePrivateFile(const std::string& path, const std::string& text);

std::unique_ptr<ServerUnderTest> MakeFakeInProcess(AsioExecutor& executor, journal::Sink& journal,
                                                   ServerOptions options, PortLease lease);
StatusOr<std::unique_ptr<ServerUnderTest>> MakeServerProcess(AsioExecutor& executor,
                                                             journal::Sink& journal,
                                                             ServerOptions options,
                                                             PortLease lease);
StatusOr<std::unique_ptr<ServerUnderTest>> MakeExternalServer(AsioExecutor& executor,
                                                              journal::Sink& journal,
                                                              ServerOptions options);

}  // namespace squall::harness
