// Paths as the original's router takes them (gorilla/mux 1.8.1, Go 1.26).
#include "harness/proxy/go_path.h"

#include <gtest/gtest.h>

#include <utility>

namespace squall::harness {
namespace {

TEST(GoPath, IsDecodedBeforeItIsSplit) {
  for (const auto& [encoded, path] :
       {std::pair{"/proxies/a%20b", "/proxies/a b"}, std::pair{"/a%2Fb%2f", "/a/b/"},
        std::pair{"/%3C%26%3e+", "/<&>+"}, std::pair{"/100%25", "/100%"}}) {
    EXPECT_EQ(DecodePath(encoded), path);
  }
  for (const char* broken : {"/%", "/%4", "/%zz", "/%4z", "/%-1"})
    EXPECT_EQ(DecodePath(broken), std::nullopt) << broken;
}

TEST(GoPath, IsCleaned) {
  for (const auto& [path, clean] :
       {std::pair{"/", "/"}, std::pair{"", "/"}, std::pair{"/proxies", "/proxies"},
        std::pair{"/proxies/", "/proxies/"}, std::pair{"//proxies", "/proxies"},
        std::pair{"/proxies//toxics", "/proxies/toxics"}, std::pair{"/a/./b/../c", "/a/c"},
        std::pair{"/../a", "/a"}, std::pair{"/a/..", "/"}, std::pair{"//", "/"},
        std::pair{"/a//", "/a/"}, std::pair{"a", "/a"}}) {
    EXPECT_EQ(CleanPath(path), clean) << path;
  }
}

TEST(GoPath, IsEncodedAsGoWritesIt) {
  EXPECT_EQ(EncodePath("/a b/<&>/(1)%\xc3\xa4~;:@"), "/a%20b/%3C&%3E/%281%29%25%C3%A4~;:@");
}

}  // namespace
}  // namespace squall::harness
