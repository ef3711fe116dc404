"""CSV files read as tables of a dataset: columns by header name, values by the schema, every problem with
its place.

Values (Amazon Personalize developer guide, "Data format guidelines"; the rest is our choice): an empty
value, quoted or not, is null where the schema allows null; in a plain or categorical column that does not,
it is the empty text and counted; ids, EVENT_TYPE, numbers and booleans may not be empty then. Booleans are
``true`` and ``false`` in any case. How numbers are spelled and how long texts may be says `values`.

A block of rows is parsed by Polars straight into its types. Only where that leaves doubt (a null where none
may be, a length, a bound) is a column looked at again as text. Memory: about ten times the block, whatever
the file's size.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import polars as pl

from . import problems as reasons
from .csv_text import BLOCK_BYTES, CsvText, Rows
from .header import match_header, of_form
from .hints import NULL_WORDS, WARNING, Hints
from .problems import Problem, Problems
from .schemas import FLOAT_LIMIT, MAX_TIMESTAMP, Field, Schema
from .tables import DTYPES
from .values import ID_LENGTH, TEXT_LENGTH, cut_column, decimal, decimal_column, whole_column

_NAMES = frozenset({"USER_ID", "ITEM_ID", "ACTION_ID", "EVENT_TYPE"})
_TIMES = {
    "INTERACTIONS": frozenset({"TIMESTAMP"}),
    "ITEMS": frozenset({"CREATION_TIMESTAMP"}),
    "ACTIONS": frozenset({"CREATION_TIMESTAMP", "EXPIRATION_TIMESTAMP", "ACTION_EXPIRATION_TIMESTAMP"}),
    "ACTION_INTERACTIONS": frozenset({"TIMESTAMP"}),
}

_DATE = "write a number like 1711929600, for which many tools say epoch or Unix time"
_COMMA_NUMBER = re.compile(r"[+-]?[0-9.' ]*[0-9],[0-9,.]*")
_FINER = (
    (("milliseconds", 1_000), MAX_TIMESTAMP, MAX_TIMESTAMP * 1_000),
    (("microseconds", 1_000_000), MAX_TIMESTAMP * 1_000, MAX_TIMESTAMP * 1_000_000),
    (("nanoseconds", 1_000_000_000), MAX_TIMESTAMP * 1_000_000, 2**63),
)
"""Units finer than seconds: their names and how many make one, and between what the numbers lie."""

Positions = npt.NDArray[np.int64]


class CsvReader:
    """Reads the files of one import one after the other.

    Attributes:
        hints: what is allowed and hardly meant.
    """

    def __init__(
        self,
        schema: Schema,
        dataset_type: str,
        problems: Problems,
        block_bytes: int = BLOCK_BYTES,
        now: float | None = None,
    ) -> None:
        """Args:
        problems: where problems go.
        now: seconds; rows that claim to be later are counted among the hints. None: they are not.
        """
        times = _TIMES.get(dataset_type, frozenset())
        self.hints = Hints(_NAMES & frozenset(schema.names), times & {"TIMESTAMP"}, now)
        self._columns = [_Column(field, dataset_type) for field in schema.fields]
        self._schema = schema
        self._problems = problems
        self._block_bytes = block_bytes
        self._empty_texts: Counter[str] = Counter()
        self._cut_texts = 0

    def frames(
        self, stream: BinaryIO, file: str, renamed: Mapping[str, str] | None = None
    ) -> Iterator[tuple[pl.DataFrame, int]]:
        """The file's rows block by block under the schema's names, and how many bytes each block took.

        Problems are added to the reader's; the rows they are in may be left out or hold nulls, so a frame is
        worth keeping only while there are none. The header must have all columns; names of it that are keys
        of `renamed` stand for the values there.
        """
        text = CsvText(stream, self._block_bytes)
        names = [(renamed or {}).get(name, name) for name in text.header]
        match = match_header(names, self._schema)
        for rows in text.rows():
            frame, wrong = self._read(rows, len(text.header), match.places)
            self._describe(rows, wrong, file, text.header)
            self.hints.look(frame, rows.lines, file)
            yield frame, rows.read

    def notes(self) -> Iterator[str]:
        """What became of values in the rows read, and the hints."""
        for column, count in self._empty_texts.items():
            if count:
                yield f"column {column}: {count} empty values kept as empty text"
        if self._cut_texts:
            yield f"{self._cut_texts} textual values were longer than is used and have been cut"
        for sentence in self.hints.sentences():
            yield f"{WARNING}{sentence}"

    def _read(self, rows: Rows, width: int, places: tuple[int, ...]) -> tuple[pl.DataFrame, list[_Wrong]]:
        types = {place: column.parsed_as for column, place in zip(self._columns, places, strict=True)}
        parsed = _parse(rows.data, width, types)
        frame: dict[str, pl.Series] = {}
        wrong: list[_Wrong] = []
        for column, place in zip(self._columns, places, strict=True):
            values = parsed[str(place)]
            if column.parsed_as != pl.String and values.null_count():
                values = _parse(rows.data, width, {place: pl.String()})[str(place)]
            checked = column.check(values)
            frame[column.field.name] = checked.values
            wrong += checked.wrong
            self._empty_texts[column.field.name] += checked.empty_texts
            self._cut_texts += checked.cut_texts
        return pl.DataFrame(frame), wrong

    def _describe(self, rows: Rows, wrong: list[_Wrong], file: str, header: Sequence[str]) -> None:
        total = len(rows.faults) + rows.unlisted + sum(len(w.rows) for w in wrong)
        if not total:
            return
        room = self._problems.room
        found = [of_form(fault, file, header) for fault in rows.faults[:room]]
        for w in wrong:
            found += [
                Problem(file, int(rows.lines[row]), w.column, w.what(value), w.reason)
                for row, value in zip(w.rows[:room].tolist(), w.values[:room].to_list(), strict=True)
            ]
        listed = sorted(found, key=lambda problem: problem.line)[:room]
        self._problems.add(listed, total - len(listed))


def _parse(data: bytes, width: int, types: dict[int, pl.DataType]) -> pl.DataFrame:
    """The columns at the places in `types`, named by their places; what does not parse is null."""
    if not data:
        return pl.DataFrame(schema={str(place): dtype for place, dtype in types.items()})
    return pl.read_csv(
        data,
        has_header=False,
        columns=sorted(types),
        schema={str(place): types.get(place, pl.String()) for place in range(width)},
        ignore_errors=True,
    )


@dataclass(frozen=True)
class _Wrong:
    """Rows whose value in one column is wrong in one way: their positions, the values, how to say it."""

    column: str
    rows: Positions
    values: pl.Series
    what: Callable[[object], str]
    reason: str = reasons.NOT_CONFORMING


@dataclass(frozen=True)
class _Checked:
    """A column of a block in its final type, and what is wrong with it."""

    values: pl.Series
    wrong: list[_Wrong]
    empty_texts: int = 0
    cut_texts: int = 0


class _Column:
    """The rules for the values of one field. `parsed_as`: the type in which a block is parsed first."""

    def __init__(self, field: Field, dataset_type: str) -> None:
        self.field = field
        self.is_time = field.name in _TIMES.get(dataset_type, ()) and field.type == "long"
        self.length = ID_LENGTH if field.name in _NAMES else TEXT_LENGTH
        self._limit = FLOAT_LIMIT if field.type == "float" else math.inf
        self.must_be_set = not field.nullable and (field.type != "string" or field.name in _NAMES)
        typed = field.is_number and not field.nullable
        self.parsed_as: pl.DataType = DTYPES[field.type] if typed else pl.String()

    def check(self, values: pl.Series) -> _Checked:
        """Check and convert one block's values, parsed already or still text."""
        if self.field.type == "string":
            return self._check_textual(values) if self.field.textual else self._check_string(values)
        if values.dtype == pl.String:
            texts = _emptied(values)
            converted = self._convert(texts)
            bad = converted.is_null() & texts.is_not_null()
            wrong = self._found(bad, texts, self._unfit)
            return _Checked(converted, [*self._unset(texts), *wrong, *self._out_of_bounds(converted)])
        return _Checked(values, self._out_of_bounds(values))

    def _check_string(self, values: pl.Series) -> _Checked:
        lengths = values.str.len_bytes()
        wrong: list[_Wrong] = []
        if (lengths.max() or 0) > self.length:  # type: ignore[operator]
            characters = values.str.len_chars()
            wrong = self._found(
                characters > self.length,
                characters,
                lambda count: f"has {count} characters, at most {self.length} are allowed",
                reasons.value_too_long(self.length, self.field.name),
            )
        return self._without_empty(values, wrong)

    def _check_textual(self, values: pl.Series) -> _Checked:
        values, cut = cut_column(values)
        checked = self._without_empty(values, [])
        return _Checked(checked.values, checked.wrong, checked.empty_texts, cut)

    def _without_empty(self, values: pl.Series, wrong: list[_Wrong]) -> _Checked:
        """Empty values as the schema wants them: null, a problem, or the empty text."""
        if self.field.nullable:
            return _Checked(_emptied(values), wrong)
        if self.must_be_set:
            return _Checked(values, [*self._unset(_emptied(values)), *wrong])
        empty = values.null_count() + int((values == "").sum())
        return _Checked(values.fill_null("") if empty else values, wrong, empty_texts=empty)

    def _unset(self, values: pl.Series) -> list[_Wrong]:
        if not self.must_be_set or not values.null_count():
            return []
        return self._found(values.is_null(), values, lambda _: "is empty")

    def _unfit(self, value: object) -> str:
        """What is wrong with a text that is not of the field's type, and what to write."""
        text = str(value)
        advice = ""
        if text in NULL_WORDS:
            advice = "; leave the value empty" if self.field.nullable else "; this column may not be without"
        elif self.is_time:
            advice = f"; {_DATE}" if decimal(text.strip()) is None else "; write a whole number"
        elif self.field.is_number and _COMMA_NUMBER.fullmatch(text.strip()):
            advice = "; write a decimal point and no separators"
        return f"{_shown(value)} is not {self._wanted}{advice}"

    @property
    def _wanted(self) -> str:
        if self.is_time:
            return "in seconds since 1970"
        if self.field.type == "boolean":
            return "true or false"
        bits = 32 if self.field.type in ("int", "float") else 64
        return f"a {'whole' if self.field.type in ('int', 'long') else 'finite'} number of {bits} bits"

    def _convert(self, texts: pl.Series) -> pl.Series:
        """Texts in the field's type, null where they are not of it."""
        if self.field.type == "boolean":
            return texts.str.to_lowercase().replace_strict(
                ["true", "false"], [True, False], default=None, return_dtype=pl.Boolean
            )
        if self.field.type in ("int", "long"):
            return whole_column(texts)
        numbers = decimal_column(texts)
        return pl.select(pl.when(numbers.abs() < self._limit).then(numbers)).to_series()

    def _out_of_bounds(self, values: pl.Series) -> list[_Wrong]:
        if self.field.type in ("float", "double"):
            bad = ~(values.abs() < self._limit)
            return (
                self._found(bad, values, lambda value: f"{value} is not {self._wanted}") if bad.any() else []
            )
        if self.is_time:
            return self._found(
                ~values.is_between(0, MAX_TIMESTAMP),
                values,
                _no_seconds,
                reasons.bad_timestamp(self.field.name),
            )
        if self.field.type == "int":
            bad = ~values.is_between(-(2**31), 2**31 - 1)
            return self._found(bad, values, lambda value: f"{value} is not a whole number of 32 bits")
        return []

    def _found(
        self,
        bad: pl.Series,
        values: pl.Series,
        what: Callable[[object], str],
        reason: str = reasons.NOT_CONFORMING,
    ) -> list[_Wrong]:
        """The rows where `bad` is true (null is not), if any."""
        if not bad.any():
            return []
        rows = bad.arg_true()
        return [_Wrong(self.field.name, rows.to_numpy().astype(np.int64), values.gather(rows), what, reason)]


def _emptied(values: pl.Series) -> pl.Series:
    """The texts with empty ones made null."""
    if not (values == "").any():
        return values
    return pl.select(pl.when(values != "").then(values)).to_series()


def _no_seconds(value: object) -> str:
    """What is wrong with a number that is no time."""
    size = abs(int(str(value)))
    unit = next((name for name, least, most in _FINER if least <= size < most), None)
    advice = f"; these look like {unit[0]}: divide by {unit[1]:,}" if unit is not None else ""
    return f"{value} is not in seconds since 1970, from 0 to {MAX_TIMESTAMP}{advice}"


def _shown(value: object) -> str:
    text = str(value)
    return f'"{text}"' if len(text) <= 50 else f'"{text[:50]}..."'
