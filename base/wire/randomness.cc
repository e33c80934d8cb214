// OpenSSL 3 calls its generator's methods deprecated, in favour of loadable providers; they work.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "base/wire/randomness.h"

#include <openssl/rand.h>

namespace squall::wire {
namespace {

void (*fill_with)(void* bytes, std::size_t size) = nullptr;

int Bytes(unsigned char* bytes, int size) {
  fill_with(bytes, static_cast<std::size_t>(size));
  return 1;
}

int Ready() { return 1; }

}  // namespace

void UseRandomness(void (*fill)(void* bytes, std::size_t size)) {
  fill_with = fill;
  static RAND_METHOD method{nullptr, &Bytes, nullptr, nullptr, &Bytes, &Ready};
  RAND_set_rand_method(&method);
}

}  // namespace squall::wire
