#pragma once
// The machine's own kernel, past every function that the simulator replaces.

namespace squall::sim {

// One system call. Returns the kernel's answer: a negative number is an error's.
long Raw(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0);
// Where all of them are made: the address behind the instruction.
const void* RawDoor();

// The answer as libc gives it: -1 and errno.
long WithErrno(long answer);
// -1 and this errno.
int FailWith(int error);

// Writes all of a text to a descriptor of the machine.
void RawWrite(int fd, const char* text, unsigned long size);

// Ends the whole program, all its simulated processes included, at once.
[[noreturn]] void RawExit(int code);

// The next definition of a libc function behind the simulator's own: libc's.
void* NextDefinition(const char* name);

}  // namespace squall::sim

// Calls libc's own `name`. Looked up once; no guard variable, since guards may lock.
#define SQUALL_LIBC(name)                                                                \
  ([]() -> decltype(&::name) {                                                           \
    static constinit decltype(&::name) found = nullptr;                                  \
    if (found == nullptr)                                                                \
      found = reinterpret_cast<decltype(&::name)>(::squall::sim::NextDefinition(#name)); \
    return found;                                                                        \
  }())

// Opens the definition of the function that takes the place of libc's `name`, for this program and
// for every library in it. It has a C++ name of its own, so that libc's declaration, with its
// exception specification and attributes, does not collide.
#define SQUALL_REPLACES(result, name, ...)               \
  extern "C" __attribute__((visibility("default")))      \
  result squall_libc_##name(__VA_ARGS__) __asm__(#name); \
  extern "C" result squall_libc_##name(__VA_ARGS__)
