#!/usr/bin/env python3
"""The same requests to squall's proxy and to Toxiproxy: status, type and body of each answer must be the same.

What differs on purpose is taken out first: the ports that the system gave, and the empty "Logger" that the original shows of
its own inside.

Usage: side_by_side.py OUR_PORT THEIR_PORT
"""
import http.client
import json
import re
import sys

PROXY = '{"name":"p","listen":"localhost:0","upstream":"localhost:1"}'
Q = '{"name":"q","listen":"localhost:0","upstream":"localhost:1"'
TOXIC_TYPES = ("noop", "latency", "bandwidth", "slow_close", "timeout", "reset_peer", "slicer", "limit_data")

SCRIPT = [
    ("GET", "/proxies", None), ("GET", "/nothing", None), ("GET", "/", None), ("PUT", "/proxies", "{}"),
    ("DELETE", "/proxies", None), ("GET", "/reset", None), ("GET", "/populate", None), ("POST", "/version", None),
    ("POST", "/proxies", None), ("POST", "/proxies", ""), ("POST", "/proxies", "{"), ("POST", "/proxies", '{"name":'),
    ("POST", "/proxies", "what?"), ("POST", "/proxies", "[]"), ("POST", "/proxies", '"text"'), ("POST", "/proxies", "7"),
    ("POST", "/proxies", "null"), ("POST", "/proxies", "{}"), ("POST", "/proxies", '{"name":""}'),
    ("POST", "/proxies", '{"name":1}'), ("POST", "/proxies", '{"name":"a","upstream":["b"]}'),
    ("POST", "/proxies", '{"name":"a","upstream":"b:1","enabled":"yes"}'), ("POST", "/proxies", '{"name":"a"}'),
    ("POST", "/proxies", '{"name":"a","upstream":"b:1","listen":"here"}'),
    ("POST", "/proxies", '{"name":"a","upstream":"b:1","listen":"a:b:c"}'),
    ("POST", "/proxies", PROXY), ("POST", "/proxies", PROXY), ("GET", "/proxies/p", None), ("GET", "/proxies/x", None),
    ("GET", "/proxies", None), ("GET", "/proxies/p/toxics", None), ("GET", "/proxies/x/toxics", None),
    ("POST", "/proxies", '{"NAME":"Caps","Listen":"localhost:0","upSTREAM":"localhost:1"} trailing'),
    ("POST", "/proxies", '{"name":"<&>","listen":"localhost:0","upstream":"localhost:1","enabled":null}'),
    ("GET", "/proxies/%3C%26%3E", None), ("DELETE", "/proxies/%3C%26%3E", None), ("DELETE", "/proxies/Caps", None),
    *[("POST", "/proxies/p/toxics", json.dumps({"type": one})) for one in TOXIC_TYPES],
    *[("POST", "/proxies/p/toxics", json.dumps({"type": one, "stream": "upstream", "toxicity": 0.3})) for one in TOXIC_TYPES],
    ("GET", "/proxies/p/toxics", None), ("GET", "/proxies/p", None),
    ("POST", "/proxies/p/toxics", None), ("POST", "/proxies/p/toxics", "{}"), ("POST", "/proxies/p/toxics", "{"),
    ("POST", "/proxies/p/toxics", '{"type":"walrus"}'), ("POST", "/proxies/p/toxics", '{"type":"latency","stream":"both"}'),
    ("POST", "/proxies/p/toxics", '{"type":"latency"}'), ("POST", "/proxies/x/toxics", '{"type":"latency"}'),
    ("POST", "/proxies/p/toxics", '{"type":"latency","name":"a","attributes":{"latency":"1"}}'),
    ("POST", "/proxies/p/toxics", '{"type":"latency","name":"a","attributes":{"latency":1.5}}'),
    ("POST", "/proxies/p/toxics", '{"type":"latency","name":"a","attributes":{"latency":1,"nonsense":2}}'),
    ("POST", "/proxies/p/toxics", '{"type":"latency","name":"b","attributes":null}'),
    ("POST", "/proxies/p/toxics", '{"type":"slicer","name":"c","toxicity":"1"}'),
    ("POST", "/proxies/p/toxics", '{"type":"slicer","name":"c","toxicity":0.123456789,"attributes":{"Delay":3}}'),
    ("GET", "/proxies/p/toxics/c", None), ("GET", "/proxies/p/toxics/none", None), ("GET", "/proxies/x/toxics/c", None),
    ("POST", "/proxies/p/toxics/c", '{"attributes":{"average_size":64}}'), ("PATCH", "/proxies/p/toxics/c", '{"toxicity":1}'),
    ("PATCH", "/proxies/p/toxics/c", "{"), ("PATCH", "/proxies/p/toxics/none", "{}"), ("PUT", "/proxies/p/toxics/c", "{}"),
    ("PATCH", "/proxies/p/toxics/c", '{"attributes":{"delay":"soon"}}'), ("PATCH", "/proxies/p/toxics/c", "{}"),
    ("DELETE", "/proxies/p/toxics/c", None), ("DELETE", "/proxies/p/toxics/c", None), ("DELETE", "/proxies/x/toxics/c", None),
    ("POST", "/proxies/p", '{"enabled":false}'), ("GET", "/proxies/p", None), ("PATCH", "/proxies/p", '{"enabled":true}'),
    ("POST", "/proxies/p", '{"upstream":"localhost:2"}'), ("PATCH", "/proxies/p", "what?"), ("PATCH", "/proxies/x", "{}"),
    ("POST", "/proxies/p", '{"listen":"here"}'), ("POST", "/proxies/p", '{"name":"renamed"}'),
    ("POST", "/populate", None), ("POST", "/populate", "{}"), ("POST", "/populate", "[]"), ("POST", "/populate", '[{"name":""}]'),
    ("POST", "/populate", f'[{Q}}},{{"name":"r"}}]'), ("POST", "/populate", f'[{Q}}},{{"name":"r","upstream":"u:1","listen":"here"}}]'),
    ("POST", "/populate", f'[{Q},"enabled":false}}]'), ("POST", "/populate", f"[{Q}}}]"), ("GET", "/proxies", None),
    ("POST", "/reset", None), ("GET", "/proxies", None), ("DELETE", "/proxies/p", None), ("DELETE", "/proxies/p", None),
]  # fmt: skip


def ask(port, method, path, body):
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    link.request(method, path, body, {"User-Agent": "side-by-side"})
    reply = link.getresponse()
    text = reply.read().decode()
    link.close()
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text.replace('"Logger":{},', ""))
    return reply.status, reply.getheader("Content-Type"), text


def main():
    ours, theirs = int(sys.argv[1]), int(sys.argv[2])
    differences = 0
    for step in SCRIPT:
        mine, other = ask(ours, *step), ask(theirs, *step)
        if mine != other:
            differences += 1
            print(f"{step[0]} {step[1]} {step[2]}\n  squall    {mine}\n  toxiproxy {other}")
    print(f"{len(SCRIPT)} requests, {differences} differences")
    sys.exit(1 if differences else 0)


if __name__ == "__main__":
    main()
