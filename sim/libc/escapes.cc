// Calls that wait, tell the time or reach the machine, and that the simulation has no use for yet:
// they end the run by name.
#include "sim/kernel/escape.h"
#include "sim/kernel/raw.h"
#include "sim/kernel/scheduler.h"

namespace squall::sim {

// The real call when there is no simulation is not needed: nothing of ours makes any of them.
#define SQUALL_ESCAPES(name) \
  SQUALL_REPLACES(long, name, void) { Escaped(#name); }

SQUALL_ESCAPES(epoll_pwait)
SQUALL_ESCAPES(ppoll)
SQUALL_ESCAPES(select)
SQUALL_ESCAPES(pselect)
SQUALL_ESCAPES(timerfd_create)
SQUALL_ESCAPES(timer_create)
SQUALL_ESCAPES(signalfd)
SQUALL_ESCAPES(setitimer)
SQUALL_ESCAPES(alarm)
SQUALL_ESCAPES(pause)
SQUALL_ESCAPES(sigsuspend)
SQUALL_ESCAPES(sigwaitinfo)
SQUALL_ESCAPES(sigtimedwait)
SQUALL_ESCAPES(vfork)
SQUALL_ESCAPES(posix_spawn)
SQUALL_ESCAPES(posix_spawnp)
SQUALL_ESCAPES(system)
SQUALL_ESCAPES(popen)
SQUALL_ESCAPES(mq_receive)
SQUALL_ESCAPES(msgrcv)
SQUALL_ESCAPES(semop)
SQUALL_ESCAPES(inotify_init1)
SQUALL_ESCAPES(accept)
SQUALL_ESCAPES(accept4)
SQUALL_ESCAPES(listen)
SQUALL_ESCAPES(rand)
SQUALL_ESCAPES(random)
SQUALL_ESCAPES(drand48)
SQUALL_ESCAPES(lrand48)
SQUALL_ESCAPES(clock)
SQUALL_ESCAPES(times)
SQUALL_ESCAPES(ftime)
SQUALL_ESCAPES(timespec_get)

SQUALL_ESCAPES(pipe)

SQUALL_ESCAPES(recvmsg)

}  // namespace squall::sim
