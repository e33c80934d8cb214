#include "fakes/engine/completion_pages.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "fakes/engine/errors.h"
#include "temporal/api/errordetails/v1/message.pb.h"

namespace squall::fakes::engine {
namespace {

Status Lost(const std::string& message) {
  return WithDetail(StatusCode::kAborted, message,
                    ::temporal::api::errordetails::v1::WorkflowTaskCompletionBufferLostFailure());
}

}  // namespace

StatusOr<bool> TakeCompletionPage(Run& run, ws::RespondWorkflowTaskCompletedRequest& request) {
  if (run.completion_stamp != run.task.stamp) {  // pages of an earlier task
    run.completion_pages.clear();
    run.completion_stamp = run.task.stamp;
  }
  auto& pages = run.completion_pages;
  const auto find = [&](int number) {
    return std::find_if(pages.begin(), pages.end(),
                        [&](const auto& page) { return page.page_number() == number; });
  };
  if (request.intermediate_page()) {
    if (request.page_number() < 0) {
      return InvalidArgument(
          "workflow task completion pagination page number must be non-negative");
    }
    // A page that comes again changes nothing.
    if (find(request.page_number()) == pages.end()) pages.push_back(request);
    return true;
  }
  const int before = request.page_number();
  if (before <= 0) {
    pages.clear();
    return false;
  }
  if (pages.empty()) {
    return Lost(
        fmt::format("workflow task completion buffer lost for scheduled event {} attempt {}",
                    run.task.scheduled_event_id, run.task.attempt));
  }
  ws::RespondWorkflowTaskCompletedRequest whole;
  for (int number = 0; number < before; ++number) {
    const auto page = find(number);
    if (page == pages.end()) {
      return Lost(
          fmt::format("workflow task completion buffer missing page {} of {}", number, before));
    }
    whole.mutable_commands()->MergeFrom(page->commands());
    whole.mutable_messages()->MergeFrom(page->messages());
  }
  whole.mutable_commands()->MergeFrom(request.commands());
  whole.mutable_messages()->MergeFrom(request.messages());
  request.mutable_commands()->Swap(whole.mutable_commands());
  request.mutable_messages()->Swap(whole.mutable_messages());
  pages.clear();
  return false;
}

}  // namespace squall::fakes::engine
