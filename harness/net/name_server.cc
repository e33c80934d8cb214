#include "harness/net/name_server.h"

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>
#include <cctype>
#include <map>
#include <optional>
#include <utility>

#include "base/util/text.h"

namespace squall::harness {
namespace {

namespace asio = boost::asio;
using asio::ip::udp;

// RFC 1035, sections 3.2 and 4.1.
constexpr std::size_t kHeaderBytes = 12, kLabelBytesMax = 63;
constexpr std::uint16_t kTypeA = 1, kClassIn = 1;
constexpr std::uint16_t kResponse = 0x8000, kOpcode = 0x7800, kAuthoritative = 0x0400,
                        kRecursionDesired = 0x0100, kRecursionAvailable = 0x0080;
constexpr std::uint8_t kNoError = 0, kNoSuchName = 3;

std::uint16_t Number(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint16_t>(static_cast<std::uint8_t>(bytes[at]) << 8 |
                                    static_cast<std::uint8_t>(bytes[at + 1]));
}
void Put(std::string* out, std::uint16_t number) {
  *out += static_cast<char>(number >> 8);
  *out += static_cast<char>(number & 0xff);
}

struct Question {
  std::uint16_t id = 0, flags = 0, type = 0;
  std::string name;   // small letters, no last dot
  std::string bytes;  // as it was asked: it is repeated in the answer
};

// Nothing for what is not one question; compressed names do not occur in questions.
std::optional<Question> ReadQuestion(std::string_view query) {
  if (query.size() < kHeaderBytes) return std::nullopt;
  Question question;
  question.id = Number(query, 0);
  question.flags = Number(query, 2);
  if ((question.flags & (kResponse | kOpcode)) != 0 || Number(query, 4) != 1) return std::nullopt;
  std::size_t at = kHeaderBytes;
  for (;;) {
    if (at >= query.size()) return std::nullopt;
    const std::size_t length = static_cast<std::uint8_t>(query[at++]);
    if (length == 0) break;
    if (length > kLabelBytesMax || query.size() - at < length) return std::nullopt;
    if (!question.name.empty()) question.name += '.';
    question.name += LowerCase(query.substr(at, length));
    at += length;
  }
  if (query.size() - at < 4) return std::nullopt;
  question.type = Number(query, at);
  question.bytes = query.substr(kHeaderBytes, at + 4 - kHeaderBytes);
  return question;
}

std::string Answer(const Question& question, std::uint8_t code,
                   const std::vector<asio::ip::address_v4>& addresses) {
  const std::size_t count = question.type == kTypeA ? addresses.size() : 0;
  std::string out;
  Put(&out, question.id);
  Put(&out, static_cast<std::uint16_t>(kResponse | kAuthoritative | kRecursionAvailable |
                                       (question.flags & kRecursionDesired) | code));
  Put(&out, 1);
  Put(&out, static_cast<std::uint16_t>(count));
  Put(&out, 0);
  Put(&out, 0);
  out += question.bytes;
  for (std::size_t i = 0; i < count; ++i) {
    constexpr std::uint16_t kNameOfTheQuestion = 0xc000 | kHeaderBytes;
    Put(&out, kNameOfTheQuestion);
    Put(&out, kTypeA);
    Put(&out, kClassIn);
    Put(&out, 0);  // the time to live, in two halves
    Put(&out, 0);
    Put(&out, 4);
    for (const unsigned char byte : addresses[i].to_bytes()) out += static_cast<char>(byte);
  }
  return out;
}

StatusOr<asio::ip::address_v4> ReadAddress(std::string_view text) {
  boost::system::error_code bad;
  const asio::ip::address_v4 address = asio::ip::make_address_v4(std::string(text), bad);
  if (bad) return MakeStatus(StatusCode::kInvalidArgument, "'{}' is no IPv4 address", text);
  return address;
}

}  // namespace

struct NameServer::Impl : std::enable_shared_from_this<NameServer::Impl> {
  explicit Impl(AsioExecutor& executor) : socket(executor.io()) {}

  void Receive() {
    socket.async_receive_from(
        asio::buffer(buffer), from,
        [self = shared_from_this()](const boost::system::error_code& error, std::size_t size) {
          if (!self->socket.is_open()) return;
          // What a peer that is gone left behind is no reason to stop.
          if (!error) self->Handle({self->buffer.data(), size});
          self->Receive();
        });
  }

  void Handle(std::string_view query) {
    const std::optional<Question> question = ReadQuestion(query);
    if (!question) return;
    const std::optional<std::string> answer = Decide(*question);
    boost::system::error_code ignored;
    if (answer) socket.send_to(asio::buffer(*answer), from, 0, ignored);
  }

  std::optional<std::string> Decide(const Question& question) {
    for (auto fault = faults.rbegin(); fault != faults.rend(); ++fault) {
      if (fault->name != question.name) continue;
      if (auto met = std::exchange(fault->met, nullptr))
        met(fmt::format("{} of {}",
                        question.type == kTypeA ? "A" : fmt::format("type {}", question.type),
                        question.name));
      switch (fault->kind) {
        case NameFault::Kind::kHangs:
          return std::nullopt;
        case NameFault::Kind::kFails:
          return Answer(question, fault->code, {});
        case NameFault::Kind::kAnswers:
          std::vector<asio::ip::address_v4> others;
          for (const std::string& text : fault->addresses) others.push_back(*ReadAddress(text));
          return Answer(question, kNoError, others);
      }
    }
    const auto known = addresses.find(question.name);
    if (known == addresses.end()) return Answer(question, kNoSuchName, {});
    return Answer(question, kNoError, {known->second});
  }

  udp::socket socket;
  udp::endpoint from;
  std::array<char, 4096> buffer{};
  std::map<std::string, asio::ip::address_v4> addresses;
  std::vector<NameFault> faults;
};

StatusOr<std::unique_ptr<NameServer>> NameServer::Create(AsioExecutor& executor,
                                                         const HostPort& listen) {
  SQUALL_ASSIGN_OR_RETURN(const asio::ip::address_v4 address, ReadAddress(listen.host));
  auto impl = std::make_shared<Impl>(executor);
  boost::system::error_code error;
  impl->socket.open(udp::v4(), error);
  if (!error) impl->socket.bind({address, listen.port}, error);
  if (!error) impl->socket.non_blocking(true, error);
  if (error) {
    return MakeStatus(StatusCode::kUnavailable, "a DNS server on {}: {}", listen.ToString(),
                      error.message());
  }
  impl->Receive();
  return std::unique_ptr<NameServer>(new NameServer(std::move(impl)));
}

NameServer::NameServer(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
NameServer::~NameServer() {
  boost::system::error_code ignored;
  impl_->socket.close(ignored);
}

std::uint16_t NameServer::port() const { return impl_->socket.local_endpoint().port(); }

Status NameServer::Add(std::string_view name, std::string_view address) {
  SQUALL_ASSIGN_OR_RETURN(impl_->addresses[LowerCase(name)], ReadAddress(address));
  return absl::OkStatus();
}

Status NameServer::Set(NameFault fault) {
  for (const std::string& text : fault.addresses)
    SQUALL_RETURN_IF_ERROR(ReadAddress(text).status());
  for (const NameFault& other : impl_->faults) {
    if (other.id == fault.id)
      return MakeStatus(StatusCode::kAlreadyExists, "fault {} is active", fault.id);
  }
  fault.name = LowerCase(fault.name);
  impl_->faults.push_back(std::move(fault));
  return absl::OkStatus();
}

void NameServer::Remove(std::string_view fault_id) {
  std::erase_if(impl_->faults, [&](const NameFault& fault) { return fault.id == fault_id; });
}

std::string DnsNameOf(std::string_view link) {
  std::string name;
  for (const unsigned char c : link.substr(0, kLabelBytesMax))
    name += std::isalnum(c) != 0 ? static_cast<char>(std::tolower(c)) : '-';
  // A label begins and ends with a letter or a digit.
  if (name.empty() || name.front() == '-') name.insert(0, "l");
  if (name.back() == '-') name += 'l';
  return name.substr(0, kLabelBytesMax) + ".squall.test";
}

}  // namespace squall::harness
