#!/usr/bin/env python3
"""Runs the API tests of Toxiproxy's own Go module, through its own client package, against squall's proxy.

The module's files are copied into a temporary folder; of its root package's tests only api_test.go stays, and in it only
the start of the server is replaced. The client's tests run as they are.

Usage: go_api_tests.py SQUALL_PROXY MODULE_FOLDER
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

PROGRAM, MODULE = os.path.abspath(sys.argv[1]), sys.argv[2]

# The port is the one that the original's tests ask.
START = """package toxiproxy_test

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"testing"
)

var server *exec.Cmd

func WithServer(t *testing.T, f func(string)) {
	if server == nil {
		server = exec.Command(os.Getenv("SQUALL_PROXY"), "--port", "8475", "--api-version", "git")
		server.Stderr = os.Stderr
		out, err := server.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := server.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := bufio.NewReader(out).ReadString('\\n'); err != nil {
			t.Fatal("squall proxy did not start: ", err)
		}
	}
	defer func() {
		proxies, err := client.Proxies()
		if err != nil {
			t.Error("Failed to list proxies", err)
		}
		for _, proxy := range proxies {
			if err := proxy.Delete(); err != nil {
				t.Error("Failed to clear collection", err)
			}
		}
	}()
	f("http://localhost:" + "8475")
}

func TestMain(m *testing.M) {
	code := m.Run()
	if server != nil {
		server.Process.Kill()
		server.Wait()
	}
	os.Exit(code)
}

"""


def function(text, name):
    """The whole text of a top-level function."""
    return re.search(rf"^func {name}\(.*?^}}\n", text, re.S | re.M)[0]


def without_unused_imports(text):
    head, imports, rest = re.match(r"(.*?import \(\n)(.*?)(\n\).*)", text, re.S).groups()
    kept = []
    for line in imports.split("\n"):
        match = re.match(r'\s*(?:(\w+) )?"([^"]+)"', line)
        name = match and (match[1] or re.sub(r"/v\d+$", "", match[2]).split("/")[-1])
        if not match or re.search(rf"\b{name}\.", rest):
            kept.append(line)
    return head + "\n".join(kept) + rest


def main():
    with tempfile.TemporaryDirectory(prefix="squall-toxiproxy-") as folder:
        module = os.path.join(folder, "module")
        shutil.copytree(MODULE, module, copy_function=shutil.copyfile)
        for path, folders, _ in os.walk(module):
            os.chmod(path, 0o755)
            for name in folders:
                os.chmod(os.path.join(path, name), 0o755)
        with open(os.path.join(module, "api_test.go"), encoding="utf-8") as file:
            tests = file.read()
        with open(os.path.join(module, "toxiproxy_test.go"), encoding="utf-8") as file:
            helper = function(file.read(), "AssertProxyUp")
        for name in os.listdir(module):
            if name.endswith("_test.go"):
                os.remove(os.path.join(module, name))
        tests = tests.replace(function(tests, "WithServer"), "")
        tests = without_unused_imports(tests.replace("var testServer *toxiproxy.ApiServer\n", ""))
        with open(os.path.join(module, "api_test.go"), "w", encoding="utf-8") as file:
            file.write(tests)
        with open(os.path.join(module, "start_test.go"), "w", encoding="utf-8") as file:
            file.write(START + helper)
        environment = {**os.environ, "SQUALL_PROXY": PROGRAM}
        done = subprocess.run(["go", "test", "-count=1", "-v", ".", "./client"], cwd=module, env=environment,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=600)
        passed = len(re.findall(r"^--- PASS", done.stdout, re.M))
        failed = re.findall(r"^--- FAIL: (\S+)", done.stdout, re.M)
        if done.returncode != 0 or failed or passed == 0:
            print(done.stdout)
            sys.exit(f"{passed} passed, failed: {', '.join(failed) or 'the build'}")
        print(f"{passed} tests of the Go module passed")


if __name__ == "__main__":
    main()
