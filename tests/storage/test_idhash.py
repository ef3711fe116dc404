"""Hashes of ids: the same everywhere, different for different ids, even."""

from __future__ import annotations

import numpy as np
import polars as pl

from openpersonalize.storage.idhash import hashes


def test_known_values_stay() -> None:
    """They are compared with those of other processes, perhaps of another release."""
    assert hashes(pl.Series(["u1", "", "ü", None])).tolist() == [
        15858269361851642160,
        0,
        4884016386204704944,
        0,
    ]


def test_ids_have_different_even_hashes() -> None:
    found = hashes(pl.Series([f"user-{k}" for k in range(200_000)]))
    assert len(np.unique(found)) == len(found)
    for bits in range(1, 6):  # as many in each part of the range
        share = np.bincount((found >> np.uint64(64 - bits)).astype(np.int64), minlength=1 << bits) / len(
            found
        )
        assert np.abs(share * (1 << bits) - 1).max() < 0.05
    assert len(hashes(pl.Series(dtype=pl.String))) == 0
    assert hashes(pl.Series(["a" * 300])).shape == (1,)
