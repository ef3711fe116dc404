"""The bytes of a CSV file: true row ends, quotes, escapes and line numbers, before any value is looked at.

Polars parses blocks of rows fast, but knows no escape character, fills short rows with nulls and drops rows
where quotes are wrong. So each block is first brought into a plain form that leaves no room for
interpretation: complete rows of the right width, quotes inside quotes doubled, no blank lines. Everything
else becomes a problem with its true line in the file.

Rules: commas separate, LF or CRLF ends a row, a value is quoted when it begins with ``"``; inside quotes
``\\"`` and ``""`` stand for a quote, ``\\\\`` for a backslash, a backslash before anything else for itself,
and line breaks and commas belong to the value. A quote inside an unquoted value is an ordinary character.
Blank lines are skipped.

The ordinary way is a handful of NumPy passes over the block. Where quotes do not stand as they should (each
opening one at the start of a value, each closing one at its end), the block is walked value by value
instead: slower, about two seconds per million values, but it tells stray quotes from unclosed ones.

Memory: about six times the block, which grows only while one row is longer than a block.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from .csv_walk import NOT_UTF8, Fault, skip_row, walk_row, walk_rows
from .file_forms import foreign_form

BLOCK_BYTES = 16 * 1024 * 1024
ROW_BYTES = 8 * 1024 * 1024
"""The longest row that is waited for; a longer one is a fault, most often a quote that is never closed."""

LISTED_FAULTS = 10_000
"""Faults that are told one by one in one block; more are counted."""

Bytes = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
Positions = npt.NDArray[np.int64]

_COMMA, _NEWLINE, _RETURN, _QUOTE, _BACKSLASH = b',\n\r"\\'
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Rows:
    """Consecutive rows in plain form, all as wide as the header; row i begins at line ``lines[i]`` of the
    file.

    Attributes:
        faults: what is wrong with rows that were left out, in order of lines.
        unlisted: how many more faults there are.
        read: how many bytes of the file these rows took.
    """

    data: bytes
    lines: Positions
    faults: list[Fault]
    unlisted: int
    read: int


class CsvText:
    """One CSV file: its header, then its rows block by block. Reads the stream once, forwards.

    Attributes:
        header: the column names of the first row; [] when the file is empty or the row cannot be read.
        faults: what is wrong with the header row.
    """

    def __init__(self, stream: BinaryIO, block_bytes: int = BLOCK_BYTES, row_bytes: int = ROW_BYTES) -> None:
        """Read as far as the header."""
        self._stream = stream
        self._block_bytes = block_bytes
        self._row_bytes = row_bytes
        self._ended = False
        self._rest = b""
        self._line = 1
        self.header: list[str] = []
        self.faults: list[Fault] = []
        while len(self._rest) < len(_BOM) and not self._ended:
            self._read()
        self._rest = self._rest.removeprefix(_BOM)
        self._read_header()

    def rows(self) -> Iterator[Rows]:
        """The rows after the header, in order, to be consumed once; none when the header has faults."""
        while not self.faults and (self._rest or not self._ended):
            if not self._ended:
                self._read()
            plain, consumed, faults = _plain(self._rest, self._ended, self._line)
            if not consumed and len(self._rest) > self._row_bytes:
                plain, consumed, faults = skip_row(self._rest, self._line)
            if not consumed:
                continue
            self._rest = self._rest[consumed:]
            plain, wrong = _in_utf8(plain, self._line)
            rows = _even(plain, self._line, self.header)
            listed = sorted([*faults, *wrong, *rows.faults], key=lambda fault: fault.line)
            self._line += plain.count(b"\n")
            yield Rows(rows.data, rows.lines, listed, rows.unlisted, consumed)

    def _read(self) -> None:
        """Read one more block, which may come in pieces; a file's text ends with a line break."""
        pieces = [self._rest]
        wanted = self._block_bytes
        while wanted > 0 and not self._ended:
            piece = self._stream.read(wanted)
            self._ended = not piece
            pieces.append(piece)
            wanted -= len(piece)
        self._rest = b"".join(pieces)
        if self._ended and self._rest and not self._rest.endswith(b"\n"):
            self._rest += b"\n"

    def _read_header(self) -> None:
        form = foreign_form(self._rest)
        if form is not None:
            self.faults = [Fault(1, None, form, True)]
            return
        while True:
            start = len(self._rest) - len(self._rest.lstrip(b"\r\n"))
            given_up = self._ended or len(self._rest) > self._row_bytes
            row = walk_row(self._rest, start, given_up)
            if row is not None and (start < len(self._rest) or given_up):
                break
            self._read()
        line = self._line + self._rest.count(b"\n", 0, start)
        text, wrong = _in_utf8(self._rest[start : row.end], line)
        if row.fault is not None:
            self.faults = [Fault(line, row.fault[0], row.fault[2])]
        elif wrong:
            self.faults = wrong
        elif text:
            self.header = [value.decode() for value in row.values]
        self._line = line + text.count(b"\n")
        self._rest = self._rest[row.end :]


def _plain(text: bytes, final: bool, line: int) -> tuple[bytes, int, list[Fault]]:
    """The complete rows at the beginning of `text`, with quotes doubled inside quotes and no other escape.

    Returns:
        The rows, which keep their line breaks; how many bytes of `text` they are; what is wrong with them.
    """
    if text.count(b"\r") > text.count(b"\r\n"):  # Polars loses some of those that end no row
        return walk_rows(text, final, line)
    if b'"' not in text:
        end = text.rfind(b"\n") + 1
        return text[:end], end, []
    plain, consumed = _plain_quoted(text)
    if consumed and (consumed == len(text) or not final):
        return plain, consumed, []
    return walk_rows(text, final, line)


def _plain_quoted(text: bytes) -> tuple[bytes, int]:
    """As `_plain`, by parity of quotes; (b"", 0) when a quote is misplaced or no row is complete."""
    array = np.frombuffer(text, dtype=np.uint8)
    is_quote = array == _QUOTE
    runs = _Backslashes(array) if b"\\" in text else None
    if runs is not None:
        is_quote[runs.escaped] = False
    inside = _inside(is_quote)
    breaks = np.flatnonzero(array == _NEWLINE)
    ends = breaks[~inside[breaks]]
    end = int(ends[-1]) + 1 if len(ends) else 0
    if not _well_placed(array, np.flatnonzero(is_quote[:end])):
        return b"", 0
    if runs is None:
        return text[:end], end
    if not inside[runs.escaped[runs.escaped < end]].all():
        return b"", 0
    return runs.resolved(array[:end], inside), end


def _inside(is_quote: Mask) -> Mask:
    """Whether an odd number of quotes came up to each byte, that is, it is inside; 8 bits keep parity."""
    return (np.cumsum(is_quote, dtype=np.uint8) & 1).astype(np.bool_)


def _well_placed(array: Bytes, quotes: Positions) -> bool:
    """Whether the quotes pair up around whole values, or meet the next pair (a doubled quote)."""
    opening, closing = quotes[0::2], quotes[1::2]
    if len(opening) != len(closing):
        return False
    before = array[np.maximum(opening - 1, 0)]
    after, next_after = array[closing + 1], array[np.minimum(closing + 2, len(array) - 1)]
    starts = (opening == 0) | (before == _COMMA) | (before == _NEWLINE)
    stops = (after == _COMMA) | (after == _NEWLINE) | ((after == _RETURN) & (next_after == _NEWLINE))
    doubled = opening[1:] == closing[:-1] + 1
    starts[1:] |= doubled
    stops[:-1] |= doubled
    return bool(starts.all() and stops.all())


class _Backslashes:
    """The runs of backslashes of a block. `escaped`: the quotes that an odd run stands before."""

    def __init__(self, array: Bytes) -> None:
        places = np.flatnonzero(array == _BACKSLASH)
        gaps = np.diff(places) != 1
        self.first = places[np.concatenate(([True], gaps))]
        self.last = places[np.concatenate((gaps, [True]))]
        self.length = self.last - self.first + 1
        following = array[np.minimum(self.last + 1, len(array) - 1)]
        self.escapes = (self.length % 2 == 1) & (following == _QUOTE)
        self.escaped = self.last[self.escapes] + 1

    def resolved(self, array: Bytes, inside: Mask) -> bytes:
        """The text with each pair of backslashes inside quotes made one and each escaped quote doubled."""
        here = (self.first < len(array)) & inside[self.first]
        first, half = self.first[here], self.length[here] // 2
        text = array.copy()
        text[self.last[here & self.escapes]] = _QUOTE
        keep = np.ones(len(text), dtype=np.bool_)
        within = np.arange(half.sum()) - np.repeat(np.cumsum(half) - half, half)
        keep[np.repeat(first, half) + within] = False
        return text[keep].tobytes()


def _in_utf8(text: bytes, line: int) -> tuple[bytes, list[Fault]]:
    """`text` and the first place where it is not UTF-8; such places are replaced, so that reading goes on."""
    if text.isascii():
        return text, []
    try:
        text.decode()
    except UnicodeDecodeError as error:
        fault = Fault(line + text.count(b"\n", 0, error.start), None, NOT_UTF8, True)
        return text.decode(errors="replace").encode(), [fault]
    return text, []


def _even(plain: bytes, line: int, header: list[str]) -> Rows:
    """The rows as wide as the header; blank lines are dropped, other rows become faults."""
    array = np.frombuffer(plain, dtype=np.uint8)
    is_break = array == _NEWLINE
    separators = np.flatnonzero(is_break | (array == _COMMA))
    quoted = b'"' in plain
    if quoted:
        separators = separators[~_inside(array == _QUOTE)[separators]]
    of_rows = np.flatnonzero(array[separators] == _NEWLINE)
    ends = separators[of_rows] + 1
    starts = np.concatenate((np.zeros(1, dtype=np.int64), ends[:-1])) if len(ends) else ends
    widths = np.diff(of_rows, prepend=-1)
    lines = line + (np.searchsorted(np.flatnonzero(is_break), starts) if quoted else np.arange(len(ends)))
    blank = (ends - starts == 1) | ((ends - starts == 2) & (array[starts] == _RETURN))
    uneven = np.flatnonzero((widths != len(header)) & ~blank)
    faults = [
        Fault(
            at,
            width if width < len(header) else None,
            f"the row has {width} values, the header {len(header)}",
        )
        for at, width in zip(
            lines[uneven[:LISTED_FAULTS]].tolist(), widths[uneven[:LISTED_FAULTS]].tolist(), strict=True
        )
    ]
    if len(uneven) or blank.any():
        keep = ~blank
        keep[uneven] = False
        plain, lines = array[np.repeat(keep, ends - starts)].tobytes(), lines[keep]
    return Rows(plain, lines, faults, len(uneven) - len(faults), 0)
