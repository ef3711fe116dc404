"""Numbers for the items that came after training, first seen, first numbered: `Newcomers`."""

from __future__ import annotations

from threading import Lock

import numpy as np
import numpy.typing as npt
import polars as pl

MOST = 100_000
"""So many are numbered: of those that come later nothing is counted until the next training. It bounds what a
model keeps of them (`OnlineModel.observe`), whatever clients send."""

MOST_BYTES = 16 * 1024 * 1024
"""Of their ids: an id may have 256 characters."""

Int64 = npt.NDArray[np.int64]


class Newcomers:
    """Numbers by id; they stay. For any thread. Memory: the ids, twice while there are new ones."""

    def __init__(self, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        """None yet; at most `most`, with at most `most_bytes` of ids."""
        self._most = most
        self._bytes_left = most_bytes
        self._ids = pl.DataFrame(schema={"ID": pl.String(), "NUMBER": pl.Int64()})
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._ids)

    def ids(self) -> pl.Series:
        """The ids in the order of their numbers."""
        return self._ids["ID"]

    def numbered(self, ids: pl.Series) -> Int64:
        """int64[m], the number of each id; those seen for the first time get the next ones. -1: no more."""
        with self._lock:
            found = self._numbers(ids)
            new = ids.filter(pl.Series(found < 0, dtype=pl.Boolean)).unique(maintain_order=True)
            new = new.head(self._most - len(self._ids))
            new = new.filter(new.str.len_bytes().cast(pl.Int64).cum_sum() <= self._bytes_left)
            if not len(new):
                return found
            self._bytes_left -= int(new.str.len_bytes().cast(pl.Int64).sum())
            numbers = pl.int_range(len(self._ids), len(self._ids) + len(new), eager=True)
            self._ids = pl.concat([self._ids, pl.DataFrame({"ID": new, "NUMBER": numbers})], rechunk=True)
            return self._numbers(ids)

    def numbers(self, ids: pl.Series) -> Int64:
        """int64[m], the number of each id, -1 where it has none."""
        return self._numbers(ids)

    def _numbers(self, ids: pl.Series) -> Int64:
        wanted = ids.cast(pl.String).alias("ID").to_frame()
        found = wanted.join(self._ids, on="ID", how="left", maintain_order="left")["NUMBER"]
        return found.fill_null(-1).to_numpy()
