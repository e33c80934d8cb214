#pragma once
// What a GrpcRelay knows of one call. Internal to grpc_relay*.cc.

#include <string>

#include "base/wire/grpc_relay.h"

namespace squall::wire {

struct GrpcRelay::Call {
  Call(StreamId stream, std::uint64_t the_serial) : down(stream), serial(the_serial) {}

  const StreamId down;
  const std::uint64_t serial;  // streams' numbers are used again in the next connection
  StreamId up = 0;             // 0: not sent to the server yet, or over there
  CallFacts facts;
  RulePtr rule;

  enum class Request {
    kCollecting,  // until its first message is complete
    kWaiting,     // a rule holds it: what comes is kept, its window too
    kPassing,
    kSwallowed,  // goes nowhere
  };
  Request request = Request::kPassing;
  Headers request_headers;
  std::string request_body;  // not passed on yet
  std::optional<Headers> request_trailers;
  bool request_ripe = false;  // the first message is complete, or too much is held
  bool request_ended = false;
  std::size_t request_unpaid = 0;  // bytes whose window the client has not got back

  enum class Answer {
    kPassing,
    kCollecting,  // a rule wants it whole
    kHeldBack,    // a rule lets it go later: what comes is kept, its window too
    kOver,        // it was answered otherwise: what comes goes nowhere
  };
  Answer answer = Answer::kPassing;
  Headers answer_headers;
  std::string answer_body;
  std::optional<Headers> answer_trailers;
  bool answer_begun = false;
  bool answer_headers_sent = false;
  bool answer_ended = false;
  std::size_t answer_unpaid = 0;
};

}  // namespace squall::wire
