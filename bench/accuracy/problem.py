"""Data sets, splits and questions: the same for every model.

Splits. ``loo``: the last event of each user with three or more is the test; popularity at a moment may count
everything that anybody did before that moment, as a server does. ``time``: the newest tenth of all events is
the test, and nothing of it is known. ``session``: in the midst of sessions of that tenth, of orders the
second half is asked for with the first, elsewhere the next event; popularity at a moment may count
everything before it.

The lines of an order have no order among themselves: they are shuffled before anything is split.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from openpersonalize.algorithms.sessions import running_session, session_gap
from openpersonalize.datasets.holdout import HoldOut
from openpersonalize.datasets.schemas import parse_schema
from openpersonalize.datasets.selection import EventSelection
from openpersonalize.datasets.sequences import Sequences, build_sequences
from openpersonalize.datasets.splits import split_session

MOST_USERS = 10_000
MOST_VALIDATION = 2_000
CHOSEN = {"online-retail": "purchase"}
"""Event type that counts, where not all do."""

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Problem:
    """One data set under one split.

    Attributes:
        sequences: everything. learnt: what models may learn from.
        known: what popularity at a moment may count, before that moment.
        test: the questions. inner: the same made of `learnt`, for every choice that a model leaves open.
        items: the metadata that may train, a row per item of the catalogue; None without.
        textual: its columns of prose.
    """

    data: str
    split: str
    sequences: Sequences
    learnt: Sequences
    known: Sequences
    test: HoldOut
    inner: Problem | None
    items: pl.DataFrame | None
    textual: frozenset[str]

    @cached_property
    def gap(self) -> int:
        """Seconds after which a session is over."""
        return session_gap(self.sequences.ptr, self.sequences.time)

    def left_out(self, k: int) -> Int32:
        """The distinct items that are no answer to question k as served: those of the running session where
        its rest is asked for."""
        if self.split != "session":
            return np.empty(0, np.int32)
        begin, start = int(self.sequences.ptr[self.test.user[k]]), int(self.test.start[k])
        running = running_session(self.sequences.time[begin:start], int(self.test.now[k]), self.gap)
        return np.unique(self.sequences.item[begin + running : start])

    def truth(self) -> tuple[Int64, Int32]:
        """int64[Q + 1] and int32[K]: the distinct relevant items of each question."""
        found = [
            np.unique(self.sequences.item[start:end])
            for start, end in zip(self.test.start.tolist(), self.test.end.tolist(), strict=True)
        ]
        ptr = np.concatenate(([0], np.cumsum([len(one) for one in found], dtype=np.int64)))
        return ptr, np.concatenate(found) if found else np.empty(0, np.int32)


def open_problem(folder: Path, data: str, split: str) -> Problem:
    """Read ``interactions.csv.gz`` and, where there are, ``items.csv.gz`` and its schema (without one all of
    its columns train, as categories and numbers), in Amazon's import layout."""
    rows = pl.read_csv(folder / data / "interactions.csv.gz", infer_schema=False)
    path = folder / data / "items.csv.gz"
    table = pl.read_csv(path, schema_overrides={"ITEM_ID": pl.String}) if path.exists() else None
    selection = EventSelection.from_solution(CHOSEN.get(data), {})
    sequences = build_sequences(rows.lazy(), None if table is None else table["ITEM_ID"], selection)
    sequences = sequences.without_order_in_baskets(np.random.default_rng(0))
    items, textual = None, frozenset[str]()
    if table is not None:
        columns, described = table.columns, folder / data / "schema-items.json"
        if described.exists():
            schema = parse_schema(described.read_text())
            textual = frozenset(field.name for field in schema.fields if field.textual)
            columns = ["ITEM_ID", *(field.name for field in schema.fields if field.trains)]
        ids = sequences.items.series().alias("ITEM_ID").to_frame()
        chosen = table.select(list(dict.fromkeys(columns)))
        items = ids.join(chosen, on="ITEM_ID", how="left", maintain_order="left")
    return made(data, split, sequences, items, textual, MOST_USERS, inner=True)


def made(
    data: str,
    split: str,
    sequences: Sequences,
    items: pl.DataFrame | None,
    textual: frozenset[str],
    most: int,
    inner: bool,
) -> Problem:
    """The problem of a split, and inside it the one for choices."""
    test = held_out(sequences, split, most)
    learnt = sequences.where(test.training)
    known = learnt if split == "time" else sequences
    inside = made(data, split, learnt, items, textual, MOST_VALIDATION, inner=False) if inner else None
    return Problem(data, split, sequences, learnt, known, test, inside, items, textual)


def held_out(sequences: Sequences, split: str, most: int = MOST_USERS) -> HoldOut:
    """The test of a split: at most so many users, drawn by a fixed seed."""
    ptr = sequences.ptr
    if split == "session":
        found = split_session(sequences)
        return found.take(_some(np.arange(len(found)), most))
    if split == "loo":
        users = np.flatnonzero(sequences.counts >= 3)
        kept = np.ones(len(sequences.item), dtype=np.bool_)
        kept[ptr[users + 1] - 1] = False
        users = _some(users, most)
        start = ptr[users + 1] - 1
        return HoldOut(kept, users.astype(np.int32), start, ptr[users + 1], sequences.time[start])
    moment = int(np.quantile(sequences.time, 0.9, method="higher"))
    kept = sequences.time < moment
    before = np.concatenate(([0], np.cumsum(kept)))
    start = ptr[:-1] + before[ptr[1:]] - before[ptr[:-1]]
    users = _some(np.flatnonzero((start > ptr[:-1]) & (start < ptr[1:])), most)
    return HoldOut(kept, users.astype(np.int32), start[users], ptr[users + 1], np.full(len(users), moment))


def _some(users: Int64, most: int) -> Int64:
    if len(users) <= most:
        return users
    return np.sort(np.random.default_rng(0).choice(users, most, replace=False))
