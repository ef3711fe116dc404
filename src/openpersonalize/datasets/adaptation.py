"""Adaptation of an export to the files that Amazon Personalize wants: other column names, separators,
encodings and times, `Adaptation`.

A file is looked at (`of`), what will become of it is said in words (`words`), and it is written anew
(`write`). Memory: blocks of the file; disk: its size, unpacked.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from ..errors import InvalidInput
from .column_names import (
    EVENT_WORDS,
    is_contrary,
    likely_type,
    names_for,
    own_name,
    plain_name,
    times_beside,
    usual_columns,
)
from .encodings import PlainText
from .file_forms import separator_of
from .hints import NULL_WORDS, WARNING
from .number_forms import NumberForm
from .schema_rules import required_names
from .schemas import spelled
from .times import TimeForm

SAMPLE = 10_000
"""Rows that the form of ids and times is found out from."""
MOST_TYPES = 7
"""Event types that are kept apart; the rest is ``other``: at most ten train, their columns included."""
MOST_LEFT_OUT = 0.2
"""Share of the rows that may be left out; with more of them, the file is hardly understood."""

_MOST_OWN = {"INTERACTIONS": 0, "ITEMS": 90, "USERS": 25}
_TIMES = {"INTERACTIONS": "TIMESTAMP", "ITEMS": "CREATION_TIMESTAMP"}
_MOST_WORDS = 30
"""Different values of a column that may hold event types under a name that nobody knows."""
_CLOCK = r"^[0-9]{1,2}:[0-9]{2}"
_FLOAT_ID = r"^\s*[0-9]+\.0+\s*$"


@dataclass
class Adaptation:
    """What a file is and what becomes of it.

    Attributes:
        path: of the text, unpacked and in UTF-8. columns: new name -> the file's name.
        own: those of them that are not reserved. unused: names of the file that are left out.
        times: the form of the times, if there are any. floats: id columns that write 101 as 101.0.
        numbers: the forms of columns whose numbers are not plain, by new name.
        types: event types with their numbers, most frequent first.
        read: what was done to have its text; empty: nothing. rows, left_out: after `write`.
    """

    source: Path
    path: Path
    dataset_type: str
    separator: str
    skipped: int
    columns: dict[str, str]
    own: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    times: TimeForm | None = None
    floats: tuple[str, ...] = ()
    numbers: dict[str, NumberForm] = field(default_factory=dict)
    types: dict[str, int] = field(default_factory=dict)
    read: str = ""
    rows: int = 0
    left_out: int = 0

    @classmethod
    def of(cls, source: Path, folder: Path, dataset_type: str | None = None) -> Adaptation:
        """Look at a file.

        Args:
            source: the file. folder: where its text may be unpacked to.
            dataset_type: upper case; None: by its columns.

        Raises:
            InvalidInput: it is no table, or a column that must be is not there; the sentence says which.
        """
        text = PlainText.of(source, folder)
        path = text.path
        skipped, header_line = text.header_line()
        separator = separator_of(header_line)
        with _readable(source):
            header = _scan(path, separator, skipped).collect_schema().names()
        kind = dataset_type or likely_type(header, source.name)
        if kind is None:
            raise InvalidInput(
                f"{source.name} has neither the columns of interactions nor of items or users; its header is"
                f" {', '.join(header)[:300]}. Rename the columns that are meant, of interactions to"
                f" {names_for(required_names('INTERACTIONS'), 'INTERACTIONS')}; items have ITEM_ID,"
                " users USER_ID."
            )
        found = usual_columns(header, kind)
        missing = [name for name in required_names(kind) if name not in found]
        if missing:
            known = ", ".join(f"{old} is {new}" for new, old in found.items())
            raise InvalidInput(
                f"{source.name} is to be {spelled(kind)}, and no column looks like {', '.join(missing)}; its"
                f" header is {', '.join(header)[:300]}{f', of which {known}' if known else ''}. Rename the"
                f" columns that are meant, to {names_for(missing, kind)}."
            )
        made = cls(source, path, kind, separator, skipped, dict(found), read=text.words)
        made._find_forms(header)
        return made

    def words(self) -> list[str]:
        """What becomes of the file, a sentence a line."""
        said = []
        if self.read:
            said.append(self.read)
        if self.separator != ",":
            said.append(f"separated by {self.separator!r}")
        renamed = [
            f"{old} is {new}" for new, old in self.columns.items() if old != new and new not in self.own
        ]
        lines = [", ".join([*said, *renamed])] if said or renamed else []
        if self.times is not None and self.times.words != "seconds since 1970":
            lines.append(f"times: {self.times.words}")
        if self.floats:
            lines.append(f"{', '.join(self.floats)}: ids like 101.0 become 101")
        lines += [f"{name}: numbers {form.words}" for name, form in self.numbers.items()]
        if self.types:
            shown = ", ".join(f"{name} {count:,}" for name, count in list(self.types.items())[:MOST_TYPES])
            rarer = len(self.types) - MOST_TYPES
            rest = f"; {rarer} rarer ones become other" if rarer > 0 else ""
            lines.append(f"event types: {shown}{rest}")
            lines += self._contrary()
        if self.own:
            lines.append(f"metadata: {', '.join(self.own)}")
        return lines

    def write(self, target: Path) -> None:
        """Write the file as an import takes it; rows without an id or a time are left out.

        Raises:
            InvalidInput: too many rows would be left out, or the file cannot be read.
        """
        rows = self._adapted()
        keys = list(required_names(self.dataset_type))
        whole = pl.all_horizontal(pl.col(name).is_not_null() for name in keys)
        with _readable(self.source):
            counts = rows.select(pl.len().alias("all"), whole.sum().alias("whole")).collect(
                engine="streaming"
            )
            total, kept = counts.row(0)
            self.rows, self.left_out = kept, total - kept
            if not kept or self.left_out > MOST_LEFT_OUT * total:
                names = ", ".join(keys)
                raise InvalidInput(
                    f"{self.source.name}: {self.left_out:,} of {total:,} rows have no usable {names};"
                    " `openpersonalize validate` names them."
                )
            rows.filter(whole).sink_csv(target)

    def _find_forms(self, header: list[str]) -> None:
        with _readable(self.source):
            sample = _scan(self.path, self.separator, self.skipped).head(SAMPLE).collect()
        time = _TIMES.get(self.dataset_type)
        if time in self.columns:
            self.times = TimeForm.of(sample[self.columns[time]])
            if self.times is None and self.dataset_type == "INTERACTIONS":
                raise InvalidInput(self._no_times(header, self.columns[time], sample[self.columns[time]]))
            if self.times is None:
                del self.columns[time]
        if self.dataset_type == "INTERACTIONS" and "EVENT_TYPE" not in self.columns:
            found = _column_of_types(sample.drop(*self.columns.values()))
            self.columns |= {} if found is None else {"EVENT_TYPE": found}
        ids = [name for name in ("USER_ID", "ITEM_ID") if name in self.columns]
        floats = {name: sample[self.columns[name]].drop_nulls().str.contains(_FLOAT_ID) for name in ids}
        self.floats = tuple(name for name in ids if len(floats[name]) and floats[name].all())
        taken = set(self.columns.values())
        others: dict[str, str] = {}
        for name in header:
            if name not in taken and own_name(name) not in (*self.columns, "USER_ID", "ITEM_ID"):
                others.setdefault(own_name(name), name)
        others = dict(list(others.items())[: _MOST_OWN[self.dataset_type]])
        self.own = tuple(others)
        self.columns |= others
        for name, old in self.columns.items():
            if name == "EVENT_VALUE" or (name in others and not name.endswith("ID")):
                form = NumberForm.of(sample[old])
                self.numbers |= {} if form is None else {name: form}
        self.unused = tuple(name for name in header if name not in self.columns.values())
        if "EVENT_TYPE" in self.columns:
            column = _text(self.columns["EVENT_TYPE"]).alias("t")
            kinds = _scan(self.path, self.separator, self.skipped).select(column)
            counts = kinds.drop_nulls().group_by("t").len().sort("len", "t", descending=[True, False])
            with _readable(self.source):
                self.types = dict(counts.head(1000).collect(engine="streaming").iter_rows())

    def _contrary(self) -> list[str]:
        """A warning of event types that train like the others, and say the contrary."""
        kept = list(self.types)[:MOST_TYPES]
        found = [name for name in kept if is_contrary(name)]
        others = [{"eventType": name} for name in kept if name not in found]
        if len(self.types) > MOST_TYPES:
            others.append({"eventType": "other"})
        if not found or not others:
            return []
        config = json.dumps({"eventsConfig": {"eventParametersList": others}}, ensure_ascii=False)
        count = sum(self.types[name] for name in found)
        told = (
            f"{WARNING}{count:,} events of type {', '.join(found)} seem to say that an item is not wanted,"
            " and train as a wish for it like all others: take these rows out of the file, or make a solution"
            f" with solutionConfig={config}"
        )
        return [told]

    def _no_times(self, header: list[str], column: str, sample: pl.Series) -> str:
        """What is wrong with a column of times whose form is not known."""
        texts = sample.drop_nulls().str.strip_chars()
        texts = texts.filter(texts != "")
        example, beside = texts[0] if len(texts) else "", times_beside(header, column)
        told = (
            f"{self.source.name}: the column {column} has no times that are understood, such as {example!r}."
        )
        if beside and len(texts) and texts.str.contains(_CLOCK).all():
            return (
                f"{told} These are hours without a day: join {beside[0]} and {column} to one column of dates"
                " like 2024-04-01 10:00:00."
            )
        first = TimeForm.of(texts[:1])
        other = texts.filter(first.seconds(texts).is_null()) if first is not None else texts[:0]
        if len(other):
            told = (
                f"{self.source.name}: the column {column} has times of more than one form, such as"
                f" {example!r} and {other[0]!r}."
            )
        return (
            f"{told} Write all of them in one form: seconds since 1970, or dates like 2024-04-01 10:00:00,"
            " with months as numbers and four digits of the year."
        )

    def _adapted(self) -> pl.LazyFrame:
        found = []
        for new, old in self.columns.items():
            text = _text(old)
            if new in self.floats:
                text = text.str.replace(r"\.0+$", "")
            if new == _TIMES.get(self.dataset_type) and self.times is not None:
                text = self.times.expression(pl.col(old))
            elif new in self.numbers:
                text = self.numbers[new].expression(text)
            if new == "EVENT_VALUE":
                text = text.str.replace(",", ".", literal=True).cast(pl.Float64, strict=False)
            elif new == "EVENT_TYPE":
                kept = list(self.types)[:MOST_TYPES]
                text = pl.when(text.is_in(kept)).then(text).otherwise(pl.lit("other"))
            elif new not in self.own and new in ("USER_ID", "ITEM_ID"):
                text = pl.when(~text.is_in(NULL_WORDS)).then(text)
            found.append(text.alias(new))
        return _scan(self.path, self.separator, self.skipped).select(found)


def _column_of_types(sample: pl.DataFrame) -> str | None:
    """The column whose values are what events are usually called, most of them; None: none is."""
    for name in sample.columns:
        different = sample[name].drop_nulls().unique()
        if 0 < len(different) <= _MOST_WORDS:
            usual = sum(plain_name(value) in EVENT_WORDS for value in different.to_list())
            if usual >= max(1, len(different) / 2):
                return name
    return None


@contextmanager
def _readable(source: Path) -> Iterator[None]:
    """Reads a file as a table.

    Raises:
        InvalidInput: it is none.
    """
    try:
        yield
    except pl.exceptions.PolarsError as error:
        reason = str(error).partition("\n")[0]
        raise InvalidInput(
            f"{source.name} cannot be read as a table ({reason}); `openpersonalize validate` says where."
        ) from error


def _text(column: str) -> pl.Expr:
    """A column's texts without blanks around them; null where there is none."""
    plain = pl.col(column).str.strip_chars()
    return pl.when(plain != "").then(plain)


def _scan(path: Path, separator: str, skipped: int) -> pl.LazyFrame:
    return pl.scan_csv(path, separator=separator, skip_lines=skipped, infer_schema=False)
