#!/usr/bin/env python3
"""No way out of the simulation goes unnoticed: whatever squall-sim and its libraries import of libc that waits, tells the time,
draws luck or reaches the network is replaced by the simulator, or known to be harmless, with the reason; and nobody new
has an instruction that draws luck from the processor, which nothing can trap."""

import os
import re
import subprocess
import sys
import tempfile
import unittest

PROGRAM = os.path.join(os.environ["SQUALL_BIN_DIR"], "squall-sim")
REPLACED = os.path.join(os.environ["SQUALL_BUILD_DIR"], "sim", "replaced.list")

# Names of glibc's functions that wait, tell the time, draw luck, reach others or tell of the machine.
ESCAPES = re.compile(
    r"(pthread_(create|join|timedjoin_np|clockjoin_np|tryjoin_np|detach|once|kill|cancel|yield|barrier_wait"
    r"|mutex_(lock|timedlock|clocklock|unlock)|cond_(wait|timedwait|clockwait|signal|broadcast)"
    r"|rwlock_(rdlock|wrlock|timedrdlock|timedwrlock|clockrdlock|clockwrlock|unlock))"
    r"|sem_(wait|timedwait|clockwait|post)|mtx_(lock|timedlock)|cnd_(wait|timedwait|signal|broadcast)|thrd_(create|sleep|join|yield)|call_once"
    r"|epoll_\w+|p?poll|p?select|eventfd(_\w+)?|timerfd_\w+|signalfd|inotify_\w+|io_uring_\w+"
    r"|clock_gettime|gettimeofday|time|ftime|clock|times|timespec_get|getrusage|clock_nanosleep|nanosleep|usleep|sleep|alarm|setitimer"
    r"|timer_\w+|pause|sigwait|sigwaitinfo|sigtimedwait|sigsuspend"
    r"|getrandom|getentropy|arc4random\w*|s?random|s?rand|rand_r|[dlm]rand48|syscall|sched_yield|sched_getaffinity|sched_getcpu"
    r"|socket|socketpair|connect|accept4?|listen|bind|send|sendto|sendmsg|sendmmsg|recv|recvfrom|recvmsg|recvmmsg|shutdown"
    r"|getaddrinfo|freeaddrinfo|getnameinfo|gethostby\w+|res_\w+|getpeername|getsockname|getsockopt|setsockopt"
    r"|getpid|gettid|gethostname|uname|sysconf|get_nprocs\w*|getloadavg|sysinfo|getenv|secure_getenv"
    r"|read|readv|write|writev|pread(64)?|pwrite(64)?|close|fcntl(64)?|ioctl|dup[23]?|open(64)?|openat(64)?|pipe2?"
    r"|fork|vfork|posix_spawnp?|execv\w*|system|popen|kill|wait|waitpid|wait[34d]|exit|_exit|_Exit|abort)$")

HARMLESS = {
    "abort": "the program's own end",
    "fork": "the parent's, before any simulation; a simulated process has none", "execv": "the same", "waitpid": "the same",
    "kill": "the same", "dup2": "the same", "posix_spawn": "the same", "posix_spawnp": "the same",
    "pread": "files", "pread64": "files", "pwrite": "files", "pwrite64": "files",
    "getrusage": "asked by tools of Rust's std for children only",
    "pipe2": "Rust's std for children, which a simulated process has none of", "waitid": "the same", "execvp": "the same",
    "gethostbyname": "OpenSSL's connections, of which nobody makes one", "getnameinfo": "the same",
}

# rdrand and rdseed.
DRAWS = re.compile(rb"\x0f\xc7[\xf0-\xff]")
WHO_MAY_DRAW = {
    "libcrypto": "OpenSSL's own generator, which is replaced before anybody draws (base/wire/randomness)",
    "libstdc++": "std::random_device, which tests/tidy bans",
}


def imports(path):
    text = subprocess.run(["nm", "-D", "--undefined-only", path], capture_output=True, text=True, check=True).stdout
    return {line.split()[-1].split("@")[0] for line in text.splitlines() if line.strip()}


def libraries():
    text = subprocess.run(["ldd", PROGRAM], capture_output=True, text=True, check=True).stdout
    paths = re.findall(r"=> (/\S+)", text)
    return [p for p in paths if not re.match(r"(libc|libm|ld-linux|libdl|librt|libpthread|libutil)[.-]", os.path.basename(p))]


def unaccounted(replaced):
    found = {}
    for path in [PROGRAM, *libraries()]:
        for name in imports(path):
            if ESCAPES.match(name) and name not in replaced and name not in HARMLESS:
                found.setdefault(name, os.path.basename(path))
    return found


def draws_luck(path):
    """Whether an instruction of this code is rdrand or rdseed: the bytes of one are looked at with what stands before them, since they
    may be the middle of another."""
    text = subprocess.run(["readelf", "-SW", path], capture_output=True, text=True, check=True).stdout
    offset, size = (int(n, 16) for n in re.search(r" \.text +PROGBITS +[0-9a-f]+ ([0-9a-f]+) ([0-9a-f]+)", text).groups())
    with open(path, "rb") as file:
        file.seek(offset)
        code = file.read(size)
    places = list(DRAWS.finditer(code))
    if not places:
        return False
    with tempfile.NamedTemporaryFile() as file:
        for found in places:
            file.write(code[max(0, found.start() - 256):found.end()] + b"\x90" * 32)
        file.flush()
        command = ["objdump", "-D", "-b", "binary", "-m", "i386:x86-64", "--no-show-raw-insn", file.name]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return re.search(r"\trd(rand|seed)\b", text) is not None


class Imports(unittest.TestCase):
    replaced = set(re.findall(r"^  (\w+);$", open(REPLACED).read(), re.M))

    def test_every_escape_is_replaced(self):
        self.assertEqual(unaccounted(self.replaced), {})

    def test_a_missing_one_is_seen(self):
        self.assertIn("pthread_create", unaccounted(self.replaced - {"pthread_create"}))

    def test_nobody_draws_luck_from_the_processor(self):
        drawing = {os.path.basename(path).split(".")[0] for path in [PROGRAM, *libraries()] if draws_luck(path)}
        self.assertEqual(drawing, set(WHO_MAY_DRAW))

    def test_the_program_offers_what_it_replaces(self):
        text = subprocess.run(["nm", "-D", "--defined-only", PROGRAM], capture_output=True, text=True, check=True).stdout
        self.assertEqual(self.replaced - set(text.split()), set())


if __name__ == "__main__":
    sys.exit(unittest.main())
