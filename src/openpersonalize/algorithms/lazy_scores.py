"""Scores of one query that are evaluated only where they are asked for: `LazyScores` and its plain kinds.

Writing out a score for each of millions of items costs more than the rest of an answer; most rankers can say
which items they put forward, and what a given item gets.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .arrays import Float32, Int32, Int64, sorted_unique
from .topk import top_k


class LazyScores(ABC):
    """The scores of all items for one query, not written out."""

    @abstractmethod
    def at(self, rows: Int64) -> Float32:
        """float32[len(rows)], the scores of these items."""

    @abstractmethod
    def top(self, k: int) -> Int64:
        """int64[at most k], the distinct items of the highest scores, in no order."""


@dataclass(frozen=True)
class DenseScores(LazyScores):
    """Scores that were written out after all: float32[n]."""

    values: Float32

    def at(self, rows: Int64) -> Float32:
        """See `LazyScores`."""
        return self.values[rows]

    def top(self, k: int) -> Int64:
        """See `LazyScores`."""
        return top_k(self.values, k)


@dataclass(frozen=True)
class SparseScores(LazyScores):
    """Scores that are alike for nearly all items: `values` float32[m] at `columns` int[m], ascending, and
    `rest` elsewhere."""

    columns: Int32 | Int64
    values: Float32
    rest: float = 0.0

    def at(self, rows: Int64) -> Float32:
        """See `LazyScores`."""
        if not len(self.columns):
            return np.full(len(rows), self.rest, dtype=np.float32)
        place = self.columns.searchsorted(rows)
        place[place == len(self.columns)] = 0
        return np.where(self.columns[place] == rows, self.values[place], self.rest)

    def top(self, k: int) -> Int64:
        """See `LazyScores`: of the columns, whatever the rest has."""
        return self.columns[top_k(self.values, k)].astype(np.int64)

    def behind(self, items: Int32) -> SparseScores:
        """The same with distinct `items`, ascending, behind or beside all others."""
        if not len(self.columns):
            return self
        low = np.float32(min(float(self.values.min()), self.rest))
        values, place = self.values.copy(), self.columns.searchsorted(items)
        known = self.columns[np.minimum(place, len(self.columns) - 1)] == items
        values[place[known]] = low
        columns: Int64 = np.insert(self.columns, place[~known], items[~known]).astype(np.int64)
        return SparseScores(columns, np.insert(values, place[~known], low), self.rest)

    def dense(self, n: int) -> Float32:
        """float32[n], a new array."""
        written = np.full(n, self.rest, dtype=np.float32)
        written[self.columns] = self.values
        return written


@dataclass(frozen=True)
class WeightedScores(LazyScores):
    """The weighted sum of several."""

    parts: Sequence[tuple[LazyScores, float]]

    def at(self, rows: Int64) -> Float32:
        """See `LazyScores`."""
        total = np.zeros(len(rows), dtype=np.float32)
        for part, weight in self.parts:
            total += np.float32(weight) * part.at(rows)
        return total

    def top(self, k: int) -> Int64:
        """See `LazyScores`: of the items that the parts put forward."""
        named = np.concatenate([part.top(k) for part, _ in self.parts])
        rows = sorted_unique(named.astype(np.int64))
        return rows[top_k(self.at(rows), k)]
