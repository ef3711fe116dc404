"""What a training of each recipe costs: CPU time and memory, from imported rows to the model that is served.

    python -m bench.recipes DATA_FOLDER [--data online-retail] [--recipes NAME ...]

Each recipe is trained in a process of its own as a solution version is: a fit on nine tenths of the users,
its measurement, a fit on everybody. Reading the rows is taken off. Recipes that are presets of another
cost what that one does, the other personal ones what aws-user-personalization-v2 does. The data has no
actions for aws-next-best-action.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from openpersonalize.datasets.selection import EventSelection
from openpersonalize.engine.cores import calculate_alone
from openpersonalize.engine.task import Task
from openpersonalize.evaluation.peak import peak_bytes
from openpersonalize.recipes.facts import Task as Answers
from openpersonalize.recipes.registry import recipe
from openpersonalize.recipes.training import Kind, Training, TrainingData
from openpersonalize.settings import read_settings
from openpersonalize.training.fit import train

from .accuracy.problem import open_problem

RECIPES = (
    "aws-popularity-count",
    "aws-trending-now",
    "aws-sims",
    "aws-ecomm-frequently-bought-together",
    "aws-similar-items",
    "aws-semantic-similarity",
    "aws-item-affinity",
    "aws-item-attribute-affinity",
    "aws-user-personalization-v2",
)
NOTHING = "nothing"
"""Reads the rows and trains nothing: what the others have in common."""


def one(folder: Path, data: str, name: str, threads: int) -> None:
    """Train in this process and print the cost."""
    calculate_alone()
    problem = open_problem(folder, data, "loo")
    events, metrics = problem.sequences, {}
    began = time.monotonic()
    if name != NOTHING:
        chosen = recipe(name)
        assert chosen is not None
        items = Kind(events.items, problem.items, problem.textual)
        given = TrainingData(items, events)
        if chosen.facts.task is Answers.SEGMENT:
            given = TrainingData.of_users(events, problem.items, problem.textual)
        with tempfile.TemporaryDirectory() as made:
            task = Task(read_settings({"data_dir": made}, {}), "bench", lambda report: None, lambda: False)
            training = Training(seed=1, threads=threads, moment=int(events.time.max()))
            metrics = train(task, chosen, given, EventSelection(), {}, training).metrics
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({
        "cpu": used.ru_utime + used.ru_stime,
        "clock": time.monotonic() - began,
        "bytes": peak_bytes(),
        "metrics": metrics,
        "events": len(events.item),
        "items": len(events.items),
    }))  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", default="online-retail")
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--one", help="train this one, in this process")
    options = parser.parse_args()
    if options.one:
        one(options.folder, options.data, options.one, options.threads)
        return
    reading = 0.0
    for name in (NOTHING, *options.recipes):
        words = [str(options.folder), "--data", options.data, "--one", name]
        told = subprocess.run(
            [sys.executable, "-m", "bench.recipes", *words, "--threads", str(options.threads)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        cost = json.loads(told.splitlines()[-1])
        if name == NOTHING:
            reading = cost["cpu"]
        shown = ", ".join(f"{metric} {value}" for metric, value in cost["metrics"].items() if "25" in metric)
        size = f"{cost['events']:,} interactions, {cost['items']:,} items"
        print(
            f"{name}: {cost['cpu'] - (0 if name == NOTHING else reading):.1f} CPU s, {cost['clock']:.1f} s,"
            f" {cost['bytes'] / 1e6:.0f} MB, {size}; {shown}",
            flush=True,
        )


if __name__ == "__main__":
    main()
