// Bodies as Go's decoder takes them, and numbers as its encoder writes them (Go 1.26,
// encoding/json): what is here was asked of it.
#include "harness/proxy/go_json.h"

#include <gmock/gmock.h>

#include <string>
#include <utility>

#include "tests/support/status_matchers.h"

namespace squall::harness {
namespace {

using Json = nlohmann::ordered_json;
using Kind = GoField::Kind;

// type Outer struct { Name string; Count int; Share float32; On bool; Inner struct{ Depth int64 };
// Base }, in which Base is embedded and has the field Host; and what Go does not have.
const GoField& Outer() {
  static const auto* const kOuter =
      new GoField{"",
                  Kind::kStruct,
                  "pkg.Outer",
                  {{"name", Kind::kText, "string"},
                   {"count", Kind::kInteger, "int"},
                   {"share", Kind::kFloat, "float32"},
                   {"on", Kind::kBool, "bool"},
                   {"host", Kind::kText, "string", {}, "Base"},
                   {"inner", Kind::kStruct, "pkg.Inner", {{"depth", Kind::kInteger, "int64"}}},
                   {"list", Kind::kList, "[]int", {{"", Kind::kInteger, "int"}}},
                   {"raw", Kind::kRaw, ""},
                   {"closed",
                    Kind::kStruct,
                    "pkg.Closed",
                    {{"a", Kind::kBool, "bool"}, {"b", Kind::kBool, "bool"}},
                    "",
                    true},
                   {"empty", Kind::kStruct, "pkg.Empty", {}, "", true}}};
  return *kOuter;
}

std::string Decoded(std::string_view text, const GoField& what = Outer(), Json into = {}) {
  const Status status = DecodeBody(text, what, &into);
  return status.ok() ? into.dump() : std::string(Message(status));
}

TEST(GoJson, TakesWhatGoTakes) {
  for (const auto& [text, value] : {
           std::pair{R"( {"name":"a","count":-7,"on":true} rest)",
                     R"({"name":"a","count":-7,"on":true})"},
           std::pair{R"({"NAME":"\u00e4\"","Inner":{"DEPTH":9223372036854775807}})",
                     "{\"name\":\"\u00e4\\\"\",\"inner\":{\"depth\":9223372036854775807}}"},
           std::pair{R"({"unheard":[{"name":1}],"count":1,"count":2})", R"({"count":2})"},
           std::pair{R"({"share":1e-60})", R"({"share":1e-60})"},
           std::pair{R"({"share":1e2})", R"({"share":100.0})"},
           std::pair{R"({"list":[ 1 , 2 ],"host":"h"})", R"({"list":[1,2],"host":"h"})"},
           std::pair{R"({"raw":{"a" : [1e2]},"list":[]})",
                     R"({"raw":"{\"a\" : [1e2]}","list":[]})"},
       }) {
    EXPECT_EQ(Decoded(text), value);
  }
}

TEST(GoJson, NullLeavesAValueAsItIs) {
  const Json before = {{"name", "a"}, {"inner", {{"depth", 3}}}};
  EXPECT_EQ(Decoded("null", Outer(), before), before.dump());
  EXPECT_EQ(Decoded(R"({"name":null,"inner":null})", Outer(), before), before.dump());
  EXPECT_EQ(Decoded(R"({"inner":{"depth":null}})", Outer(), before), before.dump());
}

TEST(GoJson, TellsTheFirstMistakeInGosWords) {
  const auto mismatch = [](const char* what) {
    return std::string("json: cannot unmarshal ") + what;
  };
  for (const auto& [text, error] : {
           std::pair{"[1]", "array into Go value of type pkg.Outer"},
           std::pair{"7", "number into Go value of type pkg.Outer"},
           std::pair{R"({"name":1.50})", "number into Go struct field Outer.name of type string"},
           std::pair{R"({"count":1.50})",
                     "number 1.50 into Go struct field Outer.count of type int"},
           std::pair{R"({"count":1e2})", "number 1e2 into Go struct field Outer.count of type int"},
           std::pair{R"({"count":99999999999999999999})",
                     "number 99999999999999999999 into Go struct field Outer.count of type int"},
           std::pair{R"({"share":-1e39})",
                     "number -1e39 into Go struct field Outer.share of type float32"},
           std::pair{R"({"share":1e999})",
                     "number 1e999 into Go struct field Outer.share of type float32"},
           std::pair{R"({"on":"yes","name":1})",
                     "string into Go struct field Outer.on of type bool"},
           std::pair{R"({"name":true,"on":"yes"})",
                     "bool into Go struct field Outer.name of type string"},
           std::pair{R"({"host":{}})",
                     "object into Go struct field Outer.Base.host of type string"},
           std::pair{R"({"name":"a","inner":[]})",
                     "array into Go struct field Outer.inner of type pkg.Inner"},
           std::pair{R"({"inner":{"depth":"1"}})",
                     "string into Go struct field Inner.inner.depth of type int64"},
           std::pair{R"({"inner":{"depth":1},"on":0})",
                     "number into Go struct field Outer.on of type bool"},
           std::pair{R"({"list":[1,"2"]})", "string into Go struct field Outer.list of type int"},
       }) {
    EXPECT_EQ(Decoded(text), mismatch(error)) << text;
  }
  // An anonymous struct has no name, and what a list holds no place.
  const GoField list{"",
                     Kind::kList,
                     "[]struct { N int }",
                     {{"", Kind::kStruct, "struct { N int }", {{"N", Kind::kInteger, "int"}}}}};
  EXPECT_EQ(Decoded(R"([{"n":1},7])", list),
            mismatch("number into Go value of type struct { N int }"));
  EXPECT_EQ(Decoded(R"([{"n":1},{"n":""}])", list),
            mismatch("string into Go struct field .N of type int"));
  EXPECT_EQ(Decoded("{}", list), mismatch("object into Go value of type []struct { N int }"));
}

TEST(GoJson, TellsWhatIsNoJson) {
  EXPECT_EQ(Decoded(""), "EOF");
  EXPECT_EQ(Decoded(" \n"), "EOF");
  EXPECT_EQ(Decoded("\v{}"), "invalid character '\\v' looking for beginning of value");
  EXPECT_EQ(Decoded(R"({"name":1)"), "unexpected EOF") << "before anything is read";
}

TEST(GoJson, AClosedStructTellsWhatItHas) {
  EXPECT_EQ(Decoded(R"({"closed":{"A":true,"c":1}})"), "Closed has no attribute 'c': it has a, b");
  EXPECT_EQ(Decoded(R"({"empty":{"c":1}})"), "Empty has no attributes, and 'c' was given");
}

TEST(GoJson, NumbersAreWrittenAsGoWritesThem) {
  for (const auto& [value, text] :
       {std::pair{0.00001, "0.00001"}, std::pair{1e-7, "1e-7"}, std::pair{1e-12, "1e-12"},
        std::pair{100000.0, "100000"}, std::pair{65536.5, "65536.5"}, std::pair{1e21, "1e+21"},
        std::pair{0.1, "0.1"}, std::pair{-7.5, "-7.5"}, std::pair{0.0, "0"}, std::pair{1.0, "1"}}) {
    EXPECT_EQ(Compact(value), text);
  }
}

}  // namespace
}  // namespace squall::harness
