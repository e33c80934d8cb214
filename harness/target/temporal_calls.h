#pragma once
// The inside of TemporalClient: a channel, the calls that are open on it, and their journal.
// Internal to harness/target.

#include <google/protobuf/message.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "harness/target/temporal_client.h"

namespace squall::harness {

// What the journal says of a call besides its method.
struct CallFacts {
  std::string task_queue, workflow_id;
};

// Loop thread only; a thread of its own waits for gRPC and posts. Kept alive by the callbacks of
// calls that are open.
class TemporalCalls : public std::enable_shared_from_this<TemporalCalls> {
 public:
  using Callback = std::function<void(StatusOr<std::string>)>;

  TemporalCalls(Executor& executor, journal::Sink& journal, TemporalClientOptions options);
  ~TemporalCalls();

  void Connect();
  void ResetBackoff();
  // Cancels everything open; from here on no callback runs. Blocks until gRPC has let go.
  // The destructor does it too.
  void Close();
  // Cancels everything open; callbacks get CANCELLED.
  void CancelAll();
  // One call, which calls back once unless Close() comes first.
  void Start(std::string_view method, const std::string& request, const CallOptions& how,
             CallFacts facts, Callback done);

  Executor& executor;
  journal::Sink& journal;
  TemporalClientOptions options;
  const std::string source;
  bool closed = false;
  std::uint64_t requests = 0;  // for request ids

  const std::string& NamespaceOf(const CallOptions& how) const {
    return how.ns.empty() ? options.ns : how.ns;
  }

 private:
  struct Open;
  struct Wire;
  void Finish(std::uint64_t number);

  std::unique_ptr<Wire> wire_;
  std::map<std::uint64_t, std::shared_ptr<Open>> open_;
  std::uint64_t calls_ = 0;
};

// Starts a call with typed messages; `done` gets the parsed response.
template <typename Response>
void TypedCall(const std::shared_ptr<TemporalCalls>& calls, std::string_view method,
               const google::protobuf::Message& request, const CallOptions& how,
               const CallFacts& facts, std::function<void(StatusOr<Response>)> done) {
  calls->Start(method, request.SerializeAsString(), how, facts,
               [done = std::move(done), name = std::string(method)](StatusOr<std::string> bytes) {
                 if (!done) return;
                 if (!bytes.ok()) {
                   done(bytes.status());
                   return;
                 }
                 Response response;
                 if (!response.ParseFromString(*bytes)) {
                   done(MakeStatus(StatusCode::kInternal, "{}: the answer cannot be parsed", name));
                   return;
                 }
                 done(std::move(response));
               });
}

}  // namespace squall::harness
