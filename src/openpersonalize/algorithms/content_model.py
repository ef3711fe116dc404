"""Content-based scores of items (Pazzani and Billsus, "Content-based recommendation systems", 2007):
`ContentModel`, what a user's items have in common with an item that nobody met.

Each column of the items' metadata says for a user how much more often than everybody the user meets a value::

    ratio(v) = log((met(v) + PRIOR * base(v)) / (met + PRIOR) / base(v))

where ``met(v)`` counts the user's events with items of the value (an item of several values shares its event
among them; older events fade), and ``base`` is everybody's share. Of an item the ratios of its values are
averaged, and columns are summed up with the weights of a conditional logit: which of many items did users
come to that they had not met before? So a column that says nothing weighs nothing, and the sum is a log-odds.

Numbers are quantiles, and a user who met one met its neighbours as well, a little. Memory: the attributes,
4 bytes a value of an item and 8 an item and column, mapped in serving.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from .arrays import Bools, Float32, Float64, Int32, Int64
from .conditional_logit import fit_logit
from .events import Events
from .item_attribute import ItemAttribute
from .mapped import mapped
from .ranker import RankerQuery

PRIOR = 5.0
"""Events that a user counts as having made with everybody's taste."""
HALF_LIFE = 90 * 86_400
"""An event counts half when another came so many seconds later."""
QUESTIONS, TRIES = 500, 5
"""Events that the weights are found on, of so many times as many drawn."""
ALTERNATIVES = 64
"""Items drawn beside the one that was met, as often as they are met."""
LONGEST = 200
"""Newest events of a history that count."""
CENTRE, CERTAINTY = 0.5, 4.0
"""Where weights begin, and how many questions that is worth (a Gaussian prior)."""
NEIGHBOURS: Float64 = np.array([1.0, 2.0, 3.0, 2.0, 1.0]) / 9.0
"""How an event with a number counts for the quantiles around it."""

_FILE = "content"


@dataclass(frozen=True)
class ContentColumn:
    """One column.

    Attributes:
        attribute: the values of the catalogue's items. base: float64[size], everybody's share of each.
        ordered: whether neighbouring values are alike. weight: in the sum.
    """

    attribute: ItemAttribute
    base: Float64
    ordered: bool
    weight: float = 1.0

    @classmethod
    def of(cls, attribute: ItemAttribute, ordered: bool, events: Float64) -> ContentColumn:
        """Of items with so many `events`, float64[n]."""
        lengths = np.diff(attribute.ptr)
        each = np.repeat(events / np.maximum(lengths, 1), lengths)
        counted = np.bincount(attribute.code, weights=each, minlength=attribute.size)
        base: Float64 = counted.astype(np.float64) + 0.5
        if ordered:
            base = _spread(base)
        return cls(attribute, base / base.sum(), ordered)

    def ratios(self, item: Int32, counted: Float64) -> Float32:
        """float32[size], of the values for a user who met these items with these weights."""
        own = self.attribute.of(item)
        lengths = own.ptr[1:] - own.ptr[:-1]
        met = (counted / np.maximum(lengths, 1)).repeat(lengths)
        counts = np.bincount(own.code, weights=met, minlength=self.attribute.size)
        sums: Float64 = counts.astype(np.float64, copy=False)
        total = float(counted[lengths > 0].sum()) + PRIOR
        found = np.full(self.attribute.size, math.log(PRIOR / total), dtype=np.float32)
        if self.ordered:
            sums = _spread(sums)
        some = np.flatnonzero(sums)
        share = (sums[some] / self.base[some] + PRIOR) / total
        found[some] = np.log(share)
        return found


def _spread(sums: Float64) -> Float64:
    """Sums of ordered values, each shared with its neighbours; at the ends what would fall off stays."""
    spread: Float64 = np.convolve(sums, NEIGHBOURS)  # begins two places before the first value
    spread[[2, 3]] += spread[[1, 0]]
    spread[[-3, -4]] += spread[[-2, -1]]
    return spread[2:-2]


def means(attribute: ItemAttribute, ratios: Float32) -> Float32:
    """float32[m], the mean ratio of the values of each item, 0 of one without any."""
    sums = np.concatenate(([0.0], np.cumsum(ratios[attribute.code], dtype=np.float64)))
    lengths = attribute.ptr[1:] - attribute.ptr[:-1]
    found: Float32 = ((sums[attribute.ptr[1:]] - sums[attribute.ptr[:-1]]) / np.maximum(lengths, 1)).astype(
        np.float32
    )
    return found


def known(attributes: Sequence[ItemAttribute]) -> Bools:
    """bool[m], the items of which any value is known."""
    found: Bools = np.any([np.diff(one.ptr) > 0 for one in attributes], axis=0)
    return found


class ContentModel:
    """See the module. Immutable."""

    def __init__(self, columns: Sequence[ContentColumn]) -> None:
        """Use `fit` or `load`. `columns`: one or more, in the order of the vocabulary's."""
        self.columns = tuple(columns)

    @classmethod
    def fit(
        cls,
        attributes: Sequence[ItemAttribute],
        ordered: Sequence[bool],
        events: Events,
        seed: int,
        check: Callable[[], None] = lambda: None,
    ) -> ContentModel | None:
        """Count, and find the weights; None where no column says anything. Some tenths of a second, however
        many events there are.

        Args:
            attributes: of the items, without vectors. ordered: which of them are numbers.
            events: what users did. seed: draws questions. check: called between pieces of work.
        """
        interactions = np.bincount(events.item, minlength=events.n).astype(np.float64)
        columns = [
            ContentColumn.of(attribute, number, interactions)
            for attribute, number in zip(attributes, ordered, strict=True)
        ]
        if not columns or not len(events.item):
            return None
        model = cls(columns)
        weights = model._weighed(events, np.random.default_rng(seed), check)
        if not weights.any():
            return None
        return cls([replace(one, weight=float(w)) for one, w in zip(columns, weights, strict=True)])

    def _weighed(self, events: Events, rng: np.random.Generator, check: Callable[[], None]) -> Float64:
        """float64[columns], 0 or more."""
        features, share = self._questions(events, rng, check)
        count = len(features)
        weights = np.full(len(self.columns), CENTRE)
        left = np.arange(len(self.columns))
        while count and len(left):
            ridge = np.full(len(left), CERTAINTY / count)
            found, _ = fit_logit(features[:, :, left], share, ridge, np.full(len(left), CENTRE), check)
            weights[:] = 0.0
            weights[left] = np.maximum(found, 0.0)
            if (found > 0).all():
                break
            left = left[found > 0]
        return weights

    def _questions(
        self, events: Events, rng: np.random.Generator, check: Callable[[], None]
    ) -> tuple[Float32, Float32]:
        """Features float32[Q, 1 + ALTERNATIVES, columns], the item that was met first, and which alternatives
        there are: none that the user had met before."""
        drawn = rng.permutation(len(events.item))[: TRIES * QUESTIONS]
        users = events.ptr.searchsorted(drawn, side="right") - 1
        features, share = [], []
        for place, user in zip(drawn.tolist(), users.tolist(), strict=True):
            start = int(events.ptr[user])
            target, before = events.item[place], events.item[start:place]
            if not len(before) or (before == target).any():
                continue
            check()
            others = events.item[rng.integers(0, len(events.item), ALTERNATIVES)]
            asked = np.concatenate(([target], others))
            span = slice(max(start, place - LONGEST), place)
            profile = self._ratios(events.item[span], events.time[span])
            features.append(
                np.stack(
                    [
                        means(one.attribute.of(asked), ratios)
                        for one, ratios in zip(self.columns, profile, strict=True)
                    ],
                    axis=1,
                )
            )
            allowed = (others != target) & ~np.isin(others, before)
            share.append(np.concatenate(([1.0], allowed)).astype(np.float32))
            if len(features) == QUESTIONS:
                break
        shape = (0, 1 + ALTERNATIVES, len(self.columns))
        if not features:
            return np.empty(shape, np.float32), np.empty(shape[:2], np.float32)
        return np.stack(features), np.stack(share)

    def profile(self, query: RankerQuery) -> list[Float32]:
        """What the columns say for a user with one event or more: float32[size] of each, weighed."""
        ratios = self._ratios(query.item[-LONGEST:], query.time[-LONGEST:])
        return [np.float32(one.weight) * found for one, found in zip(self.columns, ratios, strict=True)]

    def _ratios(self, item: Int32, time: Int64) -> list[Float32]:
        counted = 0.5 ** ((time.max() - time) / HALF_LIFE)
        return [one.ratios(item, counted) for one in self.columns]

    def of(self, rows: Int64) -> tuple[ItemAttribute, ...]:
        """The values of some items of the catalogue, for `scores`."""
        return tuple(one.attribute.of(rows) for one in self.columns)

    @staticmethod
    def scores(profile: Sequence[Float32], attributes: Sequence[ItemAttribute]) -> Float32:
        """float32[m], of items with these values for a user of this `profile`; 0: as likely as for
        anybody."""
        total = means(attributes[0], profile[0])
        for attribute, ratios in zip(attributes[1:], profile[1:], strict=True):
            total += means(attribute, ratios)
        return total

    def save(self, folder: Path) -> None:
        """Files whose names begin with ``content.``."""
        for k, one in enumerate(self.columns):
            np.save(folder / f"{_FILE}.{k}.code.npy", one.attribute.code)
            np.save(folder / f"{_FILE}.{k}.ptr.npy", one.attribute.ptr)
            np.save(folder / f"{_FILE}.{k}.base.npy", one.base)
        described = [[one.attribute.size, one.ordered, one.weight] for one in self.columns]
        (folder / f"{_FILE}.json").write_text(json.dumps(described))

    @classmethod
    def load(cls, folder: Path) -> ContentModel | None:
        """Map what `save` wrote; None where nothing was."""
        if not (folder / f"{_FILE}.json").exists():
            return None
        columns = []
        for k, (size, ordered, weight) in enumerate(json.loads((folder / f"{_FILE}.json").read_text())):
            code, ptr, base = (mapped(folder / f"{_FILE}.{k}.{part}.npy") for part in ("code", "ptr", "base"))
            columns.append(ContentColumn(ItemAttribute(code, ptr, size), base, ordered, weight))
        return cls(columns)
