#include "sim/kernel/call_filter.h"

#include <linux/audit.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "base/util/status.h"

namespace squall::sim {
namespace {

// What libc's own code may do past the functions that are replaced. All answer at once, the same in
// every run that does the same.
constexpr int kOfLibc[] = {
    // memory
    SYS_mmap, SYS_munmap, SYS_mprotect, SYS_madvise, SYS_mremap, SYS_brk,
    // files
    SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_pread64, SYS_pwrite64, SYS_openat, SYS_close,
    SYS_lseek, SYS_fstat, SYS_newfstatat, SYS_statx, SYS_access, SYS_faccessat, SYS_readlink,
    SYS_getcwd, SYS_mkdir, SYS_unlink, SYS_rename, SYS_ftruncate, SYS_getdents64, SYS_fcntl,
    SYS_ioctl,
    // threads begin and end, signals are handled, a program aborts
    SYS_clone, SYS_clone3, SYS_set_robust_list, SYS_rseq, SYS_exit, SYS_exit_group, SYS_prctl,
    SYS_sigaltstack, SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_restart_syscall,
    SYS_getpid, SYS_gettid, SYS_tgkill};

// Where a jump of the filter goes.
enum class To { kNext, kAllow, kTrap, kOutside, kLibc, kFutex, kForEver };

// A program for the kernel's filter machine. All jumps go forward.
class FilterText {
 public:
  void Load(std::size_t offset) {
    Add(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset));
  }
  void Add(int code, std::uint32_t value = 0) {
    text_.push_back({static_cast<std::uint16_t>(code), 0, 0, value});
  }
  void If(int comparison, std::uint64_t value, To then, To otherwise) {
    jumps_.push_back({text_.size(), then, otherwise});
    Add(BPF_JMP | comparison | BPF_K, static_cast<std::uint32_t>(value));
  }
  void Here(To label) { labels_[label] = text_.size(); }

  std::vector<sock_filter> Finish() {
    Here(To::kTrap);
    Add(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
    Here(To::kAllow);
    Add(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    for (const Jump& jump : jumps_) {
      text_[jump.at].jt = Distance(jump.at, jump.then);
      text_[jump.at].jf = Distance(jump.at, jump.otherwise);
    }
    return text_;
  }

 private:
  struct Jump {
    std::size_t at;
    To then, otherwise;
  };
  std::uint8_t Distance(std::size_t from, To label) const {
    if (label == To::kNext) return 0;
    const std::size_t by = labels_.at(label) - from - 1;
    SQUALL_CHECK(by < 256, "a jump of the filter is short");
    return static_cast<std::uint8_t>(by);
  }

  std::vector<sock_filter> text_;
  std::vector<Jump> jumps_;
  std::map<To, std::size_t> labels_;
};

constexpr std::size_t kNumber = offsetof(seccomp_data, nr);
constexpr std::size_t kPlace = offsetof(seccomp_data, instruction_pointer);
constexpr std::size_t ArgumentAt(std::size_t n) { return offsetof(seccomp_data, args) + n * 8; }

// The filter machine has registers of 32 bits; in units of so many bytes an address fits one. A
// library's neighbours within a unit are its own data.
constexpr int kUnitBits = 16;

}  // namespace

std::vector<sock_filter> CallFilter(const void* door, std::span<const CodeRange> libc) {
  const auto at = reinterpret_cast<std::uintptr_t>(door);
  FilterText text;
  text.Load(offsetof(seccomp_data, arch));
  text.If(BPF_JEQ, AUDIT_ARCH_X86_64, To::kNext, To::kTrap);
  // The hand-over of the baton, by far the most frequent of all, comes first.
  text.Load(kPlace + 4);
  text.If(BPF_JEQ, at >> 32, To::kNext, To::kOutside);
  text.Load(kPlace);
  text.If(BPF_JEQ, at & 0xffffffffU, To::kAllow, To::kOutside);

  text.Here(To::kOutside);
  text.Load(kPlace + 4);
  text.Add(BPF_ALU | BPF_LSH | BPF_K, 32 - kUnitBits);
  text.Add(BPF_ST, 0);
  text.Load(kPlace);
  text.Add(BPF_ALU | BPF_RSH | BPF_K, kUnitBits);
  text.Add(BPF_LDX | BPF_W | BPF_MEM, 0);
  text.Add(BPF_ALU | BPF_OR | BPF_X);
  text.Add(BPF_MISC | BPF_TAX);
  for (const CodeRange& code : libc) {
    // In [begin, end): the difference, without a sign, is less than the length.
    const std::uint64_t first = code.begin >> kUnitBits, last = (code.end - 1) >> kUnitBits;
    text.Add(BPF_MISC | BPF_TXA);
    text.Add(BPF_ALU | BPF_SUB | BPF_K, static_cast<std::uint32_t>(first));
    text.If(BPF_JGT, last - first, To::kNext, To::kLibc);
  }
  text.Add(BPF_RET | BPF_K, SECCOMP_RET_TRAP);

  text.Here(To::kLibc);
  text.Load(kNumber);
  for (const int number : kOfLibc)
    text.If(BPF_JEQ, static_cast<std::uint32_t>(number), To::kAllow, To::kNext);
  text.If(BPF_JEQ, SYS_futex, To::kFutex, To::kTrap);
  // A wait with an end is a sleep.
  text.Here(To::kFutex);
  text.Load(ArgumentAt(1));
  text.Add(BPF_ALU | BPF_AND | BPF_K, FUTEX_CMD_MASK);
  text.If(BPF_JEQ, FUTEX_WAIT, To::kForEver, To::kNext);
  text.If(BPF_JEQ, FUTEX_WAIT_BITSET, To::kForEver, To::kNext);
  text.If(BPF_JEQ, FUTEX_WAKE, To::kAllow, To::kNext);
  text.If(BPF_JEQ, FUTEX_REQUEUE, To::kAllow, To::kNext);
  text.If(BPF_JEQ, FUTEX_CMP_REQUEUE, To::kAllow, To::kTrap);
  text.Here(To::kForEver);
  text.Load(ArgumentAt(3));
  text.If(BPF_JEQ, 0, To::kNext, To::kTrap);
  text.Load(ArgumentAt(3) + 4);
  text.If(BPF_JEQ, 0, To::kAllow, To::kTrap);
  return text.Finish();
}

}  // namespace squall::sim
