#!/usr/bin/env python3
"""The bridge's build script refuses a C header that does not match the Rust sources, and rewrites it on request.

Usage: bridge_header_test.py CRATE_DIR CACHE_DIR. Runs the compiled build script itself (cargo's own run of it would build
the whole crate for the green case) on a copy of the crate.
"""

import glob
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

CRATE = pathlib.Path(sys.argv[1])
CACHE = pathlib.Path(sys.argv[2])


def build_script():
    key = hashlib.sha256((CRATE / "Cargo.lock").read_bytes()).hexdigest()[:12]
    found = glob.glob(str(CACHE / f"cargo-{key}/*/build/squall-bridge-*/build-script-build"))
    assert found, f"no build script under {CACHE}: build the target squall_bridge first"
    return max(found, key=os.path.getmtime)


class HeaderTest(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory(prefix="squall-header-")
        self.crate = pathlib.Path(self.dir.name) / "bridge"
        self.crate.mkdir()
        for name in ("src", "include"):
            shutil.copytree(CRATE / name, self.crate / name)
        shutil.copy(CRATE / "Cargo.lock", self.crate)
        self.header = self.crate / "include/squall_bridge.h"

    def tearDown(self):
        self.dir.cleanup()

    def run_script(self, **environment):
        env = {k: v for k, v in os.environ.items() if k != "SQUALL_BRIDGE_UPDATE_HEADER"}
        env.update(environment, CARGO_MANIFEST_DIR=str(self.crate))
        return subprocess.run([build_script()], env=env, capture_output=True, text=True, check=False)

    def test_the_checked_in_header_matches(self):
        result = self.run_script()
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("cargo:rustc-env=SQUALL_CORE_VERSION=", result.stdout)

    def test_a_changed_header_is_refused_with_the_line_and_the_remedy(self):
        text = self.header.read_text().replace("#define SQUALL_CODE_SHUTDOWN 100", "#define SQUALL_CODE_SHUTDOWN 101")
        self.header.write_text(text)
        result = self.run_script()
        self.assertEqual(result.returncode, 1)
        self.assertIn("squall_bridge.h does not match the Rust sources", result.stderr)
        self.assertIn("SQUALL_BRIDGE_UPDATE_HEADER=1", result.stderr)
        line = next(i for i, t in enumerate(text.splitlines(), 1) if "SHUTDOWN 101" in t)
        self.assertIn(f"line {line}", result.stderr)

    def test_changed_sources_are_refused(self):
        source = self.crate / "src/testing.rs"
        source.write_text(source.read_text() + "\n#[unsafe(no_mangle)]\npub extern \"C\" fn squall_test_extra() {}\n")
        self.assertEqual(self.run_script().returncode, 1)

    def test_update_writes_the_header(self):
        true = self.header.read_text()
        self.header.write_text("nothing")
        self.assertEqual(self.run_script(SQUALL_BRIDGE_UPDATE_HEADER="1").returncode, 0)
        self.assertEqual(self.header.read_text(), true)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
