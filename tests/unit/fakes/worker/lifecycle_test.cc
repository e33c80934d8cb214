#include "fakes/worker/lifecycle.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "fakes/worker/host.h"

namespace squall::fakes {
namespace {

TEST(Lifecycle, LinesCarryWhatIsSet) {
  journal::WorkerEvent event = MakeEvent("retrying", "a \"quoted\"\ncause");
  event.pid = 7;
  event.delay = std::chrono::seconds(2);
  EXPECT_EQ(
      LifecycleLine(event),
      R"({"squall_event":"retrying","pid":7,"delay_ns":2000000000,"detail":"a \"quoted\"\ncause"})");
  event = MakeEvent("stopped");
  event.exit_code = 0;
  EXPECT_EQ(LifecycleLine(event), R"({"squall_event":"stopped","exit_code":0})");
}

TEST(Lifecycle, TextThatIsNoUtf8IsWrittenAllTheSame) {
  EXPECT_EQ(LifecycleLine(MakeEvent("fatal", "\xff!")),
            "{\"squall_event\":\"fatal\",\"detail\":\"\xef\xbf\xbd!\"}");
}

TEST(Lifecycle, WriterAddsWhoItIs) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  LifecycleWriter(ends[1], 12, "queue").Write(MakeEvent("started"));
  char text[200];
  const ssize_t n = read(ends[0], text, sizeof text);
  EXPECT_EQ(std::string(text, static_cast<std::size_t>(n)),
            "{\"squall_event\":\"started\",\"pid\":12,\"task_queue\":\"queue\"}\n");
  close(ends[0]);
  close(ends[1]);
}

}  // namespace
}  // namespace squall::fakes
