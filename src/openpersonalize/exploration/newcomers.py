"""Numbers for the items that came after training, first seen, first numbered: `Newcomers`."""

from __future__ import annotations

from threading import Lock

import numpy as np
import numpy.typing as npt
import polars as pl

MOST = 100_000
"""So many are numbered: of those that come later nothing is counted until the next training. It bounds what a
model keeps of them (`OnlineModel.observe`), whatever clients send."""

Int64 = npt.NDArray[np.int64]


class Newcomers:
    """Numbers by id; they stay. For any thread. Memory: the ids."""

    def __init__(self, most: int = MOST) -> None:
        """None yet; `most` at most."""
        self._most = most
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
            if not len(new):
                return found
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
