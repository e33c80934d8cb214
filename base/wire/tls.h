#pragma once
// TLS without sockets: OpenSSL over memory BIOs, in both roles. Ciphertext goes in and comes out as
// bytes; whoever owns the transport moves them. Used by the fake server's frontend, the ingress,
// proxies and the doctor.
//
// The calendar is given: certificates are judged at the WallTime that a session is created with,
// never at the machine's own time. Randomness of the handshake is OpenSSL's (the simulator
// interposes it at the kernel's border).

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/util/clock.h"
#include "base/util/status.h"

namespace squall::wire {

// A certificate with its key, as PEM. The chain holds the leaf first, then intermediates.
struct TlsIdentity {
  std::string certificate_chain_pem;
  std::string private_key_pem;
};

// Below 1.2 only with `weak`.
enum class TlsVersion { kTls10, kTls11, kTls12, kTls13 };

// What a server does when the client offers application protocols and none is in its list. A client
// that offers none at all is served without one in either case.
enum class AlpnMismatch {
  kRefuse,    // fatal alert no_application_protocol (RFC 7301; Go, nginx)
  kContinue,  // handshake goes on with none negotiated (Envoy)
};

struct TlsServerOptions {
  // Served when the client names no server, or one that by_sni does not have.
  TlsIdentity identity;
  // Identity by the server name that the client sends; lower case; "*.example.com" covers one
  // label.
  std::map<std::string, TlsIdentity> by_sni;
  // Answers a name that is neither in by_sni nor empty with the fatal alert unrecognized_name
  // instead of `identity`.
  bool refuse_unknown_sni = false;
  // Certificates (PEM, one or more) that client certificates must chain to. Empty: no client
  // certificate is requested.
  std::string client_ca_pem;
  // With client_ca_pem: a client without a certificate is refused; otherwise it is asked for one
  // and may decline. A bad certificate is refused in either case.
  bool require_client_certificate = false;
  // In order of the server's preference. Empty: the extension is not answered.
  std::vector<std::string> alpn = {"h2"};
  AlpnMismatch alpn_mismatch = AlpnMismatch::kRefuse;
  TlsVersion min_version = TlsVersion::kTls12;
  TlsVersion max_version = TlsVersion::kTls13;
  // Serves what OpenSSL holds to be too weak: short keys, versions before 1.2.
  bool weak = false;
  // Client certificates have to be good for a use that nobody's is: refused as those without
  // clientAuth are.
  bool refuse_client_usage = false;
  // Whether clients are given session tickets. A client that comes back with one does not look at
  // the server's certificate again (incident X2).
  bool session_tickets = true;
};

struct TlsClientOptions {
  // Certificates that the server's must chain to. Empty with verify: nothing is trusted, every
  // server is refused.
  std::string ca_pem;
  std::optional<TlsIdentity> identity;
  // Name or IP address that the server's certificate must be for; a name is also sent as SNI.
  // Empty: not checked.
  std::string server_name;
  // Sent as SNI instead of server_name; "" sends none.
  std::optional<std::string> sni;
  // Empty: the extension is not sent.
  std::vector<std::string> alpn = {"h2"};
  // Fails the handshake when the server selects none of `alpn`, as gRPC clients do.
  bool require_alpn = false;
  bool verify = true;
  TlsVersion min_version = TlsVersion::kTls12;
  TlsVersion max_version = TlsVersion::kTls13;
  // The context keeps the last session ticket and offers it in the next session.
  bool resume = false;
};

// Keys, certificates and settings, shared by sessions. Immutable but for the client's last ticket;
// safe from any thread.
class TlsContext {
 public:
  // Errors (kInvalidArgument) name the part at fault: PEM that cannot be read, a key that does not
  // belong to its certificate, a version range that is empty, a protocol name of a wrong length.
  static StatusOr<std::shared_ptr<TlsContext>> Server(TlsServerOptions options);
  static StatusOr<std::shared_ptr<TlsContext>> Client(TlsClientOptions options);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  bool is_server() const;

  struct Impl;  // OpenSSL's objects, in tls.cc
  Impl& impl() { return *impl_; }

 private:
  explicit TlsContext(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// One TLS connection. Not thread-safe. Any order of calls is allowed; after an error or the end of
// the peer's data only TakeCiphertext and TakePlaintext still give what is left (an alert for the
// peer; data that came before).
//
// Loop of an owner: FeedCiphertext(bytes from the peer); WritePlaintext(...); then always send
// TakeCiphertext(), use TakePlaintext(), and look at error() and peer_closed(). A client's session
// has its first message ready at once.
class TlsSession {
 public:
  // `now` is the time at which the peer's certificate is judged.
  TlsSession(std::shared_ptr<TlsContext> context, WallTime now);
  ~TlsSession();
  TlsSession(TlsSession&&) noexcept;
  TlsSession& operator=(TlsSession&&) noexcept;

  // Bytes that arrived from the peer.
  void FeedCiphertext(std::string_view bytes);
  // The transport ended (FIN or reset). Without a close_notify before it, that is a truncation:
  // error() says so.
  void FeedEnd();
  // Bytes to send to the peer, an alert included; empties the buffer.
  std::string TakeCiphertext();
  std::string TakePlaintext();
  // Data to send; kept until the handshake is done. Ignored after CloseNotify and after an error.
  void WritePlaintext(std::string_view bytes);
  // Says close_notify: nothing more will be written. Reading goes on (half-close).
  void CloseNotify();

  bool handshake_done() const;
  // The peer said close_notify: its data is complete.
  bool peer_closed() const;
  // The transport ended without the peer's close_notify.
  bool truncated() const;
  // OK until something failed. Codes: kUnauthenticated: a certificate was refused, here or by the
  // peer (its alert says so); kUnavailable: the transport ended; kFailedPrecondition: no common
  // version, protocol or name; kInvalidArgument: the peer does not speak TLS, or breaks the
  // protocol. Messages carry OpenSSL's reason ("certificate has expired").
  const Status& error() const;
  // The peer's first bytes were no TLS record: plaintext on a TLS port, or a plaintext answer to a
  // TLS client.
  bool peer_is_plaintext() const;
  // The first bytes that arrived, at most 24: what the peer speaks, if it is not TLS.
  std::string_view first_bytes() const;

  // Known once the handshake is done (sni on a server: once the client's hello was read); "" before
  // and where absent.
  std::string alpn() const;
  std::string sni() const;
  std::string version() const;               // "TLSv1.3"
  std::string peer_subject() const;          // "CN=worker,O=squall"
  std::string peer_certificate_pem() const;  // the peer's leaf; also after it was refused here
  bool resumed() const;
  // A client's: the server asked for a certificate, and the authorities that it named for it
  // ("CN=clients"), which may be none.
  bool certificate_requested() const;
  std::vector<std::string> requested_authorities() const;
  // Plaintext accepted by WritePlaintext and not yet encrypted, plus ciphertext not yet taken: for
  // back-pressure.
  std::size_t buffered() const;

 private:
  friend class TlsContext;
  struct Impl;
  // OpenSSL's callbacks; the handles are its SSL* and X509_STORE_CTX*.
  static int OnServerName(void* ssl, int* alert);
  static int OnVerify(int ok, void* store);
  static int OnCertificateRequest(void* ssl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace squall::wire
