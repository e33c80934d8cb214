#include "base/wire/authority_bundle.h"

#include <openssl/asn1.h>

#include <memory>
#include <string>
#include <vector>

#include "base/wire/openssl.h"

namespace squall::wire {
namespace {

using openssl::BioPtr;
using openssl::Ptr;
using openssl::X509Ptr;
using X509NamePtr = Ptr<X509_NAME, X509_NAME_free>;

constexpr std::string_view kBeginCertificate = "-----BEGIN CERTIFICATE-----";

// Steps over one element; into it where `inside`. False at the end and for what is no DER.
bool Step(const unsigned char*& at, const unsigned char* end, bool inside) {
  long length = 0;
  int tag = 0, kind = 0;
  if (at >= end) return false;
  const int flags = ASN1_get_object(&at, &length, &tag, &kind, end - at);
  if ((flags & 0x80) != 0) return false;
  if (!inside) at += length;
  return true;
}

// RFC 5280, 4.1: Certificate { TBSCertificate { [0] version, serial, algorithm, issuer, validity,
// subject, ...
X509NamePtr SubjectOf(const std::string& der) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const unsigned char* end = at + der.size();
  if (!Step(at, end, true) || !Step(at, end, true)) return nullptr;
  constexpr unsigned char kVersion = 0xa0;
  if (at < end && *at == kVersion && !Step(at, end, false)) return nullptr;
  for (int skipped = 0; skipped < 4; ++skipped) {
    if (!Step(at, end, false)) return nullptr;
  }
  return X509NamePtr(d2i_X509_NAME(nullptr, &at, end - at));
}

struct BundledAuthority {
  std::string der;
  X509NamePtr subject;
};
using AuthorityList = std::vector<BundledAuthority>;

int FindAuthority(X509_LOOKUP* lookup, X509_LOOKUP_TYPE type, const X509_NAME* name,
                  X509_OBJECT* found) {
  if (type != X509_LU_X509) return 0;
  const auto& list = *static_cast<const AuthorityList*>(X509_LOOKUP_get_method_data(lookup));
  int result = 0;
  for (const BundledAuthority& one : list) {
    if (X509_NAME_cmp(one.subject.get(), name) != 0) continue;
    const auto* at = reinterpret_cast<const unsigned char*>(one.der.data());
    X509* certificate = d2i_X509(nullptr, &at, static_cast<long>(one.der.size()));
    if (certificate == nullptr) continue;
    // All of that name go into the store, where the caller looks through them.
    if (X509_STORE_add_cert(X509_LOOKUP_get_store(lookup), certificate) == 1 &&
        X509_OBJECT_set1_X509(found, certificate) == 1) {
      result = 1;
      // The caller counts a reference of its own for what it is handed.
      X509_free(certificate);
    }
    X509_free(certificate);
  }
  ERR_clear_error();
  return result;
}

void FreeAuthorities(X509_LOOKUP* lookup) {
  delete static_cast<AuthorityList*>(X509_LOOKUP_get_method_data(lookup));
}

X509_LOOKUP_METHOD* BundleMethod() {
  static X509_LOOKUP_METHOD* const method = [] {
    X509_LOOKUP_METHOD* made = X509_LOOKUP_meth_new("squall bundle");
    X509_LOOKUP_meth_set_get_by_subject(made, FindAuthority);
    X509_LOOKUP_meth_set_free(made, FreeAuthorities);
    return made;
  }();
  return method;
}

}  // namespace

std::size_t CountCertificates(std::string_view pem) {
  std::size_t count = 0;
  for (auto at = pem.find(kBeginCertificate); at != std::string_view::npos;
       at = pem.find(kBeginCertificate, at + kBeginCertificate.size()))
    ++count;
  return count;
}

Status TrustBundle(X509_STORE* store, std::string_view pem) {
  ERR_clear_error();
  auto list = std::make_unique<AuthorityList>();
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  char *label = nullptr, *header = nullptr;
  unsigned char* bytes = nullptr;
  long size = 0;
  while (PEM_read_bio(bio.get(), &label, &header, &bytes, &size) == 1) {
    const Ptr<char, openssl::FreeBytes> owned_label(label), owned_header(header);
    const Ptr<unsigned char, openssl::FreeBytes> owned_bytes(bytes);
    if (std::string_view(label) != PEM_STRING_X509) continue;
    BundledAuthority one{
        std::string(reinterpret_cast<char*>(bytes), static_cast<std::size_t>(size)), nullptr};
    one.subject = SubjectOf(one.der);
    if (one.subject) list->push_back(std::move(one));
  }
  const unsigned long last = ERR_peek_last_error();
  const bool ended =
      ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (!ended) return absl::InvalidArgumentError("cannot read PEM");
  X509_LOOKUP* lookup = X509_STORE_add_lookup(store, BundleMethod());
  if (lookup == nullptr) return absl::InternalError("no look-up");
  // Freed by the look-up, with the store.
  delete static_cast<AuthorityList*>(X509_LOOKUP_get_method_data(lookup));
  X509_LOOKUP_set_method_data(lookup, list.release());
  return absl::OkStatus();
}

}  // namespace squall::wire
