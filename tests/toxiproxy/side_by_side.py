#!/usr/bin/env python3
"""The same requests to squall's proxy and to Toxiproxy: status, type, location and body of each answer must be the same.

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
# Bodies that are no JSON, each in another way.
BROKEN = (
    "{,}", '{"a"}', '{"a":}', '{"a":1,}', '{"a":1 "b":2}', "{a:1}", "{1:2}", "[,]", "[1,]", "[1 2]", "[1;2]", "]", "}", ":", ",",
    "tru", "trux", "falsy", "nul", "nulL", "-", "-a", "01x", "1.", "1.x", "1e", "1e+", "1e+x", "-0.5e-x", '"', '"a', '"\n"', '"\\x"',
    '"\\u12"', '"\\u12g4"', "'single'", '{"a":\t1\n}x', "\x00", "\x7f", "\u00e4", "\u00a0", '{"name":"a","upstream":"b:1"', "[" * 10001,
)  # fmt: skip
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
    *[("POST", "/proxies", body) for body in BROKEN], *[("POST", "/populate", body) for body in BROKEN[:8]],
    *[("POST", "/proxies/p/toxics", body) for body in BROKEN[:8]], *[("POST", "/proxies/p/toxics/latency_upstream", body) for body in BROKEN[:8]],
    ("POST", "/proxies", '{"enabled":"yes","name":1}'), ("POST", "/proxies", '{"name":1,"enabled":"yes"}'),
    ("POST", "/proxies", '{"name":{},"upstream":[]}'), ("POST", "/proxies", '{"upstream":true}'), ("POST", "/proxies", '{"listen":1.5}'),
    ("POST", "/populate", '{"name":"x"}'), ("POST", "/populate", '"text"'), ("POST", "/populate", "[1]"), ("POST", "/populate", "[null]"),
    ("POST", "/populate", '[{"name":1}]'), ("POST", "/populate", '[{"upstream":{}}]'), ("POST", "/populate", '[{"name":"x","enabled":1}]'),
    ("POST", "/populate", f'[{Q}}}, {{"name":1}}]'), ("POST", "/populate", '[[]]'), ("POST", "/populate", "null"),
    ("PATCH", "/proxies/p", '{"enabled":1}'), ("PATCH", "/proxies/p", '{"listen":1}'), ("PATCH", "/proxies/p", "[]"), ("PATCH", "/proxies/p", "null"),
    ("POST", "/proxies/p/toxics", "null"), ("POST", "/proxies/p/toxics", "[]"), ("POST", "/proxies/p/toxics", "1"),
    ("POST", "/proxies/p/toxics", '{"type":1}'), ("POST", "/proxies/p/toxics", '{"type":"latency","name":[]}'),
    ("POST", "/proxies/p/toxics", '{"type":"latency","name":"t","stream":1}'), ("POST", "/proxies/p/toxics", '{"toxicity":"a","type":7}'),
    ("POST", "/proxies/p/toxics", '{"type":"latency","name":"t","attributes":[]}'), ("POST", "/proxies/p/toxics", '{"type":"latency","name":"t","attributes":"a"}'),
    ("POST", "/proxies/p/toxics", '{"type":"latency","name":"t","attributes":1}'), ("POST", "/proxies/p/toxics", '{"type":"noop","name":"t","attributes":[]}'),
    ("POST", "/proxies/p/toxics", '{"type":"latency","name":"t","attributes":{"jitter":"a","latency":"b"}}'),
    ("POST", "/proxies/p/toxics", '{"type":"latency","name":"t","attributes":{"latency":1e2}}'), ("DELETE", "/proxies/p/toxics/t", None),
    ("POST", "/proxies/p/toxics", '{"type":"latency","name":"t","attributes":{"latency":99999999999999999999}}'),
    ("POST", "/proxies/p/toxics", '{"type":"latency","name":"t","attributes":{"latency":-5}}'), ("DELETE", "/proxies/p/toxics/t", None),
    ("POST", "/proxies/p/toxics", '{"type":"limit_data","name":"t","attributes":{"bytes":true}}'),
    ("POST", "/proxies/p/toxics", '{"type":"latency","name":"t","toxicity":-1}'), ("DELETE", "/proxies/p/toxics/t", None),
    ("POST", "/proxies/p/toxics", '{"type":"latency","name":"t","toxicity":7.5}'), ("DELETE", "/proxies/p/toxics/t", None),
    ("POST", "/proxies/p/toxics", '{"type":"latency","name":"a/b"}'), ("GET", "/proxies/p/toxics/a/b", None), ("GET", "/proxies/p/toxics/a%2Fb", None),
    ("POST", "/proxies/p/toxics/latency_upstream", "null"), ("POST", "/proxies/p/toxics/latency_upstream", "[]"),
    ("POST", "/proxies/p/toxics/latency_upstream", '{"attributes":[]}'), ("POST", "/proxies/p/toxics/latency_upstream", '{"toxicity":"x"}'),
    ("POST", "/proxies/p/toxics/latency_upstream", '{"toxicity":"x","attributes":7}'), ("POST", "/proxies/p/toxics/latency_upstream", '{"name":1,"type":2}'),
    ("GET", "/proxies/", None), ("GET", "/proxies/p/", None), ("GET", "/proxies//toxics", None), ("GET", "//proxies", None), ("GET", "/proxies?x=1", None),
    ("GET", "/./proxies/../version?x=1", None), ("POST", "//proxies/%3C%20%3E(1)/", None), ("GET", "/..", None), ("GET", "/proxies/%zz", None), ("GET", "/%", None),
    *[("POST", "/proxies/p/toxics", f'{{"type":"{one}","name":"e","attributes":{body}}}') for one in TOXIC_TYPES for body in
      ("{" + ",".join(f'"{name}":[]' for name in names) + "}" for names in (("rate", "latency"), ("timeout", "jitter"), ("delay",), ("bytes", "size_variation"), ("average_size",)))],
    *[("DELETE", "/proxies/p/toxics/e", None), ("POST", "/proxies/p/toxics", '{"type":"noop","name":"latency_upstream","attributes":1}')],
    ("POST", "/proxies/p/toxics", '{"type":"latency","name":"latency_upstream","attributes":{"latency":""}}'),
    *[("PATCH", f"/proxies/p/toxics/{one}_upstream", '{"attributes":"x"}') for one in TOXIC_TYPES],
    ("POST", "/proxies/p/toxics", '{"type":"noop","stream":"UpStream"}'), ("POST", "/proxies/p/toxics", '{"type":"noop","name":"e","stream":""}'),
    ("POST", "/proxies/p/toxics", '{"type":"noop","name":"e","stream":null,"toxicity":null}'),
    *[("PATCH", "/proxies/p/toxics/e", f'{{"toxicity":{value}}}') for value in ("1e-7", "0.00001", "1e5", "1e21", "1e39", "1e999", "1e-60", "0.1", "-0")],
    ("POST", "/proxies", '{"name":"l","Logger":5}'), ("POST", "/populate", '[{"logger":[]}]'), ("PATCH", "/proxies/p", '{"logger":{},"name":2}'),
    ("POST", "/proxies", " \n"), ("POST", "/proxies", "\v{}"), ("POST", "/proxies", '{"name":"d","name":5}'), ("POST", "/proxies", '{"name":5,"name":"d"}'),
    ("POST", "/populate", '[{"name":"d","name":5,"enabled":1}]'), ("PATCH", "/proxies/p/toxics/e", '{"attributes":null,"toxicity":0.5}'),
    ("GET", "/proxies/p", None),
    ("POST", "/reset", None), ("GET", "/proxies", None), ("DELETE", "/proxies/p", None), ("DELETE", "/proxies/p", None),
]  # fmt: skip


def ask(port, method, path, body):
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    link.request(method, path, body if body is None else body.encode(), {"User-Agent": "side-by-side"})
    reply = link.getresponse()
    text = reply.read().decode()
    link.close()
    text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text.replace('"Logger":{},', ""))
    return reply.status, reply.getheader("Content-Type"), reply.getheader("Location"), text


def main():
    ours, theirs = int(sys.argv[1]), int(sys.argv[2])
    differences = 0
    for step in SCRIPT:
        mine, other = ask(ours, *step), ask(theirs, *step)
        if mine != other:
            differences += 1
            print(f"{step[0]} {step[1]} {(step[2] or '')[:200]!r}\n  squall    {mine}\n  toxiproxy {other}")
    print(f"{len(SCRIPT)} requests, {differences} differences")
    sys.exit(1 if differences else 0)


if __name__ == "__main__":
    main()
