"""Small worlds whose best recommendation is known, and questions about them."""

from __future__ import annotations

import numpy as np
import polars as pl

from ..datasets.selection import EventSelection
from ..datasets.sequences import Sequences, build_sequences
from ..recipes.query import HISTORY_LENGTH, Query
from ..recipes.training import Behaviour, Kind, TrainingData

DAY = 86_400
ALL = EventSelection()


def sequences_of(rows: list[tuple[str, str, int]], items: list[str] | None = None) -> Sequences:
    """From (user, item, time)."""
    frame = pl.DataFrame(rows, schema=["USER_ID", "ITEM_ID", "TIMESTAMP"], orient="row")
    return build_sequences(frame.lazy(), None if items is None else pl.Series(items), ALL)


def two_clusters(users: int = 60, seed: int = 0) -> Sequences:
    """Half of the users meet items a0..a9, the others b0..b9; 8 different items each, in any order."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        side = "ab"[user % 2]
        start = int(rng.integers(0, 30 * DAY))
        for place, item in enumerate(rng.permutation(10)[:8].tolist()):
            rows.append((f"u{user:03}", f"{side}{item}", start + 60 * place))
    return sequences_of(rows)


def two_clubs(users: int = 60, seed: int = 0) -> TrainingData:
    """Users of `two_clusters`, offered the actions a0..a9 and b0..b9 after what they did with items of those
    names: they refuse five of the other half's and take eight of their own half's."""
    rng = np.random.default_rng(seed)
    items = two_clusters(users, seed)
    rows = []
    for user in range(users):
        start = int(items.time[items.ptr[user + 1] - 1]) + 3600
        own, other = "ab"[user % 2], "ba"[user % 2]
        offered = [(f"{other}{one}", "nottaken") for one in rng.permutation(10)[:5].tolist()]
        offered += [(f"{own}{one}", "taken") for one in rng.permutation(10)[:8].tolist()]
        rows += [(f"u{user:03}", action, kind, start + 60 * k) for k, (action, kind) in enumerate(offered)]
    frame = pl.DataFrame(rows, schema=["USER_ID", "ITEM_ID", "EVENT_TYPE", "TIMESTAMP"], orient="row")
    actions = build_sequences(frame.lazy(), None, ALL)
    halves = actions.items.series().alias("ACTION_ID").to_frame()
    records = halves.with_columns(pl.col("ACTION_ID").str.slice(0, 1).alias("HALF"))
    ranked = Kind(actions.items, records, name="actions")
    return TrainingData(ranked, actions, behaviour=Behaviour(Kind(items.items), items, ALL))


def chain(users: int = 80, length: int = 12, seed: int = 0) -> Sequences:
    """Everybody walks round c00, c01, .. c11 and begins somewhere; after c03 comes c04."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        first, start = int(rng.integers(0, length)), int(rng.integers(0, 30 * DAY))
        rows += [
            (f"u{user:03}", f"c{(first + place) % length:02}", start + 600 * place) for place in range(6)
        ]
    return sequences_of(rows)


def loyal(users: int = 60, seed: int = 0) -> Sequences:
    """Everybody takes the same two or three of twenty things, again and again."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        own = rng.choice(20, 3, replace=False).tolist()
        start = int(rng.integers(0, 30 * DAY))
        taken = rng.integers(0, 3, 12).tolist()
        rows += [(f"u{user:03}", f"i{own[one]:02}", start + 3600 * place) for place, one in enumerate(taken)]
    return sequences_of(rows)


def shop_of_tastes(
    users: int = 5_000, items: int = 3_000, events: int = 200_000, seed: int = 0
) -> tuple[Sequences, pl.DataFrame]:
    """A shop whose customers have two favourite categories and a brand each, and where a third of what they
    look at is the partner of the product before it.

    Returns:
        Views, and the items' CATEGORY (some have two) and BRAND (of every tenth item unknown).
    """
    rng = np.random.default_rng(seed)
    categories, brands, days = max(items // 150, 4), max(items // 100, 4), 90
    category, brand = rng.integers(0, categories, items), rng.integers(0, brands, items)
    popularity = 1.0 / (1.0 + rng.permutation(items)) ** 0.7
    partner = rng.permutation(items)
    rows = []
    for user in range(users):
        favourites = rng.choice(categories, 2, replace=False)
        liked = popularity * np.where(np.isin(category, favourites), 20.0, 1.0)
        liked *= np.where(brand == rng.integers(brands), 10.0, 1.0)
        liked /= liked.sum()
        left = int(rng.geometric(users / events)) + 3
        drawn = rng.choice(items, left, p=liked)
        while left > 0:
            now, size = int(rng.integers(0, days * DAY)), min(int(rng.geometric(0.25)), left)
            item = 0
            for place in range(size):
                follows = place > 0 and rng.random() < 0.35
                item = int(partner[item] if follows else drawn[left - 1 - place])
                rows.append((f"u{user:05}", f"p{item:05}", now + 60 * place))
            left -= size
    names = [f"p{item:05}" for item in range(items)]
    second = rng.integers(0, categories, items)
    described = pl.DataFrame(
        {
            "ITEM_ID": names,
            "CATEGORY": [
                f"c{one}|c{other}" if item % 7 == 0 else f"c{one}"
                for item, (one, other) in enumerate(zip(category, second, strict=True))
            ],
            "BRAND": [None if item % 10 == 0 else f"b{one}" for item, one in enumerate(brand)],
        }
    )
    return sequences_of(rows, names), described


def topics(users: int = 600, topic: int = 40, count: int = 60, seed: int = 0) -> Sequences:
    """Everybody walks through two of `count` topics of `topic` items, the first ones of each most often."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(users):
        own, start = rng.integers(0, count, 2).tolist(), int(rng.integers(0, 30 * DAY))
        for place in range(20):
            item = int(topic * rng.random() ** 2)
            rows.append((f"u{user:03}", f"t{own[place % 3 == 2]:03}-{item:02}", start + 600 * place))
    return sequences_of(rows)


def question(
    sequences: Sequences,
    user: int,
    *,
    newest: int | None = None,
    seen_excluded: bool = False,
    anchor: int | None = None,
) -> Query:
    """The whole history of a user, or its `newest` events, asked an hour after its end."""
    end = int(sequences.ptr[user + 1])
    return Query.at(
        sequences,
        user,
        end,
        int(sequences.time[end - 1]) + 3600,
        newest=newest or HISTORY_LENGTH,
        seen_excluded=seen_excluded,
        anchor=anchor,
    )


def nobody(sequences: Sequences) -> Query:
    """A question of somebody of whom nothing is known, about no item."""
    return Query.of_nobody(int(sequences.time.max()) + 60)


def supermarket(
    users: int = 120, weeks: int = 12, groceries: int = 50, durables: int = 60, seed: int = 0
) -> tuple[Sequences, pl.DataFrame]:
    """Everybody buys four or so of fifteen groceries of their own week by week, and one or two things that
    nobody ever buys twice.

    Returns:
        Purchases, in the order of a till, of ``g00``.. and ``d00``.., and the items' AISLE: three of
        groceries and two of things that last.
    """
    rng = np.random.default_rng(seed)
    rows, end = [], 1_700_000_000
    popularity = 1.0 / (1.0 + np.arange(durables)) ** 0.5
    popularity /= popularity.sum()
    for user in range(users):
        staples = rng.choice(groceries, 15, replace=False)
        lasting = iter(rng.choice(durables, 2 * weeks, replace=False, p=popularity).tolist())
        day = int(rng.integers(0, 7))
        for week in range(weeks):
            now = end - (weeks - week) * 7 * DAY + day * DAY + int(rng.integers(0, DAY // 2))
            cart = [f"g{item:02}" for item in staples[rng.random(15) < 0.25].tolist()]
            cart += [f"d{next(lasting):02}" for _ in range(int(rng.integers(1, 3)))]
            rows += [(f"u{user:03}", item, now + 5 * place) for place, item in enumerate(cart)]
    names = [f"g{item:02}" for item in range(groceries)] + [f"d{item:02}" for item in range(durables)]
    aisles = [f"food-{item % 3}" for item in range(groceries)] + [
        f"home-{item % 2}" for item in range(durables)
    ]
    return sequences_of(rows, names), pl.DataFrame({"ITEM_ID": names, "AISLE": aisles})
