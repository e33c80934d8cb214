#include "base/wire/certificates.h"

#include <fmt/format.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/wire/openssl.h"

namespace squall::wire {
namespace {

using openssl::BioPtr;
using openssl::KeyPtr;
using openssl::NameOf;
using openssl::PemOf;
using openssl::TextOf;
using openssl::X509Ptr;
using SharedKey = std::shared_ptr<EVP_PKEY>;
using BnPtr = openssl::Ptr<BIGNUM, BN_clear_free>;
using BnCtxPtr = openssl::Ptr<BN_CTX, BN_CTX_free>;
using GroupPtr = openssl::Ptr<EC_GROUP, EC_GROUP_free>;
using PointPtr = openssl::Ptr<EC_POINT, EC_POINT_free>;
using ParamBuilderPtr = openssl::Ptr<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free>;
using ParamsPtr = openssl::Ptr<OSSL_PARAM, OSSL_PARAM_free>;
using KeyCtxPtr = openssl::Ptr<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;
using ExtensionPtr = openssl::Ptr<X509_EXTENSION, X509_EXTENSION_free>;
using NamesPtr = openssl::Ptr<GENERAL_NAMES, GENERAL_NAMES_free>;
using Bytes = std::vector<unsigned char>;

// OpenSSL fails below only for want of memory or through a mistake of ours.
void Check(bool ok, std::string_view what) {
  if (ok) return;
  const unsigned long code = ERR_peek_last_error();
  const char* reason = ERR_reason_error_string(code);
  SQUALL_CHECK(false, fmt::format("{}: {}", what, reason != nullptr ? reason : "out of memory"));
}

template <typename Pointer>
Pointer Checked(Pointer pointer, std::string_view what) {
  Check(pointer != nullptr, what);
  return pointer;
}

BnPtr NewBn() { return Checked(BnPtr(BN_new()), "BN_new"); }

BnPtr RandomBn(Rng& rng, std::size_t bytes) {
  Bytes raw(bytes);
  rng.Fill(raw);
  return Checked(BnPtr(BN_bin2bn(raw.data(), static_cast<int>(raw.size()), nullptr)), "BN_bin2bn");
}

// Uniform enough in [1, order): eight bytes more than needed make the bias of the remainder
// negligible.
BnPtr RandomScalar(Rng& rng, const BIGNUM* order, BN_CTX* ctx) {
  const BnPtr wide = RandomBn(rng, static_cast<std::size_t>(BN_num_bytes(order)) + 8);
  const BnPtr span = NewBn();
  BnPtr scalar = NewBn();
  Check(BN_sub(span.get(), order, BN_value_one()) == 1 &&
            BN_mod(scalar.get(), wide.get(), span.get(), ctx) == 1 &&
            BN_add_word(scalar.get(), 1) == 1,
        "scalar");
  return scalar;
}

SharedKey KeyFromParams(const char* type, OSSL_PARAM_BLD* builder) {
  const ParamsPtr params = Checked(ParamsPtr(OSSL_PARAM_BLD_to_param(builder)), "key parameters");
  const KeyCtxPtr ctx =
      Checked(KeyCtxPtr(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr)), type);
  EVP_PKEY* key = nullptr;
  Check(EVP_PKEY_fromdata_init(ctx.get()) == 1 &&
            EVP_PKEY_fromdata(ctx.get(), &key, EVP_PKEY_KEYPAIR, params.get()) == 1,
        "key from its numbers");
  return {key, EVP_PKEY_free};
}

SharedKey MakeEcKey(Rng& rng) {
  const BnCtxPtr ctx(BN_CTX_new());
  const GroupPtr group =
      Checked(GroupPtr(EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1)), "P-256");
  const BnPtr scalar = RandomScalar(rng, EC_GROUP_get0_order(group.get()), ctx.get());
  const PointPtr point(EC_POINT_new(group.get()));
  Check(EC_POINT_mul(group.get(), point.get(), scalar.get(), nullptr, nullptr, ctx.get()) == 1,
        "public point");
  Bytes encoded(EC_POINT_point2oct(group.get(), point.get(), POINT_CONVERSION_UNCOMPRESSED, nullptr,
                                   0, nullptr));
  EC_POINT_point2oct(group.get(), point.get(), POINT_CONVERSION_UNCOMPRESSED, encoded.data(),
                     encoded.size(), ctx.get());
  const ParamBuilderPtr builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, SN_X9_62_prime256v1,
                                  0);
  OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, encoded.data(),
                                   encoded.size());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_PRIV_KEY, scalar.get());
  return KeyFromParams("EC", builder.get());
}

// A prime of `bits` with the two highest bits set, so that a product of two has the full length,
// and with p - 1 prime to the public exponent.
BnPtr MakePrime(Rng& rng, int bits, const BIGNUM* exponent, BN_CTX* ctx) {
  BnPtr candidate = RandomBn(rng, static_cast<std::size_t>(bits) / 8);
  BN_set_bit(candidate.get(), bits - 1);
  BN_set_bit(candidate.get(), bits - 2);
  BN_set_bit(candidate.get(), 0);
  const BnPtr minus_one = NewBn();
  const BnPtr divisor = NewBn();
  for (;; BN_add_word(candidate.get(), 2)) {
    const int prime = BN_check_prime(candidate.get(), ctx, nullptr);
    Check(prime >= 0, "primality test");
    if (prime == 0) continue;
    BN_sub(minus_one.get(), candidate.get(), BN_value_one());
    BN_gcd(divisor.get(), minus_one.get(), exponent, ctx);
    if (BN_is_one(divisor.get())) return candidate;
  }
}

SharedKey MakeRsaKey(Rng& rng, int bits) {
  const BnCtxPtr ctx(BN_CTX_new());
  const BnPtr e = NewBn();
  BN_set_word(e.get(), RSA_F4);
  BnPtr p = MakePrime(rng, bits / 2, e.get(), ctx.get());
  BnPtr q = MakePrime(rng, bits / 2, e.get(), ctx.get());
  if (BN_cmp(p.get(), q.get()) < 0) std::swap(p, q);
  const BnPtr n = NewBn();
  const BnPtr p1 = NewBn();
  const BnPtr q1 = NewBn();
  const BnPtr phi = NewBn();
  const BnPtr dp = NewBn();
  const BnPtr dq = NewBn();
  Check(BN_mul(n.get(), p.get(), q.get(), ctx.get()) == 1 &&
            BN_sub(p1.get(), p.get(), BN_value_one()) == 1 &&
            BN_sub(q1.get(), q.get(), BN_value_one()) == 1 &&
            BN_mul(phi.get(), p1.get(), q1.get(), ctx.get()) == 1,
        "RSA modulus");
  const BnPtr d =
      Checked(BnPtr(BN_mod_inverse(nullptr, e.get(), phi.get(), ctx.get())), "RSA exponent");
  const BnPtr qinv =
      Checked(BnPtr(BN_mod_inverse(nullptr, q.get(), p.get(), ctx.get())), "RSA coefficient");
  Check(BN_mod(dp.get(), d.get(), p1.get(), ctx.get()) == 1 &&
            BN_mod(dq.get(), d.get(), q1.get(), ctx.get()) == 1,
        "RSA exponents");
  const ParamBuilderPtr builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_D, d.get());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_FACTOR1, p.get());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_FACTOR2, q.get());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_EXPONENT1, dp.get());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_EXPONENT2, dq.get());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_COEFFICIENT1, qinv.get());
  return KeyFromParams("RSA", builder.get());
}

SharedKey MakeKey(KeyType type, Rng& rng) {
  return type == KeyType::kEcP256 ? MakeEcKey(rng)
                                  : MakeRsaKey(rng, type == KeyType::kRsa1024 ? 1024 : 2048);
}

template <typename T>
Bytes Der(T* object, int (*encode)(T*, unsigned char**)) {
  unsigned char* data = nullptr;
  const int size = encode(object, &data);
  Check(size > 0, "DER");
  Bytes result(data, data + size);
  OPENSSL_free(data);
  return result;
}

// One DER element: tag, length, content.
Bytes Element(unsigned char tag, const Bytes& content) {
  Bytes result = {tag};
  const std::size_t size = content.size();
  if (size < 0x80) {
    result.push_back(static_cast<unsigned char>(size));
  } else if (size < 0x100) {
    result.insert(result.end(), {0x81, static_cast<unsigned char>(size)});
  } else {
    Check(size < 0x10000, "element too long");
    result.insert(result.end(),
                  {0x82, static_cast<unsigned char>(size >> 8U), static_cast<unsigned char>(size)});
  }
  result.insert(result.end(), content.begin(), content.end());
  return result;
}

// ECDSA (FIPS 186-4, section 6.4) with the nonce drawn from `rng`: OpenSSL 3.0 has no way to be
// given one.
Bytes SignEcdsa(EVP_PKEY* key, const Bytes& message, Rng& rng) {
  const BnCtxPtr ctx(BN_CTX_new());
  const GroupPtr group(EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1));
  const BIGNUM* order = EC_GROUP_get0_order(group.get());
  BIGNUM* scalar = nullptr;
  Check(EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_PRIV_KEY, &scalar) == 1, "private scalar");
  const BnPtr d(scalar);
  std::array<unsigned char, 32> digest{};
  Check(EVP_Digest(message.data(), message.size(), digest.data(), nullptr, EVP_sha256(), nullptr) ==
            1,
        "SHA-256");
  const BnPtr z(BN_bin2bn(digest.data(), digest.size(), nullptr));
  for (;;) {
    const BnPtr k = RandomScalar(rng, order, ctx.get());
    const PointPtr point(EC_POINT_new(group.get()));
    const BnPtr x = NewBn();
    BnPtr r = NewBn();
    BnPtr s = NewBn();
    const BnPtr inverse(BN_mod_inverse(nullptr, k.get(), order, ctx.get()));
    Check(inverse != nullptr &&
              EC_POINT_mul(group.get(), point.get(), k.get(), nullptr, nullptr, ctx.get()) == 1 &&
              EC_POINT_get_affine_coordinates(group.get(), point.get(), x.get(), nullptr,
                                              ctx.get()) == 1 &&
              BN_nnmod(r.get(), x.get(), order, ctx.get()) == 1 &&
              BN_mod_mul(s.get(), r.get(), d.get(), order, ctx.get()) == 1 &&
              BN_mod_add(s.get(), s.get(), z.get(), order, ctx.get()) == 1 &&
              BN_mod_mul(s.get(), s.get(), inverse.get(), order, ctx.get()) == 1,
          "ECDSA");
    if (BN_is_zero(r.get()) || BN_is_zero(s.get())) continue;
    ECDSA_SIG* signature = ECDSA_SIG_new();
    ECDSA_SIG_set0(signature, r.release(), s.release());
    Bytes result = Der<const ECDSA_SIG>(signature, i2d_ECDSA_SIG);
    ECDSA_SIG_free(signature);
    return result;
  }
}

// Signs so that the bytes depend on nothing but the arguments.
void Sign(X509Ptr& certificate, EVP_PKEY* key, Rng& rng) {
  // OpenSSL's own signature fills in the algorithm identifiers, and is the final one with RSA (PKCS
  // #1 1.5 has no nonce).
  Check(X509_sign(certificate.get(), key, EVP_sha256()) > 0, "sign");
  if (EVP_PKEY_get_base_id(key) != EVP_PKEY_EC) return;
  const X509_ALGOR* algorithm = nullptr;
  X509_get0_signature(nullptr, &algorithm, certificate.get());
  const Bytes to_be_signed = Der<X509>(certificate.get(), i2d_re_X509_tbs);
  Bytes bits = {0};  // of the BIT STRING: no unused bits
  const Bytes signature = SignEcdsa(key, to_be_signed, rng);
  bits.insert(bits.end(), signature.begin(), signature.end());
  Bytes content = to_be_signed;
  for (const Bytes& part :
       {Der<const X509_ALGOR>(algorithm, i2d_X509_ALGOR), Element(0x03, bits)}) {
    content.insert(content.end(), part.begin(), part.end());
  }
  const Bytes whole = Element(0x30, content);
  const unsigned char* at = whole.data();
  certificate =
      Checked(X509Ptr(d2i_X509(nullptr, &at, static_cast<long>(whole.size()))), "certificate");
}

std::string KeyPem(EVP_PKEY* key) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  Check(PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1,
        "PEM");
  return TextOf(bio.get());
}

void SetTime(ASN1_TIME* field, WallTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
  Check(ASN1_TIME_set(field, seconds) != nullptr, "time");
}

void AddExtension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX ctx;
  X509V3_set_ctx_nodb(&ctx);
  X509V3_set_ctx(&ctx, issuer, certificate, nullptr, nullptr, 0);
  const ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &ctx, nid, value.c_str()));
  Check(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1, value);
}

void AddNames(X509* certificate, const LeafOptions& options) {
  if (options.dns_names.empty() && options.ips.empty()) return;
  const NamesPtr names(sk_GENERAL_NAME_new_null());
  for (const std::string& name : options.dns_names) {
    Check(!name.empty() && name.size() < 254, "DNS name of a certificate");
    ASN1_IA5STRING* text = ASN1_IA5STRING_new();
    ASN1_STRING_set(text, name.data(), static_cast<int>(name.size()));
    GENERAL_NAME* entry = GENERAL_NAME_new();
    GENERAL_NAME_set0_value(entry, GEN_DNS, text);
    sk_GENERAL_NAME_push(names.get(), entry);
  }
  for (const std::string& ip : options.ips) {
    ASN1_OCTET_STRING* address = a2i_IPADDRESS(ip.c_str());
    Check(address != nullptr, fmt::format("'{}' is not an IP address", ip));
    GENERAL_NAME* entry = GENERAL_NAME_new();
    GENERAL_NAME_set0_value(entry, GEN_IPADD, address);
    sk_GENERAL_NAME_push(names.get(), entry);
  }
  Check(
      X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), 0, X509V3_ADD_DEFAULT) == 1,
      "subjectAltName");
}

X509Ptr NewCertificate(const std::string& common_name, EVP_PKEY* key, WallTime not_before,
                       WallTime not_after, Rng& rng) {
  Check(not_before <= not_after, "a certificate's not_after lies before its not_before");
  X509Ptr certificate(X509_new());
  X509_set_version(certificate.get(), X509_VERSION_3);
  // 16 bytes with the highest bit clear and the next set: positive, never zero, of one length (RFC
  // 5280, 4.1.2.2).
  const BnPtr serial = RandomBn(rng, 16);
  BN_clear_bit(serial.get(), 127);
  BN_set_bit(serial.get(), 126);
  BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(certificate.get()));
  SetTime(X509_getm_notBefore(certificate.get()), not_before);
  SetTime(X509_getm_notAfter(certificate.get()), not_after);
  X509_NAME* name = X509_get_subject_name(certificate.get());
  for (const auto& [field, value] :
       {std::pair<const char*, std::string>{"O", "squall"}, {"CN", common_name}}) {
    if (value.empty()) continue;
    Check(X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8,
                                     reinterpret_cast<const unsigned char*>(value.data()),
                                     static_cast<int>(value.size()), -1, 0) == 1,
          fmt::format("common name '{}'", value));
  }
  Check(X509_set_pubkey(certificate.get(), key) == 1, "public key");
  return certificate;
}

}  // namespace

struct CertificateAuthority::Impl {
  X509Ptr certificate;
  SharedKey key;
  std::string pem;
};

CertificateAuthority::CertificateAuthority(std::shared_ptr<const Impl> impl, WallTime now, Rng rng)
    : impl_(std::move(impl)), now_(now), rng_(rng) {}

CertificateAuthority CertificateAuthority::Create(const CaOptions& options, WallTime now,
                                                  Rng& rng) {
  return Make(options, nullptr, now, Rng(rng.Next()));
}

CertificateAuthority CertificateAuthority::IssueAuthority(const CaOptions& options) {
  return Make(options, impl_.get(), now_, Rng(rng_.Next()));
}

CertificateAuthority CertificateAuthority::Make(const CaOptions& options, const Impl* issuer,
                                                WallTime now, Rng own) {
  ERR_clear_error();
  auto impl = std::make_shared<Impl>();
  impl->key = MakeKey(options.key_type, own);
  impl->certificate =
      NewCertificate(options.common_name, impl->key.get(),
                     options.not_before.value_or(now - std::chrono::hours(24 * 365)),
                     options.not_after.value_or(now + std::chrono::hours(24 * 3650)), own);
  X509* certificate = impl->certificate.get();
  X509* by = issuer == nullptr ? certificate : issuer->certificate.get();
  X509_set_issuer_name(certificate, X509_get_subject_name(by));
  AddExtension(certificate, by, NID_basic_constraints, "critical,CA:TRUE");
  AddExtension(certificate, by, NID_key_usage, "critical,keyCertSign,cRLSign");
  AddExtension(certificate, by, NID_subject_key_identifier, "hash");
  AddExtension(certificate, by, NID_authority_key_identifier, "keyid:always");
  Sign(impl->certificate, issuer == nullptr ? impl->key.get() : issuer->key.get(), own);
  impl->pem = PemOf(impl->certificate.get());
  return CertificateAuthority(std::move(impl), now, own);
}

namespace {

// Null issuer: signed by itself.
TlsIdentity MakeLeaf(const LeafOptions& options, X509* issuer, EVP_PKEY* issuer_key, WallTime now,
                     Rng& rng) {
  ERR_clear_error();
  const SharedKey key = MakeKey(options.key_type, rng);
  X509Ptr leaf = NewCertificate(options.common_name, key.get(),
                                options.not_before.value_or(now - std::chrono::hours(1)),
                                options.not_after.value_or(now + std::chrono::hours(24 * 90)), rng);
  if (issuer == nullptr) issuer = leaf.get();
  X509_set_issuer_name(leaf.get(), X509_get_subject_name(issuer));
  AddExtension(leaf.get(), issuer, NID_basic_constraints, "critical,CA:FALSE");
  AddExtension(leaf.get(), issuer, NID_key_usage,
               options.key_type == KeyType::kEcP256 ? "critical,digitalSignature"
                                                    : "critical,digitalSignature,keyEncipherment");
  std::string usage = options.server_auth ? "serverAuth" : "";
  if (options.client_auth) usage += usage.empty() ? "clientAuth" : ",clientAuth";
  if (!usage.empty()) AddExtension(leaf.get(), issuer, NID_ext_key_usage, usage);
  AddNames(leaf.get(), options);
  AddExtension(leaf.get(), issuer, NID_subject_key_identifier, "hash");
  AddExtension(leaf.get(), issuer, NID_authority_key_identifier, "keyid:always");
  Sign(leaf, issuer_key == nullptr ? key.get() : issuer_key, rng);
  return {PemOf(leaf.get()), KeyPem(key.get())};
}

}  // namespace

TlsIdentity CertificateAuthority::Issue(const LeafOptions& options) {
  return MakeLeaf(options, impl_->certificate.get(), impl_->key.get(), now_, rng_);
}

TlsIdentity SelfSigned(const LeafOptions& options, WallTime now, Rng& rng) {
  Rng own(rng.Next());
  return MakeLeaf(options, nullptr, nullptr, now, own);
}

TlsIdentity WithForeignKey(const TlsIdentity& identity, Rng& rng) {
  ERR_clear_error();
  Rng own(rng.Next());
  const BioPtr bio(BIO_new_mem_buf(identity.private_key_pem.data(),
                                   static_cast<int>(identity.private_key_pem.size())));
  const KeyPtr right(PEM_read_bio_PrivateKey(bio.get(), nullptr, openssl::NoPassphrase, nullptr));
  Check(right != nullptr && EVP_PKEY_get_base_id(right.get()) == EVP_PKEY_EC, "a key of P-256");
  // Loading compares public halves only.
  Bytes point(65);
  std::size_t size = 0;
  Check(EVP_PKEY_get_octet_string_param(right.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                        point.size(), &size) == 1,
        "public point");
  const BnCtxPtr ctx(BN_CTX_new());
  const GroupPtr group(EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1));
  const BnPtr scalar = RandomScalar(own, EC_GROUP_get0_order(group.get()), ctx.get());
  const ParamBuilderPtr builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, SN_X9_62_prime256v1,
                                  0);
  OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), size);
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_PRIV_KEY, scalar.get());
  return {identity.certificate_chain_pem, KeyPem(KeyFromParams("EC", builder.get()).get())};
}

const std::string& CertificateAuthority::certificate_pem() const { return impl_->pem; }

namespace {

struct NamedIdentity {
  std::string_view name;
  TlsIdentity CertificateSet::*field;
};
constexpr std::array<NamedIdentity, 8> kIdentities = {
    {{"server", &CertificateSet::server},
     {"client", &CertificateSet::client},
     {"wrong_ca", &CertificateSet::wrong_ca},
     {"expired", &CertificateSet::expired},
     {"not_yet", &CertificateSet::not_yet},
     {"wrong_name", &CertificateSet::wrong_name},
     {"no_ip", &CertificateSet::no_ip},
     {"no_client_auth", &CertificateSet::no_client_auth}}};

}  // namespace

const TlsIdentity* CertificateSet::Find(std::string_view name) const {
  for (const NamedIdentity& identity : kIdentities) {
    if (identity.name == name) return &(this->*identity.field);
  }
  return nullptr;
}

std::span<const std::string> CertificateSet::Names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> result;
    result.reserve(kIdentities.size());
    for (const NamedIdentity& identity : kIdentities) result.emplace_back(identity.name);
    return result;
  }();
  return names;
}

CertificateSet MintCatalogue(WallTime now, Rng& rng, const CatalogueOptions& options) {
  constexpr auto kDay = std::chrono::hours(24);
  CaOptions ca_options;
  ca_options.key_type = options.key_type;
  CertificateAuthority ca = CertificateAuthority::Create(ca_options, now, rng);
  // A name of its own: with an equal name clients report a bad signature instead of an unknown
  // issuer, which is what they say of any authority in the wild.
  ca_options.common_name = "squall other CA";
  CertificateAuthority other = CertificateAuthority::Create(ca_options, now, rng);

  LeafOptions base;
  base.common_name = options.dns_names.empty() ? "server" : options.dns_names.front();
  base.dns_names = options.dns_names;
  base.ips = options.ips;
  base.key_type = options.key_type;
  LeafOptions both = base;
  both.client_auth = true;

  CertificateSet set;
  set.ca_pem = ca.certificate_pem();
  set.wrong_ca_pem = other.certificate_pem();
  set.server = ca.Issue(base);
  LeafOptions client;
  client.common_name = "worker";
  client.server_auth = false;
  client.client_auth = true;
  client.key_type = options.key_type;
  set.client = ca.Issue(client);
  set.wrong_ca = other.Issue(both);
  // The authority is valid since yesterday, which the leaf's own validity does not have to lie
  // within.
  LeafOptions expired = both;
  expired.not_before = now - 30 * kDay;
  expired.not_after = now - kDay;
  set.expired = ca.Issue(expired);
  LeafOptions not_yet = both;
  not_yet.not_before = now + kDay;
  not_yet.not_after = now + 30 * kDay;
  set.not_yet = ca.Issue(not_yet);
  LeafOptions wrong_name = base;
  wrong_name.common_name = "other.example";
  wrong_name.dns_names = {"other.example"};
  wrong_name.ips.clear();
  set.wrong_name = ca.Issue(wrong_name);
  LeafOptions no_ip = base;
  no_ip.ips.clear();
  set.no_ip = ca.Issue(no_ip);
  LeafOptions no_client_auth = base;
  no_client_auth.common_name = "worker";
  set.no_client_auth = ca.Issue(no_client_auth);
  set.authority = ca;
  set.other_authority = other;
  return set;
}

namespace {

WallTime TimeOf(const ASN1_TIME* field) {
  tm parts{};
  Check(ASN1_TIME_to_tm(field, &parts) == 1, "time of a certificate");
  const std::chrono::sys_days day = std::chrono::year(parts.tm_year + 1900) /
                                    std::chrono::month(static_cast<unsigned>(parts.tm_mon + 1)) /
                                    std::chrono::day(static_cast<unsigned>(parts.tm_mday));
  return WallTime(day.time_since_epoch() + std::chrono::hours(parts.tm_hour) +
                  std::chrono::minutes(parts.tm_min) + std::chrono::seconds(parts.tm_sec));
}

std::string AddressText(const ASN1_OCTET_STRING* address) {
  const unsigned char* data = ASN1_STRING_get0_data(address);
  const int size = ASN1_STRING_length(address);
  std::string text;
  if (size == 4) return fmt::format("{}.{}.{}.{}", data[0], data[1], data[2], data[3]);
  for (int i = 0; i + 1 < size; i += 2) {
    text += fmt::format("{}{:x}", i == 0 ? "" : ":", (data[i] << 8) | data[i + 1]);
  }
  return text;
}

std::string KeyText(EVP_PKEY* key) {
  if (key == nullptr) return "unknown";
  const int bits = EVP_PKEY_get_bits(key);
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_EC:
      return fmt::format("EC P-{}", bits);
    case EVP_PKEY_RSA:
      return fmt::format("RSA {}", bits);
    default:
      break;
  }
  const char* name = EVP_PKEY_get0_type_name(key);
  return name != nullptr ? name : "unknown";
}

}  // namespace

StatusOr<CertificateInfo> DescribeCertificate(std::string_view pem) {
  ERR_clear_error();
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const X509Ptr certificate(PEM_read_bio_X509(bio.get(), nullptr, openssl::NoPassphrase, nullptr));
  if (!certificate) {
    const char* reason = ERR_reason_error_string(ERR_peek_last_error());
    return MakeStatus(StatusCode::kInvalidArgument, "not a certificate in PEM: {}",
                      reason != nullptr ? reason : "no reason given");
  }
  X509* x = certificate.get();
  CertificateInfo info;
  info.subject = NameOf(X509_get_subject_name(x));
  info.issuer = NameOf(X509_get_issuer_name(x));
  const BnPtr serial(ASN1_INTEGER_to_BN(X509_get0_serialNumber(x), nullptr));
  char* hex = BN_bn2hex(serial.get());
  for (const char* c = hex; *c != '\0'; ++c)
    info.serial += static_cast<char>(*c >= 'A' && *c <= 'F' ? *c + 32 : *c);
  OPENSSL_free(hex);
  info.version = static_cast<int>(X509_get_version(x)) + 1;
  info.not_before = TimeOf(X509_get0_notBefore(x));
  info.not_after = TimeOf(X509_get0_notAfter(x));
  info.is_ca = X509_check_ca(x) == 1;
  for (int i = 0; i < X509_get_ext_count(x); ++i) {
    const int nid = OBJ_obj2nid(X509_EXTENSION_get_object(X509_get_ext(x, i)));
    info.extensions.emplace_back(OBJ_nid2sn(nid));
  }
  const NamesPtr names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(x, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; i < (names ? sk_GENERAL_NAME_num(names.get()) : 0); ++i) {
    int type = 0;
    const void* value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names.get(), i), &type);
    if (type == GEN_DNS) {
      const auto* text = static_cast<const ASN1_IA5STRING*>(value);
      info.dns_names.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                                  static_cast<std::size_t>(ASN1_STRING_length(text)));
    } else if (type == GEN_IPADD) {
      info.ips.push_back(AddressText(static_cast<const ASN1_OCTET_STRING*>(value)));
    }
  }
  const std::uint32_t usage = X509_get_extended_key_usage(x);
  if (usage != UINT32_MAX) {
    if ((usage & XKU_SSL_SERVER) != 0) info.extended_key_usage.emplace_back("serverAuth");
    if ((usage & XKU_SSL_CLIENT) != 0) info.extended_key_usage.emplace_back("clientAuth");
  }
  info.key = KeyText(X509_get0_pubkey(x));
  return info;
}

}  // namespace squall::wire
