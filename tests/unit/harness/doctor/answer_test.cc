#include "harness/doctor/answer.h"

#include <gmock/gmock.h>

namespace squall::doctor {
namespace {

TEST(AnswerTest, TellsWhatSpeaks) {
  using std::string_view_literals::operator""sv;
  EXPECT_EQ(ReadAnswer("").speech, Speech::kNothing);
  EXPECT_EQ(ReadAnswer("\0\0\6\4\0\0\0\0\0xxxxxx"sv).speech, Speech::kHttp2);
  EXPECT_EQ(ReadAnswer("\x15\x03\x03\x00\x02\x02\x46"sv).speech, Speech::kTls);
  const Answer http =
      ReadAnswer("HTTP/1.1 502 Bad Gateway\r\nServer: nginx\r\n\r\n<html><TITLE> Bad </TITLE>");
  EXPECT_EQ(http.speech, Speech::kHttp1);
  EXPECT_EQ(http.status, 502);
  EXPECT_EQ(http.server, "nginx");
  EXPECT_EQ(http.title, "Bad");
  EXPECT_EQ(http.excerpt, "HTTP/1.1 502 Bad Gateway");
  EXPECT_EQ(ReadAnswer("SSH-2.0-x\r\n").name, "SSH");
  EXPECT_EQ(ReadAnswer("\x4a\0\0\0\x0a"
                       "8.0.36"sv)
                .name,
            "MySQL");
  EXPECT_EQ(ReadAnswer("\x1b[31mhello").speech, Speech::kUnknown);
  EXPECT_EQ(ReadAnswer("\x1b[31mhello").excerpt.find('\x1b'), std::string::npos);
}

TEST(AnswerTest, TemporalsWebIsKnown) {
  EXPECT_TRUE(SpeaksOfTemporal(
      "HTTP/1.1 200 OK\r\n\r\n{\"serverVersion\":\"1.32.0\",\"capabilities\":{}}"));
  EXPECT_TRUE(SpeaksOfTemporal("HTTP/1.1 200 OK\r\n\r\n<!doctype html><title>Temporal</title>"));
  EXPECT_FALSE(SpeaksOfTemporal("HTTP/1.1 307 Temporary Redirect\r\nLocation: /login\r\n\r\n"));
}

}  // namespace
}  // namespace squall::doctor
