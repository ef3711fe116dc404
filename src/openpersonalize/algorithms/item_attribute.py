"""Attributes of items as bags of embeddings (categorical values) or dense vectors, inputs of the encoder:
`ItemAttribute`; what a model makes of them, `ItemVectors`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from .arrays import Float32, Int32, Int64


@dataclass(frozen=True)
class ItemAttribute:
    """One column of what is known about items: item i has the values ``code[ptr[i]:ptr[i + 1]]``, or the
    vector ``dense[i]``.

    code int32[K] in 0..size-1, ptr int64[n + 1]; dense float32[n, size], with no codes then.
    """

    code: Int32
    ptr: Int64
    size: int
    dense: Float32 | None = None

    @classmethod
    def of_vectors(cls, dense: Float32) -> ItemAttribute:
        """An attribute without codes."""
        return cls(np.empty(0, np.int32), np.zeros(len(dense) + 1, np.int64), dense.shape[1], dense)

    def of(self, rows: npt.NDArray[np.integer]) -> ItemAttribute:
        """The values of some items."""
        starts = self.ptr[rows]
        lengths = self.ptr[np.add(rows, 1)] - starts
        ptr = np.zeros(len(lengths) + 1, dtype=np.int64)
        lengths.cumsum(out=ptr[1:])
        places = (starts - ptr[:-1]).repeat(lengths)
        places += np.arange(len(places))
        dense = None if self.dense is None else self.dense[rows]
        return ItemAttribute(self.code[places], ptr, self.size, dense)


def codes_of(attribute: ItemAttribute) -> int:
    """The codes of all items that take as much memory as the attribute; a vector is held twice."""
    return len(attribute.code) + (0 if attribute.dense is None else attribute.dense.size // 3)


class ItemVectors(Protocol):
    """What a model makes of m records: float32[m, d], or anything of its own that is asked like it."""

    @property
    def nbytes(self) -> int:
        """Bytes of it."""

    def __len__(self) -> int:
        """m."""

    def __getitem__(self, rows: Any, /) -> Any:
        """Those of some records, by number or by mask."""

    def any(self, axis: int) -> Any:
        """bool[m] for `axis` 1: of which records anything is known."""
