"""Checksums of S3 objects, by the names that clients send: ``x-amz-checksum-crc32`` and its kin.

Values are base64 text, as they travel. A multipart upload's checksum is either of the whole object
(FULL_OBJECT, joined from those of the parts) or of the parts' checksums (COMPOSITE, ``<value>-<parts>``).
"""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from .crc import Crc, crc32, crc32c, crc64nvme
from .faults import Fault

HEADER = "x-amz-checksum-"


class Running(Protocol):
    """A checksum being computed."""

    def update(self, data: bytes | memoryview, /) -> None:
        """Take the next bytes."""

    def digest(self) -> bytes:
        """The value of what was taken."""


class _RunningCrc:
    def __init__(self, update: Callable[[bytes | memoryview, int], int], size: int) -> None:
        self._update = update
        self._size = size
        self._value = 0

    def update(self, data: bytes | memoryview) -> None:
        self._value = self._update(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


@dataclass(frozen=True)
class Algorithm:
    """One algorithm.

    Attributes:
        name: as S3 writes it, e.g. ``CRC64NVME``.
        start: begins a computation.
        crc: joins values of parts; None where only a COMPOSITE checksum is possible.
    """

    name: str
    start: Callable[[], Running]
    crc: Callable[[], Crc] | None = None

    @property
    def member(self) -> str:
        """The element of XML documents that holds a value."""
        return f"Checksum{self.name}"

    @property
    def header(self) -> str:
        """The header that holds a value, lower case."""
        return HEADER + self.name.lower()

    @property
    def default_type(self) -> str:
        """What kind a multipart upload's checksum is unless its client says: as S3 has it."""
        return "FULL_OBJECT" if self.name == "CRC64NVME" else "COMPOSITE"


ALGORITHMS: dict[str, Algorithm] = {
    algorithm.name: algorithm
    for algorithm in (
        Algorithm("CRC32", lambda: _RunningCrc(zlib.crc32, 4), crc32),
        Algorithm("CRC32C", lambda: _RunningCrc(crc32c().update, 4), crc32c),
        Algorithm("CRC64NVME", lambda: _RunningCrc(crc64nvme().update, 8), crc64nvme),
        Algorithm("SHA1", lambda: hashlib.sha1(usedforsecurity=False)),
        Algorithm("SHA256", hashlib.sha256),
        Algorithm("SHA512", hashlib.sha512),
        Algorithm("MD5", lambda: hashlib.md5(usedforsecurity=False)),
    )
}


def algorithm_of_header(name: str) -> Algorithm | None:
    """The algorithm whose value a header of this name (lower case) holds, None for any other header.

    Raises:
        Fault: a checksum that is not known here.
    """
    if not name.startswith(HEADER) or name in (f"{HEADER}algorithm", f"{HEADER}type", f"{HEADER}mode"):
        return None
    return algorithm_named(name.removeprefix(HEADER))


def algorithm_named(name: str) -> Algorithm:
    """The algorithm that a client names.

    Raises:
        Fault: it is not known here.
    """
    algorithm = ALGORITHMS.get(name.upper())
    if algorithm is None:
        raise Fault(
            "InvalidRequest",
            f"The checksum algorithm {name[:30]!r} is not known here; use one of {', '.join(ALGORITHMS)}.",
        )
    return algorithm


def as_text(value: bytes) -> str:
    """A checksum's value as it travels."""
    return base64.b64encode(value).decode()


def composite(algorithm: Algorithm, parts: Sequence[str]) -> str:
    """The checksum of parts' checksums."""
    running = algorithm.start()
    for part in parts:
        running.update(base64.b64decode(part))
    return f"{as_text(running.digest())}-{len(parts)}"


def full_object(algorithm: Algorithm, parts: Sequence[tuple[str, int]]) -> str:
    """The checksum of an object, from the (checksum, size) of its parts.

    Raises:
        Fault: the algorithm's values cannot be joined.
    """
    if algorithm.crc is None:
        raise Fault("InvalidRequest", f"{algorithm.name} has no checksum type FULL_OBJECT.")
    crc = algorithm.crc()
    whole = 0
    for value, size in parts:
        whole = crc.joined(whole, int.from_bytes(base64.b64decode(value), "big"), size)
    return as_text(whole.to_bytes(crc.width // 8, "big"))
