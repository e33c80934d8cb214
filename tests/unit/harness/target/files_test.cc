#include <sys/stat.h>

#include <fstream>
#include <sstream>

#include "tests/unit/harness/target/target_fixture.h"

namespace squall::harness {
namespace {

using ::squall::testing::StatusIs;
using ::testing::_;

class FilesTest : public TargetTest {};

TEST_F(FilesTest, CertificatesAreWrittenByNameAndKeysAreTheOwnersAlone) {
  const auto files = WriteCertificates(Certificates(), folder_.path() + "/certificates");
  ASSERT_OK(files);
  EXPECT_EQ(files->certificate.size(), wire::CertificateSet::Names().size());
  for (const std::string& name : wire::CertificateSet::Names()) {
    std::ifstream in(files->certificate.at(name));
    std::ostringstream text;
    text << in.rdbuf();
    EXPECT_EQ(text.str(), Certificates().Find(name)->certificate_chain_pem) << name;
    struct stat status {};
    ASSERT_EQ(::stat(files->key.at(name).c_str(), &status), 0) << name;
    EXPECT_EQ(status.st_mode & 0777, 0600u) << name;
  }
  EXPECT_NE(files->wrong_ca_pem, files->certificate.at("wrong_ca"));
  EXPECT_OK(WriteCertificates(Certificates(), files->directory)) << "again, into the same folder";
  EXPECT_THAT(WriteCertificates(Certificates(), "/proc/nowhere"),
              StatusIs(StatusCode::kUnavailable, _));
}

}  // namespace
}  // namespace squall::harness
