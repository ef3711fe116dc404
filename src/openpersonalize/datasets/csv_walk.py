"""CSV text walked value by value: the rules in their plainest form, for what the block-wise reading cannot
decide.

Used for header rows and for blocks in which some quote does not stand where it should. About two seconds
per million values.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_QUOTED = re.compile(rb'"((?:[^"\\]|\\.|"")*+)"', re.DOTALL)
_UNQUOTED = re.compile(rb"[^,\n]*+")
_ESCAPE = re.compile(rb'\\(["\\])|"(")')

NEVER_CLOSED = "a quote that opens here is never closed"
TEXT_AFTER_QUOTE = "text follows the closing quote; write quotes inside a quoted value twice"
BLANK_BEFORE_QUOTE = "a blank stands before the quote; write the quote directly after the comma"
TOO_LONG = "the row is too long"
NOT_UTF8 = "is not valid UTF-8"


class Fault(NamedTuple):
    """Something wrong with a file's form: its line, the value of the row it is in (None: the row), what."""

    line: int
    value: int | None
    what: str
    is_encoding: bool = False


class Row(NamedTuple):
    """One row: its values without quotes and escapes, which of them were quoted, where the next row begins.

    `fault`: the number of the value that cannot be read, where it begins, why; the row then has no values
    and the next row begins at the next line.
    """

    values: list[bytes]
    quoted: list[bool]
    end: int
    fault: tuple[int, int, str] | None = None


def walk_row(text: bytes, start: int, final: bool) -> Row | None:
    """The row that begins at `start`; None when it goes on beyond `text`, which a `final` text does not."""
    values: list[bytes] = []
    quoted: list[bool] = []
    at = start
    while True:
        is_quoted = text.startswith(b'"', at)
        found = (_QUOTED if is_quoted else _UNQUOTED).match(text, at)
        if found is None:
            return _faulty(text, at, len(values), NEVER_CLOSED, final) if final else None
        after = found.end()
        following = text[after : after + 2]
        if not is_quoted and found[0][:1] in (b" ", b"\t") and found[0].lstrip(b" \t").startswith(b'"'):
            return _faulty(text, at, len(values), BLANK_BEFORE_QUOTE, final)
        if not final and following in (b"", b"\r"):
            return None
        values.append(_ESCAPE.sub(rb"\1\2", found[1]) if is_quoted else found[0])
        quoted.append(is_quoted)
        if following.startswith(b","):
            at = after + 1
            continue
        if not is_quoted:
            values[-1] = values[-1].removesuffix(b"\r")
        if following.startswith(b"\n") or following == b"\r\n":
            return Row(values, quoted, after + following.index(b"\n") + 1)
        if following in (b"", b"\r"):
            return Row(values, quoted, len(text))
        return _faulty(text, at, len(values) - 1, TEXT_AFTER_QUOTE, final)


def _faulty(text: bytes, at: int, value: int, what: str, final: bool) -> Row | None:
    end = text.find(b"\n", at) + 1
    return Row([], [], end or len(text), (value, at, what)) if end or final else None


def walk_rows(text: bytes, final: bool, line: int) -> tuple[bytes, int, list[Fault]]:
    """All complete rows of `text`, the first of which is on line `line` of the file.

    Returns:
        The rows in plain form, with as many line breaks as they had, rows that cannot be read being blank
        lines; how many bytes of `text` that is; what is wrong.
    """
    plain: list[bytes] = []
    faults: list[Fault] = []
    at = 0
    while at < len(text) and (row := walk_row(text, at, final)) is not None:
        breaks = text.count(b"\n", at, row.end)
        if row.fault is None:
            plain.append(b",".join(map(_in_plain_form, row.values, row.quoted)) + b"\n")
        else:
            value, place, what = row.fault
            faults.append(Fault(line + text.count(b"\n", at, place), value, what))
            plain.append(b"\n" * breaks)
        line += breaks
        at = row.end
    return b"".join(plain), at, faults


def skip_row(text: bytes, line: int) -> tuple[bytes, int, list[Fault]]:
    """As `walk_rows`, for a text whose first row is too long to wait for: that row alone, as a fault."""
    row = walk_row(text, 0, final=True)
    assert row is not None
    value, place, what = row.fault or (0, 0, TOO_LONG)
    fault = Fault(line + text.count(b"\n", 0, place), value, what)
    return b"\n" * text.count(b"\n", 0, row.end), row.end, [fault]


def _in_plain_form(value: bytes, was_quoted: bool) -> bytes:
    if was_quoted or b'"' in value or b"\r" in value:
        return b'"' + value.replace(b'"', b'""') + b'"'
    return value
