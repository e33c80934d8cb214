#include "tests/unit/harness/target/target_fixture.h"

namespace squall::harness {
namespace {

using ::squall::testing::StatusIs;
using ::testing::_;
using ::testing::HasSubstr;

class IngressTest : public TargetTest {
 protected:
  void SetUp() override {
    server_ = MakeServerOf({});
    ASSERT_OK(Start(*server_));
    auto ingress = IngressUnderTest::Start(executor_, journal_, Options());
    ASSERT_OK(ingress);
    ingress_ = *std::move(ingress);
  }
  IngressUnderTestOptions Options() {
    return {.upstream = server_->address(), .certificates = &Certificates()};
  }
  // A call through the ingress on a new connection.
  Status Call(std::optional<ClientTls> tls) {
    TemporalClient client(executor_, journal_,
                          {.name = "c", .address = ingress_->address(), .tls = std::move(tls)});
    return Info(client).status();
  }
  ClientTls Trusting() { return {.ca_pem = Certificates().ca_pem, .server_name = "localhost"}; }

  std::unique_ptr<ServerUnderTest> server_;
  std::unique_ptr<IngressUnderTest> ingress_;
};

TEST_F(IngressTest, TerminatesTlsInFrontOfAPlaintextServer) {
  EXPECT_OK(Call(Trusting()));
  EXPECT_THAT(Call(std::nullopt), StatusIs(StatusCode::kUnavailable, _))
      << "plaintext on the TLS port";
  ClientTls wrong = Trusting();
  wrong.ca_pem = Certificates().wrong_ca_pem;
  EXPECT_THAT(Call(wrong), StatusIs(StatusCode::kUnavailable, _));
}

TEST_F(IngressTest, ItsSettingsChangeOnTheSamePort) {
  const std::string address = ingress_->address();
  IngressUnderTestOptions expired = Options();
  expired.identity = "expired";
  ASSERT_OK(ingress_->Reconfigure(expired));
  EXPECT_EQ(ingress_->address(), address);
  EXPECT_THAT(Call(Trusting()), StatusIs(StatusCode::kUnavailable, _));
  IngressUnderTestOptions mutual = Options();
  mutual.require_client_certificate = true;
  ASSERT_OK(ingress_->Reconfigure(mutual));
  EXPECT_THAT(Call(Trusting()), StatusIs(StatusCode::kUnavailable, _));
  ClientTls known = Trusting();
  known.certificate_chain_pem = Certificates().client.certificate_chain_pem;
  known.private_key_pem = Certificates().client.private_key_pem;
  EXPECT_OK(Call(known));
  IngressUnderTestOptions http1 = Options();
  http1.transport = "http1";
  http1.alpn = {"http/1.1"};
  ASSERT_OK(ingress_->Reconfigure(http1));
  EXPECT_THAT(Call(Trusting()), StatusIs(StatusCode::kUnavailable, _));
  ASSERT_OK(ingress_->Reconfigure(Options()));
  EXPECT_OK(Call(Trusting()));
}

TEST_F(IngressTest, BadSettingsAreRefusedAndTheOldOnesStay) {
  IngressUnderTestOptions bad = Options();
  bad.identity = "nobody";
  EXPECT_THAT(ingress_->Reconfigure(bad),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("nobody")));
  bad = Options();
  bad.transport = "http9";
  EXPECT_THAT(ingress_->Reconfigure(bad),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("http9")));
  EXPECT_OK(Call(Trusting()));
  bad = Options();
  bad.identity = "";
  EXPECT_THAT(IngressUnderTest::Start(executor_, journal_, bad),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("terminates TLS")));
}

TEST_F(IngressTest, TheUpstreamCanBeChanged) {
  const auto other = MakeServerOf({.name = "other"});
  ASSERT_OK(Start(*other));
  ingress_->SetUpstream(other->address());
  TemporalClient client(executor_, journal_,
                        {.name = "c", .address = ingress_->address(), .tls = Trusting()});
  ASSERT_OK(StartWorkflow(client, "there"));
  EXPECT_OK(Describe(other->client(), "there"));
  EXPECT_THAT(Describe(server_->client(), "there"), StatusIs(StatusCode::kNotFound, _));
}

}  // namespace
}  // namespace squall::harness
