"""Names of a folder's entries in the order of listings, `FolderNames`: large folders that stand still are
read once for all pages of their listing.

A page of a listing needs a thousand names of what may be a million. Small folders are read anew for every
page. Of a large one the names are kept in one piece of memory, for as long as the folder's time is the one
that it had before it was read; what changed within the last seconds is not kept, since its time may not tell
the next change. Large folders are read one at a time, so that many callers do not hold many of them.
"""

from __future__ import annotations

import os
import threading
import time
from array import array
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple, overload

LARGE = 10_000
"""Names from which on a folder is large."""
MOST_KEPT = 64 << 20
"""Bytes of names that are kept."""
_STILL_NANOSECONDS = 2_000_000_000


class _State(NamedTuple):
    device: int
    inode: int
    modified: int


class PackedNames(Sequence[bytes]):
    """Many names in little memory."""

    def __init__(self, names: Iterable[bytes]) -> None:
        self._ends = array("Q")
        parts = []
        end = 0
        for name in names:
            parts.append(name)
            end += len(name)
            self._ends.append(end)
        self._text = b"".join(parts)

    @property
    def size(self) -> int:
        """Bytes of memory."""
        return len(self._text) + self._ends.itemsize * len(self._ends)

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[bytes]: ...
    def __getitem__(self, index: int | slice) -> bytes | Sequence[bytes]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        return self._text[self._ends[index - 1] if index else 0 : self._ends[index]]


class FolderNames:
    """The names of folders; safe to use from several threads."""

    def __init__(self, large: int = LARGE, most_kept: int = MOST_KEPT) -> None:
        """Args:
        large: names from which on a folder is large.
        most_kept: bytes of names that are kept.
        """
        self._large = large
        self._most_kept = most_kept
        self._kept: OrderedDict[Path, tuple[_State, PackedNames]] = OrderedDict()
        self._size = 0
        self._turn = threading.Lock()
        self._reading = threading.Lock()

    def sorted(self, folder: Path) -> Sequence[bytes]:
        """The names of a folder's entries, those of folders with a "/" after them, in order.

        Raises:
            OSError: the folder cannot be read.
        """
        kept = self._found(folder)
        if kept is not None:
            return kept
        names = list(islice(_names(folder), self._large))
        if len(names) < self._large:
            names.sort()
            return names
        del names
        with self._reading:
            kept = self._found(folder)
            return kept if kept is not None else self._read(folder)

    def _read(self, folder: Path) -> PackedNames:
        state, now = _state(folder), time.time_ns()
        names = PackedNames(sorted(_names(folder)))
        if now - state.modified > _STILL_NANOSECONDS and names.size <= self._most_kept:
            with self._turn:
                self._drop(folder)
                self._kept[folder] = (state, names)
                self._size += names.size
                while self._size > self._most_kept:
                    self._drop(next(iter(self._kept)))
        return names

    def _found(self, folder: Path) -> PackedNames | None:
        with self._turn:
            if folder not in self._kept:
                return None
            state, names = self._kept[folder]
            self._kept.move_to_end(folder)
        if state == _state(folder):
            return names
        with self._turn:
            self._drop(folder)
        return None

    def _drop(self, folder: Path) -> None:
        found = self._kept.pop(folder, None)
        if found is not None:
            self._size -= found[1].size


def _state(folder: Path) -> _State:
    found = os.stat(folder)
    return _State(found.st_dev, found.st_ino, found.st_mtime_ns)


def _names(folder: Path) -> Iterable[bytes]:
    with os.scandir(folder) as scan:
        for entry in scan:
            yield os.fsencode(entry.name) + (b"/" if entry.is_dir(follow_symlinks=False) else b"")
