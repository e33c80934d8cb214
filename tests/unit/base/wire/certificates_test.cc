#include "base/wire/certificates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "tests/support/status_matchers.h"
#include "tests/unit/base/wire/tls_pair.h"

namespace squall::wire {
namespace {

using ::squall::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::Not;

CertificateInfo Describe(const std::string& pem) {
  auto info = DescribeCertificate(pem);
  if (!info.ok()) ADD_FAILURE() << info.status();
  return *info;
}

CertificateSet Mint(std::uint64_t seed, KeyType key_type) {
  Rng rng(seed);
  CatalogueOptions options;
  options.key_type = key_type;
  return MintCatalogue(kPairNow, rng, options);
}

class CertificatesTest : public ::testing::TestWithParam<KeyType> {};

TEST_P(CertificatesTest, SameSeedSameBytes) {
  Rng first(3);
  Rng second(3);
  Rng third(4);
  const auto mint = [](Rng& rng) {
    CaOptions options;
    options.key_type = GetParam();
    auto ca = CertificateAuthority::Create(options, kPairNow, rng);
    LeafOptions leaf;
    leaf.common_name = "a";
    leaf.dns_names = {"a.example"};
    leaf.key_type = GetParam();
    const TlsIdentity identity = ca.Issue(leaf);
    return ca.certificate_pem() + identity.certificate_chain_pem + identity.private_key_pem;
  };
  const std::string one = mint(first);
  EXPECT_EQ(one, mint(second));
  EXPECT_NE(one, mint(third));
}

TEST_P(CertificatesTest, AuthorityHasTheExtensionsOfOne) {
  Rng rng(1);
  CaOptions options;
  options.common_name = "root";
  options.key_type = GetParam();
  const auto ca = CertificateAuthority::Create(options, kPairNow, rng);
  const CertificateInfo info = Describe(ca.certificate_pem());
  EXPECT_EQ(info.version, 3);
  EXPECT_EQ(info.subject, "CN=root,O=squall");
  EXPECT_EQ(info.issuer, info.subject);
  EXPECT_TRUE(info.is_ca);
  EXPECT_THAT(info.extensions, IsSupersetOf({"basicConstraints", "keyUsage", "subjectKeyIdentifier",
                                             "authorityKeyIdentifier"}));
  EXPECT_EQ(info.not_before, kPairNow - std::chrono::hours(24 * 365));
  EXPECT_EQ(info.not_after, kPairNow + std::chrono::hours(24 * 3650));
  EXPECT_EQ(info.key, GetParam() == KeyType::kEcP256 ? "EC P-256" : "RSA 2048");
}

TEST_P(CertificatesTest, LeafSaysWhatWasAsked) {
  Rng rng(1);
  CaOptions ca_options;
  ca_options.key_type = GetParam();
  auto ca = CertificateAuthority::Create(ca_options, kPairNow, rng);
  LeafOptions options;
  options.common_name = "temporal";
  options.dns_names = {"temporal.example", "*.temporal.example"};
  options.ips = {"127.0.0.1", "::1"};
  options.client_auth = true;
  options.key_type = GetParam();
  options.not_before = kPairNow - std::chrono::minutes(5);
  options.not_after = WallTime(std::chrono::sys_days(std::chrono::year(2061) / 2 / 28) +
                               std::chrono::hours(7));  // beyond 2049 the encoding changes
  const TlsIdentity leaf = ca.Issue(options);
  const CertificateInfo info = Describe(leaf.certificate_chain_pem);
  EXPECT_EQ(info.version, 3);
  EXPECT_EQ(info.subject, "CN=temporal,O=squall");
  EXPECT_EQ(info.issuer, "CN=squall test CA,O=squall");
  EXPECT_FALSE(info.is_ca);
  EXPECT_THAT(info.dns_names, ElementsAre("temporal.example", "*.temporal.example"));
  EXPECT_THAT(info.ips, ElementsAre("127.0.0.1", "0:0:0:0:0:0:0:1"));
  EXPECT_THAT(info.extended_key_usage, ElementsAre("serverAuth", "clientAuth"));
  EXPECT_THAT(info.extensions,
              IsSupersetOf({"basicConstraints", "keyUsage", "extendedKeyUsage", "subjectAltName",
                            "subjectKeyIdentifier", "authorityKeyIdentifier"}));
  EXPECT_EQ(info.not_before, *options.not_before);
  EXPECT_EQ(info.not_after, *options.not_after);
  EXPECT_THAT(leaf.private_key_pem, HasSubstr("BEGIN PRIVATE KEY"));
}

TEST_P(CertificatesTest, LeavesWorkInHandshakesOfBothVersions) {
  const CertificateSet set = Mint(5, GetParam());
  for (const TlsVersion version : {TlsVersion::kTls12, TlsVersion::kTls13}) {
    TlsServerOptions server = ServerWith(set.server);
    server.max_version = version;
    server.client_ca_pem = set.ca_pem;
    server.require_client_certificate = true;
    TlsClientOptions client = ClientTrusting(set.ca_pem);
    client.identity = set.client;
    TlsPair pair(MustServer(server), MustClient(client));
    pair.Pump();
    EXPECT_OK(pair.client.error());
    EXPECT_OK(pair.server.error());
  }
}

INSTANTIATE_TEST_SUITE_P(Keys, CertificatesTest,
                         ::testing::Values(KeyType::kEcP256, KeyType::kRsa2048),
                         [](const auto& test) {
                           return test.param == KeyType::kEcP256 ? "EcP256" : "Rsa2048";
                         });

TEST(CertificatesTest, SerialNumbersAreOfOneLengthAndDiffer) {
  Rng rng(9);
  auto ca = CertificateAuthority::Create({}, kPairNow, rng);
  std::set<std::string> serials;
  for (int i = 0; i < 50; ++i) {
    LeafOptions options;
    options.common_name = "leaf";
    const CertificateInfo info = Describe(ca.Issue(options).certificate_chain_pem);
    EXPECT_EQ(info.serial.size(), 32U);
    EXPECT_TRUE(serials.insert(info.serial).second);
  }
}

// Wrong nonces show up as signatures that do not verify, or only sometimes.
TEST(CertificatesTest, EverySignatureVerifies) {
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    Rng rng(seed);
    auto ca = CertificateAuthority::Create({}, kPairNow, rng);
    LeafOptions options;
    options.common_name = "leaf";
    options.dns_names = {"localhost"};
    TlsPair pair(MustServer(ServerWith(ca.Issue(options))),
                 MustClient(ClientTrusting(ca.certificate_pem())));
    pair.Pump();
    ASSERT_OK(pair.client.error()) << "seed " << seed;
  }
}

TEST(CertificatesTest, CatalogueNamesEveryIdentity) {
  EXPECT_THAT(CertificateSet::Names(),
              ElementsAre("server", "client", "wrong_ca", "expired", "not_yet", "wrong_name",
                          "no_ip", "no_client_auth"));
  for (const std::string& name : CertificateSet::Names()) {
    const TlsIdentity* identity = Catalogue().Find(name);
    ASSERT_NE(identity, nullptr) << name;
    EXPECT_THAT(identity->certificate_chain_pem, Not(IsEmpty())) << name;
  }
  EXPECT_EQ(Catalogue().Find("nonsense"), nullptr);
  EXPECT_EQ(Catalogue().Find("expired"), &Catalogue().expired);
  EXPECT_NE(Catalogue().ca_pem, Catalogue().wrong_ca_pem);
}

TEST(CertificatesTest, ExtendedKeyUsageIsLeftOutWhenNoneIsAsked) {
  Rng rng(2);
  auto ca = CertificateAuthority::Create({}, kPairNow, rng);
  LeafOptions options;
  options.common_name = "any";
  options.server_auth = false;
  const CertificateInfo info = Describe(ca.Issue(options).certificate_chain_pem);
  EXPECT_THAT(info.extended_key_usage, IsEmpty());
  EXPECT_THAT(info.extensions, Not(::testing::Contains("extendedKeyUsage")));
}

TEST(CertificatesTest, DescribeRefusesWhatIsNoCertificate) {
  EXPECT_THAT(DescribeCertificate("nothing"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("not a certificate")));
  EXPECT_THAT(DescribeCertificate(Catalogue().server.private_key_pem),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("not a certificate")));
}

TEST(CertificatesDeathTest, MistakesOfTheCallerAbort) {
  Rng rng(2);
  auto ca = CertificateAuthority::Create({}, kPairNow, rng);
  LeafOptions bad_ip;
  bad_ip.common_name = "x";
  bad_ip.ips = {"not-an-ip"};
  EXPECT_DEATH(ca.Issue(bad_ip), "not-an-ip");
  LeafOptions backwards;
  backwards.not_before = kPairNow;
  backwards.not_after = kPairNow - std::chrono::hours(1);
  EXPECT_DEATH(ca.Issue(backwards), "not_after");
}

}  // namespace
}  // namespace squall::wire
