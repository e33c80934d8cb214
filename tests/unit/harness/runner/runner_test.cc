// The parent's side of a run, with a shell script in the place of squall's own child.

#include "harness/runner/runner.h"

#include <gmock/gmock.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "harness/runner/subject_run.h"
#include "reports/summary.h"
#include "scenarios/format/loader.h"
#include "tests/support/status_matchers.h"

namespace squall::harness {
namespace {

namespace fs = std::filesystem;
using journal::Outcome;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr Duration kRunLimit = std::chrono::seconds(20);

class RunnerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = fs::temp_directory_path() / "squall-runner-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    fs::create_directory(folder_ / "run");
    // run-one --file F --subject S --world W --seed N --work DIR; the subject's name says what
    // becomes of it.
    reports::SubjectReport good;
    good.scenario = "T";
    good.verdict = Outcome::kPass;
    WriteFile("good.json", reports::SubjectJson(good));
    good.verdict = Outcome::kFail;
    WriteFile("bad.json", reports::SubjectJson(good));
    WriteFile("program",
              "#!/bin/sh\nF=" + folder_.string() +
                  "\ncase \"$5\" in\n"
                  "good) cp $F/good.json \"${11}/result.json\" ;;\n"
                  "bad) cp $F/bad.json \"${11}/result.json\"; exit 0 ;;\n"
                  "torn) printf '{' > \"${11}/result.json\" ;;\n"
                  "silent) echo 'thread panicked'; exit 7 ;;\n"
                  "crash) kill -SEGV $$ ;;\n"
                  "stuck) trap 'exit 9' TERM; exec 3<> $F/fifo; read x <&3 & wait $! ;;\n"
                  "esac\n");
    fs::permissions(folder_ / "program", fs::perms::owner_all);
    ASSERT_EQ(::mkfifo((folder_ / "fifo").c_str(), 0600), 0);
  }
  void TearDown() override { fs::remove_all(folder_); }

  void WriteFile(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
  }

  void Load(const std::vector<std::string>& subjects, const std::string& extra = "") {
    std::string text = "id: T\ntitle: t\ntimeout: 1s\n" + extra +
                       "topology: {servers: {s: {}}}\nexpect: [check]\nsubjects:\n";
    for (const std::string& subject : subjects)
      text += "  - {name: " + subject + ", expect: pass}\n";
    auto loaded = scenarios::LoadScenario(text, "T.yaml", {{.name = "check", .doc = "A check."}});
    ASSERT_THAT(loaded, testing::IsOk());
    library_ = {*std::move(loaded)};
    options_.plan = *MakePlan(library_, {}, 1);
    options_.seed = 1;
    options_.run_directory = (folder_ / "run").string();
    options_.program = (folder_ / "program").string();
  }

  std::vector<reports::SubjectReport> Run(const std::function<void(Runner&)>& begun = nullptr) {
    AsioExecutor executor(clock_);
    Runner runner(
        executor, options_,
        {.on_started = [this](const Job& job) { started_.push_back(job.Label()); },
         .on_result = [this](const Job&, const reports::SubjectReport&) { ++reported_; }});
    std::vector<reports::SubjectReport> results;
    bool done = false;
    runner.Start([&](std::vector<reports::SubjectReport> all) {
      results = std::move(all);
      done = true;
    });
    if (begun) begun(runner);
    EXPECT_TRUE(executor.RunUntil([&] { return done; }, Scaled(kRunLimit)));
    return results;
  }

  RealClock clock_;
  fs::path folder_;
  std::vector<scenarios::Scenario> library_;
  RunOptions options_;
  std::vector<std::string> started_;
  int reported_ = 0;
};

TEST_F(RunnerTest, CollectsTheResultsOfItsChildrenInTheOrderOfThePlan) {
  Load({"good", "bad"});
  options_.jobs = 2;
  const auto results = Run();
  ASSERT_THAT(results, SizeIs(2));
  EXPECT_EQ(results[0].verdict, Outcome::kPass);
  EXPECT_EQ(results[1].verdict, Outcome::kFail);
  EXPECT_EQ(reported_, 2);
  EXPECT_THAT(results[0].repeat_command,
              HasSubstr("squall run T.yaml T/good --world fake --seed 1"));
  EXPECT_FALSE(fs::exists(folder_ / "run/T.good.fake")) << "green work folders go";
  EXPECT_TRUE(fs::exists(folder_ / "run/T.bad.fake")) << "others stay";
}

TEST_F(RunnerTest, NamesAScenarioOfTheLibraryByItsIdAndAnyOtherByItsFile) {
  Load({"good"});
  library_[0].file = "/lib/T.yaml";
  options_.library = "/lib";
  EXPECT_EQ(Run()[0].repeat_command, "squall run T/good --world fake --seed 1");
  library_[0].file = "/my files/T.yaml";
  EXPECT_EQ(Run()[0].repeat_command, "squall run '/my files/T.yaml' T/good --world fake --seed 1");
}

TEST_F(RunnerTest, KeepsGreenWorkFoldersWhenAsked) {
  Load({"good"});
  options_.keep = true;
  Run();
  EXPECT_TRUE(fs::exists(folder_ / "run/T.good.fake/result.json"));
}

TEST_F(RunnerTest, AChildThatCrashesIsUnknownWithTheSignal) {
  Load({"crash"});
  const auto results = Run();
  EXPECT_EQ(results[0].verdict, Outcome::kUnknown);
  EXPECT_THAT(results[0].explanation, HasSubstr("SIGSEGV"));
}

TEST_F(RunnerTest, AChildWithoutAResultIsUnknownWithItsCodeAndLastWords) {
  Load({"silent"});
  const auto results = Run();
  EXPECT_EQ(results[0].verdict, Outcome::kUnknown);
  EXPECT_THAT(results[0].explanation, HasSubstr("code 7"));
  EXPECT_THAT(results[0].explanation, HasSubstr("thread panicked"));
}

TEST_F(RunnerTest, ATornResultIsUnknown) {
  Load({"torn"});
  EXPECT_EQ(Run()[0].verdict, Outcome::kUnknown);
}

TEST_F(RunnerTest, AProgramThatIsNotThereIsUnknown) {
  Load({"good"});
  options_.program = (folder_ / "nothing").string();
  const auto results = Run();
  EXPECT_EQ(results[0].verdict, Outcome::kUnknown);
  EXPECT_THAT(results[0].explanation, HasSubstr("nothing"));
}

TEST_F(RunnerTest, WhatCannotRunHereIsSkippedWithTheReason) {
  Load({"good"}, "needs: {worlds: [real]}\n");
  const auto results = Run();
  EXPECT_EQ(results[0].skipped, "not meant for the fake world");
  EXPECT_THAT(started_, IsEmpty());
}

TEST_F(RunnerTest, RepeatsInRoundsAndMarksWhatDiffers) {
  Load({"good"});
  options_.repeat = 3;
  auto results = Run();
  EXPECT_THAT(started_, ElementsAre("T/good@fake", "T/good@fake#2", "T/good@fake#3"));
  MarkFlaky(&results);
  EXPECT_FALSE(results[0].flaky);
  results[1].verdict = Outcome::kFail;
  results[0].subject = results[1].subject = results[2].subject = "good";
  MarkFlaky(&results);
  EXPECT_TRUE(results[0].flaky);
}

TEST_F(RunnerTest, UntilFailStopsAtTheFirstFailure) {
  Load({"good", "bad", "good2"});
  options_.repeat = 0;
  options_.until_fail = true;
  const auto results = Run();
  EXPECT_THAT(results, SizeIs(2));
}

TEST_F(RunnerTest, AbortStopsWhatRunsAndStartsNothingMore) {
  Load({"stuck", "good"});
  const auto results = Run([](Runner& runner) { runner.Abort(); });
  ASSERT_THAT(results, SizeIs(1));
  EXPECT_TRUE(results[0].aborted);
  EXPECT_EQ(results[0].verdict, Outcome::kUnknown);
  EXPECT_THAT(started_, ElementsAre("T/stuck@fake"));
}

}  // namespace
}  // namespace squall::harness
