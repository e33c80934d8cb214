// The health probe, and the leak check: what looks at processes from outside.

#include <gmock/gmock.h>
#include <stdlib.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <filesystem>
#include <fstream>

#include "harness/process/process.h"
#include "harness/runner/health_probe.h"
#include "harness/runner/leaks.h"
#include "harness/runner/untagging_sink.h"

namespace squall::harness {
namespace {

namespace fs = std::filesystem;
using boost::asio::ip::tcp;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

constexpr Duration kObserveLimit = 20s;

// Answers every request with `status_line`, or with nothing at all when that is empty.
class Page {
 public:
  explicit Page(AsioExecutor& executor)
      : acceptor_(executor.io(), tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0)) {
    Accept();
  }
  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
  std::string status_line = "HTTP/1.0 200 OK";
  void Close() { acceptor_.close(); }

 private:
  struct Request {
    explicit Request(tcp::socket s) : socket(std::move(s)) {}
    tcp::socket socket;
    std::string in, out;
  };
  void Accept() {
    acceptor_.async_accept([this](const boost::system::error_code& error, tcp::socket socket) {
      if (error) return;
      const auto request = std::make_shared<Request>(std::move(socket));
      boost::asio::async_read_until(
          request->socket, boost::asio::dynamic_buffer(request->in), "\r\n\r\n",
          [this, request](const boost::system::error_code& cut, std::size_t) {
            if (cut || status_line.empty()) return;
            request->out = status_line + "\r\n\r\n";
            boost::asio::async_write(request->socket, boost::asio::buffer(request->out),
                                     [request](const boost::system::error_code&, std::size_t) {});
          });
      Accept();
    });
  }
  tcp::acceptor acceptor_;
};

TEST(HealthProbe, TellsOnlyChanges) {
  RealClock clock;
  AsioExecutor executor(clock);
  journal::Journal journal(clock);
  Page page(executor);
  HealthProbe probe(executor, journal, "w", {"127.0.0.1", page.port()}, "/health", 10ms);
  const auto wait = [&](std::size_t count) {
    ASSERT_TRUE(
        executor.RunUntil([&] { return journal.Events().size() >= count; }, Scaled(kObserveLimit)));
  };
  wait(1);
  page.status_line = "HTTP/1.1 503 Service Unavailable";
  wait(2);
  page.status_line = "HTTP/1.0 204 No Content";
  wait(3);
  page.Close();
  wait(4);
  std::vector<std::string> told;
  for (const journal::Event& event : journal.Events()) told.emplace_back(event.what());
  EXPECT_THAT(told, ElementsAre("healthy", "unhealthy", "healthy", "unhealthy"));
  EXPECT_EQ(journal.Events()[1].As<journal::WorkerEvent>()->detail,
            "HTTP/1.1 503 Service Unavailable");
}

TEST(UntaggingSink, TakesTheTagOutOfEveryText) {
  RealClock clock;
  journal::Journal journal(clock);
  UntaggingSink sink(journal, "~1a");
  journal::WorkerEvent event;
  event.what = "effect";
  event.task = "slow/slow~1a";
  event.task_queue = "q~1a";
  event.detail = "a~1a b~1a ~1b";
  sink.Append("worker:w", event);
  journal::RunEvent run;
  run.what = "started";
  run.observes = {"x~1a"};
  run.versions = {{"k", "v~1a"}};
  sink.Append("runner", run);
  const auto events = journal.Events();
  const auto* out = events[0].As<journal::WorkerEvent>();
  EXPECT_EQ(out->task, "slow/slow");
  EXPECT_EQ(out->task_queue, "q");
  EXPECT_EQ(out->detail, "a b ~1b");
  EXPECT_THAT(events[1].As<journal::RunEvent>()->observes, ElementsAre("x"));
  EXPECT_EQ(events[1].As<journal::RunEvent>()->versions.at("k"), "v");
}

class Leaks : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = fs::temp_directory_path() / "squall-leaks-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    temp_ = pattern;
  }
  void TearDown() override { fs::remove_all(temp_); }
  std::string temp_;
};

TEST_F(Leaks, NothingIsNoLeak) { EXPECT_THAT(FindLeaks(temp_), IsEmpty()); }

TEST_F(Leaks, FindsFilesPortsAndProcesses) {
  std::ofstream(temp_ + "/forgotten") << "x";
  EXPECT_THAT(FindLeaks(temp_), ElementsAre("temporary file is still there: forgotten"));
  fs::remove(temp_ + "/forgotten");

  RealClock clock;
  AsioExecutor executor(clock);
  {
    const Page page(executor);
    EXPECT_THAT(FindLeaks(temp_),
                ElementsAre("port " + std::to_string(page.port()) + " is still listened on"));
  }
  journal::NullSink sink;
  ChildProcess child(executor, sink, {.name = "left", .argv = {"tail", "-f", "/dev/null"}});
  bool started = false;
  child.Start([&](const Status& status) { started = status.ok(); });
  ASSERT_TRUE(executor.RunUntil([&] { return started; }, Scaled(kObserveLimit)));
  EXPECT_THAT(FindLeaks(temp_), ElementsAre(HasSubstr("tail -f /dev/null")));
}

}  // namespace
}  // namespace squall::harness
