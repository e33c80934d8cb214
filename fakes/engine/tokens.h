#pragma once
// The opaque bytes that the service hands out and gets back: task tokens, query tokens, page
// tokens. Bytes that are not ours, or are cut short, parse to nothing.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace squall::fakes::engine {

// 36 characters: groups of hexadecimal digits with dashes between them.
bool IsUuid(std::string_view text);

// Names one attempt of one workflow or activity task.
struct TaskToken {
  std::string namespace_id, workflow_id, run_id;
  std::int64_t scheduled_event_id = 0;  // 0: by activity id (the ...ById calls)
  std::int64_t attempt = 0;
  std::uint64_t stamp = 0;  // of a workflow task: which start of which task
  std::string activity_id;
  std::string Serialize() const;
  static std::optional<TaskToken> Parse(std::string_view bytes);
};

struct QueryToken {
  std::string namespace_id, task_queue;
  std::uint64_t query = 0;
  std::string Serialize() const;
  static std::optional<QueryToken> Parse(std::string_view bytes);
};

// Names one Nexus task.
struct NexusTaskToken {
  std::string namespace_id, task_queue;
  std::uint64_t task = 0;
  std::string Serialize() const;
  static std::optional<NexusTaskToken> Parse(std::string_view bytes);
};

// Where the next page of a history or a list starts.
struct PageToken {
  std::string run_id;
  std::int64_t first = 0;   // first event id, skipped rows, or (with the two around) last key
  std::int64_t last = 0;    // last event id of the whole answer; 0: as far as the history goes
  bool waiting = false;     // of a history long poll: the workflow was still open
  std::uint64_t stamp = 0;  // of a workflow task's history: which start of which task
  std::string Serialize() const;
  static std::optional<PageToken> Parse(std::string_view bytes);
};

}  // namespace squall::fakes::engine
