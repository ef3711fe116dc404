"""Buckets and objects as S3 has them, over a folder of plain files: `BucketFolder`.

An object is the file of its key, and a folder is an object whose key ends in "/". Files that came into the
folder another way are objects too; their ETag follows from the file's state, in the form of a multipart
upload's, so that nobody takes it for an MD5. What is published was on the disk before its name was.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import stat
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ...errors import InvalidInput
from ...storage.bucket_paths import object_path, open_below
from ...storage.durable import sync_file, sync_folder
from ...storage.locations import parse_location
from .catalogue import Catalogue, Details
from .disk_room import DiskRoom
from .faults import Fault, no_such_bucket, no_such_key
from .folder_names import FolderNames
from .listing import Page, page

STAGING = ".staging"
UPLOADS = ".uploads"
_PROPER_BUCKET = re.compile(r"(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9](?:[a-z0-9.-]{1,61}[a-z0-9])")
_LONGEST_KEY, _LONGEST_NAME = 1024, 255
_STALE_SECONDS = 24 * 3600.0


@dataclass(frozen=True)
class Stored:
    """An object: its size, ETag without quotes, time (seconds since 1970), and what its writer said of it."""

    size: int
    etag: str
    modified: float
    details: Details


Condition = Callable[[Stored | None], None]
"""Is told the object that there is, None for none, and raises when a change is not allowed."""


def _always(found: Stored | None) -> None:
    """The condition that is always met."""


class BucketFolder:
    """The buckets below one folder; safe to use from several threads and processes."""

    def __init__(self, folder: Path, catalogue: Catalogue) -> None:
        self.folder = folder
        self.catalogue = catalogue
        self.room = DiskRoom(folder)
        self._names = FolderNames()
        (folder / STAGING).mkdir(parents=True, exist_ok=True)
        self._remove_stale()

    # ------------------------------------------------------------------------------------- buckets

    def buckets(self) -> list[tuple[str, float]]:
        """(name, time of its making) of all buckets, by name."""
        with os.scandir(self.folder) as scan:
            found = [
                (entry.name, entry.stat(follow_symlinks=False).st_mtime)
                for entry in scan
                if entry.is_dir(follow_symlinks=False) and self._bucket_path(entry.name) is not None
            ]
        return sorted(found)

    def require(self, bucket: str) -> None:
        """Return when there is such a bucket.

        Raises:
            Fault: NoSuchBucket.
        """
        path = self._bucket_path(bucket)
        if path is None or not path.is_dir():
            raise no_such_bucket(bucket)

    def create(self, bucket: str, region: str) -> bool:
        """Make a bucket; False when there is one already.

        Raises:
            Fault: InvalidBucketName.
        """
        if not _PROPER_BUCKET.fullmatch(bucket) or ".." in bucket:
            raise Fault(
                "InvalidBucketName",
                "A bucket's name has 3 to 63 lower-case letters, digits, dots and dashes, and begins and ends"
                " with a letter or digit.",
            )
        with self.catalogue.writing():
            try:
                (self.folder / bucket).mkdir()
            except FileExistsError:
                return False
            sync_folder(self.folder)
            self.catalogue.set_region(bucket, region)
        return True

    def delete(self, bucket: str) -> None:
        """Remove an empty bucket, and give up the uploads that were going there.

        Raises:
            Fault: NoSuchBucket, BucketNotEmpty.
        """
        self.require(bucket)
        with self.catalogue.writing():
            try:
                (self.folder / bucket).rmdir()
            except OSError:
                raise Fault("BucketNotEmpty", "The bucket you tried to delete is not empty.") from None
            sync_folder(self.folder)
            given_up = self.catalogue.forget_bucket(bucket)
        for upload_id in given_up:
            shutil.rmtree(self.folder / UPLOADS / upload_id, ignore_errors=True)

    # ------------------------------------------------------------------------------------- objects

    def path(self, bucket: str, key: str) -> Path:
        """The file or folder of a key.

        Raises:
            Fault: it cannot be a file's name here, or lies outside of the bucket.
        """
        encoded = key.encode(errors="replace")
        if len(encoded) > _LONGEST_KEY or any(len(part) > _LONGEST_NAME for part in encoded.split(b"/")):
            raise Fault("KeyTooLongError", "A key has at most 1024 bytes, and 255 between two slashes.")
        try:
            path = object_path(self.folder, parse_location(f"s3://{bucket}/{key}"))
        except InvalidInput:
            path = None
        if path is None:
            raise Fault(
                "InvalidArgument",
                "This server keeps objects as files: a key must be a path without empty parts, '.', '..',"
                " backslashes and control characters.",
            )
        return path

    def find(self, bucket: str, key: str) -> Stored | None:
        """An object, None when there is none."""
        try:
            state = os.stat(self.path(bucket, key))
        except (FileNotFoundError, NotADirectoryError):
            return None
        return self._stored(bucket, key, state)

    def open(self, bucket: str, key: str) -> tuple[Stored, BinaryIO]:
        """An object and its content, which stays as it is while it is read.

        Raises:
            Fault: NoSuchBucket, NoSuchKey, AccessDenied.
        """
        self.require(bucket)
        path = self.path(bucket, key)
        if key.endswith("/"):
            stored = self.find(bucket, key)
            if stored is None:
                raise no_such_key()
            return stored, io.BytesIO()
        try:
            stream = os.fdopen(open_below(self.folder, path), "rb")
        except PermissionError:
            raise Fault("AccessDenied", "The server may not read this file.") from None
        except OSError:  # there is none, it is a folder, or a link took its place meanwhile
            raise no_such_key() from None
        stored = self._stored(bucket, key, os.fstat(stream.fileno()))
        if stored is None:
            stream.close()
            raise no_such_key()
        return stored, stream

    def page(
        self, bucket: str, prefix: str, delimiter: str, after: str, most: int
    ) -> tuple[Page, list[Stored]]:
        """A part of a bucket's listing, and the objects of its files.

        Raises:
            Fault: NoSuchBucket.
        """
        self.require(bucket)
        found = page(self.folder, bucket, prefix, delimiter, after, most, self._names)
        known = self.catalogue.objects(
            bucket, [(key, state.st_size, state.st_mtime_ns) for key, state in found.files]
        )
        return found, [_described(key, state, known.get(key)) for key, state in found.files]

    # ------------------------------------------------------------------------------------- writing

    def stage(self) -> Path:
        """The path of a new file that nobody sees."""
        return self.folder / STAGING / uuid.uuid4().hex

    def publish(
        self,
        staged: Path,
        bucket: str,
        key: str,
        etag: str,
        details: Details,
        allowed: Condition = _always,
    ) -> Stored:
        """Make a staged file the object of a key; on the disk when this returns.

        Args:
            allowed: is told the object that would be replaced, and raises when it may not be.

        Raises:
            Fault: NoSuchBucket, or a file cannot have this key.
        """
        path = self.path(bucket, key)
        sync_file(staged)
        state = os.stat(staged)
        with self.catalogue.writing():
            self.require(bucket)
            allowed(self.find(bucket, key))
            try:
                self._make_folder(path.parent)
                os.replace(staged, path)
            except (NotADirectoryError, FileExistsError, IsADirectoryError):
                raise _in_the_way() from None
            sync_folder(path.parent)
            self.catalogue.set_object(bucket, key, state.st_size, state.st_mtime_ns, etag, details)
        return Stored(state.st_size, etag, state.st_mtime, details)

    def make_folder(self, bucket: str, key: str) -> Stored:
        """Make the folder that a key ending in "/" stands for.

        Raises:
            Fault: NoSuchBucket, or a file is there.
        """
        path = self.path(bucket, key)
        with self.catalogue.writing():
            self.require(bucket)
            try:
                self._make_folder(path)
            except (NotADirectoryError, FileExistsError):
                raise _in_the_way() from None
        return _described(key, os.stat(path), None)

    def remove(self, bucket: str, key: str, allowed: Condition = _always) -> None:
        """Remove an object, and the folders that are empty without it; nothing happens when there is none.

        Args:
            allowed: is told the object, and raises when it may not be removed.

        Raises:
            Fault: NoSuchBucket.
        """
        self.require(bucket)
        path = self.path(bucket, key)
        root = (self.folder / bucket).resolve()
        with self.catalogue.writing():
            allowed(self.find(bucket, key))
            if key.endswith("/"):
                with suppress(OSError):  # it holds objects, or is none
                    if path != root:
                        path.rmdir()
            else:
                named = root.joinpath(*key.split("/"))  # a link is removed, not what it leads to
                with suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError):
                    if not path.is_dir():
                        named.unlink()
            self.catalogue.forget_object(bucket, key)
            above = path.parent
            with suppress(OSError):
                while above != root and above.is_relative_to(root):
                    above.rmdir()
                    above = above.parent
            with suppress(FileNotFoundError):
                sync_folder(above)

    def _bucket_path(self, bucket: str) -> Path | None:
        try:
            return object_path(self.folder, parse_location(f"s3://{bucket}/"))
        except InvalidInput:
            return None

    def _make_folder(self, path: Path) -> None:
        """Make a folder of a bucket and those above it."""
        missing: list[Path] = []
        while not path.is_dir():
            missing.append(path)
            path = path.parent
        for folder in reversed(missing):
            folder.mkdir()
            sync_folder(folder.parent)

    def _stored(self, bucket: str, key: str, state: os.stat_result) -> Stored | None:
        if not (stat.S_ISDIR if key.endswith("/") else stat.S_ISREG)(state.st_mode):
            return None
        return _described(key, state, self.catalogue.object(bucket, key, state.st_size, state.st_mtime_ns))

    def _remove_stale(self) -> None:
        """Remove what writers that died have left."""
        oldest = time.time() - _STALE_SECONDS
        for path in (self.folder / STAGING).iterdir():
            with suppress(OSError):
                if path.stat().st_mtime < oldest:
                    path.unlink()


def _described(key: str, state: os.stat_result, known: tuple[str, Details] | None) -> Stored:
    size = 0 if key.endswith("/") else state.st_size
    if known is None:
        text = f"{state.st_ino} {state.st_mtime_ns} {size}"
        etag = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
        return Stored(size, f"{etag}-1", state.st_mtime, Details())
    return Stored(size, known[0], state.st_mtime, known[1])


def _in_the_way() -> Fault:
    return Fault(
        "InvalidArgument",
        "This server keeps objects as files: a key cannot be an object and also a folder of others.",
    )
