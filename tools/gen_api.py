#!/usr/bin/env python3
"""Generates the C++ API library's sources from the protos that the production core was built with.

The protos are those inside the published crate `temporalio-protos`, at the version that core/bridge/Cargo.lock pins,
located through `cargo metadata`. So C++ and core can never disagree, and nothing is vendored.

protoc 3.21 writes the packages `temporal.api.namespace.v1` and `temporal.api.export.v1` as the C++ keywords `namespace`
and `export` (protobuf issue 9058). `fix_keywords` renames them to `namespace_` and `export_` in the generated text only:
the descriptors keep the true package, so wire format, JSON and reflection do not change.

Usage: gen_api.py --bridge core/bridge --out DIR   (DIR is made complete, then renamed into place)
       gen_api.py --self-test
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

# Imports that are roots of what squall uses; protoc follows none of their imports by itself, so the closure is listed.
ROOTS = [
    "temporal/sdk/core/core_interface.proto",
    "temporal/api/workflowservice/v1/service.proto",
    "temporal/api/operatorservice/v1/service.proto",
    "temporal/api/errordetails/v1/message.proto",
    "temporal/api/sdk/v1/workflow_metadata.proto",
    "health/v1/health.proto",
    "google/rpc/status.proto",
]
SERVICES = [
    "temporal/api/workflowservice/v1/service.proto",
    "temporal/api/operatorservice/v1/service.proto",
    "health/v1/health.proto",
]
KEYWORDS = ("namespace", "export")


def fix_keywords(text):
    """Renames the C++ namespaces `namespace` and `export`; leaves string literals (descriptors, file names) alone."""
    out = []
    for line in text.split("\n"):
        # The embedded descriptor and #include lines carry the true names and must keep them.
        stripped = line.lstrip()
        if stripped.startswith("#") or stripped.startswith('"'):
            out.append(line)
            continue
        for word in KEYWORDS:
            line = re.sub(rf"\bnamespace {word}\b(?=\s*(\{{|::|$))", f"namespace {word}_", line)
            line = re.sub(rf"::{word}::", f"::{word}_::", line)
            line = re.sub(rf"(//.*\bnamespace ){word}$", rf"\1{word}_", line)
        out.append(line)
    return "\n".join(out)


def protos_folder(bridge):
    run = subprocess.run(
        ["cargo", "metadata", "--format-version", "1", "--locked", "--manifest-path", os.path.join(bridge, "Cargo.toml")],
        capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(f"gen_api: cargo metadata failed: {run.stderr.strip()}")
    for package in json.loads(run.stdout)["packages"]:
        if package["name"] == "temporalio-protos":
            return os.path.join(os.path.dirname(package["manifest_path"]), "protos")
    sys.exit("gen_api: the lock file of core/bridge names no temporalio-protos")


def closure(protoc, includes):
    """All proto files that ROOTS need, without google/protobuf/*, which libprotobuf brings itself."""
    with tempfile.NamedTemporaryFile(suffix=".pb") as descriptor:
        run_protoc(protoc, [*[f"-I{i}" for i in includes], "--include_imports",
                            f"--descriptor_set_out={descriptor.name}", *ROOTS])
        raw = subprocess.run([protoc, "--decode=google.protobuf.FileDescriptorSet",
                              "google/protobuf/descriptor.proto"], stdin=open(descriptor.name, "rb"),
                             capture_output=True, check=True).stdout.decode("utf-8", "replace")
    names = re.findall(r'^file \{\n  name: "([^"]+)"', raw, re.M)
    return [n for n in names if not n.startswith("google/protobuf/")]


def run_protoc(protoc, arguments):
    """Runs protoc; its warnings about unused imports are upstream's, everything else is shown."""
    run = subprocess.run([protoc, *arguments], capture_output=True, text=True)
    for line in run.stderr.splitlines():
        if not re.search(r"warning: Import .* is unused", line):
            print(line, file=sys.stderr)
    if run.returncode != 0:
        sys.exit(f"gen_api: protoc failed with {run.returncode}")


def generate(bridge, out):
    protos = protos_folder(bridge)
    includes = [os.path.join(protos, p) for p in ("api_upstream", "local", "grpc", "")]
    protoc = shutil.which("protoc") or sys.exit("gen_api: protoc is missing (package protobuf-compiler)")
    plugin = shutil.which("grpc_cpp_plugin") or sys.exit(
        "gen_api: grpc_cpp_plugin is missing (package protobuf-compiler-grpc)")
    files = closure(protoc, includes)
    os.makedirs(os.path.dirname(os.path.abspath(out)), exist_ok=True)
    work = tempfile.mkdtemp(prefix="api-", dir=os.path.dirname(os.path.abspath(out)))
    arguments = [f"-I{i}" for i in includes]
    run_protoc(protoc, [*arguments, f"--cpp_out={work}", *files])
    run_protoc(protoc, [*arguments, f"--grpc_out={work}", f"--plugin=protoc-gen-grpc={plugin}", *SERVICES])
    for folder, _, names in os.walk(work):
        for name in names:
            path = os.path.join(folder, name)
            with open(path) as f:
                text = f.read()
            fixed = fix_keywords(text)
            if fixed != text:
                with open(path, "w") as f:
                    f.write(fixed)
    with open(os.path.join(work, "SOURCE"), "w") as f:
        f.write(protos + "\n")
    try:
        os.rename(work, out)
    except OSError:  # another build made it meanwhile
        shutil.rmtree(work)
        if not os.path.exists(os.path.join(out, "SOURCE")):
            raise


def self_test():
    cases = [
        ("namespace namespace {", "namespace namespace_ {"),
        ("}  // namespace namespace", "}  // namespace namespace_"),
        ("::temporal::api::namespace::v1::X* p;", "::temporal::api::namespace_::v1::X* p;"),
        ("namespace export {", "namespace export_ {"),
        ('#include "temporal/api/namespace/v1/message.pb.h"', '#include "temporal/api/namespace/v1/message.pb.h"'),
        ('  "temporal.api.namespace.v1"', '  "temporal.api.namespace.v1"'),
        ("namespace temporal {", "namespace temporal {"),
        ("const std::string& namespace_() const;", "const std::string& namespace_() const;"),
    ]
    bad = [(a, b, fix_keywords(a)) for a, b in cases if fix_keywords(a) != b]
    for given, wanted, got in bad:
        print(f"given {given!r}: wanted {wanted!r}, got {got!r}")
    print(f"{len(cases) - len(bad)} passed, {len(bad)} failed")
    return 1 if bad else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bridge")
    parser.add_argument("--out")
    parser.add_argument("--self-test", action="store_true")
    args = parser.parse_args()
    if args.self_test:
        sys.exit(self_test())
    generate(args.bridge, args.out)


if __name__ == "__main__":
    main()
