"""Return hazard of items (hazard models of return; Kapoor, Sun, Srivastava and Ye, "A hazard based approach
to user return time prediction", KDD 2014), `ReturnHazard`: how many times as often as users' habits alone say
an item comes back, by the time since it was met.

Bread comes back every week and a washing machine never, whoever bought them. For each item and span of time
the returns are counted beside those expected from kind, count and age of the event (`repeat_consumption`).
The ratio of an item leans on that of its category, and this on the whole (empirical Bayes, a gamma prior
worth `PRIOR` expected returns): the categorical column that says most about returns is the one. Each of the
`MOST_CLASSES` most frequent types of events has ratios of its own: what is viewed again and again until it is
bought does not come back after that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from .arrays import Bools, Float32, Float64, Int32, Int64
from .content_model import means
from .item_attribute import ItemAttribute

DAY = 86_400
EDGES = (3_600, DAY, 7 * DAY, 30 * DAY, 120 * DAY)
"""Seconds that part the spans of time since an item was met."""
SPANS = len(EDGES) + 1
PRIOR = 3.0
"""Expected returns that the ratio of a category, or of all, is worth beside an item's own. (A return is near
in as many questions as there are events in the horizon.)"""
LEAST = 1e-3
"""Least ratio."""
MOST_CLASSES = 4
"""Types of events that are told apart; of more the least frequent are taken together."""


class Waits(NamedTuple):
    """Of the m events of some users: the questions in which its item is one that was met, the event being the
    newest with it; one before every later event of the user, up to the item's return.

    Attributes:
        ptr, item, time: as in `Events`, from 0 on.
        cell: int64[m], the number of what else is known of an event.
        asked: int64[m], the questions. early: int64[m], those that were asked before the return was near.
        returns: bool[m], whether the item comes back.
        pairs: different pairs of user and item.
    """

    ptr: Int64
    item: Int32
    time: Int64
    cell: Int64
    asked: Int64
    early: Int64
    returns: Bools
    pairs: int

    def within(self, low: Int64 | int, high: Int64 | int) -> Int64:
        """int64[m], the questions after the first `low` up to `high`."""
        return np.minimum(self.asked, high) - np.minimum(self.asked, low)

    def came(self, low: Int64 | int, high: Int64 | int) -> Int64:
        """int64[m], those of them with a return near."""
        near = np.clip(self.asked, low, high) - np.clip(self.early, low, high)
        return np.where(self.returns, near, 0)

    def until(self) -> Int64:
        """int64[m, SPANS], the questions that fall into a span of time or an earlier one."""
        found = np.empty((len(self.time), SPANS), dtype=np.int64)
        found[:, -1] = self.asked
        if not len(self.time):
            return found
        lengths, since = np.diff(self.ptr), self.time - self.time.min()
        reach = int(since.max()) + EDGES[-1] + 1
        key = np.repeat(np.arange(len(lengths)), lengths) * reach + since
        place = np.arange(len(key))
        for span, edge in enumerate(EDGES):
            after = np.searchsorted(key, key + edge, side="right") - 1 - place
            found[:, span] = np.minimum(after, self.asked)
        return found


def octave(age: int, ages: int) -> tuple[int, int]:
    """Which questions after an event have this one of `ages`: those after the first `low` up to `high`."""
    return (1 << age) - 1, (1 << (age + 1)) - 1 if age < ages - 1 else 1 << 40


def span_of(age: Int64) -> Int64:
    """The number of the span of ages in seconds."""
    return np.searchsorted(EDGES, age, side="left")


class ReturnHazard:
    """Immutable."""

    def __init__(self, logs: Float32, classes: Int64) -> None:
        """`logs`: float32[n, classes, SPANS], the logarithm of the ratio of each item; `classes`:
        int64[kinds], which of them the events of a kind have."""
        self.logs, self.classes = logs, classes

    @classmethod
    def of(
        cls,
        waits: Iterable[Waits],
        chance: Float64,
        n: int,
        horizon: int,
        categories: Mapping[str, ItemAttribute],
        classes: Int64,
    ) -> ReturnHazard:
        """Count; as much work as `repeat_consumption` has with the same events. Memory: 120 bytes for each
        class of an item.

        Args:
            waits: of all events, piece by piece; the cells of one kind stand together.
            chance: float64[ages, cells], of a return, by the octave of the number of events since.
            n: items. horizon: events ahead in which a return is near. categories: of the items, by column.
            classes: int64[kinds], see `ReturnHazard` and `classes_of`.
        """
        parted = int(classes.max()) + 1
        class_of = np.repeat(classes, chance.shape[1] // len(classes))
        rows = n * parted
        returned, trials = np.zeros((2, rows * SPANS))
        expected: Float64 = np.zeros(rows)
        for some in waits:
            row = some.item.astype(np.int64) * parted + class_of[some.cell]
            due = np.zeros(len(some.item))
            for age in range(len(chance)):
                due += some.within(*octave(age, len(chance))) * chance[age, some.cell]
            expected += np.bincount(row, weights=due, minlength=rows)
            before: Int64 | int = 0
            for span, until in enumerate(some.until().T):
                cell = row * SPANS + span
                trials += np.bincount(cell, weights=some.within(before, until), minlength=rows * SPANS)
                returned += np.bincount(cell, weights=some.came(before, until), minlength=rows * SPANS)
                before = until
        returned, trials = (one.reshape(n, parted, SPANS) for one in (returned, trials))
        expected = expected.reshape(n, parted)
        logs = [
            _logs(returned[:, one], trials[:, one], expected[:, one], horizon, categories)
            for one in range(parted)
        ]
        return cls(np.stack(logs, axis=1), classes)

    def of_items(self, items: Int32 | Int64, kind: Int64, age: Int64) -> Float32:
        """float32[m], the logarithms for items that were met so many seconds ago, by events of these kinds
        (-1: the last)."""
        return np.asarray(self.logs[items, self.classes[kind], span_of(age)])


def classes_of(counts: Int64) -> Int64:
    """int64[kinds], the class of each kind of so many events: its own for the most frequent ones."""
    order = np.argsort(-counts, kind="stable")
    classes = np.zeros(len(counts), dtype=np.int64)
    classes[order] = np.minimum(np.arange(len(counts)), MOST_CLASSES - 1)
    classes[counts == 0] = 0
    return classes


def _logs(
    returned: Float64,
    trials: Float64,
    expected: Float64,
    horizon: int,
    categories: Mapping[str, ItemAttribute],
) -> Float32:
    """float32[n, SPANS] of one class, of float64[n, SPANS] returns and questions and float64[n] returns that
    were expected."""
    pace = returned.sum(axis=0) / np.maximum(trials.sum(axis=0), 1.0)
    due = trials * pace
    due *= (expected / np.maximum(due.sum(axis=1), 1e-9))[:, None]
    returned, due = returned / horizon, due / horizon
    ratios = _ratios(returned, due, _of_categories(returned, due, categories))
    found: Float32 = np.log(np.maximum(ratios, LEAST)).astype(np.float32)
    return found


def _ratios(returned: Float64, due: Float64, prior: Float64 | float) -> Float64:
    """float64[m, SPANS]: of each row altogether, then of each span, each drawn to what is above it."""
    whole = (returned.sum(axis=1) + PRIOR) / ((due * prior).sum(axis=1) + PRIOR)
    found: Float64 = (returned + PRIOR * whole[:, None]) / (due * prior + PRIOR) * prior
    return found


def _of_categories(
    returned: Float64, due: Float64, categories: Mapping[str, ItemAttribute]
) -> Float64 | float:
    """float64[n, SPANS], the ratios by the column under which the returns are likeliest (Poisson); 1 where no
    column is better than none."""
    best = 0.0
    chosen: Float64 | float = 1.0
    for attribute in categories.values():
        lengths = np.diff(attribute.ptr)
        item = np.repeat(np.arange(len(lengths)), lengths)
        share = 1.0 / lengths[item]
        came, due_back = (
            np.stack(
                [
                    np.bincount(attribute.code, table[item, span] * share, attribute.size).astype(np.float64)
                    for span in range(SPANS)
                ],
                axis=1,
            )
            for table in (returned, due)
        )
        ratios = _ratios(came, due_back, 1.0)
        gain = float((came * np.log(ratios) - due_back * (ratios - 1)).sum()) - attribute.size
        if gain > best:
            best = gain
            logs = np.log(ratios).astype(np.float32)
            mean = [means(attribute, logs[:, span]) for span in range(SPANS)]
            chosen = np.exp(np.stack(mean, axis=1).astype(np.float64))
    return chosen
