#!/usr/bin/env python3
"""Fails on a source file that no build knows: a .cc that no CMakeLists.txt lists, a header that nobody includes, a test
script that nobody runs."""

import re
import sys

import tree


def named_in(text):
    """Files that a CMakeLists.txt names, as patterns: "a.cc", "${name}_test.cc", "${CMAKE_SOURCE_DIR}/tools/a.py"."""
    for word in re.findall(r"(?:[\w./-]|\$\{\w+\})+\.(?:cc|py)\b", text):
        word = re.sub(r"^\$\{\w+\}/", "", word)
        yield re.compile("".join(r"[\w-]+" if part.startswith("$") else re.escape(part)
                                 for part in re.split(r"(\$\{\w+\})", word)))


def check(root):
    findings = []
    lists = {path: tree.text_of(path, root) for path in tree.files(root, suffixes=("CMakeLists.txt", ".cmake"))}
    lists = {path: re.sub(r"#[^\n]*", "", text) for path, text in lists.items()}
    sources = tree.files(root, tree.CODE_FOLDERS, tree.CPP)
    included = set()
    for path in sources:
        included.update(re.findall(r'^\s*#\s*include\s*"([^"]+)"', tree.text_of(path, root), re.M))

    patterns = {path: list(named_in(text)) for path, text in lists.items()}

    def listed(path):
        """Relative to the list of its own folder or of one above, or by its whole path from anywhere."""
        folders = path.split("/")[:-1]
        for n in range(len(folders), -1, -1):
            prefix = "".join(f + "/" for f in folders[:n])
            if any(p.fullmatch(path[len(prefix) :]) for p in patterns.get(prefix + "CMakeLists.txt", ())):
                return True
        return any(p.fullmatch(path) for every in patterns.values() for p in every)

    def precompiled(path):
        """By the list of its folder or of one above."""
        folder, name = path.rsplit("/", 1)
        calls = {p: re.findall(r"target_precompile_headers\(([^)]*)\)", text) for p, text in lists.items()}
        while True:
            if any({name, f"<{path}>"} & set(call.split()) for call in calls.get(f"{folder}/CMakeLists.txt", ())):
                return True
            if "/" not in folder:
                return False
            folder, above = folder.rsplit("/", 1)
            name = f"{above}/{name}"

    scripts = tree.files(root, ("tests",), (".py",))
    imported = set()
    for path in scripts:
        imported.update(re.findall(r"^\s*(?:import|from)\s+(\w+)", tree.text_of(path, root), re.M))
    others = [tree.text_of(p, root) for p in tree.files(root) if p.endswith((".sh", ".ci/run", "Makefile", ".cc", ".yaml", ".py"))]

    for path in sources:
        if path.endswith(".cc") and not listed(path):
            findings.append((path, 0, "is in no CMakeLists.txt of its folder or of one above"))
        if path.endswith(".h") and path not in included and not precompiled(path):
            findings.append((path, 0, "is included by nothing"))
    for path in scripts:
        name = path.rsplit("/", 1)[-1]
        stem = name[:-3]
        known = listed(path) or stem in imported or any(name in text for text in others)
        if not known:
            findings.append((path, 0, "is run by no CMakeLists.txt and used by no other file"))
    return findings


LIBRARY = "squall_library(x SOURCES a.cc)\n"
CASES = [
    ("listed", {"base/util/CMakeLists.txt": LIBRARY, "base/util/a.cc": '#include "base/util/a.h"\n', "base/util/a.h": ""}, []),
    ("from above", {"base/CMakeLists.txt": "add_library(x util/a.cc)", "base/util/a.cc": ""}, []),
    ("by a variable", {"tests/fuzz/CMakeLists.txt": "foreach(t x y)\nadd_executable(${t} ${t}_fuzzer.cc)\nendforeach()",
                       "tests/fuzz/x_fuzzer.cc": ""}, []),
    ("forgotten", {"base/util/CMakeLists.txt": LIBRARY, "base/util/a.cc": "", "base/util/aa.cc": ""},
     ["base/util/aa.cc:0: is in no CMakeLists.txt"]),
    ("part of a name", {"base/util/CMakeLists.txt": "add(x ba.cc)", "base/util/ba.cc": "", "base/util/a.cc": ""},
     ["base/util/a.cc:0"]),
    ("in a comment only", {"base/util/CMakeLists.txt": "# a.cc\n", "base/util/a.cc": ""}, ["a.cc:0"]),
    ("lonely header", {"base/util/CMakeLists.txt": LIBRARY, "base/util/a.cc": "", "base/util/b.h": ""},
     ["base/util/b.h:0: is included by nothing"]),
    ("precompiled header", {"tests/CMakeLists.txt": "target_precompile_headers(x PRIVATE support/a.h)", "tests/support/a.h": ""}, []),
    ("precompiled by its path", {"tests/CMakeLists.txt": "target_precompile_headers(x PRIVATE <tests/support/a.h>)",
                                 "tests/support/a.h": ""}, []),
    ("lonely script", {"tests/integration/x_test.py": ""}, ["x_test.py:0: is run by no CMakeLists.txt"]),
    ("script in ctest", {"tests/integration/CMakeLists.txt": "add_test(NAME x COMMAND python3 ${D}/x_test.py)",
                         "tests/integration/x_test.py": ""}, []),
]  # fmt: skip

if __name__ == "__main__":
    sys.exit(tree.main(check, "sources listed", CASES))
