"""A worker's status at a glance: GET /status answers 200 while the server answers, else 503, with heartbeat age, executions and
recent errors as JSON. What changes is a line of output too.
"""

import asyncio
import json
from collections import deque
from typing import Any, Deque, Dict

from temporalio.client import Client
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

EVERY = 0.25
FRESH = 1.0
ERRORS_KEPT = 5


class Status(Interceptor):
    """Counts as an interceptor of activities; `static` is the mistake: a page that always says 200."""

    def __init__(self, static: bool) -> None:
        self._static = static
        self._errors: Deque[str] = deque(maxlen=ERRORS_KEPT)
        self._failed = 0
        self._done = 0
        self._last_beat = 0.0
        self._said = ""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        status = self

        class Inbound(ActivityInboundInterceptor):
            async def execute_activity(self, input: ExecuteActivityInput) -> Any:
                try:
                    result = await self.next.execute_activity(input)
                except Exception as error:
                    status._failed += 1
                    status._errors.append(f"{input.fn.__name__}: {error}")
                    raise
                status._done += 1
                return result

        return Inbound(next)

    def facts(self) -> Dict[str, Any]:
        age = asyncio.get_running_loop().time() - self._last_beat
        return {
            "up": self._static or age < FRESH,
            "heartbeat_age": round(age, 2),
            "executions": self._done,
            "failures": self._failed,
            "recent_errors": list(self._errors),
        }

    def _say(self) -> None:
        facts = self.facts()
        line = (
            f"status: {'up' if facts['up'] else 'DOWN'}, {self._done} executions, {self._failed} failures"
            f"{', last: ' + self._errors[-1] if self._errors else ''}"
        )
        if line != self._said:
            self._said = line
            print(line, flush=True)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        facts = self.facts()
        body = json.dumps(facts).encode()
        head = f"HTTP/1.0 {'200 OK' if facts['up'] else '503 Service Unavailable'}\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        try:
            await writer.drain()
            writer.close()
        except OSError:
            pass  # who asked has gone

    async def serve(self, client: Client, port: int) -> None:
        """Until it is cancelled."""
        server = await asyncio.start_server(self._answer, "127.0.0.1", port)
        async with server:
            while True:
                try:
                    await asyncio.wait_for(client.service_client.check_health(), EVERY)
                    self._last_beat = asyncio.get_running_loop().time()
                except Exception:
                    pass  # told by the age of the last one
                self._say()
                await asyncio.sleep(EVERY)
