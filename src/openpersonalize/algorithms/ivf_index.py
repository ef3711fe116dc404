"""Maximum inner product search with an inverted file (IVF, as in FAISS), which looks at a part of the vectors
only: `IVFIndex`.

An inverted file (Sivic and Zisserman, "Video Google", 2003; Jegou, Douze and Schmid, "Product quantization
for nearest neighbor search", 2011): k-means parts the vectors into cells, and a question looks into those
where a product one standard deviation above that with the centre is largest. Centres keep their length, so
that cells of long vectors, as popular items have them, come first. Everything is arrays that can be mapped.
The vectors are kept again in the order of their cells: read one after another they are an order of magnitude
faster than here and there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .arrays import Float32, Int32, Int64
from .mapped import mapped
from .topk import top_k

KMEANS_PASSES = 8
SAMPLE_PER_CELL = 64
"""Vectors per cell that the centres are found with."""
_BLOCK = 16_384
_PARTS = ("centre", "spread", "ptr", "row", "vectors")


class ItemBias(NamedTuple):
    """A bias per item that is added to every product: `row` float32[m] in the order of the cells, `cell`
    float32[C] its mean in each."""

    row: Float32
    cell: Float32


@dataclass(frozen=True)
class IVFIndex:
    """C cells of m vectors: centre float32[C, d], spread float32[C] the standard deviation of the vectors
    around it, in each dimension; cell c has the rows ``row[ptr[c]:ptr[c + 1]]`` (int32[m]),
    ascending, and their vectors at the same places of `vectors` (float32[m, d]). No cell is empty."""

    centre: Float32
    spread: Float32
    ptr: Int64
    row: Int32
    vectors: Float32

    @classmethod
    def fit(
        cls, vectors: Float32, rows: Int64, seed: int = 0, check: Callable[[], None] = lambda: None
    ) -> IVFIndex:
        """Part some rows of float32[n, d]: k-means of a sample, about the square root of their number of
        cells, then everybody to the nearest centre.

        About 10 s for a million rows of d = 64. Memory: see `memory_needed`.
        """
        count = _count(len(rows))
        rng = np.random.default_rng(seed)
        sample = vectors[np.sort(rng.choice(rows, min(len(rows), SAMPLE_PER_CELL * count), replace=False))]
        centre = sample[rng.choice(len(sample), min(count, len(sample)), replace=False)]
        for _ in range(KMEANS_PASSES):
            nearest = _nearest(sample, np.arange(len(sample)), centre, check)
            size = np.bincount(nearest, minlength=len(centre))
            order = np.argsort(nearest, kind="stable")
            some = np.flatnonzero(size)
            sums = np.add.reduceat(sample[order], (np.cumsum(size) - size)[some], axis=0)
            centre[some] = sums / size[some, None].astype(np.float32)
            # A cell that nobody is near begins anew somewhere else.
            empty = np.flatnonzero(size == 0)
            centre[empty] = sample[rng.choice(len(sample), len(empty), replace=False)]
        nearest = _nearest(vectors, rows, centre, check)
        size = np.bincount(nearest, minlength=len(centre))
        some = np.flatnonzero(size)
        ptr = np.concatenate(([0], np.cumsum(size[some])))
        order = np.argsort(nearest, kind="stable")
        row, cell = rows[order].astype(np.int32), nearest[order]
        kept = np.empty((len(row), vectors.shape[1]), dtype=np.float32)
        away = np.zeros(len(centre))
        for start in range(0, len(row), _BLOCK):
            check()
            span = slice(start, start + _BLOCK)
            kept[span] = vectors[row[span]]
            off = kept[span] - centre[cell[span]]
            away += np.bincount(cell[span], np.einsum("ij,ij->i", off, off), minlength=len(centre))
        spread = np.sqrt(away[some] / (size[some] * vectors.shape[1])).astype(np.float32)
        return cls(centre[some], spread, ptr, row, kept)

    def item_bias(self, values: Float32) -> ItemBias:
        """`values`, one for each row of the catalogue, as `search` wants them."""
        own = values[self.row]
        mean = np.add.reduceat(own, self.ptr[:-1]) / np.diff(self.ptr)
        return ItemBias(own, mean.astype(np.float32))

    def search(self, vector: Float32, k: int, probe_rows: int, item_bias: ItemBias | None = None) -> Int64:
        """The `k` rows of the largest products (and prior) among at least `look`, all of them where there are
        fewer: those of the best cells. In no order."""
        reach = self.centre @ vector
        reach += self.spread * np.linalg.norm(vector)
        if item_bias is not None:
            reach += item_bias.cell
        order = np.argsort(-reach)
        sizes = np.cumsum(np.diff(self.ptr)[order])
        chosen = np.sort(order[: int(np.searchsorted(sizes, probe_rows)) + 1])
        ends = zip(self.ptr[chosen].tolist(), self.ptr[chosen + 1].tolist(), strict=True)
        spans = [slice(start, end) for start, end in ends]
        products = np.concatenate([self.vectors[span] @ vector for span in spans])
        if item_bias is not None:
            products += np.concatenate([item_bias.row[span] for span in spans])
        rows = np.concatenate([self.row[span] for span in spans])
        return rows[top_k(products, k)].astype(np.int64)

    def log_partition(self, vector: Float32) -> np.float32:
        """About the log of the sum of exp of all products: as if those of a cell were normally distributed
        around that with its centre."""
        deviation = self.spread * np.linalg.norm(vector)
        products = self.centre @ vector + deviation * deviation / 2
        most = products.max()
        total: np.float32 = most + np.log(np.diff(self.ptr) @ np.exp(products - most)).astype(np.float32)
        return total

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return sum(int(getattr(self, part).nbytes) for part in _PARTS)

    def save(self, folder: Path, name: str) -> None:
        """Five arrays, ``<name>.centre.npy`` and so on."""
        for part in _PARTS:
            np.save(folder / f"{name}.{part}.npy", getattr(self, part))

    @classmethod
    def load(cls, folder: Path, name: str) -> IVFIndex | None:
        """Map what `save` wrote; None where nothing was saved."""
        if not (folder / f"{name}.row.npy").exists():
            return None
        return cls(*(mapped(folder / f"{name}.{part}.npy") for part in _PARTS))


def memory_needed(n: int, d: int) -> int:
    """Bytes that the index of `n` vectors of `d` takes while it is made: 4 d + 4 a row are kept, three
    numbers of 8 put them into order, and one block of products with all centres."""
    return n * (4 * d + 28) + 4 * _BLOCK * _count(n)


def _count(n: int) -> int:
    return 1 << max(1, round(math.log2(max(n, 4)) / 2))


def _nearest(vectors: Float32, rows: Int64, centre: Float32, check: Callable[[], None]) -> Int64:
    """int64[len(rows)], the centre that each of these rows is nearest to."""
    half = np.einsum("ij,ij->i", centre, centre) / 2
    found = np.empty(len(rows), dtype=np.int64)
    for start in range(0, len(rows), _BLOCK):
        check()
        products = vectors[rows[start : start + _BLOCK]] @ centre.T
        products -= half
        found[start : start + _BLOCK] = products.argmax(axis=1)
    return found
