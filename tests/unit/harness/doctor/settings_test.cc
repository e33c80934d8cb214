#include "harness/doctor/settings.h"

#include <gmock/gmock.h>

#include "harness/doctor/env_file.h"
#include "harness/doctor/toml_profile.h"
#include "tests/support/status_matchers.h"

namespace squall::doctor {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;

std::string TextOf(const Settings& settings, Setting setting) {
  return settings.Text(setting, "unset");
}
std::string SourceOf(const Settings& settings, Setting setting) {
  const Value* value = settings.Get(setting);
  return value != nullptr ? value->source : "unset";
}

TEST(EnvFileTest, ReadsWhatDotenvReads) {
  const auto read = ParseEnvFile(
      "# comment\n"
      "A=plain value  # with a comment\n"
      "export B = spaced\n"
      "C='as $it stands\\n'\n"
      "D=\"line\\nbreak \\\"quoted\\\"\"\n"
      "E=\"first\nsecond\"\n"
      "F=\n"
      "G=a#b\r\n");
  ASSERT_OK(read);
  EXPECT_THAT(*read, ElementsAre(Pair("A", "plain value"), Pair("B", "spaced"),
                                 Pair("C", "as $it stands\\n"), Pair("D", "line\nbreak \"quoted\""),
                                 Pair("E", "first\nsecond"), Pair("F", ""), Pair("G", "a#b")));
}

TEST(EnvFileTest, NamesTheLineAndNoValue) {
  EXPECT_EQ(Message(ParseEnvFile("A=1\nnot a setting\n").status()), "line 2: not NAME=value");
  EXPECT_EQ(Message(ParseEnvFile("A=1\nKEY=\"sekret\n\n").status()),
            "line 2: the quote is never closed");
  EXPECT_EQ(Message(ParseEnvFile("KEY='a' b\n").status()),
            "line 1: something stands behind the closing quote");
}

TEST(SettingsTest, FlagsOverrideTheEnvironmentThatFilesThatTheProfile) {
  Sources sources;
  sources.flags[Setting::kNamespace] = "flag";
  sources.environment = {{"TEMPORAL_NAMESPACE", "environment"},
                         {"TEMPORAL_ADDRESS", "environment:1"}};
  sources.env_files = {{"a.env", "TEMPORAL_ADDRESS=a:1\nTEMPORAL_TASK_QUEUE=a\nTEMPORAL_API_KEY=a"},
                       {"b.env", "TEMPORAL_TASK_QUEUE=b"}};
  sources.default_config_file = "temporal.toml";
  sources.read_file = [](const std::string&) -> StatusOr<std::string> {
    return std::string(
        "[profile.default]\nnamespace = \"toml\"\napi_key = "
        "\"toml\"\n[profile.default.tls]\nserver_name = \"toml\"\n");
  };
  const Settings settings = ReadSettings(sources);
  EXPECT_EQ(TextOf(settings, Setting::kNamespace), "flag");
  EXPECT_EQ(SourceOf(settings, Setting::kNamespace), "--namespace");
  EXPECT_THAT(settings.Rows(),
              Contains(Field(&SettingRow::source,
                             "--namespace, over TEMPORAL_NAMESPACE in the environment")));
  EXPECT_EQ(TextOf(settings, Setting::kAddress), "environment:1");
  EXPECT_EQ(SourceOf(settings, Setting::kAddress), "TEMPORAL_ADDRESS in the environment");
  EXPECT_EQ(SourceOf(settings, Setting::kTaskQueue), "TEMPORAL_TASK_QUEUE in b.env");
  EXPECT_EQ(SourceOf(settings, Setting::kApiKey), "TEMPORAL_API_KEY in a.env");
  EXPECT_EQ(SourceOf(settings, Setting::kServerName),
            "tls.server_name of profile 'default' in temporal.toml");
  EXPECT_THAT(settings.findings, IsEmpty());
}

TEST(SettingsTest, AnAliasIsTakenAndToldAndTheOfficialNameGoesFirst) {
  Sources sources;
  sources.environment = {{"TEMPORAL_HOST_PORT", "alias:1"}};
  Settings settings = ReadSettings(sources);
  EXPECT_EQ(TextOf(settings, Setting::kAddress), "alias:1");
  EXPECT_THAT(settings.findings, ElementsAre(Field(&Finding::cause, "settings.deprecated_name")));
  sources.environment.emplace_back("TEMPORAL_ADDRESS", "official:1");
  settings = ReadSettings(sources);
  EXPECT_EQ(TextOf(settings, Setting::kAddress), "official:1");
  EXPECT_THAT(settings.findings, ElementsAre(Field(&Finding::cause, "settings.conflict")));
  EXPECT_TRUE(sources.aliases.Add("MY_SERVER=address"));
  EXPECT_FALSE(sources.aliases.Add("MY_SERVER=adress"));
  sources.environment = {{"MY_SERVER", "mine:1"}};
  EXPECT_EQ(TextOf(ReadSettings(sources), Setting::kAddress), "mine:1");
}

TEST(SettingsTest, HostAndPortOfTheirOwnBecomeAnAddress) {
  Sources sources;
  sources.environment = {{"TEMPORAL_HOST", "temporal"}, {"TEMPORAL_PORT", "7233"}};
  EXPECT_EQ(TextOf(ReadSettings(sources), Setting::kAddress), "temporal:7233");
}

TEST(SettingsTest, ASlipInANameIsBrokenWhereTheRightNameIsNotSet) {
  Sources sources;
  sources.environment = {
      {"TEMPORAL_ADRESS", "x:1"}, {"PATH", "/bin"}, {"TEMPORAL_CONNECTION_RESILIENCE", "1"}};
  Settings settings = ReadSettings(sources);
  ASSERT_EQ(settings.findings.size(), 1u);
  EXPECT_EQ(settings.findings[0].weight, Weight::kBroken);
  EXPECT_EQ(settings.findings[0].fix, "Rename TEMPORAL_ADRESS to TEMPORAL_ADDRESS.");
  sources.environment.emplace_back("TEMPORAL_ADDRESS", "y:1");
  settings = ReadSettings(sources);
  ASSERT_EQ(settings.findings.size(), 1u);
  EXPECT_EQ(settings.findings[0].weight, Weight::kNotice);
}

TEST(SettingsTest, ProfilesAreThoseOfTheSdks) {
  const std::string text =
      "[profile.prod]\naddress = \"p:1\"\nadress = \"q\"\n[profile.prod.tls]\ndisabled = "
      "true\nclient_cert_path = \"c.pem\"\n[profile.prod.grpc_meta]\nx = \"y\"\n";
  const auto profile = ReadProfile(text, "prod");
  ASSERT_OK(profile);
  EXPECT_THAT(profile->values, Contains(Pair("tls.client_cert_path", "c.pem")));
  EXPECT_THAT(profile->values, Contains(Pair("tls.disabled", "true")));
  EXPECT_THAT(profile->unknown, ElementsAre("adress (did you mean 'address'?)"));
  EXPECT_EQ(Message(ReadProfile(text, "prdo").status()),
            "no profile 'prdo' (did you mean 'prod'?)");
  const auto broken = ReadProfile("[profile.default]\napi_key = \"sekret-value\nx", "default");
  EXPECT_EQ(broken.status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(Message(broken.status())), Not(HasSubstr("sekret")));
}

TEST(SettingsTest, ADeployThatLosesASettingIsTold) {
  const auto read = [](const std::string& text) {
    Sources sources;
    sources.env_files = {{"x.env", text}};
    return ReadSettings(sources);
  };
  const Settings before = read(
      "TEMPORAL_ADDRESS=a:1\nTEMPORAL_API_KEY=sekret-one\nDATABASE_URL=x\nTEMPORAL_NAMESPACE=n\n");
  const Settings after =
      read("TEMPORAL_ADDRESS=b:1\nTEMPORAL_NAMESPACE=n\nTEMPORAL_TASK_QUEUE=q\n");
  const Diagnosis diagnosis = CompareSettings(before, after, "old.env", "new.env");
  EXPECT_EQ(diagnosis.verdict(), Verdict::kBroken);
  std::vector<std::string> lost;
  for (const Finding& finding : diagnosis.findings) lost.push_back(finding.evidence);
  EXPECT_THAT(lost, ElementsAre("TEMPORAL_API_KEY is set in old.env and not in new.env",
                                "DATABASE_URL is set in old.env and not in new.env"));
  for (const Check& check : diagnosis.checks) EXPECT_THAT(check.detail, Not(HasSubstr("sekret")));
  EXPECT_EQ(CompareSettings(before, before, "old.env", "old.env").verdict(), Verdict::kHealthy);
}

}  // namespace
}  // namespace squall::doctor
