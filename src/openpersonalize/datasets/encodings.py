"""Encodings of text files: a file as people have it, unpacked and in UTF-8, `PlainText`.

gzip is unpacked, UTF-16 is known by its first bytes. What is not UTF-8 throughout is read as windows-1252, in
which Excel saves CSV in Western Europe, unless most of it is UTF-8: then some places are broken, and no other
encoding mends them. Memory: blocks of the file; disk: a copy, where one is needed.
"""

from __future__ import annotations

import codecs
import gzip
import re
import shutil
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import InvalidInput
from .file_forms import foreign_form
from .problems import shown

_BLOCK = 1024 * 1024
_GZIP = b"\x1f\x8b"
_BETWEEN = re.compile(r"[,;|\"\s]+")
_LONGEST_WORD = 40
_UNKNOWN = "convert it to UTF-8 (iconv -f ENCODING -t UTF-8 FILE > NEW_FILE, with the encoding that it has)"


@dataclass(frozen=True)
class PlainText:
    """A text file in UTF-8.

    Attributes:
        path: the file itself, or a copy. words: what was done with it; empty: nothing.
    """

    path: Path
    words: str = ""

    @classmethod
    def of(cls, source: Path, folder: Path) -> PlainText:
        """The file, or a copy of it in `folder`.

        Raises:
            InvalidInput: it is no text, or one of another encoding; the sentence says what to do.
        """
        found, name = cls(source), source.name
        if _start(source).startswith(_GZIP):
            found = cls(folder / f"{name}.txt", "unpacked, as UTF-8")
            try:
                with gzip.open(source) as packed, found.path.open("wb") as plain:
                    shutil.copyfileobj(packed, plain, _BLOCK)
            except (gzip.BadGzipFile, EOFError, zlib.error) as error:
                raise InvalidInput(f"{name} cannot be unpacked ({error}); copy it here anew.") from error
        start = _start(found.path)
        form = foreign_form(start)
        target = folder / f"{name}.utf8.txt"
        if form is None:
            return found._decoded(name, target)
        if "UTF-16" not in form:
            raise InvalidInput(f"{name}: {form}.")
        marked = start[:2] in (b"\xff\xfe", b"\xfe\xff")
        coding = "utf-16" if marked else ("utf-16-le" if start[1:2] == b"\0" else "utf-16-be")
        try:
            _convert(found.path, coding, target)
        except UnicodeDecodeError as error:
            raise InvalidInput(f"{name} begins as UTF-16 and goes on otherwise; save it as UTF-8.") from error
        return cls(target, "unpacked, read as UTF-16" if found.words else "read as UTF-16")

    def header_line(self) -> tuple[int, str]:
        """How many lines stand before the header row, and that row."""
        with self.path.open(encoding="utf-8", errors="replace") as stream:
            first = stream.readline(64 * 1024)
            if first.lower().startswith("sep="):
                return 1, stream.readline(64 * 1024)
            return 0, first

    def _decoded(self, name: str, target: Path) -> PlainText:
        """Itself where it is UTF-8, else what it is in windows-1252."""
        try:
            for _ in _blocks(self.path, "utf-8"):
                pass
        except UnicodeDecodeError:
            broken, line, whole = _places(self.path)
        else:
            return self
        if whole > broken:
            raise InvalidInput(
                f"{name}, line {line}: is not valid UTF-8, though most of the file is; write that line anew,"
                " or export the file as UTF-8 once more."
            )
        try:
            word = _convert(self.path, "windows-1252", target)
        except UnicodeDecodeError as error:
            raise InvalidInput(
                f"{name}, line {line}: is neither UTF-8 nor windows-1252; {_UNKNOWN}."
            ) from error
        return PlainText(target, f"read as windows-1252, for it is not UTF-8 (such as {word})")


def _start(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(1024)


def _blocks(path: Path, coding: str, errors: str = "strict") -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(coding)(errors)
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            yield decoder.decode(block)
    yield decoder.decode(b"", final=True)


def _places(path: Path) -> tuple[int, int, int]:
    """Of a file that is not UTF-8: how many places are not, the line of the first one, and how many
    characters beyond ASCII are."""
    broken = beyond = 0
    line = 1
    for text in _blocks(path, "utf-8", "replace"):
        if not broken:
            line += text.partition("\ufffd")[0].count("\n")
        if not text.isascii():
            broken += text.count("\ufffd")
            beyond += len(text) - len(text.encode("ascii", "ignore"))
    return broken, line, beyond - broken


def _convert(path: Path, coding: str, target: Path) -> str:
    """Write the file in UTF-8; the first word beyond ASCII."""
    word = ""
    with target.open("w", encoding="utf-8", newline="") as stream:
        for text in _blocks(path, coding):
            stream.write(text)
            if not word and not text.isascii():
                found = next(one for one in text.splitlines() if not one.isascii())
                word = next((one for one in _BETWEEN.split(found) if not one.isascii()), "")
    return shown(word, _LONGEST_WORD)
