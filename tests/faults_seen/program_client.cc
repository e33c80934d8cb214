#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <filesystem>
#include <fstream>
#include <utility>

#include "base/journal/journal.h"
#include "base/util/rng.h"
#include "base/util/status.h"
#include "harness/net/asio_executor.h"
#include "harness/process/process.h"
#include "tests/faults_seen/clients.h"

namespace squall::seen {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

// For a program's start, and on top of a call's own deadline, which programs keep themselves.
constexpr Duration kSlack = std::chrono::seconds(20);

// The program connects to a port of ours, is written lines, and answers each.
class ProgramClient final : public Client {
 public:
  ProgramClient(const std::vector<std::string>& command, const Target& target)
      : folder_(std::filesystem::temp_directory_path() /
                ("squall-seen-" + Rng(SeedFromSystem()).Hex(12))),
        acceptor_(executor_.io(), {asio::ip::address_v4::loopback(), 0}),
        socket_(executor_.io()) {
    std::filesystem::create_directories(folder_);
    harness::ChildOptions options;
    options.name = "client";
    options.role = "client";
    options.argv = command;
    const std::string port = std::to_string(acceptor_.local_endpoint().port());
    const bool identity = target.identity.has_value();
    for (const std::string& argument :
         {port, target.address, std::string(target.by_name ? "localhost" : ""),
          target.tls ? File("ca.pem", target.ca_pem) : "",
          identity ? File("cert.pem", target.identity->certificate_chain_pem) : "",
          identity ? File("key.pem", target.identity->private_key_pem) : ""}) {
      options.argv.push_back(argument);
    }
    process_ = std::make_unique<harness::ChildProcess>(executor_, journal_, std::move(options));
    bool connected = false;
    acceptor_.async_accept(socket_, [&](const error_code& error) { connected = !error; });
    process_->Start([](const Status&) {});
    if (!executor_.RunUntil([&] { return connected; }, Scaled(kSlack))) {
      error_code ignored;
      acceptor_.close(ignored);
    }
  }

  ~ProgramClient() override {
    bool ended = false;
    process_->Kill(harness::Intent::kAsked, [&](const harness::ProcessExit&) { ended = true; });
    executor_.RunUntil([&] { return ended; }, Scaled(kSlack));
    process_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  std::string Call(std::size_t input_bytes, Duration deadline) override {
    const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(deadline).count();
    const std::string line = fmt::format("{} {}\n", input_bytes, millis);
    bool done = false;
    std::string answer = "no answer within the limit";
    asio::async_write(socket_, asio::buffer(line), [&](const error_code& error, std::size_t) {
      if (!error) return;
      answer = "the program has ended";
      done = true;
    });
    asio::async_read_until(socket_, asio::dynamic_buffer(read_), '\n',
                           [&](const error_code& error, std::size_t bytes) {
                             done = true;
                             answer = error ? "the program has ended" : read_.substr(0, bytes - 1);
                             if (!error) read_.erase(0, bytes);
                           });
    executor_.RunUntil([&] { return done; }, deadline + Scaled(kSlack));
    return answer;
  }

 private:
  std::string File(const char* name, const std::string& text) const {
    const std::string path = (folder_ / name).string();
    std::ofstream(path) << text;
    return path;
  }

  const std::filesystem::path folder_;
  RealClock clock_;
  journal::NullSink journal_;
  harness::AsioExecutor executor_{clock_};
  tcp::acceptor acceptor_;
  tcp::socket socket_;
  std::string read_;
  std::unique_ptr<harness::ChildProcess> process_;
};

}  // namespace

std::unique_ptr<Client> MakeProgramClient(const std::vector<std::string>& command,
                                          const Target& target) {
  return std::make_unique<ProgramClient>(command, target);
}

std::string Incompressible(std::size_t bytes) {
  Rng rng(5);
  std::string data(bytes, '\0');
  for (char& byte : data) byte = static_cast<char>(rng.Next());
  return data;
}

}  // namespace squall::seen
