#!/usr/bin/env python3
"""Writes what releases of the real server say of themselves into the fake server's profiles.

    record_profile.py --newest .venv/bin/temporal --out fakes/engine/profiles ~/.cache/squall/releases/*/temporal

Each release's own dev server is started and asked: its version and capabilities, its methods and fields (by server
reflection), and which methods answer UNIMPLEMENTED though they are there. What it lacks in comparison with the newest is
written as one C++ file for each. Nothing of it runs in a build or in a test: the files are checked in.

Exit code: 0 written, 2 wrong usage, 3 a server did not start.
"""

import argparse
import asyncio
import pathlib
import re
import sys
from datetime import timedelta

import subjects
from reflection import Api
from temporalio.api.operatorservice.v1 import request_response_pb2 as op
from temporalio.api.workflowservice.v1 import request_response_pb2 as ws
from temporalio.service import RPCError, RPCStatusCode

# Would change what is asked next.
NOT_ON_DEFAULT = ("DeleteNamespace", "DeprecateNamespace")
SYSTEM = "temporal.api.workflowservice.v1.GetSystemInfoResponse.Capabilities"
NAMESPACE = "temporal.api.namespace.v1.NamespaceInfo.Capabilities"


class Release:
    """What one release says."""

    async def ask(self, client, address):
        service = client.workflow_service
        system = await service.get_system_info(ws.GetSystemInfoRequest())
        cluster = await service.get_cluster_info(ws.GetClusterInfoRequest())
        namespace = await service.describe_namespace(ws.DescribeNamespaceRequest(namespace="default"))
        self.version = system.server_version
        if cluster.server_version != self.version:
            raise RuntimeError(f"two versions in one server: {self.version}, {cluster.server_version}")
        self.clients = dict(cluster.supported_clients)
        self.capabilities = {f"{SYSTEM}.{f.name}" for f, _ in system.capabilities.ListFields()}
        self.capabilities |= {f"{NAMESPACE}.{f.name}" for f, _ in namespace.namespace_info.capabilities.ListFields()}
        self.api = await Api.of(address)
        self.refused = {}
        for name in sorted(self.api.methods):
            message = await self.refusal(client, name)
            if message is not None:
                self.refused[name] = message

    async def refusal(self, client, name):
        """The text with which a method answers UNIMPLEMENTED; None when it answers anything else."""
        service, method = name.rsplit("/", 1)
        operator = "operatorservice" in service
        request_type = getattr(op if operator else ws, method + "Request", None)
        if request_type is None:  # not in this SDK's API
            return None
        request = request_type()
        if "namespace" in request.DESCRIPTOR.fields_by_name:
            request.namespace = "no-such-namespace" if method in NOT_ON_DEFAULT else "default"
        call = getattr(client.operator_service if operator else client.workflow_service,
                       re.sub(r"(?<!^)(?=[A-Z])", "_", method).lower(), None)
        if call is None:
            return None
        try:
            await call(request, timeout=timedelta(seconds=3))
        except RPCError as error:
            if error.status == RPCStatusCode.UNIMPLEMENTED:
                return error.message
        return None


async def ask(temporal):
    release = Release()
    subject = subjects.real(temporal)
    try:
        await subject.__aenter__()
        await release.ask(subject.client, subject.address)
    finally:
        await subject.__aexit__()
    return release


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def source(release, newest):
    """The C++ of a profile."""
    absent = release.api.absent(newest.api)
    known = set(absent)
    off = sorted(newest.capabilities - release.capabilities - known)
    unknown = sorted(set(newest.api.methods) - set(release.api.methods))
    refused = sorted((m, t) for m, t in release.refused.items() if newest.refused.get(m) != t and m in newest.api.methods)
    name = "k" + release.version.replace(".", "_").replace("-", "_")
    lines = [
        "// Written by tests/differential/record_profile.py from the release's own answers; not to be edited.",
        "", "#include <array>", "", '#include "fakes/engine/profile.h"', "", "namespace squall::fakes::engine {",
        "namespace {", "", "// clang-format off"]

    def array(kind, what, items):
        if not items:
            lines.append(f"constexpr std::span<const {kind}> {what};")
            return
        lines.append(f"constexpr auto {what} = std::to_array<{kind}>({{")
        lines.extend(f"    {item}," for item in items)
        lines.append("});")

    array("std::string_view", "kUnknownMethods", [quoted(m) for m in unknown])
    array("RefusedMethod", "kRefusedMethods", [f"{{{quoted(m)}, {quoted(t)}}}" for m, t in refused])
    array("std::string_view", "kAbsentFields", [quoted(f) for f in absent])
    array("std::string_view", "kCapabilitiesOff", [quoted(f) for f in off])
    lines += ["// clang-format on", "", "}  // namespace", "",
              f"extern const Profile {name};",
              f"const Profile {name} = {{.version = {quoted(release.version)},",
              *(" " * (len(name) + 18) + f".{field} = {what}" + end for field, what, end in (
                  ("unknown_methods", "kUnknownMethods", ","), ("refused_methods", "kRefusedMethods", ","),
                  ("absent_fields", "kAbsentFields", ","), ("capabilities_off", "kCapabilitiesOff", "};"))), "", "}  // namespace squall::fakes::engine", ""]
    return "\n".join(lines), f"v{release.version.replace('.', '_').replace('-', '_')}.cc"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--newest", required=True, help="the CLI whose release the fake server is made after")
    parser.add_argument("--out", required=True, type=pathlib.Path, help="folder of the C++ files")
    parser.add_argument("temporal", nargs="+", help="CLIs of other releases")
    args = parser.parse_args()
    try:
        newest = asyncio.run(ask(args.newest))
        for temporal in args.temporal:
            release = asyncio.run(ask(temporal))
            print(f"{temporal}: server {release.version}")
            if release.clients != newest.clients:
                print(f"  supported clients differ: {release.clients}")
            if release.version == newest.version:
                continue
            text, name = source(release, newest)
            (args.out / name).write_text(text)
    except RuntimeError as error:
        print(f"record_profile: {error}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
