"""Batch inference against a plain matrix product, ``python -m bench.batch``.

    python -m bench.batch [--items 10000] [--lines 4096]

The made-up world and the model of `bench.candidates`, saved and loaded as a version. Lines per second of
`BatchInference`, JSON in and out, beside rows per second of a NumPy product of float32 vectors with
``argpartition``, scores of the same shape, in one process; and the peak of memory before and after the lines.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from openpersonalize.batch.answering import spared_by_collection
from openpersonalize.batch.inference import BatchInference
from openpersonalize.batch.scorer import BatchScorer
from openpersonalize.clock import SystemClock
from openpersonalize.datasets.selection import EventSelection
from openpersonalize.events.stores import open_live_log
from openpersonalize.recipes.artifact import Artifact, write_artifact
from openpersonalize.recipes.registry import recipe as find_recipe
from openpersonalize.recipes.training import TrainingData
from openpersonalize.serving.catalogue import Catalogue
from openpersonalize.serving.loaded import GroupData, LoadedVersion
from openpersonalize.serving.loader import NO_RECORDS
from openpersonalize.serving.source import AnswerSource
from openpersonalize.settings import read_settings

from .candidates import D, model_of, world
from .results import Row, row, show, write

RECIPE, COUNT, TARGET = "aws-user-personalization", 25, 0.5
GROUP = "arn:aws:personalize:us-east-1:000000000000:dataset-group/bench"


def measured(n: int, lines: int) -> list[Row]:
    """The rows of one size."""
    sequences = world(n)
    users = [sequences.users[number] for number in range(len(sequences.users))]
    asked = [json.dumps({"userId": users[k % len(users)]}).encode() for k in range(lines)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        recipe = find_recipe(RECIPE)
        assert recipe is not None
        (folder / "artifact").mkdir()
        write_artifact(
            folder / "artifact",
            model=model_of(sequences),
            recipe=recipe,
            data=TrainingData.of(sequences),
            selection=EventSelection.from_solution(None, None),
            position=0,
        )
        loaded = LoadedVersion(Artifact.open(folder / "artifact"), recipe.facts)
        log = open_live_log(read_settings({"data_dir": name}, {}), SystemClock())
        tail = log.tail()
        try:
            items = Catalogue(log, "", NO_RECORDS["ITEMS"], loaded.names)
            now = float(sequences.time.max())
            scorer = BatchScorer(loaded, items, histories=lambda users: tail.histories(GROUP, users), now=now)
            group = GroupData(GROUP, None, np.empty(0, dtype=np.int32), lambda: None)
            source = AnswerSource(loaded, items, group, scorer, now=lambda: now)
            inference = BatchInference(source, scorer, count=COUNT)
            inference.answered(asked[: inference.together])
            before = _peak()
            with spared_by_collection():
                begun = time.process_time()
                for start in range(0, lines, inference.together):
                    inference.answered(asked[start : start + inference.together])
                own = lines / (time.process_time() - begun)
            grown = _peak() - before
        finally:
            tail.close()
            log.close()
    plain = _product(n, lines, inference.together)
    title = f"batch inference, {n:,} items"
    return [
        row(
            f"{title}: lines a second, beside a matrix product",
            own,
            "1/s",
            floor=plain,
            target=TARGET * plain,
        ),
        row(f"{title}: memory that the lines took", grown, "MB"),
    ]


def _product(n: int, lines: int, block: int) -> float:
    """Rows per second of the plain product with its best `COUNT`."""
    rng = np.random.default_rng(0)
    items = rng.standard_normal((n, D), dtype=np.float32)
    users = rng.standard_normal((lines, D), dtype=np.float32)
    begun = time.process_time()
    for start in range(0, lines, block):
        scores = users[start : start + block] @ items.T
        np.argpartition(scores, -COUNT, axis=1)[:, -COUNT:]
    return lines / (time.process_time() - begun)


def _peak() -> float:
    """MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)


def main(words: Sequence[str] | None = None) -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, nargs="+", default=[10_000])
    parser.add_argument("--lines", type=int, default=4_096)
    chosen = parser.parse_args(words)
    for n in chosen.items:
        rows = measured(n, chosen.lines)
        show(rows)
        write(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
