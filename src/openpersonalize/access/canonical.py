"""The canonical forms of a request's parts, as Signature Version 4 covers them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import quote, unquote_to_bytes

_SHORT = 64


def joined(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Headers by name; the values of a repeated one with commas between them."""
    found: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        found.setdefault(name, []).append(value.strip())
    return {name: b",".join(values) for name, values in found.items()}


def collapsed(value: bytes) -> bytes:
    """Without blanks around it, and with one for several inside."""
    return b" ".join(value.split()) if b"  " in value or b"\t" in value else value.strip()


def canonical_path(raw_path: bytes) -> bytes:
    """The path as a signature covers it; of short ones the latest are kept."""
    return _short_path(raw_path) if len(raw_path) <= _SHORT else _canonical_path(raw_path)


def _canonical_path(raw_path: bytes) -> bytes:
    """Dot segments resolved, then percent-encoded once more, as every service but S3 wants it."""
    segments: list[bytes] = []
    for segment in raw_path.split(b"/"):
        if segment == b"..":
            if segments:
                segments.pop()
        elif segment not in (b"", b"."):
            segments.append(segment)
    path = b"/" + b"/".join(segments)
    if segments and raw_path.endswith(b"/"):
        path += b"/"
    return quote(path, safe="/-_.~").encode()


_short_path = lru_cache(maxsize=256)(_canonical_path)


def canonical_query(query: bytes) -> bytes:
    """A query string as a signature covers it: decoded, encoded anew, sorted."""
    pairs = []
    for part in query.split(b"&"):
        if part:
            name, _, value = part.partition(b"=")
            pairs.append(tuple(quote(unquote_to_bytes(text), safe="-_.~") for text in (name, value)))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs)).encode()
