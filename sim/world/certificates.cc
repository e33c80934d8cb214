#include "sim/world/certificates.h"

#include "sim/kernel/virtual_clock.h"

namespace squall::sim {

const wire::CertificateSet& TheCertificates() {
  // Never destroyed, as the threads that may look at it do not end.
  static const wire::CertificateSet* const set = [] {
    Rng rng = Rng(1).Split("certificates");
    return new wire::CertificateSet(wire::MintCatalogue(WallTime(Duration(kWallStart)), rng));
  }();
  return *set;
}

}  // namespace squall::sim
