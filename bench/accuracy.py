"""Accuracy of the personal model on public data sets, beside its own members alone and their targets.

    python -m bench.accuracy DATA_FOLDER [--json FILE] [--case SET/SPLIT ...]

DATA_FOLDER holds a folder per data set with ``interactions.csv.gz`` and ``items.csv.gz`` in Amazon's import
layout. Each finished case is written to the JSON file at once, and skipped when the program is started again.

Splits. ``loo``: the last event of each user is the test; popularity at a moment may count everything that
anybody did before that moment, as a server does. ``time``: the newest tenth of all events is the test,
nothing of it is known. NDCG@10 over the whole catalogue; ``kept``: items met before may be recommended, and
count;
``excluded``: they may not, and do not.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from openpersonalize.algorithms.encoder_plan import Feature
from openpersonalize.algorithms.popularity import by_users
from openpersonalize.datasets.schemas import parse_schema
from openpersonalize.datasets.selection import EventSelection
from openpersonalize.datasets.sequences import Sequences, build_sequences
from openpersonalize.evaluation.measure import best
from openpersonalize.recipes.base import Training
from openpersonalize.recipes.fused import FusedModel
from openpersonalize.recipes.item_features import ItemFeatures
from openpersonalize.recipes.user_personalization import HISTORY, final_members, weigh
from openpersonalize.recipes.validation import Aim, Cut, question

MOST_USERS = 10_000
CHOSEN = {"online-retail": "purchase"}
"""Event type that counts, where not all do."""


@dataclass(frozen=True)
class Case:
    """A data set and a split, and the NDCG@10 to reach (None: to be reported only)."""

    data: str
    split: str
    kept: float | None = None
    excluded: float | None = None

    @property
    def name(self) -> str:
        return f"{self.data}/{self.split}"


CASES = (
    Case("movielens-latest-small", "loo", 0.076, 0.080),
    Case("movielens-latest-small", "time"),
    Case("deskdrop", "loo", 0.46, 0.405),
    Case("deskdrop", "time"),
    Case("online-retail", "loo"),
    Case("online-retail", "time", 0.34, 0.100),
    Case("amazon-beauty", "loo", 0.058, 0.060),
    Case("amazon-beauty", "time", None, 0.045),
    Case("globo-news-1m", "loo", None, 0.315),
)


def load(folder: Path, data: str) -> Sequences:
    """The interactions of a data set, with its items."""
    rows = pl.read_csv(folder / data / "interactions.csv.gz", infer_schema=False)
    items = pl.read_csv(folder / data / "items.csv.gz", infer_schema=False)
    return build_sequences(rows.lazy(), items["ITEM_ID"], EventSelection.from_solution(CHOSEN.get(data), {}))


def item_features(folder: Path, data: str, sequences: Sequences) -> list[Feature]:
    """What is known about the items, by the flags of the schema."""
    schema = parse_schema((folder / data / "schema-items.json").read_text())
    types = {field.name: pl.Float64 if field.is_number else pl.String for field in schema.fields}
    items = pl.read_csv(folder / data / "items.csv.gz", schema_overrides=types)
    ids = sequences.items.series().alias("ITEM_ID").to_frame()
    items = ids.join(items, on="ITEM_ID", how="left", maintain_order="left")
    useful = [field.name for field in schema.fields if field.trains]
    return ItemFeatures.fit(items[useful], {field.name for field in schema.fields if field.textual}).features


def held_out(sequences: Sequences, split: str) -> Cut:
    """The test of a split."""
    ptr = sequences.ptr
    if split == "loo":
        users = np.flatnonzero(sequences.counts >= 3)
        kept = np.ones(len(sequences.item), dtype=np.bool_)
        kept[ptr[users + 1] - 1] = False
        if len(users) > MOST_USERS:
            users = np.sort(np.random.default_rng(0).choice(users, MOST_USERS, replace=False))
        start = ptr[users + 1] - 1
        return Cut(kept, users.astype(np.int32), start, ptr[users + 1], sequences.time[start])
    moment = int(np.quantile(sequences.time, 0.9, method="higher"))
    kept = sequences.time < moment
    before = np.concatenate(([0], np.cumsum(kept)))
    start = ptr[:-1] + before[ptr[1:]] - before[ptr[:-1]]
    users = np.flatnonzero((start > ptr[:-1]) & (start < ptr[1:]))
    return Cut(kept, users.astype(np.int32), start[users], ptr[users + 1], np.full(len(users), moment))


def ndcg(scores: np.ndarray, truth: np.ndarray) -> float:
    """NDCG@10 of one question."""
    discounts = 1 / np.log2(np.arange(2, 12))
    return float(np.isin(best(scores, 10), truth) @ discounts / discounts[: min(10, len(truth))].sum())


def run(folder: Path, case: Case, seed: int = 0) -> dict[str, Any]:
    """Train and test one case; one row of the result."""
    sequences = load(folder, case.data)
    test = held_out(sequences, case.split)
    learnt = sequences.where(test.kept)
    aim: Aim = "next" if case.split == "loo" else "horizon"
    training = Training(
        seed=seed, threads=os.cpu_count() or 1, line=lambda text: print(text, file=sys.stderr)
    )
    features = item_features(folder, case.data, sequences)
    began, wall = time.process_time(), time.monotonic()
    weights, start = weigh(learnt, True, training, features, aim)
    everything = sequences if case.split == "loo" else learnt
    members = final_members(learnt, everything, True, training, features, weights, start)
    seconds, wall = time.process_time() - began, time.monotonic() - wall
    users, order = by_users(learnt.ptr, learnt.item, len(learnt.items))

    def alone(name: str) -> FusedModel:
        return FusedModel(
            learnt.items, users, order, members, replace(weights, kept={name: 1.0}, excluded={name: 1.0})
        )

    models = {"fused": FusedModel(learnt.items, users, order, members, weights)}
    models |= {member.name: alone(member.name) for member in members}
    found: dict[str, dict[str, list[float]]] = {name: {"kept": [], "excluded": []} for name in models}
    for k in np.argsort(test.now, kind="stable").tolist():
        query, truth, _ = question(sequences, test, k, HISTORY)
        met = np.unique(sequences.item[sequences.ptr[test.user[k]] : test.start[k]])
        fresh = np.setdiff1d(truth, met)
        for name, model in models.items():
            found[name]["kept"].append(ndcg(model.scores(query), truth))
            if len(fresh):
                scores = model.scores(replace(query, seen_excluded=True))
                scores[met] = -np.inf
                found[name]["excluded"].append(ndcg(scores, fresh))
    means = {
        name: {rule: round(float(np.mean(values)), 4) if values else None for rule, values in both.items()}
        for name, both in found.items()
    }
    return {
        "name": case.name,
        "users": len(test.user),
        "users_excluded": len(found["fused"]["excluded"]),
        "seconds": round(seconds, 1),
        "wall_seconds": round(wall, 1),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "fused": means["fused"],
        "target": {"kept": case.kept, "excluded": case.excluded},
        "members": {name: both for name, both in means.items() if name != "fused"},
        "weights": {"kept": dict(weights.kept), "excluded": dict(weights.excluded)},
    }


def table(rows: list[dict[str, Any]]) -> str:
    """A line per case and rule."""
    lines = ["case                        rule      users   fused  target  best member           s CPU   MB"]
    for row in rows:
        for rule in ("kept", "excluded"):
            value, target = row["fused"][rule], row["target"][rule]
            if value is None:
                continue
            name, alone = max(
                ((name, both[rule]) for name, both in row["members"].items()), key=lambda pair: pair[1]
            )
            users = row["users"] if rule == "kept" else row["users_excluded"]
            mark = "" if target is None else "+" if value >= target else "-"
            lines.append(
                f"{row['name']:27} {rule:8} {users:6}  {value:.4f} {mark:1}{target or '':<6} "
                f"{name:13} {alone:.4f}  {row['seconds']:5} {row['peak_mb']:5}"
            )
    return "\n".join(lines)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description="Accuracy on public data sets.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", type=Path, default=Path("accuracy.json"))
    parser.add_argument("--case", action="append", default=[])
    given = parser.parse_args()
    rows: list[dict[str, Any]] = json.loads(given.json.read_text()) if given.json.exists() else []
    for case in CASES:
        wanted = not given.case or case.name in given.case
        if wanted and case.name not in {row["name"] for row in rows} and (given.folder / case.data).is_dir():
            print(f"{case.name} ...", file=sys.stderr, flush=True)
            rows.append(run(given.folder, case))
            given.json.write_text(json.dumps(rows, indent=1))
    print(table(rows))


if __name__ == "__main__":
    main()
