"""A load generator: N connections, each asking again as soon as it was answered.

Runs in a process of its own and speaks HTTP over raw sockets, so that it costs less than the server it
measures. As a program it reads one JSON line (see `load`) and prints one JSON line.
"""

from __future__ import annotations

import asyncio
import json
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Outcome:
    """What one run saw: answers, errors, seconds, and latencies in milliseconds."""

    answers: int
    errors: int
    seconds: float
    p50: float
    p99: float
    worst: float
    first_error: str

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answers / self.seconds


def load(
    port: int, requests: Sequence[bytes], *, connections: int, seconds: float, passes: int = 0
) -> Outcome:
    """Send `requests` in turn, over and over, from another process.

    Args:
        port: the server's, on this machine.
        requests: whole HTTP requests.
        connections: requests in flight at any time.
        seconds: how long; or, when `passes` is given, at most.
        passes: end after each request was sent so many times; 0 = by time only.
    """
    with tempfile.NamedTemporaryFile(suffix=".requests") as file:
        for request in requests:
            file.write(struct.pack("<I", len(request)) + request)
        file.flush()
        line = {
            "port": port,
            "file": file.name,
            "connections": connections,
            "seconds": seconds,
            "passes": passes,
        }
        done = subprocess.run(
            [sys.executable, "-m", "bench.load"],
            input=json.dumps(line),
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parent.parent,
        )
    return Outcome(**json.loads(done.stdout))


class _Run:
    """Shared state of the connections."""

    def __init__(self, requests: list[bytes], passes: int) -> None:
        self.requests = requests
        self.next = 0
        self.last = passes * len(requests) if passes else sys.maxsize
        self.latencies: list[float] = []
        self.errors = 0
        self.first_error = ""
        self.end = 0.0
        self.open = 0
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class _Connection(asyncio.Protocol):
    """One connection: ask, wait for the whole answer, ask again."""

    def __init__(self, run: _Run) -> None:
        self.run = run
        self.buffer = b""
        self.sent = 0.0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.run.open += 1
        self.ask()

    def ask(self) -> None:
        run = self.run
        now = time.perf_counter()
        if now >= run.end or run.next >= run.last:
            self.transport.close()
            return
        self.sent = now
        self.transport.write(run.requests[run.next % len(run.requests)])
        run.next += 1

    def data_received(self, data: bytes) -> None:
        if self.buffer:
            data = self.buffer + data
        head = data.find(b"\r\n\r\n")
        if head < 0:
            self.buffer = data
            return
        lower = data[:head].lower()
        place = lower.find(b"content-length:")
        length = int(lower[place + 15 :].split(b"\r\n", 1)[0])
        if len(data) < head + 4 + length:
            self.buffer = data
            return
        self.buffer = b""
        self.run.latencies.append(time.perf_counter() - self.sent)
        if data[9:12] != b"200":
            self.run.errors += 1
            self.run.first_error = self.run.first_error or data[:600].decode(errors="replace")
        self.ask()

    def connection_lost(self, error: Exception | None) -> None:
        self.run.open -= 1
        if not self.run.open and not self.run.finished.done():
            self.run.finished.set_result(None)


async def _run(line: dict[str, Any]) -> Outcome:
    raw = Path(line["file"]).read_bytes()
    requests, place = [], 0
    while place < len(raw):
        (length,) = struct.unpack_from("<I", raw, place)
        requests.append(raw[place + 4 : place + 4 + length])
        place += 4 + length
    run = _Run(requests, line["passes"])
    loop = asyncio.get_running_loop()
    begun = time.perf_counter()
    run.end = begun + line["seconds"]
    for _ in range(line["connections"]):
        await loop.create_connection(lambda: _Connection(run), "127.0.0.1", line["port"])
    await run.finished
    seconds = time.perf_counter() - begun
    times = np.array(run.latencies) * 1000
    p50, p99, worst = np.percentile(times, [50, 99, 100]) if len(times) else (0.0, 0.0, 0.0)
    return Outcome(len(times), run.errors, seconds, float(p50), float(p99), float(worst), run.first_error)


def main() -> None:
    """Read the order from standard input, print the outcome."""
    try:
        import uvloop

        loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    except ImportError:
        loop = asyncio.new_event_loop()
    outcome = loop.run_until_complete(_run(json.loads(sys.stdin.read())))
    print(json.dumps(outcome.__dict__))


if __name__ == "__main__":
    main()
