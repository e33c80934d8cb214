// A fake cloud ingress on sockets between a grpc++ client and the fake server: the green control of
// incident E10, and each way in which TLS or the ingress's set-up refuses a client.

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/journal/journal.h"
#include "base/util/clock.h"
#include "base/util/rng.h"
#include "base/wire/certificates.h"
#include "fakes/server/fake_server.h"
#include "fakes/server/ingress_server.h"
#include "temporal/api/workflowservice/v1/service.grpc.pb.h"

#if defined(SQUALL_THREAD_SANITIZER)
// gRPC's library, which is not instrumented, gives up a channel's last reference through this weak symbol of our program; that
// the reference was counted down by another of its threads before is not seen. Only here: elsewhere such a report is ours.
extern "C" const char* __tsan_default_suppressions() {
  return "race:_M_release_last_use_cold\n";
}
#endif

namespace squall {
namespace {

namespace api = temporal::api::workflowservice::v1;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;

class IngressTest : public ::testing::Test {
 protected:
  IngressTest() {
    Rng rng(11);
    certificates_ = wire::MintCatalogue(clock_.WallNow(), rng);
    fakes::FakeServerOptions options;
    options.journal = &journal_;
    auto server = fakes::FakeServer::Start(std::move(options));
    if (!server.ok()) ADD_FAILURE() << server.status();
    server_ = *std::move(server);
  }

  void Serve(const wire::TlsIdentity& identity, fakes::IngressOptions options = {}) {
    fakes::IngressServerOptions server_options;
    options.tls.identity = identity;
    server_options.ingress = std::move(options);
    server_options.upstream_port = server_->port();
    server_options.journal = &journal_;
    auto ingress = fakes::IngressServer::Start(std::move(server_options));
    if (!ingress.ok()) ADD_FAILURE() << ingress.status();
    ingress_ = *std::move(ingress);
  }

  // One GetSystemInfo with a channel of its own.
  grpc::Status Call(const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // no connection of an earlier call
    arguments.SetSslTargetNameOverride("localhost");
    const auto channel = grpc::CreateCustomChannel(ingress_->address(), credentials, arguments);
    return CallOn(*api::WorkflowService::NewStub(channel));
  }

  static grpc::Status CallOn(api::WorkflowService::Stub& stub, bool wait_for_ready = false) {
    grpc::ClientContext context;
    context.set_wait_for_ready(wait_for_ready);
    gpr_timespec limit =
        gpr_time_from_nanos(Scaled(std::chrono::seconds(20)).count(), GPR_TIMESPAN);
    context.set_deadline(limit);
    api::GetSystemInfoResponse response;
    const grpc::Status status = stub.GetSystemInfo(&context, {}, &response);
    EXPECT_EQ(status.ok(), !response.server_version().empty());
    return status;
  }

  std::shared_ptr<grpc::ChannelCredentials> Trusting(const std::string& ca_pem,
                                                     const wire::TlsIdentity* identity = nullptr) {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = ca_pem;
    if (identity != nullptr) {
      options.pem_cert_chain = identity->certificate_chain_pem;
      options.pem_private_key = identity->private_key_pem;
    }
    return grpc::SslCredentials(options);
  }
  std::shared_ptr<grpc::ChannelCredentials> Right() { return Trusting(certificates_.ca_pem); }

  // Details of the ingress's connection events of one word, once it has stopped.
  std::vector<std::string> IngressDetails(std::string_view what) {
    ingress_.reset();
    std::vector<std::string> details;
    for (const journal::Event& event : journal_.Events()) {
      const auto* connection = event.As<journal::ConnectionEvent>();
      if (connection != nullptr && event.source == "ingress:ingress" && connection->what == what) {
        details.push_back(connection->detail);
      }
    }
    return details;
  }

  const RealClock clock_;
  journal::Journal journal_{clock_};
  wire::CertificateSet certificates_;
  std::unique_ptr<fakes::FakeServer> server_;
  std::unique_ptr<fakes::IngressServer> ingress_;
};

TEST_F(IngressTest, RightClientIsServedThroughIt) {
  Serve(certificates_.server);
  const grpc::Status status = Call(Right());
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_THAT(IngressDetails("established"),
              Contains(AllOf(HasSubstr("ALPN h2"), HasSubstr("SNI localhost"))));
}

TEST_F(IngressTest, WrongAuthorityIsRefusedByTheClient) {
  Serve(certificates_.server);
  EXPECT_EQ(Call(Trusting(certificates_.wrong_ca_pem)).error_code(), grpc::UNAVAILABLE);
  EXPECT_THAT(IngressDetails("established"), ::testing::IsEmpty());
}

TEST_F(IngressTest, WrongNameIsRefusedByTheClient) {
  Serve(certificates_.wrong_name);
  EXPECT_EQ(Call(Right()).error_code(), grpc::UNAVAILABLE);
  // Nothing was asked of the server.
  for (const journal::Event& event : journal_.Events()) EXPECT_NE(event.kind(), "rpc");
}

TEST_F(IngressTest, ExpiredCertificateIsRefusedByTheClient) {
  Serve(certificates_.expired);
  EXPECT_EQ(Call(Right()).error_code(), grpc::UNAVAILABLE);
}

TEST_F(IngressTest, ClientCertificateIsRequired) {
  fakes::IngressOptions options;
  options.tls.client_ca_pem = certificates_.ca_pem;
  options.tls.require_client_certificate = true;
  Serve(certificates_.server, options);
  EXPECT_TRUE(Call(Trusting(certificates_.ca_pem, &certificates_.client)).ok());
  EXPECT_EQ(Call(Right()).error_code(), grpc::UNAVAILABLE);
  EXPECT_EQ(Call(Trusting(certificates_.ca_pem, &certificates_.wrong_ca)).error_code(),
            grpc::UNAVAILABLE);
  const auto failures = IngressDetails("failed");
  EXPECT_THAT(failures, Contains(HasSubstr("peer did not return a certificate")));
  EXPECT_THAT(failures, Contains(HasSubstr("unable to get local issuer certificate")));
}

TEST_F(IngressTest, Http1TransportServesNoGrpc) {
  for (const auto transport :
       {fakes::IngressTransport::kHttp1, fakes::IngressTransport::kHttp1BehindH2}) {
    fakes::IngressOptions options;
    options.transport = transport;
    Serve(certificates_.server, options);
    EXPECT_EQ(Call(Right()).error_code(), grpc::UNAVAILABLE);
  }
  EXPECT_THAT(IngressDetails("closed"), Contains(HasSubstr("answered HTTP/1.1 400")));
}

TEST_F(IngressTest, PlaintextClientIsCutOff) {
  Serve(certificates_.server);
  EXPECT_EQ(Call(grpc::InsecureChannelCredentials()).error_code(), grpc::UNAVAILABLE);
  EXPECT_THAT(IngressDetails("failed"), Contains(HasSubstr("speaks plaintext, not TLS")));
}

TEST_F(IngressTest, ServersOutageIsSeenThroughItAndEnds) {
  Serve(certificates_.server);
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetSslTargetNameOverride("localhost");
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  const auto channel = grpc::CreateCustomChannel(ingress_->address(), Right(), arguments);
  const auto stub = api::WorkflowService::NewStub(channel);
  ASSERT_TRUE(CallOn(*stub).ok());
  ASSERT_TRUE(server_->Suspend().ok());
  EXPECT_EQ(CallOn(*stub).error_code(), grpc::UNAVAILABLE);
  // The ingress itself stays up: a new connection gets through TLS, and is cut off then.
  EXPECT_EQ(Call(Right()).error_code(), grpc::UNAVAILABLE);
  ASSERT_TRUE(server_->Resume().ok());
  const grpc::Status status = CallOn(*stub, /*wait_for_ready=*/true);
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_THAT(IngressDetails("closed"), Contains(HasSubstr("Connection refused")));
}

}  // namespace
}  // namespace squall
