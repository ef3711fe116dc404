"""How the time and memory of a training grow with the data: ``python -m bench.growth``.

    python -m bench.growth [--events 100000 1000000 10000000] [--items 20000] [--seconds 60] [--large 1000000]

For each size a made-up world is written to a file and trained on from end to end in a process of its own,
reading included: items drawn by Zipf's law, half of all events one of five successors that every item was
given, histories of 50 events on average. `--seconds` ends the learned part early; the time per event and pass
is what counts, that of the median step. Peaks are those of the whole process, stage by stage (Linux only),
beside what `recipes.memory` expected before it began. `--large`: one more world, of about as many items that
all have events, three for each.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from openpersonalize.algorithms.encoder_plan import plan_for
from openpersonalize.datasets.protocols import MOST_QUESTIONS
from openpersonalize.datasets.selection import EventSelection
from openpersonalize.datasets.sequences import build_sequences
from openpersonalize.recipes.hyperparameters import read_configuration
from openpersonalize.recipes.memory import training_memory
from openpersonalize.recipes.registry import recipe
from openpersonalize.recipes.training import Training, TrainingData

from .results import Row, row, show, write

SUCCESSORS = 5
MEAN_LENGTH = 50
TIME_RATIO = 1.3
BYTES = 64.0
PEAK_MB = 700.0
WITHIN = 0.25
"""By how much the peak may differ from what was expected."""
FLAT = 0.5
"""The power of Zipf's law that gives nearly every item of a large catalogue an event."""


def world(events: int, items: int, seed: int = 0, power: float = 1.0) -> pl.DataFrame:
    """USER_ID, ITEM_ID, TIMESTAMP of about so many events, in order of time; the k-th most popular item is
    met as 1 / k to the `power`."""
    rng = np.random.default_rng(seed)
    lengths = np.minimum(rng.geometric(1 / MEAN_LENGTH, max(1, events // MEAN_LENGTH)) + 1, 400)
    lengths = -np.sort(-lengths)
    reach = np.cumsum(1 / np.arange(1, items + 1) ** power)
    reach /= reach[-1]
    names = rng.permutation(items).astype(np.int32)
    follows = rng.integers(0, items, (items, SUCCESSORS), dtype=np.int32)
    now = rng.integers(1_600_000_000, 1_660_000_000, len(lengths))
    item = names[np.searchsorted(reach, rng.random(len(lengths)))]
    parts = []
    for place in range(int(lengths[0])):
        here = int(np.searchsorted(-lengths, -place))
        parts.append((np.arange(here, dtype=np.int32), item[:here].copy(), now[:here].astype(np.int32)))
        drawn = names[np.searchsorted(reach, rng.random(here))]
        follow = follows[item[:here], rng.integers(0, SUCCESSORS, here)]
        item[:here] = np.where(rng.random(here) < 0.5, follow, drawn)
        now[:here] += 1 + rng.exponential(7_200, here).astype(np.int64)
    columns = [np.concatenate([part[k] for part in parts]) for k in range(3)]
    frame = pl.DataFrame(dict(zip(("USER_ID", "ITEM_ID", "TIMESTAMP"), columns, strict=True)))
    return frame.sort("TIMESTAMP").with_columns(
        pl.format("user-{}", "USER_ID").alias("USER_ID"),
        pl.format("item-{}", "ITEM_ID").alias("ITEM_ID"),
        pl.col("TIMESTAMP").cast(pl.Int64),
    )


@dataclass
class Watch:
    """CPU seconds and the highest resident memory of each stage of a training, as its progress tells them,
    and the CPU seconds of each step of the first encoder.

    A stage that comes again gets a number.
    """

    stages: list[dict[str, Any]] = field(default_factory=list)
    steps: list[float] = field(default_factory=list)
    _told: float | None = None

    def begin(self, name: str) -> None:
        """A stage begins, the one before ends."""
        self.end()
        again = sum(one["name"].split(" ")[0] == name for one in self.stages)
        self.stages.append({"name": f"{name} {again + 1}" if again else name, "cpu": time.process_time()})
        Path("/proc/self/clear_refs").write_text("5")

    def end(self) -> None:
        """The last stage ends."""
        if self.stages and "mb" not in self.stages[-1]:
            last = self.stages[-1]
            last |= {"cpu": round(time.process_time() - last["cpu"], 2), "mb": high_water()}

    def progress(self, step: str, done: float, total: float, unit: str) -> None:
        """See `Training.progress`."""
        if not self.stages or self.stages[-1]["name"].split(" ")[0] != step:
            self.begin(step)
            self._told = None
        if self.stages[-1]["name"] == "encoder":
            now = time.process_time()
            if self._told is not None:
                self.steps.append(now - self._told)
            self._told = now


def resident() -> float:
    """MB resident now."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return round(next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024, 1)


def high_water() -> float:
    """MB, the peak since it was last set back."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return round(next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024, 1)


def measured(path: Path, seconds: float) -> dict[str, Any]:
    """Train on a file, in this process."""
    watch = Watch()
    watch.begin("read")
    sequences = build_sequences(pl.scan_parquet(path), None, EventSelection())
    plan = plan_for(sequences.events, False)
    expected = resident() + training_memory(sequences, plan, [], MOST_QUESTIONS) / 2**20
    chosen = recipe("aws-user-personalization-v2")
    assert chosen is not None
    lines: list[str] = []
    training = Training(progress=watch.progress, line=lines.append, budget_seconds=seconds)
    chosen.fit(TrainingData.of(sequences), read_configuration(chosen.facts, {}), training)
    watch.end()
    return {
        "events": len(sequences.item),
        "items": len(sequences.items),
        "shape": vars(plan.shape),
        "steps": len(watch.steps),
        "us_per_event": round(1e6 * statistics.median(watch.steps) / plan.tokens, 2) if watch.steps else None,
        "expected_mb": round(expected),
        "cpu": round(time.process_time(), 1),
        "peak_mb": max(one["mb"] for one in watch.stages),
        "maxrss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "stages": watch.stages,
        "lines": lines,
    }


def run(events: int, items: int, power: float, seconds: float) -> dict[str, Any]:
    """One world, in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="openpersonalize-bench-") as folder:
        path = Path(folder) / "interactions.parquet"
        world(events, items, power=power).write_parquet(path)
        child = [sys.executable, "-m", "bench.growth", "--child", str(path), "--seconds", str(seconds)]
        done = subprocess.run(child, stdout=subprocess.PIPE, check=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    print(json.dumps(found, indent=1), file=sys.stderr, flush=True)
    return found


def compared(found: list[dict[str, Any]]) -> list[Row]:
    """The rows: figures per size, and their growth."""
    rows: list[Row] = []
    for one in found:
        size = f"{one['events'] / 1e6:.1f} M events"
        target = PEAK_MB if 0.9e6 < one["events"] < 1.1e6 else None
        rows += [row(f"training, peak, {size}", one["peak_mb"], "MB", target=target, lower=True)]
        rows += estimated(size, one)
        if one["us_per_event"]:
            floor = found[0]["us_per_event"]
            rows.append(
                row(f"encoder, per event and pass, {size}", one["us_per_event"], "us CPU", floor=floor,
                    target=floor * TIME_RATIO, lower=True)
            )  # fmt: skip
    if len(found) > 1:
        small, large = found[-2:]
        slope = (large["peak_mb"] - small["peak_mb"]) * 2**20 / (large["events"] - small["events"])
        rows.append(row("training, memory per further event", slope, "bytes", target=BYTES, lower=True))
    return rows


def of_many_items(one: dict[str, Any]) -> list[Row]:
    """The rows of the world with a large catalogue."""
    size = f"{one['items'] / 1e6:.2f} M items"
    rows = [
        row(f"training, peak, {size}, {one['events'] / 1e6:.1f} M events", one["peak_mb"], "MB"),
        *estimated(size, one),
        row(f"training, {size}, in all", one["cpu"], "s CPU"),
    ]
    if one["us_per_event"]:
        rows.append(row(f"encoder, per event and pass, {size}", one["us_per_event"], "us CPU"))
    return rows


def estimated(size: str, one: dict[str, Any]) -> list[Row]:
    """How far the peak is from what was expected."""
    away = abs(one["expected_mb"] / one["peak_mb"] - 1)
    return [row(f"training, estimate of the peak off by, {size}", away, "", target=WITHIN, lower=True)]


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description="How a training grows.")
    parser.add_argument("--events", type=int, nargs="*", default=[100_000, 1_000_000, 10_000_000])
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--large", type=int, default=1_000_000, help="items; 0: leave it out")
    parser.add_argument("--child", type=Path)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(measured(given.child, given.seconds)))
        return
    rows = compared([run(events, given.items, 1.0, given.seconds) for events in given.events])
    if given.large:
        # A seventh of the items is drawn by nobody.
        rows += of_many_items(run(3 * given.large, given.large * 23 // 20, FLAT, given.seconds))
    show(rows)
    write(rows)


if __name__ == "__main__":
    main()
