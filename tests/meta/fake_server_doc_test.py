#!/usr/bin/env python3
"""docs/fake-server.md says what the fake server does for each RPC and which releases it can answer as: its tables must be
what the server itself prints, and at most 15 RPCs may be refused.

    fake_server_doc_test.py SQUALL_SERVER DOCUMENT [--write]     --write puts the current tables into the document
"""

import pathlib
import re
import subprocess
import sys

END = "<!-- end of the table -->"
MOST_REFUSED = 15


def table_of(server, flag, document, write):
    """The table that `server` prints for `flag`; None when the document has another one."""
    begin = f"<!-- squall-server {flag} -->\n"
    table = subprocess.run([server, flag], capture_output=True, text=True, check=True).stdout
    text = document.read_text(encoding="utf-8")
    before, found, rest = text.partition(begin)
    old, closed, after = rest.partition(END)
    if not (found and closed):
        print(f"{document}: the marks around the table of {flag} are missing")
        return None
    if write:
        document.write_text(before + begin + table + END + after, encoding="utf-8")
    elif old != table:
        print(f"{document}: the table is not what {server} {flag} prints; repeat with --write")
        return None
    return table


def main():
    server, document, write = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3:] == ["--write"]
    tables = [table_of(server, flag, document, write) for flag in ("--profile-table", "--rpc-table")]
    if None in tables:
        return 1
    table = tables[1]
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
