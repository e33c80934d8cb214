// JUnit XML, as far as text shows it; junit_roundtrip.py has it validated and read back by others.

#include "reports/junit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/reports/sample.h"

namespace squall::reports {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(JUnitXml, CountsAddUp) {
  const std::string xml = JUnitXml(SampleRun(), "box");
  EXPECT_THAT(
      xml,
      HasSubstr(
          "<testsuites name=\"squall\" tests=\"12\" failures=\"3\" errors=\"3\" time=\"83.400\">"));
  EXPECT_THAT(
      xml,
      HasSubstr(
          "<testsuite name=\"squall.fake\" tests=\"8\" failures=\"3\" errors=\"2\" skipped=\"0\""));
  EXPECT_THAT(
      xml,
      HasSubstr(
          "<testsuite name=\"squall.real\" tests=\"4\" failures=\"0\" errors=\"1\" skipped=\"1\""));
}

TEST(JUnitXml, EveryFailureAndErrorCarriesTheCommandThatRepeatsIt) {
  const std::string xml = JUnitXml(SampleRun(), "box");
  std::size_t found = 0;
  for (const char* tag : {"<failure ", "<error "}) {
    for (std::size_t at = xml.find(tag); at != std::string::npos; at = xml.find(tag, at + 1)) {
      const std::string element =
          xml.substr(at, xml.find(at == std::string::npos ? "" : "</", at) - at);
      EXPECT_THAT(element,
                  AllOf(HasSubstr("repeat: squall run "), HasSubstr("seed: 11400714819323198485")));
      ++found;
    }
  }
  EXPECT_EQ(found, 6u);
}

TEST(JUnitXml, EscapesMarkupAndWhatXmlDoesNotAllow) {
  const std::string xml = JUnitXml(SampleRun(), "box");
  EXPECT_THAT(xml, HasSubstr("&lt;tags&gt; &amp; &quot;quotes&quot; ]]&gt; 漢字"));
  EXPECT_THAT(xml, HasSubstr("\\x1b[31mred"));
  EXPECT_THAT(xml, HasSubstr("\uFFFD\uFFFD bytes and \\x01 controls"));
  for (const char c : xml)
    EXPECT_TRUE(c == '\n' || static_cast<unsigned char>(c) >= 0x20) << static_cast<int>(c);
  RunReport run = SampleRun();
  run.subjects = {Sample("X", "s", "fake", "t", 1s)};
  run.subjects[0].verdict = journal::Outcome::kFail;
  run.subjects[0].explanation = "two\nlines\tand \xef\xbf\xbf";
  EXPECT_THAT(JUnitXml(run, "box"), HasSubstr("message=\"two&#10;lines&#9;and \uFFFD\""));
}

TEST(JUnitXml, AWorldWithoutSubjectsIsAnEmptySuite) {
  RunReport run = SampleRun();
  run.subjects.clear();
  EXPECT_THAT(JUnitXml(run, "box"),
              AllOf(HasSubstr("name=\"squall.fake\" tests=\"0\""), Not(HasSubstr("<testcase"))));
}

}  // namespace
}  // namespace squall::reports
