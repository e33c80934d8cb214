#include "harness/doctor/show.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <set>

namespace squall::doctor {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Diagnosis Broken() {
  Diagnosis diagnosis;
  diagnosis.target = "temporal:1";
  diagnosis.Row(Layer::kSettings, "", State::kOk, "temporal:1");
  diagnosis.Row(Layer::kTls, "", State::kFail, "the certificate of <x> & \"y\" ended",
                std::chrono::milliseconds(3));
  diagnosis.Row(Layer::kGrpc, "", State::kSkipped, "not come to");
  diagnosis.Add("settings.conflict", Weight::kNotice, "two names differ");
  diagnosis.Add("tls.certificate_expired", Weight::kBroken, "it ended in sekret-key-0123");
  return diagnosis;
}

TEST(CausesTest, IdsAreUniqueAndInTheirLayersOrder) {
  std::set<std::string_view> ids;
  Layer last = Layer::kSettings;
  for (const Cause& cause : Causes()) {
    EXPECT_TRUE(ids.insert(cause.id).second) << cause.id;
    EXPECT_GE(cause.layer, last) << cause.id;
    last = cause.layer;
    EXPECT_FALSE(cause.title.empty() || cause.fix.empty()) << cause.id;
    EXPECT_NE(cause.title.back(), '.') << cause.id;
    EXPECT_EQ(cause.fix.back(), '.') << cause.id;
  }
  EXPECT_GE(ids.size(), 30u);
}

TEST(DiagnosisTest, NothingIncompleteIsHealthy) {
  Diagnosis diagnosis;
  EXPECT_EQ(diagnosis.verdict(), Verdict::kUnknown);
  diagnosis.complete = true;
  EXPECT_EQ(diagnosis.verdict(), Verdict::kHealthy);
  diagnosis.Add("settings.conflict", Weight::kNotice, "x");
  EXPECT_EQ(diagnosis.verdict(), Verdict::kHealthy);
  diagnosis.Add("tcp.silent", Weight::kPossible, "x");
  EXPECT_EQ(diagnosis.verdict(), Verdict::kUnknown);
  diagnosis.Add("tcp.refused", Weight::kBroken, "x");
  EXPECT_EQ(diagnosis.verdict(), Verdict::kBroken);
  EXPECT_EQ(diagnosis.cause()->cause, "tcp.refused");
}

TEST(ShowTest, TheTextIsATableAndAParagraph) {
  const std::string text = AsText(Redacted(Broken(), {"sekret-key-0123"}), {.width = 80});
  EXPECT_THAT(text,
              HasSubstr("  fail     tls         the certificate of <x> & \"y\" ended (3.0ms)\n"));
  EXPECT_THAT(
      text,
      HasSubstr("cause     The server's certificate has expired (tls.certificate_expired).\n"));
  EXPECT_THAT(text, HasSubstr("evidence  it ended in [hidden].\n"));
  EXPECT_THAT(text, HasSubstr("fix       Renew the server's certificate.\n"));
  EXPECT_THAT(text, HasSubstr("notice    two names differ (settings.conflict)."));
  EXPECT_THAT(text, Not(HasSubstr("\033")));
  EXPECT_THAT(text, Not(HasSubstr("sekret")));
}

TEST(ShowTest, JsonHasTheKeysOfItsSchema) {
  const auto json = nlohmann::json::parse(AsJson(Broken()));
  EXPECT_EQ(json["schema"], "squall-doctor/1");
  EXPECT_EQ(json["verdict"], "broken");
  EXPECT_EQ(json["exit_code"], 1);
  EXPECT_EQ(json["cause"]["id"], "tls.certificate_expired");
  EXPECT_EQ(json["cause"]["layer"], "tls");
  EXPECT_EQ(json["checks"][1]["state"], "fail");
  EXPECT_EQ(json["checks"][1]["milliseconds"], 3.0);
  EXPECT_EQ(json["findings"].size(), 2u);
  Diagnosis healthy;
  healthy.complete = true;
  EXPECT_TRUE(nlohmann::json::parse(AsJson(healthy))["cause"].is_null());
}

TEST(ShowTest, JUnitHasACaseForEachRow) {
  const std::string xml = AsJUnit(Broken());
  EXPECT_THAT(xml, HasSubstr("tests=\"3\" failures=\"1\" errors=\"0\""));
  EXPECT_THAT(xml, HasSubstr("<failure message=\"the certificate of &lt;x&gt; &amp; &quot;y&quot; "
                             "ended\" type=\"tls.certificate_expired\">"));
  EXPECT_THAT(xml, HasSubstr("<skipped message=\"not come to\"/>"));
}

}  // namespace
}  // namespace squall::doctor
