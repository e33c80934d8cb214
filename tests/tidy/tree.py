"""What the tidy tests share: which files are ours, C++ without its comments, and how findings are told."""

import os
import pathlib
import re
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Folders that hold no source of ours: build output, environments, run output.
SKIPPED = {".git", ".venv", "build", "squall-out", "target", "__pycache__"}
CODE_FOLDERS = ("base", "core", "fakes", "scenarios", "sim", "harness", "reports", "tests")
CPP = (".h", ".cc")


def files(root=ROOT, folders=(".",), suffixes=None):
    """Our files under the folders, sorted, as paths relative to the root with forward slashes."""
    found = []
    for folder in folders:
        for path, names, leaves in os.walk(root / folder):
            names[:] = sorted(n for n in names if n not in SKIPPED and not n.startswith("build-"))
            for leaf in leaves:
                relative = os.path.relpath(os.path.join(path, leaf), root).replace(os.sep, "/")
                if suffixes is None or relative.endswith(tuple(suffixes)):
                    found.append(relative)
    return sorted(found)


def text_of(relative, root=ROOT):
    return (root / relative).read_text(encoding="utf-8", errors="replace")


_TOKEN = re.compile(
    r'''R"(?P<tag>[^\s()\\]{0,16})\(.*?\)(?P=tag)"'''  # raw string
    r'''|"(?:\\.|[^"\\\n])*"'''                         # string
    r"""|(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'"""        # character; not a digit separator
    r"""|//(?:\\\n|[^\n])*|/\*.*?\*/""",               # comments
    re.S,
)


def strip_cpp(text, keep_strings=False):
    """C++ with comments (and, unless kept, the contents of strings) blanked; line numbers stay."""

    def blank(match):
        token = match.group(0)
        if token.startswith(("//", "/*")):
            return re.sub(r"[^\n]", " ", token)
        if keep_strings:
            return token
        return '""' + "\n" * token.count("\n")

    return _TOKEN.sub(blank, text)


def report(findings, what):
    """Prints findings (path, line, text) and gives the exit code."""
    for path, line, text in findings:
        print(f"{path}:{line}: {text}" if line else f"{path}: {text}")
    print(f"{what}: {len(findings)} finding(s)" if findings else f"{what}: clean")
    return 1 if findings else 0


def self_test(check, cases):
    """Proves a check red and green. Each case is (name, {path: text}, [what the findings must contain])."""
    failures = 0
    for name, tree, expected in cases:
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for path, text in tree.items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text(text, encoding="utf-8")
            found = [f"{path}:{line}: {text}" for path, line, text in check(root)]
        matched = len(found) == len(expected) and all(
            any(part in one for one in found) for part in expected
        )
        if not matched:
            failures += 1
            print(f"self-test '{name}': expected {expected}, got {found}")
    print(f"self-test: {len(cases) - failures} of {len(cases)} cases as expected")
    return 1 if failures else 0


def main(check, what, cases):
    if sys.argv[1:] == ["--self-test"]:
        return self_test(check, cases)
    if sys.argv[1:]:
        print(f"usage: {sys.argv[0]} [--self-test]", file=sys.stderr)
        return 2
    return report(check(ROOT), what)
