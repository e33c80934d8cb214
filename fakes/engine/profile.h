#pragma once
// The releases of the real server that an engine can answer as (EngineOptions::server_version).
//
// The engine behaves as the newest of them. What an older release lacks was recorded from its own
// program (tests/differential/record_profile.py): methods it does not know or refuses, and fields
// that it neither reads nor says. Fields are cleared in requests before they are handled and in
// responses before they leave, so an older release ignores what it does not know, as a server does.

#include <google/protobuf/message.h>

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/util/status.h"
#include "fakes/engine/engine.h"

namespace squall::fakes::engine {

struct RefusedMethod {
  std::string_view
      method;  // "temporal.api.workflowservice.v1.WorkflowService/StartWorkflowExecution"
  std::string_view message;
};

// What a release lacks in comparison with the newest.
struct Profile {
  std::string_view version;
  std::span<const std::string_view> unknown_methods;
  std::span<const RefusedMethod> refused_methods;      // known, and answered with UNIMPLEMENTED
  std::span<const std::string_view> absent_fields;     // full names
  std::span<const std::string_view> capabilities_off;  // fields that it knows and never sets
};

// From the oldest to the newest, which lacks nothing.
std::span<const Profile* const> Profiles();
// Null for an unknown version.
const Profile* FindProfile(std::string_view version);

// Makes calls look as a release would see and answer them.
class ProfileFilter {
 public:
  explicit ProfileFilter(const Profile& profile);

  // The answer to a method that the release does not have.
  std::optional<Status> Refusal(std::string_view service, std::string_view method) const;
  // Without the fields that the release does not know. Bytes that are no message stay as they are.
  std::string Request(std::string_view service, std::string_view method, std::string bytes) const;
  std::string Response(std::string_view method, std::string bytes) const;
  // Of any message, by its full name.
  std::string Stripped(const std::string& type, std::string bytes) const;

 private:
  void Strip(google::protobuf::Message& message) const;

  const Profile& profile_;
  std::map<std::string_view, std::string_view> refused_;  // "service/Method" -> text
  std::map<const google::protobuf::Descriptor*,
           std::vector<const google::protobuf::FieldDescriptor*>>
      absent_;
};

// The filter for what the engine answers as; null for the newest release, and for a version that is
// only told.
const ProfileFilter* FilterOf(const EngineOptions& options);

}  // namespace squall::fakes::engine
