#pragma once
// A suite whose program has names and a network of its own, where the machine allows it.

#include "harness/process/private_names.h"
#include "tests/support/harness_loop.h"
#include "tests/support/status_matchers.h"

namespace squall::harness {

// `Fixture` opens its sockets afterwards: the namespaces are entered before the first test and
// never left. Without the rights for it the tests that need it say so and are left out.
template <typename Fixture>
class InPrivateNames : public Fixture {
 protected:
  static void SetUpTestSuite() {
    static ::squall::testing::TemporaryFolder folder;
    if (WhyNoPrivateNames()) return;
    EXPECT_OK(EnterPrivateNames(folder.path()));
  }
};

}  // namespace squall::harness
