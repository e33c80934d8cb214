#include "fakes/engine/profile.h"

#include <algorithm>

#include "base/api/messages.h"
#include "fakes/engine/pb.h"
#include "fakes/engine/releases.h"

namespace squall::fakes::engine {

// Each in a file of its own under profiles/.
extern const Profile k1_29_1;
extern const Profile k1_30_1;
extern const Profile k1_30_2;
extern const Profile k1_31_2;

namespace {

constexpr Profile kNewest = {.version = "1.32.0",
                             .unknown_methods = {},
                             .refused_methods = {},
                             .absent_fields = {},
                             .capabilities_off = {}};

std::string MethodName(std::string_view service, std::string_view method) {
  std::string name(service);
  name += '/';
  name += method;
  return name;
}

// "temporal.api.workflowservice.v1." of the service's messages.
std::string PackageOf(std::string_view service) {
  return std::string(service.substr(0, service.rfind('.') + 1));
}

// Fields that a release knows and never sets where newer ones do: found by generated scripts.
struct NeverSaid {
  std::string_view until, field;
};
constexpr NeverSaid kNeverSaid[] = {
    {"1.32",
     "temporal.api.workflowservice.v1.SignalWithStartWorkflowExecutionResponse.signal_link"},
    {"1.32", "temporal.api.workflowservice.v1.SignalWorkflowExecutionResponse.link"},
    {"1.32", "temporal.api.workflowservice.v1.StartActivityExecutionResponse.link"},
    {"1.31", "temporal.api.deployment.v1.RoutingConfig.revision_number"},
    {"1.31", "temporal.api.workflow.v1.WorkflowExecutionVersioningInfo.revision_number"},
    {"1.32", "temporal.api.history.v1.WorkflowExecutionSignaledEventAttributes.request_id"},
};

// Methods in which a release breaks, whatever it is asked; found likewise.
struct Breaks {
  std::string_view until, method, message;
};
constexpr Breaks kBreaks[] = {
    {"1.31", "DeleteActivityExecution", "something went wrong, please retry (afa7a8eb)"},
};

}  // namespace

std::span<const Profile* const> Profiles() {
  static constexpr std::array kAll = {&k1_29_1, &k1_30_1, &k1_30_2, &k1_31_2, &kNewest};
  return kAll;
}

const Profile* FindProfile(std::string_view version) {
  const auto all = Profiles();
  const auto it =
      std::find_if(all.begin(), all.end(), [&](const Profile* p) { return p->version == version; });
  return it == all.end() ? nullptr : *it;
}

ProfileFilter::ProfileFilter(const Profile& profile) : profile_(profile) {
  for (const RefusedMethod& refused : profile.refused_methods)
    refused_[refused.method] = refused.message;
  const auto& pool = api::Pool();
  const auto add = [&](std::string_view name) {
    const auto* field = pool.FindFieldByName(std::string(name));
    // Recorded with a newer API than this build's: nothing to clear then.
    if (field != nullptr) absent_[field->containing_type()].push_back(field);
  };
  for (const NeverSaid& field : kNeverSaid) {
    if (IsBefore(profile.version, field.until)) add(field.field);
  }
  std::for_each(profile.absent_fields.begin(), profile.absent_fields.end(), add);
  std::for_each(profile.capabilities_off.begin(), profile.capabilities_off.end(), add);
}

std::optional<Status> ProfileFilter::Refusal(std::string_view service,
                                             std::string_view method) const {
  const std::string name = MethodName(service, method);
  if (std::find(profile_.unknown_methods.begin(), profile_.unknown_methods.end(), name) !=
      profile_.unknown_methods.end()) {
    // The text of grpc-go.
    return MakeStatus(StatusCode::kUnimplemented, "unknown method {} for service {}", method,
                      service);
  }
  for (const Breaks& broken : kBreaks) {
    if (method == broken.method && IsBefore(profile_.version, broken.until))
      return MakeStatus(StatusCode::kInternal, "{}", broken.message);
  }
  const auto it = refused_.find(name);
  if (it == refused_.end()) return std::nullopt;
  return MakeStatus(StatusCode::kUnimplemented, "{}", it->second);
}

std::string ProfileFilter::Request(std::string_view service, std::string_view method,
                                   std::string bytes) const {
  return Stripped(PackageOf(service) + std::string(method) + "Request", std::move(bytes));
}

std::string ProfileFilter::Response(std::string_view method, std::string bytes) const {
  for (const std::string_view service : {kWorkflowService, kOperatorService}) {
    const std::string type = PackageOf(service) + std::string(method) + "Response";
    if (api::Pool().FindMessageTypeByName(type) != nullptr) return Stripped(type, std::move(bytes));
  }
  return bytes;
}

std::string ProfileFilter::Stripped(const std::string& type, std::string bytes) const {
  if (absent_.empty()) return bytes;
  const auto* descriptor = api::Pool().FindMessageTypeByName(type);
  if (descriptor == nullptr) return bytes;
  const auto* prototype =
      google::protobuf::MessageFactory::generated_factory()->GetPrototype(descriptor);
  const std::unique_ptr<google::protobuf::Message> message(prototype->New());
  if (!message->ParseFromString(bytes)) return bytes;
  Strip(*message);
  return SerializeSorted(*message);
}

void ProfileFilter::Strip(google::protobuf::Message& message) const {
  const auto* reflection = message.GetReflection();
  if (const auto it = absent_.find(message.GetDescriptor()); it != absent_.end()) {
    for (const auto* field : it->second) reflection->ClearField(&message, field);
  }
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const auto* field : fields) {
    if (field->cpp_type() != google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) {
      Strip(*reflection->MutableMessage(&message, field));
      continue;
    }
    for (int i = 0; i < reflection->FieldSize(message, field); ++i)
      Strip(*reflection->MutableRepeatedMessage(&message, field, i));
  }
}

const ProfileFilter* FilterOf(const EngineOptions& options) {
  if (options.server_version == kNewest.version) return nullptr;
  static const auto* const filters = [] {
    auto* made = new std::map<std::string, ProfileFilter, std::less<>>;
    for (const Profile* profile : Profiles()) {
      if (profile != &kNewest) made->emplace(profile->version, *profile);
    }
    return made;
  }();
  const auto it = filters->find(options.server_version);
  return it == filters->end() ? nullptr : &it->second;
}

}  // namespace squall::fakes::engine
