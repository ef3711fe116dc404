"""Additive explanation of a fused score, `sources`: what each base ranker adds to one item's score, and which
events of the user it had that from.

A linear fusion needs no surrogate: its terms are the explanation, exact but for rounding. What one event said
is found by leaving it out of the question (occlusion; Covert, Lundberg and Lee, "Explaining by Removing",
2021), for the item-to-item rankers, whose features are sums over the events.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

import numpy as np

from ...algorithms.arrays import Bools, Float32, Int64
from ...algorithms.encoder import Encoder
from ...algorithms.freshness import Freshness
from ...algorithms.linear import Linear
from ...algorithms.naive_bayes import NaiveBayes
from ...algorithms.neighbours import Neighbours
from ...algorithms.popularity import Popularity
from ...algorithms.ranker import BaseRanker
from ...algorithms.recent_popularity import RecentPopularity
from ...algorithms.repeat_consumption import PersonalFrequency, RepeatConsumption
from ...algorithms.session_linear import SessionLinear
from ...algorithms.session_neighbours import SessionNeighbours
from ...algorithms.taste import Taste
from ...algorithms.transitions import Transitions
from ..model import Source
from ..objective import ItemRewards
from ..query import Query
from .cold_items import ColdScores
from .weights import POPULAR

TERMS: Mapping[str, str] = {
    Encoder.kind: "sequence encoder",
    Transitions.kind: "transitions (Markov chain)",
    SessionLinear.kind: "session-aware linear model (SLIS)",
    SessionNeighbours.kind: "session neighbours (V-SKNN)",
    Linear.kind: "item-to-item linear model (EASE)",
    Neighbours.kind: "item neighbours (cosine)",
    Popularity.kind: "popularity",
    RecentPopularity.kind: "recent popularity",
    Freshness.kind: "freshness",
    RepeatConsumption.kind: "repeat consumption",
    PersonalFrequency.kind: "personal frequency",
    NaiveBayes.kind: "naive Bayes of metadata and context",
    Taste.kind: "taste in an attribute",
}
"""What the literature calls a ranker, by kind."""

ITEM_TO_ITEM = (Transitions, SessionLinear, Linear, Neighbours)
"""Rankers whose feature is a sum over the user's events."""

HISTORY_ITEMS = 30
"""Distinct items of a history, the newest, that are left out one by one."""

TIE, CONTENT, BEHIND, OBJECTIVE, SHIFT = "ties", "content", "behind", "objective", "shift"


class Explained(Protocol):
    """What is asked of a fused model: see `FusedModel`."""

    rewards: ItemRewards | None
    interacted: Bools

    @property
    def rewarded(self) -> bool: ...
    def scores(self, query: Query) -> Float32: ...
    def relevance(self, query: Query) -> Float32: ...
    def base(self, query: Query) -> Float32: ...
    def plan(self, query: Query) -> tuple[tuple[BaseRanker, np.float32], ...]: ...
    def behind(self, query: Query) -> Int64: ...
    def cold_items(self, query: Query) -> ColdScores | None: ...


def sources(model: Explained, query: Query, row: int) -> list[Source]:
    """See `ExplainsSources.sources`. Beside the rankers: the popular items of a user without events, the
    order among equals, what metadata say of an item that nobody met, the objective. About as much work as a
    dozen answers; safe in any thread."""
    base = model.base(query)
    if len(query.item):
        found = [Source(TIE, "order of popularity among equals", 1.0, float(base[row]), float(base.mean()))]
    else:
        found = [Source(POPULAR, "logarithm of the users", 1.0, float(base[row]), float(base.mean()))]
    for ranker, weight in model.plan(query):
        feature = ranker.feature(query)
        history = _occluded(ranker, float(weight), query, row) if isinstance(ranker, ITEM_TO_ITEM) else None
        term = TERMS[ranker.kind]
        average = float(feature.mean(dtype=np.float64))
        found.append(Source(ranker.name, term, float(weight), float(feature[row]), average, history))
    cold = model.cold_items(query)
    if cold is not None and not model.interacted[row]:
        value = float(cold.at(np.array([row]))[0])
        found.append(Source(CONTENT, "content model of the metadata", 1.0, value, 0.0))
    rewarded = model.rewarded and bool(model.interacted.any())
    if row in model.behind(query) and model.interacted.any():
        behind = float(model.scores(query)[row]) - sum(one.weight * one.value for one in found)
        return [*found, Source(BEHIND, "nothing is known of the item: behind all others", 1.0, behind, 0.0)]
    return _with_objective(model, query, row, found) if rewarded else found


def _with_objective(model: Explained, query: Query, row: int, found: list[Source]) -> list[Source]:
    """The same with the objective, as `ItemRewards.blended` has it."""
    rewards = model.rewards
    assert rewards is not None
    among = model.relevance(query)[model.interacted]
    low, span = float(among.min()), max(float(among.max()) - float(among.min()), 1e-6)
    kept = 1 - rewards.share
    damped = [
        one._replace(
            weight=one.weight * kept, history=None if one.history is None else one.history * np.float32(kept)
        )
        for one in found
    ]
    value, average = float(rewards.values[row]), float(rewards.values.mean())
    objective = Source(
        OBJECTIVE, "optimization objective, scaled to 0..1", rewards.share * span, value, average
    )
    # The same for all items: the span of relevance begins at 0 before the objective is added.
    return [
        *damped,
        objective,
        Source(SHIFT, "begin of the scale, the same for all", 1.0, -kept * low, -kept * low),
    ]


def _occluded(ranker: BaseRanker, weight: float, query: Query, row: int) -> Float32:
    """float32[k]: what the ranker's part of the score loses without all events of an item, at the newest of
    them; 0 at the others."""
    lost = np.zeros(len(query.item), dtype=np.float32)
    rows = np.array([row])
    whole = float(ranker.lazy(query).at(rows)[0])
    newest_first, first = np.unique(query.item[::-1], return_index=True)
    places = len(query.item) - 1 - first
    for place in np.argsort(-places)[:HISTORY_ITEMS].tolist():
        kept = query.item != newest_first[place]
        without = replace(
            query,
            item=query.item[kept],
            time=query.time[kept],
            event=query.event[kept],
            weight=query.weight[kept],
        )
        if kept.any():
            lost[places[place]] = weight * (whole - float(ranker.lazy(without).at(rows)[0]))
        else:
            lost[places[place]] = weight * (whole - ranker.unseen_value(without))
    return lost
