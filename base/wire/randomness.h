#pragma once
// Where OpenSSL's random bytes come from, for programs in which nothing may be left to chance.

#include <cstddef>

namespace squall::wire {

// From now on everything that OpenSSL draws in this process (keys, nonces, session tickets) is what
// `fill` writes. Its own generator draws on more than the operating system's (time, addresses), so
// seeding that is not enough. Before any other use of OpenSSL; for the rest of the process's life.
void UseRandomness(void (*fill)(void* bytes, std::size_t size));

}  // namespace squall::wire
