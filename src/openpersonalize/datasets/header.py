"""Header rows of CSV files: where they have the columns of a schema (`match_header`), and what is wrong with
one (`header_problems`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from . import problems as reasons
from .column_names import usual_columns
from .csv_walk import NOT_UTF8, Fault
from .file_forms import header_hint
from .problems import Problem
from .schemas import Schema

_SHOWN = 200
"""Characters of a header row that a message shows."""
_IN_UTF8 = "save the file as UTF-8, or: iconv -f WINDOWS-1252 -t UTF-8 FILE > NEW_FILE"


@dataclass(frozen=True)
class HeaderMatch:
    """Where a header has the columns of a schema: `places` in schema order, unless something is `missing`."""

    places: tuple[int, ...]
    missing: tuple[str, ...]
    duplicate: str | None


def match_header(header: Sequence[str], schema: Schema) -> HeaderMatch:
    """Find the schema's columns in a header: by exact name, else ignoring case. Other columns do not matter,
    but no name may stand twice."""
    counts = Counter(name for name in header if name)
    duplicate = next((name for name in header if counts[name] > 1), None)
    places: list[int] = []
    missing: list[str] = []
    for name in schema.names:
        alike = [place for place, column in enumerate(header) if column.lower() == name.lower()]
        exact = [place for place in alike if header[place] == name]
        if not alike:
            missing.append(name)
        elif not exact and len(alike) > 1:
            duplicate = duplicate or name
        places += (exact or alike)[:1]
    return HeaderMatch(tuple(places), tuple(missing), duplicate)


def header_problems(file: str, header: Sequence[str], match: HeaderMatch, dataset_type: str) -> list[Problem]:
    """A problem for each column that is missing or stands twice, with what stands there instead."""
    usual = usual_columns(header, dataset_type)
    about = explained(header)
    found = []
    for name in match.missing:
        instead = f"; {usual[name]} looks like it, call it {name}" if name in usual else about
        found.append(Problem(file, 1, name, f"the column is missing{instead}"))
    if match.duplicate is not None:
        found.append(Problem(file, 1, match.duplicate, "the column stands twice"))
    return found


def explained(header: Sequence[str]) -> str:
    """What a header row is and what is odd about it, to follow a statement about it."""
    text = ",".join(header)
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
    hint = header_hint(header)
    found = f"; the header is {shown}" if header else "; the file is empty"
    return f"{found} ({hint})" if hint else found


def of_form(fault: Fault, file: str, header: Sequence[str]) -> Problem:
    """The problem that a fault is, in a file with this header."""
    column = header[fault.value] if fault.value is not None and fault.value < len(header) else ""
    reason = reasons.NOT_UTF8 if fault.is_encoding else reasons.NOT_CONFORMING
    what = f"{fault.what}; {_IN_UTF8}" if fault.what == NOT_UTF8 else fault.what
    return Problem(file, fault.line, column, what, reason)
