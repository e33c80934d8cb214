#include "fakes/engine/history.h"

#include <algorithm>

namespace squall::fakes::engine {
namespace {

void AppendVarint(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

// The scheduled (or initiated) event that a closing event refers to; 0 for events that close
// nothing.
std::int64_t ClosedBy(const historypb::HistoryEvent& event) {
  switch (event.event_type()) {
    case enums::EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
      return event.activity_task_completed_event_attributes().scheduled_event_id();
    case enums::EVENT_TYPE_ACTIVITY_TASK_FAILED:
      return event.activity_task_failed_event_attributes().scheduled_event_id();
    case enums::EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:
      return event.activity_task_timed_out_event_attributes().scheduled_event_id();
    case enums::EVENT_TYPE_ACTIVITY_TASK_CANCELED:
      return event.activity_task_canceled_event_attributes().scheduled_event_id();
    case enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED:
      return event.child_workflow_execution_completed_event_attributes().initiated_event_id();
    case enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED:
      return event.child_workflow_execution_failed_event_attributes().initiated_event_id();
    case enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED:
      return event.child_workflow_execution_canceled_event_attributes().initiated_event_id();
    case enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TIMED_OUT:
      return event.child_workflow_execution_timed_out_event_attributes().initiated_event_id();
    case enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED:
      return event.child_workflow_execution_terminated_event_attributes().initiated_event_id();
    case enums::EVENT_TYPE_NEXUS_OPERATION_COMPLETED:
      return event.nexus_operation_completed_event_attributes().scheduled_event_id();
    case enums::EVENT_TYPE_NEXUS_OPERATION_FAILED:
      return event.nexus_operation_failed_event_attributes().scheduled_event_id();
    case enums::EVENT_TYPE_NEXUS_OPERATION_CANCELED:
      return event.nexus_operation_canceled_event_attributes().scheduled_event_id();
    case enums::EVENT_TYPE_NEXUS_OPERATION_TIMED_OUT:
      return event.nexus_operation_timed_out_event_attributes().scheduled_event_id();
    default:
      return 0;
  }
}

void SetStartedEventId(historypb::HistoryEvent& event, std::int64_t id) {
  switch (event.event_type()) {
    case enums::EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
      event.mutable_activity_task_completed_event_attributes()->set_started_event_id(id);
      break;
    case enums::EVENT_TYPE_ACTIVITY_TASK_FAILED:
      event.mutable_activity_task_failed_event_attributes()->set_started_event_id(id);
      break;
    case enums::EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:
      event.mutable_activity_task_timed_out_event_attributes()->set_started_event_id(id);
      break;
    case enums::EVENT_TYPE_ACTIVITY_TASK_CANCELED:
      event.mutable_activity_task_canceled_event_attributes()->set_started_event_id(id);
      break;
    case enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED:
      event.mutable_child_workflow_execution_completed_event_attributes()->set_started_event_id(id);
      break;
    case enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED:
      event.mutable_child_workflow_execution_failed_event_attributes()->set_started_event_id(id);
      break;
    case enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED:
      event.mutable_child_workflow_execution_canceled_event_attributes()->set_started_event_id(id);
      break;
    case enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TIMED_OUT:
      event.mutable_child_workflow_execution_timed_out_event_attributes()->set_started_event_id(id);
      break;
    case enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED:
      event.mutable_child_workflow_execution_terminated_event_attributes()->set_started_event_id(
          id);
      break;
    default:
      break;
  }
}

}  // namespace

void AppendField(std::string& message, int field_number, std::string_view bytes) {
  AppendVarint(message, static_cast<std::uint64_t>(field_number) << 3 | 2);
  AppendVarint(message, bytes.size());
  message += bytes;
}

std::string AsHistoryField(const historypb::HistoryEvent& event) {
  std::string out;
  AppendField(out, historypb::History::kEventsFieldNumber, SerializeSorted(event));
  return out;
}

std::int64_t History::Append(historypb::HistoryEvent& event) {
  const std::int64_t id = next_event_id();
  event.set_event_id(id);
  if (!InTransaction() || batches_.empty()) transaction_first_ = id;
  if (!InTransaction() || split_ || batches_.empty()) batches_.push_back(id);
  split_ = false;
  if (transaction_ != nullptr) last_transaction_ = *transaction_;
  if (event.event_type() == enums::EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED) ++signals_;
  const std::size_t size = event.ByteSizeLong();
  AppendVarint(bytes_, static_cast<std::uint64_t>(historypb::History::kEventsFieldNumber) << 3 | 2);
  AppendVarint(bytes_, size);
  AppendSorted(event, bytes_);
  ends_.push_back(bytes_.size());
  return id;
}

std::int64_t History::stored_bytes() const {
  if (!InTransaction()) return size_bytes();
  return transaction_first_ <= 1
             ? 0
             : static_cast<std::int64_t>(ends_[static_cast<std::size_t>(transaction_first_) - 2]);
}

void History::RollBack() {
  if (InTransaction() && transaction_first_ < next_event_id()) {
    bytes_.resize(static_cast<std::size_t>(stored_bytes()));
    ends_.resize(static_cast<std::size_t>(transaction_first_) - 1);
    while (!batches_.empty() && batches_.back() >= transaction_first_) batches_.pop_back();
    split_ = true;
  }
  if (transaction_ != nullptr && *transaction_ == buffer_transaction_ &&
      buffer_before_ < buffer_.size()) {
    buffer_.resize(buffer_before_);
  }
}

std::int64_t History::signals() const {
  return signals_ + std::count_if(buffer_.begin(), buffer_.end(), [](const auto& event) {
           return event.event_type() == enums::EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED;
         });
}

void History::Buffer(historypb::HistoryEvent event) {
  if (transaction_ != nullptr && *transaction_ != buffer_transaction_) {
    buffer_transaction_ = *transaction_;
    buffer_before_ = buffer_.size();
  }
  buffered_bytes_ += static_cast<std::int64_t>(event.ByteSizeLong());
  buffer_.push_back(std::move(event));
}

void History::DropBuffer() {
  buffer_.clear();
  buffered_bytes_ = 0;
}

std::int64_t History::EndOfBatches(std::int64_t first, int count) const {
  const auto own = std::prev(std::upper_bound(batches_.begin(), batches_.end(), first));
  if (batches_.end() - own <= count) return next_event_id() - 1;
  return *(own + count) - 1;
}

std::int64_t History::StartOfBatches(std::int64_t last, int count) const {
  const auto own = std::prev(std::upper_bound(batches_.begin(), batches_.end(), last));
  if (own - batches_.begin() < count) return 1;
  return *(own - (count - 1));
}

bool History::EndsBatch(std::int64_t event_id) const {
  return event_id == next_event_id() - 1 ||
         std::binary_search(batches_.begin(), batches_.end(), event_id + 1);
}

std::map<std::int64_t, std::int64_t> History::Flush() {
  std::vector<historypb::HistoryEvent> events;
  events.swap(buffer_);
  buffered_bytes_ = 0;
  std::stable_partition(events.begin(), events.end(),
                        [](const historypb::HistoryEvent& event) { return ClosedBy(event) == 0; });
  std::map<std::int64_t, std::int64_t> activities, children;
  for (historypb::HistoryEvent& event : events) {
    if (const std::int64_t scheduled = ClosedBy(event); scheduled != 0) {
      if (auto it = activities.find(scheduled); it != activities.end())
        SetStartedEventId(event, it->second);
      if (auto it = children.find(scheduled); it != children.end())
        SetStartedEventId(event, it->second);
    }
    const std::int64_t id = Append(event);
    if (event.event_type() == enums::EVENT_TYPE_ACTIVITY_TASK_STARTED) {
      activities[event.activity_task_started_event_attributes().scheduled_event_id()] = id;
    } else if (event.event_type() == enums::EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED) {
      children[event.child_workflow_execution_started_event_attributes().initiated_event_id()] = id;
    }
  }
  return children;
}

bool History::RemoveTimerFired(std::string_view timer_id) {
  auto it = std::find_if(buffer_.begin(), buffer_.end(), [&](const historypb::HistoryEvent& event) {
    return event.event_type() == enums::EVENT_TYPE_TIMER_FIRED &&
           event.timer_fired_event_attributes().timer_id() == timer_id;
  });
  if (it == buffer_.end()) return false;
  buffered_bytes_ -= static_cast<std::int64_t>(it->ByteSizeLong());
  buffer_.erase(it);
  return true;
}

bool History::HasBufferedActivityClose(std::int64_t scheduled_event_id) const {
  return std::any_of(buffer_.begin(), buffer_.end(), [&](const historypb::HistoryEvent& event) {
    return ClosedBy(event) == scheduled_event_id &&
           event.event_type() <= enums::EVENT_TYPE_ACTIVITY_TASK_CANCELED;
  });
}

bool History::HasBufferedNexusClose(std::int64_t scheduled_event_id) const {
  return std::any_of(buffer_.begin(), buffer_.end(), [&](const historypb::HistoryEvent& event) {
    return ClosedBy(event) == scheduled_event_id &&
           event.event_type() >= enums::EVENT_TYPE_NEXUS_OPERATION_SCHEDULED;
  });
}

std::string_view History::Slice(std::int64_t first, std::int64_t last) const {
  first = std::max<std::int64_t>(first, 1);
  last = std::min(last, next_event_id() - 1);
  if (first > last) return {};
  const std::size_t begin = first == 1 ? 0 : ends_[static_cast<std::size_t>(first) - 2];
  return std::string_view(bytes_).substr(begin, ends_[static_cast<std::size_t>(last) - 1] - begin);
}

historypb::HistoryEvent History::Read(std::int64_t event_id) const {
  const std::string_view slice = Slice(event_id, event_id);
  historypb::History parsed;
  parsed.ParseFromArray(slice.data(), static_cast<int>(slice.size()));
  return parsed.events_size() == 1 ? parsed.events(0) : historypb::HistoryEvent();
}

}  // namespace squall::fakes::engine
