#include "harness/runner/connect.h"

#include <gmock/gmock.h>

#include "base/util/rng.h"
#include "tests/support/status_matchers.h"

namespace squall::harness {
namespace {

using scenarios::ConnectSpec;
using scenarios::TlsMode;

class ConnectTest : public ::testing::Test {
 protected:
  ConnectTest() {
    topology_.servers.push_back({.name = "plain"});
    topology_.ingresses.push_back({.name = "edge", .to = "plain", .tls = TlsMode::kServer});
    topology_.ingresses.push_back({.name = "vault", .to = "plain", .tls = TlsMode::kMutual});
    topology_.links.push_back({.name = "to-edge", .to = "edge"});
    topology_.links.push_back({.name = "to-vault", .to = "vault"});
    topology_.links.push_back({.name = "nobody", .end = scenarios::LinkSpec::End::kClosed});
  }
  TlsPlan Plan(const std::string& to, ConnectSpec spec = {}) const {
    spec.to = to;
    return PlanTls(topology_, spec);
  }
  scenarios::Topology topology_;
};

TEST_F(ConnectTest, IsRightByDefault) {
  EXPECT_FALSE(Plan("plain").on);
  EXPECT_FALSE(Plan("nobody").on);
  EXPECT_TRUE(Plan("edge").on);
  EXPECT_TRUE(Plan("to-edge").on) << "through the link as well";
  EXPECT_EQ(Plan("to-edge").ca, "ca");
  EXPECT_EQ(Plan("to-edge").identity, "");
  EXPECT_EQ(Plan("to-vault").identity, "client");
}

TEST_F(ConnectTest, IsWrongWhereTheScenarioSaysSo) {
  EXPECT_FALSE(Plan("to-edge", {.tls = ConnectSpec::Tls::kOff}).on);
  EXPECT_TRUE(Plan("nobody", {.tls = ConnectSpec::Tls::kOn}).on);
  EXPECT_EQ(Plan("to-edge", {.ca = "none"}).ca, "");
  EXPECT_EQ(Plan("to-edge", {.ca = "wrong_ca"}).ca, "wrong_ca");
  EXPECT_EQ(Plan("to-edge", {.server_name = "other.example"}).server_name, "other.example");
  EXPECT_EQ(Plan("to-vault", {.client_certificate = "none"}).identity, "");
  EXPECT_EQ(Plan("to-vault", {.client_certificate = "expired"}).identity, "expired");
}

TEST_F(ConnectTest, GivesClientsTheMaterialAsText) {
  Rng rng(1);
  const wire::CertificateSet set = wire::MintCatalogue(ManualClock().WallNow(), rng);
  EXPECT_EQ(MakeClientTls(Plan("plain"), &set), std::nullopt);
  const auto tls = MakeClientTls(Plan("to-vault"), &set);
  ASSERT_TRUE(tls.has_value());
  EXPECT_EQ(tls->ca_pem, set.ca_pem);
  EXPECT_EQ(tls->private_key_pem, set.client.private_key_pem);
  EXPECT_EQ(MakeClientTls(Plan("to-edge", {.ca = "wrong_ca"}), &set)->ca_pem, set.wrong_ca_pem);
}

TEST_F(ConnectTest, GivesWorkersTheMaterialAsFiles) {
  CertificateFiles files;
  files.ca_pem = "/w/ca.pem";
  files.wrong_ca_pem = "/w/wrong_ca.pem";
  files.certificate["client"] = "/w/client.pem";
  files.key["client"] = "/w/client.key";
  WorkerOptions options;
  ASSERT_OK(ApplyTls(Plan("to-vault"), files, &options));
  EXPECT_TRUE(options.tls);
  EXPECT_EQ(options.ca_file, "/w/ca.pem");
  EXPECT_EQ(options.client_key_file, "/w/client.key");
  EXPECT_THAT(ApplyTls(Plan("to-vault", {.client_certificate = "expired"}), files, &options),
              testing::StatusIs(StatusCode::kInternal, ::testing::HasSubstr("expired")));
}

}  // namespace
}  // namespace squall::harness
