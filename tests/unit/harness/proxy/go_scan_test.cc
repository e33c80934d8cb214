// Where a JSON value ends, and Go's words for what is none (Go 1.26, encoding/json).
#include "harness/proxy/go_scan.h"

#include <gmock/gmock.h>

#include <string>

#include "tests/support/status_matchers.h"

namespace squall::harness {
namespace {

std::string Scanned(std::string_view text) {
  const auto length = ScanFirstValue(text);
  return length.ok() ? std::string(text.substr(0, *length)) : std::string(Message(length.status()));
}

TEST(GoScan, AValueEndsWhereItEnds) {
  for (const auto& [text, value] :
       {std::pair{"{} trailing", "{}"},
        std::pair{"[1,[2,{}],{\"a\":[]}]x", "[1,[2,{}],{\"a\":[]}]"},
        std::pair{"\"a\\\"b\" c", "\"a\\\"b\""}, std::pair{"7x", "7"}, std::pair{"01", "0"},
        std::pair{"-1.5e+3,", "-1.5e+3"}, std::pair{"nullify", "null"},
        std::pair{"{ \"a\" :\t1 ,\n\"b\": \"\\u00e4\\n\" }",
                  "{ \"a\" :\t1 ,\n\"b\": \"\\u00e4\\n\" }"}}) {
    EXPECT_EQ(Scanned(text), value);
  }
}

TEST(GoScan, SaysInGosWordsWhatIsWrong) {
  for (const auto& [text, error] :
       {std::pair{"{", "unexpected EOF"},
        std::pair{"\"a", "unexpected EOF"},
        std::pair{"tru", "unexpected EOF"},
        std::pair{"1e", "unexpected EOF"},
        std::pair{"{,}", "invalid character ',' looking for beginning of object key string"},
        std::pair{"{\"a\":1,}", "invalid character '}' looking for beginning of object key string"},
        std::pair{"{\"a\"}", "invalid character '}' after object key"},
        std::pair{"{\"a\":1 \"b\"", "invalid character '\"' after object key:value pair"},
        std::pair{"[1 2]", "invalid character '2' after array element"},
        std::pair{"[1,]", "invalid character ']' looking for beginning of value"},
        std::pair{"trux", "invalid character 'x' in literal true (expecting 'e')"},
        std::pair{"-a", "invalid character 'a' in numeric literal"},
        std::pair{"1.x", "invalid character 'x' after decimal point in numeric literal"},
        std::pair{"1e+x", "invalid character 'x' in exponent of numeric literal"},
        std::pair{"\"\n\"", "invalid character '\\n' in string literal"},
        std::pair{"\"\\x\"", "invalid character 'x' in string escape code"},
        std::pair{"\"\\u12g4\"", "invalid character 'g' in \\u hexadecimal character escape"},
        std::pair{"'a'", "invalid character '\\'' looking for beginning of value"},
        std::pair{"\x01", "invalid character '\\x01' looking for beginning of value"},
        std::pair{"\xc3\xa4", "invalid character '\xc3\x83' looking for beginning of value"}}) {
    EXPECT_EQ(Scanned(text), error);
  }
  EXPECT_EQ(Scanned(std::string(10001, '[')), "invalid character '[' exceeded max depth");
}

}  // namespace
}  // namespace squall::harness
