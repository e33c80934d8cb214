#include "fakes/frontend/message_tools.h"

#include <utility>

#include "base/api/messages.h"

namespace squall::fakes {

wire::MessageTools TemporalMessageTools() {
  wire::MessageTools tools;
  tools.describe = [](wire::CallFacts& facts, const std::string& request) {
    api::CallFields fields = api::FieldsOf(facts.service, facts.method, request);
    facts.ns = std::move(fields.ns);
    facts.task_queue = std::move(fields.task_queue);
    facts.identity = std::move(fields.identity);
    facts.workflow_id = std::move(fields.workflow_id);
  };
  tools.change = api::ChangeAnswer;
  tools.encode = api::EncodeMessage;
  tools.methods = api::MethodNames;
  return tools;
}

}  // namespace squall::fakes
