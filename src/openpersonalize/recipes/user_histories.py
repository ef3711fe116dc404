"""Users' last events in an artifact, flat arrays by user: `UserHistories`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from ..algorithms.arrays import Bools, Float32, Int16, Int32, Int64
from ..datasets.sequences import Sequences
from .query import HISTORY_LENGTH

COLUMNS = ("item", "time", "event", "weight")


class UserHistories:
    """The last `HISTORY_LENGTH` events of every user, by the users' numbers. Opened, the columns are mapped.

    Attributes:
        ptr: int64[U + 1], the events of user u are those at ``ptr[u]:ptr[u + 1]``, oldest first.
        columns: item, time, event type and weight of each.
    """

    def __init__(self, folder: Path, name: str) -> None:
        """Map what `write` wrote under `name`."""
        self._folder, self._name = folder, name
        self.ptr: Int64 = np.asarray(np.load(folder / f"{name}.ptr.npy", mmap_mode="r"))
        mode: Literal["r"] | None = "r" if self.ptr[-1] else None
        # Plain views of the maps: slicing an np.memmap costs ten times as much.
        self.columns = [
            np.asarray(np.load(folder / f"{name}.{column}.npy", mmap_mode=mode)) for column in COLUMNS
        ]

    @staticmethod
    def write(folder: Path, name: str, sequences: Sequences) -> None:
        """Write ``<name>.*.npy`` into `folder`."""
        ptr, counts = sequences.ptr, sequences.counts
        kept = np.minimum(counts, HISTORY_LENGTH)
        newest = np.arange(len(sequences.item)) >= np.repeat(ptr[1:] - kept, counts)
        ends = np.zeros(len(ptr), dtype=np.int64)
        np.cumsum(kept, out=ends[1:])
        np.save(folder / f"{name}.ptr.npy", ends)
        for column in COLUMNS:
            np.save(folder / f"{name}.{column}.npy", getattr(sequences, column)[newest])

    def of(self, number: int) -> tuple[Int32, Int64, Int16, Float32]:
        """item, time, event type and weight of a user's last events, oldest first; empty of -1, nobody."""
        span = slice(int(self.ptr[number]), int(self.ptr[number + 1])) if number >= 0 else slice(0, 0)
        item, time, event, weight = (np.array(column[span]) for column in self.columns)
        return item, time, event, weight

    def without(self, stays: Bools, folder: Path) -> None:
        """Write those of the users marked True in bool[U] into another folder."""
        counts = np.diff(self.ptr)
        rows = np.repeat(stays, counts)
        ends = np.append(0, np.cumsum(counts[stays])).astype(self.ptr.dtype)
        np.save(folder / f"{self._name}.ptr.npy", ends)
        for column, values in zip(COLUMNS, self.columns, strict=True):
            np.save(folder / f"{self._name}.{column}.npy", values[rows])
