"""Lines of a batch job's files, JSON Lines: `LineReader` reads those of an input, one `Line` each, and the
functions write those of an output (Amazon Personalize developer guide, "Batch input and output JSON").
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import msgspec

from ..datasets.file_forms import foreign_form

LONGEST_LINE = 1024 * 1024
"""Bytes of a line: 500 ids of 256 characters and a filter's values take a quarter of it."""

LONGEST_ID, MOST_ITEMS = 256, 500
_SHOWN = 1000
"""Characters that are shown of a line that is no JSON object."""

_BLOCK = 1 << 20
_decode = msgspec.json.Decoder(dict[str, Any]).decode
_decode_any = msgspec.json.Decoder(msgspec.Raw).decode
_encode = msgspec.json.Encoder().encode


class LineError(Exception):
    """A line that cannot be answered; the message is for its owner."""


@dataclass(slots=True)
class Line:
    """One line of an input.

    Attributes:
        source: what stands under ``input`` in the output: JSON.
        user, item: ids; None where the line has none. items: those to rank.
        attributes: what items have whose users are asked for.
        filter_values: of the job's filter, as the line says.
        error: why it cannot be answered; empty: it can.
    """

    source: bytes
    user: str | None = None
    item: str | None = None
    items: list[str] = field(default_factory=list)
    attributes: str = ""
    filter_values: Mapping[str, str] = field(default_factory=dict)
    error: str = ""


class LineReader:
    """The lines of a file with the place in the file that follows each.

    Attributes:
        position: bytes of the file that have been given out.
    """

    def __init__(self, stream: BinaryIO, position: int = 0) -> None:
        """From `position` on, the end of a line that was given out earlier."""
        self.position = position
        self._stream = stream
        if stream.seekable():
            stream.seek(position)
            return
        while position > 0:
            skipped = len(stream.read(min(position, _BLOCK)))
            if not skipped:
                return
            position -= skipped

    def blocks(self, most: int) -> Iterator[list[bytes]]:
        """The lines, without their ends and the blank ones, `most` at once. Of one that is longer than
        `LONGEST_LINE` the beginning only, one byte longer than that."""
        block: list[bytes] = []
        while line := self._stream.readline(LONGEST_LINE + 1):
            self.position += len(line)
            text = line.rstrip(b"\r\n")
            if len(line) > LONGEST_LINE and not line.endswith(b"\n"):
                rest = line
                while rest and not rest.endswith(b"\n"):
                    rest = self._stream.readline(_BLOCK)
                    self.position += len(rest)
            if text.strip():
                block.append(text)
            if len(block) == most:
                yield block
                block = []
        yield block


def read_line(text: bytes, user: bool, item: bool, ranks: bool, attributes: bool = False) -> Line:
    """What a line says; `user`, `item`, `ranks` and `attributes`: whether it has to have userId, itemId,
    itemList and itemAttributes."""
    if len(text) > LONGEST_LINE:
        return _refused(text, f"The line is longer than {LONGEST_LINE} bytes.")
    text = text.removeprefix(b"\xef\xbb\xbf")
    try:
        said = _decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        return _refused(text, f"The line is not a JSON object: {foreign_form(text, 'JSON Lines') or error}.")
    line = Line(text.strip())
    try:
        line.user = _id(said, "userId", user)
        line.item = _id(said, "itemId", item)
        if ranks:
            line.items = _items(said)
        if attributes:
            line.attributes = _attributes(said)
        line.filter_values = _values(said)
    except LineError as error:
        line.error = str(error)
    return line


def written(line: Line, output: Mapping[str, Any]) -> bytes:
    """The output line of one that was answered."""
    return b'{"input":%b,"output":%b,"error":null}\n' % (line.source, _encode(output))


def written_error(line: Line, reason: str) -> bytes:
    """The output line of one that was not answered."""
    return b'{"input":%b,"error":%b}\n' % (line.source, _encode(reason))


def _refused(text: bytes, error: str) -> Line:
    try:
        source = bytes(_decode_any(text)) if len(text) <= LONGEST_LINE else b""
    except (msgspec.MsgspecError, ValueError, RecursionError):
        source = b""
    if not source:
        source = _encode(text[: 4 * _SHOWN].decode(errors="replace")[:_SHOWN])
    return Line(source.strip(), error=error)


def _id(said: Mapping[str, Any], member: str, required: bool) -> str | None:
    value = said.get(member)
    if value is None:
        if required:
            raise LineError(f"{member} is required.")
        return None
    return _text(value, member)


def _text(value: Any, member: str) -> str:
    """An id, which may be written as a number."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise LineError(f"{member} must be a string.")
    text = value if isinstance(value, str) else _encode(value).decode()
    if not text:
        raise LineError(f"{member} must not be empty.")
    if len(text) > LONGEST_ID:
        raise LineError(f"{member} must have at most {LONGEST_ID} characters.")
    return text


def _items(said: Mapping[str, Any]) -> list[str]:
    found = said.get("itemList")
    if not isinstance(found, list) or not found:
        raise LineError("itemList is required: a list of 1 or more items.")
    if len(found) > MOST_ITEMS:
        raise LineError(f"itemList must have at most {MOST_ITEMS} items.")
    return [_text(one, "itemList's items") for one in found]


def _attributes(said: Mapping[str, Any]) -> str:
    found = said.get("itemAttributes")
    if not isinstance(found, str) or not found.strip():
        raise LineError('itemAttributes is required: a string such as ITEMS.GENRES = "Comedy".')
    return found


def _values(said: Mapping[str, Any]) -> Mapping[str, str]:
    found = said.get("filterValues")
    if found is None:
        return {}
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise LineError("filterValues must map names to strings.")
    return found


def scores_of(scores: Sequence[Any]) -> list[float | None]:
    """The scores of entries, null where there is none."""
    return [score if isinstance(score, float) else None for score in scores]
