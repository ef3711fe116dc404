"""The ``aws-chunked`` encoding, `ChunkedDecoder`: a body in chunks, each signed or not, and trailer fields.

Amazon's "Signature calculations: transferring payload in multiple chunks" and "with trailing headers". Each
chunk is ``<size in hexadecimal>[;chunk-signature=<signature>]\\r\\n<data>\\r\\n``, the last one has size 0,
and ``name:value`` lines may follow it. A chunk's signature covers the one before it, so that chunks can be
neither changed nor reordered nor left out. The decoder holds a line at most; data passes through. As with
Amazon, every chunk but the last has 8 KB at least, so that a body is not all lines.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass

from .faults import Fault

LEAST_CHUNK = 8192
_LONGEST_LINE = 1024
_MOST_TRAILERS = 8192
_CHUNK = re.compile(rb"([0-9a-fA-F]{1,16})(?:;chunk-signature=([0-9a-f]{64}))?")
_EMPTY = hashlib.sha256(b"").hexdigest()


@dataclass
class ChunkSigner:
    """What chunks are signed with.

    Attributes:
        key: the signing key of the request's day, region and service.
        stamp: the request's date as 20260131T235959Z. scope: ``date/region/s3/aws4_request``.
        previous: the signature before the next chunk's; at first the request's own.
    """

    key: bytes
    stamp: str
    scope: str
    previous: str

    def check(self, kind: str, covered: str, signature: bytes) -> None:
        """Check the next signature in the chain.

        Raises:
            Fault: SignatureDoesNotMatch.
        """
        text = f"AWS4-HMAC-SHA256-{kind}\n{self.stamp}\n{self.scope}\n{self.previous}\n{covered}"
        expected = hmac.digest(self.key, text.encode(), "sha256").hex()
        if not hmac.compare_digest(expected.encode(), signature):
            raise Fault("SignatureDoesNotMatch", "The signature of a chunk of the body does not match.")
        self.previous = expected


class ChunkedDecoder:
    """Decodes one body, fed in pieces of any size.

    Attributes:
        trailers: fields after the last chunk, by lower-case name.
    """

    def __init__(self, signer: ChunkSigner | None, least: int = LEAST_CHUNK) -> None:
        """Args:
        signer: checks the chunks' signatures; None where they have none, or nobody's secret is known.
        least: bytes of every chunk but the last.
        """
        self._least = least
        self._short = False
        self.trailers: dict[str, str] = {}
        self._signer = signer
        self._line = bytearray()
        self._left = 0
        self._state = "size"
        self._signature: bytes | None = None
        self._hash = hashlib.sha256()
        self._trailer_size = 0
        self._trailer_text = b""

    def feed(self, data: bytes) -> list[memoryview]:
        """The payload in the next piece of the body.

        Raises:
            Fault: the encoding or a signature is wrong.
        """
        found = []
        view, at = memoryview(data), 0
        while at < len(view):
            if self._state == "data":
                piece = view[at : at + self._left]
                at += len(piece)
                self._left -= len(piece)
                if self._signer:
                    self._hash.update(piece)
                found.append(piece)
                if not self._left:
                    self._end_chunk()
                    self._state = "data end"
                continue
            end = data.find(b"\n", at)
            taken = view[at : end + 1 if end >= 0 else len(view)]
            at += len(taken)
            self._line += taken
            if len(self._line) > _LONGEST_LINE:
                raise _broken("a line is too long")
            if end >= 0:
                line, self._line = bytes(self._line).rstrip(b"\r\n"), bytearray()
                self._take(line)
        return found

    def finish(self) -> None:
        """Check that the body came to its end.

        Raises:
            Fault: IncompleteBody.
        """
        if self._state == "trailers" and not self._line:
            self._end()  # the last empty line may be left out
        if self._state != "end":
            raise Fault("IncompleteBody", "The body ended before its last chunk.")

    def _take(self, line: bytes) -> None:
        if self._state == "size":
            self._begin_chunk(line)
        elif self._state == "data end":
            if line:
                raise _broken("a chunk is longer than it says")
            self._state = "size"
        elif self._state == "trailers":
            self._trailer(line)
        elif line:
            raise _broken("something follows its end")

    def _begin_chunk(self, line: bytes) -> None:
        match = _CHUNK.fullmatch(line)
        if match is None:
            raise _broken("a chunk does not begin with its size")
        self._left, self._signature = int(match[1], 16), match[2]
        if self._signer:
            self._hash = hashlib.sha256()
            if self._signature is None:
                raise Fault("SignatureDoesNotMatch", "A chunk of the body is not signed.")
        if self._left:
            if self._short:
                raise Fault(
                    "InvalidChunkSizeError", f"Every chunk but the last has {self._least} bytes or more."
                )
            self._short = self._left < self._least
            self._state = "data"
        else:
            self._end_chunk()
            self._state = "trailers"

    def _end_chunk(self) -> None:
        if self._signer and self._signature is not None:
            self._signer.check("PAYLOAD", f"{_EMPTY}\n{self._hash.hexdigest()}", self._signature)

    def _trailer(self, line: bytes) -> None:
        if not line:
            self._end()
            return
        self._trailer_size += len(line)
        name, colon, value = line.decode("latin-1").partition(":")
        name, value = name.strip().lower(), value.strip()
        if not colon or self._trailer_size > _MOST_TRAILERS or name in self.trailers:
            raise _broken("its trailer fields are malformed")
        self.trailers[name] = value
        if name != "x-amz-trailer-signature":
            self._trailer_text += f"{name}:{value}\n".encode("latin-1")

    def _end(self) -> None:
        signature = self.trailers.pop("x-amz-trailer-signature", None)
        if self._signer and self.trailers:
            covered = hashlib.sha256(self._trailer_text).hexdigest()
            self._signer.check("TRAILER", covered, (signature or "").encode("latin-1"))
        self._state = "end"


def _broken(reason: str) -> Fault:
    return Fault("InvalidRequest", f"The body is no proper aws-chunked encoding: {reason}.")
