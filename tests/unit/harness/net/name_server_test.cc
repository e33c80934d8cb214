// Questions over a real socket, as resolvers ask them.
#include "harness/net/name_server.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>

#include "tests/support/harness_loop.h"
#include "tests/support/status_matchers.h"

namespace squall::harness {
namespace {

using ::squall::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using udp = boost::asio::ip::udp;

constexpr char kA = 1, kAaaa = 28;

class NameServerTest : public ::squall::testing::HarnessLoop {
 protected:
  void SetUp() override {
    auto made = NameServer::Create(executor_, {"127.0.0.1", 0});
    ASSERT_OK(made);
    names_ = *std::move(made);
    ASSERT_OK(names_->Add("wire.squall.test", "127.0.0.1"));
    Receive();
  }
  void Receive() {
    asker_.async_receive(boost::asio::buffer(buffer_),
                         [this](const boost::system::error_code& error, std::size_t size) {
                           if (error) return;
                           answers_.emplace_back(buffer_.data(), size);
                           Receive();
                         });
  }
  void Send(const std::string& bytes) {
    asker_.send_to(boost::asio::buffer(bytes),
                   {boost::asio::ip::address_v4::loopback(), names_->port()});
  }
  static std::string Query(std::string_view name, char type, char id = 'x') {
    std::string out = {id, 'y', 1, 0, 0, 1, 0, 0, 0, 0, 0, 0};
    while (!name.empty()) {
      const std::size_t dot = std::min(name.find('.'), name.size());
      out += static_cast<char>(dot);
      out += name.substr(0, dot);
      name.remove_prefix(std::min(dot + 1, name.size()));
    }
    return out + std::string({0, 0, type, 0, 1});
  }
  // The code of the answer, and the addresses behind it: "0 127.0.0.1".
  std::string Ask(std::string_view name, char type = kA) {
    const std::size_t before = answers_.size();
    const std::string query = Query(name, type);
    Send(query);
    Await([&] { return answers_.size() > before; }, "an answer");
    const std::string& answer = answers_.back();
    EXPECT_EQ(answer.substr(0, 2), "xy");
    EXPECT_EQ(answer.at(2) & 0x85, 0x85) << "an answer, authoritative, as asked";
    EXPECT_EQ(answer.substr(12, query.size() - 12), query.substr(12)) << "the question";
    std::string told = std::to_string(answer.at(3) & 0xf);
    for (std::size_t at = query.size(); at + 16 <= answer.size(); at += 16) {
      EXPECT_EQ(answer.substr(at + 6, 4), std::string(4, '\0')) << "nobody may keep it";
      for (int i = 0; i < 4; ++i)
        told +=
            (i == 0 ? " " : ".") + std::to_string(static_cast<unsigned char>(answer[at + 12 + i]));
    }
    return told;
  }

  std::unique_ptr<NameServer> names_;
  udp::socket asker_{executor_.io(), udp::endpoint(udp::v4(), 0)};
  std::array<char, 4096> buffer_{};
  std::vector<std::string> answers_;
};

TEST_F(NameServerTest, AnswersFromItsTable) {
  EXPECT_EQ(Ask("wire.squall.test"), "0 127.0.0.1");
  EXPECT_EQ(Ask("Wire.SQUALL.test"), "0 127.0.0.1");
  EXPECT_EQ(Ask("wire.squall.test", kAaaa), "0") << "the name exists, and has no such address";
  EXPECT_EQ(Ask("other.squall.test"), "3");
  ASSERT_OK(names_->Add("other.squall.test", "127.0.0.9"));
  EXPECT_EQ(Ask("other.squall.test"), "0 127.0.0.9");
}

TEST_F(NameServerTest, AnswersOtherwiseWhileAFaultIsInForce) {
  std::vector<std::string> met;
  const auto note = [&](std::string question) { met.push_back(std::move(question)); };
  ASSERT_OK(names_->Set({.id = "moved",
                         .name = "wire.squall.test",
                         .kind = NameFault::Kind::kAnswers,
                         .addresses = {"127.0.0.2", "192.0.2.1"},
                         .met = note}));
  EXPECT_EQ(Ask("wire.squall.test"), "0 127.0.0.2 192.0.2.1");
  EXPECT_EQ(Ask("wire.squall.test", kAaaa), "0");
  EXPECT_THAT(met, ElementsAre("A of wire.squall.test")) << "once";
  // The last one rules.
  ASSERT_OK(names_->Set(
      {.id = "gone", .name = "wire.squall.test", .kind = NameFault::Kind::kFails, .code = 5}));
  EXPECT_EQ(Ask("wire.squall.test"), "5");
  EXPECT_EQ(Ask("wire.squall.test", kAaaa), "5");
  names_->Remove("gone");
  names_->Remove("gone");
  EXPECT_EQ(Ask("wire.squall.test"), "0 127.0.0.2 192.0.2.1");
  names_->Remove("moved");
  EXPECT_EQ(Ask("wire.squall.test"), "0 127.0.0.1");
}

TEST_F(NameServerTest, AHangingNameIsNotAnsweredAndTheOthersAre) {
  ASSERT_OK(names_->Add("other.squall.test", "127.0.0.9"));
  ASSERT_OK(names_->Set({.id = "f", .name = "wire.squall.test"}));
  Send(Query("wire.squall.test", kA, 'h'));
  EXPECT_EQ(Ask("other.squall.test"), "0 127.0.0.9");
  EXPECT_EQ(answers_.size(), 1u) << "datagrams are handled in their order";
  names_->Remove("f");
  EXPECT_EQ(Ask("wire.squall.test"), "0 127.0.0.1");
}

TEST_F(NameServerTest, WhatIsNoQuestionIsPassedOver) {
  const std::string good = Query("wire.squall.test", kA);
  for (std::size_t size = 0; size < good.size(); ++size) Send(good.substr(0, size));
  std::string answer = good, two = good, long_label = good;
  answer[2] = static_cast<char>(0x81);
  two[5] = 2;
  long_label[12] = static_cast<char>(0xc0);
  for (const std::string& bad : {answer, two, long_label}) Send(bad);
  EXPECT_EQ(Ask("wire.squall.test"), "0 127.0.0.1");
  EXPECT_EQ(answers_.size(), 1u);
}

TEST_F(NameServerTest, MistakesAreRefused) {
  EXPECT_THAT(names_->Add("x.test", "localhost"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("'localhost' is no IPv4 address")));
  EXPECT_THAT(names_->Set({.id = "f",
                           .name = "x",
                           .kind = NameFault::Kind::kAnswers,
                           .addresses = {"127.0.0.1", "::1"}}),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("'::1'")));
  ASSERT_OK(names_->Set({.id = "f", .name = "x"}));
  EXPECT_THAT(names_->Set({.id = "f", .name = "y"}),
              StatusIs(StatusCode::kAlreadyExists, HasSubstr("f is active")));
  EXPECT_THAT(NameServer::Create(executor_, {"127.0.0.1", names_->port()}),
              StatusIs(StatusCode::kUnavailable, HasSubstr("in use")));
}

TEST(DnsNames, AreMadeOfWhatDnsTakes) {
  EXPECT_EQ(DnsNameOf("wire"), "wire.squall.test");
  EXPECT_EQ(DnsNameOf("C->Temporal_2"), "c--temporal-2.squall.test");
  EXPECT_EQ(DnsNameOf("->"), "l--l.squall.test");
  EXPECT_EQ(DnsNameOf(std::string(100, 'a')), std::string(63, 'a') + ".squall.test");
}

}  // namespace
}  // namespace squall::harness
