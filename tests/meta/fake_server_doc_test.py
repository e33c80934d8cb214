#!/usr/bin/env python3
"""docs/fake-server.md says what the fake server does for each RPC: its table must be what the server itself prints, and at
most 15 RPCs may be refused.

    fake_server_doc_test.py SQUALL_SERVER DOCUMENT [--write]     --write puts the current table into the document
"""

import pathlib
import re
import subprocess
import sys

BEGIN = "<!-- squall-server --rpc-table -->\n"
END = "<!-- end of the table -->"
MOST_REFUSED = 15


def main():
    server, document = sys.argv[1], pathlib.Path(sys.argv[2])
    table = subprocess.run([server, "--rpc-table"], capture_output=True, text=True, check=True).stdout
    text = document.read_text(encoding="utf-8")
    before, found, rest = text.partition(BEGIN)
    old, closed, after = rest.partition(END)
    if not (found and closed):
        print(f"{document}: the marks around the table are missing")
        return 1
    if sys.argv[3:] == ["--write"]:
        document.write_text(before + BEGIN + table + END + after, encoding="utf-8")
        old = table
    if old != table:
        print(f"{document}: the table is not what {server} --rpc-table prints; repeat with --write")
        return 1
    refused = re.findall(r"^\| (\w+) \| refused \| (.*) \|$", table, re.M)
    without_reason = [name for name, why in refused if not why]
    if without_reason or len(refused) > MOST_REFUSED:
        print(f"{len(refused)} RPCs are refused, at most {MOST_REFUSED} may be; without a reason: {without_reason}")
        for name, why in refused:
            print(f"  {name}: {why}")
        return 1
    print(f"{table.splitlines()[0]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
