"""Bodies of requests on their way to the disk: decoded, measured, and held to what their sender says of them.

`Expected` is read from the head; `Incoming` takes the body in pieces, in worker threads, and holds none of
it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from ...storage.fulldisk import is_full_disk
from .checksums import HEADER, Algorithm, algorithm_named, algorithm_of_header, as_text
from .chunked import ChunkedDecoder, ChunkSigner
from .disk_room import DiskRoom
from .faults import Fault

_SHA256_HEX = 64


@dataclass(frozen=True)
class Expected:
    """What a request's head says of its body.

    Attributes:
        size: bytes of the content, None when unknown.
        sha256: in hexadecimal; None where the signature does not cover the body.
        md5: 16 bytes, or None.
        algorithm: the checksum that is to be computed, or None.
        checksum: its value, None when it is in a trailer or the sender does not know it.
        chunked: whether the body is aws-chunked. signed_chunks: and its chunks are signed.
        trailer: name of the trailer field that holds the checksum, or None.
    """

    size: int | None = None
    sha256: str | None = None
    md5: bytes | None = None
    algorithm: Algorithm | None = None
    checksum: str | None = None
    chunked: bool = False
    signed_chunks: bool = False
    trailer: str | None = None


def read_expected(headers: Mapping[bytes, bytes]) -> Expected:
    """What the head of a request says of its body.

    Raises:
        Fault: it contradicts itself, or names what is not known here.
    """
    text = {
        name.decode("latin-1"): value.decode("latin-1").strip()
        for name, value in headers.items()
        if name.startswith(b"x-amz-") or name in (b"content-md5", b"content-length", b"content-encoding")
    }
    stated = text.get("x-amz-content-sha256", "UNSIGNED-PAYLOAD")
    chunked = stated.startswith("STREAMING-") or "aws-chunked" in text.get("content-encoding", "")
    if not chunked and stated != "UNSIGNED-PAYLOAD" and len(stated) != _SHA256_HEX:
        raise Fault(
            "InvalidArgument", "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-... or a hash."
        )
    size = text.get("x-amz-decoded-content-length" if chunked else "content-length")
    if size is not None and not (size.isascii() and size.isdigit() and len(size) < 16):
        raise Fault("InvalidArgument", "The length of the content is no number.")
    named = [(algorithm_of_header(name), value) for name, value in text.items() if name.startswith(HEADER)]
    values = [(algorithm, value) for algorithm, value in named if algorithm is not None]
    trailer = text.get("x-amz-trailer")
    trailing = algorithm_of_header(trailer.lower()) if trailer and chunked else None
    if len(values) + (trailing is not None) > 1:
        raise Fault("InvalidRequest", "A request may carry one checksum only.")
    algorithm, checksum = values[0] if values else (trailing, None)
    asked = text.get("x-amz-sdk-checksum-algorithm") or text.get("x-amz-checksum-algorithm")
    if algorithm is None and asked:
        algorithm = algorithm_named(asked)
    return Expected(
        size=None if size is None else int(size),
        sha256=stated if len(stated) == _SHA256_HEX and not chunked else None,
        md5=_md5(text.get("content-md5")),
        algorithm=algorithm,
        checksum=checksum,
        chunked=chunked,
        signed_chunks=stated.startswith("STREAMING-AWS4-HMAC-SHA256"),
        trailer=trailer.lower() if trailing is not None and trailer else None,
    )


def _md5(text: str | None) -> bytes | None:
    if text is None:
        return None
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        value = b""
    if len(value) != 16:
        raise Fault("InvalidDigest", "The Content-MD5 you specified is not valid.")
    return value


@dataclass(frozen=True)
class Content:
    """A body that has come whole and as expected: its size, MD5, and checksum, if one was computed."""

    size: int
    md5: bytes
    algorithm: Algorithm | None
    checksum: str | None


class Incoming:
    """One body."""

    def __init__(
        self,
        sink: BinaryIO,
        expected: Expected,
        signer: ChunkSigner | None,
        most: int | None,
        room: DiskRoom | None = None,
    ) -> None:
        """Args:
        sink: takes the content.
        signer: checks the signatures of chunks; None on a server without keys.
        most: bytes that the content may have, None: any number.
        room: of the disk that the sink is on, None: it is in memory.
        """
        self._room = room
        self._sink = sink
        self._expected = expected
        self._most = most
        self._decoder = (
            ChunkedDecoder(signer if expected.signed_chunks else None) if expected.chunked else None
        )
        self._size = 0
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha256 = hashlib.sha256() if expected.sha256 else None
        self._checksum = expected.algorithm.start() if expected.algorithm else None

    def take(self, data: bytes) -> None:
        """Take the next piece of the body.

        Raises:
            Fault: it is not encoded or signed as it should be, too large, or the disk is full.
        """
        if self._room is not None:
            self._room.check(len(data))
        for piece in self._decoder.feed(data) if self._decoder else (data,):
            self._size += len(piece)
            if self._most is not None and self._size > self._most:
                raise Fault("EntityTooLarge", f"The body may have {self._most} bytes here.")
            if self._expected.size is not None and self._size > self._expected.size:
                raise Fault(
                    "IncompleteBody", f"The body has more than the {self._expected.size} bytes announced."
                )
            self._md5.update(piece)
            if self._sha256:
                self._sha256.update(piece)
            if self._checksum:
                self._checksum.update(piece)
            with _room():
                self._sink.write(piece)

    def finish(self) -> Content:
        """The whole content.

        Raises:
            Fault: it is not what its sender said.
        """
        expected = self._expected
        if self._decoder:
            self._decoder.finish()
        with _room():
            self._sink.flush()
        if expected.size is not None and self._size != expected.size:
            raise Fault(
                "IncompleteBody", f"The body has {self._size} bytes and not the {expected.size} announced."
            )
        if self._sha256 and self._sha256.hexdigest() != expected.sha256:
            raise Fault(
                "XAmzContentSHA256Mismatch", "The header x-amz-content-sha256 is not the hash of the body."
            )
        md5 = self._md5.digest()
        if expected.md5 is not None and md5 != expected.md5:
            raise Fault("BadDigest", "The Content-MD5 you specified did not match what we received.")
        checksum = as_text(self._checksum.digest()) if self._checksum else None
        stated = expected.checksum
        if expected.trailer and self._decoder:
            stated = self._decoder.trailers.get(expected.trailer)
            if stated is None:
                raise Fault("InvalidRequest", f"The trailer field {expected.trailer} did not come.")
        if expected.algorithm and stated is not None and stated != checksum:
            raise Fault(
                "BadDigest",
                f"The {expected.algorithm.name} you specified did not match the calculated checksum.",
            )
        return Content(self._size, md5, expected.algorithm, checksum)


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if is_full_disk(error):
            told = f"The disk of the server's data folder takes no more ({error.strerror})."
            raise Fault("ServiceUnavailable", told) from error
        raise
