#!/usr/bin/env python3
"""Fails on code of ours above 700 lines: it holds more than one thing. An exception has its reason here. Texts for
readers (*.md) may be as long as their subject."""

import sys

import tree

LIMIT = 700
ALLOWED = {
    "core/bridge/include/squall_bridge.h": "written by cbindgen",
}


def check(root):
    findings = []
    suffixes = (".h", ".cc", ".rs", ".py", ".sh", ".cmake", "CMakeLists.txt", ".yaml", "Makefile")
    for path in tree.files(root, suffixes=suffixes):
        lines = tree.text_of(path, root).count("\n")
        if lines > LIMIT and path not in ALLOWED and not path.startswith("tests/data/"):
            findings.append((path, 0, f"{lines} lines; at most {LIMIT}: split it by what it holds"))
    return findings


CASES = [
    ("at the limit", {"base/a.cc": "\n" * LIMIT}, []),
    ("above", {"base/a.cc": "\n" * (LIMIT + 1)}, ["base/a.cc:0: 701 lines"]),
    ("allowed", {"core/bridge/include/squall_bridge.h": "\n" * 9999}, []),
]

if __name__ == "__main__":
    sys.exit(tree.main(check, "file sizes", CASES))
