#pragma once
// TLS gone wrong, as one table: what a listener does in each mode, and what its peers see.
//
// A mode says how a listener that clients mean to reach speaks TLS; whoever owns the sockets (a
// proxy, the simulator) takes it from ListenerIn.

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/util/clock.h"
#include "base/util/rng.h"
#include "base/util/status.h"
#include "base/wire/certificates.h"
#include "base/wire/tls.h"

namespace squall::wire {

enum class TlsFault {
  kWrongCa,
  kExpired,
  kNotYetValid,
  kWrongName,
  kIpWithoutSan,
  kSelfSigned,
  kWeakKey,
  kKeyMismatch,
  kChainIncomplete,
  kRootRotated,
  kLeafRotated,
  kOldVersion,
  kTls12Only,
  kNoAlpn,
  kAlpnHttp1,
  kClientCertMissing,
  kClientCertForeign,
  kClientCertExpired,
  kClientCertNoUsage,
  kSniWrongDefault,
  kSniRefused,
  kPlaintext,
  kTls,
  kHandshakeHangs,
  kNoCloseNotify,
};

struct TlsMode {
  TlsFault fault;
  std::string_view name;  // in scenarios and in the journal: "wrong_ca"
  std::string_view doc;   // what the listener does
  std::string_view seen;  // what a client sees that is right in all else
  bool harmless = false;  // clients are to go on as if nothing were
};

// In the order of TlsFault.
std::span<const TlsMode> TlsModes();
// Null for an unknown name.
const TlsMode* FindTlsMode(std::string_view name);

// How a listener speaks.
struct TlsListener {
  std::optional<TlsServerOptions> tls;  // none: plaintext
  Duration calendar_ahead{};            // certificates are judged so much later than it is
  bool hangs = false;                   // reads, and says nothing
  // Ends each connection with FIN and no close_notify once the client has said something in it.
  bool truncates = false;
};

// A listener in that mode. `right` is how it speaks otherwise (none: plaintext; its identity is
// then the set's); `set` holds the authority that clients trust, from MintCatalogue; `now` and
// `rng` are for what is minted.
TlsListener ListenerIn(TlsFault fault, const std::optional<TlsServerOptions>& right,
                       const CertificateSet& set, WallTime now, Rng& rng);

}  // namespace squall::wire
