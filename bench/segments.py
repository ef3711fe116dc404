"""What sealed segments cost: ``python -m bench.segments --events 1000000``.

Appends events to a live log, seals them, and prints per event: time to append and to seal, bytes in segments,
and what reading all of it for a training takes: time, and memory at the peak of a process of its own beside
what that process takes without any events.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl

from openpersonalize.clock import SystemClock
from openpersonalize.datasets.schemas import Field, Schema
from openpersonalize.datasets.selection import EventSelection
from openpersonalize.datasets.sequences import build_sequences
from openpersonalize.evaluation.peak import peak_bytes
from openpersonalize.events.entries import Event
from openpersonalize.events.linking import link_sessions
from openpersonalize.events.sqlitelog import SqliteLiveLog
from openpersonalize.events.sqlitesegments import SealingPlan

GROUP = "arn:aws:personalize:us-east-1:000000000000:dataset-group/bench"
SCHEMA = Schema(
    (
        Field("USER_ID", "string"),
        Field("ITEM_ID", "string"),
        Field("TIMESTAMP", "long"),
        Field("EVENT_TYPE", "string"),
    )
)
BATCH = 20_000


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--read", help="a folder with a log, for the process that reads")
    given = parser.parse_args()
    if given.read:
        read(Path(given.read))
        return
    with TemporaryDirectory() as folder:
        write(Path(folder), given.events)
        for where in (Path(folder), Path(folder) / "empty"):
            where.mkdir(exist_ok=True)
            subprocess.run([sys.executable, "-m", "bench.segments", "--read", str(where)], check=True)


def write(folder: Path, events: int) -> None:
    """Append and seal in turn, as a server does."""
    log = SqliteLiveLog(folder / "events.db", SystemClock(), plan=SealingPlan(grace=0))
    chance = np.random.default_rng(1)
    users, items = max(events // 20, 1), 20_000
    appending = sealing = longest = 0.0
    for start in range(0, events, BATCH):
        who = chance.integers(users, size=BATCH).tolist()
        what = (items * chance.random(BATCH) ** 3).astype(int).tolist()
        anonymous = (chance.random(BATCH) < 0.2).tolist()
        batch = [
            Event(
                None if hidden else f"user-{user:08}",
                f"session-{user:08}-{start // 1_000_000}",
                f"item-{item:06}",
                1_700_000_000 + start + place,
                "click",
                None,
                f"event-{start + place:012}",
            )
            for place, (user, item, hidden) in enumerate(zip(who, what, anonymous, strict=True))
        ]
        began = time.perf_counter()
        log.append(GROUP, batch).result()
        appending += time.perf_counter() - began
        began = time.perf_counter()
        while log.seal():
            longest = max(longest, time.perf_counter() - began)
            sealing += time.perf_counter() - began
            began = time.perf_counter()
    segments = list((folder / "segments").glob("*/*"))
    size = sum(path.stat().st_size for path in (folder / "segments").rglob("*") if path.is_file())
    began = time.perf_counter()
    tail = log.tail()
    asked = 200
    for user in chance.integers(users, size=asked).tolist():
        tail.history(GROUP, f"user-{user:08}")
    history = (time.perf_counter() - began) / asked
    row = {
        "events": events,
        "appending, us an event": appending / events * 1e6,
        "sealing, us an event": sealing / events * 1e6,
        "longest piece, s": longest,
        "segments": len(segments),
        "bytes an event": size / events,
        "database, MB": (folder / "events.db").stat().st_size / 2**20,
        "a history, ms": history * 1e3,
        "peak, MB": (peak_bytes() or 0) / 2**20,
    }
    print(", ".join(f"{name}: {value:,.4g}" for name, value in row.items()), flush=True)
    log.close()


def read(folder: Path) -> None:
    """What a training reads."""
    log = SqliteLiveLog(folder / "events.db", SystemClock())
    began = time.perf_counter()
    rows = link_sessions(log.scan(GROUP, SCHEMA).filter(~pl.col("#DUPLICATE")))
    sequences = build_sequences(rows.select(SCHEMA.names), None, EventSelection.from_solution(None, {}))
    print(
        f"read {len(sequences.item):,} interactions of {len(sequences.users):,} users in"
        f" {time.perf_counter() - began:.1f} s, peak {(peak_bytes() or 0) / 2**20:.0f} MB",
        flush=True,
    )
    log.close()


if __name__ == "__main__":
    main()
