"""Metadata as features: categories one-hot (several in a value: multi-hot), numbers as standard scores, nulls
as nothing: `MetadataCoding`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from ...algorithms.arrays import Float32, Int32
from ...algorithms.dict_column import Columns

Texts = pl.String()


@dataclass(frozen=True)
class MetadataCoding:
    """What each column becomes.

    Attributes:
        categories: by column, the categories that have a feature. numbers: by column, mean and deviation.
    """

    categories: Mapping[str, Mapping[str, int]]
    numbers: Mapping[str, tuple[float, float]]

    @classmethod
    def fit(cls, columns: Mapping[str, pl.Series], most: int, least: int = 1) -> MetadataCoding:
        """For columns of the same length; the `most` frequent categories of all columns get a feature, if so
        many rows as `least` have them."""
        texts = {name: one for name, one in columns.items() if one.dtype == Texts}
        counted = [
            _parts(one).group_by("part").len().with_columns(column=pl.lit(name))
            for name, one in texts.items()
        ]
        kept: dict[str, dict[str, int]] = {name: {} for name in texts}
        if counted:
            order = ["len", "column", "part"]
            frequent = pl.concat(counted).filter(pl.col("len") >= least)
            best = frequent.sort(order, descending=[True, False, False]).head(most)
            for column, part in best.sort("column", "part").select("column", "part").rows():
                kept[column][part] = len(kept[column])
        numbers = {}
        for name, one in columns.items():
            if one.dtype.is_numeric():
                known = one.cast(pl.Float64).drop_nulls().to_numpy()
                known = known[np.isfinite(known)]
                if len(known):
                    numbers[name] = (float(known.mean()), float(known.std()) or 1.0)
        return cls({name: one for name, one in kept.items() if one}, numbers)

    @property
    def size(self) -> int:
        """How many features."""
        return sum(len(one) for one in self.categories.values()) + len(self.numbers)

    def encode(self, columns: Mapping[str, pl.Series], n: int) -> Float32:
        """float32[n, size] of columns of n rows; those that are not there are as if null."""
        found = np.zeros((n, self.size), dtype=np.float32)
        start = 0
        for name, numbers in self.categories.items():
            if name in columns:
                table = pl.DataFrame({"part": list(numbers), "number": list(numbers.values())})
                known = _parts(columns[name].cast(pl.String)).join(table, on="part")
                found[known["row"].to_numpy(), start + known["number"].to_numpy()] = 1.0
            start += len(numbers)
        for name, (mean, deviation) in self.numbers.items():
            if name in columns:
                values = columns[name].cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy()
                scores = (values - mean) / deviation
                found[:, start] = np.where(np.isfinite(scores), scores, 0.0)
            start += 1
        return found

    def encode_coded(self, columns: Columns, rows: Int32) -> Float32:
        """float32[len(rows), size] of some rows of dictionary-encoded columns; -1: there is no record."""
        found = np.zeros((len(rows), self.size), dtype=np.float32)
        for name, column in columns.items():
            table = self.encode({name: column.values}, len(column.values))
            table = np.concatenate((table, np.zeros((1, self.size), np.float32)))  # where -1 finds nothing
            found += table[np.where(rows < 0, -1, column.code[rows])]
        return found

    def row(self, values: Mapping[str, Any]) -> Float32:
        """float32[size] of one record."""
        found = np.zeros(self.size, dtype=np.float32)
        start = 0
        for name, numbers in self.categories.items():
            for part in str(values.get(name) or "").split("|"):
                number = numbers.get(part.strip())
                if number is not None:
                    found[start + number] = 1.0
            start += len(numbers)
        for name, (mean, deviation) in self.numbers.items():
            value = values.get(name)
            if isinstance(value, int | float) and np.isfinite(value):
                found[start] = (value - mean) / deviation
            start += 1
        return found

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that count."""
        return (*self.categories, *self.numbers)

    def json(self) -> dict[str, Any]:
        """JSON, see `from_json`."""
        return {"categories": {k: list(v) for k, v in self.categories.items()}, "numbers": dict(self.numbers)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> MetadataCoding:
        """The inverse of `json`."""
        categories = {k: {part: n for n, part in enumerate(v)} for k, v in data["categories"].items()}
        return cls(categories, {k: (v[0], v[1]) for k, v in data["numbers"].items()})


def _parts(values: pl.Series) -> pl.DataFrame:
    """``row`` and ``part`` of all categories in a column of texts."""
    rows = values.alias("part").to_frame().with_row_index("row").drop_nulls("part")
    split = rows.with_columns(pl.col("part").str.split("|")).explode("part")
    trimmed = split.with_columns(pl.col("part").str.strip_chars(" "))
    return trimmed.filter(pl.col("part") != "").unique(maintain_order=True)
