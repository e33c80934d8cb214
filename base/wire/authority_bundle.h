#pragma once
// A machine's whole bundle of authorities, of which a connection needs one: each certificate is
// taken apart only when a peer's chain names it. To read a hundred and fifty of them costs more
// than all the rest of a handshake. Internal to base/wire.

#include <openssl/x509_vfy.h>

#include <cstddef>
#include <string_view>

#include "base/util/status.h"

namespace squall::wire {

// Bundles of at least so many certificates are worth it.
inline constexpr std::size_t kLargeBundle = 16;
std::size_t CountCertificates(std::string_view pem);

// The store trusts the bundle's certificates from here on. INVALID_ARGUMENT when the text is
// damaged; a certificate that cannot be taken apart when it is wanted is not trusted.
Status TrustBundle(X509_STORE* store, std::string_view pem);

}  // namespace squall::wire
