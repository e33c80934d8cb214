#include "sim/world/certificates.h"

#include "base/wire/tls.h"
#include "sim/kernel/virtual_clock.h"

namespace squall::sim {
namespace {

constexpr WallTime kBegin = WallTime(Duration(kWallStart));

// OpenSSL looks its algorithms up when they are first used: here those of a handshake are, once for
// all runs that are forked.
void ShakeHands(const wire::CertificateSet& certificates) {
  const auto server = wire::TlsContext::Server({.identity = certificates.server});
  const auto client =
      wire::TlsContext::Client({.ca_pem = certificates.ca_pem, .server_name = "localhost"});
  if (!server.ok() || !client.ok()) return;
  wire::TlsSession near(*client, kBegin), far(*server, kBegin);
  for (int i = 0; i < 3; ++i) {
    far.FeedCiphertext(near.TakeCiphertext());
    near.FeedCiphertext(far.TakeCiphertext());
  }
}

}  // namespace

const wire::CertificateSet& TheCertificates() {
  // Never destroyed, as the threads that may look at it do not end.
  static const wire::CertificateSet* const set = [] {
    Rng rng = Rng(1).Split("certificates");
    const auto* minted = new wire::CertificateSet(wire::MintCatalogue(kBegin, rng));
    ShakeHands(*minted);
    return minted;
  }();
  return *set;
}

}  // namespace squall::sim
