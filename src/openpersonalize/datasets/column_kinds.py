"""The kinds of columns of records: dictionary-coded texts and categories, numbers, ids, plain values.

A string column is dictionary-coded: its distinct texts once, in order, and an int32 code per row. For a
categorical column the distinct texts are also split into their categories, and each category knows its
texts. A condition is decided per distinct text and then spread over the rows by one gather, so a million
rows cost a few milliseconds. Numbers are float64 with NaN for null (exact integers beyond 2^53 are kept
beside them for answers).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from ..storage.idtable import IdTable
from .schemas import Field
from .tables import DTYPES

Mask = npt.NDArray[np.bool_]
Operator = Literal["=", "!=", "<", "<=", ">", ">="]

EXACT = 2**53
"""float64 holds every integer below this one."""


@dataclass(frozen=True)
class Texts:
    """A string column: `codes[row]` is a position in the sorted `texts`, -1 for null."""

    codes: npt.NDArray[np.int32]
    texts: pl.Series

    @classmethod
    def build(cls, values: pl.Series) -> Texts:
        texts = values.drop_nulls().unique().sort()
        return cls(_positions(texts, values), texts)

    def found(self, values: Sequence[str]) -> npt.NDArray[np.int64]:
        """The codes of those `values` that occur."""
        return _lookup(self.texts, values)

    def rows_with(self, codes: npt.NDArray[np.int64]) -> Mask:
        """The rows whose text is one of `codes`."""
        if len(codes) == 1:
            return np.equal(self.codes, np.int32(codes[0]))
        chosen = np.zeros(len(self.texts) + 1, dtype=np.bool_)  # the last one answers for code -1, null
        chosen[codes] = True
        return chosen.take(self.codes, mode="wrap")

    def text(self, row: int) -> str | None:
        code = int(self.codes[row])
        return None if code < 0 else self.texts[code]

    def values(self) -> pl.Series:
        codes = pl.Series(self.codes)
        return self.texts.gather(pl.select(pl.when(codes >= 0).then(codes)).to_series())

    def any_of(self, values: Sequence[str]) -> Mask:
        return self.rows_with(self.found(values))

    def values_at(self, row: int) -> tuple[str, ...] | None:
        text = self.text(row)
        return None if text is None else (text,)

    def is_null(self) -> Mask:
        return self.codes < 0


@dataclass(frozen=True)
class Categories(Texts):
    """A categorical column: category k stands in the texts ``members[starts[k]:starts[k + 1]]``."""

    categories: pl.Series
    starts: npt.NDArray[np.int64]
    members: npt.NDArray[np.int32]

    @classmethod
    def build(cls, values: pl.Series) -> Categories:
        plain = Texts.build(values)
        pairs = (
            pl.DataFrame({"part": plain.texts, "text": np.arange(len(plain.texts), dtype=np.int32)})
            .with_columns(pl.col("part").str.split("|"))
            .explode("part", empty_as_null=True)
            .with_columns(pl.col("part").str.strip_chars(" "))
            .filter(pl.col("part").is_not_null() & (pl.col("part") != ""))
            .sort("part", "text")
        )
        categories = pairs["part"].unique().sort()
        numbers = _positions(categories, pairs["part"])
        starts = np.searchsorted(numbers, np.arange(len(categories) + 1))
        return cls(plain.codes, plain.texts, categories, starts.astype(np.int64), pairs["text"].to_numpy())

    def any_of(self, values: Sequence[str]) -> Mask:
        hits = [
            self.members[self.starts[k] : self.starts[k + 1]]
            for k in _lookup(self.categories, values).tolist()
        ]
        return self.rows_with(np.concatenate(hits).astype(np.int64) if hits else np.empty(0, dtype=np.int64))

    def values_at(self, row: int) -> tuple[str, ...] | None:
        text = self.text(row)
        return None if text is None else category_values(text)


@dataclass(frozen=True)
class Numbers:
    """A number column: float64 with NaN for null. `exact` holds the integers when float64 cannot."""

    data: npt.NDArray[np.float64]
    integral: bool
    exact: npt.NDArray[np.int64] | None

    @classmethod
    def build(cls, values: pl.Series, integral: bool) -> Numbers:
        data = values.cast(pl.Float64).fill_null(math.nan).to_numpy().copy()
        with np.errstate(invalid="ignore"):
            beyond = integral and bool((np.abs(data) >= EXACT).any())
        return cls(data, integral, values.fill_null(0).to_numpy().astype(np.int64) if beyond else None)

    def text(self, row: int) -> str | None:
        number = float(self.data[row])
        if math.isnan(number):
            return None
        if self.exact is not None:
            return str(int(self.exact[row]))
        return str(int(number)) if self.integral else shortest(number)

    def values(self) -> pl.Series:
        if self.integral:
            whole = pl.Series(
                self.exact if self.exact is not None else np.nan_to_num(self.data).astype(np.int64)
            )
            return pl.select(pl.when(pl.Series(~self.is_null())).then(whole)).to_series()
        return pl.Series(self.data).fill_nan(None)

    def values_at(self, row: int) -> float | None:
        number = float(self.data[row])
        return None if math.isnan(number) else number

    def any_of_numbers(self, values: Sequence[float]) -> Mask:
        return np.isin(self.data, np.asarray(values, dtype=np.float64))

    def compare(self, op: Operator, value: float) -> Mask:
        with np.errstate(invalid="ignore"):
            mask: Mask = _COMPARISONS[op](self.data, value)
        return mask

    def is_null(self) -> Mask:
        return np.isnan(self.data)


@dataclass(frozen=True)
class Ids:
    """The id column: every row has its own id, whatever its record says."""

    ids: IdTable

    def any_of(self, values: Sequence[str]) -> Mask:
        mask = np.zeros(len(self.ids), dtype=np.bool_)
        mask[[row for row in map(self.ids.find, values) if row >= 0]] = True
        return mask

    def text(self, row: int) -> str | None:
        return self.ids[row]

    def values(self) -> pl.Series:
        return self.ids.series()

    def values_at(self, row: int) -> tuple[str, ...] | None:
        return (self.ids[row],)

    def is_null(self) -> Mask:
        return np.zeros(len(self.ids), dtype=np.bool_)


@dataclass(frozen=True)
class Plain:
    """Values that are shown but never compared: textual strings and booleans."""

    data: pl.Series

    def text(self, row: int) -> str | None:
        value = self.data[row]
        return None if value is None else str(value).lower() if isinstance(value, bool) else value

    def values(self) -> pl.Series:
        return self.data

    def values_at(self, row: int) -> tuple[str, ...] | None:
        text = self.text(row)
        return None if text is None else (text,)

    def is_null(self) -> Mask:
        return self.data.is_null().to_numpy()


_COMPARISONS: dict[str, Any] = {
    "=": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}
Column = Texts | Numbers | Ids | Plain


def column_of(field: Field, values: pl.Series) -> Column:
    if field.is_number:
        return Numbers.build(values.cast(DTYPES[field.type]), field.type in ("int", "long"))
    if field.textual or field.type == "boolean":
        return Plain(values.cast(DTYPES[field.type]))
    return (Categories if field.categorical else Texts).build(values.cast(pl.String))


def category_values(text: str) -> tuple[str, ...]:
    """The value set of a categorical text: parts between bars, trimmed of blanks, empty ones dropped."""
    return tuple(part for part in (piece.strip(" ") for piece in text.split("|")) if part)


def value_of(field: Field, cell: Any) -> tuple[str, ...] | float | None:
    """What `ColumnSet.values_at` says of a record whose field holds `cell`."""
    if cell is None:
        return None
    if field.is_number:
        number = float(cell)
        return None if math.isnan(number) else number
    if isinstance(cell, bool):
        return (str(cell).lower(),)
    return category_values(cell) if field.categorical and not field.textual else (cell,)


def shortest(number: float) -> str:
    """A number in the shortest form that reads back as itself, without an empty fraction."""
    return str(int(number)) if number.is_integer() and abs(number) < 1e16 else repr(number)


def _positions(ordered: pl.Series, values: pl.Series) -> npt.NDArray[np.int32]:
    """Where each of `values` stands in `ordered` (distinct); -1 where it does not."""
    own = pl.DataFrame({"value": ordered, "position": np.arange(len(ordered), dtype=np.int32)})
    found = values.alias("value").to_frame().join(own, on="value", how="left", maintain_order="left")
    return found["position"].fill_null(-1).to_numpy().astype(np.int32, copy=False)


def _lookup(ordered: pl.Series, values: Sequence[str]) -> npt.NDArray[np.int64]:
    """The positions in `ordered` of those `values` that occur in it."""
    if not len(ordered) or not values:
        return np.empty(0, dtype=np.int64)
    wanted = pl.Series(values, dtype=pl.String).unique()
    at = ordered.search_sorted(wanted).to_numpy().astype(np.int64)
    inside = at < len(ordered)
    inside[inside] = (ordered.gather(at[inside]) == wanted.filter(pl.Series(inside))).to_numpy()
    return at[inside]
