#pragma once
// What can be said of an RPC's messages without code for each: fields that most requests have,
// answers changed by field names. By protocol buffers' reflection; for journals and for scripts of
// misbehaviour, not for speed.
//
// Pure functions, safe from any thread.

#include <string>
#include <string_view>
#include <vector>

#include "base/util/status.h"

namespace google::protobuf {
class DescriptorPool;
}  // namespace google::protobuf

namespace squall::api {

// The fields that tell whose call it is; empty where the request has none.
struct CallFields {
  std::string ns, task_queue, identity, workflow_id;
};
// Of a request of Temporal's services; everything empty for unknown methods and for bytes that are
// no message.
CallFields FieldsOf(std::string_view service, std::string_view method, const std::string& request);

// The answer of a method with `fields` (JSON text; names as in the protos or in lower camel case)
// merged in: objects go into the message that is there, anything else replaces what is there, null
// clears. An empty `service` stands for whichever of Temporal's services has the method.
// INVALID_ARGUMENT names the field and the nearest one that exists.
StatusOr<std::string> ChangeAnswer(std::string_view service, std::string_view method,
                                   const std::string& answer, const std::string& fields);

// A message of that full name ("temporal.api.errordetails.v1.NamespaceNotFoundFailure") from the
// same JSON, as bytes.
StatusOr<std::string> EncodeMessage(std::string_view type, const std::string& fields);

// WorkflowService, OperatorService and the health service, by full name.
std::vector<std::string> ServiceNames();
// The generated pool, with the files of these services in it.
const google::protobuf::DescriptorPool& Pool();

// All methods of WorkflowService, OperatorService and the health service, by name.
std::vector<std::string> MethodNames();

}  // namespace squall::api
