#!/usr/bin/env python3
"""E1's broken subject: the container that was to run the worker runs the HTTP API.

The process is up, its health page answers 200, and nothing polls. Takes worker.py's environment and ignores it.
"""

import http.server
import signal
import threading

import lifecycle


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b'{"status":"ok"}'
        self.send_response(200 if self.path == "/health" else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def main() -> int:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    lifecycle.write("started", detail=f"HTTP API on 127.0.0.1:{server.server_port}")
    lifecycle.write("healthy", detail="GET /health answers 200")
    stop.wait()
    lifecycle.write("stopping")
    lifecycle.write("stopped", exit_code=0)
    return 0


if __name__ == "__main__":
    lifecycle.leave(main())
