"""Term weights by frequency in a row and rarity among rows (TF-IDF; Salton and Buckley 1988) with an inverted
index, `TfIdf`: the cosine of one row with all rows, without looking at rows that share no term.

Of a term that very many rows have only the rows where it weighs most are in the index (champion lists;
Manning, Raghavan and Schuetze 2008), so a question costs at most `MOST_POSTINGS` additions for each of its
terms. Memory: 16 bytes per term of a row.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from .arrays import Float32, Int32, Int64
from .mapped import mapped
from .sparse import SparseRows, ranges, strongest
from .truncated_svd import transposed

MOST_TERMS = 200_000
MOST_POSTINGS = 50_000


class TfIdf:
    """An index of n rows; immutable."""

    def __init__(self, terms: pl.Series | Path, rarity: Float32, rows: SparseRows, index: SparseRows) -> None:
        """Use `fit` or `load`.

        Args:
            terms: in order of their numbers, or the file that has them.
            rarity: float32[terms], log(n / rows that have the term).
            rows: of each row its terms, of length 1 or empty. index: of each term its rows.
        """
        self._terms, self.rarity, self.rows, self._index = terms, rarity, rows, index

    @classmethod
    def fit(cls, found: pl.DataFrame, n: int, most_postings: int = MOST_POSTINGS) -> TfIdf:
        """Learn the terms that more than one row and not all rows have, the `MOST_TERMS` most frequent.

        Args:
            found: ``row`` (0 to n - 1) and ``term``, once for each time that the row has it.
        """
        counted = found.select("row", "term").unique().group_by("term").len()
        kept = counted.filter((pl.col("len") > 1) & (pl.col("len") < n))
        kept = kept.sort(["len", "term"], descending=[True, False]).head(MOST_TERMS)
        rarity = np.log(n / kept["len"].to_numpy()).astype(np.float32)
        empty = SparseRows(np.zeros(1, np.int64), np.empty(0, np.int32), np.empty(0, np.float32))
        made = cls(kept["term"].cast(pl.String), rarity, empty, empty)
        made.rows = made.weighed(found, n)
        made._index = _champions(transposed(made.rows, len(kept)), most_postings)
        return made

    def weighed(self, found: pl.DataFrame, n: int) -> SparseRows:
        """The known terms of n other rows, each row of length 1; empty where none is known."""
        known = pl.DataFrame({"term": self.terms, "code": np.arange(len(self.terms), dtype=np.int32)})
        counted = found.group_by("row", "term").len("count").join(known, on="term", how="inner")
        counted = counted.sort("row", "code")
        row, code = counted["row"].to_numpy().astype(np.int64), counted["code"].to_numpy()
        value = (1 + np.log(counted["count"].to_numpy())).astype(np.float32) * self.rarity[code]
        lengths = np.sqrt(np.bincount(row, weights=value * value, minlength=n)).astype(np.float32)
        value /= lengths[row]
        ptr = np.zeros(n + 1, dtype=np.int64)
        np.cumsum(np.bincount(row, minlength=n), out=ptr[1:])
        return SparseRows(ptr, code, value)

    def row(self, number: int) -> tuple[Int32, Float32]:
        """The terms of one row and their weights."""
        span = slice(int(self.rows.ptr[number]), int(self.rows.ptr[number + 1]))
        return self.rows.col[span], self.rows.value[span]

    def cosines(self, terms: Int32, weights: Float32) -> Float32:
        """float32[n], of a row with these terms and all rows."""
        lengths = (self._index.ptr[1:] - self._index.ptr[:-1])[terms]
        places = ranges(self._index.ptr[terms], lengths)
        value = self._index.value[places] * np.repeat(weights, lengths)
        return np.bincount(self._index.col[places], weights=value, minlength=self.rows.n).astype(np.float32)

    def accumulate(self, numbers: Int64, weights: Float32, total: Float32) -> None:
        """Add the `cosines` of some rows of the index, by number, times float32[B] `weights`, to `total`,
        float32[B, n]."""
        lengths = np.diff(self.rows.ptr)[numbers]
        ptr = np.concatenate(([0], np.cumsum(lengths)))
        places = ranges(self.rows.ptr[numbers], lengths)
        own = self.rows.value[places] * np.repeat(weights, lengths)
        self._index.accumulate(ptr, self.rows.col[places], own, total)

    @cached_property
    def terms(self) -> pl.Series:
        """The known terms, read at first use."""
        return self._terms if isinstance(self._terms, pl.Series) else pl.read_parquet(self._terms)["term"]

    def save(self, folder: Path, name: str) -> None:
        """Files whose names begin with `name`."""
        self.terms.alias("term").to_frame().write_parquet(folder / f"{name}.terms.parquet")
        np.save(folder / f"{name}.rarity.npy", self.rarity)
        self.rows.save(folder, f"{name}.rows")
        self._index.save(folder, f"{name}.index")

    @classmethod
    def load(cls, folder: Path, name: str) -> TfIdf:
        """Map what `save` wrote."""
        return cls(
            folder / f"{name}.terms.parquet",
            mapped(folder / f"{name}.rarity.npy"),
            SparseRows.load(folder, f"{name}.rows"),
            SparseRows.load(folder, f"{name}.index"),
        )


def _champions(index: SparseRows, most: int) -> SparseRows:
    """The `most` rows of each term where it weighs most."""
    term: Int64 = np.repeat(np.arange(index.n), np.diff(index.ptr))
    kept, col, value = strongest(term, index.col, index.value, most)
    ptr = np.zeros(index.n + 1, dtype=np.int64)
    np.cumsum(np.bincount(kept, minlength=index.n), out=ptr[1:])
    return SparseRows(ptr, col, value)
