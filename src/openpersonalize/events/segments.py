"""Sealed segments: events of one stream of the live log between two positions, as an immutable folder on the
object store (the sorted runs of a log-structured store). `Segment` reads one, `write_segment` makes one.

Layout: ``rows.parquet`` holds the events as they were stored (`STORED_EVENT`), in order of position, with
those that do not count; ``arrival.npy`` their positions, so that a place in the log is found by bisection;
``histories/`` is the index by user of those that count (`datasets.histories`); ``contents.*.npy`` and
``ids.*.npy`` are the digests of what counts and of all eventIds (`digests`), by which a later repetition is
known; ``manifest.json`` has the numbers. About 100 bytes an event on the disk.

Everything but the Parquet file is memory-mapped: opening costs nothing, processes share the pages.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from ..datasets.histories import InteractionHistories, build_histories
from .digests import Digests, content_digest, id_digest
from .entries import COUNTS
from .frames import COUNTED_TIME

FORMAT = 1

GROUP_ROWS = 65_536
"""Rows of a Parquet row group, and the most that are read at a time."""

_INDEXED = ("USER_ID", "ITEM_ID", "TIMESTAMP", "EVENT_TYPE", "EVENT_VALUE")

Row = tuple[int, str, int, str, float | None]
"""position, item, time, type, value."""


class Facts(NamedTuple):
    """What the log's database says of a segment beside where it is: how many rows it has, and the span of the
    times of events that count (0 and -1 without any)."""

    rows: int
    oldest: int
    newest: int


class Segment:
    """A published segment, opened for reading. Immutable, safe to share between threads.

    Attributes:
        folder: where it is.
        rows: how many events it holds, also those that do not count.
    """

    def __init__(self, folder: Path) -> None:
        """Open the segment in `folder`.

        Raises:
            FileNotFoundError: it has been replaced or removed.
        """
        self.folder = folder
        manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
        self.rows: int = manifest["rows"]
        self._arrival: npt.NDArray[np.int64] = np.asarray(
            np.load(folder / "arrival.npy", mmap_mode="r" if self.rows else None)
        )

    @cached_property
    def contents(self) -> Digests:
        """Digests of the events that count."""
        return Digests.load(self.folder, "contents")

    @cached_property
    def ids(self) -> Digests:
        """Digests of all eventIds."""
        return Digests.load(self.folder, "ids")

    def scan(self) -> pl.LazyFrame:
        """All its events as they were stored."""
        return pl.scan_parquet(self.folder / "rows.parquet")

    def frames(self, after: int, up_to: int, chunk: int, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
        """Events with `after` < position <= `up_to` in order, in frames of at most `chunk` rows, in these
        columns of `STORED_EVENT`. Memory: `GROUP_ROWS` rows.

        Raises:
            FileNotFoundError: the segment has been replaced or removed meanwhile.
        """
        start, end = np.searchsorted(self._arrival, [after, up_to], side="right").tolist()
        step = min(chunk, GROUP_ROWS)
        for begin in range(start, end, step):
            yield self.scan().slice(begin, min(step, end - begin)).select(columns).collect()

    def knows(self, subject: str) -> bool:
        """Whether it holds any event of a user or anonymous session."""
        return self._histories.users.find(subject) >= 0

    def known(self, subjects: Sequence[str]) -> list[str]:
        """Those of some users and sessions of whom it holds any event."""
        numbers = self._histories.users.find_all(pl.Series(subjects, dtype=pl.String))
        return [one for one, number in zip(subjects, numbers.tolist(), strict=True) if number >= 0]

    def history(self, subject: str, most: int) -> list[Row]:
        """The events of one user or anonymous session that count, the newest `most` by time, ties
        by position."""
        span = self._histories.span(subject)
        span = slice(max(span.start, span.stop - most), span.stop)
        items, times, kinds, values = self._histories.rows_at(span)
        return list(
            zip(
                self._position[span].tolist(),
                map(self._histories.items.__getitem__, items.tolist()),
                times.tolist(),
                map(self._histories.event_types.__getitem__, kinds.tolist()),
                values.tolist(),
                strict=True,
            )
        )

    @cached_property
    def _histories(self) -> InteractionHistories:
        return InteractionHistories.open(self.folder / "histories")

    @cached_property
    def _position(self) -> npt.NDArray[np.int64]:
        """int64[counted rows] positions, in the order of the histories' arrays."""
        rows = self._histories.rows
        return np.asarray(np.load(self.folder / "histories" / "arrival.npy", mmap_mode="r" if rows else None))


def write_segment(folder: Path, rows: pl.LazyFrame, contents: Digests, ids: Digests) -> Facts:
    """Write events into the empty `folder`.

    Memory: 45 bytes a row and the ids of their users and items.

    Args:
        folder: ready to be published afterwards.
        rows: `STORED_EVENT`, in order of position.
        contents: digests of those that count. ids: of all that have an eventId.
    """
    file = folder / "rows.parquet"
    rows.sink_parquet(file, compression_level=3, row_group_size=GROUP_ROWS, maintain_order=True)
    arrival = pl.read_parquet(file, columns=["#ARRIVAL"])["#ARRIVAL"].to_numpy()
    np.save(folder / "arrival.npy", arrival)
    counts = pl.col("#MARK") == COUNTS
    build_histories(
        [file], folder / "histories", _INDEXED, where=counts, arrival="#ARRIVAL", times=[COUNTED_TIME]
    )
    contents.save(folder, "contents")
    ids.save(folder, "ids")
    times = pl.col("TIMESTAMP")
    span = (
        pl.scan_parquet(file).filter(counts).select(oldest=times.min(), newest=times.max()).collect().row(0)
    )
    oldest, newest = (0, -1) if span[0] is None else span
    facts = Facts(len(arrival), oldest, newest)
    (folder / "manifest.json").write_text(json.dumps({"format": FORMAT, **facts._asdict()}), "utf-8")
    return facts


def digests_of(events: pl.DataFrame, salt: bytes) -> tuple[list[bytes], list[bytes]]:
    """The digests of those `events` (`STORED_EVENT`) that count, and of all their eventIds."""
    counted = events.filter(pl.col("#MARK") == COUNTS)
    columns = ["#ANONYMOUS", "USER_ID", "TIMESTAMP", "ITEM_ID", "EVENT_TYPE", "EVENT_VALUE", "#PROPERTIES"]
    contents = [content_digest(salt, *row) for row in counted.select(columns).iter_rows()]
    ids = [id_digest(salt, event_id) for event_id in events["#EVENT_ID"].drop_nulls().to_list()]
    return contents, ids
