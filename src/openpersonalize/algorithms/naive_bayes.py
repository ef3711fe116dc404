"""Naive Bayes over categorical attributes of the user or of the request, as a base ranker, `NaiveBayes`: for
users without events.

An item's share among the events of a group, in relation to its share among all events, as a
logarithm, summed over columns. With c events of item i, c_v of them with value v, and q_v the share of v
among all events, the posterior mean of the share of v under a Dirichlet prior of strength k around q (Minka,
"Estimating a Dirichlet distribution", 2000) gives

    log P(v | i) / P(v)  =  log (c_v + k q_v) / ((c + k) q_v)  =  log k / (c + k)  +  log(1 + c_v / (k q_v))

whose first part is the same for all values, and whose second is 0 where a value never met an item. The
strength is the one of `STRENGTHS` under which the counts are likeliest, by column; a column that is likelier
to say nothing (k infinite) is left out. A (user, item) pair counts once per value.

Memory: 8 bytes for each (value, item) that occurs, at most `MOST_PAIRS` of a column, and 4 bytes an item
and column; about 60 bytes per event while it is fitted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import polars as pl

from .arrays import Float32, Float64, Int32, Int64, sorted_unique
from .dict_column import Columns, Value
from .events import Events
from .lazy_scores import LazyScores, SparseScores
from .mapped import mapped
from .ranker import BaseRanker, RankerQuery

STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)
MOST_PAIRS = 5_000_000
MOST_VALUES = 3_000
QUANTILES = 20


@dataclass(frozen=True)
class Column:
    """How values of one column become numbers: by `labels`, or between the `edges` of quantiles."""

    name: str
    labels: tuple[str, ...] = ()
    edges: tuple[float, ...] | None = None
    places: Mapping[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "places", {label: place for place, label in enumerate(self.labels)})

    @property
    def size(self) -> int:
        """Different numbers."""
        return len(self.labels) if self.edges is None else len(self.edges) + 1

    def numbers(self, value: Value) -> list[int]:
        """Of one value: of the parts between ``|`` that are known, or of the quantile. Texts of numbers
        are numbers."""
        if self.edges is None:
            parts = str(value).split("|")
            return list(dict.fromkeys(self.places[part] for part in parts if part in self.places))
        try:
            number = float(value)
        except ValueError:
            return []
        return [int(np.searchsorted(self.edges, number, side="right"))] if np.isfinite(number) else []


class NaiveBayes(BaseRanker):
    """Feature: the sum over columns of the logarithms above, for what is known of the user or the request."""

    kind: ClassVar[str] = "groups"
    signed_weight: ClassVar[bool] = True

    def __init__(
        self, source: str, columns: Sequence[Column], base: Float32, ptr: Int64, item: Int32, gain: Float32
    ) -> None:
        """Use `fit` or `load`.

        Args:
            source: the field of a query that it looks at, a mapping of attributes by name.
            columns: C of them.
            base: float32[C, n], the first part of the logarithm.
            ptr, item, gain: the second part; of the v-th value, counted through all columns, at
                ``ptr[v]:ptr[v + 1]``.
        """
        self.source, self.columns, self.base = source, tuple(columns), base
        self.ptr, self.item, self.gain = ptr, item, gain
        self._first = np.cumsum([0, *(column.size for column in columns)]).tolist()
        self._exact = {column.name: column.name for column in columns}
        self._folded = {name.lower(): name for name in self._exact}

    @property
    def name(self) -> str:
        """The field of a query that it looks at."""
        return self.source

    @classmethod
    def fit(
        cls,
        events: Events,
        source: str,
        columns: Columns,
        rows: Int32 | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> NaiveBayes | None:
        """Count.

        Args:
            events: all of them.
            source: the field of a query that will have the values.
            columns: what is known.
            rows: int32[N], the row of `columns` of each event, -1 none; None: event e is row e.
            check: called between columns; may raise to stop.

        Returns:
            None when no column says anything.
        """
        pair = events.user.astype(np.int64) * events.n + events.item
        pairs, pair = np.unique(pair, return_inverse=True)
        item_of = (pairs % events.n).astype(np.int32)
        kept: list[tuple[Column, Float32, Int64, Int32, Float32]] = []
        for name, coded in columns.items():
            check()
            code = coded.code if rows is None else np.where(rows >= 0, coded.code[rows], -1)
            known = np.flatnonzero(code >= 0)
            # A value counts once for a user and an item, however often the user came back.
            size = max(len(coded.values), 1)
            met = np.unique(pair[known] * size + code[known])
            value, item = met % size, item_of[met // size]
            column = _column(name, coded.values, np.bincount(value, minlength=len(coded.values)))
            found = _counted(column, coded.values, value, item, events.n)
            if found is not None:
                kept.append((column, *found))
        if not kept:
            return None
        ends = np.cumsum([0, *(len(one[3]) for one in kept)])
        ptr = [one[2][:-1] + end for one, end in zip(kept, ends[:-1], strict=True)]
        return cls(
            source,
            [one[0] for one in kept],
            np.stack([one[1] for one in kept]),
            np.concatenate([*ptr, ends[-1:]]),
            np.concatenate([one[3] for one in kept]),
            np.concatenate([one[4] for one in kept]),
        )

    def recognised(self, known: Mapping[str, Value]) -> dict[str, Value]:
        """The part of a mapping that has a say, under the columns' own names; names are compared exactly
        first, then in any case."""
        found: dict[str, Value] = {}
        for exact in (False, True):
            names = self._exact if exact else self._folded
            for sent, value in known.items():
                name = names.get(sent if exact else sent.lower())
                if name is not None and self._column(name).numbers(value):
                    found[name] = value
        return found

    def _column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)

    def feature(self, query: RankerQuery) -> Float32:
        """See the class; 0 everywhere when nothing is known."""
        total = np.zeros(self.base.shape[1], dtype=np.float32)
        for base, values in self._said(query):
            total += base
            for values_of in values:
                total[values_of.columns] += values_of.values
        return total

    def lazy(self, query: RankerQuery) -> LazyScores:
        """See `BaseRanker.lazy`."""
        return _NaiveBayesScores(self._said(query))

    def _said(self, query: RankerQuery) -> list[tuple[Float32, list[SparseScores]]]:
        """Of each column of which something is known: its base, and what its values add to it."""
        known: Mapping[str, Value] = getattr(query, self.source)
        found = []
        for column, base, first in zip(self.columns, self.base, self._first[:-1], strict=True):
            numbers = column.numbers(known[column.name]) if column.name in known else []
            spans = [slice(int(self.ptr[first + one]), int(self.ptr[first + one + 1])) for one in numbers]
            if spans:
                share = np.float32(len(spans))
                found.append(
                    (base, [SparseScores(self.item[span], self.gain[span] / share) for span in spans])
                )
        return found

    def save(self, folder: Path) -> None:
        """Four arrays, and the columns as JSON."""
        for part in ("base", "ptr", "item", "gain"):
            np.save(folder / f"{self.name}.{part}.npy", getattr(self, part))
        columns = [[one.name, one.labels, one.edges] for one in self.columns]
        (folder / f"{self.name}.json").write_text(json.dumps(columns))

    @classmethod
    def load(cls, folder: Path, name: str) -> NaiveBayes:
        """Map what `save` wrote."""
        described = json.loads((folder / f"{name}.json").read_text())
        columns = [
            Column(column, tuple(labels), None if edges is None else tuple(edges))
            for column, labels, edges in described
        ]
        parts = ("base", "ptr", "item", "gain")
        return cls(
            name,
            columns,
            *(mapped(folder / f"{name}.{part}.npy") for part in parts),
        )


@dataclass(frozen=True)
class _NaiveBayesScores(LazyScores):
    """See `NaiveBayes._said`."""

    columns: list[tuple[Float32, list[SparseScores]]]

    def at(self, rows: Int64) -> Float32:
        """See `LazyScores`."""
        total = np.zeros(len(rows), dtype=np.float32)
        for base, values in self.columns:
            total += base[rows]
            for one in values:
                total += one.at(rows)
        return total

    def top(self, k: int) -> Int64:
        """See `LazyScores`: of what values add."""
        values = [one for _, some in self.columns for one in some]
        if not values:
            return np.empty(0, dtype=np.int64)
        each = max(1, k // len(values))
        return sorted_unique(np.concatenate([one.top(each) for one in values]))


def _parts(values: pl.Series) -> pl.DataFrame:
    """``row`` and ``label``: the different parts between ``|`` of each text."""
    rows = pl.DataFrame({"row": np.arange(len(values)), "label": values.str.split("|")}).explode("label")
    return rows.filter(pl.col("label") != "").unique(maintain_order=True)


def _column(name: str, values: pl.Series, count: Int64) -> Column:
    """The vocabulary of a column whose different `values` occur so often."""
    if values.dtype == pl.String:
        rows = _parts(values).with_columns(count=pl.lit(pl.Series(count)).gather(pl.col("row")))
        often = rows.group_by("label").agg(pl.col("count").sum()).filter(pl.col("count") > 1)
        often = often.sort(["count", "label"], descending=[True, False])
        return Column(name, tuple(often["label"].head(MOST_VALUES)))
    numbers, reach = values.to_numpy(), np.cumsum(count)
    if not len(numbers):
        return Column(name, edges=())
    places = np.searchsorted(reach, np.linspace(0, 1, QUANTILES + 1)[1:-1] * reach[-1], side="right")
    edges = np.unique(numbers[np.minimum(places, len(numbers) - 1)])
    return Column(name, edges=tuple(edges[edges > numbers[0]].tolist()))


def _numbers(column: Column, values: pl.Series) -> tuple[Int64, Int64]:
    """`Column.numbers` of all `values`: one after another, and how many each has."""
    if column.edges is not None:
        places = np.searchsorted(column.edges, values.to_numpy(), side="right")
        return places.astype(np.int64), np.ones(len(values), dtype=np.int64)
    named = pl.Series(column.labels, dtype=pl.String)
    labels = pl.DataFrame({"label": named, "number": np.arange(column.size)})
    rows = _parts(values).join(labels, on="label", how="inner", maintain_order="left")
    return rows["number"].to_numpy(), np.bincount(rows["row"].to_numpy(), minlength=len(values))


def _counted(
    column: Column, values: pl.Series, code: Int64, item: Int32, n: int
) -> tuple[Float32, Int64, Int32, Float32] | None:
    """base float32[n], and ptr, item, gain of a column; None when it says nothing."""
    flat, size = _numbers(column, values)
    start = np.cumsum(size) - size
    times = size[code]
    where = np.repeat(start[code] - (np.cumsum(times) - times), times) + np.arange(int(times.sum()))
    key, count = np.unique(flat[where] * n + np.repeat(item, times), return_counts=True)
    if not len(key):
        return None
    value, item = key // n, (key % n).astype(np.int32)
    of_item = np.bincount(item, count, minlength=n)
    share = np.bincount(value, count, minlength=column.size) / count.sum()
    nothing = float(count @ np.log(share[value]))
    gains = [
        _likelihood(k, of_item[of_item > 0].astype(np.float64), count, share[value]) - nothing
        for k in STRENGTHS
    ]
    if max(gains) <= 0:
        return None
    k = STRENGTHS[int(np.argmax(gains))]
    if len(count) > MOST_PAIRS:
        often = np.sort(np.argsort(-count, kind="stable")[:MOST_PAIRS])
        value, item, count = value[often], item[often], count[often]
    ptr = np.zeros(column.size + 1, dtype=np.int64)
    np.cumsum(np.bincount(value, minlength=column.size), out=ptr[1:])
    base = np.log(k / (of_item + k)).astype(np.float32)
    return base, ptr, item, np.log1p(count / (k * share[value])).astype(np.float32)


def _likelihood(k: float, of_item: Float64, count: Int64, share: Float64) -> float:
    """Logarithm of the chance of the counts under a Dirichlet-multinomial of strength k."""
    each = _log_gamma(count + k * share) - _log_gamma(k * share)
    return float(each.sum() - (_log_gamma(of_item + k) - _log_gamma(np.full(1, k))).sum())


def _log_gamma(x: Float64) -> Float64:
    """log Gamma(x), x > 0: Stirling's series above 8, the recurrence below."""
    far = x + 8.0
    series: Float64 = (far - 0.5) * np.log(far) - far + 0.5 * np.log(2 * np.pi) + 1 / (12 * far)
    series -= 1 / (360 * far**3)
    for step in range(8):
        series -= np.log(x + step)
    return series
