"""aws-similar-items on a made-up catalogue of any size: what a fit and an answer cost.

    python -m bench.related_catalogue [--items 100000 750000] [--threads 1]

Three interactions an item, by users who mostly keep to two categories each; a title of six words, two of
which the items of a category share, and a category (a hundred items). Each size has a process of its own: CPU
seconds of the fit, the peak of its memory on top of what the data takes, and CPU milliseconds of an answer.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time

import numpy as np
import polars as pl

from openpersonalize.datasets.selection import EventSelection
from openpersonalize.datasets.sequences import build_sequences
from openpersonalize.evaluation.peak import forget_peak, peak_bytes
from openpersonalize.recipes.hyperparameters import read_configuration
from openpersonalize.recipes.query import Query
from openpersonalize.recipes.registry import recipe
from openpersonalize.recipes.training import Kind, Training, TrainingData

EACH, LENGTH, DAY = 3, 12, 86_400
STRAY = 0.2
"""Share of the interactions that are about any item."""
WORDS, OWN, SHARED = 20_000, 4, 2
ANSWERS = 50


def catalogue(items: int, seed: int = 0) -> TrainingData:
    """The data of so many items."""
    rng = np.random.default_rng(seed)
    categories = max(items // 100, 2)
    category = rng.integers(0, categories, items)
    users = EACH * items // LENGTH
    tastes = rng.integers(0, categories, (users, 2))
    order = np.argsort(category, kind="stable")
    first = np.searchsorted(category[order], np.arange(categories + 1))
    user = np.repeat(np.arange(users), LENGTH)
    wanted = tastes[user, rng.integers(0, 2, len(user))]
    size = np.diff(first)[wanted]
    place = np.minimum(first[wanted] + (rng.random(len(user)) * size).astype(np.int64), items - 1)
    stray = (rng.random(len(user)) < STRAY) | (size == 0)
    item = np.where(stray, rng.integers(0, items, len(user)), order[place])
    time_of = rng.integers(0, 300 * DAY, users)[user] + 60 * np.arange(len(user))
    rows = pl.DataFrame({"USER_ID": user, "ITEM_ID": item, "TIMESTAMP": time_of})
    rows = rows.with_columns(pl.format("u{}", "USER_ID").alias("USER_ID"))
    rows = rows.with_columns(pl.format("i{}", "ITEM_ID").alias("ITEM_ID"))
    known = pl.DataFrame({"number": np.arange(items)}).select(pl.format("i{}", "number").alias("ITEM_ID"))
    sequences = build_sequences(rows.lazy(), known["ITEM_ID"], EventSelection())
    own = (WORDS * rng.random((items, OWN)) ** 2).astype(np.int64)
    shared = (category[:, None] * SHARED + np.arange(SHARED)) % WORDS
    words = np.concatenate([own, shared], axis=1)
    columns = [pl.format("word{}", pl.Series(f"w{k}", words[:, k])) for k in range(OWN + SHARED)]
    records = known.with_columns(
        pl.concat_str(columns, separator=" ").alias("TITLE"),
        pl.format("category {}", pl.Series("c", category)).alias("CATEGORY"),
    )
    ids = sequences.items.series().alias("ITEM_ID").to_frame()
    aligned = ids.join(records, on="ITEM_ID", how="left", maintain_order="left")
    return TrainingData(Kind(sequences.items, aligned, frozenset({"TITLE"})), sequences)


def one(items: int, threads: int) -> dict[str, float]:
    """What one size costs."""
    data = catalogue(items)
    chosen = recipe("aws-similar-items")
    assert chosen is not None
    forget_peak()
    before, began = peak_bytes() or 0, time.process_time()
    model = chosen.fit(data, read_configuration(chosen.facts, {}), Training(threads=threads))
    trained = time.process_time() - began
    peak = peak_bytes() or 0
    began = time.process_time()
    for anchor in np.random.default_rng(1).integers(0, items, ANSWERS).tolist():
        model.scores(Query.of_nobody(0, anchor=anchor))
    answer = (time.process_time() - began) / ANSWERS
    return {"cpu": trained, "data": before, "more": peak - before, "answer": 1000 * answer}


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description="aws-similar-items by the size of the catalogue.")
    parser.add_argument("--items", type=int, nargs="+", default=[100_000, 750_000])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one(options.one, options.threads)))
        return
    print(
        "| items | CPU s of a fit | MB of it | MB of the data | CPU ms of an answer |\n|---|---|---|---|---|"
    )
    for items in options.items:
        words = ["-m", "bench.related_catalogue", "--one", str(items), "--threads", str(options.threads)]
        told = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=True).stdout
        cost = json.loads(told.splitlines()[-1])
        print(
            f"| {items:,} | {cost['cpu']:.0f} | {cost['more'] / 1e6:,.0f} | {cost['data'] / 1e6:,.0f}"
            f" | {cost['answer']:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
