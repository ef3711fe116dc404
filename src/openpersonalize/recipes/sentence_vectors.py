"""Vectors of items' texts by a sentence encoder, `SentenceVectors`, and what is expected of it for texts that
it never saw: a ridge regression of its vectors on those of latent semantic analysis.

The encoder itself is loaded where a model is trained; serving has the vectors. Memory: 4 bytes a number.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from ..algorithms.arrays import Float32
from ..algorithms.mapped import mapped
from ..errors import JobFailed
from .training import Kind, Training

RIDGE = 1.0
_SLICE = 4_096
_FILE = "sentence_vectors"


class SentenceVectors:
    """Of n items; immutable."""

    def __init__(self, vectors: Float32, regression: Float32) -> None:
        """`vectors`: float32[n, d] of length 1 or zero; `regression`: float32[size, d]."""
        self.vectors, self.regression = vectors, regression

    @classmethod
    def fit(cls, items: Kind, known: Float32, training: Training) -> SentenceVectors | None:
        """Encode the columns of prose, one after the other; None without an encoder, or without prose.

        Args:
            known: float32[n, size], the vectors of latent semantic analysis.

        Raises:
            JobFailed: the encoder cannot be used.
        """
        if training.sentence_encoder is None or items.records is None:
            return None
        names = [name for name in items.records.columns if name in items.textual]
        if not names:
            return None
        from ..algorithms.sentence_encoder import SentenceEncoder

        texts = items.records.select(
            pl.concat_str(names, separator=". ", ignore_nulls=True).fill_null("").alias("text")
        )["text"]
        parts = []
        try:
            encoder = SentenceEncoder(training.sentence_encoder, training.threads)
            for start in range(0, len(texts), _SLICE):
                training.progress("sentences", start, len(texts), "items")
                parts.append(encoder.transform(texts.slice(start, _SLICE).to_list(), training.check))
        except ValueError as error:
            raise JobFailed(str(error)) from error
        vectors = np.concatenate(parts)
        square = known.T @ known + RIDGE * np.eye(known.shape[1], dtype=np.float32)
        return cls(vectors, np.linalg.solve(square, known.T @ vectors).astype(np.float32))

    def cosines(self, vector: Float32) -> Float32:
        """float32[n]."""
        found: Float32 = self.vectors @ vector
        return found

    def expected(self, known: Float32) -> Float32:
        """float32[m, d] of length 1 or zero, for texts with these vectors of latent semantic analysis."""
        found: Float32 = known @ self.regression
        lengths = np.linalg.norm(found, axis=1, keepdims=True)
        np.divide(found, lengths, out=found, where=lengths > 0)
        return found

    def save(self, folder: Path) -> None:
        """Two files."""
        np.save(folder / f"{_FILE}.vectors.npy", self.vectors)
        np.save(folder / f"{_FILE}.regression.npy", self.regression)

    @classmethod
    def load(cls, folder: Path) -> SentenceVectors | None:
        """Map what `save` wrote; None where nothing was."""
        if not (folder / f"{_FILE}.vectors.npy").exists():
            return None
        return cls(mapped(folder / f"{_FILE}.vectors.npy"), mapped(folder / f"{_FILE}.regression.npy"))
