"""The address by which clients know a server behind a reverse proxy, `PublicAddress`.

A client signs the host and the path that it sends. A proxy may send on others: its own name for the server
as Host, and the path without the prefix under which it publishes it. Only the setting public_url says what
clients see; no header of a request is believed about it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class PublicAddress:
    """Attributes: host: as clients send it in Host. prefix: what stands before every path, without a slash at
    its end; empty: nothing."""

    host: bytes
    prefix: bytes

    @classmethod
    def of(cls, url: str) -> PublicAddress | None:
        """The address of the setting public_url; None where it is empty."""
        if not url:
            return None
        parts = urlsplit(url)
        return cls(parts.netloc.encode("idna"), parts.path.rstrip("/").encode())

    def without_prefix(self, path: bytes) -> bytes:
        """A path as the server's own routes have it, whether the proxy left the prefix there or not."""
        if self.prefix and (path == self.prefix or path.startswith(self.prefix + b"/")):
            return path[len(self.prefix) :] or b"/"
        return path

    def as_signed(
        self, path: bytes, headers: Mapping[bytes, bytes]
    ) -> Iterator[tuple[bytes, Mapping[bytes, bytes]]]:
        """What a client may have signed when a request arrived with this path and these headers, besides just
        those: (path, headers), at most seven."""
        inner = self.without_prefix(path)
        outside = [self.prefix + inner, *([self.prefix] if inner == b"/" and self.prefix else [])]
        seen = headers.get(b"host", b"")
        hosts = [seen] if seen == self.host else [self.host, seen]
        for host in hosts:
            for candidate in dict.fromkeys((*outside, path, inner)):
                if (host, candidate) != (seen, path):
                    yield candidate, {**headers, b"host": host}
