"""What exploration may choose from: how new the items are, how often they were met and passed over, and which
came after training.

Counts begin with what the artifact knows (`recipes.exposure`) and follow the live log as columns, chunk by
chunk, in a thread beside the answers, every half second at most or every `item_refresh`. Now and then they
are kept (`serving.tally`), so that a process that starts late does not read all since the training again.
Items that the model does not know, put after training or met in streamed events, become *newcomers*: they
stand behind the model's rows, row n + k being newcomer k. Like Amazon's automatic updates this goes on until
a newer full version of the solution is there; up to `MOST_ITEMS` items are considered.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from ..algorithms.topk import FloatArray, Rows
from ..datasets.columns import ColumnSet
from ..datasets.impressions import EVENTS, passed_over, shown, times_by_row
from ..datasets.tables import id_column
from ..events.livelog import LiveLog
from ..recipes.artifact import Artifact
from ..storage.idtable import IdTable
from .catalogue import Catalogue
from .newcomers import Newcomers
from .ranked import BoolArray
from .tally import Tally, TallyStore

MOST_ITEMS = 750_000
"""Items of the catalogue and newcomers together, as Amazon has it: newcomers are considered up to there."""

DAY = 86_400
CUT_OFFS_KEPT, MASKS_KEPT = 8, 64
LEAST_SECONDS = 0.5
"""Shortest time from one look at the log to the next."""
KEPT_AFTER = 200_000
"""Counts are kept when so many events were counted since the last time: about a second's work."""
REST = 10
"""A look that took long is followed by a rest so many times as long."""

_MET: dict[str, pl.DataType] = {
    "ITEM_ID": pl.String(),
    "FIRST": pl.Int64(),
    "LAST": pl.Int64(),
    "EVENTS": pl.Int64(),
    "OVER": pl.Int64(),
}
_MERGED = (
    pl.col("FIRST").min(),
    pl.col("LAST").max(),
    pl.col("EVENTS").sum(),
    pl.col("OVER").sum(),
)

Int64 = npt.NDArray[np.int64]
Shown = Callable[[pl.Series], pl.DataFrame]
"""recommendationIds to what was shown under them: `events.recommendations.RecommendationLog.shown`."""


@dataclass(frozen=True)
class Members:
    """The catalogue of one moment, newcomers included. Immutable but for what it keeps for the event loop.

    Attributes:
        known: n, the model's items.
        ids: the newcomers'; row n + k of an answer is ``ids[k]``. columns: their records.
        created: int64[n + m] seconds. latest: the moment that ages count back from.
        unmet: bool[n], the model's items that had no interactions at training.
        vectors: float32[m, d], the newcomers' vectors by their records, 0 where those say nothing; None where
            the model has none.
    """

    known: int
    ids: IdTable
    columns: ColumnSet
    created: Int64
    latest: int
    unmet: BoolArray
    vectors: FloatArray | None = None
    _numbers: list[tuple[int, Int64]] = field(default_factory=list)
    _eligible: dict[float, Rows] = field(default_factory=dict)
    _masks: dict[object, BoolArray] = field(default_factory=dict)

    def eligible(self, cut_off_days: float) -> Rows:
        """int64 rows, ascending, of the items at most so old."""
        found = self._eligible.get(cut_off_days)
        if found is None:
            oldest = self.latest - cut_off_days * DAY
            found = np.flatnonzero(self.created >= oldest)
            if len(self._eligible) >= CUT_OFFS_KEPT:
                self._eligible.clear()
            self._eligible[cut_off_days] = found
        return found

    def mask(self, key: object, make: Callable[[ColumnSet], BoolArray]) -> BoolArray:
        """bool[m] that `make` gives for the newcomers' columns, kept under `key`."""
        found = self._masks.get(key)
        if found is None:
            if len(self._masks) >= MASKS_KEPT:
                self._masks.clear()
            found = self._masks[key] = make(self.columns)
        return found

    def numbers(self, newcomers: Newcomers) -> Int64:
        """int64[m], what the model calls the newcomers, -1 those that it was told nothing of."""
        count = len(newcomers)
        if not self._numbers or self._numbers[0][0] != count:
            self._numbers[:] = [(count, newcomers.numbers(self.ids.series()))]
        return self._numbers[0][1]

    def number_of(self, name: str) -> int | None:
        """The number of a newcomer; None: it is none."""
        number = self.ids.find(name)
        return None if number < 0 else number

    def name(self, row: int) -> str:
        """The id of the newcomer at a row of an answer."""
        return self.ids[row - self.known]


@dataclass(frozen=True)
class Candidates:
    """`members` and float32[n + m] `scale`: 1 / sqrt(1 + times met + times passed over) of each."""

    members: Members
    scale: FloatArray


class Novelty:
    """Follows one dataset group for one trained version. `candidates` is replaced, never changed.

    Memory: 21 bytes an item of the catalogue, and the records of the newcomers. `advance` is for any thread.

    Attributes:
        candidates: as of the last `advance`.
        catalogue: the current item records, aligned with the version's items; may be replaced.
        until: the place in the log where automatic updates end; None: they go on.
    """

    def __init__(
        self,
        log: LiveLog,
        stream: str,
        artifact: Artifact,
        catalogue: Catalogue,
        *,
        shown: Shown | None,
        now: Callable[[], float],
        refresh_seconds: float = 0.0,
        grows: bool = True,
        most: int = MOST_ITEMS,
        until: int | None = None,
        kept: TallyStore | None = None,
    ) -> None:
        """Begin where the version's training ended, or with what was kept; of the log nothing is read before
        the first `advance`.

        Args:
            log: the live log. stream: the Interactions dataset's ARN.
            artifact: the version. catalogue: its group's current items.
            shown: looks implicit impressions up; None: impressions do not count.
            now: the time. refresh_seconds: least time between two looks at the log.
            grows: whether newcomers join. most: items of the catalogue and newcomers together.
            until: see `Novelty`.
            kept: where counts are kept between processes; None: nowhere.
        """
        self._log, self._stream, self._artifact = log, stream, artifact
        self._shown, self._now = shown, now
        self._seconds = max(refresh_seconds, LEAST_SECONDS)
        self._grows, self._most = grows, most
        self.catalogue = catalogue
        self.until = until
        exposure = artifact.exposure
        self._exposure = exposure
        self._kept, self._counted = kept, 0
        tally = kept.load() if kept is not None else None
        usable = tally is not None and dict(tally.strangers.schema) == _MET
        if tally is None or not usable or (until is not None and tally.position > until):
            nothing = np.zeros(len(artifact.items), dtype=np.int64)
            tally = Tally(artifact.position, nothing, pl.DataFrame(schema=_MET))
        self._position, self._since, self._strangers = tally.position, tally.since, tally.strangers
        self._due = 0.0
        self._lock = threading.Lock()
        self._outside: tuple[pl.DataFrame, int, int | None] | None = None
        self.candidates = self._candidates(self._gathered(catalogue.outside().clear()))

    def due(self) -> bool:
        """Whether it is time for the next look; True once: the caller then calls `advance`, in a thread."""
        now = self._now()
        if now < self._due:
            return False
        self._due = now + self._seconds
        return True

    def advance(self) -> None:
        """Count what was streamed since the last time, and let newcomers join."""
        with self._lock:
            began = self._now()
            newest = self._log.position()
            if self.until is not None:
                newest = min(newest, self.until)
            counted = newest > self._position
            if counted:
                chunks = self._log.interactions(self._stream, EVENTS, after=self._position, up_to=newest)
                for chunk in chunks:
                    self._count(chunk.filter(~pl.col("#DUPLICATE")))
                    self._counted += len(chunk)
                    self._position = max(self._position, int(chunk["#ARRIVAL"].max() or 0))  # type: ignore[arg-type]
                self._position = newest
                self._keep()
            members = self._members()
            if counted or members is not self.candidates.members:
                self.candidates = self._candidates(members)
            self._due = max(self._due, self._now() + REST * max(0.0, self._now() - began))

    def _keep(self) -> None:
        if self._kept is not None and self._counted >= KEPT_AFTER:
            self._kept.save(Tally(self._position, self._since, self._strangers))
            self._counted = 0

    # -- counting

    def _count(self, events: pl.DataFrame) -> None:
        weight = self._artifact.selection.expression(events.columns)
        met = (
            events.lazy()
            .filter(weight.is_not_null())
            .group_by("ITEM_ID")
            .agg(
                FIRST=pl.col("TIMESTAMP").cast(pl.Int64).min(),
                LAST=pl.col("TIMESTAMP").cast(pl.Int64).max(),
                EVENTS=pl.len().cast(pl.Int64),
                OVER=pl.lit(0, dtype=pl.Int64),
            )
            .collect()
        )
        counts = met.select("ITEM_ID", TIMES="EVENTS")
        self._since += times_by_row(counts, self._artifact.items)
        over = None
        if self._shown is not None:
            over = passed_over(shown(events, self._shown(self._unexplained(events))))
            self._since += times_by_row(over, self._artifact.items)
        self._remember(met, over)

    @staticmethod
    def _unexplained(events: pl.DataFrame) -> pl.Series:
        """recommendationIds of events that do not say themselves what was shown."""
        return events.filter(pl.col("IMPRESSION").is_null())["RECOMMENDATION_ID"]

    def _remember(self, met: pl.DataFrame, over: pl.DataFrame | None) -> None:
        """Add to what is known of items that the model does not know: those met last are kept."""
        parts = [met]
        if over is not None:
            zero = pl.lit(0, dtype=pl.Int64)
            nothing = pl.lit(None, dtype=pl.Int64)
            parts.append(
                over.select("ITEM_ID", FIRST=nothing, LAST=nothing, EVENTS=zero, OVER=pl.col("TIMES"))
            )
        fresh = pl.concat([part.select(list(_MET)) for part in parts])
        fresh = fresh.filter(pl.Series(self._artifact.items.find_all(fresh["ITEM_ID"]) < 0, dtype=pl.Boolean))
        if not len(fresh):
            return
        joined = pl.concat([self._strangers, fresh]).group_by("ITEM_ID").agg(*_MERGED)
        if len(joined) > MOST_ITEMS:
            joined = joined.sort("LAST", descending=True, nulls_last=True).head(MOST_ITEMS)
        self._strangers = joined

    # -- newcomers

    def _members(self) -> Members:
        """The same as before when nobody new came."""
        if not self._grows:
            return self.candidates.members
        outside = self.catalogue.outside()
        met = int((self._strangers["EVENTS"] > 0).sum())
        before, until = self._outside, self.until
        self._outside = outside, met, until
        if before is None and not len(outside) and not met:
            return self.candidates.members
        if before is not None and before[0] is outside and before[1:] == (met, until):
            return self.candidates.members
        return self._gathered(self.catalogue.outside(until))

    def _gathered(self, records: pl.DataFrame) -> Members:
        """The members with newcomers from `records` and from the events of unknown items."""
        items, schema, exposure = self._artifact.items, self.catalogue.schema, self._exposure
        key = id_column(schema)
        stated = pl.col("CREATION_TIMESTAMP") if "CREATION_TIMESTAMP" in records.columns else pl.lit(None)
        known = records.lazy().select(ITEM_ID=pl.col(key), STATED=stated.cast(pl.Int64))
        met = self._strangers.lazy().filter(pl.col("EVENTS") > 0).select("ITEM_ID", "FIRST")
        room = max(0, self._most - len(items))
        newcomers = (
            known.join(met, on="ITEM_ID", how="full", coalesce=True)
            .select(
                "ITEM_ID",
                CREATED=pl.coalesce("STATED", "FIRST", pl.lit(exposure.latest, dtype=pl.Int64)),
            )
            .sort("CREATED", "ITEM_ID", descending=[True, False])
            .head(room)
            .collect()
        )
        ids = IdTable.from_series(newcomers["ITEM_ID"])
        came = np.zeros(len(ids), dtype=np.int64)
        came[ids.find_all(newcomers["ITEM_ID"])] = newcomers["CREATED"].to_numpy()
        own = records.filter(pl.col(key).is_in(newcomers["ITEM_ID"]))
        columns = ColumnSet.build(own, schema, ids)
        created = np.concatenate([exposure.created, came])
        vectors = None
        if len(ids):
            aligned = ids.series().alias(key).to_frame().join(own, on=key, how="left", maintain_order="left")
            vectors = self._artifact.complete.embed(aligned)
        unmet = exposure.interactions == 0
        return Members(len(items), ids, columns, created, exposure.latest, unmet, vectors)

    def _candidates(self, members: Members) -> Candidates:
        seen = self._since + self._exposure.interactions
        if self._shown is not None:
            seen += self._exposure.passed_over
        if len(members.ids):
            own = self._strangers.select("ITEM_ID", TIMES=pl.col("EVENTS") + pl.col("OVER"))
            seen = np.concatenate([seen, times_by_row(own, members.ids)])
        return Candidates(members, (1.0 / np.sqrt(1.0 + seen)).astype(np.float32))
