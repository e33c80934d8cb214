#!/usr/bin/env python3
"""Fails on calls that make runs depend on luck: sleeps, clocks, randomness, forks and ports outside their one place.

Each rule names what to use instead. ALLOWED lists the places where a call is right, with the reason; an entry that no
longer matches anything is a finding too, so that the list does not outlive its reasons.
"""

import fnmatch
import re
import sys

import tree

CODE = ("*.cc", "*.h")
PYTHON = ("*.py",)
SHELL = ("*.sh", ".ci/run", "Makefile")
RUST = ("*.rs",)

# Name, file patterns, what is looked for, what to do instead, whether strings are part of the text.
RULES = (
    ("sleep", CODE, r"\b(sleep_for|sleep_until|usleep|nanosleep|clock_nanosleep)\s*\(|(?<![\w.>:])(std::|::)?sleep\s*\(",
     "wait for the event: a condition, a descriptor, an Executor timer", False),
    ("sleep", PYTHON, r"\btime\.sleep\s*\(", "wait for the event: select, communicate(timeout), a pidfd", False),
    ("sleep", SHELL, r"(?:^|[;&|({]|\bdo\b|\bthen\b)\s*sleep\s+[\d.$]", "wait for the event", False),
    ("sleep", RUST, r"\bthread::sleep\b", "wait for the event", False),
    ("clock", CODE, r"\b(system_clock|steady_clock|high_resolution_clock|file_clock|utc_clock)\s*::\s*now\b"
     r"|\b(gettimeofday|clock_gettime|timespec_get|ftime)\s*\(|(?<![\w.>])(std::|::)?time\s*\(\s*(nullptr|NULL|0|&\w+)\s*\)"
     r"|\babsl::(Now|GetCurrentTimeNanos)\s*\(|\bTimeUtil::GetCurrentTime\b",
     "squall::Clock", False),
    ("randomness", CODE, r"(?<![\w.>])(std::|::)?(rand|srand|srandom|drand48|rand_r|arc4random)\s*\("
     r"|\brandom_device\b|\bmt19937|\bdefault_random_engine\b|\bgetrandom\s*\(|\bRAND_(priv_)?bytes\b|\babsl::BitGen\b",
     "squall::Rng, split by name from the run's seed", False),
    ("process", CODE, r"(?<![\w.>:])(::|std::)?(v?fork|posix_spawnp?|popen|system|execv[pe]*|execl[pe]*)\s*\("
     r"|\bclone3\b",
     "harness/process: its children cannot outlive squall", False),
    ("detach", CODE, r"\.detach\s*\(\s*\)|\bstd::async\b", "own the thread and join it", False),
    ("fixed port", CODE, r"(127\.0\.0\.1|localhost|0\.0\.0\.0|\[::1?\]):[1-9]\d{1,4}\b|\bport\s*(=|\{)\s*[1-9]\d{2,4}\b",
     "port 0, then ask", True),
    ("fixed port", PYTHON, r"(127\.0\.0\.1|localhost|0\.0\.0\.0):[1-9]\d{1,4}\b|\.bind\(\(.*,\s*[1-9]\d*\)\)",
     "port 0, then ask", True),
)  # fmt: skip

# Rule, file pattern, reason.
ALLOWED = (
    ("clock", "base/util/clock.cc", "the one place that reads the machine's clocks"),
    ("randomness", "base/util/rng.cc", "the seed of a run that was given none, printed so that it can be repeated"),
    ("process", "harness/process/guardian.cc", "starts the guardian, which ends the tree when squall is killed"),
    ("process", "sim/run/child.cc", "a process for each seed, which ends with its parent"),
    ("process", "tests/unit/base/journal/survival_test.cc", "kills the writer to prove that nothing was lost"),
    ("process", "tests/unit/harness/process/test_child.cc", "behaves badly on purpose: it becomes a daemon"),
    ("process", "harness/cli/become.cc", "becomes squall-doctor: its terminal, signals and exit code are squall's own"),
    ("detach", "harness/process/spawn.cc", "hands a started child over to ChildProcess, which waits for it"),
    ("fixed port", "core/connection.h", "Temporal's own default address"),
    ("fixed port", "fakes/worker/settings.cc", "Temporal's own default address, as every SDK has it"),
    ("fixed port", "fakes/worker/host_program.cc", "the same, in --help"),
    ("fixed port", "harness/subjects/python/settings.py", "the same"),
    ("fixed port", "fakes/server/squall_*_main.cc", "examples in --help"),
    ("fixed port", "harness/doctor/*.cc", "Temporal's own ports, which settings name and SDKs take by default"),
    ("fixed port", "harness/proxy/serve.*", "Toxiproxy's own port, where its clients look, and examples in --help"),
    ("fixed port", "tests/meta/doctor_network_test.py", "where resolvers ask, in a network of the test's own"),
    ("fixed port", "tests/unit/*", "texts of addresses, given to parsers and state machines that open nothing"),
)


def python_without_comments(text):
    return re.sub(r"(?m)^([^'\"\n#]*)#[^\n]*", r"\1", text)


def subject_of(path, text, keep_strings):
    if path.endswith((".cc", ".h", ".rs")):
        return tree.strip_cpp(text, keep_strings)
    return python_without_comments(text)


HASHED = r"\b(?:unordered_(?:multi)?(?:map|set)|(?:flat|node)_hash_(?:map|set))\s*<"
ORDERED = r"\bstd::(?:(?:multi)?(?:map|set)|vector|deque|array|list)\s*<"


def declared(container, text):
    """Names of the variables and members that are such containers."""
    names = set()
    for match in re.finditer(container, text):
        depth, at = 1, match.end()
        while at < len(text) and depth > 0:
            depth += {"<": 1, ">": -1}.get(text[at], 0)
            at += 1
        name = re.match(r"\s*&?\s*(\w+)\s*[;={(),]", text[at:])
        if name:
            names.add(name.group(1))
    return names


def unordered_iteration(root):
    """Loops over hash tables, whose order differs from run to run. A table is known in its whole folder, since a
    member is declared in one file and used in others; a name that also stands for an ordered container there is left
    to the reader."""
    by_folder = {}
    for path in tree.files(root, tree.CODE_FOLDERS, tree.CPP):
        by_folder.setdefault(path.rsplit("/", 1)[0], []).append((path, tree.strip_cpp(tree.text_of(path, root))))
    for group in by_folder.values():
        names = set().union(*(declared(HASHED, text) for _, text in group))
        names -= set().union(*(declared(ORDERED, text) for _, text in group))
        if not names:
            continue
        some = "|".join(sorted(names))
        loop = re.compile(rf"\bfor\s*\([^;()]*:\s*[\w.>-]*?\b({some})\s*\)|\b({some})\s*\.\s*c?begin\s*\(|erase_if\s*\(\s*({some})\b")
        for path, text in group:
            for match in loop.finditer(text):
                yield path, text.count("\n", 0, match.start()) + 1, next(g for g in match.groups() if g)


def check(root, allowed=ALLOWED):
    findings = []
    used = set()
    for path, line, name in unordered_iteration(root):
        findings.append((path, line, f"unordered: a loop over the hash table '{name}'; use std::map or sort first: the "
                         "order of a hash table must not reach behaviour"))
    for path in tree.files(root):
        name = path.rsplit("/", 1)[-1]
        if path.startswith(("tests/tidy/", "tests/data/")):
            continue  # the patterns themselves; broken input on purpose
        text = None
        for rule, patterns, regex, instead, keep_strings in RULES:
            if not any(fnmatch.fnmatch(name, p) or fnmatch.fnmatch(path, p) for p in patterns):
                continue
            text = tree.text_of(path, root) if text is None else text
            subject = subject_of(path, text, keep_strings)
            for match in re.finditer(regex, subject, re.M):
                entry = next((a for a in allowed if a[0] == rule and fnmatch.fnmatch(path, a[1])), None)
                if entry:
                    used.add(entry)
                    continue
                line = subject.count("\n", 0, match.start()) + 1
                findings.append((path, line, f"{rule}: '{match.group(0).strip()}'; use {instead}"))
    for entry in allowed:
        if entry not in used and root == tree.ROOT:
            findings.append(("tests/tidy/banned_calls.py", 0, f"allowed, but not used: {entry[0]} in {entry[1]}"))
    return findings


def one(name, path, line, *expected):
    return (name, {path: line + "\n"}, list(expected))


CASES = [
    one("sleep_for", "harness/a.cc", "std::this_thread::sleep_for(1ms);", "a.cc:1: sleep: 'sleep_for("),
    one("usleep", "base/a.cc", "\n  usleep(100);", "a.cc:2: sleep"),
    one("sleep", "base/a.cc", "  ::sleep(1);", "sleep: '::sleep("),
    one("a member called sleep", "base/a.cc", "script.sleep(1); worker->sleep(2); asleep();"),
    one("python", "tests/a.py", "time.sleep(1)", "sleep: 'time.sleep("),
    one("shell", "tools/a.sh", "while true; do sleep 1; done", "sleep"),
    one("steady clock", "fakes/a.cc", "auto t = std::chrono::steady_clock::now();", "clock: 'steady_clock::now'"),
    one("clock_gettime", "fakes/a.cc", "clock_gettime(CLOCK_MONOTONIC, &ts);", "clock"),
    one("time", "fakes/a.cc", "x = time(nullptr) + std::time(0);", "clock", "clock"),
    one("a member called time", "fakes/a.cc", "event.time(0); runtime(0); FormatTime(0);"),
    one("rand", "fakes/a.cc", "int x = rand() % 6;", "randomness: 'rand("),
    one("random_device", "fakes/a.cc", "std::random_device d;", "randomness"),
    one("fork", "sim/a.cc", "if (fork() == 0) {}", "process: 'fork("),
    one("system", "sim/a.cc", 'std::system("ls");', "process"),
    one("detach", "sim/a.cc", "std::thread(f).detach();", "detach"),
    one("look-ups in a hash table", "sim/a.cc", "std::unordered_map<int, std::pair<int, int>> table_;\ntable_.find(1);"),
    one("loop over a hash table", "sim/a.cc", "std::unordered_map<int, std::pair<int, int>> table_;\n"
        "for (auto& [k, v] : table_) Send(k);", "a.cc:2: unordered: a loop over the hash table 'table_'"),
    ("loop in another file", {"sim/a.h": "absl::flat_hash_set<int> seen_;\n",
                              "sim/a.cc": "for (int x : this->seen_) {}\nf(seen_.begin());\n"},
     ["a.cc:1: unordered", "a.cc:2: unordered"]),
    one("port in an address", "harness/a.cc", 'Listen("127.0.0.1:7233");', "fixed port: '127.0.0.1:7233'"),
    one("port by number", "harness/a.cc", "options.port = 7233;", "fixed port"),
    one("port 0", "harness/a.cc", 'options.port = 0; Listen("127.0.0.1:0");'),
    one("python port", "tests/a.py", "s.bind(('127.0.0.1', 7233))", "fixed port"),
    one("comments", "base/a.cc", '// usleep(1); rand() "127.0.0.1:7233"\n/* fork() */'),
    one("strings", "base/a.cc", 'Log("rand() and fork() and sleep(1)");'),
    one("the clock itself", "base/util/clock.cc", "clock_gettime(id, &ts);"),
]

if __name__ == "__main__":
    sys.exit(tree.main(check, "banned calls", CASES))
