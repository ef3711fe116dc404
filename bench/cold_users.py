"""What people get who did nothing yet, on public data sets.

    python -m bench.cold_users DATA_FOLDER [--set NAME ...] [--seed N]

The newest tenth of all events is the test: the first four events of everybody who came in it (2,000 users at
most) are asked without a history, at their moment and in their own context, when everything that others did
before it has happened. HR@10 and NDCG@10 over the whole catalogue: of the users of an item, as learned before
the test (`popularity`); of the recipe when nothing is known of the person (`nothing`), when the metadata, the
context, or both are. All weights are found before the test.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from openpersonalize.algorithms.popularity import item_popularity
from openpersonalize.datasets.profiles import Profiles
from openpersonalize.datasets.schema_rules import metadata_fields
from openpersonalize.datasets.schemas import Schema, parse_schema
from openpersonalize.datasets.selection import EventSelection
from openpersonalize.datasets.sequences import Sequences, build_sequences
from openpersonalize.recipes.base_rankers import online_rankers
from openpersonalize.recipes.cold_users import FIRST_EVENTS, attribute_ranker, cold_question, weigh_cold_users
from openpersonalize.recipes.fusion.model import FusedModel
from openpersonalize.recipes.fusion.weights import ATTRIBUTES, Weights
from openpersonalize.recipes.item_counts import ItemCounts
from openpersonalize.recipes.training import Training

SETS = ("amazon-beauty", "deskdrop", "globo-news-1m", "movielens-latest-small", "online-retail")
MOST = 2_000
NEWEST = 0.1


def load(folder: Path) -> Sequences:
    """A data set with its context and its users."""

    def frame(kind: str) -> tuple[pl.DataFrame, Schema]:
        schema = parse_schema((folder / f"schema-{kind}.json").read_text())
        types = {field.name: pl.Float64 if field.is_number else pl.String for field in schema.fields}
        return pl.read_csv(folder / f"{kind}.csv.gz", schema_overrides=types), schema

    rows, schema = frame("interactions")
    context = [field.name for field in metadata_fields(schema, "INTERACTIONS", None) if field.trains]
    profiles = None
    if (folder / "schema-users.json").exists():
        records, described = frame("users")
        columns = [field.name for field in described.fields if field.trains]
        profiles = Profiles.of(records, "USER_ID", columns)
    return build_sequences(rows.lazy(), None, EventSelection(), context, profiles)


def measure(sequences: Sequences, seed: int) -> dict[str, tuple[float, float]]:
    """HR@10 and NDCG@10 by what is known."""
    rng = np.random.default_rng(seed)
    moment = int(np.quantile(sequences.time, 1 - NEWEST, method="higher"))
    learnt = sequences.where(sequences.time < moment)
    came = np.flatnonzero(sequences.counts)
    came = came[sequences.time[sequences.ptr[came]] >= moment]
    asked = np.sort(rng.choice(came, min(MOST, len(came)), replace=False))
    training = Training(seed=seed)
    weights = weigh_cold_users(learnt, online_rankers(learnt, training, None), training, rng)
    sides = [one for side in ATTRIBUTES if (one := attribute_ranker(learnt, side)) is not None]
    print("  weights", weights, "columns", {one.name: [c.name for c in one.columns] for one in sides})
    popularity, order = item_popularity(learnt.ptr, learnt.item, len(learnt.items))
    members = [*sides, *online_rankers(sequences, training, None)]
    model = FusedModel(learnt.items, ItemCounts(popularity, order), members, Weights.alike({}, {}, weights))
    places = sequences.ptr[asked][:, None] + np.arange(FIRST_EVENTS)
    chosen = places[places < sequences.ptr[asked + 1][:, None]]
    ranks: dict[str, list[int]] = {name: [] for name in ("popularity", "nothing", *weights) if name}
    for event in chosen[np.argsort(sequences.time[chosen], kind="stable")].tolist():
        query = cold_question(sequences, event)
        for name, found in ranks.items():
            known = {side: getattr(query, side) if side in name else {} for side in ATTRIBUTES}
            scores = popularity if name == "popularity" else model.scores(replace(query, **known))
            found.append(int((scores > scores[sequences.item[event]]).sum()))
    print(f"  {len(asked)} users, {len(chosen)} questions")
    figures = {}
    for name, listed in ranks.items():
        rank = np.array(listed)
        ndcg = np.where(rank < 10, 1 / np.log2(rank + 2), 0)
        figures[name] = (float((rank < 10).mean()), float(ndcg.mean()))
    return figures


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description="People who did nothing yet.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    for name in given.set or SETS:
        print(name)
        for known, (hits, ndcg) in measure(load(given.folder / name), given.seed).items():
            print(f"  {known:15} HR@10 {hits:.4f}  NDCG@10 {ndcg:.4f}")


if __name__ == "__main__":
    main()
