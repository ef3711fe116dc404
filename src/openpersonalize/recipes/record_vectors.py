"""Items by their records alone, as a content-based model compares them, `RecordVectors`: the terms of each
column, short vectors, how new they are. `exploration` holds them for the items that came after training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..algorithms.arrays import Bools, Float32, Int32
from ..algorithms.sparse import SparseRows


@dataclass(frozen=True)
class RecordVectors:
    """m items; a kind of `ItemVectors`.

    Attributes:
        terms: of each column their terms, in rows of length 1 or empty. vectors: float32[m, size], of all
        columns together. sentences: float32[m, d], those of a sentence encoder, or what is expected of it;
        None: there is none. newness: float32[m], 0 to 1. numbers:
        float32[m] quantiles of each column of numbers, NaN unknown.
    """

    terms: Sequence[SparseRows]
    vectors: Float32
    sentences: Float32 | None
    newness: Float32
    numbers: Sequence[Float32] = ()

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        total = sum(one.ptr.nbytes + one.col.nbytes + one.value.nbytes for one in self.terms)
        total += 0 if self.sentences is None else self.sentences.nbytes
        total += sum(one.nbytes for one in self.numbers)
        return total + self.vectors.nbytes + self.newness.nbytes

    def any(self, axis: int) -> Bools:
        """bool[m], of which items anything is known."""
        known: Bools = np.any(self.vectors, axis=1)
        for one in self.terms:
            known |= np.diff(one.ptr) > 0
        for numbers in self.numbers:
            known |= ~np.isnan(numbers)
        return known

    def __getitem__(self, rows: Any) -> RecordVectors:
        some = np.arange(len(self))[rows]
        sentences = None if self.sentences is None else self.sentences[some]
        return RecordVectors(
            [one.of(some) for one in self.terms],
            self.vectors[some],
            sentences,
            self.newness[some],
            [one[some] for one in self.numbers],
        )

    def cosines(self, column: int, terms: tuple[Int32, Float32], size: int) -> Float32:
        """float32[m], of one column with a row of these terms and their weights, of `size` terms in all."""
        rows, (col, value) = self.terms[column], terms
        asked = np.zeros(size, dtype=np.float32)
        asked[col] = value
        row = np.repeat(np.arange(len(self)), np.diff(rows.ptr))
        return np.bincount(row, rows.value * asked[rows.col], len(self)).astype(np.float32)
