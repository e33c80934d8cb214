#pragma once
// What tls.cc and certificates.cc share over OpenSSL: owning pointers and texts. Not for other
// folders.

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

namespace squall::wire::openssl {

template <auto Free>
struct Freer {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
template <typename T, auto Free>
using Ptr = std::unique_ptr<T, Freer<Free>>;

using BioPtr = Ptr<BIO, BIO_free>;
using X509Ptr = Ptr<X509, X509_free>;
using KeyPtr = Ptr<EVP_PKEY, EVP_PKEY_free>;

// OPENSSL_free is a macro.
inline void FreeBytes(void* bytes) { OPENSSL_free(bytes); }

inline std::string TextOf(BIO* memory) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory, &data);
  return {data, static_cast<std::size_t>(size)};
}

inline std::string PemOf(X509* certificate) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(bio.get(), certificate);
  return TextOf(bio.get());
}

// "CN=worker,O=squall" (RFC 2253).
inline std::string NameOf(const X509_NAME* name) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253);
  return TextOf(bio.get());
}

// Without it OpenSSL asks for the passphrase of encrypted PEM on the terminal.
inline int NoPassphrase(char*, int, int, void*) { return 0; }

}  // namespace squall::wire::openssl
