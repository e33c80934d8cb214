#include "sim/run/deterministic_protobuf.h"

#include <google/protobuf/io/coded_stream.h>

// The switch is private and befriends this one function, which protobuf declares and its own tests
// define.
void google::protobuf::internal::MapTestForceDeterministic() {
  google::protobuf::io::CodedOutputStream::SetDefaultSerializationDeterministic();
}

namespace squall::sim {

void SerializeMapsInOrder() { google::protobuf::internal::MapTestForceDeterministic(); }

}  // namespace squall::sim
