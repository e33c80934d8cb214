#include "harness/doctor/sdk.h"

#include <gmock/gmock.h>

namespace squall::doctor {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(SdkTest, NamesAndVersionsAreRead) {
  EXPECT_EQ(ParseSdk("python/1.35.0")->Text(), "python/1.35.0");
  EXPECT_EQ(ParseSdk("go")->core, SdkCore::kGo);
  EXPECT_EQ(ParseSdk("ruby/1.x")->core, SdkCore::kCore);
  EXPECT_THAT(std::string(ParseSdk("pyhton/1").status().message()),
              HasSubstr("(did you mean 'python'?)"));
  EXPECT_THAT(std::string(ParseSdk("go/latest").status().message()), HasSubstr("no version"));
}

TEST(SdkTest, VersionsOfServersAreRead) {
  EXPECT_EQ(ParseVersion("1.29.1-148.5"), (VersionNumber{1, 29, 1}));
  EXPECT_EQ(ParseVersion("v1.30"), (VersionNumber{1, 30, 0}));
  EXPECT_EQ(ParseVersion("1.x"), (VersionNumber{1, 0, 0}));
  EXPECT_EQ(ParseVersion("main"), std::nullopt);
  EXPECT_EQ(ParseVersion(""), std::nullopt);
}

TEST(SdkTest, WhatItLooksForIsMissed) {
  const std::set<std::string> all = {"activity_failure_include_heartbeat",
                                     "build_id_based_versioning"};
  EXPECT_THAT(MissingFor(*ParseSdk("core/0.10.1"), all, false), IsEmpty());
  EXPECT_THAT(MissingFor(*ParseSdk("core/0.10.1"), {}, false), SizeIs(2));
  EXPECT_THAT(MissingFor(*ParseSdk("go/1.x"), all, false), SizeIs(2));
  EXPECT_THAT(MissingFor(*ParseSdk("python"), {"worker_heartbeats"}, true), SizeIs(1));
  // Releases that nobody read the source of: nothing is claimed of them.
  EXPECT_THAT(MissingFor(*ParseSdk("go/1.20.0"), {}, false), IsEmpty());
  EXPECT_TRUE(OlderThanKnown(*ParseSdk("go/1.20.0")));
  EXPECT_TRUE(OlderThanKnown(*ParseSdk("dotnet/1.8.0")));
  EXPECT_FALSE(OlderThanKnown(*ParseSdk("go/1.51.0")));
  EXPECT_FALSE(OlderThanKnown(Sdk{}));
  EXPECT_THAT(MissingFor(Sdk{}, {}, false), IsEmpty());
}

TEST(SdkTest, OldServersAreTold) {
  EXPECT_FALSE(JudgeServerVersion({}, "1.32.0"));
  EXPECT_FALSE(JudgeServerVersion({}, "1.30.0-rc1"));
  EXPECT_THAT(JudgeServerVersion({}, "1.29.9")->evidence, HasSubstr("begin with 1.30"));
  EXPECT_THAT(JudgeServerVersion(*ParseSdk("go/1.50.0"), "2.0.0")->evidence,
              HasSubstr("1.x by go/1.50.0"));
  EXPECT_FALSE(JudgeServerVersion({}, ""));
}

}  // namespace
}  // namespace squall::doctor
