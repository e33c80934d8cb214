#!/usr/bin/env python3
"""Runs clang-tidy over our own files of a build folder, in parallel; a file without findings is skipped the next time.

    clang_tidy.py --clang-tidy clang-tidy-14 --build BUILD [--jobs N] [PATH...]

PATH: only files whose path from the root begins so ("base/wire"). A file is checked again when it, a header of ours or
.clang-tidy has changed since its last clean run.
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

import tree

# Built with gcc; clang 14 parses the same commands with these additions. libstdc++ 12 offers <coroutine> to compilers
# that announce the final feature, which clang 14 implements without announcing it.
EXTRA = ("--extra-arg=-D__cpp_impl_coroutine=201902L", "--extra-arg=-Wno-unknown-warning-option")


def our_commands(build, prefixes):
    """Our source files that the build folder compiles, as (relative path, absolute path)."""
    with open(build / "compile_commands.json", encoding="utf-8") as file:
        entries = json.load(file)
    found = {}
    for entry in entries:
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
    with open(build / "compile_commands.json", encoding="utf-8") as file:
        entries = json.load(file)
    for entry in entries:
        entry["command"] = re.sub(r" -Winvalid-pch -include \S+cmake_pch\.hxx", "", entry["command"])
    (folder / "compile_commands.json").write_text(json.dumps(entries), encoding="utf-8")
    return folder


def stamp_of(relative, common):
    return hashlib.sha256(common + (tree.ROOT / relative).read_bytes()).hexdigest()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--clang-tidy", required=True)
    parser.add_argument("--build", required=True, type=pathlib.Path)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("paths", nargs="*")
    args = parser.parse_args()

    digest = hashlib.sha256((tree.ROOT / ".clang-tidy").read_bytes())
    for header in tree.files(folders=tree.CODE_FOLDERS, suffixes=(".h",)):
        digest.update((tree.ROOT / header).read_bytes())
    common = digest.digest()
    stamps_path = args.build / "clang-tidy-clean.json"
    stamps = json.loads(stamps_path.read_text()) if stamps_path.exists() else {}

    files = our_commands(args.build, args.paths)
    todo = [f for f in files if stamps.get(f[0]) != stamp_of(f[0], common)]
    print(f"clang-tidy: {len(files)} files, {len(files) - len(todo)} unchanged since they were clean", flush=True)

    database = database_for_clang(args.build)

    def run(item):
        done = subprocess.run([args.clang_tidy, "-p", str(database), "--quiet", *EXTRA, item[1]],
                              capture_output=True, text=True, check=False)  # fmt: skip
        return item[0], done.returncode, done.stdout, done.stderr

    bad = 0
    shown = set()  # a finding in a header is told once, not for each includer
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for number, (relative, code, out, err) in enumerate(pool.map(run, todo), 1):
            if code == 0:
                stamps[relative] = stamp_of(relative, common)
                stamps_path.write_text(json.dumps(stamps, indent=0, sort_keys=True))
            else:
                bad += 1
                for block in re.split(r"(?m)^(?=\S+:\d+:\d+: (?:warning|error): )", out or err):
                    if block not in shown:
                        shown.add(block)
                        print(block, end="")
            print(f"[{number}/{len(todo)}] {relative}: {'clean' if code == 0 else 'FINDINGS'}", flush=True)
    print(f"clang-tidy: {bad} file(s) with findings" if bad else "clang-tidy: clean")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
