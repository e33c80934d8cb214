#include "harness/doctor/values.h"

#include <gmock/gmock.h>

#include "harness/doctor/near_name.h"

namespace squall::doctor {
namespace {

TEST(NearNameTest, SpellingsOfTheSameComeFirst) {
  EXPECT_EQ(NearestOther("food-truck", {"food-trick", "FoodTruck"}), "FoodTruck");
  EXPECT_EQ(NearestOther("food-truck", {"food-truck", "food-trick"}), "food-trick");
  EXPECT_EQ(NearestOther("food-truck", {"food-truck", "billing"}), std::nullopt);
}

TEST(ValuesTest, AnAddressIsHostAndPort) {
  EXPECT_EQ(ParseAddress("temporal:7233")->host, "temporal");
  EXPECT_EQ(ParseAddress("temporal:7233")->port, 7233);
  EXPECT_EQ(ParseAddress("temporal")->port, 0);
  EXPECT_EQ(ParseAddress("[::1]:1")->host, "::1");
  for (const char* bad : {"", ":1", "temporal:", "temporal:0", "temporal:65536", "temporal:7233/",
                          "a b:1", "[x]:1", "[::1", "temporal:72x"}) {
    EXPECT_FALSE(ParseAddress(bad)) << bad;
  }
}

TEST(ValuesTest, StrayCharactersAndPlaceholders) {
  EXPECT_EQ(StrayCharacters(" a"), "begins with white space");
  EXPECT_EQ(StrayCharacters("a\n"), "ends with a line break");
  EXPECT_EQ(StrayCharacters("'a'"), "stands in quotes, which are part of it");
  EXPECT_EQ(StrayCharacters("a"), std::nullopt);
  for (const char* text : {"${X}", "$TEMPORAL_API_KEY", "<api key>", "changeme",
                           "your-namespace.a1b2c", "YOUR_API_KEY", "{{ key }}"})
    EXPECT_TRUE(IsPlaceholder(text)) << text;
  for (const char* text : {"orders", "<", "a$b", "yourself"})
    EXPECT_FALSE(IsPlaceholder(text)) << text;
}

TEST(ValuesTest, SecretsInTheWrongVariableAreKnownByTheirLooks) {
  for (const char* text : {"eyJhbGciOiJFUzI1NiJ9.e30.c2ln", "AKIAabcdefgh0123456789xyz"})
    EXPECT_TRUE(LooksLikeSecret(text)) << text;
  for (const char* text : {"short1A", "/etc/Temporal2/certs/Client.pem",
                           "orders.a1b2c.tmprl.cloud:7233", "a-namespace-of-many-words-2"}) {
    EXPECT_FALSE(LooksLikeSecret(text)) << text;
  }
}

TEST(ValuesTest, PemBlocksAreTold) {
  EXPECT_EQ(PemKindOf("no"), PemKind::kNone);
  EXPECT_EQ(PemKindOf("text\n-----BEGIN CERTIFICATE-----"), PemKind::kCertificate);
  EXPECT_EQ(PemKindOf("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED"),
            PemKind::kEncryptedKey);
  EXPECT_EQ(PemKindOf("-----BEGIN EC PARAMETERS-----\nx\n-----END EC PARAMETERS-----\n-----BEGIN "
                      "EC PRIVATE KEY-----"),
            PemKind::kPrivateKey);
  EXPECT_EQ(PemKindOf("-----BEGIN"), PemKind::kNone);
}

TEST(ValuesTest, ATokenTellsItsEnd) {
  // {"exp":1700000000} between a header and a signature.
  EXPECT_EQ(TokenExpiry("e30.eyJleHAiOjE3MDAwMDAwMDB9.c2ln"),
            WallTime(std::chrono::seconds(1700000000)));
  EXPECT_EQ(TokenExpiry("e30.e30.c2ln"), std::nullopt);
  EXPECT_EQ(TokenExpiry("no.token"), std::nullopt);
  EXPECT_EQ(TokenExpiry("a.%%%.b"), std::nullopt);
}

TEST(ValuesTest, HostsAreTold) {
  EXPECT_TRUE(IsLoopback("localhost"));
  EXPECT_TRUE(IsLoopback("127.0.0.2"));
  EXPECT_FALSE(IsLoopback("127.example.com"));
  EXPECT_TRUE(IsIpAddress("10.0.0.1"));
  EXPECT_FALSE(IsIpAddress("10.0.0.256"));
  EXPECT_TRUE(IsIpAddress("fe80::1"));
  EXPECT_TRUE(IsCloud("ns.a1b2c.tmprl.cloud"));
  EXPECT_TRUE(IsCloudRegion("us-east-1.aws.api.temporal.io"));
  EXPECT_FALSE(IsCloud("tmprl.cloud.example.com"));
}

}  // namespace
}  // namespace squall::doctor
