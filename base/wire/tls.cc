#include "base/wire/tls.h"

#include <fmt/format.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <limits>
#include <mutex>
#include <utility>

#include "base/util/text.h"
#include "base/wire/authority_bundle.h"
#include "base/wire/openssl.h"

namespace squall::wire {
namespace {

using openssl::BioPtr;
using openssl::KeyPtr;
using openssl::NameOf;
using openssl::NoPassphrase;
using openssl::PemOf;
using openssl::X509Ptr;
using SslCtxPtr = openssl::Ptr<SSL_CTX, SSL_CTX_free>;
using SslPtr = openssl::Ptr<SSL, SSL_free>;
using SslSessionPtr = openssl::Ptr<SSL_SESSION, SSL_SESSION_free>;

// OpenSSL's reason for the oldest error of this thread, which is the cause of the later ones;
// empties the queue.
std::string TakeReason() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return "no reason given";
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : fmt::format("error {:#x}", code);
}

Status Refuse(std::string_view what) {
  return MakeStatus(StatusCode::kInvalidArgument, "TLS: {}: {}", what, TakeReason());
}

StatusOr<std::vector<X509Ptr>> ReadCertificates(std::string_view pem, std::string_view what) {
  ERR_clear_error();
  if (pem.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
    return MakeStatus(StatusCode::kInvalidArgument, "TLS: {}: too large", what);
  }
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  std::vector<X509Ptr> result;
  while (X509* certificate = PEM_read_bio_X509(bio.get(), nullptr, NoPassphrase, nullptr)) {
    result.emplace_back(certificate);
  }
  // The text ends where no further "BEGIN" is found; anything else is a damaged certificate.
  const unsigned long last = ERR_peek_last_error();
  const bool ended =
      ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) == PEM_R_NO_START_LINE;
  if (result.empty() || !ended) return Refuse(fmt::format("{}: cannot read PEM", what));
  ERR_clear_error();
  return result;
}

Status UseIdentity(SSL_CTX* ctx, const TlsIdentity& identity, std::string_view whose) {
  SQUALL_ASSIGN_OR_RETURN(
      const auto chain,
      ReadCertificates(identity.certificate_chain_pem, fmt::format("certificate of {}", whose)));
  if (SSL_CTX_use_certificate(ctx, chain.front().get()) != 1) {
    return Refuse(fmt::format("certificate of {}", whose));
  }
  for (std::size_t i = 1; i < chain.size(); ++i) {
    if (SSL_CTX_add1_chain_cert(ctx, chain[i].get()) != 1)
      return Refuse(fmt::format("chain of {}", whose));
  }
  const BioPtr bio(BIO_new_mem_buf(identity.private_key_pem.data(),
                                   static_cast<int>(identity.private_key_pem.size())));
  const KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassphrase, nullptr));
  if (!key) return Refuse(fmt::format("private key of {}: cannot read PEM", whose));
  // Both calls compare key and certificate: the first when the kinds are equal, the second always.
  if (SSL_CTX_use_PrivateKey(ctx, key.get()) != 1 || SSL_CTX_check_private_key(ctx) != 1) {
    return Refuse(fmt::format("private key of {} does not belong to its certificate", whose));
  }
  return absl::OkStatus();
}

Status TrustAuthorities(SSL_CTX* ctx, std::string_view pem, bool announce, std::string_view what) {
  if (!announce && CountCertificates(pem) >= kLargeBundle)
    return Annotate(TrustBundle(SSL_CTX_get_cert_store(ctx), pem), fmt::format("TLS: {}", what));
  SQUALL_ASSIGN_OR_RETURN(const auto authorities, ReadCertificates(pem, what));
  for (const X509Ptr& authority : authorities) {
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), authority.get()) != 1) return Refuse(what);
    if (announce && SSL_CTX_add_client_CA(ctx, authority.get()) != 1) return Refuse(what);
  }
  return absl::OkStatus();
}

int VersionNumber(TlsVersion version) {
  switch (version) {
    case TlsVersion::kTls10:
      return TLS1_VERSION;
    case TlsVersion::kTls11:
      return TLS1_1_VERSION;
    case TlsVersion::kTls12:
      return TLS1_2_VERSION;
    case TlsVersion::kTls13:
      return TLS1_3_VERSION;
  }
  return TLS1_3_VERSION;
}

Status UseVersions(SSL_CTX* ctx, TlsVersion min_version, TlsVersion max_version) {
  if (min_version > max_version) {
    return {StatusCode::kInvalidArgument, "TLS: the lowest version is above the highest"};
  }
  SSL_CTX_set_min_proto_version(ctx, VersionNumber(min_version));
  SSL_CTX_set_max_proto_version(ctx, VersionNumber(max_version));
  return absl::OkStatus();
}

// Names in the form of the extension: each after its length.
StatusOr<std::string> AlpnList(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) {
    if (name.empty() || name.size() > 255) {
      return MakeStatus(StatusCode::kInvalidArgument,
                        "TLS: ALPN name '{}' must have 1 to 255 bytes", name);
    }
    list += static_cast<char>(name.size());
    list += name;
  }
  return list;
}

bool IsAddress(const std::string& name) {
  ASN1_OCTET_STRING* address = a2i_IPADDRESS(name.c_str());
  ERR_clear_error();
  ASN1_OCTET_STRING_free(address);
  return address != nullptr;
}

std::string Printable(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text += byte >= 0x20 && byte < 0x7f ? std::string(1, c) : fmt::format("\\x{:02x}", byte);
  }
  return text;
}

// Alerts by number (RFC 8446, section 6) where OpenSSL 3.0 has no text of its own.
std::string AlertText(int alert) {
  switch (alert) {
    case 112:
      return "unrecognized name";
    case 116:
      return "certificate required";
    case 120:
      return "no application protocol";
    default:
      break;
  }
  return SSL_alert_desc_string_long(alert);
}

StatusCode CodeOfAlert(int alert) {
  switch (alert) {
    case 41:
    case 42:
    case 43:
    case 44:
    case 45:
    case 46:
    case 48:
    case 49:
    case 116:
      return StatusCode::kUnauthenticated;
    case 40:
    case 70:
    case 71:
    case 112:
    case 120:
      return StatusCode::kFailedPrecondition;
    default:
      return StatusCode::kInvalidArgument;
  }
}

StatusCode CodeOfReason(int reason) {
  switch (reason) {
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
      return StatusCode::kUnauthenticated;
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_VERSION_TOO_HIGH:
    case SSL_R_NO_PROTOCOLS_AVAILABLE:
    case SSL_R_NO_APPLICATION_PROTOCOL:
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_CALLBACK_FAILED:
      return StatusCode::kFailedPrecondition;
    default:
      return StatusCode::kInvalidArgument;
  }
}

// OpenSSL numbers the errors that alerts from the peer cause from here (SSL_AD_REASON_OFFSET in its
// ssl.h).
constexpr int kAlertReasonOffset = 1000;

}  // namespace

struct TlsContext::Impl {
  bool server = false;
  TlsServerOptions server_options;
  TlsClientOptions client_options;
  std::string alpn_list;
  SslCtxPtr ctx;
  std::map<std::string, SslCtxPtr> by_sni;

  std::mutex mutex;      // guards ticket
  SslSessionPtr ticket;  // a client's last one

  SSL_CTX* ForName(const std::string& name) const {
    if (const auto it = by_sni.find(name); it != by_sni.end()) return it->second.get();
    if (const auto dot = name.find('.'); dot != std::string::npos) {
      if (const auto it = by_sni.find("*" + name.substr(dot)); it != by_sni.end())
        return it->second.get();
    }
    return nullptr;
  }

  StatusOr<SslCtxPtr> MakeServerCtx(const TlsIdentity& identity, std::string_view whose);
  Status MakeClientCtx();
};

struct TlsSession::Impl {
  explicit Impl(std::shared_ptr<TlsContext> shared) : context(std::move(shared)) {}

  std::shared_ptr<TlsContext> context;
  SslPtr ssl;
  BIO* in = nullptr;   // owned by ssl
  BIO* out = nullptr;  // owned by ssl
  bool done = false;
  bool close_requested = false;
  bool close_sent = false;
  bool peer_closed = false;
  bool truncated = false;
  bool plaintext_peer = false;
  bool certificate_requested = false;
  std::vector<std::string> requested_authorities;
  std::string first_bytes;
  std::string pending;    // plaintext waiting for the handshake
  std::string plaintext;  // decrypted, not yet taken
  std::string sni;
  std::string refused_name;
  std::string verify_problem;  // what this side did not like about the peer's certificate
  std::string refused_peer_pem;
  Status error;

  void Drive();
  void Handshake();
  void Fail(std::string_view during);
};

namespace {

int ChooseAlpn(SSL*, const unsigned char** out, unsigned char* out_size,
               const unsigned char* offered, unsigned int offered_size, void* arg) {
  const auto& impl = *static_cast<const TlsContext::Impl*>(arg);
  unsigned char* chosen = nullptr;
  const auto* list = reinterpret_cast<const unsigned char*>(impl.alpn_list.data());
  if (SSL_select_next_proto(&chosen, out_size, list, static_cast<unsigned>(impl.alpn_list.size()),
                            offered, offered_size) == OPENSSL_NPN_NEGOTIATED) {
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
  }
  return impl.server_options.alpn_mismatch == AlpnMismatch::kRefuse ? SSL_TLSEXT_ERR_ALERT_FATAL
                                                                    : SSL_TLSEXT_ERR_NOACK;
}

int KeepTicket(SSL* ssl, SSL_SESSION* session) {
  auto* impl = static_cast<TlsContext::Impl*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  const std::lock_guard lock(impl->mutex);
  impl->ticket.reset(session);
  return 1;  // taken over
}

}  // namespace

StatusOr<SslCtxPtr> TlsContext::Impl::MakeServerCtx(const TlsIdentity& identity,
                                                    std::string_view whose) {
  const TlsServerOptions& o = server_options;
  ERR_clear_error();
  SslCtxPtr result(SSL_CTX_new(TLS_server_method()));
  if (!result) return Refuse("cannot create a context");
  SSL_CTX* c = result.get();
  if (o.weak) SSL_CTX_set_security_level(c, 0);
  SQUALL_RETURN_IF_ERROR(UseVersions(c, o.min_version, o.max_version));
  SQUALL_RETURN_IF_ERROR(UseIdentity(c, identity, whose));
  SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION);
  if (!alpn_list.empty()) SSL_CTX_set_alpn_select_cb(c, ChooseAlpn, this);
  if (o.session_tickets) {
    // Resuming with client certificates demands a context name; sessions of all our servers may
    // share one.
    static constexpr std::array<unsigned char, 6> kName = {'s', 'q', 'u', 'a', 'l', 'l'};
    SSL_CTX_set_session_id_context(c, kName.data(), kName.size());
  } else {
    SSL_CTX_set_options(c, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(c, 0);
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
  }
  if (!o.client_ca_pem.empty()) {
    SQUALL_RETURN_IF_ERROR(TrustAuthorities(c, o.client_ca_pem, true, "client authorities"));
  }
  return result;
}

Status TlsContext::Impl::MakeClientCtx() {
  const TlsClientOptions& o = client_options;
  ERR_clear_error();
  ctx.reset(SSL_CTX_new(TLS_client_method()));
  if (!ctx) return Refuse("cannot create a context");
  SSL_CTX* c = ctx.get();
  SQUALL_RETURN_IF_ERROR(UseVersions(c, o.min_version, o.max_version));
  if (o.identity) SQUALL_RETURN_IF_ERROR(UseIdentity(c, *o.identity, "the client"));
  if (!o.ca_pem.empty())
    SQUALL_RETURN_IF_ERROR(TrustAuthorities(c, o.ca_pem, false, "server authorities"));
  SSL_CTX_set_mode(c, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_options(c, SSL_OP_NO_RENEGOTIATION);
  if (!alpn_list.empty() &&
      SSL_CTX_set_alpn_protos(c, reinterpret_cast<const unsigned char*>(alpn_list.data()),
                              static_cast<unsigned>(alpn_list.size())) != 0) {
    return Refuse("ALPN list");
  }
  SSL_CTX_set_app_data(c, this);
  SSL_CTX_set_cert_cb(
      c, +[](SSL* ssl, void*) -> int { return TlsSession::OnCertificateRequest(ssl); }, nullptr);
  if (o.resume) {
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_sess_set_new_cb(c, KeepTicket);
  }
  return absl::OkStatus();
}

TlsContext::TlsContext(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsContext::~TlsContext() = default;
bool TlsContext::is_server() const { return impl_->server; }

StatusOr<std::shared_ptr<TlsContext>> TlsContext::Server(TlsServerOptions options) {
  auto impl = std::make_unique<Impl>();
  impl->server = true;
  if (options.require_client_certificate && options.client_ca_pem.empty()) {
    return absl::InvalidArgumentError(
        "TLS: client certificates are required, but no authority for them is given");
  }
  SQUALL_ASSIGN_OR_RETURN(impl->alpn_list, AlpnList(options.alpn));
  impl->server_options = std::move(options);
  SQUALL_ASSIGN_OR_RETURN(impl->ctx,
                          impl->MakeServerCtx(impl->server_options.identity, "the server"));
  for (const auto& [name, identity] : impl->server_options.by_sni) {
    SQUALL_ASSIGN_OR_RETURN(auto ctx, impl->MakeServerCtx(identity, fmt::format("'{}'", name)));
    impl->by_sni.emplace(LowerCase(name), std::move(ctx));
  }
  SSL_CTX_set_tlsext_servername_callback(impl->ctx.get(), (+[](SSL* ssl, int* alert, void*) -> int {
                                           return TlsSession::OnServerName(ssl, alert);
                                         }));
  return std::shared_ptr<TlsContext>(new TlsContext(std::move(impl)));
}

StatusOr<std::shared_ptr<TlsContext>> TlsContext::Client(TlsClientOptions options) {
  auto impl = std::make_unique<Impl>();
  SQUALL_ASSIGN_OR_RETURN(impl->alpn_list, AlpnList(options.alpn));
  impl->client_options = std::move(options);
  SQUALL_RETURN_IF_ERROR(impl->MakeClientCtx());
  return std::shared_ptr<TlsContext>(new TlsContext(std::move(impl)));
}

int TlsSession::OnServerName(void* handle, int* alert) {
  SSL* ssl = static_cast<SSL*>(handle);
  Impl& session = *static_cast<Impl*>(SSL_get_app_data(ssl));
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr) return SSL_TLSEXT_ERR_NOACK;
  session.sni = LowerCase(name);
  const TlsContext::Impl& context = session.context->impl();
  if (SSL_CTX* ctx = context.ForName(session.sni)) {
    SSL_set_SSL_CTX(ssl, ctx);
    return SSL_TLSEXT_ERR_OK;
  }
  if (!context.server_options.refuse_unknown_sni) return SSL_TLSEXT_ERR_OK;
  session.refused_name = session.sni;
  *alert = SSL_AD_UNRECOGNIZED_NAME;
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

int TlsSession::OnVerify(int ok, void* handle) {
  if (ok == 1) return 1;
  auto* store = static_cast<X509_STORE_CTX*>(handle);
  const auto* ssl = static_cast<const SSL*>(
      X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  Impl& session = *static_cast<Impl*>(SSL_get_app_data(ssl));
  session.verify_problem = X509_verify_cert_error_string(X509_STORE_CTX_get_error(store));
  X509* leaf = X509_STORE_CTX_get0_cert(store);
  if (leaf != nullptr) session.refused_peer_pem = PemOf(leaf);
  return 0;
}

int TlsSession::OnCertificateRequest(void* handle) {
  auto* ssl = static_cast<SSL*>(handle);
  Impl& session = *static_cast<Impl*>(SSL_get_app_data(ssl));
  session.certificate_requested = true;
  session.requested_authorities.clear();
  const STACK_OF(X509_NAME)* names = SSL_get0_peer_CA_list(ssl);
  for (int i = 0; i < (names != nullptr ? sk_X509_NAME_num(names) : 0); ++i) {
    session.requested_authorities.push_back(NameOf(sk_X509_NAME_value(names, i)));
  }
  return 1;  // go on with the certificate that is there, or with none
}

TlsSession::TlsSession(std::shared_ptr<TlsContext> context, WallTime now)
    : impl_(std::make_unique<Impl>(std::move(context))) {
  TlsContext::Impl& shared = impl_->context->impl();
  ERR_clear_error();
  impl_->ssl.reset(SSL_new(shared.ctx.get()));
  SQUALL_CHECK(impl_->ssl != nullptr, "out of memory");
  SSL* ssl = impl_->ssl.get();
  impl_->in = BIO_new(BIO_s_mem());
  impl_->out = BIO_new(BIO_s_mem());
  SSL_set_bio(ssl, impl_->in, impl_->out);
  SSL_set_app_data(ssl, impl_.get());

  X509_VERIFY_PARAM* param = SSL_get0_param(ssl);
  X509_VERIFY_PARAM_set_time(
      param, std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()).count());
  const auto verify = +[](int ok, X509_STORE_CTX* store) { return OnVerify(ok, store); };
  if (shared.server) {
    const TlsServerOptions& o = shared.server_options;
    int mode = SSL_VERIFY_NONE;
    if (!o.client_ca_pem.empty()) {
      mode = SSL_VERIFY_PEER | (o.require_client_certificate ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0);
    }
    SSL_set_verify(ssl, mode, verify);
    if (o.refuse_client_usage) X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SMIME_SIGN);
    SSL_set_accept_state(ssl);
    return;
  }

  const TlsClientOptions& o = shared.client_options;
  const bool by_address = IsAddress(o.server_name);
  if (o.verify) {
    SSL_set_verify(ssl, SSL_VERIFY_PEER, verify);
    // As rustls and Go do: only subjectAltName counts.
    X509_VERIFY_PARAM_set_hostflags(
        param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (by_address) {
      X509_VERIFY_PARAM_set1_ip_asc(param, o.server_name.c_str());
    } else if (!o.server_name.empty()) {
      X509_VERIFY_PARAM_set1_host(param, o.server_name.data(), o.server_name.size());
    }
  } else {
    SSL_set_verify(ssl, SSL_VERIFY_NONE, nullptr);
  }
  impl_->sni = o.sni ? *o.sni : by_address ? "" : o.server_name;
  if (!impl_->sni.empty()) SSL_set_tlsext_host_name(ssl, impl_->sni.c_str());
  if (o.resume) {
    const std::lock_guard lock(shared.mutex);
    // A ticket of TLS 1.3 is good for one use.
    if (shared.ticket) SSL_set_session(ssl, shared.ticket.get());
    shared.ticket.reset();
  }
  SSL_set_connect_state(ssl);
  impl_->Drive();
}

TlsSession::~TlsSession() = default;
TlsSession::TlsSession(TlsSession&&) noexcept = default;
TlsSession& TlsSession::operator=(TlsSession&&) noexcept = default;

void TlsSession::Impl::Fail(std::string_view during) {
  const unsigned long code = ERR_peek_error();
  const int reason = ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0;
  if (plaintext_peer) {
    error = MakeStatus(StatusCode::kInvalidArgument,
                       "{}: the peer speaks plaintext, not TLS: it sent \"{}\"", during,
                       Printable(first_bytes));
  } else if (reason >= kAlertReasonOffset) {
    const int alert = reason - kAlertReasonOffset;
    error =
        MakeStatus(CodeOfAlert(alert), "{}: the peer sent the alert: {}", during, AlertText(alert));
  } else if (!refused_name.empty()) {
    error = MakeStatus(StatusCode::kFailedPrecondition, "{}: unrecognized name '{}'", during,
                       refused_name);
  } else if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED && !verify_problem.empty()) {
    error = MakeStatus(StatusCode::kUnauthenticated, "{}: certificate verify failed: {}", during,
                       verify_problem);
  } else {
    error = MakeStatus(CodeOfReason(reason), "{}: {}", during, TakeReason());
  }
  ERR_clear_error();
  pending.clear();
}

void TlsSession::Impl::Handshake() {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl.get());
  if (result == 1) {
    done = true;
    const TlsContext::Impl& shared = context->impl();
    const unsigned char* chosen = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(ssl.get(), &chosen, &size);
    if (!shared.server && shared.client_options.require_alpn && size == 0) {
      error = MakeStatus(StatusCode::kFailedPrecondition,
                         "TLS handshake: the server selected no application protocol");
    }
    return;
  }
  const int why = SSL_get_error(ssl.get(), result);
  if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) Fail("TLS handshake");
}

// Moves everything as far as the bytes at hand allow.
void TlsSession::Impl::Drive() {
  if (error.ok() && !done) Handshake();
  if (!error.ok() || !done) return;
  ERR_clear_error();
  if (!pending.empty()) {
    std::size_t written = 0;
    if (SSL_write_ex(ssl.get(), pending.data(), pending.size(), &written) != 1)
      return Fail("TLS write");
    pending.clear();
  }
  std::array<char, 16384> buffer;  // one record
  while (!peer_closed) {
    std::size_t size = 0;
    if (SSL_read_ex(ssl.get(), buffer.data(), buffer.size(), &size) == 1) {
      plaintext.append(buffer.data(), size);
      continue;
    }
    const int why = SSL_get_error(ssl.get(), 0);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) break;
    if (why == SSL_ERROR_ZERO_RETURN) {
      peer_closed = true;
      break;
    }
    return Fail("TLS read");
  }
  if (close_requested && !close_sent) {
    close_sent = true;
    SSL_shutdown(ssl.get());
  }
}

void TlsSession::FeedCiphertext(std::string_view bytes) {
  Impl& s = *impl_;
  if (bytes.empty() || !s.error.ok() || s.peer_closed || s.truncated) return;
  if (!s.done && s.first_bytes.size() < 24) {
    if (s.first_bytes.empty()) {
      // A record begins with its type: 20 to 23 (RFC 8446, section 5.1); 0x80 begins a hello in SSL
      // 2 form.
      const auto first = static_cast<unsigned char>(bytes.front());
      s.plaintext_peer = (first < 20 || first > 23) && first != 0x80;
    }
    s.first_bytes += bytes.substr(0, 24 - s.first_bytes.size());
  }
  while (!bytes.empty()) {
    const std::string_view part = bytes.substr(0, 1U << 30U);
    SQUALL_CHECK(BIO_write(s.in, part.data(), static_cast<int>(part.size())) ==
                     static_cast<int>(part.size()),
                 "out of memory");
    bytes.remove_prefix(part.size());
  }
  s.Drive();
}

void TlsSession::FeedEnd() {
  Impl& s = *impl_;
  if (s.peer_closed || s.truncated || !s.error.ok()) return;
  s.truncated = true;
  s.error = s.done
                ? absl::UnavailableError("TLS: the peer ended the connection without close_notify")
                : absl::UnavailableError("TLS handshake: the peer ended the connection");
}

std::string TlsSession::TakeCiphertext() {
  std::string bytes(BIO_ctrl_pending(impl_->out), '\0');
  if (!bytes.empty()) BIO_read(impl_->out, bytes.data(), static_cast<int>(bytes.size()));
  return bytes;
}

std::string TlsSession::TakePlaintext() { return std::exchange(impl_->plaintext, {}); }

void TlsSession::WritePlaintext(std::string_view bytes) {
  if (!impl_->error.ok() || impl_->close_requested) return;
  impl_->pending += bytes;
  impl_->Drive();
}

void TlsSession::CloseNotify() {
  impl_->close_requested = true;
  impl_->Drive();
}

bool TlsSession::handshake_done() const { return impl_->done; }
bool TlsSession::peer_closed() const { return impl_->peer_closed; }
bool TlsSession::truncated() const { return impl_->truncated; }
const Status& TlsSession::error() const { return impl_->error; }
bool TlsSession::peer_is_plaintext() const { return impl_->plaintext_peer; }
std::string_view TlsSession::first_bytes() const { return impl_->first_bytes; }
std::string TlsSession::sni() const { return impl_->sni; }

std::string TlsSession::alpn() const {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(impl_->ssl.get(), &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

std::string TlsSession::version() const {
  return impl_->done ? SSL_get_version(impl_->ssl.get()) : "";
}

std::string TlsSession::peer_subject() const {
  X509* certificate = SSL_get0_peer_certificate(impl_->ssl.get());
  return certificate != nullptr ? NameOf(X509_get_subject_name(certificate)) : "";
}

std::string TlsSession::peer_certificate_pem() const {
  X509* certificate = SSL_get0_peer_certificate(impl_->ssl.get());
  return certificate != nullptr ? PemOf(certificate) : impl_->refused_peer_pem;
}

bool TlsSession::resumed() const {
  return impl_->done && SSL_session_reused(impl_->ssl.get()) == 1;
}

bool TlsSession::certificate_requested() const { return impl_->certificate_requested; }
std::vector<std::string> TlsSession::requested_authorities() const {
  return impl_->requested_authorities;
}

std::size_t TlsSession::buffered() const {
  return impl_->pending.size() + BIO_ctrl_pending(impl_->out);
}

}  // namespace squall::wire
