"""Exposure of items since training, counted from the live log: `ExposureTracker`.

What exploration may choose from: how new the items are, how often they were interacted with and passed over,
and which came after training. Counts begin with what the artifact knows (`exposure`) and follow the live log
as columns, chunk by chunk, in the consumer's thread beside the answers. Now and then they are kept
(`checkpoint`), so that a process that starts late does not read all since the training again.

Items that the model does not know, put after training or met in streamed events, become *newcomers*: they
stand behind the model's rows, row n + k being newcomer k. Like Amazon's automatic updates this goes on until
a newer full version of the solution is there; as many items are considered as the recipe considers, and as
have room. Where there is not room for all, those with a record stay before those that events alone name, then
those that were met most often, then the newest: made-up items push no others out.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import polars as pl

from ..algorithms.item_attribute import ItemVectors
from ..algorithms.returns import GapLog
from ..datasets.columns import ColumnSet
from ..datasets.histories import InteractionHistories
from ..datasets.schemas import Schema
from ..datasets.selection import EventSelection
from ..datasets.tables import id_column
from ..events.consumer import EventHandler
from ..events.frames import COUNTED_TIME
from ..storage.idhash import hashes
from ..storage.idtable import IdTable
from .catalogue import ExposureCounts, ExtendedCatalogue
from .checkpoint import CheckpointStore
from .exposure import Exposure
from .impressions import AGAIN_AFTER, MOST_PAIRS, passed_over, shown, times_by_row
from .newcomers import Newcomers
from .unlisted import COUNTED, COUNTED_SHARE, NEWCOMER_BYTES, newcomers_among, with_events

MOST_ITEMS = 750_000
"""Items of the catalogue and newcomers together where no recipe says otherwise, as Amazon has it."""

KEPT_AFTER = 200_000
"""A checkpoint is saved when so many events were counted since the last one: about a second's work."""

FORMAT = 1
"""Of checkpoints: raised when older ones cannot be read any more."""

Int64 = npt.NDArray[np.int64]
Shown = Callable[[pl.Series], pl.DataFrame]
"""recommendationIds to what was shown under them: `events.recommendations.RecommendationLog.shown`."""


class CurrentRecords(Protocol):
    """The current item records of a group, aligned with a model's items (`serving.catalogue.Catalogue`)."""

    @property
    def schema(self) -> Schema:
        """The dataset's."""

    def outside(self, up_to: int | None = None) -> pl.DataFrame:
        """The records of items that the model does not know, as of a place in the log; the same frame while
        nothing is added."""


class TrackedVersion(Protocol):
    """What is counted for: a trained version (`recipes.artifact.Artifact`)."""

    @property
    def items(self) -> IdTable:
        """The model's items."""

    @property
    def selection(self) -> EventSelection:
        """Which events count."""

    @property
    def exposure(self) -> Exposure:
        """What was known at training."""

    @property
    def position(self) -> int:
        """Place in the live log up to which it was trained."""


class ExposureTracker(EventHandler):
    """Counts one dataset group's events for one trained version. `counts` is replaced, never changed.

    Memory: 21 bytes an item of the catalogue, and `newcomer_bytes`, twice that while `counts` are replaced.
    `on_events` and `on_level` belong to one thread, the consumer's.

    Attributes:
        counts: as of the last `on_level`.
        catalogue: the current item records, aligned with the version's items; may be replaced.
        histories: the bulk interactions that filters read; may be replaced, see `follow_data`.
        until: the place in the log where automatic updates end; None: they go on.
        most: items of the catalogue and newcomers together.
    """

    def __init__(
        self,
        version: TrackedVersion,
        catalogue: CurrentRecords,
        *,
        embed: Callable[[pl.DataFrame], ItemVectors | None],
        shown: Shown | None,
        now: Callable[[], float],
        refresh_seconds: float = 0.0,
        grows: bool = True,
        most: int = MOST_ITEMS,
        newcomer_bytes: int = NEWCOMER_BYTES,
        until: int | None = None,
        store: CheckpointStore | None = None,
        kept_after: int = KEPT_AFTER,
        histories: Sequence[InteractionHistories] = (),
        newcomers: Newcomers | None = None,
        recorded_only: bool = False,
    ) -> None:
        """Begin where the version's training ended, or with a checkpoint.

        Args:
            version: the version. catalogue: its group's current items.
            embed: vectors of items by their records, as the model has them.
            shown: looks implicit impressions up; None: impressions do not count.
            now: the time. refresh_seconds: least time from one change of `counts` to the next.
            grows: whether newcomers join. most: items of the catalogue and newcomers together.
            newcomer_bytes: for newcomers.
            until: see `ExposureTracker`.
            store: where checkpoints are; None: nowhere. kept_after: see `KEPT_AFTER`.
            histories: see `ExposureTracker`. newcomers: what the model calls the newcomers.
            recorded_only: what was met in events without having a record is no newcomer.
        """
        self._version, self._embed = version, embed
        self._shown, self._now = shown, now
        self._seconds = refresh_seconds
        self._grows, self.most, self._newcomer_bytes = grows, most, newcomer_bytes
        self.catalogue, self.histories = catalogue, histories
        self._newcomers, self._recorded_only = newcomers, recorded_only
        self.until = until
        self._exposure = version.exposure
        self._store, self._kept_after, self._counted = store, kept_after, 0
        self._gaps, self._gaps_over = GapLog(MOST_PAIRS), GapLog(MOST_PAIRS)
        nothing = np.zeros(len(version.items), dtype=np.int64)
        kept = store.load(self._read) if store is not None else None
        if kept is None or (until is not None and kept[0] > until):
            kept = version.position, nothing, pl.DataFrame(schema=COUNTED)
        self.position, self._since, self._unlisted = kept
        self._due = 0.0
        self._fresh = False
        self._lock = threading.Lock()
        self._outside: tuple[pl.DataFrame, int, int | None] | None = None
        members = self._gathered(catalogue.outside().clear())
        members.prepare(None, histories, newcomers)
        self.counts = self._counts(members)

    def follow_data(self, catalogue: CurrentRecords, histories: Sequence[InteractionHistories]) -> None:
        """Go on with other data of the group. Not for an event loop's thread."""
        with self._lock:
            self.catalogue, self.histories = catalogue, histories
            self.counts.members.prepare(None, histories, None)

    def on_level(self) -> None:
        """Let `counts` say what was counted, and newcomers join."""
        now = self._now()
        if self._newcomers is not None:
            self.counts.members.number(self._newcomers)
        if now < self._due:
            return
        self._due = now + self._seconds
        with self._lock:
            members = self._members()
            if members is not self.counts.members:
                members.prepare(self.counts.members, self.histories, self._newcomers)
            if self._fresh or members is not self.counts.members:
                self.counts = self._counts(members)
                self._fresh = False
        if self._store is not None and self._counted >= self._kept_after:
            self._store.save(self.position, self._write)
            self._counted = 0

    def _write(self, folder: Path) -> None:
        np.save(folder / "since.npy", self._since)
        self._unlisted.write_parquet(folder / "unlisted.parquet")
        (folder / "format.json").write_text(json.dumps(FORMAT), "utf-8")

    def _read(self, folder: Path, position: int) -> tuple[int, Int64, pl.DataFrame]:
        """What `_write` wrote: the position, how often each item of the model was interacted with or passed
        over since training, and what is known of other items."""
        if json.loads((folder / "format.json").read_text("utf-8")) != FORMAT:
            raise ValueError("it has the format of another release")
        since = np.load(folder / "since.npy")
        try:
            unlisted = pl.read_parquet(folder / "unlisted.parquet", memory_map=False)
        except pl.exceptions.PolarsError as error:
            raise ValueError(str(error)) from error
        if dict(unlisted.schema) != COUNTED or len(since) != len(self._version.items):
            raise ValueError("it belongs to another model")
        return position, since, unlisted

    @property
    def nbytes(self) -> int:
        """About how many bytes it takes."""
        return self._since.nbytes + int(self._unlisted.estimated_size()) + self.counts.nbytes

    # -- counting

    def on_events(self, events: pl.DataFrame, position: int) -> None:
        """See `EventHandler`. Nothing is counted before everything that may fail is done."""
        if self.until is not None:
            events = events.filter(pl.col("#ARRIVAL") <= self.until)
        if len(events):
            issued = None if self._shown is None else self._shown(self._unexplained(events))
            news = events.filter(self._news(events))
            over = None
            if issued is not None:
                lists = shown(events.with_columns(COUNTED_TIME), issued).collect()
                over = passed_over(lists, self._gaps_over)
            met = self._met(events, news)
            since = self._since + times_by_row(met.select("ITEM_ID", TIMES="EVENTS"), self._version.items)
            if over is not None:
                since += times_by_row(over, self._version.items)
            room = self._newcomer_bytes // COUNTED_SHARE
            unlisted = with_events(self._unlisted, met, over, self._version.items, room)
            self._since, self._unlisted, self._fresh = since, unlisted, True
            self._counted += len(events)
        self.position = position

    def _news(self, events: pl.DataFrame) -> pl.Series:
        """Which events count: of one user with one item none within `AGAIN_AFTER` of another."""
        item, user = (hashes(events[name]) for name in ("ITEM_ID", "USER_ID"))
        time = events.select(COUNTED_TIME.cast(pl.Int64))["TIMESTAMP"].to_numpy()
        return pl.Series(self._gaps.gaps(item, time, user) >= AGAIN_AFTER, dtype=pl.Boolean)

    def _met(self, events: pl.DataFrame, news: pl.DataFrame) -> pl.DataFrame:
        """Of all `events` the times, and how many of the `news` there are."""
        weight = self._version.selection.expression(events.columns)
        counted = news.lazy().filter(weight.is_not_null()).group_by("ITEM_ID")
        return (
            events.lazy()
            .with_columns(COUNTED_TIME)
            .filter(weight.is_not_null())
            .group_by("ITEM_ID")
            .agg(
                FIRST=pl.col("TIMESTAMP").cast(pl.Int64).min(),
                LAST=pl.col("TIMESTAMP").cast(pl.Int64).max(),
            )
            .join(counted.agg(EVENTS=pl.len().cast(pl.Int64)), on="ITEM_ID", how="left")
            .with_columns(pl.col("EVENTS").fill_null(0), OVER=pl.lit(0, dtype=pl.Int64))
            .collect()
        )

    @staticmethod
    def _unexplained(events: pl.DataFrame) -> pl.Series:
        """recommendationIds of events that do not say themselves what was shown."""
        return events.filter(pl.col("IMPRESSION").is_null())["RECOMMENDATION_ID"]

    # -- newcomers

    def _members(self) -> ExtendedCatalogue:
        """The same as before when nobody new came."""
        if not self._grows:
            return self.counts.members
        outside = self.catalogue.outside()
        met = int((self._unlisted["EVENTS"] > 0).sum())
        before, until = self._outside, self.until
        self._outside = outside, met, until
        if before is None and not len(outside) and not met:
            return self.counts.members
        if before is not None and before[0] is outside and before[1:] == (met, until):
            return self.counts.members
        return self._gathered(self.catalogue.outside(until))

    def _gathered(self, records: pl.DataFrame) -> ExtendedCatalogue:
        """The members with newcomers from `records` and from the events of unknown items."""
        items, schema, exposure = self._version.items, self.catalogue.schema, self._exposure
        key = id_column(schema)
        stated = pl.col("CREATION_TIMESTAMP") if "CREATION_TIMESTAMP" in records.columns else pl.lit(None)
        known = records.select(ITEM_ID=pl.col(key), STATED=stated.cast(pl.Int64))
        room = max(0, self.most - len(items))
        met = self._unlisted.clear() if self._recorded_only else self._unlisted
        newcomers = newcomers_among(known, met, exposure.latest, room, self._newcomer_bytes)
        ids = IdTable.from_series(newcomers["ITEM_ID"])
        came = np.zeros(len(ids), dtype=np.int64)
        came[ids.find_all(newcomers["ITEM_ID"])] = newcomers["CREATED"].to_numpy()
        own = records.join(newcomers.select(pl.col("ITEM_ID").alias(key)), on=key, how="semi")
        recorded = np.zeros(len(ids), dtype=np.bool_)
        recorded[ids.find_all(own[key])] = True
        columns = ColumnSet.build(own, schema, ids)
        created = np.concatenate([exposure.created, came])
        vectors = None
        if len(ids):
            aligned = ids.series().alias(key).to_frame().join(own, on=key, how="left", maintain_order="left")
            vectors = self._embed(aligned)
        unseen = exposure.interactions == 0
        return ExtendedCatalogue(
            len(items), ids, columns, created, exposure.latest, unseen, recorded, vectors
        )

    def _counts(self, members: ExtendedCatalogue) -> ExposureCounts:
        seen = self._since + self._exposure.interactions
        if self._shown is not None:
            seen += self._exposure.passed_over
        if len(members.ids):
            own = self._unlisted.select("ITEM_ID", TIMES=pl.col("EVENTS") + pl.col("OVER"))
            seen = np.concatenate([seen, times_by_row(own, members.ids)])
        return ExposureCounts(members, (1.0 / np.sqrt(1.0 + seen)).astype(np.float32))
