"""A schema for a CSV file that has none: reserved columns as Amazon Personalize types them, others by their
values.

Of a column of one's own, all values are looked at. If all are whole numbers it is a long, if all are numbers
a float (a double where 32 bits do not hold them), if all are true or false a boolean. Everything else is
text, and so is a column whose name ends in ``ID``, whose numbers are names. A text is a category, unless more
than half of its values differ: then it is prose (``textual``, the wordiest column of an Items file with three
words or more on average), or else only for filters; so is an ``ID`` of an Interactions file, an order's or a
session's. Every such column may be empty. Who wants it otherwise writes a schema.

Memory: blocks of the file, and up to `MOST_DIFFERENT` values of each column.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO

import polars as pl

from ..errors import InvalidInput
from .csv_reader import CsvReader
from .csv_text import CsvText
from .header import explained
from .problems import Problems
from .schema_rules import check_schema_for, known_fields, required_names
from .schemas import FLOAT_LIMIT, ID_FIELDS, Field, FieldType, Schema, parse_schema, schema_text, spelled

MOST_DIFFERENT = 50_000
"""Different values of a column that are kept while counting them; more are taken for "all differ"."""

PROSE_WORDS = 3.0

_WHOLE = r"^\s*[+-]?[0-9]{1,18}(?:\.0*)?\s*$"
_NUMBER = r"^\s*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?\s*$"


@dataclass
class _Seen:
    """What the values of one column have been so far."""

    count: int = 0
    words: int = 0
    whole: bool = True
    number: bool = True
    double: bool = False
    truth: bool = True
    different: pl.Series | None = field(default_factory=lambda: pl.Series("v", [], dtype=pl.String))

    def add(self, values: pl.Series) -> None:
        """Look at a block."""
        values = values.drop_nulls().alias("v")
        if not len(values):
            return
        self.count += len(values)
        self.words += int(values.str.count_matches(r"\S+").sum())
        self.whole = self.whole and bool(values.str.contains(_WHOLE).all())
        self.number = self.number and bool(values.str.contains(_NUMBER).all())
        if self.number:
            beyond = values.str.strip_chars().cast(pl.Float64, strict=False).abs() >= FLOAT_LIMIT
            self.double = self.double or bool(beyond.any())
        self.truth = self.truth and bool(values.str.to_lowercase().is_in(["true", "false"]).all())
        if self.different is not None:
            together = pl.concat([self.different, values.unique()]).unique()
            self.different = together if len(together) <= MOST_DIFFERENT else None

    @property
    def repeats(self) -> bool:
        """Whether at most half of the values differ."""
        return self.different is not None and 2 * len(self.different) <= max(self.count, 2)

    @property
    def wordiness(self) -> float:
        """Words of a value, on average."""
        return self.words / max(self.count, 1)

    def type(self, name: str) -> FieldType:
        """The type that all values have."""
        if self.count and self.truth:
            return "boolean"
        if not self.count or _names_something(name) or not self.number:
            return "string"
        if self.whole:
            return "long"
        return "double" if self.double else "float"


def infer_schema(
    open_file: Callable[[], BinaryIO], file: str, dataset_type: str, check: Callable[[], None] = lambda: None
) -> str:
    """The schema of a file that can be opened more than once.

    Args:
        open_file: opens it. file: its name, for messages.
        dataset_type: upper case. check: called between blocks; may raise to stop.

    Raises:
        InvalidInput: the header lacks a required column or names one twice, or has more columns than a
            dataset may; the sentence names the file.
    """
    with open_file() as stream:
        text = CsvText(stream, 64 * 1024)
    if text.faults or not text.header:
        what = text.faults[0].what if text.faults else "the file is empty"
        raise InvalidInput(f"{file}, line 1: {what}.")
    known = {field.name: field for field in known_fields(dataset_type)}
    names = {name: name.upper() if name.upper() in known else name for name in text.header if name}
    _check_header(file, dataset_type, text.header, list(names.values()))
    own = [name for name in names.values() if name not in known]
    seen = _look(open_file, file, dataset_type, own, check)
    prose = ""
    if dataset_type == "ITEMS":
        wordy = [name for name in own if seen[name].type(name) == "string" and not seen[name].repeats
                 and seen[name].wordiness >= PROSE_WORDS]  # fmt: skip
        prose = max(wordy, key=lambda name: seen[name].wordiness, default="")
    counts = {name for name in own if not (dataset_type == "INTERACTIONS" and _names_something(name))}
    fields = [
        known.get(name) or _field(name, seen[name], name == prose, name in counts) for name in names.values()
    ]
    schema = schema_text(dataset_type, fields)
    try:
        check_schema_for(parse_schema(schema), dataset_type, None)
    except InvalidInput as error:
        raise InvalidInput(
            f"{file}: {error.message}. Name the columns to use in a schema file (--schema)."
        ) from error
    return schema


def _check_header(file: str, dataset_type: str, header: list[str], names: list[str]) -> None:
    required = required_names(dataset_type)
    missing = [name for name in required if name not in names]
    twice = sorted({name for name in names if names.count(name) > 1 or header.count(name) > 1})
    problems = []
    foreign = [name for name in names if name in ID_FIELDS.values() and name not in required]
    if foreign and dataset_type in ID_FIELDS:
        problems.append(f"a {spelled(dataset_type)} file has no column {', '.join(foreign)}")
    if missing:
        problems.append(f"the header lacks {', '.join(missing)}{explained(header)}")
    if twice:
        problems.append(f"the header names {', '.join(twice)} twice")
    if problems:
        raise InvalidInput(f"{file}, line 1: {'; '.join(problems)}.")


def _look(
    open_file: Callable[[], BinaryIO], file: str, dataset_type: str, own: list[str], check: Callable[[], None]
) -> dict[str, _Seen]:
    """Read the columns as text. Rows that cannot be read are told when the file is read for good."""
    seen = {name: _Seen() for name in own}
    if own:
        fields = tuple(Field(name, "string", nullable=True, textual=True) for name in own)
        reader = CsvReader(Schema(fields), dataset_type, Problems(lambda *place: None))
        with open_file() as stream:
            for frame, _ in reader.frames(stream, file):
                check()
                for name in own:
                    seen[name].add(frame[name])
    return seen


def _field(name: str, seen: _Seen, prose: bool, may_be_category: bool) -> Field:
    kind = seen.type(name)
    categorical = kind == "string" and not prose and may_be_category and seen.repeats
    return Field(name, kind, nullable=True, categorical=categorical, textual=prose)


def _names_something(column: str) -> bool:
    return column.upper().endswith("ID")
