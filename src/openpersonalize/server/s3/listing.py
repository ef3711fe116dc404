"""Listings of objects: keys in the order of their UTF-8 bytes, from any place, in pages.

Folders are read one at a time as the walk comes to them, and those that lie wholly before the place or beside
the prefix are not read at all. Memory is in proportion to the largest folder and the page.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import InvalidInput
from ...storage.bucket_paths import object_path
from ...storage.locations import Location, parse_location

Entry = tuple[str, os.stat_result | None]
"""A key and its file's state; None for a folder that stands for all keys below it."""


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


def page(folder: Path, bucket: str, prefix: str, delimiter: str, after: str, most: int) -> Page:
    """At most `most` keys that begin with `prefix` and come after `after`; those that share what follows the
    prefix up to the delimiter ("": there is none) count as one common prefix.

    Args:
        folder: holds the buckets.
    """
    found = Page()
    count, newest, shown = 0, "", after
    if most == 0:
        return found
    for key, state in walk(folder, bucket, prefix, after, shallow=delimiter == "/"):
        common = _common(key, prefix, delimiter)
        if common is not None and common in (shown, after):
            continue
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
    folder: Path, bucket: str, prefix: str = "", after: str = "", *, shallow: bool = False
) -> Iterator[Entry]:
    """Keys that begin with `prefix` and come after `after`, in order. An empty folder is a key that ends in
    "/", as programs make it to have a folder.

    Args:
        folder: holds the buckets.
        shallow: whether folders at the prefix's own depth are given as one entry each, without a state.
    """
    above, slash, start = prefix.rpartition("/")
    if slash and (not above or object_path(folder, Location(bucket, above)) is None):
        return
    above += slash
    yield from _Walk(folder, bucket, os.fsencode(after)).inside(above, start, shallow)


class _Walk:
    def __init__(self, folder: Path, bucket: str, after: bytes) -> None:
        self._folder = folder
        self._bucket = bucket
        self._after = after

    def inside(self, above: str, start: str, shallow: bool) -> Iterator[Entry]:
        """The keys below one folder, whose own key is `above`, with names that begin with `start`."""
        path = self._folder / self._bucket / above
        try:
            with os.scandir(path) as scan:
                entries = [
                    (os.fsencode(entry.name) + (b"/" if is_folder else b""), entry, is_folder)
                    for entry in scan
                    if entry.name.startswith(start)
                    for is_folder in (entry.is_dir(follow_symlinks=False),)
                ]
            if not entries and above and not start and os.fsencode(above) > self._after:
                yield above, path.stat()
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return
        for name, entry, is_folder in sorted(entries, key=lambda found: found[0]):
            whole = os.fsencode(above) + name
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
                state = self._state(key, entry)
                if state is not None:
                    yield key, state

    def _state(self, key: str, entry: os.DirEntry[str]) -> os.stat_result | None:
        """The state of a file; None where it is none, or a link that leads out."""
        try:
            if entry.is_symlink():
                path = object_path(self._folder, Location(self._bucket, key))
                return path.stat() if path is not None and path.is_file() else None
            return entry.stat(follow_symlinks=False) if entry.is_file(follow_symlinks=False) else None
        except OSError:  # it went meanwhile
            return None


def _is_key(bucket: str, key: bytes) -> bool:
    try:
        parse_location(f"s3://{bucket}/{key.decode()}")
    except (UnicodeDecodeError, InvalidInput):
        return False
    return True
