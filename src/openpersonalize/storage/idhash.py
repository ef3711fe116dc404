"""Even 64-bit hashes of ids, the same on every machine and in every release: `hashes`.

A polynomial of an id's bytes, mixed (the finaliser of SplitMix64; Steele, Lea and Flood 2014). Not for
secrets: who knows an id finds its hash.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

UInt64: TypeAlias = npt.NDArray[np.uint64]

_BASE = 0x100000001B3


def hashes(ids: pl.Series) -> UInt64:
    """uint64[m], of each of m ids (nulls are as empty ones). Memory: 32 bytes a byte of the ids."""
    texts = ids.cast(pl.String).fill_null("")
    lengths = texts.str.len_bytes().to_numpy().astype(np.int64)
    blob = np.frombuffer((texts.str.join("").item() or "").encode() if len(texts) else b"", dtype=np.uint8)
    starts = np.concatenate(([0], np.cumsum(lengths)))[:-1]
    place = np.arange(len(blob)) - np.repeat(starts, lengths)
    found = lengths.astype(np.uint64)
    some = lengths > 0
    if some.any():
        powers = _powers(int(lengths.max()))
        found[some] += np.add.reduceat((blob.astype(np.uint64) + 1) * powers[place], starts[some])
    return _mixed(found)


def _powers(count: int) -> UInt64:
    """uint64[count], of the base, modulo 2 ** 64."""
    powers = np.full(count, _BASE, dtype=np.uint64)
    return np.multiply.accumulate(powers)


def _mixed(values: UInt64) -> UInt64:
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
