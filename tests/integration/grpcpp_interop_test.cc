// grpc++ as a client of the fake server: another implementation of gRPC and HTTP/2 than our own on
// either side.

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <thread>

#include "base/util/rng.h"
#include "base/wire/certificates.h"
#include "fakes/server/fake_server.h"
#include "temporal/api/workflowservice/v1/service.grpc.pb.h"
#include "tests/support/status_matchers.h"

namespace squall::fakes {
namespace {

namespace workflowservice = temporal::api::workflowservice::v1;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

enum class Security { kPlaintext, kTls, kMutualTls };

std::string SecurityName(const ::testing::TestParamInfo<Security>& info) {
  switch (info.param) {
    case Security::kPlaintext:
      return "Plaintext";
    case Security::kTls:
      return "Tls";
    default:
      return "MutualTls";
  }
}

const wire::CertificateSet& Catalogue() {
  static const wire::CertificateSet set = [] {
    Rng rng(11);
    return wire::MintCatalogue(RealClock().WallNow(), rng);
  }();
  return set;
}

class GrpcppInterop : public ::testing::TestWithParam<Security> {
 protected:
  void StartServer(FakeServerOptions options = {}) {
    if (GetParam() != Security::kPlaintext) {
      options.tls.emplace();
      options.tls->identity = Catalogue().server;
      if (GetParam() == Security::kMutualTls) {
        options.tls->client_ca_pem = Catalogue().ca_pem;
        options.tls->require_client_certificate = true;
      }
    }
    auto started = FakeServer::Start(std::move(options));
    ASSERT_OK(started);
    server = *std::move(started);
  }

  std::shared_ptr<grpc::Channel> Channel() {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    arguments.SetMaxReceiveMessageSize(64 << 20);
    std::shared_ptr<grpc::ChannelCredentials> credentials = grpc::InsecureChannelCredentials();
    if (GetParam() != Security::kPlaintext) {
      grpc::SslCredentialsOptions ssl;
      ssl.pem_root_certs = Catalogue().ca_pem;
      if (GetParam() == Security::kMutualTls) {
        ssl.pem_cert_chain = Catalogue().client.certificate_chain_pem;
        ssl.pem_private_key = Catalogue().client.private_key_pem;
      }
      credentials = grpc::SslCredentials(ssl);
    }
    return grpc::CreateCustomChannel(server->address(), credentials, arguments);
  }

  static std::unique_ptr<workflowservice::WorkflowService::Stub> Stub(
      const std::shared_ptr<grpc::Channel>& channel) {
    return workflowservice::WorkflowService::NewStub(channel);
  }

  // Ten (scaled) seconds from now: long enough never to matter unless something hangs.
  static std::chrono::system_clock::time_point Patience() {
    return std::chrono::time_point_cast<std::chrono::system_clock::duration>(RealClock().WallNow() +
                                                                             Scaled(10s));
  }

  static grpc::Status GetSystemInfo(workflowservice::WorkflowService::Stub& stub,
                                    std::string* version = nullptr) {
    grpc::ClientContext context;
    context.set_deadline(Patience());
    workflowservice::GetSystemInfoResponse response;
    const grpc::Status status = stub.GetSystemInfo(&context, {}, &response);
    if (version != nullptr) *version = response.server_version();
    return status;
  }

  static workflowservice::StartWorkflowExecutionRequest StartRequest(const std::string& id,
                                                                     const std::string& request_id,
                                                                     std::size_t input_bytes = 3) {
    workflowservice::StartWorkflowExecutionRequest request;
    request.set_namespace_("default");
    request.set_workflow_id(id);
    request.set_request_id(request_id);
    request.mutable_workflow_type()->set_name("Ping");
    request.mutable_task_queue()->set_name("q");
    request.mutable_input()->add_payloads()->set_data(std::string(input_bytes, 'x'));
    return request;
  }

  static grpc::Status StartWorkflow(workflowservice::WorkflowService::Stub& stub,
                                    const workflowservice::StartWorkflowExecutionRequest& request,
                                    bool gzip = false) {
    grpc::ClientContext context;
    context.set_deadline(Patience());
    if (gzip) context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
    workflowservice::StartWorkflowExecutionResponse response;
    const grpc::Status status = stub.StartWorkflowExecution(&context, request, &response);
    EXPECT_EQ(status.ok(), !response.run_id().empty());
    return status;
  }

  static grpc::Status Poll(workflowservice::WorkflowService::Stub& stub,
                           grpc::ClientContext& context,
                           workflowservice::PollWorkflowTaskQueueResponse& response) {
    workflowservice::PollWorkflowTaskQueueRequest request;
    request.set_namespace_("default");
    request.mutable_task_queue()->set_name("q");
    return stub.PollWorkflowTaskQueue(&context, request, &response);
  }

  // Makes calls until the engine holds `count`; each is a round trip on the same connection.
  bool UntilHeld(workflowservice::WorkflowService::Stub& stub, std::size_t count) {
    for (int i = 0; i < 5000; ++i) {
      std::size_t held = 0;
      server->WithEngine([&](Engine& engine, Moment) { held = engine.held_calls(); });
      if (held == count) return true;
      if (!GetSystemInfo(stub).ok()) return false;
    }
    return false;
  }

  std::unique_ptr<FakeServer> server;
};

TEST_P(GrpcppInterop, CallsAreAnswered) {
  StartServer();
  const auto stub = Stub(Channel());
  std::string version;
  const grpc::Status info = GetSystemInfo(*stub, &version);
  ASSERT_TRUE(info.ok()) << info.error_message();
  EXPECT_EQ(version, EngineOptions().server_version);
  const grpc::Status start = StartWorkflow(*stub, StartRequest("w", "r"));
  EXPECT_TRUE(start.ok()) << start.error_message();
}

TEST_P(GrpcppInterop, ErrorsCarryTheirDetails) {
  StartServer();
  const auto stub = Stub(Channel());
  ASSERT_TRUE(StartWorkflow(*stub, StartRequest("w", "first")).ok());
  const grpc::Status again = StartWorkflow(*stub, StartRequest("w", "second"));
  EXPECT_EQ(again.error_code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_FALSE(again.error_message().empty());
  EXPECT_THAT(again.error_details(), HasSubstr("WorkflowExecutionAlreadyStartedFailure"));
}

TEST_P(GrpcppInterop, LargeAndCompressedMessagesPass) {
  StartServer();
  const auto stub = Stub(Channel());
  for (const bool gzip : {false, true}) {
    const grpc::Status status =
        StartWorkflow(*stub, StartRequest(gzip ? "z" : "p", "r", 1500000), gzip);
    EXPECT_TRUE(status.ok()) << status.error_message();
    grpc::ClientContext context;
    context.set_deadline(Patience());
    workflowservice::GetWorkflowExecutionHistoryRequest request;
    request.set_namespace_("default");
    request.mutable_execution()->set_workflow_id(gzip ? "z" : "p");
    workflowservice::GetWorkflowExecutionHistoryResponse history;
    ASSERT_TRUE(stub->GetWorkflowExecutionHistory(&context, request, &history).ok());
    ASSERT_GT(history.history().events_size(), 0);
    EXPECT_EQ(history.history()
                  .events(0)
                  .workflow_execution_started_event_attributes()
                  .input()
                  .payloads(0)
                  .data()
                  .size(),
              1500000u);
  }
  const grpc::Status refused = StartWorkflow(*stub, StartRequest("b", "r", 5 << 20));
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
}

TEST_P(GrpcppInterop, LongPollsAreAnsweredByWorkFromElsewhere) {
  StartServer();
  const auto worker = Stub(Channel());
  const auto starter = Stub(Channel());
  workflowservice::PollWorkflowTaskQueueResponse task;
  grpc::Status polled;
  std::thread poller([&] {
    grpc::ClientContext context;
    context.set_deadline(Patience());
    polled = Poll(*worker, context, task);
  });
  EXPECT_TRUE(UntilHeld(*starter, 1));
  EXPECT_TRUE(StartWorkflow(*starter, StartRequest("w", "r")).ok());
  poller.join();
  EXPECT_TRUE(polled.ok()) << polled.error_message();
  EXPECT_EQ(task.workflow_execution().workflow_id(), "w");
}

TEST_P(GrpcppInterop, CancelledCallsLeaveTheEngine) {
  StartServer();
  const auto stub = Stub(Channel());
  grpc::ClientContext context;
  grpc::Status polled;
  std::thread poller([&] {
    workflowservice::PollWorkflowTaskQueueResponse task;
    polled = Poll(*stub, context, task);
  });
  EXPECT_TRUE(UntilHeld(*stub, 1));
  context.TryCancel();
  poller.join();
  EXPECT_EQ(polled.error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(UntilHeld(*stub, 0));
}

TEST_P(GrpcppInterop, CallsFailWhileTheServerIsDownAndWorkAgainAfterwards) {
  StartServer();
  const auto stub = Stub(Channel());
  ASSERT_TRUE(GetSystemInfo(*stub).ok());
  ASSERT_OK(server->Suspend());
  EXPECT_EQ(GetSystemInfo(*stub).error_code(), grpc::StatusCode::UNAVAILABLE);
  ASSERT_OK(server->Resume());
  grpc::ClientContext context;
  context.set_deadline(Patience());
  context.set_wait_for_ready(true);
  workflowservice::GetSystemInfoResponse response;
  const grpc::Status status = stub->GetSystemInfo(&context, {}, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST_P(GrpcppInterop, GoawayCostsNoCall) {
  StartServer();
  const auto stub = Stub(Channel());
  for (int i = 0; i < 20; ++i) {
    const grpc::Status status = GetSystemInfo(*stub);
    ASSERT_TRUE(status.ok()) << i << ": " << status.error_message();
    server->Drain();
  }
}

TEST_P(GrpcppInterop, ApiKeysAreChecked) {
  FakeServerOptions options;
  options.frontend.api_keys = {"right"};
  StartServer(options);
  const auto stub = Stub(Channel());
  for (const auto& [key, code] : {std::pair("right", grpc::StatusCode::OK),
                                  std::pair("wrong", grpc::StatusCode::PERMISSION_DENIED)}) {
    grpc::ClientContext context;
    context.set_deadline(Patience());
    context.AddMetadata("authorization", std::string("Bearer ") + key);
    workflowservice::GetSystemInfoResponse response;
    EXPECT_EQ(stub->GetSystemInfo(&context, {}, &response).error_code(), code);
  }
  EXPECT_EQ(GetSystemInfo(*stub).error_code(), grpc::StatusCode::UNAUTHENTICATED);
}

TEST_P(GrpcppInterop, ManyCallsAtOnceKeepTheirAnswers) {
  StartServer();
  const auto channel = Channel();
  std::vector<std::thread> threads;
  std::atomic<int> failed = 0;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      const auto stub = Stub(channel);
      for (int i = 0; i < 50; ++i) {
        if (!StartWorkflow(*stub, StartRequest(fmt::format("w-{}-{}", t, i), "r")).ok()) ++failed;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failed, 0);
  std::size_t open = 0;
  server->WithEngine([&](Engine& engine, Moment) { open = engine.open_workflows(); });
  EXPECT_EQ(open, 400u);
}

INSTANTIATE_TEST_SUITE_P(Transports, GrpcppInterop,
                         ::testing::Values(Security::kPlaintext, Security::kTls,
                                           Security::kMutualTls),
                         SecurityName);

}  // namespace
}  // namespace squall::fakes
