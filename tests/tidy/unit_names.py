#!/usr/bin/env python3
"""Fails on two sources of one target that give the same name to different helpers in their anonymous namespaces.

The sources of a target are compiled several at a time (squall_units in cmake/SquallTargets.cmake), where such names clash. Which
sources come together changes with their sizes, so a clash anywhere in a target is a compile error to come. The finding is
often worth more than the name: two helpers of one name tend to be one helper. Nor may a helper have the name of a class that
stands in a header of ours, in its namespace, which another source of the target includes.
"""

import re
import sys

import tree

KEYWORDS = r"\b(?:SOURCES|DEPS|PRIVATE_DEPS|LABELS|PROGRAMS|ENV|PARSED_API|TIMEOUT|PROCESSORS)\b"


def targets(root):
    """(name, paths of its sources that may be compiled together) of each target that the CMakeLists.txt declare."""
    for path in tree.files(root, suffixes=("CMakeLists.txt",)):
        text = re.sub(r"#[^\n]*", "", tree.text_of(path, root))
        folder = path.removesuffix("CMakeLists.txt")
        alone = " ".join(re.findall(r"set_source_files_properties\(([^)]*)PROPERTIES\s+SKIP_UNITY_BUILD_INCLUSION", text)).split()
        text = re.sub(r"\bsquall_units\(\s*\w+\s+(\w+)", r"squall_library(\1 SOURCES", text)
        for name, arguments in re.findall(r"\bsquall_(?:library|program|test)\(\s*([^\s)]+)([^)]*)\)", text):
            parts = re.split(rf"({KEYWORDS})", arguments)
            sources = [one for key, words in zip(parts[1::2], parts[2::2]) if key == "SOURCES" for one in words.split()]
            yield name, [folder + one for one in sources if one.endswith(".cc") and one[0] != "$" and one not in alone]


def statements(text, where="anonymous"):
    """(line, beginning up to its body or end, namespace) of what stands directly in an anonymous namespace, or in a "named" one."""
    code = tree.strip_cpp(text)
    code = re.sub(r"(?m)^[ \t]*#(?:[^\n\\]|\\\n|\\.)*", lambda m: "\n" * m.group(0).count("\n"), code)
    scopes, start, round_ = [], 0, 0  # scopes: "anonymous", "named" or "body"
    named = []  # of the scopes
    for at, char in enumerate(code):
        if char in "()":
            round_ += 1 if char == "(" else -1
        elif char == "{":
            head = code[start:at]
            bare = head.strip()
            if round_ == 0 and re.fullmatch(r"(?:inline\s+)?namespace", bare):
                scopes.append("anonymous")
                named.append("")
            elif round_ == 0 and re.fullmatch(r"(?:inline\s+)?namespace\s+[\w:]+", bare):
                scopes.append("named")
                named.append(bare.split()[-1])
            else:
                if scopes and scopes[-1] == where and bare:
                    yield code.count("\n", 0, start + len(head) - len(head.lstrip())) + 1, bare, "::".join(filter(None, named))
                scopes.append("body")
            if scopes[-1] != "body":
                start = at + 1
        elif char == "}" and scopes:
            if scopes[-1] != "body":
                named.pop()
            if scopes.pop() != "body" or (not scopes or scopes[-1] != "body"):
                start = at + 1
        elif char == ";" and round_ == 0 and (not scopes or scopes[-1] != "body"):
            head = code[start:at]
            if scopes and scopes[-1] == where and head.strip():
                yield code.count("\n", 0, start + len(head) - len(head.lstrip())) + 1, head.strip(), "::".join(filter(None, named))
            start = at + 1


def without_template(head):
    match = re.match(r"template\s*<", head)
    if not match:
        return head
    depth = 0
    for at in range(match.end() - 1, len(head)):
        depth += {"<": 1, ">": -1}.get(head[at], 0)
        if depth == 0:
            return without_template(head[at + 1 :].strip())
    return head


def names(head):
    """What a statement declares: (name, what tells it from another of that name)."""
    head = without_template(re.sub(r"\s+", " ", head))
    head = re.sub(r"^(?:\[\[[^\]]*\]\] )+", "", head)
    head = re.sub(r"\balignas ?\([^()]*(?:\([^()]*\))?[^()]*\) ?", "", head)
    if match := re.match(r"(?:using|namespace) (\w+) ?= ?(.*)", head):
        return [(match.group(1), match.group(2))]
    if head.startswith("using ") or head.startswith("static_assert"):
        return []
    if match := re.match(r"(?:enum class|enum struct|enum|class|struct|union) (\w+)", head):
        return [(match.group(1), None)]
    before = head.split("=")[0]
    if "(" in before and (match := re.search(r"(~?\w+|operator\W+) ?\(", before)):
        inside = head[match.end() :].rsplit(")", 1)[0]
        types = [re.sub(r"(?<=[\w>&*] )\w+$|(?<=[&*>])\w+$", "", re.sub(r" ?=.*", "", one).strip()).strip() for one in inside.split(",")]
        return [(match.group(1), "(" + ",".join(types) + ")")]
    if "=" in head or "[" in head or re.search(r" \w+$", head):
        found = re.findall(r"\b(k[A-Z]\w*)\s*(?:\[[^\]]*\])*\s*=", head) or re.findall(r"(\w+)\s*(?:\[[^\]]*\])*\s*$", before)[:1]
        return [(name, None) for name in found]
    return []


class Headers:
    """What our headers declare, and which of them a source includes, directly or through others."""

    def __init__(self, root):
        self.root, self.included, self.declared = root, {}, {}

    def of(self, path):
        if path not in self.included:
            self.included[path] = set()  # also for a circle
            named = re.findall(r'^[ \t]*#[ \t]*include[ \t]*"([^"\n]+)"', tree.text_of(path, self.root), re.M)
            own = {one for one in named if (self.root / one).exists()}
            self.included[path] = own.union(*(self.of(one) for one in own))
        return self.included[path]

    def classes(self, path):
        """name -> its namespaces, with what an alias is for"""
        if path not in self.declared:
            found = {}
            for _, head, namespace in statements(tree.text_of(path, self.root), "named"):
                if re.match(r"(?:enum|class|struct|union|using \w+ ?=)(?!\w)", without_template(head)):
                    for name, kind in names(head):
                        found.setdefault(name, set()).add((namespace, kind))
            self.declared[path] = found
        return self.declared[path]


def check(root):
    findings = []
    headers = Headers(root)
    for target, paths in targets(root):
        paths = [path for path in paths if (root / path).exists()]
        includes = {header: path for path in paths for header in headers.of(path)}
        seen = {}  # name and overload -> (path, what an alias is for)
        functions = {}  # name of any overload -> path
        for path in paths:
            own = set()
            for line, head, namespace in statements(tree.text_of(path, root)):
                alias = head.startswith(("using ", "namespace "))
                for name, kind in names(head):
                    for header in sorted(set(includes) - headers.of(path)):
                        if any((namespace + "::").startswith(one + "::") and not (alias and other == kind)
                               for one, other in headers.classes(header).get(name, ())):
                            findings.append((path, line, f"{name} is a name in {header} as well, which {includes[header]} includes, "
                                                         f"of the same target {target}"))
                    key = name if alias or kind is None else name + kind
                    other = seen.get(key)
                    if not alias and not other:  # a function hides a class of its name
                        other = (functions[name], None) if kind is None and name in functions else seen.get(name)
                    if other and other[0] != path and not (alias and other[1] == kind):
                        findings.append((path, line, f"{name} is a name in {other[0]} as well, of the same target {target}"))
                    own.add((key, kind if alias else None))
                    if not alias and kind is not None:
                        functions.setdefault(name, path)
            for key, kind in own:
                seen.setdefault(key, (path, kind))
    return findings


LIST = "squall_library(x SOURCES a.cc b.cc DEPS y)\n"


def case(a, b, text=LIST):
    def whole(body):
        return f"namespace squall {{\nnamespace {{\n{body}\n}}  // namespace\n}}\n"
    return {"base/CMakeLists.txt": text, "base/a.cc": whole(a), "base/b.cc": whole(b)}


CASES = [
    ("different", case("int F() { return 1; }", "int G() { return 1; }"), []),
    ("a function", case("int F(int a) { return 1; }", "\nint F(int b) {\n  return 1;\n}"), ["base/b.cc:4: F is a name in base/a.cc"]),
    ("an overload", case("int F(int a) { return 1; }", "int F(const X& b) { return 1; }"), []),
    ("a constant", case("constexpr int kA = 1;", "constexpr char kA[] = {1};"), ["b.cc:3: kA"]),
    ("the second of two", case("constexpr int kA = 1, kB = 2;", "constexpr int kB = 2;"), ["kB"]),
    ("a function and a class", case("void A(int b) {}", "struct A {\n};"), ["base/b.cc:3: A is a name in base/a.cc"]),
    ("a class and a function", case("struct A {\n};", "void A(int b) {}"), ["base/b.cc:3: A is a name in base/a.cc"]),
    ("a class in a header", {**case("int A() { return 1; }", "int G() { return 1; }"), "base/a.h": "namespace squall {\nstruct A {\n};\n}",
                             "base/b.cc": '#include "base/a.h"\nnamespace squall { int G() { return 1; } }'}, ["base/a.cc:3: A is a name in base/a.h"]),
    ("a class in a header that the source includes", {"base/CMakeLists.txt": LIST, "base/a.h": "namespace squall { struct B {}; }",
                             "base/a.cc": '#include "base/a.h"\nnamespace squall { namespace { int A() { return 1; } } }', "base/b.cc": ""}, []),
    ("a class in a header, in another namespace", {**case("int A() { return 1; }", "int G() { return 1; }"),
                             "base/a.h": "namespace squall::sim {\nstruct A {\n};\n}", "base/b.cc": '#include "base/a.h"\n'}, []),
    ("a class", case("class A final { int x; };", "struct A {\n};"), ["A is a name"]),
    ("members", case("class A { int F() { return 1; } };", "class B { int F() { return 1; } };"), []),
    ("locals", case("int F() { int kA = 1; return kA; }", "int G() { int kA = 1; return kA; }"), []),
    ("the same alias", case("using R = a::B;", "using R = a::B;"), []),
    ("the same short namespace", case("namespace fs = std::filesystem;", "namespace fs = std::filesystem;"), []),
    ("two aliases", case("using R = a::B;", "using R = a::C;"), ["R is a name"]),
    ("a template", case("template <typename T>\nT F(T t) { return t; }", "template <class T>\nT F(T t) { return t; }"), ["F is"]),
    ("outside", {**case("int F();", "int G();"), "base/b.cc": "namespace squall { int F() { return 1; } }"}, []),
    ("another target", case("int F() {}", "int F() {}", "squall_library(x SOURCES a.cc)\nsquall_library(y SOURCES b.cc)\n"), []),
    ("units alone", case("int F() {}", "int F() {}", "squall_units(out x\n  a.cc b.cc)\nadd_library(x OBJECT ${out})\n"), ["F is"]),
    ("kept apart", case("int F() {}", "int F() {}", "set_source_files_properties(b.cc PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)\n"
                        + LIST), []),
    ("in a comment", case("int F() {}", "// int F() {}"), []),
]  # fmt: skip

if __name__ == "__main__":
    sys.exit(tree.main(check, "unit names", CASES))
