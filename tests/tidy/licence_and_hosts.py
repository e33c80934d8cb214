#!/usr/bin/env python3
"""Fails where the licence is missing or differs between files, and on host names that do not belong into the tree:
those of package registries and mirrors, which are a matter of the machine that builds, and unknown ones."""

import os
import pathlib
import re
import sys

import tree

# Hosts that texts of ours may point to.
PUBLIC = {
    "github.com", "rustup.rs", "sh.rustup.rs", "static.rust-lang.org", "www.rust-lang.org", "crates.io", "docs.rs",
    "pypi.org", "www.apache.org", "json-schema.org", "www.w3.org", "www.rfc-editor.org", "datatracker.ietf.org",
    "temporal.io", "docs.temporal.io", "eu-central-1.aws.api.temporal.io", "us-east-1.aws.api.temporal.io", "google.github.io", "grpc.io", "llvm.org", "clang.llvm.org", "prng.di.unimi.it",
    "keepachangelog.com", "semver.org", "nghttp2.org", "cmake.org", "www.openssl.org",
}  # fmt: skip
RESERVED = re.compile(r"(^|\.)(example|test|invalid|localhost|local)$|(^|\.)example\.(com|org|net)$")  # RFC 2606
URL = re.compile(r"\bhttps?://(?:[^\s/@\"'`<>]+@)?(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+)")
# Settings that redirect a package manager.
REDIRECT = re.compile(
    r"--(extra-)?index-url\b|\bindex-url\s*=|\b(PIP|UV)_(EXTRA_)?INDEX_URL\s*=|\breplace-with\s*=|\bGOPROXY\s*=|\bfind-links\s*="
    r"|\bregistry\s*=\s*\"sparse\+|\bregistry-mirrors\b|\bnpm_config_registry\s*="
)
BINARY = (".png", ".ico", ".gz", ".bin", ".pyc")


def machine_hosts():
    """Host names from the package managers' settings of this machine, but the public ones. Never printed."""
    texts = [v for k, v in os.environ.items() if re.search(r"proxy|index|registry|mirror|find_links", k, re.I)]
    home = pathlib.Path.home()
    for path in (".cargo/config.toml", ".cargo/config", ".pip/pip.conf", ".config/pip/pip.conf", ".npmrc"):
        if (home / path).is_file():
            texts.append((home / path).read_text(errors="replace"))
    for path in ("/etc/pip.conf",):
        if pathlib.Path(path).is_file():
            texts.append(pathlib.Path(path).read_text(errors="replace"))
    hosts = set()
    for text in texts:
        hosts.update(h.lower() for h in URL.findall(text))
    return {h for h in hosts if "." in h and h not in PUBLIC and not re.fullmatch(r"[0-9.]+", h)}


def of_public_interest(host):
    host = host.lower().strip(".")
    single_label = "." not in host
    address = host.startswith("[") or re.fullmatch(r"[0-9.]*", host)
    return host in PUBLIC or single_label or address or RESERVED.search(host)


def check(root, private=None):
    findings = []
    private = machine_hosts() if private is None else private
    licence = root / "LICENSE"
    if not licence.is_file() or "Apache License" not in licence.read_text():
        findings.append(("LICENSE", 0, "must hold the Apache License, version 2.0"))
    for path in tree.files(root):
        if path.endswith(BINARY) or path.startswith("tests/data/") or path == "tests/tidy/licence_and_hosts.py":
            continue
        text = tree.text_of(path, root)
        if path.endswith("Cargo.toml") and 'license = "Apache-2.0"' not in text:
            findings.append((path, 0, 'must say license = "Apache-2.0"'))
        for number, line in enumerate(text.splitlines(), 1):
            for host in URL.findall(line):
                if not of_public_interest(host):
                    findings.append((path, number, f"host '{host}' is not in tests/tidy/licence_and_hosts.py"))
            if REDIRECT.search(line):
                findings.append((path, number, "redirects a package manager: a matter of the machine, not of the tree"))
            if any(host in line.lower() for host in private):
                findings.append((path, number, "names a host of this machine's own package settings"))
    return findings


OK = {"LICENSE": "Apache License\nVersion 2.0\n"}
CASES = [
    ("clean", {**OK, "README.md": "see https://github.com/x/y, http://127.0.0.1:1, http://in-process, https://a.example/x\n"}, []),
    ("no licence", {"README.md": "x"}, ["LICENSE:0"]),
    ("other licence", {**OK, "core/bridge/Cargo.toml": 'license = "MIT"\n'}, ['core/bridge/Cargo.toml:0: must say']),
    ("unknown host", {**OK, "a.md": "\nhttps://packages.corp.net/simple\n"}, ["a.md:2: host 'packages.corp.net'"]),
    ("redirect", {**OK, "tools/setup.sh": "pip install --index-url $X y\n"}, ["setup.sh:1: redirects"]),
    ("machine's host", {**OK, "a.sh": "curl mirror.private.net\n"}, ["a.sh:1: names a host of this machine"]),
]  # fmt: skip

if __name__ == "__main__":
    if sys.argv[1:] == ["--self-test"]:
        sys.exit(tree.self_test(lambda root: check(root, {"mirror.private.net"}), CASES))
    sys.exit(tree.main(check, "licence and hosts", CASES))
