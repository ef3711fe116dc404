"""The contract of callers' buckets (Amazon S3): their files are read and results written there (`Buckets`).

`local_buckets` keeps them in a folder, `s3` on S3; `bucket_service` opens the one that the settings ask for.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from ..errors import OpenPersonalizeError
from .locations import Location, check_location, parse_location

__all__ = ["AccessDenied", "Buckets", "ObjectInfo", "Unreachable", "check_location"]


class AccessDenied(OpenPersonalizeError):
    """Insufficient privileges for accessing data in Amazon S3."""


class Unreachable(OpenPersonalizeError):
    """The service that holds the buckets does not answer, or not as it should, after several tries."""


@dataclass(frozen=True)
class ObjectInfo:
    """One file: its full location, the last part of its name, and its size in bytes."""

    location: str
    name: str
    size: int


MOST_FILES = 100_000
"""Files below one location; a service that lists more, or for ever, is not listened to any longer."""


class Buckets(ABC):
    """Files under ``s3://bucket/key``. All methods may be called from any thread.

    Every method raises InvalidInput for text that is no location (`check_location`), AccessDenied where the
    bucket's owner does not let us, and Unreachable where a service that holds the buckets fails.
    """

    def list(self, location: str) -> list[ObjectInfo]:
        """The files that a location means, in order of their names' UTF-8 bytes; [] when there are none.

        A location is one file if such a file exists. Otherwise, and always when it ends in "/" or names
        only a bucket, it is a folder: all files below it, sub-folders included, without empty ones.
        Memory is in proportion to the number of files; more than `MOST_FILES` are Unreachable.
        """
        wanted = parse_location(location)
        if wanted.key and not wanted.key.endswith("/"):
            size = self._size(wanted)
            if size is not None:
                return [_info(wanted, size)]
        prefix = wanted.key if not wanted.key or wanted.key.endswith("/") else f"{wanted.key}/"
        files = _bounded(self._below(Location(wanted.bucket, prefix)), location)
        return [_info(at, size) for at, size in files if size > 0 and not at.key.endswith("/")]

    def advice(self, location: str) -> str:
        """Where the files of a location are looked for and how they come there, for whoever named one that
        has none. Nothing of the machine is told."""
        return f"The server looked at its S3 service; `aws s3 ls {location}` there shows what is kept."

    @abstractmethod
    def open(self, location: str) -> BinaryIO:
        """Read one file from its beginning, without holding it in memory.

        Raises:
            FileNotFoundError: there is none.
        """

    @abstractmethod
    def write(self, location: str, stream: BinaryIO) -> None:
        """Write one file, or replace it: a reader finds the old or the new one, whole."""

    @abstractmethod
    def _size(self, location: Location) -> int | None:
        """The size of one file, None when there is none."""

    @abstractmethod
    def _below(self, prefix: Location) -> Iterator[tuple[Location, int]]:
        """All files whose key begins with the prefix's ("" or ending in "/"), in order, with their sizes."""


def _bounded(files: Iterator[tuple[Location, int]], location: str) -> Iterator[tuple[Location, int]]:
    for number, file in enumerate(files):
        if number == MOST_FILES:
            raise Unreachable(f"it lists more than {MOST_FILES} files below {location}")
        yield file


def _info(location: Location, size: int) -> ObjectInfo:
    return ObjectInfo(str(location), location.key.rsplit("/", 1)[-1], size)
