#pragma once
// What effects look like on the wire, for all who carry a script out: pages of load balancers,
// first SETTINGS, and answers taken apart and put together wrong. Internal to base/wire.

#include <string>

#include "base/wire/misbehaviour_script.h"

namespace squall::wire {

template <typename T>
const T* EffectOf(const RulePtr& rule) {
  return rule == nullptr ? nullptr : std::get_if<T>(&rule->rule.effect);
}

inline constexpr int kContentTooLarge = 413, kBadGateway = 502;
// A page with a status on a stream of HTTP/2, and in place of HTTP/2.
struct HttpPage {
  Headers headers;
  std::string body;
};
HttpPage PageOf(int status, const std::string& content_type, const std::string& body);
std::string Http1Page(const AnswerHttp& http);

// The headers of an answer that is to have a message.
Headers GrpcResponseHeaders();

// What a rule that meets the connection from its first byte makes of its first SETTINGS; what of a
// ChangeSettings they cannot say, as it has to be sent behind them.
Http2Options AdjustedHttp2(Http2Options options, const RulePtr& rule);
std::vector<std::pair<std::uint16_t, std::uint32_t>> SettingsLeft(const ChangeSettings& settings);

// RESOURCE_EXHAUSTED in the words of grpc-go.
GrpcStatus TooLarge(std::uint64_t bytes, const LimitMessage& limit);

// An answer: header block, framed messages, trailers. Without a message of its own (an error) it is
// one block: `headers` holds the status, the rest is empty.
struct AnswerParts {
  Headers headers;
  std::string body;
  Headers trailers;
  bool with_trailers = true;
  // Written behind the whole by hand: frames that no HTTP/2 library sends.
  std::string raw;
};

// The rule does something to answers, and so wants the whole of one.
bool ShapesAnswers(const Effect& effect);
// What the effect makes of an answer with a message. False: nothing, as there is nothing it could
// do it to; then `parts` is as it was. An error: the answer is to be this status instead.
StatusOr<bool> ShapeAnswer(const ActiveRule& rule, const CallFacts& facts,
                           const MessageTools& tools, StreamId stream, AnswerParts& parts);

}  // namespace squall::wire
