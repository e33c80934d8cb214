#pragma once
// Misbehaviour on the wire, as data: rules of "whom does it meet" and "what happens then".
//
// A rule names calls or connections (Matcher) and one effect. The same rules are obeyed by the fake
// server's front end, by proxies and by the simulator: misbehaviour_script.h decides,
// scripted_server.h carries out. JSON form, with an example of every effect: docs/misbehaviour.md.

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/util/clock.h"
#include "base/util/status.h"
#include "base/wire/grpc.h"
#include "base/wire/http2.h"

namespace squall::wire {

// Numbers from `first` to `last`, both included; all count from 1. JSON: 3, "3", "2-5", "4-", "-5".
struct Range {
  std::uint64_t first = 1;
  std::uint64_t last = std::numeric_limits<std::uint64_t>::max();
  bool Has(std::uint64_t number) const { return number >= first && number <= last; }
  bool operator==(const Range&) const = default;
};

// Whom a rule meets: all of its fields must agree; a field that is not set agrees with everything.
// Texts may hold stars, each for any characters.
struct Matcher {
  std::vector<std::string> methods;  // "PollWorkflowTaskQueue", "Respond*"; one of them
  std::string ns;
  std::string task_queue;
  std::string identity;
  std::string workflow_id;
  std::string listener;  // where the connection came in; listeners have names
  // The how manyeth of what agrees with all fields above and below: exactly the third call, from
  // the fifth on.
  std::optional<Range> numbers;
  std::optional<Range> streams;      // HTTP/2 stream of the call: 1, 3, 5, ...
  std::optional<Range> connections;  // in the order in which they came, over all listeners
  // Time window since the rule was set; `until` is not in it any more.
  Duration from{};
  std::optional<Duration> until;
  // Drawn from the seed for each thing that agrees with everything else; the numbers count before
  // it.
  double probability = 1;
  // At most so often; 0: without limit.
  std::uint64_t times = 0;
  bool operator==(const Matcher&) const = default;

  // Some field is about calls.
  bool NamesCalls() const;
  // Some field is inside the request's message.
  bool NeedsMessage() const;
};

// "Poll*" agrees with "PollActivityTaskQueue"; an empty pattern with everything.
bool Agrees(std::string_view pattern, std::string_view text);

// --- What happens to a call
// -----------------------------------------------------------------------------------------

// On which way: before the handler sees the request, or before its answer leaves.
enum class Way { kRequest, kAnswer };

// The handler does not run; the call ends with a status.
struct AnswerStatus {
  static constexpr std::string_view kName = "status";
  // One of google.rpc.Status.details: the message's full name and its fields as JSON text.
  struct Detail {
    std::string type;
    std::string fields = "{}";
    bool operator==(const Detail&) const = default;
  };
  int code = 14;
  std::string message;
  std::vector<Detail> details;
  bool operator==(const AnswerStatus&) const = default;
};
struct DelayCall {
  static constexpr std::string_view kName = "delay";
  Duration by{};
  Way way = Way::kRequest;
  bool operator==(const DelayCall&) const = default;
};
// The handler does not run, and nothing is ever answered, not even at the caller's deadline.
struct HangCall {
  static constexpr std::string_view kName = "hang";
  bool operator==(const HangCall&) const = default;
};
// The handler runs; its answer is lost.
struct LoseAnswer {
  static constexpr std::string_view kName = "lose_answer";
  enum class How { kSilence, kResetStream, kCloseConnection, kResetConnection };
  How how = How::kResetStream;
  Http2Error error = Http2Error::kInternalError;  // of kResetStream
  bool operator==(const LoseAnswer&) const = default;
};
// The handler runs once; its answer is sent twice.
struct AnswerTwice {
  static constexpr std::string_view kName = "answer_twice";
  // Two messages in one response; or the whole response again on a stream that has ended.
  enum class As { kMessages, kResponses };
  As as = As::kMessages;
  bool operator==(const AnswerTwice&) const = default;
};
// Status OK with a message of no bytes, or with none at all. The handler runs.
struct AnswerEmpty {
  static constexpr std::string_view kName = "empty";
  enum class What { kMessage, kNothing };
  What what = What::kMessage;
  bool operator==(const AnswerEmpty&) const = default;
};
// Status OK with something that is no message. The handler runs.
struct AnswerMalformed {
  static constexpr std::string_view kName = "malformed";
  // Bytes that are no protobuf; a message that ends before its announced length; one that says it
  // is compressed and is not.
  enum class How { kGarbage, kTruncated, kCompressed };
  How how = How::kGarbage;
  bool operator==(const AnswerMalformed&) const = default;
};
// Fields of the handler's answer are replaced: wrong capabilities.
struct ChangeAnswer {
  static constexpr std::string_view kName = "change_answer";
  std::string fields;  // JSON text in protobuf's JSON form, merged into the answer
  bool operator==(const ChangeAnswer&) const = default;
};
// Waits until the gate is released (Misbehaviour::Release) or the rule is lifted.
struct HoldCall {
  static constexpr std::string_view kName = "hold";
  std::string gate;
  Way way = Way::kRequest;
  bool operator==(const HoldCall&) const = default;
};
// The handler does not run; the stream is reset, with response headers before it or without.
struct ResetStream {
  static constexpr std::string_view kName = "reset_stream";
  Http2Error error = Http2Error::kInternalError;
  bool headers = false;
  bool operator==(const ResetStream&) const = default;
};
// The handler runs; the response ends without a grpc-status.
struct MissingTrailers {
  static constexpr std::string_view kName = "missing_trailers";
  bool operator==(const MissingTrailers&) const = default;
};
// The handler runs; fields of so many bytes more in the response's headers or trailers.
struct OversizedHeader {
  static constexpr std::string_view kName = "oversized_header";
  std::uint64_t bytes = 1 << 20;
  bool in_trailers = false;
  bool operator==(const OversizedHeader&) const = default;
};
// What a load balancer says whose server is gone. Version 2: on the call's stream, and the handler
// does not run. Version 1.1: in place of the connection's HTTP/2, which is then closed.
struct AnswerHttp {
  static constexpr std::string_view kName = "http_answer";
  int status = 502;
  std::string content_type = "text/html";
  std::string body;  // empty: a short page that names the status
  bool http1 = false;
  bool operator==(const AnswerHttp&) const = default;
};

// The handler runs, and is given up when it has not begun to answer by then: a load balancer's read
// time-out, whose usual value is a minute, as long as Temporal holds a poll.
struct ReadTimeout {
  static constexpr std::string_view kName = "read_timeout";
  Duration by = std::chrono::seconds(60);
  int status = 504;
  std::string content_type = "text/html";
  std::string body;  // empty: a short page that names the status
  bool operator==(const ReadTimeout&) const = default;
};
// A request or answer whose message is longer is not passed on. A request's handler does not run.
struct LimitMessage {
  static constexpr std::string_view kName = "message_limit";
  std::uint64_t bytes = kDefaultMaxMessageBytes;
  Way way = Way::kRequest;
  // RESOURCE_EXHAUSTED in the words of grpc-go, or the page of a load balancer: 413 for a request,
  // 502 for an answer.
  bool page = false;
  bool operator==(const LimitMessage&) const = default;
};
// The handler runs twice; the second answer is thrown away. Of proxies only.
struct RepeatRequest {
  static constexpr std::string_view kName = "request_twice";
  bool operator==(const RepeatRequest&) const = default;
};

// --- What happens to a connection
// -----------------------------------------------------------------------------------

struct SendGoaway {
  static constexpr std::string_view kName = "goaway";
  Http2Error error = Http2Error::kNoError;
  // A stream's number, Http2Connection::kSeen or kEverything.
  StreamId last_stream = Http2Connection::kSeen;
  std::string debug;
  bool close = false;  // and close at once
  bool operator==(const SendGoaway&) const = default;
};
// SETTINGS with these values (RFC 9113, 6.5.2), in this order.
struct ChangeSettings {
  static constexpr std::string_view kName = "settings";
  std::vector<std::pair<std::uint16_t, std::uint32_t>> values;
  bool operator==(const ChangeSettings&) const = default;
};
// PINGs are not acknowledged any more, until the rule is lifted.
struct WithholdPingAck {
  static constexpr std::string_view kName = "withhold_ping_ack";
  bool operator==(const WithholdPingAck&) const = default;
};
// No window is given back any more, until the rule is lifted: the peer stalls when it has sent what
// it may.
struct WithholdWindow {
  static constexpr std::string_view kName = "withhold_window";
  bool operator==(const WithholdWindow&) const = default;
};
// FIN, after what is queued.
struct CloseConnection {
  static constexpr std::string_view kName = "close";
  bool operator==(const CloseConnection&) const = default;
};
// RST; what is queued is lost.
struct ResetConnection {
  static constexpr std::string_view kName = "reset";
  bool operator==(const ResetConnection&) const = default;
};
// The connection stays, and from now on nothing is read and nothing said, as if this side's machine
// had gone.
struct HalfOpen {
  static constexpr std::string_view kName = "half_open";
  bool operator==(const HalfOpen&) const = default;
};

using Effect = std::variant<AnswerStatus, DelayCall, HangCall, LoseAnswer, AnswerTwice, AnswerEmpty,
                            AnswerMalformed, ChangeAnswer, HoldCall, ResetStream, MissingTrailers,
                            OversizedHeader, AnswerHttp, ReadTimeout, LimitMessage, RepeatRequest,
                            SendGoaway, ChangeSettings, WithholdPingAck, WithholdWindow,
                            CloseConnection, ResetConnection, HalfOpen>;

// "status", "goaway": its name in JSON and in the journal.
std::string_view EffectName(const Effect& effect);
// The effect is on a whole connection (for an AnswerHttp: in HTTP/1.1).
bool OnConnection(const Effect& effect);
// All names, in the order of Effect.
std::vector<std::string> EffectNames();

// What sets a rule off. Effects on calls: kCall only.
enum class Trigger {
  kCall,        // a call that agrees, once its request is complete
  kConnection,  // a connection that agrees, when it is accepted: in effect from its first byte
  kNow,         // every open connection that agrees, when the rule is set
  kEvery,       // both: those that are open and those to come
};

struct Rule {
  // The fault's id in the journal; unique among the rules in effect. Empty: one is given when the
  // rule is set.
  std::string id;
  Matcher match;
  Effect effect;
  Trigger on = Trigger::kCall;
  // How long after its trigger (effects on answers: after the answer is ready) the effect comes.
  Duration after{};
  std::string why;  // for readers
  bool operator==(const Rule&) const = default;
};

// Reads {"rules": [...]}. One error (INVALID_ARGUMENT) with its place and the nearest right name:
// "rules[1].match.metod: unknown key (did you mean 'method'?)".
StatusOr<std::vector<Rule>> RulesFromJson(std::string_view text);
// The same form again; fields that are at their defaults are left out.
std::string RulesToJson(std::span<const Rule> rules);

}  // namespace squall::wire
