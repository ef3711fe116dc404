"""Columns of item or user records, aligned with a list of ids: what filters compare and answers show.

A string column is dictionary-coded: its distinct texts once, in order, and an int32 code per row. For a
categorical column the distinct texts are also split into their categories, and each category knows its
texts. A condition is decided per distinct text and then spread over the rows by one gather, so a million
rows cost a few milliseconds. Numbers are float64 with NaN for null (exact integers beyond 2^53 are kept
beside them for answers).

Memory: 4 bytes per row and string column plus its distinct texts; 8 bytes per row and number; 16 plus the
text itself per row of a textual column. Records written since the base was built lie over it as a second,
small set.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from ..storage.idtable import IdTable
from .schemas import Field, Schema
from .tables import DTYPES, id_column, records_frame

Mask = npt.NDArray[np.bool_]
Operator = Literal["=", "!=", "<", "<=", ">", ">="]

EXACT = 2**53
"""float64 holds every integer below this one."""

MERGE_ABOVE = 8
"""Records laid over the base become part of a new base when they are more than one row in this many."""


@dataclass(frozen=True)
class _Texts:
    """A string column: `codes[row]` is a position in the sorted `texts`, -1 for null."""

    codes: npt.NDArray[np.int32]
    texts: pl.Series

    @classmethod
    def build(cls, values: pl.Series) -> _Texts:
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
class _Categories(_Texts):
    """A categorical column: category k stands in the texts ``members[starts[k]:starts[k + 1]]``."""

    categories: pl.Series
    starts: npt.NDArray[np.int64]
    members: npt.NDArray[np.int32]

    @classmethod
    def build(cls, values: pl.Series) -> _Categories:
        plain = _Texts.build(values)
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
class _Numbers:
    """A number column: float64 with NaN for null. `exact` holds the integers when float64 cannot."""

    data: npt.NDArray[np.float64]
    integral: bool
    exact: npt.NDArray[np.int64] | None

    @classmethod
    def build(cls, values: pl.Series, integral: bool) -> _Numbers:
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
class _Ids:
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
class _Plain:
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
_Column = _Texts | _Numbers | _Ids | _Plain


class _Layer:
    """Records laid over a base: `rows` ascending, their columns in that order, the records themselves."""

    def __init__(self, schema: Schema, records: dict[int, Mapping[str, Any]]) -> None:
        self.records = records
        self.rows = np.array(sorted(records), dtype=np.int64)
        key = id_column(schema)
        frame = records_frame([records[row] for row in self.rows.tolist()], schema)
        self.columns = {f.name: _column(f, frame[f.name]) for f in schema.fields if f.name != key}


class ColumnSet:
    """The columns of an Items, Users or Actions dataset over `n` ids. Immutable, safe to share between
    threads.

    Fields are named exactly as in the schema; an absent field, or one of a kind that the question does not
    fit (text asked for numbers), raises `KeyError`. The id column answers like a plain string.
    """

    def __init__(
        self,
        schema: Schema,
        ids: IdTable,
        columns: Mapping[str, _Column],
        version: int = 0,
        layers: tuple[_Layer, ...] = (),
    ) -> None:
        """For `build` and `with_rows`: a base and the records laid over it, the newest last."""
        self.schema = schema
        self.n = len(ids)
        self.version = version
        self._ids = ids
        self._columns = columns
        self._layers = layers

    @classmethod
    def build(cls, frame: pl.DataFrame, schema: Schema, ids: IdTable, version: int = 0) -> ColumnSet:
        """Align the rows of `frame` (schema columns under their names) with `ids`.

        Of several rows with one id the last counts; ids without a row are null everywhere, save their id; a
        schema column that the frame lacks is null everywhere.
        """
        key = id_column(schema)
        rows = ids.find_all(frame[key])
        known = rows >= 0
        source = np.full(len(ids), -1, dtype=np.int64)
        source[rows[known]] = np.flatnonzero(known)
        picked = _or_null(source)
        columns: dict[str, _Column] = {key: _Ids(ids)}
        for field in schema.fields:
            if field.name != key:
                present = field.name in frame.columns
                values = (
                    frame[field.name].gather(picked) if present else pl.repeat(None, len(ids), eager=True)
                )
                columns[field.name] = _column(field, values)
        return cls(schema, ids, columns, version)

    def any_of(self, field: str, values: Sequence[str]) -> Mask:
        """Rows whose value set (categorical) or whole text (plain) meets `values`; null never does."""
        return self._answer(field, lambda column: _texts(field, column).any_of(values))

    def any_of_numbers(self, field: str, values: Sequence[float]) -> Mask:
        """Rows whose number is one of `values`; null never is."""
        return self._answer(field, lambda column: _numbers(field, column).any_of_numbers(values))

    def compare(self, field: str, op: Operator, value: float) -> Mask:
        """Rows whose number compares so with `value`; null compares false, save with ``!=``."""
        return self._answer(field, lambda column: _numbers(field, column).compare(op, value))

    def is_null(self, field: str) -> Mask:
        """Rows without a value."""
        return self._answer(field, lambda column: column.is_null())

    def values_at(self, field: str, row: int) -> tuple[str, ...] | float | None:
        """One row's value: the value set of a string, a number, or None for null."""
        column, position = self._place(field, row)
        return column.values_at(position)

    def text_at(self, field: str, row: int) -> str | None:
        """One row's value as answers show it: numbers in their shortest form, None for null."""
        column, position = self._place(field, row)
        return column.text(position)

    def with_rows(self, rows: Mapping[int, Mapping[str, Any]]) -> ColumnSet:
        """The same set with whole records replaced: row number -> {field: value}; fields left out are null.

        Layers double in size as they grow old, so that k records cost k log k altogether however they
        arrive; when they are more than an eighth of the base they become part of a new one.
        """
        if not rows:
            return self
        records = {int(row): record for row, record in rows.items()}
        layers = list(self._layers)
        while layers and len(layers[-1].records) <= 2 * len(records):
            records = {**layers.pop().records, **records}
        layers.append(_Layer(self.schema, records))
        laid = ColumnSet(self.schema, self._ids, self._columns, self.version + 1, tuple(layers))
        return laid._merged() if sum(len(x.records) for x in layers) * MERGE_ABOVE > self.n else laid

    def _merged(self) -> ColumnSet:
        columns: dict[str, _Column] = {}
        for field in self.schema.fields:
            base = self._columns[field.name]
            if isinstance(base, _Ids):
                columns[field.name] = base
                continue
            parts = [base.values(), *(layer.columns[field.name].values() for layer in self._layers)]
            source = np.arange(self.n)
            start = self.n
            for layer in self._layers:
                source[layer.rows] = np.arange(start, start + len(layer.rows))
                start += len(layer.rows)
            joined = pl.concat([part.cast(DTYPES[field.type]).alias(field.name) for part in parts])
            columns[field.name] = _column(field, joined.gather(source))
        return ColumnSet(self.schema, self._ids, columns, self.version)

    def _answer(self, field: str, ask: Callable[[_Column], Mask]) -> Mask:
        base = self._columns[field]
        mask = ask(base)
        if not isinstance(base, _Ids):
            for layer in self._layers:
                mask[layer.rows] = ask(layer.columns[field])
        return mask

    def _place(self, field: str, row: int) -> tuple[_Column, int]:
        """The column that holds the newest value of a row, and the row's position in it."""
        base = self._columns[field]
        if not isinstance(base, _Ids):
            for layer in reversed(self._layers):
                if row in layer.records:
                    return layer.columns[field], int(np.searchsorted(layer.rows, row))
        return base, row


def category_values(text: str) -> tuple[str, ...]:
    """The value set of a categorical text: parts between bars, trimmed of blanks, empty ones dropped."""
    return tuple(part for part in (piece.strip(" ") for piece in text.split("|")) if part)


def shortest(number: float) -> str:
    """A number in the shortest form that reads back as itself, without an empty fraction."""
    return str(int(number)) if number.is_integer() and abs(number) < 1e16 else repr(number)


def _column(field: Field, values: pl.Series) -> _Column:
    if field.is_number:
        return _Numbers.build(values.cast(DTYPES[field.type]), field.type in ("int", "long"))
    if field.textual or field.type == "boolean":
        return _Plain(values.cast(DTYPES[field.type]))
    return (_Categories if field.categorical else _Texts).build(values.cast(pl.String))


def _texts(field: str, column: _Column) -> _Texts | _Ids:
    if isinstance(column, (_Texts, _Ids)):
        return column
    raise KeyError(f"{field} is not a string column that can be searched")


def _numbers(field: str, column: _Column) -> _Numbers:
    if isinstance(column, _Numbers):
        return column
    raise KeyError(f"{field} is not a number column")


def _or_null(positions: npt.NDArray[Any]) -> pl.Series:
    """Positions as a series in which negative ones are null."""
    series = pl.Series("position", positions)
    return pl.select(pl.when(series >= 0).then(series)).to_series()


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
