#include "base/wire/misbehaviour.h"

namespace squall::wire {

bool Matcher::NamesCalls() const {
  return !methods.empty() || streams.has_value() || NeedsMessage();
}

bool Matcher::NeedsMessage() const {
  return !ns.empty() || !task_queue.empty() || !identity.empty() || !workflow_id.empty();
}

bool Agrees(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return true;
  // Greedy with one point of return: the last star.
  std::size_t p = 0, t = 0, star = std::string_view::npos, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::string_view EffectName(const Effect& effect) {
  return std::visit([](const auto& e) { return std::decay_t<decltype(e)>::kName; }, effect);
}

bool OnConnection(const Effect& effect) {
  if (const auto* http = std::get_if<AnswerHttp>(&effect)) return http->http1;
  return std::holds_alternative<SendGoaway>(effect) ||
         std::holds_alternative<ChangeSettings>(effect) ||
         std::holds_alternative<WithholdPingAck>(effect) ||
         std::holds_alternative<WithholdWindow>(effect) ||
         std::holds_alternative<CloseConnection>(effect) ||
         std::holds_alternative<ResetConnection>(effect) ||
         std::holds_alternative<HalfOpen>(effect);
}

std::vector<std::string> EffectNames() {
  return [&]<std::size_t... I>(std::index_sequence<I...>) {
    return std::vector<std::string>{std::string(std::variant_alternative_t<I, Effect>::kName)...};
  }
  (std::make_index_sequence<std::variant_size_v<Effect>>());
}

}  // namespace squall::wire
