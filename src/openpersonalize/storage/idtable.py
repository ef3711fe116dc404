"""Sorted tables of string ids: a blob and offsets, memory-mapped, found by bisection.

One process opens millions of ids without reading them: the two files are mapped, a look-up touches about
log2(n) of them, and no Python object exists per id until somebody asks for the whole list.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

IntArray = npt.NDArray[np.int32]

STRIDE = 16
"""Every so-manieth id is kept as an object once ids are searched for: 3 MB for a million, and a search that
makes objects of four others in place of twenty."""

FEW = 16
"""A join reads the whole table: one key in so many rows or less is found by bisection sooner (4 us a key
against 0.3 us a row)."""


class IdTable(Sequence[str]):
    """Distinct ids in ascending order of their UTF-8 bytes; the position of an id is its number.

    Instances are immutable and safe to share between threads.
    """

    def __init__(self, blob: npt.NDArray[np.uint8], offsets: npt.NDArray[np.int64]) -> None:
        """Wrap `blob` (all ids one after the other, UTF-8) and `offsets` (n + 1 positions in it)."""
        self._blob = blob
        self._offsets = offsets
        self._strings: list[str] | None = None
        self._fence: list[bytes] | None = None

    @classmethod
    def from_series(cls, ids: pl.Series) -> IdTable:
        """The distinct non-null values of a string series."""
        ordered = ids.cast(pl.String).drop_nulls().unique().sort()
        lengths = ordered.str.len_bytes().to_numpy().astype(np.int64)
        offsets = np.zeros(len(ordered) + 1, dtype=np.int64)
        np.cumsum(lengths, out=offsets[1:])
        text = ordered.str.join("").item() if len(ordered) else ""
        return cls(np.frombuffer((text or "").encode(), dtype=np.uint8), offsets)

    @classmethod
    def load(cls, folder: Path, name: str) -> IdTable:
        """Map the files that `save` wrote."""
        offsets = np.load(folder / f"{name}.offsets.npy", mmap_mode="r")
        blob = np.load(folder / f"{name}.blob.npy", mmap_mode="r" if offsets[-1] else None)
        return cls(np.asarray(blob), np.asarray(offsets))  # slicing a plain view costs a third of a memmap's

    def save(self, folder: Path, name: str) -> None:
        """Write ``<name>.blob.npy`` and ``<name>.offsets.npy`` into `folder`."""
        np.save(folder / f"{name}.offsets.npy", self._offsets)
        np.save(folder / f"{name}.blob.npy", self._blob)

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def _bytes(self, index: int) -> bytes:
        return self._blob[self._offsets[index] : self._offsets[index + 1]].tobytes()

    def __getitem__(self, index: int) -> str:  # type: ignore[override]
        if self._strings is not None:
            return self._strings[index]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        return self._bytes(index % len(self)).decode()

    def __iter__(self) -> Iterator[str]:
        return iter(self.strings())

    def find(self, key: str) -> int:
        """The number of `key`, or -1."""
        wanted, fence = key.encode(), self._fence
        if fence is None:
            fence = self._fence = [self._bytes(index) for index in range(0, len(self), STRIDE)]
        start = (bisect_right(fence, wanted) - 1) * STRIDE
        if start < 0:
            return -1
        block = range(start, min(start + STRIDE, len(self)))
        index = start + bisect_left(block, wanted, key=self._bytes)
        return index if index <= block[-1] and self._bytes(index) == wanted else -1

    def find_all(self, keys: pl.Series) -> IntArray:
        """The numbers of many ids at once, -1 where absent: one hash join, or for a few among many a search
        for each."""
        if not len(keys):
            return np.empty(0, dtype=np.int32)
        if len(keys) * FEW < len(self):
            found = [-1 if key is None else self.find(key) for key in keys.cast(pl.String).to_list()]
            return np.array(found, dtype=np.int32)
        own = pl.DataFrame({"id": self.series(), "number": np.arange(len(self), dtype=np.int32)})
        rows = keys.cast(pl.String).alias("id").to_frame()
        joined = rows.join(own, on="id", how="left", maintain_order="left")
        return joined["number"].fill_null(-1).to_numpy().astype(np.int32)

    def strings(self) -> list[str]:
        """All ids as a list, made on first use and kept: for hot paths over catalogues that fit in memory."""
        if self._strings is None:
            self._strings = self.series().to_list()
        return self._strings

    def series(self) -> pl.Series:
        """All ids as a string series, in order."""
        if not len(self):
            return pl.Series("id", [], dtype=pl.String)
        starts, lengths = pl.Series(self._offsets[:-1]), pl.Series(np.diff(self._offsets).astype(np.uint64))
        sliced = pl.select(pl.lit(self._blob.tobytes()).bin.slice(starts, lengths).alias("id"))
        return sliced["id"].cast(pl.String)
