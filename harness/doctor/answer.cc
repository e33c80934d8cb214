#include "harness/doctor/answer.h"

#include <algorithm>
#include <charconv>

#include "base/util/text.h"

namespace squall::doctor {
namespace {

constexpr std::size_t kExcerpt = 100;

std::string FirstLine(std::string_view bytes) {
  std::string_view line = bytes.substr(0, bytes.find_first_of("\r\n"));
  return EscapeControl(line.substr(0, kExcerpt));
}

// The text between two marks, the first of which is found in any case.
std::string Between(std::string_view text, std::string_view lower, std::string_view begin,
                    std::string_view end) {
  const auto from = lower.find(begin);
  if (from == std::string_view::npos) return {};
  const auto at = from + begin.size();
  const auto to = lower.find(end, at);
  if (to == std::string_view::npos) return {};
  return EscapeControl(Trim(text.substr(at, to - at)).substr(0, kExcerpt));
}

bool IsSettingsFrame(std::string_view bytes) {
  // Length (three bytes), type 4, flags, stream 0.
  return bytes.size() >= 9 && bytes[0] == 0 && bytes[3] == 4 && (bytes[4] == 0 || bytes[4] == 1) &&
         bytes.substr(5, 4) == std::string_view("\0\0\0\0", 4);
}

struct Banner {
  std::string_view begin, name;
};
constexpr Banner kBanners[] = {
    {"SSH-", "SSH"},
    {"-ERR", "Redis"},
    {"-NOAUTH", "Redis"},
    {"-DENIED", "Redis"},
    {"220 ", "SMTP or FTP"},
    {"220-", "SMTP or FTP"},
    {"* OK", "IMAP"},
    {"+OK", "POP3"},
    {"AMQP", "AMQP (RabbitMQ)"},
    {"ERROR\r\n", "Memcached"},
    {"RFB ", "VNC"},
};

}  // namespace

Answer ReadAnswer(std::string_view bytes) {
  Answer answer;
  if (bytes.empty()) return answer;
  answer.excerpt = FirstLine(bytes);
  answer.speech = Speech::kUnknown;
  if (IsSettingsFrame(bytes)) {
    answer.speech = Speech::kHttp2;
    answer.name = "HTTP/2";
    return answer;
  }
  const auto first = static_cast<unsigned char>(bytes[0]);
  if (first >= 20 && first <= 23 && (bytes.size() < 2 || bytes[1] == 3)) {
    answer.speech = Speech::kTls;
    answer.name = "TLS";
    return answer;
  }
  if (bytes.starts_with("HTTP/1.")) {
    answer.speech = Speech::kHttp1;
    answer.name = bytes.substr(0, 8);
    if (bytes.size() >= 12) std::from_chars(bytes.data() + 9, bytes.data() + 12, answer.status);
    const std::string lower = LowerCase(bytes);
    answer.server = Between(bytes, lower, "\r\nserver:", "\r\n");
    answer.title = Between(bytes, lower, "<title>", "</title>");
    return answer;
  }
  for (const Banner& banner : kBanners) {
    if (!bytes.starts_with(banner.begin)) continue;
    answer.speech = Speech::kOther;
    answer.name = banner.name;
    return answer;
  }
  // The handshake of MySQL's protocol 10: length, number 0, then its version.
  if (bytes.size() > 5 && bytes[2] == 0 && bytes[3] == 0 && bytes[4] == 10) {
    answer.speech = Speech::kOther;
    answer.name = "MySQL";
  }
  return answer;
}

bool SpeaksOfTemporal(std::string_view bytes) {
  const std::string lower = LowerCase(bytes);
  if (Contains(lower, "\"serverversion\"") && Contains(lower, "\"capabilities\"")) return true;
  return Contains(lower, "temporal") && (Contains(lower, "<html") || Contains(lower, "<!doctype"));
}

}  // namespace squall::doctor
