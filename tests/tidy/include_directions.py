#!/usr/bin/env python3
"""Fails on every include against the directions that ARCHITECTURE.md draws, with file, line and the edge.

Two tables: which of our folders may include which, and which libraries from outside are fenced into which folders.
"""

import re
import sys

import tree

BASE = ("base/util", "base/journal", "base/wire", "base/api")

# Folder -> folders that it may include, beside itself. The longest matching prefix of a path is its folder. A folder
# that outgrows its line gets a new line in ARCHITECTURE.md and here, not an exception.
ALLOWED = {
    "base/util": (),
    "base/journal": ("base/util",),
    "base/wire": ("base/util",),
    "base/api": ("base/util",),
    "core": BASE,
    "core/worker": BASE + ("core",),
    "fakes/engine": BASE,
    "fakes/frontend": BASE + ("fakes/engine",),
    "fakes/ingress": BASE,
    "fakes/server": BASE + ("fakes/engine", "fakes/frontend", "fakes/ingress"),
    "fakes/worker": BASE + ("core", "core/worker"),
    "scenarios/format": BASE,
    "scenarios/engine": BASE + ("scenarios/format",),
    "scenarios/checks": BASE + ("scenarios/format", "scenarios/engine"),
    "reports": ("base/util", "base/journal"),
    "sim": BASE
    + ("core", "core/worker", "fakes/engine", "fakes/frontend", "fakes/ingress", "fakes/worker")
    + ("scenarios/format", "scenarios/engine", "scenarios/checks", "reports"),
    # harness, from the kernel upwards.
    "harness/net": BASE,
    # The stand-alone proxy: links without processes, targets or scenarios, in a small program of its own.
    "harness/proxy": BASE + ("harness/net",),
    "harness/process": BASE + ("harness/net",),
    # A program of its own, too, without grpc++; redaction and widths of text are reports', the little
    # HTTP server the proxy's.
    "harness/doctor": BASE + ("reports", "harness/net", "harness/proxy"),
    # Servers, workers and ingresses under test in this process are the fakes' library forms.
    "harness/target": BASE
    + ("core", "core/worker", "fakes/server", "fakes/engine", "fakes/frontend", "fakes/ingress")
    + ("fakes/worker", "harness/net", "harness/process"),
    # What faults there are is scenarios/format's catalogue; harness/fault makes the handle of each.
    "harness/fault": BASE + ("scenarios/format", "harness/net", "harness/process", "harness/target"),
    # The result of a subject is one record, which reports/ defines and writes.
    "harness/runner": BASE
    + ("reports", "scenarios/format", "scenarios/engine", "scenarios/checks")
    + ("harness/net", "harness/process", "harness/target", "harness/fault"),
    "harness/cli": BASE
    + ("reports", "scenarios/format", "scenarios/engine", "scenarios/checks")
    + ("harness/net", "harness/process", "harness/target", "harness/fault", "harness/runner")
    + ("harness/doctor", "harness/proxy"),
    # Tests may include what they test; nothing includes tests.
    "tests": None,
}

SANS_IO = ("base/util", "base/journal", "base/wire", "base/api", "fakes/engine", "fakes/frontend",
           "fakes/ingress", "scenarios", "reports")  # fmt: skip

# What is included, where alone it may be, and why.
FENCES = (
    (r"grpcpp/|grpc/|.*\.grpc\.pb\.h$", ("harness", "tests"),
     "grpc++ is for clients of real servers: the harness only"),
    (r"g(test|mock)/", ("tests",), "GoogleTest belongs to tests"),
    (r"openssl/", ("base/wire", "tests"), "OpenSSL is behind base/wire"),
    (r"nghttp2/", ("base/wire", "tests"), "nghttp2 is behind base/wire"),
    (r"yaml-cpp/", ("scenarios/format", "tests"), "YAML is read by the loader only"),
    (r"boost/process", ("harness/process",), "child processes are harness/process's"),
    (r"boost/asio", ("fakes/server", "harness", "tests"), "sockets belong to fakes/server and harness"),
    (r"(sys/socket|sys/epoll|netinet/\w+|arpa/inet|netdb)\.h$", ("fakes/server", "harness", "sim", "tests"),
     "sockets belong to fakes/server and harness; sim stands in for them"),
)  # fmt: skip

# Sans-IO folders own no thread. The executor waits for other threads, and the journal is written by several.
NO_THREADS = (r"(thread|future|semaphore|latch|barrier|stop_token)$", SANS_IO,
              "sans-IO code has no thread of its own")  # fmt: skip

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"\n]+)"|<([^>\n]+)>)', re.M)
# Generated from Temporal's and core's protos, by base/api.
GENERATED = re.compile(r"^(temporal|google|health|nexusannotations)/.*\.pb\.h$")
# Written by cbindgen for core alone.
BRIDGE = "core/bridge/include/squall_bridge.h"


def folder_of(path, table=None):
    parts = path.split("/")
    for n in range(len(parts), 0, -1):
        prefix = "/".join(parts[:n])
        if prefix in (table or ALLOWED):
            return prefix
    return None


def within(path, folders):
    return any(path == f or path.startswith(f + "/") for f in folders)


def judge(path, included, quoted):
    """Why `path` may not include `included`, or None."""
    for pattern, homes, why in FENCES:
        if re.match(pattern, included) and not within(path, homes):
            return f"<{included}> is fenced into {', '.join(homes)}: {why}"
    pattern, folders, why = NO_THREADS
    if re.match(pattern, included) and within(path, folders):
        return f"<{included}>: {why}"
    if not quoted:
        return None
    source = folder_of(path)
    if source is None:
        return "is in no folder that the table knows"
    if GENERATED.match(included):
        target = "base/api"
    elif included == BRIDGE:
        target = "core"
        if source not in ("core", "tests"):
            return f"{source} -> {included}: the bridge's C header is for core alone"
    else:
        target = folder_of(included)
        if target is None:
            return f'"{included}" is not written from the repository root'
    allowed = ALLOWED[source]
    if allowed is None or target == source or target in allowed:
        return None
    return f"forbidden edge {source} -> {target}: {included}"


def check(root):
    findings = []
    for path in tree.files(root, tree.CODE_FOLDERS, tree.CPP):
        text = tree.strip_cpp(tree.text_of(path, root), keep_strings=True)
        for match in INCLUDE.finditer(text):
            why = judge(path, match.group(1) or match.group(2), match.group(1) is not None)
            if why:
                findings.append((path, text.count("\n", 0, match.start()) + 1, why))
    return findings


CASES = [
    ("allowed edges", {
        "base/journal/a.cc": '#include "base/util/clock.h"\n#include <string>\n',
        "fakes/server/a.cc": '#include "fakes/frontend/frontend.h"\n#include <boost/asio.hpp>\n',
        "fakes/engine/a.cc": '#include "temporal/api/common/v1/message.pb.h"\n',
        "core/a.cc": '#include "core/bridge/include/squall_bridge.h"\n',
        "harness/target/a.cc": "#include <grpcpp/grpcpp.h>\n",
        "tests/unit/a.cc": '#include "harness/cli/a.h"\n#include <gtest/gtest.h>\n',
        "base/util/executor.h": "#include <mutex>\n#include <condition_variable>\n",
    }, []),
    ("upwards", {"base/util/a.h": '\n#include "base/journal/journal.h"\n'},
     ["base/util/a.h:2: forbidden edge base/util -> base/journal"]),
    ("sideways", {"base/wire/a.h": '#include "base/journal/journal.h"\n'},
     ["base/wire -> base/journal"]),
    ("checkers know no world", {"scenarios/checks/a.cc": '#include "harness/net/proxy.h"\n'},
     ["scenarios/checks -> harness/net"]),
    ("reports know no scenario", {"reports/a.cc": '#include "scenarios/format/scenario.h"\n'},
     ["reports -> scenarios/format"]),
    ("sim and harness", {"sim/a.cc": '#include "harness/runner/world.h"\n',
                         "harness/runner/a.cc": '#include "sim/world.h"\n'},
     ["sim -> harness/runner", "harness/runner -> sim"]),
    ("nothing includes tests", {"harness/cli/a.cc": '#include "tests/support/x.h"\n'},
     ["harness/cli -> tests"]),
    ("relative include", {"base/util/a.cc": '#include "clock.h"\n'}, ["not written from the repository root"]),
    ("unknown folder", {"fakes/new/a.cc": '#include "base/util/clock.h"\n'}, ["no folder that the table knows"]),
    ("grpc++ outside harness", {"fakes/server/a.cc": "#include <grpcpp/grpcpp.h>\n",
                                "core/a.cc": '#include "temporal/api/workflowservice/v1/service.grpc.pb.h"\n'},
     ["fakes/server/a.cc:1: <grpcpp/grpcpp.h> is fenced", "core/a.cc:1"]),
    ("gtest in a library", {"harness/net/a.h": "#include <gtest/gtest.h>\n"}, ["GoogleTest belongs to tests"]),
    ("sockets in sans-IO", {"fakes/ingress/a.cc": "#include <boost/asio/ip/tcp.hpp>\n#include <sys/socket.h>\n"},
     ["a.cc:1: <boost/asio", "a.cc:2: <sys/socket.h>"]),
    ("thread in sans-IO", {"fakes/engine/a.cc": "#include <thread>\n"}, ["no thread of its own"]),
    ("OpenSSL outside wire", {"harness/net/a.cc": "#include <openssl/ssl.h>\n"}, ["behind base/wire"]),
    ("the bridge is core's", {"core/worker/a.cc": '#include "core/bridge/include/squall_bridge.h"\n'},
     ["for core alone"]),
    ("comments do not count", {"base/util/a.cc": '// #include "harness/a.h"\n/*\n#include "sim/a.h"\n*/\n'}, []),
]  # fmt: skip

if __name__ == "__main__":
    sys.exit(tree.main(check, "include directions", CASES))
