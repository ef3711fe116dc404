"""The vocabulary of items' attributes, `ItemVocabulary`: records of the Items dataset become numbered values,
so that an encoder knows items with which nobody interacted yet.

The vocabulary is learned from the catalogue once and kept with the model: a record that comes later gets the
numbers that training gave. Categories are split at ``|``, texts give their words and a vector, numbers are
cut into quantiles. Values of one item only say nothing about another and are left out; of one column the most
frequent stay. Memory: about 100 bytes per value of an item, column by column, and 4 bytes per number of a
text's vector; a vocabulary at most `MOST_VALUES` strings a column.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from ..algorithms.arrays import Float64, Int32, Int64
from ..algorithms.item_attribute import ItemAttribute
from ..algorithms.text_encoder import TextEncoder
from ..algorithms.words import words

MOST_VALUES = 3_000
MOST_WORDS = 8_192
BEGINNING = 200
"""Characters of a text that give words: a title, or how a description begins. Its vector is of all of it."""
QUANTILES = 20
NEVER = ("ITEM_ID", "CREATION_TIMESTAMP")
LONG, SHORT, MANY = 256, 64, 100_000
"""Numbers of a text's vector: `SHORT` in catalogues above `MANY` items."""
SCALE = np.float32(4.0)
"""Vectors are this long, so that training moves by them as fast as by values."""
_FILE = "item_features"


@dataclass(frozen=True)
class _Column:
    """One column's vocabulary: ``edges`` of a number's quantiles, else the number of its values. A text is
    two columns, one of words and one of vectors."""

    name: str
    kind: Literal["category", "text", "number", "vector"]
    edges: tuple[float, ...] = ()
    count: int = 0


class ItemVocabulary:
    """The vocabulary of a catalogue: records in, an `ItemAttribute` per column out."""

    def __init__(
        self,
        columns: Sequence[_Column],
        values: pl.Series | Path,
        fitted: Sequence[ItemAttribute] = (),
        texts: Mapping[str, TextEncoder] | None = None,
    ) -> None:
        """Use `fit` or `load`. `values`: of all columns one after another, or the file that has them; `texts`
        makes the vectors of columns of prose."""
        self._columns, self._source, self._fitted = tuple(columns), values, list(fitted)
        self._texts = dict(texts or {})

    @classmethod
    def fit(cls, items: pl.DataFrame | None, textual: Collection[str] = ()) -> ItemVocabulary:
        """Learn the vocabulary of columns that say something.

        Args:
            items: a row per item of the catalogue; None: nothing is known.
            textual: columns of prose; other strings are categories.
        """
        columns, values, features = [], [pl.Series("value", [], dtype=pl.String)], []
        texts: dict[str, TextEncoder] = {}
        for name in [] if items is None else items.columns:
            series = items[name]  # type: ignore[index]
            if name in NEVER or series.dtype == pl.Boolean:
                continue
            if series.dtype == pl.String:
                kind: Literal["category", "text"] = "text" if name in textual else "category"
                rows = _parts(series, kind)
                chosen = _frequent(rows["value"], MOST_WORDS if kind == "text" else MOST_VALUES)
                if len(chosen):
                    columns.append(_Column(name, kind, count=len(chosen)))
                    values.append(chosen)
                    features.append(_numbered(rows, chosen, len(series)))
                if kind == "text" and len(chosen):
                    texts[name] = TextEncoder.fit(series, LONG if len(series) <= MANY else SHORT)
                    columns.append(_Column(name, "vector"))
                    features.append(_vectors(series, texts[name]))
                continue
            edges = _edges(series)
            if edges is not None:
                columns.append(_Column(name, "number", edges))
                features.append(_quantiles(series, edges))
        return cls(columns, pl.concat(values), features, texts)

    @property
    def attributes(self) -> list[ItemAttribute]:
        """Of the items that the vocabulary was learned from.

        Raises:
            ValueError: it was loaded; ask `of` with the records.
        """
        if self._columns and not self._fitted:
            raise ValueError("a loaded vocabulary keeps no items: ask `of` with their records")
        return self._fitted

    def attributes_of(self, records: pl.DataFrame) -> list[ItemAttribute]:
        """Those of the catalogue with these records: of the one that the vocabulary was learned from, or of a
        later one."""
        return self._fitted or self.of(records)

    @property
    def ordered(self) -> list[bool]:
        """Of each attribute whether it is a number, whose neighbouring quantiles are alike."""
        return [column.kind == "number" for column in self._columns]

    def categories_of(self, records: pl.DataFrame | None) -> dict[str, ItemAttribute]:
        """The categories among the attributes of `attributes_of`, by column."""
        if records is None:
            return {}
        every = zip(self._columns, self.attributes_of(records), strict=True)
        return {column.name: attribute for column, attribute in every if column.kind == "category"}

    @property
    def columns(self) -> list[str]:
        """Names of the columns that say something."""
        return [column.name for column in self._columns]

    def of(self, records: pl.DataFrame) -> list[ItemAttribute]:
        """The features of any records, one per column that `features` has; unknown values are dropped, and
        a column that the records lack says nothing."""
        return [
            self._of_column(column, values, records)
            for column, values in zip(self._columns, self._values, strict=True)
        ]

    def _of_column(self, column: _Column, values: pl.Series, records: pl.DataFrame) -> ItemAttribute:
        if column.kind == "vector":
            missing = pl.Series([None] * len(records), dtype=pl.String)
            texts = records[column.name] if column.name in records.columns else missing
            return _vectors(texts, self._texts[column.name])
        size = len(column.edges) + 1 if column.kind == "number" else column.count
        if column.name not in records.columns:
            return ItemAttribute(
                np.empty(0, dtype=np.int32), np.zeros(len(records) + 1, dtype=np.int64), size
            )
        series = records[column.name]
        if column.kind == "number":
            return _quantiles(series, column.edges)
        return _numbered(_parts(series.cast(pl.String), column.kind), values, len(series))

    @cached_property
    def _values(self) -> list[pl.Series]:
        """The values of each column in order of their numbers."""
        source = self._source
        every = source if isinstance(source, pl.Series) else pl.read_parquet(source)["value"]
        ends = np.cumsum([0, *(column.count for column in self._columns)]).tolist()
        return [every.slice(start, end - start) for start, end in pairwise(ends)]

    def save(self, folder: Path) -> None:
        """Two files: columns as JSON, their values as Parquet; and those of each `TextEncoder`."""
        described = [[one.name, one.kind, list(one.edges), one.count] for one in self._columns]
        (folder / f"{_FILE}.json").write_text(json.dumps(described))
        pl.concat([pl.Series("value", [], dtype=pl.String), *self._values]).to_frame().write_parquet(
            folder / f"{_FILE}.parquet"
        )
        for number, encoder in enumerate(self._texts.values()):
            encoder.save(folder, f"{_FILE}.{number}")

    @classmethod
    def load(cls, folder: Path) -> ItemVocabulary:
        """Open what `save` wrote; the values are read when records are asked about."""
        described = json.loads((folder / f"{_FILE}.json").read_text())
        columns = [_Column(name, kind, tuple(edges), count) for name, kind, edges, count in described]
        prose = [column.name for column in columns if column.kind == "vector"]
        texts = {name: TextEncoder.load(folder, f"{_FILE}.{k}") for k, name in enumerate(prose)}
        return cls(columns, folder / f"{_FILE}.parquet", texts=texts)


def _parts(series: pl.Series, kind: str) -> pl.DataFrame:
    """``item`` and ``value``: the different values of each row, rows in order."""
    if kind == "text":
        rows = words(series.str.slice(0, BEGINNING)).rename({"row": "item", "word": "value"})
    else:
        frame = {"item": np.arange(len(series), dtype=np.uint32), "value": series.str.split("|")}
        rows = pl.DataFrame(frame).explode("value").with_columns(pl.col("value").str.strip_chars())
        rows = rows.filter(pl.col("value").is_not_null() & (pl.col("value") != ""))
    return rows.unique().sort("item", "value")


def _frequent(values: pl.Series, most: int) -> pl.Series:
    """The most frequent values that more than one item has."""
    counts = values.value_counts().filter(pl.col("count") > 1)
    return counts.sort(["count", "value"], descending=[True, False])["value"].head(most)


def _numbered(rows: pl.DataFrame, values: pl.Series, n: int) -> ItemAttribute:
    numbers = pl.DataFrame({"value": values, "code": np.arange(len(values), dtype=np.int32)})
    known = rows.join(numbers, on="value", how="inner", maintain_order="left")
    return _packed(known["item"].to_numpy().astype(np.int64), known["code"].to_numpy(), n, len(values))


def _vectors(series: pl.Series, encoder: TextEncoder) -> ItemAttribute:
    return ItemAttribute.of_vectors(encoder.transform(series.cast(pl.String)) * SCALE)


def _numbers(series: pl.Series) -> Float64:
    numbers: Float64 = series.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy()
    return numbers


def _edges(series: pl.Series) -> tuple[float, ...] | None:
    """The bounds between the quantiles of the known values; None when none is known."""
    numbers = _numbers(series)
    known = numbers[np.isfinite(numbers)]
    if not len(known):
        return None
    inner = np.linspace(0, 1, QUANTILES + 1)[1:-1]
    return tuple(np.unique(np.quantile(known, inner)).tolist())


def _quantiles(series: pl.Series, edges: Sequence[float]) -> ItemAttribute:
    numbers = _numbers(series)
    known = np.flatnonzero(np.isfinite(numbers))
    code = np.searchsorted(np.array(edges), numbers[known], side="right").astype(np.int32)
    return _packed(known, code, len(series), len(edges) + 1)


def _packed(item: Int64, code: Int32, n: int, size: int) -> ItemAttribute:
    ptr = np.zeros(n + 1, dtype=np.int64)
    np.cumsum(np.bincount(item, minlength=n), out=ptr[1:])
    return ItemAttribute(code, ptr, size)
