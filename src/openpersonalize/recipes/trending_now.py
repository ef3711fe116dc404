"""aws-trending-now, `TrendingNow`: the items whose users grow fastest, the same for everybody.

The trend of an item is the number of users in the last interval less that in the interval before
(`trend_discovery_frequency` is the interval's length). A user counts once in an interval, so one user with a
thousand events moves an item by one. Behind the items that grow come those that nobody used in either
interval, by popularity, and last those that shrink. Where nobody used anything in both, the popular items
answer.

As trained the last interval ends with the newest interaction. Once events are streamed it ends by the clock:
with the span of the clock that is asked in (`serving.states.FRESH_SECONDS`), whatever the interval. Items
that came after training are counted and listed like the others.

Memory: 20 bytes for every pair of a user and an item in the last two intervals, at most `MOST_VISITS` of what
is streamed; 8 bytes an item.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar

import numpy as np

from ..algorithms.arrays import Float32, Float64, Int32, Int64, UInt64
from ..algorithms.distinct_users import VisitLog, Visits, visits
from ..algorithms.popularity import parted
from ..algorithms.topk import top_k
from ..datasets.sequences import Sequences
from ..exploration.newcomers import MOST as MOST_NEWCOMERS
from ..storage.idtable import IdTable
from .item_counts import ItemCounts
from .model import Model
from .query import Query
from .recipe import Recipe
from .training import Configuration, Training, TrainingData

SECONDS = {"30 minutes": 1_800, "1 hour": 3_600, "2 hours": 7_200, "3 hours": 10_800, "1 day": 86_400}
"""Length of the interval by the value of ``trend_discovery_frequency``."""

LIST = 25
"""Items whose prediction is measured."""

_SPREAD = np.uint64(0x9E3779B97F4A7C15)
"""Spreads numbers evenly (multiplicative hashing; Knuth 1973)."""

_FILE, _VISITS, _ONLINE = "trending.json", "visits", "observed"


class TrendingModel:
    """Trends as of the end of the training data; immutable. `online` follows the clock."""

    def __init__(self, known: Visits, window: int, end: int, counts: ItemCounts) -> None:
        """`known`: in the last two intervals of `window` seconds; `end`: the newest interaction, seconds;
        `counts`: of the catalogue."""
        self.known, self.window, self.end, self.counts = known, window, end, counts
        self.trends = trends(*_users(known, end, window, len(counts)), counts)[0]

    def scores(self, query: Query) -> Float32:
        """See `Model.scores`: the same for every query."""
        return self.trends.copy()

    def online(self) -> OnlineTrending:
        """See `Online.online`."""
        return OnlineTrending(self)

    def save(self, folder: Path) -> None:
        """See `Model.save`."""
        self.known.save(folder, _VISITS)
        (folder / _FILE).write_text(json.dumps({"window": self.window, "end": self.end}))


class OnlineTrending:
    """Trends by the clock, of the catalogue and of the items that came after it. `observe` belongs to one
    thread, the rest to any."""

    def __init__(self, trained: TrendingModel) -> None:
        """Nothing observed yet: it answers as `trained`."""
        self._trained, self._base = trained, trained.known
        self._log = VisitLog(trained.window)
        self._visits = trained.known
        self._clock = False
        self._unnamed = 0
        self._found: dict[int, tuple[Float32, Float32]] = {}
        self._lock = Lock()

    def observe(self, item: Int32, time: Int64, weight: Float32, user: UInt64 | None = None) -> None:
        """See `OnlineModel.observe`; a user that is not named is somebody else each time."""
        if not len(item):
            return
        if user is None:
            numbers = np.arange(self._unnamed, self._unnamed + len(item), dtype=np.uint64)
            self._unnamed, user = self._unnamed + len(item), numbers * _SPREAD
        self._log.add(item, time, user)
        newest = int(time.max())
        self._follow(newest - 2 * self._trained.window)

    def _follow(self, since: int) -> None:
        known = Visits.joined([self._base.after(since), self._log.visits()])
        with self._lock:
            self._visits, self._clock, self._found = known, True, {}

    def scores(self, query: Query) -> Float32:
        """See `Model.scores`."""
        return self._at(query.now)[0].copy()

    def new_item_scores(self, query: Query, vectors: Any, numbers: Int64) -> Float32:
        """See `RanksNewItems.new_item_scores`: by the users of each; one that nobody used is no answer."""
        found = np.full(len(numbers), -np.inf, dtype=np.float32)
        newcomers = self._at(query.now)[1]
        told = np.flatnonzero((numbers >= 0) & (numbers < len(newcomers)))
        found[told] = newcomers[numbers[told]]
        return found

    def online_bonus(self, query: Query, newcomers: Int64) -> Float32:
        """See `OnlineModel.online_bonus`: nothing, `new_item_scores` says all."""
        return np.zeros(len(newcomers), dtype=np.float32)

    def _at(self, now: int) -> tuple[Float32, Float32]:
        """Scores of the catalogue and of the newcomers, by their numbers."""
        trained, n = self._trained, len(self._trained.counts)
        with self._lock:
            known, found, clock = self._visits, self._found.get(now), self._clock
        if not clock:
            return trained.trends, np.empty(0, np.float32)
        if found is None:
            most = min(max(int(known.item.max(initial=-1)) + 1, n), n + MOST_NEWCOMERS)
            found = trends(*_users(known, now, trained.window, most), trained.counts)
            with self._lock:
                if self._visits is known:
                    self._found = {now: found}
        return found

    def save_online(self, folder: Path) -> None:
        """See `OnlineModel.save_online`: nobody can be told from it."""
        self._visits.save(folder, _ONLINE)
        described = {"items": len(self._trained.counts), "clock": self._clock}
        (folder / _FILE).write_text(json.dumps(described))

    def load_online(self, folder: Path) -> None:
        """See `OnlineModel.load_online`."""
        described = json.loads((folder / _FILE).read_text())
        if described["items"] != len(self._trained.counts):
            raise ValueError("an online state of another model")
        known = Visits.load(folder, _ONLINE)
        self._log = VisitLog(self._trained.window)
        with self._lock:
            self._base = self._visits = known
            self._clock, self._found = bool(described["clock"]), {}

    def save(self, folder: Path) -> None:
        """See `Model.save`: that of the trained model."""
        self._trained.save(folder)


class TrendingNow(Recipe):
    """Counts the last two intervals; nothing to validate."""

    api: ClassVar[int] = 1

    def fit(self, data: TrainingData, configuration: Configuration, training: Training) -> Model:
        """See `Recipe.fit`."""
        events, window = data.sequences, _window(configuration)
        training.check()
        end = min(int(events.time.max(initial=0)), training.moment)
        known = _newest(events, end, 2 * window, window)
        training.progress("count", len(events.item), len(events.item), "events")
        return TrendingModel(known, window, end, data.counts)

    def load(self, folder: Path, ids: IdTable, counts: ItemCounts) -> Model:
        """See `Recipe.load`."""
        described = json.loads((folder / _FILE).read_text())
        return TrendingModel(Visits.load(folder, _VISITS), described["window"], described["end"], counts)

    def measured(
        self, model: Model, data: TrainingData, configuration: Configuration, training: Training
    ) -> Mapping[str, float]:
        """See `Measures.measured`: the last interval is predicted from what came before it."""
        events, window = data.sequences, _window(configuration)
        n, end = len(events.items), min(int(events.time.max(initial=0)), training.moment)
        known = _newest(events, end, 3 * window, window)
        now, before = _users(known, end, window, n)
        past = replace(data, interactions=events.where(events.time <= end - window))
        predicted = trends(before, known.users(end - 2 * window, n), past.counts)[0]
        best = top_k(predicted, LIST)
        growth = now - before
        really = float(np.sort(growth)[-LIST:].sum())
        accuracy = float(growth[best].sum()) / really if really > 0 else 0.0
        return {
            "coverage": len(best) / max(n, 1),
            "trend_prediction_accuracy": float(np.clip(accuracy, 0.0, 1.0)),
        }


def trends(now: Float64, before: Float64, counts: ItemCounts) -> tuple[Float32, Float32]:
    """float32[n], scores of the catalogue, no two the same, and float32[m] of the newcomers behind it, -inf
    for one that nobody used.

    Args:
        now, before: float64[n + m], users of the last interval and of the one before.
    """
    n, total = len(counts), len(now)
    used = (now > 0) | (before > 0)
    if not used.any():
        return counts.scores, np.full(total - n, -np.inf, dtype=np.float32)
    growth = now - before
    place = np.arange(total)
    place[counts.order] = np.arange(n)
    active = np.flatnonzero(used)
    ordered = active[np.lexsort((place[active], -now[active], -growth[active]))]
    rising = int(np.count_nonzero(growth[ordered] >= 0))
    calm = counts.order[~used[counts.order]].astype(np.int64)
    seen = int(np.count_nonzero(counts.interacted[calm]))
    order = np.concatenate((ordered[:rising], calm[:seen], ordered[rising:], calm[seen:]))
    values = np.concatenate(
        (
            counts.scores.max(initial=0.0) + 1 + np.log1p(growth[ordered[:rising]]),
            counts.scores[calm[:seen]],
            counts.scores.min(initial=0.0) - 1 - np.log1p(-growth[ordered[rising:]]),
            np.full(len(calm) - seen, -np.inf),
        )
    ).astype(np.float32)
    values[len(order) - (len(calm) - seen) :] = values[: len(order) - (len(calm) - seen)].min(initial=0.0) - 1
    found = np.full(total, -np.inf, dtype=np.float32)
    found[order] = parted(values)
    return found[:n], found[n:]


def _window(configuration: Configuration) -> int:
    return SECONDS[str(configuration.parameters["trend_discovery_frequency"])]


def _users(known: Visits, end: int, window: int, n: int) -> tuple[Float64, Float64]:
    return known.users(end, n), known.users(end - window, n)


def _newest(events: Sequences, end: int, span: int, window: int) -> Visits:
    """The visits of the last `span` seconds before `end`."""
    some = np.flatnonzero((events.time > end - span) & (events.time <= end))
    user = np.searchsorted(events.ptr, some, side="right").astype(np.uint64)
    return visits(events.item[some], events.time[some], user, window)
