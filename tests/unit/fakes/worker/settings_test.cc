#include "fakes/worker/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>

#include "tests/support/status_matchers.h"

namespace squall::fakes {
namespace {

using ::squall::testing::IsOk;
using ::squall::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class SettingsTest : public ::testing::Test {
 protected:
  SettingsTest() {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ =
        std::filesystem::path(::testing::TempDir()) / (std::string("settings_") + test->name());
    std::filesystem::create_directories(folder_);
    env_["TEMPORAL_TASK_QUEUE"] = "q";
  }
  ~SettingsTest() override { std::filesystem::remove_all(folder_); }

  std::string File(const std::string& name, const std::string& text) {
    const std::string path = folder_ / name;
    std::ofstream(path) << text;
    return path;
  }
  std::string Pem(const std::string& name) { return File(name, "-----BEGIN " + name + "-----\n"); }
  StatusOr<Settings> Resolve(RawSettings raw = {}) {
    return ResolveSettings(std::move(raw), [this](const char* name) -> std::optional<std::string> {
      const auto it = env_.find(name);
      return it == env_.end() ? std::nullopt : std::optional(it->second);
    });
  }

  std::map<std::string, std::string> env_;
  std::filesystem::path folder_;
};

TEST_F(SettingsTest, DefaultsAreThoseOfALocalServer) {
  const auto settings = Resolve();
  ASSERT_THAT(settings, IsOk());
  EXPECT_EQ(settings->connection.target_url, "http://127.0.0.1:7233");
  EXPECT_EQ(settings->ns, "default");
  EXPECT_FALSE(settings->connection.tls.has_value());
}

TEST_F(SettingsTest, FlagsWin) {
  env_["TEMPORAL_ADDRESS"] = "a:1";
  env_["TEMPORAL_NAMESPACE"] = "one";
  const auto settings = Resolve({.address = "b:2"});
  ASSERT_THAT(settings, IsOk());
  EXPECT_EQ(settings->address, "b:2");
  EXPECT_EQ(settings->ns, "one");
}

TEST_F(SettingsTest, AnApiKeyTurnsTlsOnUnlessItIsRefused) {
  env_["TEMPORAL_API_KEY"] = "k";
  EXPECT_EQ(Resolve()->connection.target_url, "https://127.0.0.1:7233");
  EXPECT_EQ(Resolve()->connection.api_key, "k");
  env_["TEMPORAL_TLS"] = "false";
  EXPECT_EQ(Resolve()->connection.target_url, "http://127.0.0.1:7233");
}

TEST_F(SettingsTest, CertificatesAreReadUnderBothNames) {
  env_["TEMPORAL_TLS_CERT"] = Pem("CERT");
  env_["TEMPORAL_TLS_CLIENT_KEY_PATH"] = Pem("KEY");
  env_["TEMPORAL_TLS_SERVER_CA_CERT_PATH"] = Pem("CA");
  env_["TEMPORAL_TLS_SERVER_NAME"] = "server.example";
  const auto settings = Resolve();
  ASSERT_THAT(settings, IsOk());
  ASSERT_TRUE(settings->connection.tls.has_value());
  EXPECT_THAT(settings->connection.tls->certificate_pem, HasSubstr("CERT"));
  EXPECT_THAT(settings->connection.tls->key_pem, HasSubstr("KEY"));
  EXPECT_THAT(settings->connection.tls->ca_pem, HasSubstr("CA"));
  EXPECT_EQ(settings->connection.tls->server_name, "server.example");
}

TEST_F(SettingsTest, EveryMistakeIsNamedWithItsVariable) {
  const auto expect = [this](const std::map<std::string, std::string>& change,
                             const std::string& text) {
    const auto before = env_;
    for (const auto& [name, value] : change) {
      if (value.empty()) {
        env_.erase(name);
      } else {
        env_[name] = value;
      }
    }
    EXPECT_THAT(Resolve(), StatusIs(StatusCode::kInvalidArgument, HasSubstr(text)));
    env_ = before;
  };
  expect({{"TEMPORAL_TASK_QUEUE", ""}}, "TEMPORAL_TASK_QUEUE is not set");
  expect({{"TEMPORAL_ADDRESS", "localhost"}},
         "TEMPORAL_ADDRESS is 'localhost': it must be host:port, localhost:7233");
  expect({{"TEMPORAL_ADDRESS", "localhost:x"}}, "host:port, localhost:7233");
  expect({{"TEMPORAL_ADDRESS", "localhost:70000"}}, "host:port");
  expect({{"TEMPORAL_ADDRESS", "https://a:7233"}}, "leave out 'https://'");
  expect({{"TEMPORAL_TLS", "yes"}}, "TEMPORAL_TLS is 'yes': use true or false");
  expect({{"TEMPORAL_TLS_CERT", Pem("CERT")}},
         "TEMPORAL_TLS_CLIENT_CERT_PATH is set but TEMPORAL_TLS_CLIENT_KEY_PATH is not");
  expect({{"TEMPORAL_TLS_KEY", Pem("KEY")}},
         "TEMPORAL_TLS_CLIENT_KEY_PATH is set but TEMPORAL_TLS_CLIENT_CERT_PATH is not");
  expect({{"TEMPORAL_TLS", "false"}, {"TEMPORAL_TLS_SERVER_NAME", "a"}},
         "TEMPORAL_TLS is false but");
  expect({{"TEMPORAL_TLS_SERVER_CA_CERT_PATH", "/nowhere/ca.pem"}},
         "cannot read '/nowhere/ca.pem'");
  expect({{"TEMPORAL_TLS_SERVER_CA_CERT_PATH", File("x", "not pem")}}, "is no PEM file");
}

TEST_F(SettingsTest, NoPartOfAKeyIsInAnyMessage) {
  env_["TEMPORAL_API_KEY"] = "secret1\nsecret2";
  EXPECT_THAT(Resolve(), StatusIs(StatusCode::kInvalidArgument,
                                  AllOf(HasSubstr("TEMPORAL_API_KEY"), Not(HasSubstr("secret")))));
}

TEST_F(SettingsTest, Durations) {
  EXPECT_EQ(*ParseDuration("250ms"), std::chrono::milliseconds(250));
  EXPECT_EQ(*ParseDuration("1.5s"), std::chrono::milliseconds(1500));
  EXPECT_EQ(*ParseDuration("2m"), std::chrono::minutes(2));
  EXPECT_EQ(*ParseDuration("7"), std::chrono::seconds(7));
  EXPECT_EQ(*ParseDuration("0"), Duration::zero());
  for (const char* bad : {"", "x", "-1s", "1d", "1e30s", "nan", "5 s"}) {
    EXPECT_THAT(ParseDuration(bad),
                StatusIs(StatusCode::kInvalidArgument, HasSubstr("is no duration")))
        << bad;
  }
}

}  // namespace
}  // namespace squall::fakes
