"""Load: many connections from one background thread, every reply kept and judged."""

import asyncio
import json
import threading
import time
from dataclasses import dataclass, field

from harness import eventually


@dataclass
class Outcome:
    """How one request ended."""

    started: float
    status: int | None = None
    headers: dict = field(default_factory=dict)
    body: bytes = b""
    first_byte: float | None = None
    ended: float | None = None
    error: str | None = None

    @property
    def succeeded(self):
        return self.error is None and self.status == 200

    @property
    def served_by(self):
        return self.headers.get("x-gateway-destination-endpoint-served")

    def __str__(self):
        ended = self.ended or time.monotonic()
        took = f"after {ended - self.started:.2f} s"
        return f"status {self.status}, {self.error or 'no error'}, {took}: {self.body[:300]!r}"


class AsyncConnection:
    """One keep-alive connection of an event loop."""

    def __init__(self, port):
        self.port = port
        self.reader = self.writer = None

    async def open(self):
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)

    def close(self):
        if self.writer is not None:
            self.writer.close()
            self.reader = self.writer = None

    async def request(self, body, outcome, path="/v1/chat/completions"):
        """Sends one request and fills its outcome as the reply arrives."""
        if self.writer is None:
            await self.open()
        content = json.dumps(body).encode()
        head = f"POST {path} HTTP/1.1\r\nhost: gateway.test\r\ncontent-type: application/json\r\n"
        self.writer.write(f"{head}content-length: {len(content)}\r\n\r\n".encode() + content)
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        outcome.first_byte = time.monotonic()
        status_line, *lines = head[:-4].split("\r\n")
        outcome.status = int(status_line.split(" ")[1])
        outcome.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if outcome.headers.get("transfer-encoding") == "chunked":
            while size := int((await self.reader.readuntil(b"\r\n"))[:-2], 16):
                outcome.body += (await self.reader.readexactly(size + 2))[:-2]
            await self.reader.readexactly(2)
        else:
            outcome.body = await self.reader.readexactly(int(outcome.headers["content-length"]))
        outcome.ended = time.monotonic()
        if outcome.headers.get("connection", "").lower() == "close":
            self.close()


class ClosedLoop:
    """`workers` connections, each sending its next request when the last is answered, until the block ends.

    `make_body(number)` gives the body of the n-th request. A streamed reply that ends without `[DONE]` is a failure.
    """

    def __init__(self, port, workers, make_body):
        self.port, self.workers, self.make_body = port, workers, make_body
        self.outcomes = []
        self.running = set()
        self._next = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="load", daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Lets every running request end, then returns."""
        self._stopping.set()
        self._thread.join(timeout=60)
        assert not self._thread.is_alive(), f"{len(self.running)} requests never ended"

    def await_outcomes(self, count, within=30.0):
        """Waits for `count` more requests to end."""
        target = len(self.outcomes) + count
        eventually(lambda: len(self.outcomes) >= target, f"{count} more answers", within)

    def failures(self):
        """The requests that did not succeed."""
        return [outcome for outcome in list(self.outcomes) if not outcome.succeeded]

    def assert_no_failures(self):
        failures = self.failures()
        assert not failures, f"{len(failures)} of {len(self.outcomes)} requests failed, the first: {failures[0]}"

    async def _run(self):
        await asyncio.gather(*(self._work() for _ in range(self.workers)))

    async def _work(self):
        connection = AsyncConnection(self.port)
        while not self._stopping.is_set():
            self._next += 1
            body = self.make_body(self._next)
            outcome = Outcome(started=time.monotonic())
            self.running.add(id(outcome))
            try:
                await connection.request(body, outcome)
                if body.get("stream") and outcome.status == 200 and not outcome.body.endswith(b"data: [DONE]\n\n"):
                    outcome.error = "the stream ended without [DONE]"
            except (OSError, EOFError, ValueError, KeyError) as error:
                outcome.error = repr(error)
                connection.close()
            self.running.discard(id(outcome))
            self.outcomes.append(outcome)
            if outcome.error is not None:
                # A gateway that is gone would otherwise be asked thousands of times a second.
                await asyncio.sleep(0.05)  # the poll interval
        connection.close()
