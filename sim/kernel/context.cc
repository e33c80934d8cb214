#include "sim/kernel/context.h"

#include <sys/auxv.h>

#include "sim/kernel/raw.h"

namespace squall::sim {
namespace {

// Whether programs may set the FS base themselves; the kernel does it for a system call otherwise.
constexpr unsigned long kSetsStorage = 2;  // HWCAP2_FSGSBASE

}  // namespace

extern "C" {
// Read below.
unsigned char squall_sim_sets_storage = (::getauxval(AT_HWCAP2) & kSetsStorage) != 0 ? 1 : 0;
void squall_sim_switch(Context* from, const Context* to);
void squall_sim_park(Context* self, std::uint32_t* parked, std::uint32_t* released, void* stack);
}

// Registers that a called function keeps lie on the stack. A context's two words are its stack and
// its storage. System calls go through Raw, as all of the simulator's do; while parked, with a
// little stack for its return address.
#define SQUALL_RAW "_ZN6squall3sim3RawElllllll"
__asm__(R"(
  .text
  .p2align 4
  .type squall_sim_switch, @function
squall_sim_switch:
  push %rbp
  push %rbx
  push %r12
  push %r13
  push %r14
  push %r15
  mov %rsp, (%rdi)
  cmpb $0, squall_sim_sets_storage(%rip)
  je 1f
  mov 8(%rsi), %rax
  wrfsbase %rax
  jmp 2f
1:
  mov %rsi, %rbx
  mov $158, %edi            # arch_prctl
  mov $0x1002, %esi         # ARCH_SET_FS
  mov 8(%rbx), %rdx
  sub $24, %rsp
  call )" SQUALL_RAW R"(
  mov %rbx, %rsi
2:
  mov (%rsi), %rsp
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbx
  pop %rbp
  ret
  .size squall_sim_switch, . - squall_sim_switch

  .p2align 4
  .type squall_sim_park, @function
squall_sim_park:
  push %rbp
  push %rbx
  push %r12
  push %r13
  push %r14
  push %r15
  mov %rdi, %rbx
  mov %rsi, %r13
  mov %rdx, %r12
  mov %rsp, (%rbx)
  mov %rcx, %rsp
  movl $1, (%r13)
  mov $202, %edi            # futex
  mov %r13, %rsi
  mov $129, %edx            # FUTEX_WAKE_PRIVATE
  mov $1, %ecx
  xor %r8d, %r8d
  call )" SQUALL_RAW R"(
1:
  cmpl $0, (%r12)
  jne 2f
  mov $202, %edi
  mov %r12, %rsi
  mov $128, %edx            # FUTEX_WAIT_PRIVATE
  xor %ecx, %ecx
  xor %r8d, %r8d            # for ever
  call )" SQUALL_RAW R"(
  jmp 1b
2:
  mov (%rbx), %rsp
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbx
  pop %rbp
  ret
  .size squall_sim_park, . - squall_sim_park
)");

void* StorageHere() { return __builtin_thread_pointer(); }

void SwitchContext(Context& from, const Context& to) { squall_sim_switch(&from, &to); }

void ParkContext(Context& self, std::uint32_t& parked, std::uint32_t& released) {
  // Room for the call and its seventh argument, on a boundary of 16.
  squall_sim_park(&self, &parked, &released, self.parking + sizeof self.parking - 16);
}

}  // namespace squall::sim
