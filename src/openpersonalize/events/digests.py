"""Keyed 128-bit digests (BLAKE2b) of events and eventIds: `Digests`, a sorted set of them that is searched
without being read.

They say whether an event repeats one that lies in a segment, at 16 bytes an event, where the events
themselves would have to be looked for. Equal digests are taken for equal events: by chance that is wrong
once in 2**128 pairs, and nobody can make it wrong on purpose without the installation's salt.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]

_encode = msgspec.msgpack.Encoder().encode


def content_digest(
    salt: bytes,
    anonymous: bool,
    subject: str,
    time: int,
    item: str,
    kind: str,
    value: float | None,
    properties: str | None,
) -> bytes:
    """The digest of what makes events identical (see `LiveLog`, "Repeats")."""
    number = None if value is None else value + 0.0  # -0.0 equals 0.0
    content = _encode((anonymous, subject, time, item, kind, number, properties))
    return blake2b(content, digest_size=16, key=salt).digest()


def id_digest(salt: bytes, event_id: str) -> bytes:
    """The digest of an eventId."""
    return blake2b(_encode(event_id), digest_size=16, key=salt).digest()


class Digests:
    """Sorted digests, repeated ones as often as they were given. Immutable, safe to share between threads.

    Memory: none when loaded (two mapped files, 16 bytes a digest).
    """

    def __init__(self, high: Words, low: Words) -> None:
        """Wrap digests in ascending order: their first and last eight bytes."""
        self._high = high
        self._low = low

    @classmethod
    def of(cls, digests: Iterable[bytes]) -> Digests:
        """From digests in any order."""
        words = np.frombuffer(b"".join(digests), dtype=">u8").astype(np.uint64).reshape(-1, 2)
        return cls._sorted(words[:, 0], words[:, 1])

    @classmethod
    def merged(cls, parts: Sequence[Digests]) -> Digests:
        """All digests of `parts`. Memory: 48 bytes a digest."""
        empty = np.empty(0, dtype=np.uint64)
        high = np.concatenate([empty, *(part._high for part in parts)])
        return cls._sorted(high, np.concatenate([empty, *(part._low for part in parts)]))

    @classmethod
    def _sorted(cls, high: Words, low: Words) -> Digests:
        order = np.lexsort((low, high))
        return cls(high[order], low[order])

    @classmethod
    def load(cls, folder: Path, name: str) -> Digests:
        """Map the files that `save` wrote."""
        high, low = (_mapped(folder / f"{name}.{half}.npy") for half in ("high", "low"))
        return cls(high, low)

    def save(self, folder: Path, name: str) -> None:
        """Write ``<name>.high.npy`` and ``<name>.low.npy`` into `folder`."""
        np.save(folder / f"{name}.high.npy", self._high)
        np.save(folder / f"{name}.low.npy", self._low)

    def __len__(self) -> int:
        return len(self._high)

    def holds(self, digests: Sequence[bytes]) -> npt.NDArray[np.bool_]:
        """bool[k]: whether each of k digests is among them."""
        found = np.zeros(len(digests), dtype=np.bool_)
        if not len(self) or not digests:
            return found
        words = np.frombuffer(b"".join(digests), dtype=">u8").astype(np.uint64).reshape(-1, 2)
        place = np.searchsorted(self._high, words[:, 0])
        waiting = np.flatnonzero(place < len(self))
        while len(waiting):  # once, but for digests that share their first half
            at = place[waiting]
            near = self._high[at] == words[waiting, 0]
            same = near & (self._low[at] == words[waiting, 1])
            found[waiting[same]] = True
            waiting = waiting[near & ~same]
            place[waiting] += 1
            waiting = waiting[place[waiting] < len(self)]
        return found

    def without(self, digests: Iterable[bytes]) -> Digests:
        """These, each of `digests` taken away once (all of them must be there)."""
        gone = Digests.of(digests)
        place = np.searchsorted(self._high, gone._high)
        # The n-th of equal ones takes away the n-th of equal ones here.
        keep = np.ones(len(self), dtype=np.bool_)
        for at, high, low in zip(place.tolist(), gone._high, gone._low, strict=True):
            spot = at
            while not keep[spot] or self._high[spot] != high or self._low[spot] != low:
                spot += 1
            keep[spot] = False
        return Digests(self._high[keep], self._low[keep])


def _mapped(path: Path) -> Words:
    """An array over its mapped file; an empty one cannot be mapped."""
    whole = np.load(path, mmap_mode="r") if path.stat().st_size > 128 else np.load(path)
    return np.asarray(whole)
