#include "base/wire/tls_modes.h"

#include <array>

namespace squall::wire {
namespace {

using enum TlsFault;

constexpr std::array<TlsMode, 25> kModes = {{
    {kWrongCa, "wrong_ca", "Shows a certificate of an authority that clients do not trust.",
     "unknown issuer"},
    {kExpired, "expired", "Shows a certificate that ended yesterday.", "certificate expired"},
    {kNotYetValid, "not_yet_valid", "Shows a certificate that begins tomorrow.",
     "certificate not valid yet"},
    {kWrongName, "wrong_name", "Shows a certificate for other.example.",
     "certificate not valid for the name"},
    {kIpWithoutSan, "ip_without_san", "Shows a certificate with the right names and no addresses.",
     "by address: certificate not valid for it; by name: nothing"},
    {kSelfSigned, "self_signed", "Shows a certificate that it signed itself.", "unknown issuer"},
    {kWeakKey, "weak_key", "Shows a certificate with an RSA key of 1024 bits.",
     "key too short, or a bad certificate"},
    {kKeyMismatch, "key_mismatch", "Signs the handshake with a key that is not its certificate's.",
     "bad signature"},
    {kChainIncomplete, "chain_incomplete",
     "Shows a certificate of an intermediate authority without the intermediate's own.",
     "unknown issuer"},
    {kRootRotated, "root_rotated",
     "Shows a certificate of a new authority of the old one's name: the root was rotated, clients "
     "were not told.",
     "unknown issuer, or a bad signature of the certificate"},
    {kLeafRotated, "leaf_rotated", "Shows a fresh certificate of the right authority.",
     "nothing: new connections are good", true},
    {kOldVersion, "old_version", "Speaks TLS 1.1 at most.", "protocol version"},
    {kTls12Only, "tls12_only", "Speaks TLS 1.2 at most.", "nothing", true},
    {kNoAlpn, "no_alpn", "Does not answer the ALPN extension.",
     "gRPC clients that insist on h2: no protocol negotiated"},
    {kAlpnHttp1, "alpn_http1",
     "Offers http/1.1 only, and goes on without when a client has h2 only.",
     "gRPC clients that insist on h2: no protocol negotiated"},
    {kClientCertMissing, "client_cert_missing",
     "Demands a client certificate of the set's authority; clients without one are refused.",
     "alert certificate required, or with TLS 1.3 an end of the connection after the handshake"},
    {kClientCertForeign, "client_cert_foreign",
     "Demands a client certificate of another authority than clients have theirs of.",
     "alert unknown CA"},
    {kClientCertExpired, "client_cert_expired",
     "Demands a client certificate, and judges it 400 days later: it has expired.",
     "alert certificate expired"},
    {kClientCertNoUsage, "client_cert_no_usage",
     "Demands a client certificate for a use that the clients' are not made for.",
     "alert unsupported certificate"},
    {kSniWrongDefault, "sni_wrong_default",
     "Routes by SNI: the right certificate for the right name, another's for clients that send "
     "none or an address.",
     "by name: nothing; by address: certificate not valid for it"},
    {kSniRefused, "sni_refused", "Routes by SNI and knows another name only.",
     "alert unrecognized name; by address: certificate not valid for it"},
    {kPlaintext, "plaintext", "Speaks plaintext.", "TLS clients: not a TLS record"},
    {kTls, "tls", "Speaks TLS, with everything right.",
     "plaintext clients: the connection ends; TLS clients: nothing"},
    {kHandshakeHangs, "handshake_hangs", "Accepts, reads, and never answers the handshake.",
     "nothing until the client's own time-out"},
    {kNoCloseNotify, "no_close_notify",
     "Ends each connection without close_notify once the client has said something.",
     "unexpected end of file"},
}};

// The calendar moves further than the 90 days of a client's certificate, and less than the ten
// years of its authority.
constexpr auto kYearAndMore = std::chrono::hours(24 * 400);

}  // namespace

std::span<const TlsMode> TlsModes() { return kModes; }

const TlsMode* FindTlsMode(std::string_view name) {
  for (const TlsMode& mode : kModes) {
    if (mode.name == name) return &mode;
  }
  return nullptr;
}

TlsListener ListenerIn(TlsFault fault, const std::optional<TlsServerOptions>& right,
                       const CertificateSet& set, WallTime now, Rng& rng) {
  SQUALL_CHECK(set.authority.has_value(), "a certificate set of MintCatalogue");
  TlsListener listener;
  TlsServerOptions tls = right.value_or(TlsServerOptions{});
  if (!right.has_value()) tls.identity = set.server;
  LeafOptions leaf;
  leaf.common_name = "localhost";
  leaf.dns_names = {"localhost"};
  leaf.ips = {"127.0.0.1", "::1"};
  CertificateAuthority authority = *set.authority;
  const auto demand = [&tls](const std::string& ca) {
    tls.client_ca_pem = ca;
    tls.require_client_certificate = true;
  };
  // Whatever a mode does to the certificate, it does it whatever name a client sends.
  const auto show = [&tls](TlsIdentity identity) {
    tls.identity = std::move(identity);
    tls.by_sni.clear();
  };
  // Minted things differ from injection to injection.
  Rng own(rng.Next());
  switch (fault) {
    case kWrongCa:
      show(set.wrong_ca);
      break;
    case kExpired:
      show(set.expired);
      break;
    case kNotYetValid:
      show(set.not_yet);
      break;
    case kWrongName:
      show(set.wrong_name);
      break;
    case kIpWithoutSan:
      show(set.no_ip);
      break;
    case kSelfSigned:
      show(SelfSigned(leaf, now, own));
      break;
    case kWeakKey:
      leaf.key_type = KeyType::kRsa1024;
      show(authority.Issue(leaf));
      tls.weak = true;
      break;
    case kKeyMismatch:
      show(WithForeignKey(set.server, own));
      break;
    case kChainIncomplete:
      show(authority.IssueAuthority({.common_name = "squall intermediate CA"}).Issue(leaf));
      break;
    case kRootRotated:
      show(CertificateAuthority::Create({}, now, own).Issue(leaf));
      break;
    case kLeafRotated:
      // The authority's copy would mint the same leaf every time.
      leaf.common_name = "rotated " + own.Hex(8);
      show(authority.Issue(leaf));
      break;
    case kOldVersion:
      tls.weak = true;
      tls.min_version = TlsVersion::kTls10;
      tls.max_version = TlsVersion::kTls11;
      break;
    case kTls12Only:
      tls.max_version = TlsVersion::kTls12;
      break;
    case kNoAlpn:
      tls.alpn.clear();
      break;
    case kAlpnHttp1:
      tls.alpn = {"http/1.1"};
      tls.alpn_mismatch = AlpnMismatch::kContinue;
      break;
    case kClientCertMissing:
      demand(set.ca_pem);
      break;
    case kClientCertForeign:
      demand(set.wrong_ca_pem);
      break;
    case kClientCertExpired:
      demand(set.ca_pem);
      listener.calendar_ahead = kYearAndMore;
      break;
    case kClientCertNoUsage:
      demand(set.ca_pem);
      tls.refuse_client_usage = true;
      break;
    case kSniWrongDefault:
      tls.by_sni = {{"localhost", tls.identity}};
      tls.identity = set.wrong_name;
      break;
    case kSniRefused:
      show(set.wrong_name);
      tls.by_sni = {{"other.example", set.wrong_name}};
      tls.refuse_unknown_sni = true;
      break;
    case kPlaintext:
      return listener;
    case kTls:
      break;
    case kHandshakeHangs:
      listener.hangs = true;
      break;
    case kNoCloseNotify:
      listener.truncates = true;
      break;
  }
  listener.tls = std::move(tls);
  return listener;
}

}  // namespace squall::wire
