"""Paths of objects below a folder of buckets: the one place where a key becomes a file's path."""

from __future__ import annotations

import os
import re
from pathlib import Path

from .locations import Location

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
    except (OSError, RuntimeError):
        # A name longer than the file system knows, or symbolic links that go in circles.
        return None
    return path if path.is_relative_to(root / location.bucket) else None


def _is_file_name(part: str) -> bool:
    """Whether one part of a key names exactly one file or folder: not empty, no path, no drive, no device."""
    if not part or len(part.encode()) > 255 or "\\" in part or _DRIVE.match(part):
        return False
    if os.name == "nt":
        return not (
            _WINDOWS_DEVICE.fullmatch(part) or _WINDOWS_FORBIDDEN.intersection(part) or part[-1] in " ."
        )
    return True
