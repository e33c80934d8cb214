#pragma once
// Nothing outlives squall: not under SIGKILL of squall, not when a grandchild left its process
// group or daemonised.
//
// PR_SET_PDEATHSIG reaches only direct children. The guardian closes the gap with the kernel's
// subreaper: Enter() forks; the *parent* stays behind as the guardian and never returns, the child
// goes on as the program. Whatever the program starts, however often it forks, is a descendant of
// the guardian, and an orphan is given to it by the kernel. When the program ends, for any reason,
// the guardian kills its descendants until the kernel says there are none, then ends the same way
// (exit code, or signal). When whoever started the guardian dies, it is told by PR_SET_PDEATHSIG
// (SIGTERM) or by the end of the lifeline pipe and does the same. When the guardian itself is
// killed, the program gets SIGKILL by PR_SET_PDEATHSIG, and what is left is found by the next
// guardian above, or by KillDescendants.

#include <cstdint>
#include <string>
#include <vector>

#include "base/util/clock.h"
#include "base/util/status.h"

namespace squall::harness {

struct GuardianOptions {
  // The process name of the guardian (15 characters), for ps.
  std::string name = "squall-guard";
  // Die with the process that started us, even when it gets SIGKILL.
  bool die_with_parent = true;
};

// Splits this process in guardian and program; returns in the program (a new pid) only. SIGINT,
// SIGTERM, SIGHUP and SIGQUIT that reach the guardian are passed on to the program. Call it first
// thing in main: FAILED_PRECONDITION when more than one thread runs (a fork would lose them),
// UNAVAILABLE when the kernel refuses. The program is made a subreaper too, so that FindDescendants
// sees strays while it runs.
Status EnterGuardian(const GuardianOptions& options = {});

// One process below this one.
struct Descendant {
  std::int64_t pid = 0;
  std::int64_t parent = 0;
  std::int64_t group = 0;
  char state = '?';  // as in /proc/PID/stat; Z: dead, not reaped
  std::string command;
};

// All living descendants of `root` (0: this process), parents before children; the dead that nobody
// reaped are left out. For the leak check at the end of a run: what is in the list and not known is
// a leak.
std::vector<Descendant> FindDescendants(std::int64_t root = 0);

// SIGKILLs all descendants of this process, again until none is left or `limit` has passed, and
// reaps those that are its own children. Blocks. Returns how many were killed; DEADLINE_EXCEEDED
// names what would not die.
StatusOr<int> KillDescendants(const Clock& clock, Duration limit);

}  // namespace squall::harness
