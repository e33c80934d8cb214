#!/usr/bin/env python3
"""Toxiproxy's Python client (toxiproxy-python) against a server whose API is on the given port: every call that it has, and
what it does to traffic.

Usage: python_client.py PORT
"""
import socket
import socketserver
import sys
import threading
import time

from toxiproxy import Toxiproxy
from toxiproxy.exceptions import InvalidToxic, NotFound, ProxyExists


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(65536):
            self.request.sendall(data)


def address(proxy):
    host, port = proxy.listen.rsplit(":", 1)
    return host, int(port)


def echo(proxy, text, timeout=10):
    with socket.create_connection(address(proxy), timeout=timeout) as link:
        link.sendall(text)
        received = b""
        while len(received) < len(text) and (data := link.recv(65536)):
            received += data
        return received


def refused(proxy):
    try:
        socket.create_connection(address(proxy), timeout=10).close()
    except ConnectionRefusedError:
        return True
    return False


def raises(kind, call, *arguments, **named):
    try:
        call(*arguments, **named)
    except kind:
        return True
    raise AssertionError(f"{kind.__name__} was expected")


def main():
    upstream = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo)
    upstream.daemon_threads = True
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    target = f"127.0.0.1:{upstream.server_address[1]}"

    server = Toxiproxy()
    server.update_api_consumer("127.0.0.1", int(sys.argv[1]))
    assert server.running()
    assert b'"version"' in server.version()
    server.destroy_all()
    assert server.proxies() == {}

    proxy = server.create(upstream=target, name="echo")
    assert proxy.enabled and proxy.upstream == target and not proxy.listen.endswith(":0"), vars(proxy)
    assert echo(proxy, b"hello") == b"hello"
    raises(ProxyExists, server.create, upstream=target, name="echo")
    assert server.get_proxy("echo").listen == proxy.listen
    assert server.get_proxy("nobody") is None

    proxy.add_toxic(type="latency", attributes={"latency": 200})
    begin = time.monotonic()
    assert echo(proxy, b"late") == b"late"
    assert time.monotonic() - begin >= 0.2
    toxic = proxy.get_toxic("latency_downstream")
    assert (toxic.stream, toxic.toxicity, toxic.attributes) == ("downstream", 1, {"latency": 200, "jitter": 0}), vars(toxic)
    assert proxy.destroy_toxic("latency_downstream") and proxy.toxics() == {}
    raises(NotFound, proxy.destroy_toxic, "latency_downstream")
    raises(InvalidToxic, proxy.add_toxic, type="walrus")

    proxy.add_toxic(name="short", type="limit_data", stream="upstream", attributes={"bytes": 3})
    assert echo(proxy, b"12345")[:3] in (b"123", b"12", b"1", b"")
    proxy.destroy_toxic("short")
    with proxy.down():
        assert refused(proxy) and not server.get_proxy("echo").enabled
    assert echo(proxy, b"up again") == b"up again"

    # Further types go through the same calls.
    proxy.add_toxic(type="corrupt", stream="downstream", attributes={"after": 2, "most": 1})
    received = echo(proxy, b"abcd")
    assert received[:2] == b"ab" and received[2:3] != b"c" and received[3:] == b"d", received

    populated = server.populate([{"name": "other", "upstream": target, "listen": "127.0.0.1:0", "enabled": False}])
    assert len(populated) == 1 and not populated[0].enabled
    assert server.reset() and server.get_proxy("other").enabled and proxy.toxics() == {}
    assert server.destroy(proxy)
    assert list(server.proxies()) == ["other"]
    server.destroy_all()
    print("the Python client works: all its calls")


if __name__ == "__main__":
    main()
