// ListSchedules and CountSchedules.

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "fakes/engine/core.h"
#include "fakes/engine/errors.h"
#include "fakes/engine/limits.h"
#include "fakes/engine/schedules.h"
#include "fakes/engine/search_attributes.h"
#include "fakes/engine/tokens.h"
#include "fakes/engine/visibility_query.h"

namespace squall::fakes::engine {
namespace {

struct ScheduleQuery {
  std::string text;      // as a query for workflows
  std::string reserved;  // the first attribute named that schedules cannot be asked about
};

// Schedules may be asked about ScheduleId, TemporalSchedulePaused and custom attributes. As rows
// they carry their id where workflows have the workflow id.
ScheduleQuery Translate(const std::string& query) {
  ScheduleQuery out;
  std::size_t i = 0;
  while (i < query.size()) {
    const char c = query[i];
    if (c == '\'' || c == '"') {
      std::size_t end = i + 1;
      while (end < query.size() && query[end] != c) end += query[end] == '\\' ? 2 : 1;
      end = std::min(end + 1, query.size());
      out.text.append(query, i, end - i);
      i = end;
    } else if (std::isalpha(static_cast<unsigned char>(c)) || c == '_') {
      std::size_t end = i;
      while (end < query.size() &&
             (std::isalnum(static_cast<unsigned char>(query[end])) || query[end] == '_')) {
        ++end;
      }
      const std::string word = query.substr(i, end - i);
      const bool reserved = SystemAttributes().contains(word) || word.starts_with("Temporal");
      if (out.reserved.empty() && word != kSchedulePaused && reserved) out.reserved = word;
      out.text += word == "ScheduleId" ? "WorkflowId" : word;
      i = end;
    } else {
      out.text.push_back(c);
      ++i;
    }
  }
  return out;
}

}  // namespace

StatusOr<std::vector<std::shared_ptr<Schedule>>> Schedules::Matching(
    const std::string& ns_name, const std::string& query) const {
  SQUALL_ASSIGN_OR_RETURN(const auto ns, core_.namespaces.Get(ns_name));
  const ScheduleQuery translated = Translate(query);
  SQUALL_ASSIGN_OR_RETURN(const VisibilityQuery parsed, ParseVisibilityQuery(translated.text, *ns));
  if (!translated.reserved.empty()) {
    return InvalidArgument(fmt::format(
        "invalid query filter for schedules: cannot filter on \"{}\"", translated.reserved));
  }
  std::vector<std::shared_ptr<Schedule>> found;
  for (const auto& [id, schedule] : ns->schedules) {
    if (!schedule->closed && parsed.matches(*schedule->row)) found.push_back(schedule);
  }
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return a->serial > b->serial; });
  return found;
}

StatusOr<ws::ListSchedulesResponse> Schedules::List(const ws::ListSchedulesRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(const auto found, Matching(request.namespace_(), request.query()));
  std::size_t at = 0;
  if (!request.next_page_token().empty()) {
    const auto token = PageToken::Parse(request.next_page_token());
    if (!token || token->first < 0) return InvalidArgument("unable to deserialize page token");
    at = static_cast<std::size_t>(token->first);
  }
  int size = request.maximum_page_size();
  if (size <= 0 || size > kMaxPage) size = kMaxPage;
  ws::ListSchedulesResponse response;
  for (; at < found.size(); ++at) {
    if (response.schedules_size() == size) {
      response.set_next_page_token(
          PageToken{.run_id = {}, .first = static_cast<std::int64_t>(at)}.Serialize());
      break;
    }
    const Schedule& schedule = *found[at];
    schedulepb::ScheduleListEntry* entry = response.add_schedules();
    entry->set_schedule_id(schedule.id);
    entry->mutable_memo();
    for (const auto& [key, value] : schedule.memo)
      (*entry->mutable_memo()->mutable_fields())[key] = value;
    for (const auto& [key, value] : schedule.row->search_attributes) {
      if (key == kSchedulePaused) continue;
      auto* shown = &(*entry->mutable_search_attributes()->mutable_indexed_fields())[key];
      *shown = value;
      SetType(*schedule.ns.lock(), key, shown);
    }
    *entry->mutable_info() = schedule.list_info;
    FillRanges(entry->mutable_info()->mutable_spec());
  }
  return response;
}

StatusOr<ws::CountSchedulesResponse> Schedules::Count(const ws::CountSchedulesRequest& request) {
  SQUALL_ASSIGN_OR_RETURN(const auto found, Matching(request.namespace_(), request.query()));
  ws::CountSchedulesResponse response;
  response.set_count(static_cast<std::int64_t>(found.size()));
  return response;
}

}  // namespace squall::fakes::engine
