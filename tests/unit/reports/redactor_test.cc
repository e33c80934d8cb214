// Secrets in reports: what is hidden, and that the rest stays as it was.

#include "reports/redactor.h"

#include <gtest/gtest.h>

namespace squall::reports {
namespace {

TEST(Redactor, HidesTheValuesItWasTold) {
  const Redactor redactor({"correct-horse-battery", "hunter22", "abc"});
  EXPECT_EQ(redactor.Clean("key correct-horse-battery!"), "key [hidden]!");
  EXPECT_EQ(redactor.Clean("hunter22hunter22"), "[hidden][hidden]");
  // The program of an account printed the first eight characters of its key.
  EXPECT_EQ(redactor.Clean("key correct-..."), "key [hidden]...");
  EXPECT_EQ(redactor.Clean("that is correct, horse"), "that is correct, horse");
  EXPECT_EQ(redactor.Clean("abc is too short to hide"), "abc is too short to hide");
}

TEST(Redactor, HidesWhatLooksLikeACredential) {
  const Redactor redactor;
  EXPECT_EQ(
      redactor.Clean("a\n-----BEGIN EC PRIVATE KEY-----\nMHc=\n-----END EC PRIVATE KEY-----\nb"),
      "a\n[hidden]\nb");
  EXPECT_EQ(redactor.Clean("-----BEGIN PRIVATE KEY-----\ncut off"), "[hidden]");
  EXPECT_EQ(redactor.Clean("token eyJhbGciOiJIUzI1NiJ9.e30.x-_y end"), "token [hidden] end");
  EXPECT_EQ(redactor.Clean("postgres://app:s3cr3t@db/x"), "postgres://app:[hidden]@db/x");
  EXPECT_EQ(redactor.Clean("authorization: Bearer abcdef123456, x"),
            "authorization: Bearer [hidden], x");
  EXPECT_EQ(redactor.Clean("sent Bearer abcdef123456"), "sent Bearer [hidden]");
}

TEST(Redactor, HidesValuesBehindATellingName) {
  const Redactor redactor;
  EXPECT_EQ(redactor.Clean("TEMPORAL_API_KEY=tmprl_12345 go"), "TEMPORAL_API_KEY=[hidden] go");
  EXPECT_EQ(redactor.Clean(R"({"password": "open sesame"})"), R"({"password": "[hidden]"})");
  EXPECT_EQ(redactor.Clean(R"({\"api_key\":\"abcdefgh\"})"), R"({\"api_key\":\"[hidden]\"})");
  EXPECT_EQ(redactor.Clean("--token=0123456789&x=1"), "--token=[hidden]&x=1");
}

TEST(Redactor, LeavesTheRestAlone) {
  const Redactor redactor;
  for (const char* text :
       {"", "the API key is missing: set TEMPORAL_API_KEY", "password required", "tokens: 12",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----", "http://127.0.0.1/a@b",
        "eyJ is short", "secret: none", "secretary=somebody-else",
        "UNAVAILABLE: connection refused"}) {
    EXPECT_EQ(redactor.Clean(text), text);
  }
}

TEST(Redactor, CleansTwiceAsOnce) {
  const Redactor redactor;
  const std::string once = redactor.Clean("api_key=abcdefgh password: longenough");
  EXPECT_EQ(redactor.Clean(once), once);
}

}  // namespace
}  // namespace squall::reports
