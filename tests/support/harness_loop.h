#pragma once
// What tests of harness/ share: one loop on the test's thread with a journal in memory, and waiting
// by event on it.

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/journal/journal.h"
#include "base/util/clock.h"
#include "base/util/rng.h"
#include "harness/net/asio_executor.h"

namespace squall::testing {

class HarnessLoop : public ::testing::Test {
 protected:
  // Events also come from other threads (servers in process); each wakes the loop, so that what
  // waits for one looks.
  HarnessLoop() {
    journal_.SetObserver([this](const journal::Event&) { executor_.Post([] {}); });
  }
  // Serves the loop until `done` holds; a failure of the test otherwise.
  void Await(const std::function<bool()>& done, std::string_view what,
             Duration limit = std::chrono::seconds(10)) {
    ASSERT_TRUE(executor_.RunUntil(done, Scaled(limit)))
        << "waited " << FormatDuration(Scaled(limit)) << " for " << what << "; journal:\n"
        << JournalText();
  }
  // Serves what is ready and what that makes ready, until the loop has nothing more to do at once.
  void Settle() {
    for (int i = 0; i < 20; ++i) {
      bool ran = false;
      executor_.Post([&] { ran = true; });
      executor_.RunUntil([&] { return ran; }, Scaled(std::chrono::seconds(10)));
    }
  }

  std::string JournalText() const {
    std::string text;
    for (const journal::Event& event : journal_.Events()) text += journal::ToJson(event) + "\n";
    return text;
  }
  // All events of a type with this word ("" = any).
  template <typename T>
  std::vector<T> Events(std::string_view word = "") const {
    std::vector<T> found;
    for (const journal::Event& event : journal_.Events()) {
      const T* one = event.As<T>();
      if (one != nullptr && (word.empty() || one->what == word)) found.push_back(*one);
    }
    return found;
  }
  template <typename T>
  std::size_t Count(std::string_view word) const {
    return Events<T>(word).size();
  }

  RealClock clock_;
  journal::Journal journal_{clock_};
  harness::AsioExecutor executor_{clock_};
};

// A folder that goes with the test.
class TemporaryFolder {
 public:
  TemporaryFolder()
      : path_(std::filesystem::temp_directory_path() /
              ("squall-test-" + Rng(SeedFromSystem()).Hex(12))) {
    std::filesystem::create_directories(path_);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace squall::testing
