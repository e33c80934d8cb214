#include "fakes/engine/tokens.h"

namespace squall::fakes::engine {
namespace {

// A tag, then fields in order: integers as varints, strings with their length in front.
class Writer {
 public:
  explicit Writer(std::string_view tag) : bytes_(tag) {}
  Writer& operator<<(std::uint64_t value) {
    while (value >= 0x80) {
      bytes_.push_back(static_cast<char>(value | 0x80));
      value >>= 7;
    }
    bytes_.push_back(static_cast<char>(value));
    return *this;
  }
  Writer& operator<<(std::int64_t value) { return *this << static_cast<std::uint64_t>(value); }
  Writer& operator<<(const std::string& text) {
    *this << static_cast<std::uint64_t>(text.size());
    bytes_ += text;
    return *this;
  }
  std::string Take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

class Reader {
 public:
  Reader(std::string_view tag, std::string_view bytes) : bytes_(bytes) {
    ok_ = bytes_.starts_with(tag);
    if (ok_) bytes_.remove_prefix(tag.size());
  }
  Reader& operator>>(std::uint64_t& value) {
    value = 0;
    for (int shift = 0; ok_; shift += 7) {
      if (bytes_.empty() || shift > 63) {
        ok_ = false;
        break;
      }
      const auto byte = static_cast<unsigned char>(bytes_.front());
      bytes_.remove_prefix(1);
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) break;
    }
    return *this;
  }
  Reader& operator>>(std::int64_t& value) {
    std::uint64_t raw = 0;
    *this >> raw;
    value = static_cast<std::int64_t>(raw);
    return *this;
  }
  Reader& operator>>(std::string& text) {
    std::uint64_t size = 0;
    *this >> size;
    if (!ok_ || size > bytes_.size()) {
      ok_ = false;
      return *this;
    }
    text.assign(bytes_.substr(0, size));
    bytes_.remove_prefix(size);
    return *this;
  }
  bool done() const { return ok_ && bytes_.empty(); }

 private:
  std::string_view bytes_;
  bool ok_ = true;
};

constexpr std::string_view kTask = "sqT1", kQuery = "sqQ1", kPage = "sqP1", kNexusTask = "sqN1";

}  // namespace

std::string TaskToken::Serialize() const {
  return (Writer(kTask) << namespace_id << workflow_id << run_id << scheduled_event_id << attempt
                        << stamp << activity_id)
      .Take();
}

std::optional<TaskToken> TaskToken::Parse(std::string_view bytes) {
  TaskToken token;
  Reader reader(kTask, bytes);
  reader >> token.namespace_id >> token.workflow_id >> token.run_id >> token.scheduled_event_id >>
      token.attempt >> token.stamp >> token.activity_id;
  if (!reader.done()) return std::nullopt;
  return token;
}

std::string QueryToken::Serialize() const {
  return (Writer(kQuery) << namespace_id << task_queue << query).Take();
}

std::optional<QueryToken> QueryToken::Parse(std::string_view bytes) {
  QueryToken token;
  Reader reader(kQuery, bytes);
  reader >> token.namespace_id >> token.task_queue >> token.query;
  if (!reader.done()) return std::nullopt;
  return token;
}

std::string NexusTaskToken::Serialize() const {
  return (Writer(kNexusTask) << namespace_id << task_queue << task).Take();
}

std::optional<NexusTaskToken> NexusTaskToken::Parse(std::string_view bytes) {
  NexusTaskToken token;
  Reader reader(kNexusTask, bytes);
  reader >> token.namespace_id >> token.task_queue >> token.task;
  if (!reader.done()) return std::nullopt;
  return token;
}

std::string PageToken::Serialize() const {
  return (Writer(kPage) << run_id << first << last << static_cast<std::uint64_t>(waiting) << stamp)
      .Take();
}

std::optional<PageToken> PageToken::Parse(std::string_view bytes) {
  PageToken token;
  std::uint64_t waiting = 0;
  Reader reader(kPage, bytes);
  reader >> token.run_id >> token.first >> token.last >> waiting >> token.stamp;
  if (!reader.done() || waiting > 1) return std::nullopt;
  token.waiting = waiting == 1;
  return token;
}

bool IsUuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !std::isxdigit(static_cast<unsigned char>(text[i]))) return false;
  }
  return true;
}

}  // namespace squall::fakes::engine
