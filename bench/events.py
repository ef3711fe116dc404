"""PutEvents over HTTP, signed, each call fsynced before its answer; and the live log by itself.

64 connections, every event new. The floor is the handler that does nothing on the same HTTP server. Above
3 ms for an fsync, 64 connections that wait for their answers cannot reach 10,000 calls a second whatever
the code does: how long this disk takes is measured in the same run.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from openpersonalize.clock import SystemClock
from openpersonalize.events.entries import Event
from openpersonalize.events.sqlitelog import SqliteLiveLog

from .load import Outcome, load
from .results import Row, row
from .serving import Server, floor, serving, wait
from .shop import avro

CONNECTIONS, CALLS, ROUNDS = 64, 20_000, 3
APPENDS = 60_000
TARGET_APPENDS, TARGET_CALLS, TARGET_EVENTS = 5000.0, 5000.0, 20_000.0
GROUP = "arn:aws:personalize:us-east-1:000000000000:dataset-group/bench"


def run() -> list[Row]:
    """All of it; about a minute."""
    with tempfile.TemporaryDirectory(prefix="openpersonalize-bench-", dir=".") as folder:
        rows = [fsync(Path(folder)), *alone(Path(folder))]
        with serving(Path(folder) / "data") as server, floor(Path(folder)) as floor_port:
            return rows + over_http(server, floor_port)


def fsync(folder: Path, times: int = 200) -> Row:
    """The median time of an fsync after a write of 4 KB at the end of a file."""
    taken = []
    with (folder / "fsync").open("wb", buffering=0) as file:
        for _ in range(times):
            file.write(b"x" * 4096)
            begun = time.perf_counter()
            os.fsync(file.fileno())
            taken.append(time.perf_counter() - begun)
    return row("fsync of this disk: p50", statistics.median(taken) * 1000, "ms")


def alone(folder: Path) -> list[Row]:
    """Coroutines that append one event each time, without HTTP."""
    log = SqliteLiveLog(folder / "events.db", SystemClock())
    taken: list[float] = []

    async def client(number: int) -> None:
        for event in range(APPENDS // CONNECTIONS):
            time_of_it = 1_700_000_000 + event
            begun = time.perf_counter()
            await log.appended(
                GROUP, [Event(f"user-{number}", "s", f"item-{event % 997}", time_of_it, "click")]
            )
            taken.append(time.perf_counter() - begun)

    async def crowd() -> None:
        await asyncio.gather(*[client(number) for number in range(CONNECTIONS)])

    begun, used = time.perf_counter(), time.process_time()
    asyncio.run(crowd())
    seconds, used = time.perf_counter() - begun, time.process_time() - used
    log.close()
    taken.sort()
    return [
        row("live log, 64 callers: appends", len(taken) / seconds, "calls/s", target=TARGET_APPENDS),
        row("live log, 64 callers: CPU of one append", used / len(taken) * 1e6, "us"),
        row("live log, 64 callers: p99", taken[len(taken) * 99 // 100] * 1000, "ms"),
    ]


def over_http(server: Server, floor_port: int) -> list[Row]:
    """Calls with one event and with ten, and the floor, a round of each in turn."""
    tracking_id = _tracker(server)
    seen: dict[str, list[Outcome]] = {"floor": [], "1": [], "10": []}
    for turn in range(ROUNDS):
        for size in (1, 10):
            bodies = [_body(tracking_id, turn, call, size) for call in range(CALLS // size)]
            requests = server.signer().requests("/events", bodies)
            outcome = load(server.port, requests, connections=CONNECTIONS, seconds=60, passes=1)
            if outcome.errors or not outcome.answers:
                raise RuntimeError(f"{outcome.errors} errors: {outcome.first_error}")
            seen[str(size)].append(outcome)
            if size == 1:
                seen["floor"].append(
                    load(floor_port, requests, connections=CONNECTIONS, seconds=60, passes=1)
                )

    def middle(name: str, of: str) -> float:
        return statistics.median(getattr(outcome, of) for outcome in seen[name])

    base = middle("floor", "rate")
    ten = middle("10", "rate")
    return [
        row("floor: do-nothing handler, 64 connections", base, "requests/s"),
        row("PutEvents, 1 event: rate", middle("1", "rate"), "calls/s", floor=base, target=TARGET_CALLS),
        row("PutEvents, 1 event: p99", middle("1", "p99"), "ms", floor=middle("floor", "p99")),
        row("PutEvents, 10 events: rate", ten, "calls/s", floor=base),
        row("PutEvents, 10 events: events", ten * 10, "events/s", target=TARGET_EVENTS),
        row("PutEvents, 10 events: p99", middle("10", "p99"), "ms", floor=middle("floor", "p99")),
    ]


def _tracker(server: Server) -> str:
    personalize = server.client("personalize")
    group = personalize.create_dataset_group(name="bench")["datasetGroupArn"]
    wait(personalize.describe_dataset_group, "datasetGroup", datasetGroupArn=group)
    schema = personalize.create_schema(name="bench", schema=avro("Interactions"))["schemaArn"]
    personalize.create_dataset(
        name="bench", datasetGroupArn=group, datasetType="Interactions", schemaArn=schema
    )
    return str(personalize.create_event_tracker(name="bench", datasetGroupArn=group)["trackingId"])


def _body(tracking_id: str, turn: int, call: int, size: int) -> dict[str, Any]:
    """A call whose events nobody sent before."""
    events = [
        {
            "eventType": "click",
            "itemId": f"item-{(call * size + place) % 9973}",
            "sentAt": 1_700_000_000 + turn * 1_000_000 + call,
            "eventId": f"{turn}-{size}-{call}-{place}",
        }
        for place in range(size)
    ]
    user = f"user-{call % 5000}"
    return {"trackingId": tracking_id, "sessionId": f"{user}-1", "userId": user, "eventList": events}
