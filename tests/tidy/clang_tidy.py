#!/usr/bin/env python3
"""Runs clang-tidy over our own files of a build folder, in parallel; a file without findings is skipped the next time.

    clang_tidy.py --clang-tidy clang-tidy-14 --build BUILD [--jobs N] [--alone] [PATH...]
    clang_tidy.py --self-test

PATH: only files whose path from the root begins so ("base/wire"). A file is checked again when it, a header of ours that
it includes (directly or through others) or .clang-tidy has changed since its last clean run. Files of one folder are checked together (together.py), which is five to
ten times as quick; --alone checks each by itself.
"""

import argparse
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading

import together
import tree

# Built with gcc; clang 14 parses the same commands with these additions. libstdc++ 12 offers <coroutine> to compilers
# that announce the final feature, which clang 14 implements without announcing it.
EXTRA = ("--extra-arg=-D__cpp_impl_coroutine=201902L", "--extra-arg=-Wno-unknown-warning-option",
         "--extra-arg=-Wno-unused-command-line-argument")


def compile_commands(build, root=tree.ROOT):
    """What the build folder compiles. The sources in a unit (squall_units in cmake/SquallTargets.cmake) come one by one, with
    the unit's command."""
    for entry in json.loads((build / "compile_commands.json").read_text(encoding="utf-8")):
        if not re.search(r"\.units/\d+\.cc$", entry["file"]):
            yield entry
            continue
        unit = pathlib.Path(entry["directory"], entry["file"])
        for source in re.findall(r'#include "([^"]+)"', unit.read_text(encoding="utf-8")):
            path = str(root / source)
            yield {**entry, "file": path, "command": re.sub(r" -o \S+ -c \S+$", f" -o {source}.o -c {path}", entry["command"])}


def our_commands(build, prefixes):
    """Our source files that the build folder compiles, as (relative path, absolute path)."""
    found = {}
    for entry in compile_commands(build):
        path = os.path.realpath(os.path.join(entry["directory"], entry["file"]))
        relative = os.path.relpath(path, tree.ROOT)
        ours = relative.startswith(tuple(folder + "/" for folder in tree.CODE_FOLDERS))
        if ours and (not prefixes or relative.startswith(tuple(prefixes))):
            found[relative] = path
    return sorted(found.items())


def database_for_clang(build):
    """A folder with the build's commands, but without gcc's precompiled headers, which clang cannot read."""
    folder = build / "clang-tidy"
    folder.mkdir(exist_ok=True)
    entries = list(compile_commands(build))
    for entry in entries:
        entry["command"] = re.sub(r" -Winvalid-pch -include \S+cmake_pch\.hxx", "", entry["command"])
    (folder / "compile_commands.json").write_text(json.dumps(entries), encoding="utf-8")
    return folder


INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"\n]+)"', re.M)


class Stamps:
    """What the verdict on a source file depends on, as a digest. Files are read once, so one of these lives as long as the
    files stay as they are."""

    def __init__(self, root):
        self.root = root
        self.settings = (root / ".clang-tidy").read_bytes()
        self.known = {}  # path -> (digest of its bytes, what it includes of ours); None: not ours

    def look(self, path):
        if path not in self.known:
            try:
                data = (self.root / path).read_bytes()
            except OSError:
                data = None
            self.known[path] = None if data is None else (hashlib.sha256(data).digest(), list(self.includes(path, data)))
        return self.known[path]

    def includes(self, path, data):
        """Beside the file that includes, or from the root; which of both exists is seen when it is looked at."""
        beside = os.path.dirname(path)
        for name in INCLUDE.findall(data.decode("utf-8", "replace")):
            for folder in (beside, ""):
                yield os.path.normpath(os.path.join(folder, name))

    def closure(self, path):
        """The file and all of our headers that it includes, sorted."""
        seen, todo = set(), [path]
        while todo:
            one = todo.pop()
            if one in seen or one.startswith("..") or not self.look(one):
                continue
            seen.add(one)
            todo.extend(self.known[one][1])
        return sorted(seen)

    def of(self, path):
        digest = hashlib.sha256(self.settings)
        for one in self.closure(path):
            digest.update(one.encode() + b"\0" + self.known[one][0])
        return digest.hexdigest()


# (name, what is changed or removed (None), which of the sources are to be checked again). The tree before the change:
TREE = {
    ".clang-tidy": "Checks: '*'",
    "base/a.h": '#pragma once\n#include <vector>\n#include "temporal/api/x.pb.h"\n',
    "base/b.h": '#pragma once\n  # include "base/a.h"\n#include "base/c.h"\n',
    "base/c.h": '#pragma once\n#include "base/b.h"\n',
    "base/lonely.h": "#pragma once\n",
    "base/a.cc": '#include "base/a.h"\n',
    "base/b.cc": '#include "base/b.h"\n',
    "base/near.h": "#pragma once\n",
    "base/near.cc": '#include "near.h"\n// #include "base/lonely.h" is not, in a comment\n',
}
CASES = [
    ("nothing", {}, []),
    ("the source itself", {"base/a.cc": "int a;"}, ["base/a.cc"]),
    ("a header that one includes", {"base/near.h": "int n;"}, ["base/near.cc"]),
    ("a header through a header", {"base/a.h": "int a;"}, ["base/a.cc", "base/b.cc"]),
    ("headers in a circle", {"base/c.h": "int c;"}, ["base/b.cc"]),
    ("a header that nobody includes", {"base/lonely.h": "int l;"}, []),
    ("a header that goes away", {"base/a.h": None}, ["base/a.cc", "base/b.cc"]),
    ("a header that comes to stand nearer", {"base/base/a.h": ""}, ["base/a.cc", "base/b.cc"]),
    ("the settings", {".clang-tidy": "Checks: '-*'"}, ["base/a.cc", "base/b.cc", "base/near.cc"]),
]  # fmt: skip


def units_self_test():
    """1 when the sources of a unit are not told one by one."""
    with tempfile.TemporaryDirectory() as folder:
        build = pathlib.Path(folder)
        (build / "x.units").mkdir()
        (build / "x.units" / "0.cc").write_text('#include "base/a.cc"\n#include "base/b.cc"\n')
        entries = [{"directory": folder, "file": f"{folder}/x.units/0.cc", "command": f"cc -O1 -o u.o -c {folder}/x.units/0.cc"},
                   {"directory": folder, "file": "/r/base/c.cc", "command": "cc -o c.o -c /r/base/c.cc"}]  # fmt: skip
        (build / "compile_commands.json").write_text(json.dumps(entries))
        found = [(e["file"], e["command"]) for e in compile_commands(build, pathlib.Path("/r"))]
    expected = [("/r/base/a.cc", "cc -O1 -o base/a.cc.o -c /r/base/a.cc"),
                ("/r/base/b.cc", "cc -O1 -o base/b.cc.o -c /r/base/b.cc"), ("/r/base/c.cc", "cc -o c.o -c /r/base/c.cc")]  # fmt: skip
    if found != expected:
        print(f"self-test 'the sources of a unit': expected {expected}, got {found}")
    return int(found != expected)


def self_test():
    failures = 0
    for name, change, expected in CASES:
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)

            def write(files):
                for path, text in files.items():
                    if text is None:
                        (root / path).unlink()
                        continue
                    (root / path).parent.mkdir(parents=True, exist_ok=True)
                    (root / path).write_text(text, encoding="utf-8")

            sources = [path for path in TREE if path.endswith(".cc")]
            write(TREE)
            before, again = Stamps(root), Stamps(root)
            old = {path: before.of(path) for path in sources}
            same = all(again.of(path) == old[path] for path in sources)
            write(change)
            after = Stamps(root)
            dirty = [path for path in sources if after.of(path) != old[path]]
        if dirty != expected or not same:
            failures += 1
            print(f"self-test '{name}': expected {expected}, got {dirty}")
    more, cases = together.self_test()
    failures += more + units_self_test()
    cases += len(CASES) + 1
    print(f"self-test: {cases - failures} of {cases} cases as expected")
    return 1 if failures else 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    parser = argparse.ArgumentParser()
    parser.add_argument("--clang-tidy", required=True)
    parser.add_argument("--build", required=True, type=pathlib.Path)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--alone", action="store_true")
    parser.add_argument("paths", nargs="*")
    args = parser.parse_args()

    args.build = args.build.resolve()
    stamps_path = args.build / "clang-tidy-clean.json"
    stamps = json.loads(stamps_path.read_text()) if stamps_path.exists() else {}

    files = our_commands(args.build, args.paths)
    seen = Stamps(tree.ROOT)  # before the runs: what is edited meanwhile is checked again the next time
    todo = {absolute: relative for relative, absolute in files if stamps.get(relative) != seen.of(relative)}
    print(f"clang-tidy: {len(files)} files, {len(files) - len(todo)} unchanged since they were clean", flush=True)

    database = database_for_clang(args.build)
    entries = json.loads((database / "compile_commands.json").read_text())
    commands = {os.path.realpath(os.path.join(e["directory"], e["file"])): e["command"] for e in entries}

    def alone(path):
        done = subprocess.run([args.clang_tidy, "-p", str(database), "--quiet", *EXTRA, path],
                              capture_output=True, text=True, check=False)  # fmt: skip
        tell([path], done.returncode, done.stdout or done.stderr)

    def in_units(item):
        number, (flags, paths) = item
        folder = database / f"unit-{number}"
        folder.mkdir(exist_ok=True)
        for result in together.Units(args.clang_tidy, folder, EXTRA).check(flags, paths):
            tell(*result)

    telling = threading.Lock()
    bad = done = 0
    shown = set()  # a finding in a header is told once, not for each includer

    def tell(paths, code, out):
        nonlocal bad, done
        with telling:
            done += len(paths)
            if code == 0:
                for path in paths:
                    stamps[todo[path]] = seen.of(todo[path])
                stamps_path.write_text(json.dumps(stamps, indent=0, sort_keys=True))
            else:
                bad += len(paths)
                for block in re.split(r"(?m)^(?=\S+:\d+:\d+: (?:warning|error): )", out):
                    if block not in shown:
                        shown.add(block)
                        print(block, end="")
            names = " ".join(todo[path] for path in paths)
            print(f"[{done}/{len(todo)}] {names}: {'clean' if code == 0 else 'FINDINGS'}", flush=True)

    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        work = pool.map(alone, todo) if args.alone else pool.map(in_units, enumerate(together.groups(todo, commands)))
        list(work)  # a failure of ours there is raised here
    print(f"clang-tidy: findings in {bad} file(s) or beside them" if bad else "clang-tidy: clean")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
