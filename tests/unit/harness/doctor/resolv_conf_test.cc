#include "harness/doctor/resolv_conf.h"

#include <gmock/gmock.h>

namespace squall::doctor {
namespace {

using ::testing::ElementsAre;

constexpr std::string_view kPod =
    "# of a pod\nsearch shop.svc.cluster.local svc.cluster.local  cluster.local\n"
    "nameserver 10.96.0.10\nnameserver fd00::10\noptions edns0 ndots:5\n";

TEST(ResolvConfTest, AFileIsRead) {
  const ResolvConf conf = ParseResolvConf(kPod, "", "");
  EXPECT_THAT(conf.servers, ElementsAre("10.96.0.10", "fd00::10"));
  EXPECT_THAT(conf.search,
              ElementsAre("shop.svc.cluster.local", "svc.cluster.local", "cluster.local"));
  EXPECT_EQ(conf.ndots, 5);
  EXPECT_EQ(ParseResolvConf("", "", "").ndots, 1);
  // The last of search and domain rules; the variables rule over the file.
  EXPECT_THAT(ParseResolvConf("search a b\ndomain c\n", "", "").search, ElementsAre("c"));
  EXPECT_THAT(ParseResolvConf(kPod, "x.org y.org", "ndots:2").search,
              ElementsAre("x.org", "y.org"));
  EXPECT_EQ(ParseResolvConf(kPod, "", "timeout:1 ndots:2").ndots, 2);
  EXPECT_EQ(ParseResolvConf("options ndots:99\n", "", "").ndots, 15);
  EXPECT_THAT(ParseResolvConf("search .\n", "", "").search, ElementsAre());
}

TEST(ResolvConfTest, NamesAreTriedInTheResolversOrder) {
  const ResolvConf conf = ParseResolvConf("search a.local b.local\noptions ndots:2\n", "", "");
  EXPECT_THAT(NamesTried("temporal", conf),
              ElementsAre("temporal.a.local", "temporal.b.local", "temporal"));
  EXPECT_THAT(NamesTried("temporal.shop", conf),
              ElementsAre("temporal.shop.a.local", "temporal.shop.b.local", "temporal.shop"));
  EXPECT_THAT(NamesTried("t.shop.org", conf),
              ElementsAre("t.shop.org", "t.shop.org.a.local", "t.shop.org.b.local"));
  EXPECT_THAT(NamesTried("temporal.", conf), ElementsAre("temporal"));
  EXPECT_THAT(NamesTried("temporal", ResolvConf{}), ElementsAre("temporal"));
}

}  // namespace
}  // namespace squall::doctor
