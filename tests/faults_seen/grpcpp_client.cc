#include <grpcpp/grpcpp.h>

#include "base/util/rng.h"
#include "base/util/text.h"
#include "temporal/api/workflowservice/v1/service.grpc.pb.h"
#include "tests/faults_seen/clients.h"

namespace squall::seen {
namespace {

namespace workflowservice = temporal::api::workflowservice::v1;

class GrpcppClient final : public Client {
 public:
  explicit GrpcppClient(const Target& target) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 1000);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 2000);
    arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
    std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();
    if (target.tls) {
      grpc::SslCredentialsOptions ssl;
      ssl.pem_root_certs = target.ca_pem;
      if (target.identity) {
        ssl.pem_cert_chain = target.identity->certificate_chain_pem;
        ssl.pem_private_key = target.identity->private_key_pem;
      }
      credentials = grpc::SslCredentials(ssl);
      if (target.by_name) arguments.SetSslTargetNameOverride("localhost");
    }
    channel_ = grpc::CreateCustomChannel(target.address, credentials, arguments);
    stub_ = workflowservice::WorkflowService::NewStub(channel_);
  }

  std::string Call(std::size_t input_bytes, Duration deadline) override {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::time_point_cast<std::chrono::system_clock::duration>(
        RealClock().WallNow() + deadline));
    grpc::Status status;
    if (input_bytes == 0) {
      workflowservice::GetSystemInfoResponse response;
      status = stub_->GetSystemInfo(&context, {}, &response);
    } else {
      workflowservice::StartWorkflowExecutionRequest request;
      request.set_namespace_("default");
      request.set_workflow_id("w-" + Rng(SeedFromSystem()).Hex(12));
      request.set_request_id("r");
      request.mutable_workflow_type()->set_name("Ping");
      request.mutable_task_queue()->set_name("q");
      request.mutable_input()->add_payloads()->set_data(Incompressible(input_bytes));
      workflowservice::StartWorkflowExecutionResponse response;
      status = stub_->StartWorkflowExecution(&context, request, &response);
    }
    if (status.ok()) return "OK";
    return fmt::format("{}: {}", CodeName(status.error_code()), status.error_message());
  }

 private:
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<workflowservice::WorkflowService::Stub> stub_;
};

}  // namespace

std::unique_ptr<Client> MakeGrpcppClient(const Target& target) {
  return std::make_unique<GrpcppClient>(target);
}

}  // namespace squall::seen
