"""Sparse item-to-item matrices in compressed rows, counted from pairs in bounded memory: `SparseRows`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .arrays import Float32, Float64, Int32, Int64
from .mapped import mapped

PAIRS = 1_000_000
"""Pairs counted at a time: 8 bytes each, sorted in place."""

PIECE_CELLS = 32_768
"""Cells that are added up together for a block of queries: what is made of them stays in a core's cache."""

LONG_ROW = 150
"""Cells of a row from which copying it whole costs less than naming each of them."""

_PLACE_BITS = 31


@dataclass(frozen=True)
class SparseRows:
    """n rows; row i has the columns ``col[ptr[i]:ptr[i+1]]`` with the values `value` at the same places."""

    ptr: Int64
    col: Int32
    value: Float32

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.ptr) - 1

    def of(self, rows: Int64) -> SparseRows:
        """Some rows, in the order given."""
        starts = self.ptr[rows]
        lengths = self.ptr[rows + 1] - starts
        ptr = np.concatenate(([0], np.cumsum(lengths)))
        places = np.repeat(starts - ptr[:-1], lengths) + np.arange(ptr[-1])
        return SparseRows(ptr, self.col[places], self.value[places])

    def scatter(self, rows: Int32, weights: Float32 | None = None) -> Float32:
        """float32[n], the sum of ``weights[k] *`` row ``rows[k]``, or of the rows, added up in float32."""
        total = np.zeros(self.n, dtype=np.float32)
        starts = self.ptr[rows]
        lengths = self.ptr[rows + 1] - starts
        col, value = self._cells(starts, lengths)
        if weights is not None:
            value *= weights.repeat(lengths)
        np.add.at(total, col, value)
        return total

    def scatter_block(self, ptr: Int64, rows: Int32, weights: Float32 | None = None) -> Float32:
        """float32[B, n], the `scatter` of ``rows[ptr[b]:ptr[b + 1]]`` for each b, added up in float32."""
        total = np.zeros((len(ptr) - 1, self.n), dtype=np.float32)
        self.accumulate(ptr, rows, weights, total)
        return total

    def accumulate(self, ptr: Int64, rows: Int32, weights: Float32 | None, total: Float32) -> None:
        """Add ``weights[k] *`` row ``rows[k]`` (or the rows) of each k in ``ptr[b]:ptr[b + 1]`` to row b of
        float32[B, columns] `total`."""
        starts = self.ptr[rows]
        lengths = self.ptr[rows + 1] - starts
        ends = np.concatenate(([0], np.cumsum(lengths)))
        shift = np.repeat(np.arange(len(ptr) - 1) * total.shape[1], np.diff(ptr))
        for first, end in spans(np.diff(ends[ptr]), PIECE_CELLS):
            some = slice(ptr[first], ptr[end])
            col, value = self._cells(starts[some], lengths[some])
            if weights is not None:
                value *= np.repeat(weights[some], lengths[some])
            cells = np.repeat(shift[some], lengths[some])
            cells += col
            np.add.at(total.reshape(-1), cells, value)

    def _cells(self, starts: Int64, lengths: Int64) -> tuple[Int32, Float32]:
        """Columns and values of some rows, one row after the other; new arrays."""
        if not len(starts) or int(lengths.sum()) < LONG_ROW * len(starts):
            places = ranges(starts, lengths)
            return self.col.take(places), self.value.take(places)
        ends = zip(starts.tolist(), (starts + lengths).tolist(), strict=True)
        some = [slice(start, end) for start, end in ends]
        col = np.concatenate([self.col[span] for span in some])
        return col, np.concatenate([self.value[span] for span in some])

    def gather(self, rows: Int32, weights: Float32 | None = None) -> tuple[Int64, Float64]:
        """`scatter` without an array of n: the columns that occur, ascending, and their sums."""
        ends = zip(self.ptr[rows].tolist(), self.ptr[rows + 1].tolist(), strict=True)
        spans = [slice(start, end) for start, end in ends]
        if not spans:
            return np.empty(0, dtype=np.int64), np.empty(0)
        value = np.concatenate([self.value[span] for span in spans])
        if weights is not None:
            value *= np.repeat(weights, [span.stop - span.start for span in spans])
        keys = np.concatenate([self.col[span] for span in spans]).astype(np.int64) << _PLACE_BITS
        keys |= np.arange(len(keys))
        return summed(keys, value.astype(np.float64), _PLACE_BITS)

    def renumbered(self, before: Int32) -> SparseRows:
        """The rows of another catalogue.

        Args:
            before: int32[m], the number that each item had here, -1 for new ones, which get empty rows and
                columns.
        """
        after = np.full(self.n, -1, dtype=np.int32)
        known = np.flatnonzero(before >= 0)
        after[before[known]] = known
        lengths = np.zeros(len(before), dtype=np.int64)
        lengths[known] = np.diff(self.ptr)[before[known]]
        ends = np.concatenate(([0], np.cumsum(lengths)))
        starts = np.zeros(len(before), dtype=np.int64)
        starts[known] = self.ptr[before[known]]
        places = np.repeat(starts - ends[:-1], lengths) + np.arange(ends[-1])
        col = after[self.col[places]]
        kept = col >= 0
        ptr = np.concatenate(([0], np.cumsum(kept)))[ends]
        return SparseRows(ptr, col[kept], self.value[places[kept]])

    def save(self, folder: Path, name: str) -> None:
        """Three arrays, ``<name>.ptr.npy`` and so on."""
        np.save(folder / f"{name}.ptr.npy", self.ptr)
        np.save(folder / f"{name}.col.npy", self.col)
        np.save(folder / f"{name}.value.npy", self.value)

    @classmethod
    def load(cls, folder: Path, name: str) -> SparseRows:
        """Map what `save` wrote."""
        return cls(*(mapped(folder / f"{name}.{part}.npy") for part in ("ptr", "col", "value")))


def join(parts: Iterable[tuple[Int64, Int32, Float32]], n: int) -> SparseRows:
    """Rows from pieces (row, column, value), in order of rows; no row is in two pieces. Memory: the table and
    one column of it again."""
    ptr = np.zeros(n + 1, dtype=np.int64)
    cols, values = [np.empty(0, np.int32)], [np.empty(0, np.float32)]
    for row, col, value in parts:
        if len(row):
            first = int(row[0])
            counts = np.bincount(row - first)
            ptr[first + 1 : first + 1 + len(counts)] = counts
            cols.append(col)
            values.append(value)
    np.cumsum(ptr, out=ptr)
    col = np.concatenate(cols)
    cols.clear()
    return SparseRows(ptr, col, np.concatenate(values))


def summed(keys: Int64, levels: Float64, bits: int) -> tuple[Int64, Float64]:
    """Sum weights by key. Each of `keys` holds a cell in its high bits and in its low `bits` a place in
    `levels`.

    `keys` is sorted in place: sorting plain integers is several times faster than sorting an index.

    Returns:
        The distinct cells in order, and for each the sum of its levels.
    """
    keys.sort()
    cells = keys >> bits
    weights = levels[keys & ((1 << bits) - 1)]
    starts = np.flatnonzero(np.concatenate(([True], cells[1:] != cells[:-1]))) if len(cells) else cells
    return cells[starts], np.add.reduceat(weights, starts) if len(starts) else np.empty(0)


def strongest(row: Int64, col: Int32, value: Float32, top: int) -> tuple[Int64, Int32, Float32]:
    """Of cells in order of `row`, the `top` largest of each row, in order of (row, col)."""
    if not len(row):
        return row, col, value
    starts = np.flatnonzero(np.concatenate(([True], row[1:] != row[:-1])))
    lengths = np.diff(np.append(starts, len(row)))
    crowded = np.repeat(lengths > top, lengths)
    if not crowded.any():
        return row, col, value
    where = np.flatnonzero(crowded)
    order = where[np.lexsort((-value[where], row[where]))]
    long = lengths[lengths > top]
    place = np.arange(len(order)) - np.repeat(np.cumsum(long) - long, long)
    keep = ~crowded
    keep[order[place < top]] = True
    return row[keep], col[keep], value[keep]


def ranges(starts: Int64, lengths: Int64) -> Int64:
    """starts[0], starts[0] + 1, ... for ``lengths[0]`` numbers, then those of the next range, and so on."""
    total = int(lengths.sum())
    places = np.repeat(starts - (np.cumsum(lengths) - lengths), lengths)
    places += np.arange(total)
    return places


def spans(costs: Int64, budget: int) -> Iterator[tuple[int, int]]:
    """Consecutive ranges of positions whose `costs` add up to at most `budget`; a costlier one goes alone."""
    total = np.concatenate(([0], np.cumsum(costs)))
    start = 0
    while start < len(costs):
        end = int(np.searchsorted(total, total[start] + budget, side="right")) - 1
        end = min(max(end, start + 1), len(costs))
        yield start, end
        start = end
