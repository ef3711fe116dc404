"""Paths of objects below a folder of buckets: the one place where a key becomes a file's path."""

from __future__ import annotations

import os
import re
from pathlib import Path

from .locations import Location

_READING = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_DRIVE = re.compile(r"[A-Za-z]:")
_WINDOWS_DEVICE = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
_WINDOWS_FORBIDDEN = frozenset('<>:"|?*')


def object_path(folder: Path, location: Location) -> Path | None:
    """The file or folder of a location below `folder`, symbolic links followed; None when no such file can
    exist here or it would lie outside of its bucket."""
    parts = location.key.removesuffix("/").split("/") if location.key.strip("/") else []
    if not all(_is_file_name(part) for part in (location.bucket, *parts)):
        return None
    root = folder.resolve()
    try:
        path = root.joinpath(location.bucket, *parts).resolve()
    except (OSError, RuntimeError, ValueError):
        # A name longer than the file system knows, symbolic links that go in circles, or a zero byte.
        return None
    return path if path.is_relative_to(root / location.bucket) else None


def open_below(folder: Path, path: Path) -> int:
    """A file descriptor for reading the file at `path`, as `object_path` gave it, below `folder`: no link is
    followed any more, so that none that took a folder's place meanwhile leads elsewhere. It does not wait, as
    opening a pipe would.

    Raises:
        OSError: there is no such file, or a link is on its way.
    """
    root = folder.resolve()
    if os.open not in os.supports_dir_fd:
        return os.open(path, _READING)
    *above, name = path.relative_to(root).parts
    at = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in above:
            below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
            os.close(at)
            at = below
        return os.open(name, _READING | os.O_NOFOLLOW, dir_fd=at)
    finally:
        os.close(at)


def _is_file_name(part: str) -> bool:
    """Whether one part of a key names exactly one file or folder: not empty, no path, no drive, no device."""
    if not part or len(part.encode()) > 255 or "\\" in part or _DRIVE.match(part):
        return False
    if os.name == "nt":
        return not (
            _WINDOWS_DEVICE.fullmatch(part) or _WINDOWS_FORBIDDEN.intersection(part) or part[-1] in " ."
        )
    return True
