"""Checks source files of one folder as one translation unit: most of clang-tidy's time goes into headers, which they share.

Files that clash there (two helpers of one name, a macro that leaks) are parted by what the compiler says and form the next
unit. Two checks cannot work so: bugprone-suspicious-include, and misc-unused-using-decls, which is done here by text.
"""

import re
import shlex
import subprocess

import tree

OFF = "-bugprone-suspicious-include,-misc-unused-using-decls"
# Any check that costs nothing: clang-tidy refuses to run without one, and tells the compiler's errors beside it.
PARSE_ONLY = "-*,google-global-names-in-headers"
# Stands for the path of a file that the compiler names, when a signal has ended it (clang-tidy 14 dies of some long units).
DIED = "(died)"


def flags_of(command):
    """A compile command without what names its source and object: files with the same flags may stand together."""
    return re.sub(r" -o \S+ -c \S+$", "", command)


def groups(files, entries):
    """Lists of absolute paths by folder and flags. `files`: paths. `entries`: path -> compile command."""
    found = {}
    for path in files:
        found.setdefault((path.rsplit("/", 1)[0], flags_of(entries[path])), []).append(path)
    return [(flags, sorted(paths)) for (_, flags), paths in sorted(found.items())]


def part(paths, errors_of):
    """Parts paths into lists that compile together. `errors_of`: tells the paths that the compiler names for a list (empty:
    it compiles; what it names need not be of the list, which is then halved). Lazily: a list comes as soon as it is known."""
    rest = list(paths)
    while rest:
        group, ejected = rest, []
        while len(group) > 1:
            named = errors_of(group)
            if not named:
                break
            out = [path for path in group[1:] if path in named] or group[len(group) // 2 :]
            ejected += out
            group = [path for path in group if path not in out]
        yield group
        rest = sorted(ejected)


def outlived(group, verdict_of):
    """Yields (paths, exit code, output) for a list of paths, halved as long as a signal ends what judges it. `verdict_of`:
    exit code, negative for a signal, and output for a list."""
    code, out = verdict_of(group)
    if code >= 0 or len(group) == 1:
        yield group, code, out
        return
    half = len(group) // 2
    yield from outlived(group[:half], verdict_of)
    yield from outlived(group[half:], verdict_of)


def errors_in(text):
    return set(re.findall(r"(?m)^(\S+?):\d+:\d+: error: .*\[clang-diagnostic-error", text))


def unused_usings(text):
    """Lines and names of using-declarations at namespace scope that the rest of the file does not use."""
    code = tree.strip_cpp(text)
    for match in re.finditer(r"(?m)^using\s+(?:::)?(?:\w+::)+(\w+);", code):
        if len(re.findall(rf"\b{match.group(1)}\b", code)) == 1:
            yield code.count("\n", 0, match.start()) + 1, match.group(1)


class Units:
    """Writes units into a folder and runs clang-tidy over them."""

    def __init__(self, clang_tidy, folder, extra):
        self.clang_tidy = clang_tidy
        self.folder = folder
        self.extra = extra
        settings = (tree.ROOT / ".clang-tidy").read_text()
        header_filter = re.search(r"(?m)^HeaderFilterRegex: '(.*)\\\.h\$'$", settings).group(1)
        self.filter = header_filter + r"\.(h|cc)$"

    def run(self, flags, paths, checks):
        """Exit code and output. The unit lies among the sources for clang-tidy to find its settings, by name only."""
        unit = self.folder / "unit.cc"
        unit.write_text("".join(f'#include "{path}"\n' for path in paths))
        command = [self.clang_tidy, "--quiet", f"--checks={checks}", f"--header-filter={self.filter}",
                   f"--config-file={tree.ROOT / '.clang-tidy'}", str(unit), "--",
                   *shlex.split(flags)[1:], *(a.removeprefix("--extra-arg=") for a in self.extra)]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=self.folder)
        return done.returncode, done.stdout or done.stderr

    def check(self, flags, paths):
        """Yields (paths, exit code, output) for all of them, in groups."""

        def errors_of(group):
            code, out = self.run(flags, group, PARSE_ONLY)
            return errors_in(out) if code >= 0 else {DIED}

        for together in part(paths, errors_of):
            for group, code, out in outlived(together, lambda some: self.run(flags, some, OFF)):
                for path in group:
                    with open(path, encoding="utf-8") as file:
                        for line, name in unused_usings(file.read()):
                            code = code or 1
                            out += f"{path}:{line}:1: error: nothing uses {name} [misc-unused-using-decls]\n"
                yield group, code, out


def part_case(paths, clashing):
    """Like a compiler: names what clashes with something that stands before it in the list."""
    def errors_of(group):
        return {b for a, b in clashing if a in group and b in group}
    return list(part(paths, errors_of))


def self_test():
    """How many of the cases fail; tells them."""
    cases = [
        ("nothing clashes", part_case("abc", []), [list("abc")]),
        ("one clashes", part_case("abc", ["ab"]), [["a", "c"], ["b"]]),
        ("two that clash with one another too", part_case("abc", ["ab", "ac", "bc"]), [["a"], ["b"], ["c"]]),
        ("two that fit together", part_case("abcd", ["ab", "ac"]), [["a", "d"], ["b", "c"]]),
        ("named is none of them", list(part(list("ab"), lambda group: {"x.h"})), [["a"], ["b"]]),
        ("alone, it is not asked", list(part(["a"], lambda group: {"a"})), [["a"]]),
        ("outlived", list(outlived("abcd", lambda some: (-11 if "ab" in some else 0, some))),
         [("a", 0, "a"), ("b", 0, "b"), ("cd", 0, "cd")]),
        ("dies of one alone", list(outlived("ab", lambda some: (-11 if "b" in some else 1, some))),
         [("a", 1, "a"), ("b", -11, "b")]),
        ("errors", errors_in("/r/a.cc:3:1: error: redefinition of 'f' [clang-diagnostic-error]\n"
                             "/r/b.cc:3:1: error: casting [bugprone-x,-warnings-as-errors]\n"), {"/r/a.cc"}),
        ("used", list(unused_usings("using a::B;\nB x;\n")), []),
        ("unused", list(unused_usings("\nusing a::B;\n// B\n")), [(2, "B")]),
        ("in a class", list(unused_usings("  using a::B;\n")), []),
        ("grouped", groups(["/r/x/b.cc", "/r/x/a.cc", "/r/y/c.cc"],
                           {p: f"cc -O1 -o {p}.o -c {p}" for p in ("/r/x/a.cc", "/r/x/b.cc", "/r/y/c.cc")}),
         [("cc -O1", ["/r/x/a.cc", "/r/x/b.cc"]), ("cc -O1", ["/r/y/c.cc"])]),
    ]  # fmt: skip
    failures = [(name, got, expected) for name, got, expected in cases if got != expected]
    for name, got, expected in failures:
        print(f"self-test '{name}': expected {expected}, got {got}")
    return len(failures), len(cases)
