#include "fakes/engine/pb.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

namespace squall::fakes::engine {

std::size_t AppendSorted(const google::protobuf::MessageLite& message, std::string& out) {
  const std::size_t size = message.ByteSizeLong();
  const std::size_t at = out.size();
  out.resize(at + size);
  google::protobuf::io::ArrayOutputStream stream(out.data() + at, static_cast<int>(size));
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  message.SerializeWithCachedSizes(&coded);
  return size;
}

std::string SerializeSorted(const google::protobuf::MessageLite& message) {
  std::string out;
  AppendSorted(message, out);
  return out;
}

void PackSorted(const google::protobuf::Message& message, google::protobuf::Any* any) {
  any->set_type_url("type.googleapis.com/" + message.GetDescriptor()->full_name());
  any->set_value(SerializeSorted(message));
}

}  // namespace squall::fakes::engine
