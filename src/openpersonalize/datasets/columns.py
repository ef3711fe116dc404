"""Columns of item or user records, aligned with a list of ids: what filters compare and answers show.

How a column answers is in `column_kinds`.

Memory: 4 bytes per row and string column plus its distinct texts; 8 bytes per row and number; 16 plus the
text itself per row of a textual column. Records written since the base was built lie over it as a second,
small set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from ..storage.idtable import IdTable
from .column_kinds import Column, Ids, Mask, Numbers, Operator, Texts, column_of
from .schemas import Schema
from .tables import DTYPES, id_column, records_frame

MERGE_ABOVE = 8
"""Records laid over the base become part of a new base when they are more than one row in this many."""


class _Layer:
    """Records laid over a base: `rows` ascending, their columns in that order, the records themselves."""

    def __init__(self, schema: Schema, records: dict[int, Mapping[str, Any]]) -> None:
        self.records = records
        self.rows = np.array(sorted(records), dtype=np.int64)
        key = id_column(schema)
        frame = records_frame([records[row] for row in self.rows.tolist()], schema)
        self.columns = {f.name: column_of(f, frame[f.name]) for f in schema.fields if f.name != key}


class ColumnSet:
    """The columns of an Items, Users or Actions dataset over `n` ids. Immutable, safe to share by threads.

    Fields are named exactly as in the schema; an absent field, or one of a kind that the question does not
    fit (text asked for numbers), raises `KeyError`. The id column answers like a plain string.
    """

    def __init__(
        self,
        schema: Schema,
        ids: IdTable,
        columns: Mapping[str, Column],
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
        columns: dict[str, Column] = {key: Ids(ids)}
        for field in schema.fields:
            if field.name != key:
                present = field.name in frame.columns
                values = (
                    frame[field.name].gather(picked) if present else pl.repeat(None, len(ids), eager=True)
                )
                columns[field.name] = column_of(field, values)
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

    def numbers(self, field: str) -> npt.NDArray[np.float64]:
        """float64[n] of a number column, NaN for null; not to be written into."""
        return _numbers(field, (self._merged() if self._layers else self)._columns[field]).data

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
        columns: dict[str, Column] = {}
        for field in self.schema.fields:
            base = self._columns[field.name]
            if isinstance(base, Ids):
                columns[field.name] = base
                continue
            parts = [base.values(), *(layer.columns[field.name].values() for layer in self._layers)]
            source = np.arange(self.n)
            start = self.n
            for layer in self._layers:
                source[layer.rows] = np.arange(start, start + len(layer.rows))
                start += len(layer.rows)
            joined = pl.concat([part.cast(DTYPES[field.type]).alias(field.name) for part in parts])
            columns[field.name] = column_of(field, joined.gather(source))
        return ColumnSet(self.schema, self._ids, columns, self.version)

    def _answer(self, field: str, ask: Callable[[Column], Mask]) -> Mask:
        base = self._columns[field]
        mask = ask(base)
        if not isinstance(base, Ids):
            for layer in self._layers:
                mask[layer.rows] = ask(layer.columns[field])
        return mask

    def _place(self, field: str, row: int) -> tuple[Column, int]:
        """The column that holds the newest value of a row, and the row's position in it."""
        base = self._columns[field]
        if not isinstance(base, Ids):
            for layer in reversed(self._layers):
                if row in layer.records:
                    return layer.columns[field], int(np.searchsorted(layer.rows, row))
        return base, row


def _texts(field: str, column: Column) -> Texts | Ids:
    if isinstance(column, (Texts, Ids)):
        return column
    raise KeyError(f"{field} is not a string column that can be searched")


def _numbers(field: str, column: Column) -> Numbers:
    if isinstance(column, Numbers):
        return column
    raise KeyError(f"{field} is not a number column")


def _or_null(positions: npt.NDArray[Any]) -> pl.Series:
    """Positions as a series in which negative ones are null."""
    series = pl.Series("position", positions)
    return pl.select(pl.when(series >= 0).then(series)).to_series()
