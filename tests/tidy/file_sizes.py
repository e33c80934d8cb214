#!/usr/bin/env python3
"""Fails on files of ours above 700 lines: they hold more than one thing. An exception has its reason here."""

import sys

import tree

LIMIT = 700
ALLOWED = {
    "LICENSE": "the licence's own text",
    "core/bridge/Cargo.lock": "written by cargo",
}


def check(root):
    findings = []
    suffixes = (".h", ".cc", ".rs", ".py", ".sh", ".cmake", "CMakeLists.txt", ".yaml", ".md", "Makefile", "LICENSE", ".lock")
    for path in tree.files(root, suffixes=suffixes):
        lines = tree.text_of(path, root).count("\n")
        if lines > LIMIT and path not in ALLOWED and not path.startswith("tests/data/"):
            findings.append((path, 0, f"{lines} lines; at most {LIMIT}: split it by what it holds"))
    return findings


CASES = [
    ("at the limit", {"base/a.cc": "\n" * LIMIT}, []),
    ("above", {"base/a.cc": "\n" * (LIMIT + 1)}, ["base/a.cc:0: 701 lines"]),
    ("allowed", {"core/bridge/Cargo.lock": "\n" * 9999}, []),
]

if __name__ == "__main__":
    sys.exit(tree.main(check, "file sizes", CASES))
