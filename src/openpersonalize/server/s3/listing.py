"""Listings of objects: keys in the order of their UTF-8 bytes, from any place, in pages.

Folders are read one at a time as the walk comes to them, and those that lie wholly before the place or beside
the prefix are not read at all. Memory is in proportion to the largest folder and the page; `FolderNames`
keeps the names of large folders between pages.
"""

from __future__ import annotations

import os
import stat
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import InvalidInput
from ...storage.bucket_paths import object_path
from ...storage.locations import LONGEST_KEY, Location, parse_location
from .folder_names import FolderNames

Entry = tuple[str, os.stat_result | None]
"""A key and its file's state; None for a folder that stands for all keys below it."""


_MOST_SKIPPED = 100
_LAST = os.fsdecode(b"\xff")
"""Comes after every character of a key."""


@dataclass
class Page:
    """A part of a listing.

    Attributes:
        files: keys and the states of their files, in order.
        prefixes: the common prefixes, in order.
        last: the last key or prefix of the page, from which the next one goes on; None when there is none.
    """

    files: list[tuple[str, os.stat_result]] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    last: str | None = None


def page(
    folder: Path,
    bucket: str,
    prefix: str,
    delimiter: str,
    after: str,
    most: int,
    names: FolderNames | None = None,
    most_skipped: int = _MOST_SKIPPED,
) -> Page:
    """At most `most` keys that begin with `prefix` and come after `after`; those that share what follows the
    prefix up to the delimiter ("": there is none) count as one common prefix.

    Args:
        folder: holds the buckets.
        names: of folders, kept between calls; None: read anew.
        most_skipped: keys of one common prefix that are looked at before the rest of them is passed over.
    """
    found = Page()
    count, newest, shown, skipped = 0, "", after, 0
    if most == 0:
        return found

    def keys_after(place: str) -> Iterator[Entry]:
        return walk(folder, bucket, prefix, place, shallow=delimiter == "/", names=names)

    keys = keys_after(after)
    while (entry := next(keys, None)) is not None:
        key, state = entry
        common = _common(key, prefix, delimiter)
        if common is not None and common in (shown, after):
            skipped += 1
            if skipped >= most_skipped:
                keys, skipped = keys_after(common + _LAST), 0
            continue
        skipped = 0
        if count == most:
            found.last = newest
            return found
        count += 1
        if common is not None:
            found.prefixes.append(common)
            newest = shown = common
        elif state is not None:
            found.files.append((key, state))
            newest = key
    return found


def _common(key: str, prefix: str, delimiter: str) -> str | None:
    """The common prefix that a key belongs to."""
    if not delimiter or not key.startswith(prefix):
        return None
    end = key.find(delimiter, len(prefix))
    return key[: end + len(delimiter)] if end >= 0 else None


def walk(
    folder: Path,
    bucket: str,
    prefix: str = "",
    after: str = "",
    *,
    shallow: bool = False,
    names: FolderNames | None = None,
) -> Iterator[Entry]:
    """Keys that begin with `prefix` and come after `after`, in order. An empty folder is a key that ends in
    "/", as programs make it to have a folder.

    Args:
        folder: holds the buckets.
        shallow: whether folders at the prefix's own depth are given as one entry each, without a state.
        names: of folders, kept between calls; None: read anew.
    """
    if len(os.fsencode(prefix)) > LONGEST_KEY:
        return
    above, slash, start = prefix.rpartition("/")
    if slash and (not above or object_path(folder, Location(bucket, above)) is None):
        return
    above += slash
    yield from _Walk(names or FolderNames(), folder, bucket, os.fsencode(after)).inside(above, start, shallow)


class _Walk:
    def __init__(self, names: FolderNames, folder: Path, bucket: str, after: bytes) -> None:
        self._names = names
        self._folder = folder
        self._bucket = bucket
        self._after = after

    def inside(self, above: str, start: str, shallow: bool) -> Iterator[Entry]:
        """The keys below one folder, whose own key is `above`, with names that begin with `start`."""
        path = self._folder / self._bucket / above
        place = os.fsencode(above)
        try:
            names = self._names.sorted(path)
            if not names and above and not start and place > self._after:
                yield above, path.stat()
        except OSError:  # it is no folder, is gone, may not be read, or its path is longer than there can be
            return
        wanted = os.fsencode(start)
        for at in range(self._first(names, place, wanted), len(names)):
            name = names[at]
            if not name.startswith(wanted):
                return
            is_folder = name.endswith(b"/")
            whole = place + name
            if not _is_key(self._bucket, whole):
                continue
            key = whole.decode()
            if is_folder:
                if whole > self._after or self._after.startswith(whole):
                    below = self.inside(key, "", shallow=False)
                    if not shallow:
                        yield from below
                    elif next(below, None) is not None:
                        yield key, None
            elif whole > self._after:
                state = self._state(key, path / os.fsdecode(name))
                if state is not None:
                    yield key, state

    def _first(self, names: Sequence[bytes], place: bytes, wanted: bytes) -> int:
        """The place of the first name that may be wanted, of a folder whose own key is `place`."""
        if self._after.startswith(place):
            name, slash, _ = self._after[len(place) :].partition(b"/")
            wanted = max(wanted, name + slash)
        return bisect_left(names, wanted)

    def _state(self, key: str, file: Path) -> os.stat_result | None:
        """The state of a file; None where it is none, or a link that leads out."""
        try:
            state = os.lstat(file)
            if stat.S_ISLNK(state.st_mode):
                path = object_path(self._folder, Location(self._bucket, key))
                return path.stat() if path is not None and path.is_file() else None
            return state if stat.S_ISREG(state.st_mode) else None
        except OSError:  # it went meanwhile
            return None


def _is_key(bucket: str, key: bytes) -> bool:
    try:
        parse_location(f"s3://{bucket}/{key.decode()}")
    except (UnicodeDecodeError, InvalidInput):
        return False
    return True
