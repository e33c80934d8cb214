#pragma once
// gRPC between two connections, frame by frame: one HTTP/2 connection from a client, one to a
// server, and a misbehaviour script between them. Sans-IO: a proxy on sockets and the simulator
// drive it alike.
//
// Without a rule in effect it only relays: calls of any kind (unary or streams) as they come,
// header blocks, bodies and trailers unread and unchanged, so also deadlines and compression;
// resets, GOAWAY and PINGs end to end, in both directions. Window is given back as the other side
// takes the data: of each call at most a stream's window is held in each direction.
//
// While rules for calls are in effect, a request is collected until its first message is complete,
// then its rule is chosen. A rule that does something to answers collects the answer. Neither holds
// more than max_held_bytes: a longer request meets no rule that looks into messages, a longer
// answer passes unchanged, and no hit is told.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/wire/grpc.h"
#include "base/wire/misbehaviour_script.h"
#include "base/wire/scripted_connection.h"
#include "base/wire/stream_map.h"

namespace squall::wire {

struct GrpcRelayOptions {
  GrpcRelayOptions();
  // Of both sides. The relay sets role, acknowledgement of PINGs and giving back of windows itself.
  // Default: 256 KiB of each stream, 64 MiB in all, header blocks up to 1 MiB.
  Http2Options downstream, upstream;
  // Of one request or answer that a rule wants whole.
  std::size_t max_held_bytes;
  // PINGs are answered by the other end, as without a relay; false: by the relay itself, as load
  // balancers do, so that a client's keepalive does not see a server that has gone.
  bool pass_pings = true;
};

// Downstream is the client's side.
enum class RelaySide { kDownstream, kUpstream };

class GrpcRelay final : private ScriptedConnection::Host {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    // Something waits in TakeOutput, or the connection ends, although nothing was fed: by a timer,
    // a gate, or a rule that was set or lifted.
    virtual void OnOutput() = 0;
  };

  // All must outlive the relay; `script` may be null, `place.connection` is unique among its
  // members.
  GrpcRelay(const GrpcRelayOptions& options, Owner& owner, MisbehaviourScript* script, Place place,
            SteadyTime now);
  ~GrpcRelay() override;

  // Bytes from a side. An error: that side is beyond use; what TakeOutput still gives may tell it
  // so.
  Status Feed(SteadyTime now, RelaySide side, std::string_view bytes);
  // All that may be sent to a side now. Window for what it holds is given back with it: ask again
  // only when it has left.
  void TakeOutput(RelaySide side, std::string& out);

  // How a rule ends the client's connection; the server's is to be closed with it.
  ScriptedEnd end() const { return connection_.end(); }
  const std::string& end_fault() const { return connection_.end_fault(); }
  // Half open: nothing is to be read from the client, nothing said, closing included.
  bool silent() const { return connection_.silent(); }

  // The client's calls that are not over.
  std::size_t open_calls() const { return calls_.size(); }
  // Bytes of bodies that are held for a side, collected ones included.
  std::size_t held_bytes(RelaySide to) const;
  const Http2Connection& side(RelaySide side) const {
    return side == RelaySide::kDownstream ? *down_ : *up_;
  }

 private:
  struct Call;
  class Client;  // handlers of the two connections
  class Server;
  using CallWork = std::function<void(Call&)>;

  // ScriptedConnection::Host
  Http2Connection& http2() override { return *down_; }
  void WithholdPings(bool withhold) override { pings_withheld_ = withhold; }
  void WithholdWindows(bool withhold) override;
  void OnOutput() override { owner_.OnOutput(); }

  Call* Find(StreamId down) const;
  Call* FindUp(StreamId up) const;

  // Requests.
  void OnRequest(StreamId stream, HeaderBlock& headers);
  void OnRequestData(StreamId stream, std::string_view data);
  void OnRequestEnd(StreamId stream);
  void OnRequestClosed(StreamId stream, Http2Error error);
  void OpenUpstream(Call& call);
  void PassRequestEnd(Call& call);
  // Answers.
  void OnAnswer(StreamId stream, HeaderBlock& headers);
  void OnAnswerData(StreamId stream, std::string_view data);
  void OnAnswerEnd(StreamId stream);
  void OnAnswerClosed(StreamId stream, Http2Error error);
  void SendAnswerHeaders(Call& call, bool end);
  void PassAnswerEnd(Call& call);
  void ReleaseAnswer(Call& call);
  // Both.
  void OnPing(RelaySide from, std::string_view opaque, bool ack);
  void GiveBack(RelaySide side, StreamId stream, std::size_t bytes);
  void GiveBackTaken(RelaySide taker);
  void Flush();
  void LookAtRequests();
  void LookAtAnswers();

  // Rules (grpc_relay_rules.cc).
  void Decide(Call& call);
  void Describe(Call& call);
  void MeetRequest(Call& call);
  void Pass(Call& call);
  void SendTwice(Call& call);
  void BeginAnswer(Call& call);
  void MeetAnswer(Call& call);
  void ShapeAndSend(Call& call);
  bool RefuseLargeAnswer(Call& call, std::string_view data);
  void EndWithStatus(Call& call, const GrpcStatus& status);
  void EndWithPage(Call& call, int status, const std::string& content_type,
                   const std::string& body);
  void GiveUpUpstream(Call& call);
  void Tell(const Call& call);
  // Runs `work` later if the call is still the same and open then.
  std::function<void(SteadyTime)> IfOpen(const Call& call, CallWork work);
  void Later(Duration wait, const Call& call, CallWork work);

  const GrpcRelayOptions options_;
  Owner& owner_;
  MisbehaviourScript* const script_;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  SteadyTime now_;
  ScriptedConnection connection_;  // decides before anything else is made
  std::unique_ptr<Client> client_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<Http2Connection> down_, up_;
  StreamMap<std::unique_ptr<Call>> calls_;  // by the client's stream
  StreamMap<Call*> by_up_;
  Spares<Call> spares_;
  std::unordered_set<StreamId> shadows_;  // requests sent twice: nobody wants the answer
  std::vector<StreamId> fresh_requests_, fresh_answers_;  // to be looked at when all is fed
  std::vector<StreamId> looked_at_;                       // room for the next of those
  std::vector<StreamId> behind_up_, behind_down_;  // calls with data that the taker has not taken
  std::vector<std::pair<StreamId, Http2Error>> resets_;  // behind headers that are queued
  std::map<StreamId, std::size_t> withheld_;             // window kept from the client
  std::uint64_t serial_ = 0;
  int pings_under_way_ = 0;
  bool pings_withheld_ = false;
  bool windows_withheld_ = false;
};

}  // namespace squall::wire
