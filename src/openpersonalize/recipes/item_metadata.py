"""Content-based similarity of items by the records of the Items dataset, `ItemMetadata`: a cosine of TF-IDF
weights for each column of prose or categories, nearness of quantiles for each number, and the cosine of short
vectors made of all columns together (latent semantic analysis), which also brings together what shares no
word.

Memory: `TfIdf` of each column, 4 bytes a number and item, and the vectors.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from ..algorithms.arrays import Bools, Float32, Int64
from ..algorithms.mapped import mapped
from ..algorithms.sparse import SparseRows, spans
from ..algorithms.tfidf import TfIdf
from ..algorithms.truncated_svd import leading_axes, times
from ..algorithms.words import words
from .record_vectors import RecordVectors
from .training import Kind

NEVER = ("ITEM_ID", "CREATION_TIMESTAMP")
MOST_COLUMNS = 16
"""Columns that have a similarity of their own: the first that say something."""
LEARNT_FROM = 100_000
"""Items whose records make the vectors; of more, evenly spread ones."""
QUANTILES = 100
_SLICE_BYTES = 4_000_000
_FILE = "item_metadata"


@dataclass(frozen=True)
class _Column:
    name: str
    kind: Literal["text", "category", "number"]


@dataclass(frozen=True)
class Record:
    """One item's record as it is compared: of each column its terms and their weights, or the quantile of its
    number (NaN: unknown); and its vector (zeros: nothing is known)."""

    columns: Sequence[Any]
    vector: Float32


@dataclass
class ItemMetadata:
    """Similarities of the items of one catalogue.

    Attributes:
        columns: those that say something.
        texts: of each column of strings, in order. numbers: float32[n] quantiles (0 to 1, NaN unknown) of
            each column of numbers. edges: the bounds of the quantiles.
        axes: float32[terms of all texts, size]. vectors: float32[n, size], of length 1 or zero.
    """

    columns: tuple[_Column, ...] = ()
    texts: dict[str, TfIdf] = field(default_factory=dict)
    numbers: dict[str, Float32] = field(default_factory=dict)
    edges: dict[str, list[float]] = field(default_factory=dict)
    axes: Float32 = field(default_factory=lambda: np.empty((0, 0), np.float32))
    vectors: Float32 = field(default_factory=lambda: np.empty((0, 0), np.float32))

    @classmethod
    def fit(
        cls, items: Kind, size: int, rng: np.random.Generator, check: Callable[[], None] = lambda: None
    ) -> ItemMetadata:
        """Learn the columns. `size`: numbers of a vector; fewer where there are fewer items or terms."""
        made, n = cls(), len(items.ids)
        columns: list[_Column] = []
        for name in [] if items.records is None else items.records.columns:
            series = items.records[name]  # type: ignore[index]
            if name in NEVER or series.dtype == pl.Boolean or len(columns) == MOST_COLUMNS:
                continue
            check()
            if series.dtype == pl.String:
                column = _Column(name, "text" if name in items.textual else "category")
                found = TfIdf.fit(_terms(series, column.kind), n)
                if not len(found.rarity):
                    continue
                made.texts[name] = found
            else:
                column = _Column(name, "number")
                edges = _edges(series)
                if len(edges) < 2:
                    continue
                made.edges[name] = edges
                made.numbers[name] = _quantiles(series, edges)
            columns.append(column)
        made.columns = tuple(columns)
        made._embed(n, size, rng, check)
        return made

    @property
    def names(self) -> list[str]:
        """What `similarities` compares, in order: the columns and, last, the vectors."""
        return [*(column.name for column in self.columns), *(["vectors"] if self.texts else [])]

    def record(self, number: int) -> Record:
        """That of an item of the catalogue."""
        parts: list[Any] = [
            float(self.numbers[column.name][number])
            if column.kind == "number"
            else self.texts[column.name].row(number)
            for column in self.columns
        ]
        return Record(parts, self.vectors[number] if self.texts else np.empty(0, np.float32))

    def record_of(self, values: Mapping[str, Any]) -> Record | None:
        """That of any values of the columns; None where none of them is known here."""
        parts: list[Any] = []
        known = False
        rows: list[SparseRows] = []
        for column in self.columns:
            value = values.get(column.name)
            if column.kind == "number":
                series = pl.Series([value], strict=False)
                parts.append(float(_quantiles(series, self.edges[column.name])[0]))
                known = known or not np.isnan(parts[-1])
                continue
            series = pl.Series([None if value is None else str(value)], dtype=pl.String)
            index = self.texts[column.name]
            rows.append(index.weighed(_terms(series, column.kind), 1))
            parts.append((rows[-1].col, rows[-1].value))
            known = known or len(rows[-1].col) > 0
        if not known:
            return None
        vector = _unit(times(self._joined(rows), self.axes))[0] if rows else np.empty(0, np.float32)
        return Record(parts, vector)

    def rows_of(self, records: pl.DataFrame) -> tuple[list[SparseRows], Float32]:
        """Other items by their records (columns, or some of them): of each column of strings their terms, in
        rows, and float32[m, size] their vectors."""
        rows = []
        for column in self.columns:
            if column.kind == "number":
                continue
            if column.name in records.columns:
                series = records[column.name].cast(pl.String)
            else:
                series = pl.repeat(None, len(records), dtype=pl.String, eager=True)
            rows.append(self.texts[column.name].weighed(_terms(series, column.kind), len(records)))
        if not rows:
            return rows, np.empty((len(records), 0), np.float32)
        return rows, _unit(times(self._joined(rows), self.axes))

    def quantiles_of(self, records: pl.DataFrame) -> list[Float32]:
        """float32[m] each, of other items' columns of numbers."""
        nothing = np.full(len(records), np.nan, dtype=np.float32)
        return [
            _quantiles(records[one.name], self.edges[one.name]) if one.name in records.columns else nothing
            for one in self.columns
            if one.kind == "number"
        ]

    def similarities_of(self, record: Record, others: RecordVectors) -> list[Float32]:
        """`similarities` of other items, by their records."""
        found: list[Float32] = []
        texts, numbers = count(), iter(others.numbers)
        for column, part in zip(self.columns, record.columns, strict=True):
            if column.kind == "number":
                found.append(_nearness(next(numbers), part))
            else:
                found.append(others.cosines(next(texts), part, len(self.texts[column.name].rarity)))
        return [*found, others.vectors @ record.vector] if self.texts else found

    def similarities(self, record: Record) -> list[Float32]:
        """float32[n], 0 to 1 each but for the vectors (-1 to 1), in order of `names`."""
        found = [
            self._near(column.name, part)
            if column.kind == "number"
            else self.texts[column.name].cosines(*part)
            for column, part in zip(self.columns, record.columns, strict=True)
        ]
        return [*found, self.vectors @ record.vector] if self.texts else found

    def accumulate(self, numbers: Int64, weights: Float32, total: Float32) -> None:
        """Add the `similarities` of some items of the catalogue, by number, times float32[B, F] `weights`, to
        float32[B, n] `total`."""
        for k, column in enumerate(self.columns):
            if column.kind == "number":
                own = self.numbers[column.name]
                for row, number, weight in zip(total, numbers.tolist(), weights[:, k], strict=True):
                    row += weight * self._near(column.name, float(own[number]))
            else:
                self.texts[column.name].accumulate(numbers, weights[:, k], total)
        if self.texts:
            total += (self.vectors[numbers] * weights[:, -1:]) @ self.vectors.T

    def known(self, numbers: Int64) -> Bools:
        """bool[B], whether anything known of an item of the catalogue can be like another one."""
        found = np.zeros(len(numbers), dtype=np.bool_)
        for values in self.numbers.values():
            found |= ~np.isnan(values[numbers])
        return found | self.vectors[numbers].any(axis=1) if self.texts else found

    def _near(self, name: str, quantile: float) -> Float32:
        return _nearness(self.numbers[name], quantile)

    def _embed(self, n: int, size: int, rng: np.random.Generator, check: Callable[[], None]) -> None:
        if not self.texts:
            return
        some = np.unique(np.linspace(0, n - 1, min(n, LEARNT_FROM)).astype(np.int64))
        learnt = self._joined([index.rows.of(some) for index in self.texts.values()])
        terms = sum(len(index.rarity) for index in self.texts.values())
        self.axes = leading_axes(learnt, terms, min(size, terms, len(some)), rng, check)
        self.vectors = np.empty((n, self.axes.shape[1]), dtype=np.float32)
        for start, end in spans(np.ones(n, np.int64), LEARNT_FROM):
            check()
            part = [index.rows.of(np.arange(start, end)) for index in self.texts.values()]
            self.vectors[start:end] = _unit(times(self._joined(part), self.axes))

    def _joined(self, parts: Sequence[SparseRows]) -> SparseRows:
        """The rows of all texts side by side."""
        ends = np.cumsum([0, *(len(index.rarity) for index in self.texts.values())])
        m = parts[0].n
        row = np.concatenate([np.repeat(np.arange(m), np.diff(part.ptr)) for part in parts])
        col = np.concatenate([part.col + end for part, end in zip(parts, ends.tolist(), strict=False)])
        value = np.concatenate([part.value for part in parts])
        order = np.argsort(row, kind="stable")
        ptr = np.concatenate(([0], np.cumsum(np.bincount(row, minlength=m))))
        return SparseRows(ptr, col[order].astype(np.int32), value[order])

    def save(self, folder: Path) -> None:
        """Write it into `folder`."""
        described = [[column.name, column.kind, self.edges.get(column.name)] for column in self.columns]
        (folder / f"{_FILE}.json").write_text(json.dumps(described))
        for k, column in enumerate(self.columns):
            if column.kind == "number":
                np.save(folder / f"{_FILE}.{k}.npy", self.numbers[column.name])
            else:
                self.texts[column.name].save(folder, f"{_FILE}.{k}")
        np.save(folder / f"{_FILE}.axes.npy", self.axes)
        np.save(folder / f"{_FILE}.vectors.npy", self.vectors)

    @classmethod
    def load(cls, folder: Path) -> ItemMetadata:
        """Map what `save` wrote."""
        described = json.loads((folder / f"{_FILE}.json").read_text())
        made = cls(tuple(_Column(name, kind) for name, kind, _ in described))
        for k, (name, kind, edges) in enumerate(described):
            if kind == "number":
                made.edges[name] = edges
                made.numbers[name] = mapped(folder / f"{_FILE}.{k}.npy")
            else:
                made.texts[name] = TfIdf.load(folder, f"{_FILE}.{k}")
        made.axes = mapped(folder / f"{_FILE}.axes.npy")
        made.vectors = mapped(folder / f"{_FILE}.vectors.npy")
        return made


def _nearness(numbers: Float32, quantile: float) -> Float32:
    """float32[n], 0 to 1: of quantiles, those unknown to nothing."""
    if np.isnan(quantile):
        return np.zeros(len(numbers), dtype=np.float32)
    near: Float32 = np.nan_to_num(1 - np.abs(numbers - np.float32(quantile)), nan=0.0)
    return near


def _terms(series: pl.Series, kind: str) -> pl.DataFrame:
    """``row`` and ``term``, as often as the row has it; prose in slices."""
    if kind == "category":
        frame = {"row": np.arange(len(series), dtype=np.uint32), "term": series.str.split("|")}
        rows = pl.DataFrame(frame).explode("term").with_columns(pl.col("term").str.strip_chars())
        return rows.filter(pl.col("term").is_not_null() & (pl.col("term") != ""))
    sizes = series.str.len_bytes().fill_null(0).to_numpy().astype(np.int64)
    parts = [
        words(series.slice(start, end - start)).select(pl.col("row") + start, pl.col("word").alias("term"))
        for start, end in spans(sizes, _SLICE_BYTES)
    ]
    return pl.concat(parts) if parts else pl.DataFrame(schema={"row": pl.UInt32, "term": pl.String})


def _numbers(series: pl.Series) -> Float32:
    numbers: Float32 = series.cast(pl.Float32, strict=False).fill_null(float("nan")).to_numpy()
    return numbers


def _edges(series: pl.Series) -> list[float]:
    numbers = _numbers(series)
    known = numbers[np.isfinite(numbers)]
    if not len(known):
        return []
    edges: list[float] = np.unique(np.quantile(known, np.linspace(0, 1, QUANTILES + 1))).tolist()
    return edges


def _quantiles(series: pl.Series, edges: Sequence[float]) -> Float32:
    numbers = _numbers(series)
    known = np.isfinite(numbers)
    found = np.full(len(numbers), np.nan, dtype=np.float32)
    found[known] = np.interp(numbers[known], edges, np.linspace(0, 1, len(edges)))
    return found


def _unit(vectors: Float32) -> Float32:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    np.divide(vectors, lengths, out=vectors, where=lengths > 0)
    return vectors
