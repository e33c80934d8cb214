#!/usr/bin/env python3
"""squall doctor where names and routes are wrong: in a network of this test's own, with a name server of its own.

Usage: doctor_network_test.py BIN-FOLDER DOCUMENT
Needs namespaces (root, or user namespaces); exits 77 where they are forbidden.
"""
import ctypes
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import threading

from doctor_programs import BROKEN, FOLDER, HEALTHY, SCALE, judged, run_all, serving, write

INSIDE = "SQUALL_DOCTOR_NETWORK"
NAMES = {  # name: (A, AAAA)
    "temporal.svc.cluster.local": ("127.0.0.1", None),
    "both.test": ("127.0.0.1", "::1"),
    "six.test": (None, "fd00:99::1"),
    "far.test": ("10.1.2.3", None),
    "fenced.test": ("10.2.0.1", None),
    "dark.test": ("10.99.0.77", None),
}
ALIASES = {"alias.svc.cluster.local": "temporal.svc.cluster.local"}


def go_inside():
    """This test again, in namespaces of its own."""
    rights = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    command = ["unshare", *rights, "--net", "--mount", "--propagation", "private"]
    tools = all(shutil.which(tool) for tool in ("unshare", "ip", "mount"))
    if not tools or subprocess.run([*command, "true"], capture_output=True, check=False).returncode != 0:
        print("skipped: no namespaces here, or not the tools for them (util-linux, iproute2)")
        sys.exit(77)
    os.environ[INSIDE] = "1"
    shutil.rmtree(FOLDER)  # the other process makes its own
    os.execvp("unshare", [*command, sys.executable, *sys.argv])


def sh(command):
    subprocess.run(command, shell=True, check=True, capture_output=True)


def set_up():
    sh("ip link set lo up && ip link add name wire type veth peer name far && ip link set far up && ip link set wire up && ip address add 10.99.0.1/24 dev wire && "
       "ip route add unreachable 10.2.0.0/16")
    # The machine has IPv4 beyond itself, and IPv6 within itself only.
    with open("/proc/sys/net/ipv6/conf/wire/disable_ipv6", "w", encoding="ascii") as file:
        file.write("1")
    sh(f"mount --bind {write('nsswitch.conf', 'hosts: files dns' + chr(10))} /etc/nsswitch.conf")
    resolve_with("")


def resolve_with(text):
    """The resolver's file, in place of the machine's."""
    subprocess.run(["umount", "/etc/resolv.conf"], capture_output=True, check=False)
    sh(f"mount --bind {write('resolv.conf', 'nameserver 127.0.0.1' + chr(10) + text)} /etc/resolv.conf")


def answer(query):
    number, = struct.unpack(">H", query[:2])
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode())
        at += 1 + query[at]
    kind, = struct.unpack(">H", query[at + 1 : at + 3])
    name = ".".join(labels).lower()
    real, records = ALIASES.get(name, name), []
    if real != name:
        packed = b"".join(bytes([len(part)]) + part.encode() for part in real.split(".")) + b"\0"
        records.append(b"\xc0\x0c" + struct.pack(">HHIH", 5, 1, 0, len(packed)) + packed)
    four, six = NAMES.get(real, (None, None))
    owner = b"\xc0\x0c" if real == name else packed
    if kind == 1 and four:
        records.append(owner + struct.pack(">HHIH", 1, 1, 0, 4) + socket.inet_aton(four))
    if kind == 28 and six:
        records.append(owner + struct.pack(">HHIH", 28, 1, 0, 16) + socket.inet_pton(socket.AF_INET6, six))
    code = 0 if real in NAMES else 3
    return struct.pack(">HHHHHH", number, 0x8580 | code, 1, len(records), 0, 0) + query[12 : at + 5] + b"".join(records)


class NameServer:
    def __enter__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 53))
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()
        return self

    def serve(self):
        while True:
            query, peer = self.socket.recvfrom(4096)
            if not query:
                return
            self.socket.sendto(answer(query), peer)

    def __exit__(self, *_):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as farewell:
            farewell.sendto(b"", self.socket.getsockname())
        self.thread.join()
        self.socket.close()


def detail(result, layer):
    return next(check["detail"] for check in result["checks"] if check["layer"] == layer)


def asked(address, expect, **more):
    return judged("--address", address, "--try-ports", "1", expect=expect, **more)


def test_which_search_domain_answered():
    resolve_with("search shop.svc.cluster.local svc.cluster.local\noptions ndots:5\n")
    with serving("squall-server", "--port", "0") as server:
        text = detail(asked(f"temporal:{server['port']}", HEALTHY), "dns")
        assert "127.0.0.1 (IPv4 only)" in text, text
        assert "as temporal.svc.cluster.local, by the search domain svc.cluster.local" in text, text
        text = detail(asked(f"alias:{server['port']}", HEALTHY), "dns")
        assert "as alias.svc.cluster.local, by the search domain svc.cluster.local, an alias of temporal.svc.cluster.local" in text, text
        # With a dot in it and ndots 1, the name as it stands comes first: no search domain.
        resolve_with("search shop.svc.cluster.local\n")
        text = detail(asked(f"both.test:{server['port']}", HEALTHY), "dns")
        assert "127.0.0.1, ::1" in text and "search domain" not in text, text


def test_a_name_that_is_nowhere_lists_what_was_asked_for():
    resolve_with("search shop.svc.cluster.local svc.cluster.local\noptions ndots:5\n")
    cause = asked("temproal:7233", BROKEN)["cause"]
    assert cause["id"] == "dns.no_such_name", cause
    assert "asked for temproal.shop.svc.cluster.local, temproal.svc.cluster.local, temproal" in cause["evidence"], cause
    assert "name server 127.0.0.1" in cause["evidence"], cause


def test_obstacles_on_the_way_are_told_apart():
    resolve_with("")
    for name, cause, text in (
        ("six.test", "tcp.family_missing", "this machine has no IPv6 address that reaches beyond itself"),
        ("far.test", "tcp.no_route", "this machine has no route to it"),
        ("fenced.test", "tcp.unreachable", "No route to host"),
        ("dark.test", "tcp.silent", "no answer to 10.99.0.1 within"),
    ):
        result = asked(f"{name}:7233", BROKEN)
        assert result["cause"]["id"] == cause and text in result["cause"]["evidence"], (name, result["cause"])
        assert result["milliseconds"] < (3000 if cause == "tcp.silent" else 300) * SCALE, (name, result["milliseconds"])


def test_the_source_address_is_shown():
    with serving("squall-server", "--port", "0") as server:
        assert "from" not in detail(asked(server["address"], HEALTHY), "tcp")  # loopback: nothing to tell
    with socket.create_server(("10.99.0.1", 0)) as listener:
        def greet():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(b"SSH-2.0-test\r\n")

        thread = threading.Thread(target=greet)
        thread.start()
        result = asked(f"10.99.0.1:{listener.getsockname()[1]}", BROKEN)
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert result["cause"]["id"] == "http.other_protocol", result
    assert re.search(r"^10\.99\.0\.1:\d+, from 10\.99\.0\.1$", detail(result, "tcp")), result


def without_name_server():
    resolve_with("")
    cause = asked("both.test:7233", BROKEN)["cause"]
    assert cause["id"] == "dns.no_answer", cause
    assert "name server 127.0.0.1" in cause["evidence"], cause


if INSIDE not in os.environ:
    go_inside()
# Nothing of this stays when the parent is killed.
ctypes.CDLL(None).prctl(1, 9)
set_up()
with NameServer():
    run_all(dict(globals()))
without_name_server()
print("ok without_name_server")
