"""Item-based top-N recommendation (Deshpande and Karypis, "Item-based top-N recommendation algorithms",
2004), `ItemBased`: what all base rankers share whose feature is the sum of the rows of a user's items in a
table of items.
"""

from __future__ import annotations

from pathlib import Path
from typing import Self

import numpy as np

from .arrays import Float32, Int32, sorted_unique
from .lazy_scores import SparseScores
from .ranker import BaseRanker, QueryBlock, RankerQuery
from .sparse import SparseRows
from .standardisation import sparsely_standardised, standardise_rows, standardised, zero_standardised

QUERY_ITEMS = 100
"""Newest events of a history whose items count."""


class ItemBased(BaseRanker):
    """Feature: the sum of the rows of the history's distinct items, standardised over the catalogue."""

    def __init__(self, rows: SparseRows) -> None:
        """`rows`: the table, the strongest cells of each row."""
        self.rows = rows

    def feature(self, query: RankerQuery) -> Float32:
        """See the class."""
        return standardised(self.rows.scatter(_items(query)))

    def lazy(self, query: RankerQuery) -> SparseScores:
        """See `BaseRanker.lazy`."""
        columns, sums = self.rows.gather(_items(query))
        return sparsely_standardised(columns, sums, self.rows.n)

    def accumulate(self, block: QueryBlock, weight: np.float32, total: Float32) -> None:
        """See `BaseRanker.accumulate`."""
        ptr, items = block.distinct(QUERY_ITEMS)
        for some in block.pieces(self.rows.n):
            span = slice(ptr[some.start], ptr[some.stop])
            ends = ptr[some.start : some.stop + 1] - ptr[some.start]
            sums = self.rows.scatter_block(ends, items[span])
            standardise_rows(sums)
            sums *= weight
            total[some] += sums

    def unseen_value(self, query: RankerQuery) -> float:
        """See `BaseRanker.unseen_value`."""
        return zero_standardised(self.rows.scatter(_items(query)))

    def save(self, folder: Path) -> None:
        """The table."""
        self.rows.save(folder, self.name)

    @classmethod
    def load(cls, folder: Path, name: str) -> Self:
        """Map what `save` wrote."""
        return cls(SparseRows.load(folder, name))


def _items(query: RankerQuery) -> Int32:
    """The distinct items that count, ascending."""
    return sorted_unique(query.item[-QUERY_ITEMS:])
