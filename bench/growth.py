"""How the time and memory of a training grow with the data: ``python -m bench.growth``.

    python -m bench.growth [--events 100000 1000000 10000000] [--items 20000] [--seconds 60] [--large 1000000]

For each size a made-up world is written to a file and trained on in a process of its own, reading included:
items drawn by Zipf's law, half of all events one of five successors that every item was given, histories of
50 events on average. `--seconds` ends the learned part early; the time per event and pass is what counts.
Peaks are those of the whole process, stage by stage (Linux only). `--large`: the encoder alone, for some
steps, on as many events of as many items, of which a step touches few.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from openpersonalize.algorithms.encoder_plan import memory_needed, plan_for
from openpersonalize.datasets.selection import EventSelection
from openpersonalize.datasets.sequences import build_sequences
from openpersonalize.recipes import lead
from openpersonalize.recipes.base import Training, TrainingData
from openpersonalize.recipes.hyperparameters import read_configuration
from openpersonalize.recipes.registry import recipe

from .results import Row, row, show, write

SUCCESSORS = 5
MEAN_LENGTH = 50
TIME_RATIO = 1.3
BYTES = 64.0
PEAK_MB = 700.0


def world(events: int, items: int, seed: int = 0) -> pl.DataFrame:
    """USER_ID, ITEM_ID, TIMESTAMP of about so many events, in order of time."""
    rng = np.random.default_rng(seed)
    lengths = np.minimum(rng.geometric(1 / MEAN_LENGTH, max(1, events // MEAN_LENGTH)) + 1, 400)
    lengths = -np.sort(-lengths)
    reach = np.cumsum(1 / np.arange(1, items + 1))
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
    """CPU seconds and the highest resident memory of each stage of a training, as its progress tells them.

    A stage that comes again gets a number.
    """

    stages: list[dict[str, Any]] = field(default_factory=list)
    steps: list[dict[str, float]] = field(default_factory=list)

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
            if step == "encoder":
                self.steps.append({"first": done, "cpu": time.process_time()})
        if step == "encoder":
            self.steps[-1] |= {"last": done, "until": time.process_time()}


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
    chosen = recipe("aws-user-personalization-v2")
    assert chosen is not None
    lines: list[str] = []
    training = Training(progress=watch.progress, line=lines.append, budget_seconds=seconds)
    chosen.fit(TrainingData(sequences), read_configuration(chosen, {}), training)
    watch.end()
    plan = plan_for(lead._events(sequences), False)
    first = watch.steps[0] if watch.steps else None
    return {
        "events": len(sequences.item),
        "items": len(sequences.items),
        "shape": vars(plan.shape),
        "us_per_event": first
        and round(
            1e6 * (first["until"] - first["cpu"]) / ((first["last"] - first["first"]) * plan.tokens), 2
        ),
        "needed_mb": round(memory_needed(plan, len(sequences.items), 0, 0) / 1e6),
        "cpu": round(time.process_time(), 1),
        "peak_mb": max(one["mb"] for one in watch.stages),
        "maxrss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "stages": watch.stages,
        "lines": lines,
    }


def touched(path: Path, steps: int = 60) -> dict[str, Any]:
    """The encoder alone, for some steps, in this process: the loss as it falls, time and memory."""
    from openpersonalize.algorithms.encoder_training import fit_encoder

    sequences = build_sequences(pl.scan_parquet(path), None, EventSelection())
    events = lead._events(sequences)
    plan = plan_for(events, False)
    plan = replace(plan, passes=steps * plan.tokens / len(events.item))
    before = resident()
    Path("/proc/self/clear_refs").write_text("5")
    lines: list[str] = []
    began = time.process_time()
    fit_encoder(events, [], plan, line=lines.append)
    seconds = time.process_time() - began
    return {
        "events": len(events.item),
        "items": int((np.bincount(events.item) > 0).sum()),
        "us_per_event": round(1e6 * seconds / (plan.tokens * steps), 1),
        "mb": round(high_water() - before, 1),
        "needed_mb": round(memory_needed(plan, events.n, 0, 0) / 1e6),
        "loss": [float(line.rsplit(" ", 1)[1]) for line in lines],
    }


def large(items: int) -> list[Row]:
    """The rows of `touched`, from a process of its own."""
    with tempfile.TemporaryDirectory(prefix="openpersonalize-bench-") as folder:
        path = Path(folder) / "interactions.parquet"
        world(items, items).write_parquet(path)
        child = [sys.executable, "-m", "bench.growth", "--touch", str(path)]
        found = json.loads(subprocess.run(child, stdout=subprocess.PIPE, check=True, text=True).stdout)
    print(json.dumps(found), file=sys.stderr, flush=True)
    size = f"{found['items'] / 1e6:.2f} M items"
    return [
        row(f"encoder, {size}, peak beyond the events", found["mb"], "MB", floor=found["needed_mb"]),
        row(f"encoder, {size}, per event", found["us_per_event"], "us CPU"),
        row(f"encoder, {size}, loss after 60 steps", found["loss"][-1], "nats", target=found["loss"][0],
            lower=True),
    ]  # fmt: skip


def run(sizes: list[int], items: int, seconds: float) -> list[Row]:
    """All sizes, each in a process of its own."""
    found = []
    for events in sizes:
        with tempfile.TemporaryDirectory(prefix="openpersonalize-bench-") as folder:
            path = Path(folder) / "interactions.parquet"
            world(events, items).write_parquet(path)
            child = [sys.executable, "-m", "bench.growth", "--child", str(path), "--seconds", str(seconds)]
            done = subprocess.run(child, stdout=subprocess.PIPE, check=True, text=True)
        found.append(json.loads(done.stdout))
        print(json.dumps(found[-1], indent=1), file=sys.stderr, flush=True)
    return compared(found)


def compared(found: list[dict[str, Any]]) -> list[Row]:
    """The rows: figures per size, and their growth."""
    rows = []
    for one in found:
        size = f"{one['events'] / 1e6:.1f} M events"
        target = PEAK_MB if 0.9e6 < one["events"] < 1.1e6 else None
        rows.append(row(f"training, peak, {size}", one["peak_mb"], "MB", target=target, lower=True))
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


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description="How a training grows.")
    parser.add_argument("--events", type=int, nargs="*", default=[100_000, 1_000_000, 10_000_000])
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--large", type=int, default=1_000_000, help="items; 0: leave it out")
    parser.add_argument("--child", type=Path)
    parser.add_argument("--touch", type=Path)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(measured(given.child, given.seconds)))
        return
    if given.touch:
        print(json.dumps(touched(given.touch)))
        return
    rows = run(given.events, given.items, given.seconds) if given.events else []
    rows += large(given.large) if given.large else []
    show(rows)
    write(rows)


if __name__ == "__main__":
    main()
