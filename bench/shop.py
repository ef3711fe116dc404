"""A made-up shop with structure to learn: items in groups, Zipf in popularity, users with drifting tastes.

Everything is drawn by columns; a million interactions take about a second.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

NEWEST = 1_760_000_000
"""Epoch seconds of the newest interaction."""

SCHEMAS: dict[str, list[tuple[str, str | list[str], dict[str, bool]]]] = {
    "Interactions": [
        ("USER_ID", "string", {}),
        ("ITEM_ID", "string", {}),
        ("TIMESTAMP", "long", {}),
        ("EVENT_TYPE", "string", {}),
    ],
    "Items": [
        ("ITEM_ID", "string", {}),
        ("CATEGORY", ["null", "string"], {"categorical": True}),
        ("PRICE", ["null", "double"], {}),
        ("CREATION_TIMESTAMP", "long", {}),
    ],
}


def avro(dataset_type: str) -> str:
    """The schema of one of the shop's datasets, as CreateSchema takes it."""
    fields = [{"name": name, "type": kind, **more} for name, kind, more in SCHEMAS[dataset_type]]
    return json.dumps(
        {
            "type": "record",
            "name": dataset_type,
            "namespace": "com.amazonaws.personalize.schema",
            "fields": fields,
            "version": "1.0",
        }
    )


@dataclass(frozen=True)
class Shop:
    """The drawn data: Polars frames in the columns of `SCHEMAS`."""

    interactions: pl.DataFrame
    items: pl.DataFrame

    def write(self, folder: Path) -> None:
        """Write ``Interactions.csv`` and ``Items.csv``."""
        folder.mkdir(parents=True, exist_ok=True)
        self.interactions.write_csv(folder / "Interactions.csv")
        self.items.write_csv(folder / "Items.csv")


def draw(*, items: int, users: int, interactions: int, groups: int = 100, seed: int = 0) -> Shop:
    """Draw a shop. Each user has three groups of items, stays in one for a while, clicks by popularity in it.

    One interaction in eight is a purchase; one in ten leaves the user's groups.
    """
    rng = np.random.default_rng(seed)
    group_of = rng.integers(0, groups, items)
    order = np.argsort(group_of, kind="stable")
    sizes = np.bincount(group_of, minlength=groups)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    lengths = np.maximum(
        2, rng.zipf(1.8, users).clip(max=400) + rng.poisson(interactions / users * 0.75, users)
    )
    user = np.repeat(np.arange(users), lengths)
    if len(user) < interactions:
        user = np.concatenate([user, rng.integers(0, users, interactions - len(user))])
    user = np.sort(user)
    n = len(user)
    tastes = rng.integers(0, groups, (users, 3))
    # A mood lasts about six events: the place among the three tastes changes at random steps.
    mood = np.cumsum(rng.random(n) < 1 / 6) % 3
    group = np.where(rng.random(n) < 0.1, rng.integers(0, groups, n), tastes[user, mood])
    rank = (sizes[group] ** rng.random(n)).astype(np.int64) - 1  # log-uniform: Zipf with exponent one
    item = order[starts[group] + np.clip(rank, 0, sizes[group] - 1)]
    stray = sizes[group] == 0
    item[stray] = rng.integers(0, items, int(stray.sum()))
    begin = rng.integers(NEWEST - 180 * 86_400, NEWEST - 86_400, users)
    step = rng.exponential(3600, n).astype(np.int64) + 1
    total = np.cumsum(step)
    first = np.searchsorted(user, np.arange(users))
    time = np.minimum(begin[user] + total - total[np.minimum(first, n - 1)][user], NEWEST)
    frame = pl.DataFrame(
        {
            "USER_ID": np.char.add("user-", user.astype("U8")),
            "ITEM_ID": np.char.add("item-", item.astype("U8")),
            "TIMESTAMP": time,
            "EVENT_TYPE": np.where(rng.random(n) < 1 / 8, "purchase", "click"),
        }
    )
    catalogue = pl.DataFrame(
        {
            "ITEM_ID": np.char.add("item-", np.arange(items).astype("U8")),
            "CATEGORY": np.char.add("group ", group_of.astype("U4")),
            "PRICE": np.round(rng.lognormal(3, 1, items), 2),
            "CREATION_TIMESTAMP": rng.integers(NEWEST - 700 * 86_400, NEWEST - 181 * 86_400, items),
        }
    )
    return Shop(frame, catalogue)
