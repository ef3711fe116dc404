"""What users' metadata and context say about people who did nothing yet, on public data sets.

    python -m bench.cold_users DATA_FOLDER [--set NAME ...] [--seed N]

A fifth of the users (2,000 at most) is left out of everything; their first four events are asked without a
history, each in its own context. HR@10 and NDCG@10 over the whole catalogue: of popularity alone, shifted by
the users' metadata, by the context, and by both as the recipe does (weights found on the other users).
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from openpersonalize.algorithms.popularity import by_users
from openpersonalize.datasets.profiles import Profiles
from openpersonalize.datasets.schemas import Schema, metadata_fields, parse_schema
from openpersonalize.datasets.selection import EventSelection
from openpersonalize.datasets.sequences import Sequences, build_sequences
from openpersonalize.recipes.base import Training
from openpersonalize.recipes.cold_users import FIRST, SIDES, cold_question, groups, weigh_cold_users
from openpersonalize.recipes.fused import FusedModel, Weights

SETS = ("deskdrop", "globo-news-1m", "online-retail")
MOST = 2_000


def load(folder: Path) -> Sequences:
    """A data set with its context and its users."""

    def frame(kind: str) -> tuple[pl.DataFrame, Schema]:
        schema = parse_schema((folder / f"schema-{kind}.json").read_text())
        types = {field.name: pl.Float64 if field.is_number else pl.String for field in schema.fields}
        return pl.read_csv(folder / f"{kind}.csv.gz", schema_overrides=types), schema

    rows, schema = frame("interactions")
    context = [field.name for field in metadata_fields(schema, "INTERACTIONS", None) if field.trains]
    records, described = frame("users")
    profiles = Profiles.of(records, "USER_ID", [field.name for field in described.fields if field.trains])
    return build_sequences(rows.lazy(), None, EventSelection(), context, profiles)


def measure(sequences: Sequences, seed: int) -> dict[str, tuple[float, float]]:
    """HR@10 and NDCG@10 by what is known."""
    rng = np.random.default_rng(seed)
    users = np.flatnonzero(sequences.counts)
    out = np.sort(rng.choice(users, min(MOST, len(users) // 5), replace=False))
    left_out = np.zeros(len(sequences.users), dtype=np.bool_)
    left_out[out] = True
    learnt = sequences.where(~np.repeat(left_out, sequences.counts))
    weights = weigh_cold_users(learnt, Training(seed=seed), rng)
    members = [one for side in SIDES if (one := groups(learnt, side)) is not None]
    print("  weights", weights, "columns", {one.name: [c.name for c in one.columns] for one in members})
    popularity, order = by_users(learnt.ptr, learnt.item, len(learnt.items))
    model = FusedModel(learnt.items, popularity, order, members, Weights({}, {}, cold=weights))
    places = sequences.ptr[out][:, None] + np.arange(FIRST)
    ranks: dict[str, list[int]] = {name: [] for name in ("popularity", "profile", "context", "both")}
    for event in places[places < sequences.ptr[out + 1][:, None]].tolist():
        query = cold_question(sequences, event)
        target = int(sequences.item[event])
        asked = {
            "popularity": replace(query, profile={}, context={}),
            "profile": replace(query, context={}),
            "context": replace(query, profile={}),
            "both": query,
        }
        for name, one in asked.items():
            scores = model.scores(one)
            ranks[name].append(int((scores > scores[target]).sum()))
    found = {}
    for name, listed in ranks.items():
        rank = np.array(listed)
        found[name] = (float((rank < 10).mean()), float(np.where(rank < 10, 1 / np.log2(rank + 2), 0).mean()))
    return found


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description="Newcomers with metadata and context.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    for name in given.set or SETS:
        print(name)
        for known, (hits, ndcg) in measure(load(given.folder / name), given.seed).items():
            print(f"  {known:12} HR@10 {hits:.4f}  NDCG@10 {ndcg:.4f}")


if __name__ == "__main__":
    main()
