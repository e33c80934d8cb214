#pragma once
// Certificates for tests and fault scenarios: an authority, leaves, and one catalogue of right and
// wrong ones.
//
// Time and randomness are given, and the result is repeatable to the byte: serial numbers, EC
// scalars, RSA primes and ECDSA nonces all come from the Rng. Such keys are worth nothing as
// secrets; they are for tests only. The certificates are X.509 v3 with the extensions that rustls
// (in Temporal's production core) and Go insist on.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/util/clock.h"
#include "base/util/rng.h"
#include "base/util/status.h"
#include "base/wire/tls.h"

namespace squall::wire {

enum class KeyType {
  kEcP256,   // signs with ecdsa-with-SHA256
  kRsa2048,  // sha256WithRSAEncryption; making one takes about a tenth of a second
  kRsa1024,  // the same, too short: rustls and OpenSSL refuse it
};

struct CaOptions {
  std::string common_name = "squall test CA";
  KeyType key_type = KeyType::kEcP256;
  std::optional<WallTime> not_before;  // default: 365 days before now
  std::optional<WallTime> not_after;   // default: 3650 days after now
};

struct LeafOptions {
  std::string common_name;
  std::vector<std::string> dns_names;  // subjectAltName; "*.example.com" is allowed
  std::vector<std::string> ips;        // subjectAltName; IPv4 or IPv6 text
  std::optional<WallTime> not_before;  // default: an hour before now
  std::optional<WallTime> not_after;   // default: 90 days after now
  bool server_auth = true;  // extendedKeyUsage; with both false the extension is left out
  bool client_auth = false;
  KeyType key_type = KeyType::kEcP256;
};

// Owns a self-signed certificate with its key. Copies share nothing that changes but the sequence
// of issued certificates, which each copy continues by itself. Not thread-safe.
class CertificateAuthority {
 public:
  // Draws from `rng` once; what is issued later depends only on that draw and on the order of Issue
  // calls. Times that are not in order, and IP addresses or names that are none, are programmer
  // errors and abort.
  static CertificateAuthority Create(const CaOptions& options, WallTime now, Rng& rng);

  TlsIdentity Issue(const LeafOptions& options);
  // An authority under this one.
  CertificateAuthority IssueAuthority(const CaOptions& options);
  const std::string& certificate_pem() const;

 private:
  struct Impl;
  explicit CertificateAuthority(std::shared_ptr<const Impl> impl, WallTime now, Rng rng);
  // Null issuer: signed by itself.
  static CertificateAuthority Make(const CaOptions& options, const Impl* issuer, WallTime now,
                                   Rng own);

  std::shared_ptr<const Impl> impl_;
  WallTime now_;
  Rng rng_;
};

// A leaf that nobody but itself has signed. Draws from `rng` once.
TlsIdentity SelfSigned(const LeafOptions& options, WallTime now, Rng& rng);
// The certificate of an identity of kEcP256 with a private key that is another's but passes for its
// own where keys are loaded: peers find the signatures of the handshake wrong.
TlsIdentity WithForeignKey(const TlsIdentity& identity, Rng& rng);

struct CatalogueOptions {
  std::vector<std::string> dns_names = {"localhost"};
  std::vector<std::string> ips = {"127.0.0.1", "::1"};
  KeyType key_type = KeyType::kEcP256;
};

// The right identities and each usual wrong one, minted together. All but wrong_ca chain to
// `ca_pem`.
struct CertificateSet {
  std::string ca_pem;
  std::string wrong_ca_pem;  // another authority: wrong_ca chains to it
  TlsIdentity server;        // right names and addresses, serverAuth
  TlsIdentity client;        // clientAuth
  TlsIdentity wrong_ca;      // right in all but its authority; serverAuth and clientAuth
  TlsIdentity expired;       // ended a day ago; serverAuth and clientAuth
  TlsIdentity not_yet;       // begins tomorrow; serverAuth and clientAuth
  TlsIdentity wrong_name;    // for other.example only; serverAuth
  TlsIdentity no_ip;  // right names, no addresses: connecting by address must fail; serverAuth
  TlsIdentity no_client_auth;  // serverAuth only, to be shown by a client
  // For more of the same: the authority of `ca_pem`, and that of `wrong_ca_pem`.
  std::optional<CertificateAuthority> authority, other_authority;

  // By the field's name, as scenario files write it; null for an unknown name.
  const TlsIdentity* Find(std::string_view name) const;
  static std::span<const std::string> Names();
};

CertificateSet MintCatalogue(WallTime now, Rng& rng, const CatalogueOptions& options = {});

// What a certificate says, for messages, checks and the doctor.
struct CertificateInfo {
  std::string subject, issuer;
  std::string serial;  // lower-case hex
  int version = 0;     // 3 for X.509 v3
  WallTime not_before, not_after;
  std::vector<std::string> dns_names, ips;
  bool is_ca = false;
  std::vector<std::string>
      extensions;  // short names: basicConstraints, keyUsage, extendedKeyUsage, ...
  std::vector<std::string> extended_key_usage;  // serverAuth, clientAuth
  std::string key;                              // "EC P-256", "RSA 2048", or OpenSSL's name
};

// Reads the first certificate of a PEM text; kInvalidArgument when there is none.
StatusOr<CertificateInfo> DescribeCertificate(std::string_view pem);

}  // namespace squall::wire
