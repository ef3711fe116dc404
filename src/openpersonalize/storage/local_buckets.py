"""Buckets (Amazon S3) in a folder of this machine, for whoever has no S3 (`LocalBuckets`)."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ..errors import InvalidInput
from .bucket_paths import object_path, open_below
from .buckets import AccessDenied, Buckets
from .durable import sync_file, sync_folder
from .locations import Location, parse_location


class LocalBuckets(Buckets):
    """``s3://BUCKET/KEY`` is the file ``BUCKET/KEY`` below one folder; no key and no symbolic link leads
    out of it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def advice(self, location: str) -> str:
        place = str(parse_location(location)).removeprefix("s3://")
        return (
            f"The server, which has no S3 service, looked for buckets/{place} in its data folder:"
            f" `openpersonalize cp FILE {location}` puts one there."
        )

    def open(self, location: str) -> BinaryIO:
        path = self._path(parse_location(location))
        if path is None or not path.is_file():
            raise FileNotFoundError(f"nothing is at {location}")
        try:
            return os.fdopen(open_below(self._folder, path), "rb")
        except PermissionError as error:
            raise AccessDenied() from error
        except OSError as error:
            raise FileNotFoundError(f"nothing is at {location}") from error

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
        return object_path(self._folder, location)


def _refused(error: OSError) -> None:
    if isinstance(error, PermissionError):
        raise AccessDenied() from error
