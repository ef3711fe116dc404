"""The live log: the durable order of everything that is streamed, and the contract of whatever keeps it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future

import polars as pl
from polars.io.plugins import register_io_source

from ..datasets.schemas import Schema
from .entries import Event, News, Record
from .frames import event_columns
from .history import LIVE_LENGTH, History

RECORD_VERSIONS = 10
"""Versions of a record that are kept, for exports."""

RECORD_SECONDS = 7 * 86_400.0
"""For so long a record that was replaced is kept: longer than a training or a job reads."""


class Tail(ABC):
    """One reader's view of the end of the log.

    A tail belongs to one thread at a time: its owner guards it. It sees every acknowledged write of every
    process at once.
    """

    @abstractmethod
    def changed(self) -> bool:
        """Whether anything may have been written since the last call: some microseconds, no wrong no."""

    @abstractmethod
    def news(self, after: int, limit: int) -> News:
        """What follows position `after`.

        Events and removals are told one by one when there are at most `limit` of each; otherwise none is,
        and the answer is marked `skipped`. It is marked so, too, for a reader who stands before events that
        were sealed, or did not ask for an hour: what was removed is not listed for much longer than that.

        Work is bounded by `limit` and by the number of datasets, however far behind a reader is: of records
        only the newest position in each dataset is told.
        """

    @abstractmethod
    def history(self, stream: str, subject: str, most: int = LIVE_LENGTH) -> History:
        """The events of one user or anonymous session that count, the newest `most` by time, oldest first.
        One indexed read of rows and one of each segment, of so many."""

    @abstractmethod
    def histories(self, stream: str, subjects: Sequence[str], most: int = LIVE_LENGTH) -> dict[str, History]:
        """The `history` of each of many users or sessions, without those that are empty, all as of one
        moment. Whoever has none costs a look at an index."""

    @abstractmethod
    def close(self) -> None:
        """Release the reader."""


class LiveLog(ABC):
    """The log of streamed events and records.

    Promises, which every implementation keeps:

    - **Durable.** A write is acknowledged only after it is on disk; a crash at any later moment loses
      nothing.
    - **One order, without gaps.** Each entry has a position, greater than that of everything acknowledged
      before it was sent. Positions are never used twice, not even after a removal. Entries of one call have
      consecutive positions. Whoever sees an entry, or a `position`, sees everything at lower positions that
      will ever be there: nothing appears behind a reader. (So a position is given out in the order of
      commits; a plain database sequence does not do.)
    - **Read your writes.** After the acknowledgement every reader in every process sees the entry.
    - **All or nothing.** The entries of one call are stored together or not at all.
    - **Streams.** Entries belong to a dataset, named by its ARN. A dataset group's ARN stands for the
      Interactions dataset of the group. A stream needs no creation.
    - **Repeats.** An event whose eventId was seen before in its stream is stored and marked `REPEATED_ID`;
      an event equal to an earlier one that counts (user, item, time, type, value, properties) is marked
      `IDENTICAL`.
    - **Versions.** Of one id the record with the highest position is in force. The newest `RECORD_VERSIONS`
      of an id are kept, and all that were in force at any time in the last `RECORD_SECONDS`: whoever reads up
      to a position that is no older finds what was in force there.
    - **Sealed.** Old events lie in immutable segments on the object store (`seal`), new ones and records in
      a database. No method tells the difference: order, repeats, histories and removals are over both.
    - **Bounded.** Readers hold at most one chunk of rows besides what they return; a writer holds the calls
      in flight.

    All methods are safe to call from any thread.

    Raises `Unavailable` from writes when the store refuses (disk full, damaged, closing): nothing was
    stored, or, when the disk failed at the very end, it is unknown; sending the same again is safe.
    """

    @abstractmethod
    def append(self, stream: str, entries: Sequence[Event] | Sequence[Record]) -> Future[int]:
        """Write entries, in this order; the future holds the position of the last once all are durable.

        Await it in an event loop with `asyncio.wrap_future`, or use `appended`, which is cheaper there.
        """

    @abstractmethod
    async def appended(self, stream: str, entries: Sequence[Event] | Sequence[Record]) -> int:
        """`append` for a coroutine: returns the position of the last entry once all are durable."""

    def refusal(self) -> str:
        """Why the newest write of this process was not stored; empty where it was, or there was none."""
        return ""

    @abstractmethod
    def position(self) -> int:
        """The position of the newest entry; 0 in an empty log."""

    @abstractmethod
    def version(self) -> int:
        """A number that differs after every write of anybody that was acknowledged: entries, removals,
        sealing.

        No I/O, safe on an event loop. A writer that is killed between the commit and the acknowledgement may
        leave it as it was; `Tail.changed` looks at the log itself.
        """

    @abstractmethod
    def tail(self) -> Tail:
        """A new reader of the log's end; the caller closes it."""

    @abstractmethod
    def interactions(
        self,
        stream: str,
        schema: Schema,
        *,
        after: int = 0,
        up_to: int | None = None,
        chunk: int = 65_536,
        columns: Sequence[str] | None = None,
    ) -> Iterator[pl.DataFrame]:
        """The events with `after` < position <= `up_to` (None: the newest), in order, in frames of <=
        `chunk` rows.

        Columns: those of `schema`, in its order and types (see `frames`), then ``#ARRIVAL`` (int64, the
        position), ``#SESSION`` (string), ``#ANONYMOUS`` (boolean: USER_ID holds the session because no user
        was given), ``#DUPLICATE`` (boolean: an eventId seen before; export only), ``#WRITTEN`` (float64,
        epoch seconds). Events marked `IDENTICAL` are left out. With `columns` only those of them, in that
        order: what is not asked for is not read.
        """

    @abstractmethod
    def records(
        self,
        stream: str,
        schema: Schema,
        *,
        after: int = 0,
        up_to: int | None = None,
        versions: bool = False,
        chunk: int = 65_536,
    ) -> Iterator[pl.DataFrame]:
        """The records with `after` < position <= `up_to`, in order, in frames of <= `chunk` rows.

        The newest version of each id within the range, or with `versions` all of them. Columns: those of
        `schema`, then ``#ARRIVAL`` (int64, the position) and ``#WRITTEN`` (float64, epoch seconds).
        """

    @abstractmethod
    def forget(self, stream: str) -> None:
        """Remove everything in a stream: invisible when this returns, gone from the disk soon after."""

    @abstractmethod
    def forget_subjects(self, stream: str, subjects: Iterable[str]) -> int:
        """Remove users (their events, or their records in a Users dataset); returns the number of rows
        removed. Their ids are listed for the readers for an hour, unless `drop_tombstones` ends it.

        Events of a session that a removed user was seen in are the user's too when they are anonymous.
        """

    @abstractmethod
    def drop_tombstones(self) -> None:
        """Keep no list of who was removed: readers that have not asked since are told `News.skipped`."""

    @abstractmethod
    def seal_due(self) -> bool:
        """Whether `seal` would find something to do and nobody at it: some milliseconds."""

    @abstractmethod
    def seal(self) -> bool:
        """One bounded piece of housekeeping, if any is due and no other process is at it: old events become
        a segment, small segments are merged, what was replaced is removed. Whether something was done.

        Safe to call in any process at any time; a crash in the middle loses and doubles nothing.
        """

    @abstractmethod
    def close(self) -> None:
        """Finish the writes that were accepted, then refuse new ones."""

    def scan(self, stream: str, schema: Schema, *, after: int = 0, up_to: int | None = None) -> pl.LazyFrame:
        """`interactions` as a lazy frame in order of position: read anew, in chunks, whenever it is
        collected, and only the columns that the query needs. Memory under the streaming engine: some chunks.

        Args:
            stream, schema, after: as of `interactions`.
            up_to: the last position; None: the newest now, for all collections.
        """
        last = self.position() if up_to is None else up_to

        def frames(
            columns: list[str] | None, predicate: pl.Expr | None, rows: int | None, _: int | None
        ) -> Iterator[pl.DataFrame]:
            wanted = None if columns is None or predicate is not None else columns
            for frame in self.interactions(stream, schema, after=after, up_to=last, columns=wanted):
                found = frame if predicate is None else frame.filter(predicate)
                found = found if columns is None else found.select(columns)
                yield found if rows is None else found.head(rows)
                if rows is not None:
                    rows -= len(found)
                    if rows <= 0:
                        return

        return register_io_source(frames, schema=event_columns(schema))

    def interactions_frame(
        self, stream: str, schema: Schema, up_to: int | None = None, after: int = 0
    ) -> pl.DataFrame:
        """All chunks of `interactions` as one frame."""
        return pl.concat(self.interactions(stream, schema, after=after, up_to=up_to))

    def records_frame(
        self, stream: str, schema: Schema, up_to: int | None = None, after: int = 0, versions: bool = False
    ) -> pl.DataFrame:
        """All chunks of `records` as one frame."""
        return pl.concat(self.records(stream, schema, after=after, up_to=up_to, versions=versions))


def stream_of(arn: str, kind: str = "INTERACTIONS") -> str:
    """The stream that an ARN names: a dataset's own; for a group that of its dataset of type `kind`."""
    head, group, name = arn.partition(":dataset-group/")
    return f"{head}:dataset/{name}/{kind}" if group else arn
