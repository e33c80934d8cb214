// Which proxy each SDK would go through: the same variables, read in three ways.

#include "harness/doctor/http_proxy.h"

#include <gmock/gmock.h>

namespace squall::doctor {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using Set = std::map<std::string, std::string>;
const harness::HostPort kCloud{"orders.a1b2c.tmprl.cloud", 7233};

ProxyChoice Choose(std::string_view sdk, const Set& set, const harness::HostPort& target = kCloud) {
  return ChooseProxy({.variables = set, .given = "", .credentials = ""},
                     sdk.empty() ? Sdk{} : *ParseSdk(sdk), target);
}
// "host:port by VARIABLE", or "".
std::string Through(std::string_view sdk, const Set& set,
                    const harness::HostPort& target = kCloud) {
  const ProxyChoice choice = Choose(sdk, set, target);
  return choice.proxy
             ? fmt::format("{} by {}", choice.proxy->where.ToString(), choice.proxy->source)
             : "";
}

TEST(HttpProxyTest, GoReadsHttpsProxyInBothSpellings) {
  EXPECT_EQ(Through("go", {{"HTTPS_PROXY", "http://proxy.example:3128"}}),
            "proxy.example:3128 by HTTPS_PROXY");
  EXPECT_EQ(Through("go", {{"https_proxy", "proxy.example:3128"}}),
            "proxy.example:3128 by https_proxy");
  EXPECT_EQ(Through("go", {{"HTTPS_PROXY", ""}, {"https_proxy", "http://b:1"}}),
            "b:1 by https_proxy");
  EXPECT_EQ(Through("go", {{"HTTP_PROXY", "http://a:1"}, {"grpc_proxy", "http://b:1"}}), "");
  // grpc-go's resolver takes 443 where none is given, and never speaks TLS to a proxy.
  EXPECT_EQ(Through("go", {{"HTTPS_PROXY", "http://proxy.example"}}),
            "proxy.example:443 by HTTPS_PROXY");
  EXPECT_THAT(Choose("go", {{"HTTPS_PROXY", "https://proxy.example:1"}}).notes,
              ElementsAre(HasSubstr("plain HTTP")));
  EXPECT_THAT(Choose("go", {{"HTTPS_PROXY", "http://a b:1"}}).problem, HasSubstr("no URL"));
}

TEST(HttpProxyTest, GoLeavesOutLoopbackAndWhatNoProxySays) {
  const std::string proxy = "http://proxy.example:3128";
  EXPECT_EQ(Through("go", {{"HTTPS_PROXY", proxy}}, {"localhost", 7233}), "");
  EXPECT_EQ(Through("go", {{"HTTPS_PROXY", proxy}}, {"127.0.0.2", 7233}), "");
  EXPECT_EQ(Through("go", {{"HTTPS_PROXY", proxy}}, {"::1", 7233}), "");
  for (const char* entry : {"*", "tmprl.cloud", ".tmprl.cloud", "*.tmprl.cloud", " TMPRL.cloud ",
                            "x.org,orders.a1b2c.tmprl.cloud", "tmprl.cloud:7233"}) {
    EXPECT_EQ(Through("go", {{"HTTPS_PROXY", proxy}, {"NO_PROXY", entry}}), "") << entry;
  }
  for (const char* entry : {"", "cloud.example", "tmprl.cloud:443", ".orders.a1b2c.tmprl.cloud",
                            "mprl.cloud", "10.0.0.0/8"}) {
    EXPECT_NE(Through("go", {{"HTTPS_PROXY", proxy}, {"NO_PROXY", entry}}), "") << entry;
  }
  const harness::HostPort address{"10.1.2.3", 7233};
  for (const char* entry : {"10.0.0.0/8", "10.1.2.3", "10.1.2.3:7233"})
    EXPECT_EQ(Through("go", {{"HTTPS_PROXY", proxy}, {"NO_PROXY", entry}}, address), "") << entry;
  for (const char* entry : {"10.2.0.0/16", "10.1.2.3:443", "2.3", "10.0.0.0/99"})
    EXPECT_NE(Through("go", {{"HTTPS_PROXY", proxy}, {"NO_PROXY", entry}}, address), "") << entry;
  EXPECT_EQ(Through("go", {{"HTTPS_PROXY", proxy}, {"NO_PROXY", "fd00::/8"}}, {"fd12::1", 1}), "");
  EXPECT_THAT(Choose("go", {{"HTTPS_PROXY", proxy}, {"NO_PROXY", "tmprl.cloud"}}).notes,
              ElementsAre(HasSubstr("NO_PROXY leaves it out by 'tmprl.cloud'")));
}

TEST(HttpProxyTest, GrpcJsHasNamesAndRulesOfItsOwn) {
  EXPECT_EQ(Through("grpc-js", {{"grpc_proxy", "http://a:1"}, {"https_proxy", "http://b:2"}}),
            "a:1 by grpc_proxy");
  EXPECT_EQ(Through("grpc-js", {{"http_proxy", "http://c"}}), "c:80 by http_proxy");
  // Small letters only; anything but an http:// URL is passed over.
  EXPECT_EQ(Through("grpc-js", {{"HTTPS_PROXY", "http://b:2"}}), "");
  EXPECT_EQ(Through("grpc-js", {{"https_proxy", "https://b:2"}}), "");
  EXPECT_EQ(Through("grpc-js", {{"https_proxy", "b:2"}}), "");
  EXPECT_THAT(Choose("grpc-js", {{"https_proxy", "b:2"}}).notes,
              ElementsAre(HasSubstr("connects directly")));
  // No exception for loopback; entries are ends of the name, with their blanks.
  EXPECT_EQ(Through("grpc-js", {{"https_proxy", "http://b:2"}}, {"127.0.0.1", 1}),
            "b:2 by https_proxy");
  EXPECT_EQ(Through("grpc-js", {{"https_proxy", "http://b:2"}, {"no_proxy", "mprl.cloud"}}), "");
  EXPECT_EQ(Through("grpc-js", {{"https_proxy", "http://b:2"}, {"no_proxy", "x.org,"}}), "");
  EXPECT_NE(Through("grpc-js", {{"https_proxy", "http://b:2"}, {"no_proxy", "x.org, tmprl.cloud"}}),
            "");
  EXPECT_EQ(Through("grpc-js",
                    {{"https_proxy", "http://b:2"}, {"no_grpc_proxy", "cloud"}, {"no_proxy", "x"}}),
            "");
  EXPECT_EQ(Through("grpc-js", {{"https_proxy", "http://b:2"}, {"no_proxy", "10.0.0.0/8"}},
                    {"10.1.2.3", 1}),
            "");
}

TEST(HttpProxyTest, CoreIsGivenOneAndReadsNone) {
  for (const char* sdk : {"core", "python/1.35.0", "typescript", "dotnet", "ruby"}) {
    const ProxyChoice choice = Choose(sdk, {{"HTTPS_PROXY", "http://a:1"}});
    EXPECT_FALSE(choice.proxy) << sdk;
    EXPECT_THAT(choice.notes, ElementsAre(HasSubstr("core reads no proxy")));
  }
  const ProxyChoice given = ChooseProxy(
      {.variables = {{"HTTPS_PROXY", "http://a:1"}}, .given = "b:2", .credentials = "u:p"},
      *ParseSdk("core"), kCloud);
  ASSERT_TRUE(given.proxy);
  EXPECT_EQ(given.proxy->where.ToString(), "b:2");
  EXPECT_EQ(given.proxy->credentials, "u:p");
  EXPECT_THAT(given.notes, IsEmpty());
  EXPECT_THAT(ChooseProxy({.variables = {}, .given = "b", .credentials = ""}, {}, kCloud).problem,
              HasSubstr("no HOST:PORT"));
}

TEST(HttpProxyTest, WithoutAnSdkItSaysWhoWouldGoThrough) {
  EXPECT_THAT(Choose("", {{"HTTPS_PROXY", "http://a:1"}}).notes,
              ElementsAre(HasSubstr("Go's SDK goes through that proxy")));
  EXPECT_THAT(Choose("", {{"https_proxy", "http://a:1"}}).notes,
              ElementsAre(HasSubstr("go through")));
  EXPECT_THAT(Choose("", {{"HTTP_PROXY", "http://a:1"}}).notes, IsEmpty());
  EXPECT_THAT(Choose("", {}).notes, IsEmpty());
}

TEST(HttpProxyTest, CredentialsAreThoseOfTheUrl) {
  EXPECT_EQ(Choose("go", {{"HTTPS_PROXY", "http://us%40er:p%2fw@a:1/"}}).proxy->credentials,
            "us@er:p/w");
  EXPECT_EQ(Choose("grpc-js", {{"https_proxy", "http://u:p@a:1"}}).proxy->credentials, "u:p");
}

}  // namespace
}  // namespace squall::doctor
