"""Online state of a fused model, `OnlineState`: its online rankers as they learn from live events, for the
items of the catalogue and for those that came after training.

It belongs to one process, begins at a trained model and can be saved: another process goes on from there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np

from ...algorithms.arrays import Float32, Int32, Int64, UInt64
from ...algorithms.ranker import BaseRanker, OnlineRanker
from ...algorithms.returns import GapLog
from ..query import Query

_Observed: TypeAlias = tuple[Int32, Int64, Float32, Float32]
"""Items, seconds, weights, and seconds since the same user met the same item before."""

START_EVENTS = 100
"""Live events that must have come before popularity follows them: until then its clock stands where training
ended, so that a few stray events do not make all it knows fade away. What one user does counts as
`START_EVENTS` / `START_USERS` of them at most."""

START_USERS = 10

MOST_WAITING = 100_000
"""Live events that wait for that, 24 bytes each: with more the clock starts, whoever they are of."""

FORMAT = 1
_STATE, _CATALOGUE, _NEW_ITEMS, _WAITING = "online.json", "catalogue", "new_items", "waiting.npz"


class OnlineState:
    """What is learned after training.

    Attributes:
        rankers: of the catalogue, by name. new_items: of the items after it, once one of them was observed.
    """

    def __init__(
        self, trained: Sequence[BaseRanker], n: int, pause: int, start_events: int = START_EVENTS
    ) -> None:
        """Nothing observed yet.

        Args:
            trained: the rankers of the model, which stay as they are.
            n: items of the catalogue. pause: see `OnlineRanker.start_clock`.
            start_events: see `START_EVENTS`.
        """
        self.rankers = {one.name: one.fork() for one in trained if isinstance(one, OnlineRanker)}
        self.new_items: dict[str, OnlineRanker] = {}
        self._n, self._pause, self._start_events = n, pause, start_events
        self._gaps = GapLog()
        self._waiting: list[_Observed] = []
        self._who: list[UInt64] = []
        self._counted = 0
        self._started = False

    def observe(self, item: Int32, time: Int64, weight: Float32, user: UInt64 | None = None) -> None:
        """See `OnlineModel.observe`: the clocks start once enough events have come about items that were
        there at training. Those about new items wait for nothing: what these gain makes nothing else fade. A
        user that is not named is somebody else each time."""
        if not len(item):
            return
        gap = np.full(len(item), np.inf, np.float32) if user is None else self._gaps.gaps(item, time, user)
        new = item >= self._n
        if new.any():
            self._observe_new_items(item[new] - self._n, time[new], weight[new], gap[new])
        if new.all():
            return
        self._waiting.append((item[~new], time[~new], weight[~new], gap[~new]))
        if not self._started and not self._enough(None if user is None else user[~new]):
            return
        items, times, weights, gaps = self._taken()
        order = np.argsort(times, kind="stable")
        for ranker in self.rankers.values():
            if not self._started:
                ranker.start_clock(self._pause)
            ranker.partial_fit(items[order], times[order], weights[order], gaps[order])
        self._started, self._who = True, []

    def _enough(self, user: UInt64 | None) -> bool:
        """Whether the clocks may start, with the newest events that wait, of these users."""
        if user is None:
            self._counted += len(self._waiting[-1][0])
        else:
            self._who.append(user)
        return (
            self._counts() >= self._start_events or sum(len(one[0]) for one in self._waiting) > MOST_WAITING
        )

    def _counts(self) -> int:
        """How many of the events that wait count: see `START_EVENTS`."""
        most = max(self._start_events // START_USERS, 1)
        each = np.unique(np.concatenate(self._who), return_counts=True)[1] if self._who else np.zeros(0)
        return self._counted + int(np.minimum(each, most).sum())

    def _taken(self) -> _Observed:
        waiting, self._waiting = self._waiting, []
        items, times, weights, gaps = (np.concatenate(parts) for parts in zip(*waiting, strict=True))
        return items, times, weights, gaps

    def _observe_new_items(self, item: Int32, time: Int64, weight: Float32, gap: Float32) -> None:
        order = np.argsort(time, kind="stable")
        for name, ranker in self.rankers.items():
            own = self.new_items.get(name)
            if own is None:
                own = ranker.for_new_items()
                own.start_clock(self._pause)
            own.grow(int(item.max()) + 1)
            own.partial_fit(item[order], time[order], weight[order], gap[order])
            self.new_items[name] = own

    def bonus(self, plan: Iterable[tuple[BaseRanker, np.float32]], query: Query, new: Int64) -> Float32:
        """float32[m], what observed events add to the scores of new items, which are those of items with
        which nobody interacted. Of an item -1, or one that was not observed, nothing."""
        total = np.zeros(len(new), dtype=np.float32)
        for ranker, weight in plan:
            own = self.new_items.get(ranker.name)
            if own is not None:
                feature = own.feature(query)
                observed = np.flatnonzero((new >= 0) & (new < len(feature)))
                gained = feature[new[observed]] - np.float32(ranker.unseen_value(query))
                total[observed] += weight * gained
        return total

    def save(self, folder: Path) -> None:
        """Write everything into the existing, empty `folder`."""
        for name, rankers in ((_CATALOGUE, self.rankers), (_NEW_ITEMS, self.new_items)):
            (folder / name).mkdir()
            for ranker in rankers.values():
                ranker.save(folder / name)
        nothing = np.empty(0, np.float32)
        waiting = self._waiting or [(np.empty(0, np.int32), np.empty(0, np.int64), nothing, nothing)]
        items, times, weights, gaps = (np.concatenate(parts) for parts in zip(*waiting, strict=True))
        np.savez(folder / _WAITING, item=items, time=times, weight=weights, gap=gaps)
        state = {
            "format": FORMAT,
            "items": self._n,
            "started": self._started,
            "counted": self._counts(),
            "rankers": list(self.rankers),
            "new_items": list(self.new_items),
        }
        (folder / _STATE).write_text(json.dumps(state))

    def load(self, folder: Path) -> None:
        """Go on from what `save` of a state of the same model wrote.

        Raises:
            ValueError: it is of another model, or of a newer release.
        """
        state = json.loads((folder / _STATE).read_text())
        if state["format"] > FORMAT or state["items"] != self._n or state["rankers"] != list(self.rankers):
            raise ValueError("an online state of another model, or of a newer release")
        kinds = {name: type(ranker) for name, ranker in self.rankers.items()}
        self.rankers = {name: kinds[name].load(folder / _CATALOGUE, name) for name in state["rankers"]}
        self.new_items = {name: kinds[name].load(folder / _NEW_ITEMS, name) for name in state["new_items"]}
        self._started = state["started"]
        for ranker in (*(self.rankers.values() if self._started else ()), *self.new_items.values()):
            ranker.start_clock(self._pause)
        with np.load(folder / _WAITING) as waiting:
            items, times, weights = waiting["item"], waiting["time"], waiting["weight"]
            # Before there were gaps, every event counted.
            gaps = waiting["gap"] if "gap" in waiting else np.full(len(items), np.inf, np.float32)
        self._waiting = [(items, times, weights, gaps)] if len(items) else []
        self._counted, self._who = state.get("counted", len(items)), []
        self._gaps = GapLog()
