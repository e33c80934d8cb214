#pragma once
// The messages that the engine speaks, under short names. Heavy (4 MB of generated code): the
// target precompiles it.

#include <google/protobuf/any.pb.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include <string>

#include "temporal/api/operatorservice/v1/request_response.pb.h"
#include "temporal/api/workflowservice/v1/request_response.pb.h"

namespace squall::fakes::engine {

namespace activitypb = ::temporal::api::activity::v1;
namespace command = ::temporal::api::command::v1;
namespace common = ::temporal::api::common::v1;
namespace enums = ::temporal::api::enums::v1;
namespace failure = ::temporal::api::failure::v1;
namespace historypb = ::temporal::api::history::v1;
namespace namespacepb = ::temporal::api::namespace_::v1;
namespace op = ::temporal::api::operatorservice::v1;
namespace protocol = ::temporal::api::protocol::v1;
namespace querypb = ::temporal::api::query::v1;
namespace taskqueue = ::temporal::api::taskqueue::v1;
namespace updatepb = ::temporal::api::update::v1;
namespace workerpb = ::temporal::api::worker::v1;
namespace workflowpb = ::temporal::api::workflow::v1;
namespace ws = ::temporal::api::workflowservice::v1;

// Appends `message` to `out` with map entries in the order of their keys: protobuf's own order
// differs from run to run. Returns the number of bytes.
std::size_t AppendSorted(const google::protobuf::MessageLite& message, std::string& out);
std::string SerializeSorted(const google::protobuf::MessageLite& message);
// Any::PackFrom, with map entries in order.
void PackSorted(const google::protobuf::Message& message, google::protobuf::Any* any);

}  // namespace squall::fakes::engine
