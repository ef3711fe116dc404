"""Latent semantic analysis of the texts of one catalogue: `TextEncoder`. Nothing is downloaded.

Latent semantic analysis (Deerwester et al. 1990): counts of words, damped and weighed by how few texts have
them, as a matrix of texts by words; its leading singular vectors, found by random projection with power
iterations (Halko, Martinsson, Tropp 2011), turn any text into a short dense vector. Texts that share no word
but share company are near. Beside each long word stands its beginning, so that its forms are near too.

Learned from at most `MOST_TEXTS` texts and about `MOST_BYTES` of them, drawn by the seed. Memory: about 300
bytes per word of `SLICE_BYTES` of text, 40 bytes per word learned from, and the vectors; time: linear in the
words, about three seconds of a core per million to learn, and as many to apply.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from .arrays import Float32, Int64
from .mapped import mapped
from .sparse import SparseRows, spans
from .truncated_svd import leading_axes, times
from .words import words

MOST_TEXTS = 100_000
MOST_TERMS = 50_000
SIZE = 256
STEM = 5
"""Characters of a word's beginning; a longer word counts by it as well."""
MOST_BYTES = 32_000_000
SLICE_BYTES = 4_000_000


class TextEncoder:
    """See the module. float32 vectors of length 1; all 0 for a text without a known word."""

    def __init__(self, terms: pl.Series | Path, rarity: Float32, axes: Float32) -> None:
        """Use `fit` or `load`.

        Args:
            terms: in order of their numbers, or the file that has them.
            rarity: float32[terms], the logarithm of how few texts have each.
            axes: float32[terms, size], what each contributes to a vector.
        """
        self._terms, self.rarity, self.axes = terms, rarity, axes

    @classmethod
    def fit(
        cls, texts: pl.Series, size: int = SIZE, seed: int = 0, check: Callable[[], None] = lambda: None
    ) -> TextEncoder:
        """Learn from `texts` (nulls are no text). With few texts or words the vectors are shorter.

        `check` is called now and then; it may raise to stop.
        """
        rng = np.random.default_rng(seed)
        texts = texts.drop_nulls()
        sizes = _bytes(texts)
        if len(texts) > MOST_TEXTS or sizes.sum() > MOST_BYTES:
            drawn = rng.permutation(len(texts))[:MOST_TEXTS]
            texts = texts.gather(np.sort(drawn[: np.searchsorted(np.cumsum(sizes[drawn]), MOST_BYTES) + 1]))
        counted = [part.group_by("term").len() for part in _slices(texts, check)]
        every = pl.concat(counted) if counted else pl.DataFrame({"term": [], "len": []})
        often = every.group_by("term").agg(pl.col("len").sum()).filter(pl.col("len") > 1)
        often = often.sort(["len", "term"], descending=[True, False]).head(MOST_TERMS)
        rarity = np.log((1 + len(texts)) / (1 + often["len"].to_numpy())).astype(np.float32)
        found = cls(often["term"].cast(pl.String), rarity, np.empty((len(often), 0), dtype=np.float32))
        if len(often):
            rows = found._weighed(texts, check)
            found.axes = leading_axes(rows, len(often), min(size, len(often), len(texts)), rng, check)
        return found

    @property
    def size(self) -> int:
        """Numbers of a vector."""
        return int(self.axes.shape[1])

    def transform(self, texts: pl.Series, check: Callable[[], None] = lambda: None) -> Float32:
        """float32[len(texts), size], in slices."""
        vectors: Float32 = np.zeros((len(texts), self.size), dtype=np.float32)
        if not self.size:
            return vectors
        done = 0
        for start, end in spans(_bytes(texts), SLICE_BYTES):
            check()
            vectors[start:end] = times(self._weighed(texts.slice(start, end - start), check), self.axes)
            done = end
        assert done == len(texts)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        np.divide(vectors, lengths, out=vectors, where=lengths > 0)
        return vectors

    def _weighed(self, texts: pl.Series, check: Callable[[], None]) -> SparseRows:
        """A row of length 1 per text: its known terms, in order."""
        known = pl.DataFrame({"term": self.terms, "code": np.arange(len(self.terms), dtype=np.int32)})
        parts = [
            part.join(known, on="term", how="inner").select("row", "code", "count").sort("row", "code")
            for part in _slices(texts, check)
        ]
        every = pl.concat(parts)
        row, code = every["row"].to_numpy().astype(np.int64), every["code"].to_numpy()
        value = (1 + np.log(every["count"].to_numpy())).astype(np.float32) * self.rarity[code]
        squares = np.bincount(row, weights=value * value, minlength=len(texts))
        lengths = np.sqrt(squares[row]).astype(np.float32)
        # A text of nothing but words that all texts have says nothing: its row stays zero.
        np.divide(value, lengths, out=value, where=lengths > 0)
        ptr = np.zeros(len(texts) + 1, dtype=np.int64)
        np.cumsum(np.bincount(row, minlength=len(texts)), out=ptr[1:])
        return SparseRows(ptr, code, value)

    @cached_property
    def terms(self) -> pl.Series:
        """The known terms, read at first use."""
        return self._terms if isinstance(self._terms, pl.Series) else pl.read_parquet(self._terms)["term"]

    def save(self, folder: Path, name: str) -> None:
        """Three files whose names begin with `name`."""
        self.terms.alias("term").to_frame().write_parquet(folder / f"{name}.terms.parquet")
        np.save(folder / f"{name}.rarity.npy", self.rarity)
        np.save(folder / f"{name}.axes.npy", self.axes)

    @classmethod
    def load(cls, folder: Path, name: str) -> TextEncoder:
        """Map what `save` wrote."""
        return cls(
            folder / f"{name}.terms.parquet",
            mapped(folder / f"{name}.rarity.npy"),
            mapped(folder / f"{name}.axes.npy"),
        )


def _bytes(texts: pl.Series) -> Int64:
    sizes: Int64 = texts.str.len_bytes().fill_null(0).to_numpy().astype(np.int64)
    return sizes


def _slices(texts: pl.Series, check: Callable[[], None]) -> Iterator[pl.DataFrame]:
    """``row``, ``term``, ``count`` of the texts, slice by slice; at least one slice."""
    for start, end in list(spans(_bytes(texts), SLICE_BYTES)) or [(0, 0)]:
        check()
        found = words(texts.slice(start, end - start))
        stem = pl.col("word").str.len_chars() > STEM
        stems = found.filter(stem).select("row", pl.col("word").str.slice(0, STEM) + "*")
        terms = pl.concat([found, stems]).rename({"word": "term"})
        counted = terms.group_by("row", "term").len("count")
        yield counted.with_columns(pl.col("row") + start)
