"""Looks for a text in everything that lies in a data folder, decoded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl


def places_of(text: str, data: Path) -> list[str]:
    """The files below a data folder that hold `text`, but for what callers put into their buckets.

    Arrays, JSON and SQLite's pages (free ones too, and journals) hold texts as they are; Parquet is decoded.
    """
    found = []
    for path in _files(data):
        content = path.read_bytes()
        if path.suffix == ".parquet":
            content += pl.read_parquet(path).write_ndjson().encode()
        if text.encode() in content or text in path.as_posix():
            found.append(path.relative_to(data).as_posix())
    return found


def _files(data: Path) -> Iterator[Path]:
    for path in sorted(data.rglob("*")):
        if path.is_file() and path.relative_to(data).parts[0] != "buckets":
            yield path
