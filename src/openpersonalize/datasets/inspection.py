"""Inspection of a file before it is imported: every problem that an import or a training would end with, at
once, and what is hardly meant, `inspect`.

Memory: blocks of the file, its distinct ids, 16 bytes for each interaction, and the problems listed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import polars as pl

from ..errors import InvalidInput
from .column_names import usual_columns
from .csv_reader import CsvReader
from .csv_text import CsvText
from .header import explained, header_problems, match_header, of_form
from .inference import infer_schema
from .known_ids import known_sentence
from .minimums import LEAST_INTERACTIONS, LEAST_USERS, MOST_KINDS, SMALL_DATA
from .problems import NO_RECORDS, Problem, Problems
from .schema_rules import known_fields, metadata_fields, required_names
from .schemas import ID_FIELDS, Schema, parse_schema

_HEADER_BYTES = 64 * 1024

Hashes = npt.NDArray[np.uint64]


@dataclass
class Inspection:
    """What a file is.

    Attributes:
        schema: its schema's text; None where the header leaves none.
        problems: the first 10,000, each with its place; line 0 stands for the whole file.
        problem_count: how many there are. notes: sentences about what would be let in.
        ids: the distinct ids by column.
    """

    file: str
    dataset_type: str
    schema: str | None = None
    rows: int = 0
    problems: list[Problem] = field(default_factory=list)
    problem_count: int = 0
    notes: list[str] = field(default_factory=list)
    ids: dict[str, pl.Series] = field(default_factory=dict)


def inspect(
    open_file: Callable[[], BinaryIO],
    file: str,
    dataset_type: str,
    schema: str | None = None,
    *,
    now: float,
    minimum_data: bool = True,
) -> Inspection:
    """Inspect a file that can be opened more than once.

    Args:
        open_file: opens it. file: its name. dataset_type: upper case.
        schema: its schema's text; None: it is inferred.
        now: seconds; rows that claim to be later are told.
        minimum_data: whether Amazon's minimums count as problems.
    """
    found = Inspection(file, dataset_type, schema)
    problems = Problems(lambda *place: found.problems.append(Problem(*place)))
    with open_file() as stream:
        text = CsvText(stream, _HEADER_BYTES)
    problems.add(of_form(fault, file, text.header) for fault in text.faults)
    if not text.faults:
        readable, renamed = _readable(open_file, found, text.header, problems)
        if readable.fields:
            _read(open_file, found, readable, renamed, problems, now, minimum_data)
    found.problem_count = problems.count
    return found


def between(inspections: Mapping[str, Inspection]) -> Iterator[str]:
    """What inspected files, by dataset type, know of each other's ids."""
    interactions = inspections.get("INTERACTIONS")
    for kind in ("ITEMS", "USERS"):
        column = ID_FIELDS[kind]
        records = inspections[kind].ids.get(column) if kind in inspections else None
        met = None if interactions is None else interactions.ids.get(column)
        if records is not None and met is not None:
            yield known_sentence(kind, met, records)


def _readable(
    open_file: Callable[[], BinaryIO], found: Inspection, header: list[str], problems: Problems
) -> tuple[Schema, dict[str, str]]:
    """The columns that can be looked at, under which names of the header; what is wrong with the header is
    added to the problems."""
    kind = found.dataset_type
    usual = usual_columns(header, kind)
    if found.schema is not None:
        schema = parse_schema(found.schema)
    else:
        required = required_names(kind)
        known = {one.name: one for one in known_fields(kind)}
        upper = {name.upper() for name in header}
        schema = Schema(tuple(one for name, one in known.items() if name in required or name in upper))
    match = match_header(header, schema)
    wrong = header_problems(found.file, header, match, kind)
    problems.add(wrong)
    if found.schema is None and not wrong:
        try:
            found.schema = infer_schema(open_file, found.file, kind)
        except InvalidInput as error:
            problems.add([Problem(found.file, 1, "", f"{error.message.rstrip('.')}{explained(header)}")])
            return schema, {}
        return parse_schema(found.schema), {}
    if match.duplicate is not None:
        return Schema(()), {}
    renamed = {usual[name]: name for name in match.missing if name in usual}
    left = tuple(
        one for one in schema.fields if one.name not in match.missing or one.name in renamed.values()
    )
    return Schema(left, schema.name), renamed


def _read(
    open_file: Callable[[], BinaryIO],
    found: Inspection,
    schema: Schema,
    renamed: Mapping[str, str],
    problems: Problems,
    now: float,
    minimum_data: bool,
) -> None:
    reader = CsvReader(schema, found.dataset_type, problems, now=now)
    counts = _Counts(schema)
    with open_file() as stream:
        for frame, _ in reader.frames(stream, found.file, renamed):
            found.rows += len(frame)
            counts.add(frame)
            if problems.given_up:
                break
    found.ids = counts.ids()
    found.notes += reader.notes()
    whole = [Problem(found.file, 0, "", what) for what in _of_the_whole(found, schema, counts, minimum_data)]
    if not problems.count:  # rows that are wrong are not counted, so that there may be enough
        problems.add(whole)


def _of_the_whole(found: Inspection, schema: Schema, counts: _Counts, minimum_data: bool) -> Iterator[str]:
    if not found.rows:
        yield NO_RECORDS
        return
    if found.dataset_type != "INTERACTIONS":
        return
    again, repeated_users = counts.repeats()
    if again:
        found.notes.append(
            f"{again:,} rows are the same event as another: one user, item and time; they count once"
        )
    if minimum_data:
        left = found.rows - again
        if left < LEAST_INTERACTIONS:
            same = f", and {again:,} more that are the same event as another" if again else ""
            yield f"fewer than {LEAST_INTERACTIONS} interactions: there are {left:,}{same}. {SMALL_DATA}"
        if repeated_users < LEAST_USERS:
            yield (
                f"fewer than {LEAST_USERS} users with at least 2 interactions each: there are"
                f" {repeated_users}. {SMALL_DATA}"
            )
    reserved = sum(schema.field(name) is not None for name in ("EVENT_TYPE", "EVENT_VALUE"))
    own = len(metadata_fields(schema, "INTERACTIONS", None))
    if len(counts.kinds) + reserved + own > MOST_KINDS:
        yield (
            f"{len(counts.kinds)} event types and {reserved + own} columns of them and of metadata; together"
            f" at most {MOST_KINDS} can train"
        )


class _Counts:
    """Distinct ids, and which events and users come again, by 64-bit hashes."""

    def __init__(self, schema: Schema) -> None:
        names = set(schema.names)
        self._ids: dict[str, list[pl.Series]] = {name: [] for name in ("USER_ID", "ITEM_ID") if name in names}
        keys = ["USER_ID", "ITEM_ID", "TIMESTAMP"]
        self._keys = keys if names.issuperset(keys) else []
        self._events: list[Hashes] = []
        self._users: list[Hashes] = []
        self.kinds: set[str] = set()
        self._typed = "EVENT_TYPE" in names

    def add(self, frame: pl.DataFrame) -> None:
        for name, parts in self._ids.items():
            parts.append(frame[name].unique())
            if sum(map(len, parts)) > 8_000_000:
                parts[:] = [pl.concat(parts).unique()]
        if self._typed and len(self.kinds) <= MOST_KINDS:
            self.kinds |= set(frame["EVENT_TYPE"].drop_nulls().unique().to_list())
        if self._keys:  # what could not be read is not the same as anything
            frame = frame.drop_nulls(self._keys)
            self._events.append(frame.select(self._keys).hash_rows(0).to_numpy())
            self._users.append(frame["USER_ID"].hash(0).to_numpy())

    def ids(self) -> dict[str, pl.Series]:
        return {name: pl.concat(parts).drop_nulls().unique() for name, parts in self._ids.items() if parts}

    def repeats(self) -> tuple[int, int]:
        """How many events stand there already, and how many users have two different ones."""
        if not self._events:
            return 0, 0
        events, first = np.unique(np.concatenate(self._events), return_index=True)
        total = sum(map(len, self._events))
        _, counts = np.unique(np.concatenate(self._users)[first], return_counts=True)
        return total - len(events), int((counts >= 2).sum())
