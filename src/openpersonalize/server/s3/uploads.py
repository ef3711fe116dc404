"""Multipart uploads: parts are files of their own until the upload is completed or aborted, `Uploads`."""

from __future__ import annotations

import hashlib
import math
import os
import shutil
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from ...storage.durable import sync_file, sync_folder
from .bucket_folder import UPLOADS, BucketFolder, Stored
from .catalogue import Details, Part, Upload
from .checksums import ALGORITHMS, composite, full_object
from .faults import Fault
from .receiving import Content

MOST_UPLOADS = 10_000
"""In progress at once."""
STALE_SECONDS = 7 * 24 * 3600.0
"""After which an upload is given up that gets no more parts."""
_SWEEP_SECONDS = 3600.0
LEAST_PART = 5 * 1024 * 1024
"""Bytes of every part but the last."""
MOST_PARTS = 10_000
_BLOCK = 1 << 20
_MOST_AT_ONCE = 1 << 30


@dataclass(frozen=True)
class Named:
    """A part as the request for completion names it; `checksum` where the request has one."""

    number: int
    etag: str
    checksum: str | None


class Uploads:
    """The uploads in progress of a folder of buckets; safe to use from several threads and processes."""

    def __init__(
        self,
        folder: BucketFolder,
        most: int = MOST_UPLOADS,
        stale_seconds: float = STALE_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Args:
        most: uploads in progress at once.
        stale_seconds: after which an upload is given up that gets no more parts.
        clock: seconds since 1970.
        """
        self.folder = folder
        self._catalogue = folder.catalogue
        self._root = folder.folder / UPLOADS
        self._most = most
        self._stale_seconds = stale_seconds
        self._clock = clock
        self._swept = -math.inf

    def begin(self, bucket: str, key: str, details: Details) -> Upload:
        """A new upload.

        Raises:
            Fault: NoSuchBucket, a file cannot have this key, or there are too many uploads.
        """
        self.folder.require(bucket)
        self.folder.path(bucket, key)
        self.folder.room.check()
        self._give_up_stale()
        if key.endswith("/"):
            raise Fault(
                "InvalidArgument", "This server keeps objects as files: a key that ends in / is a folder."
            )
        upload = Upload(uuid.uuid4().hex, bucket, key, self._clock(), details)
        with self._catalogue.writing():
            if self._catalogue.number_of_uploads() >= self._most:
                raise Fault(
                    "InvalidRequest",
                    f"There are {self._most} uploads in progress: complete or abort some;"
                    " ListMultipartUploads names them.",
                )
            (self._root / upload.id).mkdir(parents=True)
            sync_folder(self._root)
            self._catalogue.add_upload(upload)
        return upload

    def require(self, upload_id: str, bucket: str, key: str) -> Upload:
        """An upload in progress.

        Raises:
            Fault: NoSuchUpload.
        """
        upload = self._catalogue.upload(upload_id)
        if upload is None or (upload.bucket, upload.key) != (bucket, key):
            raise Fault(
                "NoSuchUpload",
                "The specified upload does not exist. It may have been aborted or completed already.",
            )
        return upload

    def stage(self, upload: Upload) -> Path:
        """The path of a new file for a part."""
        return self._root / upload.id / uuid.uuid4().hex

    def put(self, upload: Upload, number: int, staged: Path, content: Content) -> Part:
        """Make a staged file a part, in place of the former one of its number; on the disk when this returns.

        Raises:
            Fault: InvalidArgument, InvalidRequest, NoSuchUpload.
        """
        asked = upload.details.algorithm
        if asked and (content.algorithm is None or content.algorithm.name != asked):
            raise Fault("InvalidRequest", f"The parts of this upload must carry the checksum {asked}.")
        sync_file(staged)
        part = Part(number, content.md5.hex(), content.size, self._clock(), content.checksum, staged.name)
        with self._catalogue.writing():
            self.require(upload.id, upload.bucket, upload.key)
            former = self._catalogue.parts(upload.id, number - 1, 1)
            sync_folder(staged.parent)
            self._catalogue.set_part(upload.id, part)
        if former and former[0].number == number:
            staged.with_name(former[0].file).unlink(missing_ok=True)
        return part

    def complete(
        self, upload: Upload, named: Sequence[Named], allowed: Callable[[Stored | None], None]
    ) -> Stored:
        """Put the named parts together as the object; the upload is gone then.

        Args:
            allowed: is told the object that would be replaced, and raises when it may not be.

        Raises:
            Fault: MalformedXML, InvalidPart, InvalidPartOrder, EntityTooSmall, NoSuchUpload.
        """
        parts = self._chosen(upload, named)
        etag = hashlib.md5(b"".join(bytes.fromhex(part.etag) for part in parts), usedforsecurity=False)
        details = _with_checksum(upload.details, parts)

        def still_there(found: Stored | None) -> None:
            self.require(upload.id, upload.bucket, upload.key)
            allowed(found)

        self.folder.room.check(sum(part.size for part in parts))
        staged = self.folder.stage()
        try:
            with staged.open("xb") as sink:
                for part in parts:
                    with (self._root / upload.id / part.file).open("rb") as source:
                        append(source, sink, part.size)
            stored = self.folder.publish(
                staged, upload.bucket, upload.key, f"{etag.hexdigest()}-{len(parts)}", details, still_there
            )
        except FileNotFoundError:
            raise Fault(
                "InvalidPart", "A part was replaced while the upload was completed; try again."
            ) from None
        finally:
            staged.unlink(missing_ok=True)
        self.abort(upload)
        return stored

    def abort(self, upload: Upload) -> None:
        """Give an upload up, and its parts."""
        with self._catalogue.writing():
            self._catalogue.forget_upload(upload.id)
        shutil.rmtree(self._root / upload.id, ignore_errors=True)

    def _give_up_stale(self) -> None:
        """Give up uploads that got no more parts, now and then."""
        now = self._clock()
        if now < self._swept + _SWEEP_SECONDS:
            return
        self._swept = now
        for upload_id in self._catalogue.stale_uploads(now - self._stale_seconds):
            with self._catalogue.writing():
                self._catalogue.forget_upload(upload_id)
            shutil.rmtree(self._root / upload_id, ignore_errors=True)

    def parts(self, upload: Upload, after: int, most: int) -> Sequence[Part]:
        """The parts that have come, in order, with numbers above `after`."""
        return self._catalogue.parts(upload.id, after, most)

    def list(self, bucket: str, prefix: str, after: tuple[str, str], most: int) -> Sequence[Upload]:
        """Uploads to keys that begin with `prefix`, in order of (key, id), those after `after`.

        Raises:
            Fault: NoSuchBucket.
        """
        self.folder.require(bucket)
        return self._catalogue.uploads(bucket, prefix, after, most)

    def _chosen(self, upload: Upload, named: Sequence[Named]) -> Sequence[Part]:
        if not named:
            raise Fault("MalformedXML", "An upload is completed from at least one part.")
        if any(after.number <= before.number for before, after in pairwise(named)):
            raise Fault("InvalidPartOrder", "The parts must be in order of their numbers.")
        there = {part.number: part for part in self._catalogue.parts(upload.id)}
        chosen = []
        for wanted in named:
            part = there.get(wanted.number)
            if part is None or part.etag != wanted.etag or wanted.checksum not in (None, part.checksum):
                raise Fault(
                    "InvalidPart",
                    f"Part {wanted.number} was not uploaded, or its ETag or checksum is another one.",
                )
            chosen.append(part)
        if any(part.size < LEAST_PART for part in chosen[:-1]):
            raise Fault("EntityTooSmall", f"All parts but the last must have at least {LEAST_PART} bytes.")
        return chosen


def append(source: BinaryIO, sink: BinaryIO, size: int) -> None:
    """Copy the next `size` bytes of a file to the end of another, inside the kernel where that is possible.

    Raises:
        Fault: the source has fewer.
    """
    sink.flush()
    left, begin, end = size, source.tell(), sink.tell()
    if hasattr(os, "copy_file_range"):
        with suppress(OSError):  # not every pair of file systems can do it
            while left and (
                done := os.copy_file_range(
                    source.fileno(), sink.fileno(), min(left, _MOST_AT_ONCE), begin, end
                )
            ):
                left, begin, end = left - done, begin + done, end + done
        source.seek(begin)
        sink.seek(end)
    while left and (block := source.read(min(left, _BLOCK))):
        sink.write(block)
        left -= len(block)
    if left:
        raise Fault("IncompleteBody", "A file became shorter while it was copied.")


def _with_checksum(details: Details, parts: Sequence[Part]) -> Details:
    """The details of the finished object."""
    algorithm = ALGORITHMS.get(details.algorithm or "")
    values = [part.checksum for part in parts]
    if algorithm is None or None in values:
        return Details(headers=details.headers, metadata=details.metadata)
    kind = details.checksum_type or algorithm.default_type
    checksum = (
        composite(algorithm, [str(value) for value in values])
        if kind == "COMPOSITE"
        else full_object(algorithm, [(str(part.checksum), part.size) for part in parts])
    )
    return Details(details.headers, details.metadata, algorithm.name, kind, checksum)
