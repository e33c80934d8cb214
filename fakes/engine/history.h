#pragma once
// The history of one run: events in their serialized form, in which they are stored once and handed
// out many times, and the buffer of events that wait for the workflow task in progress to end
// (historybuilder in the real server).

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "fakes/engine/pb.h"

namespace squall::fakes::engine {

class History {
 public:
  // The id that the next appended event gets; ids are dense from 1.
  std::int64_t next_event_id() const { return static_cast<std::int64_t>(ends_.size()) + 1; }
  std::int64_t size_bytes() const { return static_cast<std::int64_t>(bytes_.size()); }
  // The same before the transaction in progress, and whether that one is the first.
  std::int64_t stored_bytes() const;
  bool is_new() const { return InTransaction() && transaction_first_ == 1; }

  // Whose value at Append tells which events were written together: pages of history never divide a
  // batch, and their size counts batches, as the real server's do. Without it each event is its
  // own.
  void SetTransaction(const std::uint64_t* transaction) { transaction_ = transaction; }

  // Appends `event` under the next id, which is returned and set in it.
  std::int64_t Append(historypb::HistoryEvent& event);

  // How many signals there are, in the history and in the buffer.
  std::int64_t signals() const;

  // Drops what the transaction in progress appended and buffered.
  void RollBack();

  // The next event begins a batch, whatever the transaction. A run may be reset to the end of a
  // batch, not into it.
  void EndBatch() { split_ = true; }
  bool EndsBatch(std::int64_t event_id) const;

  // Keeps `event` until Flush.
  void Buffer(historypb::HistoryEvent event);
  bool has_buffered() const { return !buffer_.empty(); }
  const std::vector<historypb::HistoryEvent>& buffered() const { return buffer_; }
  std::int64_t buffered_bytes() const { return buffered_bytes_; }
  // Appends the buffered events: completions of activities, children and Nexus operations behind
  // all others, as the real server orders them, and their started_event_id set to the started
  // events that came with them. Returns initiated event id -> event id for the child-started events
  // among them.
  std::map<std::int64_t, std::int64_t> Flush();
  void DropBuffer();
  // Takes the fired event of `timer_id` out of the buffer; false when it is not there.
  bool RemoveTimerFired(std::string_view timer_id);
  // Whether a closing event of the activity waits in the buffer.
  bool HasBufferedActivityClose(std::int64_t scheduled_event_id) const;
  // The same of a Nexus operation.
  bool HasBufferedNexusClose(std::int64_t scheduled_event_id) const;

  // Events first..last (both included, clipped to what exists) as the serialized fields of a
  // temporal.api.history.v1.History: a valid message by itself, and any two slices in a row are
  // too.
  std::string_view Slice(std::int64_t first, std::int64_t last) const;
  // The last event of the `count` batches that begin with the one of event `first`; and the first
  // event of the `count` batches that end with the one of event `last`.
  std::int64_t EndOfBatches(std::int64_t first, int count) const;
  std::int64_t StartOfBatches(std::int64_t last, int count) const;
  // One event, parsed.
  historypb::HistoryEvent Read(std::int64_t event_id) const;

 private:
  bool InTransaction() const {
    return transaction_ != nullptr && *transaction_ == last_transaction_;
  }

  std::string bytes_;
  std::vector<std::size_t> ends_;      // ends_[i]: where event i+1 ends in bytes_
  std::vector<std::int64_t> batches_;  // the first event of each batch
  const std::uint64_t* transaction_ = nullptr;
  std::uint64_t last_transaction_ = 0;
  std::int64_t transaction_first_ = 0;  // the first event of last_transaction_
  std::int64_t signals_ = 0;            // appended
  bool split_ = false;
  std::vector<historypb::HistoryEvent> buffer_;
  std::int64_t buffered_bytes_ = 0;
  std::uint64_t buffer_transaction_ = 0;  // of the last Buffer
  std::size_t buffer_before_ = 0;         // how many there were before it
};

// `event` as one serialized field of History, for events that are handed out but not stored.
std::string AsHistoryField(const historypb::HistoryEvent& event);
// Appends a length-delimited field to a serialized message.
void AppendField(std::string& message, int field_number, std::string_view bytes);

}  // namespace squall::fakes::engine
