"""aws-ecomm-frequently-bought-together, `BoughtTogether`: complements, the other items of the orders that an
item is in.

An order is what one user bought in one sitting: events less than `SITTING` seconds apart. An order of many
items says less of each pair, so it counts 1 / log2(1 + items); the n-th order of one user 1 / n, so that a
wholesaler, or a robot, does not decide what belongs together; and half as much for each half-life of its age.
A pair's worth is the sum of its orders over the other item's orders to the power of a discount: 0 puts the
most bought items first, 1 the rarest. Half-life and discount are those of `HALF_LIVES` and `DISCOUNTS` that
find most of the other items of the newest tenth of the orders, given one of them; none and `FEW` where these
are few. Where hardly anybody orders two things at once, the histories of users stand for their orders.

Behind the items ordered with the anchor come the best sellers.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ..algorithms.arrays import Float64, Int64
from ..algorithms.cooccurrence import LEVEL_BITS, pair_sums, paired_items
from ..algorithms.events import Events
from ..algorithms.item_to_item import TOP, ItemToItem
from ..algorithms.sparse import SparseRows, join, strongest
from ..storage.idtable import IdTable
from .item_counts import ItemCounts
from .model import Model
from .recipe import Recipe
from .sims import SimsModel
from .training import Configuration, Training, TrainingData

SITTING = 1_800
DISCOUNTS = (0.0, 0.1, 0.2, 0.3, 0.5, 0.7)
HALF_LIVES = (0.0, 180.0, 60.0)
"""Days; 0: orders do not fade."""
LEAST_ORDERS = 200
"""Orders of two items or more below which users' histories stand for them; and held-out ones below which the
discount is `FEW`."""
FEW = 0.5
ASKED = 2_000
"""Held-out orders that the discount is chosen on."""
LIST = 25
OLDEST = 2.0**-10
"""Least weight of an order by its age: weights are counted in steps, few for a large span."""


class Rule(NamedTuple):
    """What was chosen: the power of the discount, and the days in which an order loses half of its weight; 0:
    it loses none."""

    discount: float
    half_life: float = 0.0


class BoughtTogetherModel(SimsModel):
    """See the module."""

    def __init__(self, table: ItemToItem, counts: ItemCounts, rule: Rule) -> None:
        """`rule`: see the module."""
        super().__init__(table, counts)
        self.rule = rule

    def tuned_state(self) -> Mapping[str, Any]:
        """See `Tunes.tuned_state`."""
        return self.rule._asdict()

    def save(self, folder: Path) -> None:
        """See `Model.save`."""
        super().save(folder)
        np.save(folder / "discount.npy", np.array(self.rule))


class BoughtTogether(Recipe):
    """Counts orders; half-life and discount are chosen on the newest of them."""

    api: ClassVar[int] = 1

    def fit(self, data: TrainingData, configuration: Configuration, training: Training) -> Model:
        """See `Recipe.fit`. Memory: that of `pair_sums`, and the table."""
        training.check()
        training.progress("count", 0, 2, "passes")
        orders, weight = orders_of(data.sequences.events)
        warm = training.warm_state
        rule = Rule(warm["discount"], warm["half_life"]) if "half_life" in warm else None
        if rule is None:
            rule = _chosen(orders, weight, training)
            told = f"popularity discounted by {rule.discount:g}, half-life {rule.half_life:g} days"
            training.line(f"{told}, of {len(weight):,} orders")
        training.progress("count", 1, 2, "passes")
        pairs, times = _pairs(orders, _faded(orders, weight, rule.half_life), training)
        training.progress("count", 2, 2, "passes")
        return BoughtTogetherModel(ItemToItem(_worth(pairs, times, rule.discount)), data.counts, rule)

    def load(self, folder: Path, ids: IdTable, counts: ItemCounts) -> Model:
        """See `Recipe.load`."""
        kept = np.atleast_1d(np.load(folder / "discount.npy")).tolist()  # older ones know no half-life
        return BoughtTogetherModel(ItemToItem.load(folder), counts, Rule(*kept))


def orders_of(events: Events, sitting: int = SITTING) -> tuple[Events, Float64]:
    """The events with an order in place of a user, and what each order counts."""
    starts = np.zeros(len(events.item), dtype=np.bool_)
    starts[1:] = np.diff(events.time) >= sitting
    starts[events.ptr[:-1][np.diff(events.ptr) > 0]] = True
    begins = np.flatnonzero(starts)
    ptr = np.append(begins, len(events.item)).astype(np.int64)
    owner = np.searchsorted(events.ptr, begins, side="right")
    first = np.searchsorted(owner, owner)
    orders = Events(ptr, events.item, events.time, events.event, events.weight, events.n)
    weight = 1 / (1.0 + np.arange(len(owner)) - first)
    if np.count_nonzero(np.diff(paired_items(orders)[0]) >= 2) < LEAST_ORDERS and sitting == SITTING:
        return events, np.ones(len(events.ptr) - 1)
    return orders, weight


def _pairs(orders: Events, weight: Float64, training: Training) -> tuple[SparseRows, Float64]:
    """Of each item the weighed orders with each other one, the most of them; and those of the items."""
    ptr, item = paired_items(orders)
    sizes = np.diff(ptr)
    each = weight / np.log2(1.0 + np.maximum(sizes, 1))
    edges, level = _levels(each)
    parts = (
        strongest(row, col, sums.astype(np.float32), 2 * TOP)
        for row, col, sums in pair_sums(ptr, item, orders.n, edges, level, training.check)
    )
    times = np.bincount(item, np.repeat(each, sizes), orders.n).astype(np.float64)
    return join(parts, orders.n), times


def _levels(weight: Float64) -> tuple[Float64, Int64]:
    """The weights in steps of equal ratio, as `pair_sums` takes them."""
    most = (1 << LEVEL_BITS) - 1
    low, high = np.log(weight.min(initial=1.0)), np.log(weight.max(initial=1e-9))
    span = max(float(high - low), 1e-9)
    edges = np.exp(low + span * np.arange(most + 1) / most)
    return edges, np.rint((np.log(weight) - low) / span * most).astype(np.int64)


def _worth(pairs: SparseRows, times: Float64, discount: float) -> SparseRows:
    row = np.repeat(np.arange(pairs.n), np.diff(pairs.ptr))
    value = np.log(pairs.value) - discount * np.log(times[pairs.col])
    return join([strongest(row, pairs.col, value.astype(np.float32), TOP)], pairs.n)


def _begun(orders: Events) -> Int64:
    """int64[orders], seconds of the first event of each."""
    return orders.time[np.minimum(orders.ptr[:-1], max(len(orders.time) - 1, 0))]


def _faded(orders: Events, weight: Float64, half_life: float) -> Float64:
    """The weights of orders by their age; `OLDEST` of them at least is left."""
    if not half_life or not len(weight):
        return weight
    began = _begun(orders)
    age = (began.max() - began) / 86_400
    faded: Float64 = weight * np.maximum(0.5 ** (age / half_life), OLDEST)
    return faded


def _chosen(orders: Events, weight: Float64, training: Training) -> Rule:
    """The rule under which the newest tenth of the orders is found best."""
    sizes = np.diff(orders.ptr)
    newest = np.argsort(_begun(orders), kind="stable")[len(sizes) - len(sizes) // 10 :]
    held = newest[sizes[newest] >= 2]
    if len(held) < LEAST_ORDERS:
        return Rule(FEW)
    rng = np.random.default_rng(training.seed)
    asked = []
    for order in rng.permutation(held)[:ASKED].tolist():
        items = np.unique(orders.item[orders.ptr[order] : orders.ptr[order + 1]])
        asked.append((int(rng.choice(items)), items))
    kept = np.ones(len(sizes), dtype=np.bool_)
    kept[newest] = False
    before = _some(orders, kept)
    found = np.zeros((len(HALF_LIVES), len(DISCOUNTS)))
    for row, half_life in zip(found, HALF_LIVES, strict=True):
        pairs, times = _pairs(before, _faded(before, weight[kept], half_life), training)
        for anchor, items in asked:
            training.check()
            span = slice(int(pairs.ptr[anchor]), int(pairs.ptr[anchor + 1]))
            col, value = pairs.col[span], np.log(pairs.value[span])
            others = np.isin(col, items[items != anchor])
            for place, discount in enumerate(DISCOUNTS):
                best = np.argsort(-(value - discount * np.log(times[col])), kind="stable")[:LIST]
                row[place] += _gain(others[best])
    chosen, best_discount = divmod(int(found.argmax()), len(DISCOUNTS))
    return Rule(DISCOUNTS[best_discount], HALF_LIVES[chosen])


def _gain(hits: Any) -> float:
    return float((hits / np.log2(np.arange(2, len(hits) + 2))).sum())


def _some(orders: Events, kept: Any) -> Events:
    sizes = np.diff(orders.ptr)
    events = np.repeat(kept, sizes)
    ptr = np.concatenate(([0], np.cumsum(sizes[kept])))
    return Events(
        ptr, orders.item[events], orders.time[events], orders.event[events], orders.weight[events], orders.n
    )
