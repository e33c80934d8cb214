#include "fakes/frontend/reflection.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/unknown_field_set.h>

#include <algorithm>
#include <set>
#include <vector>

#include "base/api/messages.h"
#include "base/util/status.h"
#include "fakes/engine/engine.h"

namespace squall::fakes {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptor;
using google::protobuf::UnknownField;
using google::protobuf::UnknownFieldSet;

// Numbers of fields in grpc/reflection/v1/reflection.proto.
enum Request {
  kHost = 1,
  kFileByFilename = 3,
  kFileContainingSymbol = 4,
  kFileContainingExtension = 5,
  kAllExtensionNumbers = 6,
  kListServices = 7
};
enum Response {
  kValidHost = 1,
  kOriginalRequest = 2,
  kFileDescriptors = 4,
  kListServicesResponse = 6,
  kError = 7
};

// The file and what it needs, each once and before those that need it.
void Collect(const FileDescriptor* file, std::set<const FileDescriptor*>& seen,
             UnknownFieldSet& out) {
  if (!seen.insert(file).second) return;
  google::protobuf::FileDescriptorProto proto;
  file->CopyTo(&proto);
  out.AddLengthDelimited(1, proto.SerializeAsString());
  for (int i = 0; i < file->dependency_count(); ++i) Collect(file->dependency(i), seen, out);
}

std::string Files(const FileDescriptor* file) {
  UnknownFieldSet out;
  std::set<const FileDescriptor*> seen;
  Collect(file, seen, out);
  std::string bytes;
  out.SerializeToString(&bytes);
  return bytes;
}

std::string Failure(StatusCode code, const std::string& message) {
  UnknownFieldSet out;
  out.AddVarint(1, static_cast<std::uint64_t>(code));
  out.AddLengthDelimited(2, message);
  std::string bytes;
  out.SerializeToString(&bytes);
  return bytes;
}

std::string Services() {
  UnknownFieldSet out;
  std::vector<std::string> names(api::ServiceNames());
  names.emplace_back(kReflectionV1);
  names.emplace_back(kReflectionV1Alpha);
  std::sort(names.begin(), names.end());  // as grpc-go lists them
  for (const std::string& name : names) {
    UnknownFieldSet service;
    service.AddLengthDelimited(1, name);
    std::string bytes;
    service.SerializeToString(&bytes);
    out.AddLengthDelimited(1, bytes);
  }
  std::string bytes;
  out.SerializeToString(&bytes);
  return bytes;
}

}  // namespace

std::string AnswerReflection(const std::string& request) {
  UnknownFieldSet in;
  UnknownFieldSet out;
  int what = 0;
  std::string text;
  if (in.ParseFromString(request)) {
    for (int i = 0; i < in.field_count(); ++i) {
      const UnknownField& field = in.field(i);
      if (field.type() != UnknownField::TYPE_LENGTH_DELIMITED) continue;
      if (field.number() == kHost) {
        out.AddLengthDelimited(kValidHost, field.length_delimited());
      } else {
        what = field.number();
        text = field.length_delimited();
      }
    }
  }
  out.AddLengthDelimited(kOriginalRequest, request);
  const DescriptorPool& pool = api::Pool();
  const FileDescriptor* file = nullptr;
  switch (what) {
    case kFileByFilename:
      file = pool.FindFileByName(text);
      break;
    case kFileContainingSymbol:
      file = pool.FindFileContainingSymbol(text);
      break;
    case kListServices:
      out.AddLengthDelimited(kListServicesResponse, Services());
      break;
    case kFileContainingExtension:
    case kAllExtensionNumbers:
      // Temporal's messages have no extensions.
      out.AddLengthDelimited(kError, Failure(StatusCode::kNotFound, "proto: not found"));
      break;
    default:
      out.AddLengthDelimited(kError,
                             Failure(StatusCode::kInvalidArgument, "invalid MessageRequest"));
      break;
  }
  if (file != nullptr) {
    out.AddLengthDelimited(kFileDescriptors, Files(file));
  } else if (what == kFileByFilename || what == kFileContainingSymbol) {
    out.AddLengthDelimited(kError, Failure(StatusCode::kNotFound, "proto: not found"));
  }
  std::string bytes;
  out.SerializeToString(&bytes);
  return bytes;
}

}  // namespace squall::fakes
