#pragma once
// What a GrpcRelay knows of one call. Internal to grpc_relay*.cc.

#include <string>
#include <utility>

#include "base/wire/grpc_relay.h"

namespace squall::wire {

struct GrpcRelay::Call {
  // As good as new, but for the room that header blocks and bodies had.
  void Recycle() {
    Call fresh;
    const auto keep = [](HeaderBlock& block, HeaderBlock& room) {
      block.clear();
      room.swap(block);
    };
    keep(request_headers, fresh.request_headers);
    keep(request_trailers, fresh.request_trailers);
    keep(answer_headers, fresh.answer_headers);
    keep(answer_trailers, fresh.answer_trailers);
    *this = std::move(fresh);
  }

  StreamId down = 0;
  std::uint64_t serial = 0;  // streams' numbers are used again in the next connection
  StreamId up = 0;           // 0: not sent to the server yet, or over there
  CallFacts facts;
  RulePtr rule;

  enum class Request {
    kCollecting,  // until its first message is complete
    kWaiting,     // a rule holds it: what comes is kept, its window too
    kPassing,
    kSwallowed,  // goes nowhere
  };
  Request request = Request::kPassing;
  HeaderBlock request_headers;
  std::string request_body;  // not passed on yet
  HeaderBlock request_trailers;
  bool request_has_trailers = false;
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
  HeaderBlock answer_headers;
  std::string answer_body;
  HeaderBlock answer_trailers;
  bool answer_has_trailers = false;
  bool answer_begun = false;
  bool answer_headers_sent = false;
  bool answer_ended = false;
  std::size_t answer_unpaid = 0;
};

}  // namespace squall::wire
