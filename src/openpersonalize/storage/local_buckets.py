"""Buckets (Amazon S3) in a folder of this machine, for whoever has no S3 (`LocalBuckets`)."""

from __future__ import annotations

import os
import re
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ..errors import InvalidInput
from .buckets import AccessDenied, Buckets
from .durable import sync_file, sync_folder
from .locations import Location, parse_location


class LocalBuckets(Buckets):
    """``s3://BUCKET/KEY`` is the file ``BUCKET/KEY`` below one folder; no key and no symbolic link leads
    out of it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open(self, location: str) -> BinaryIO:
        path = self._path(parse_location(location))
        if path is None or not path.is_file():
            raise FileNotFoundError(f"nothing is at {location}")
        try:
            return path.open("rb")
        except PermissionError as error:
            raise AccessDenied() from error

    def write(self, location: str, stream: BinaryIO) -> None:
        wanted = parse_location(location)
        path = self._path(wanted)
        if path is None or not wanted.key or wanted.key.endswith("/"):
            raise InvalidInput("Invalid Data location.")
        # No bucket's name begins with a dot, so nobody can see the file before it is whole.
        partial = self._folder / f".{uuid.uuid4().hex}"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as sink:
                shutil.copyfileobj(stream, sink, 1 << 20)
            sync_file(partial)
            os.replace(partial, path)
            sync_folder(path.parent)
        except PermissionError as error:
            raise AccessDenied() from error
        except (NotADirectoryError, FileExistsError, IsADirectoryError) as error:
            raise InvalidInput("Invalid Data location.") from error
        finally:
            partial.unlink(missing_ok=True)

    def _size(self, location: Location) -> int | None:
        path = self._path(location)
        if path is None:
            return None
        try:
            return path.stat().st_size if path.is_file() else None
        except PermissionError as error:
            raise AccessDenied() from error

    def _below(self, prefix: Location) -> Iterator[tuple[Location, int]]:
        root = self._path(prefix)
        if root is None or not root.is_dir():
            return
        files = []
        for folder, _, names in os.walk(root, onerror=_refused):
            inside = Path(folder).relative_to(root).as_posix()
            above = prefix.key if inside == "." else f"{prefix.key}{inside}/"
            files += [f"{above}{name}" for name in names]
        for key in sorted(files, key=os.fsencode):
            at = Location(prefix.bucket, key)
            size = self._size(at)
            if size is not None:
                yield at, size

    def _path(self, location: Location) -> Path | None:
        """The file or folder of a location; None when no such file can exist here or it would lie outside."""
        parts = location.key.removesuffix("/").split("/") if location.key.strip("/") else []
        if not all(_is_file_name(part) for part in (location.bucket, *parts)):
            return None
        root = self._folder.resolve()
        try:
            path = root.joinpath(location.bucket, *parts).resolve()
        except (OSError, RuntimeError):
            # A name longer than the file system knows, or symbolic links that go in circles.
            return None
        return path if path.is_relative_to(root / location.bucket) else None


_DRIVE = re.compile(r"[A-Za-z]:")
_WINDOWS_DEVICE = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
_WINDOWS_FORBIDDEN = frozenset('<>:"|?*')


def _is_file_name(part: str) -> bool:
    """Whether one part of a key names exactly one file or folder: not empty, no path, no drive, no device."""
    if not part or len(part.encode()) > 255 or "\\" in part or _DRIVE.match(part):
        return False
    if os.name == "nt":
        return not (
            _WINDOWS_DEVICE.fullmatch(part) or _WINDOWS_FORBIDDEN.intersection(part) or part[-1] in " ."
        )
    return True


def _refused(error: OSError) -> None:
    if isinstance(error, PermissionError):
        raise AccessDenied() from error
