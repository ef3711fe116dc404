"""The model behind the personal recipes: rankers whose features are added up with validated weights.

Two sets of weights: for answers that may repeat what the user met, and for answers that leave it out. A user
without events gets the popular items, shifted by what is known of the user and the situation. Scores are the
weighted sum of logarithmic features, cooled or warmed by one number so that their softmax fits what users did
next.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import polars as pl

from ..algorithms.arrays import Bools, Float32, Int32, Int64, sorted_unique
from ..algorithms.encoder import DotProductScores, Encoder
from ..algorithms.freshness import Freshness
from ..algorithms.lazy_scores import LazyScores
from ..algorithms.linear import Linear
from ..algorithms.mapped import mapped
from ..algorithms.naive_bayes import NaiveBayes
from ..algorithms.neighbours import Neighbours
from ..algorithms.popularity import Popularity, log_popularity
from ..algorithms.ranker import BaseRanker, OnlineRanker, RankerStates
from ..algorithms.recent_popularity import RecentPopularity
from ..algorithms.repeat_consumption import PersonalFrequency, RepeatConsumption
from ..algorithms.transitions import Transitions
from ..storage.idtable import IdTable
from .cold_users import POPULAR, known_sides
from .item_counts import ItemCounts
from .item_features import ItemFeatures
from .model import OnlineModel, Retriever, Shortlist, State
from .pool import Pool
from .query import Query

Plan: TypeAlias = tuple[tuple[BaseRanker, np.float32], ...]
"""Rankers and what they weigh."""

KINDS = {
    one.kind: one
    for one in (
        Encoder,
        Transitions,
        Linear,
        Neighbours,
        Popularity,
        RecentPopularity,
        Freshness,
        RepeatConsumption,
        PersonalFrequency,
        NaiveBayes,
    )
}
"""Rankers by kind, for opening a saved model."""

_BLOCK = 65_536

REACH, LEAST = 2, 512
"""Candidates that each ranker names for each item wanted, and at least."""

LIVE_EVENTS = 100
"""Live events that must have come before popularity follows them: until then its clock stands where training
ended, so that a few stray events do not make all it knows fade away."""


@dataclass(frozen=True)
class Weights:
    """What validation settled: a ranker's weight by name, in answers as served (`kept`) and without met items
    (`excluded`); the NDCG@10 of both, and of each ranker alone; how the encoder was fitted (``passes``); what
    rankers weigh for those who did nothing yet (`cold`, by what is known of them: see `cold_users`)."""

    kept: Mapping[str, float]
    excluded: Mapping[str, float]
    ndcg_kept: float = 0.0
    ndcg_excluded: float = 0.0
    alone_kept: Mapping[str, float] = field(default_factory=dict)
    alone_excluded: Mapping[str, float] = field(default_factory=dict)
    questions: int = 0
    objective: str = "leave_last"
    encoder: Mapping[str, float] = field(default_factory=dict)
    cold: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def used(self) -> set[str]:
        """Names of the rankers that count in any set."""
        cold = ({**weights, POPULAR: 0.0} for weights in self.cold.values())
        sets = (self.kept, self.excluded, *cold)
        return {name for weights in sets for name, weight in weights.items() if weight}


@dataclass(frozen=True)
class Resumed(Query):
    """A question of a user of whom rankers kept something, in `session`, that its answer goes on from."""

    session: RankerStates | None = None


class FusedModel:
    """A weighted sum of rankers."""

    def __init__(
        self,
        items: IdTable,
        popularity: Float32,
        popular: Int32,
        rankers: Sequence[BaseRanker],
        weights: Weights,
        reward: Float32 | None = None,
        reward_weight: float = 0.0,
        pause: int = 0,
        vocabulary: ItemFeatures | None = None,
        look: int = 0,
    ) -> None:
        """Put together.

        Args:
            items: the catalogue.
            popularity: float32[n] distinct users; `popular`: int32[n] the order.
            rankers: the rankers, in any order.
            weights: by ranker name; rankers without a weight are left out.
            reward: float32[n] in 0..1, the optimisation objective of each item, and its share in the final
            score.
            pause: seconds between the last event and the end of training: recent popularity goes on from
            there.
            vocabulary: of the features that the encoder was trained with.
            look: items of the encoder's index that a question looks at; 0: all items are scored.
        """
        self.items = items
        self.popularity = popularity
        self.popular = popular
        self.scored = popularity > 0
        self.rankers = tuple(rankers)
        self.weights = weights
        self.reward = reward
        self.reward_weight = reward_weight
        self._cold = log_popularity(popularity, popular)
        self._unscored = np.flatnonzero(~self.scored)
        self._unknown = self._unscored
        encoder = self.encoder
        if encoder is not None and len(self._unscored):
            blocks = np.split(self._unscored, range(_BLOCK, len(self._unscored), _BLOCK))
            known = np.concatenate([encoder.items[some].any(axis=1) for some in blocks])
            self._unknown = self._unscored[~known]
        self.look = look
        self._pools: dict[tuple[bool, bool], Pool] = {}
        self._begun: dict[bool, tuple[list[Float32], Float32]] = {}
        self._tie = np.empty(len(popularity), dtype=np.float32)
        self._tie[popular] = np.linspace(1e-3, 0.0, len(popular), dtype=np.float32)
        self._plans = {
            False: self._with_weights(weights.kept),
            True: self._with_weights(weights.excluded),
        }
        self._cold_plans = {
            known: self._with_weights({**chosen, POPULAR: 0.0}) for known, chosen in weights.cold.items()
        }
        self.pause = pause
        self.vocabulary = vocabulary
        self._beside: dict[str, OnlineRanker] = {}
        self._waiting: list[tuple[Int32, Int64, Float32]] = []
        self._following = False

    def _with_weights(self, chosen: Mapping[str, float]) -> Plan:
        return tuple((one, np.float32(chosen[one.name])) for one in self.rankers if chosen.get(one.name))

    def scores(self, query: Query) -> Float32:
        """See `Model.scores`; about 0.5 ms for 10,000 items and 50 events."""
        total = self._relevance(query)
        if self.reward is not None and self.reward_weight and len(self._unscored) < len(total):
            low, high = float(total[self.scored].min()), float(total[self.scored].max())
            span = max(high - low, 1e-6)
            # Both parts lie in 0..1; scaled back, so that the softmax stays as sharp as without an objective.
            share = np.float32(self.reward_weight)
            blend = ((1 - share) * (total - low) / span + share * self.reward) * span
            total = blend.astype(np.float32)
            last = self._last(query)
            total[last] = total[self.scored].min() - 1
        return total

    def _last(self, query: Query) -> Int64:
        """Rows of items that nobody met, and of which nothing that counts is known: behind all others."""
        if not len(query.item):
            return self._unscored
        lead = any(isinstance(one, Encoder) for one, _ in self._plans[query.seen_excluded])
        return self._unknown if lead else self._unscored

    def _relevance(self, query: Query) -> Float32:
        """Items that nobody met have the features that their metadata give, and those of items that were met
        least."""
        plan = self._plan(query)
        if not len(query.item):
            total = self._popular(query)
            if not plan:
                return total
        else:
            total = self._everybody(query).copy()
            plan = tuple(pair for pair in plan if not pair[0].user_independent)
        for ranker, weight in plan:
            total += weight * ranker.feature(query)
        last = self._last(query)
        if 0 < len(last) < len(total):
            total[last] = np.inf  # behind the last of the others, whatever their own features say
            total[last] = total.min() - 1
        return total

    def _everybody(self, query: Query) -> Float32:
        """The part of the sum that is the same for everybody at a moment."""
        pairs = [pair for pair in self._plans[query.seen_excluded] if pair[0].user_independent]
        features = [ranker.feature(query) for ranker, _ in pairs]
        kept = self._begun.get(query.seen_excluded)
        if kept is None or any(old is not new for old, new in zip(kept[0], features, strict=True)):
            total = self._tie.copy()
            for (_, weight), feature in zip(pairs, features, strict=True):
                total += weight * feature
            kept = self._begun[query.seen_excluded] = features, total
        return kept[1]

    @property
    def indexed(self) -> bool:
        """Whether `index` found that an index is good enough."""
        return self.look > 0

    def retriever(self) -> Retriever | None:
        """See `Retrieves.retriever`."""
        return self if self.indexed else None

    def cold_scores(self, query: Query) -> Float32:
        """See `ColdStarts.cold_scores`."""
        return self.scores(query)

    def candidates(self, query: Query, n: int, interacted_only: bool = False) -> Shortlist:
        """See `Retriever.candidates`: those that the encoder's index finds, that other rankers name, and that
        lead for everybody now; all of them scored in full. Users without events, and answers with an
        objective, have the whole catalogue scored."""
        if not self.indexed or not len(query.item):
            scores = self.scores(query)
            every = np.flatnonzero(self.scored) if interacted_only else np.arange(len(scores))
            return Shortlist.of(every, scores[every], n)
        everybody = self._everybody(query)
        pool = self._pool(query, interacted_only)
        leaders, prior = pool.moment(everybody)
        parts = self._parts(query)
        reach = max(REACH * n, LEAST)
        found = [leaders[:reach]]
        for part, weight in parts:
            if isinstance(part, DotProductScores) and part.ivf is not None:
                found.append(part.ivf.search(part.vector * weight, reach, self.look, prior))
            else:
                found.append(part.top(reach))
        rows = sorted_unique(np.concatenate(found))
        rows = rows[pool.allowed[rows]]
        scores = _summed(everybody, parts, np.concatenate((rows, pool.sample)))
        return pool.shortlist(rows, scores[: len(rows)], scores[len(rows) :], n)

    def scores_at(self, query: Query, rows: Int64) -> Float32:
        """See `Retriever.scores_at`."""
        if not self.indexed or not len(query.item):
            return self.scores(query)[rows]
        total = _summed(self._everybody(query), self._parts(query), rows)
        allowed = self._pool(query, False).allowed[rows]
        if not allowed.all():
            total[~allowed] = total.min() - 1
        return total

    def _parts(self, query: Query) -> list[tuple[LazyScores, np.float32]]:
        """The features that are not everybody's, and their weights."""
        return [(one.lazy(query), weight) for one, weight in self._plan(query) if not one.user_independent]

    def _pool(self, query: Query, interacted_only: bool) -> Pool:
        key = query.seen_excluded, interacted_only
        found = self._pools.get(key)
        if found is None:
            others = self._unscored if interacted_only else self._last(query)
            allowed = np.ones(len(self.scored), dtype=np.bool_)
            allowed[others] = False
            ivf = None if self.encoder is None else self.encoder.ivf
            found = self._pools[key] = Pool(allowed, ivf, 0 if interacted_only else len(others))
        return found

    def scores_of(self, query: Query, vectors: Float32) -> Float32:
        """See `Inductive.scores_of`: the encoder by the vectors, the others as of items that nobody met."""
        plan, encoder = self._plan(query), self.encoder
        weight = next((weight for one, weight in plan if one is encoder), None)
        total = np.empty(len(vectors), dtype=np.float32)
        known: Bools = np.zeros(len(vectors), dtype=np.bool_)
        if encoder is not None and weight is not None and len(query.item):
            known = np.asarray(vectors.any(axis=1))
            level = sum(float(weight) * one.unseen_value(query) for one, weight in plan if one is not encoder)
            total[known] = weight * encoder.feature_of(query, vectors[known]) + np.float32(level)
        rewarded = self.reward is not None and self.reward_weight and self.scored.any()
        if rewarded or not known.all():
            relevance = self._relevance(query)
            total[~known] = relevance.min() - 1
            if rewarded:
                # As `scores` blends them, with an objective of 0.
                total -= relevance[self.scored].min()
                total *= np.float32(1 - self.reward_weight)
        return total

    def _popular(self, query: Query) -> Float32:
        """A new float32[n], what log(users) adds for those who did nothing yet; ties are parted by it."""
        weight = self.weights.cold.get(self._known(query), {}).get(POPULAR, 1.0)
        return np.float32(weight) * self._cold if weight else self._tie.copy()

    def _plan(self, query: Query) -> Plan:
        if len(query.item):
            return self._plans[query.seen_excluded]
        return self._cold_plans.get(self._known(query), ())

    def _known(self, query: Query) -> str:
        """The set of weights for those who did nothing yet: what is known, as far as it counts."""
        known = known_sides(query)
        return known if known in self.weights.cold else ""

    def used_features(
        self, profile: Mapping[str, str | float], context: Mapping[str, str | float]
    ) -> tuple[dict[str, str | float], dict[str, str | float]]:
        """See `UsesFeatures.used_features`: what its groups know."""
        sides = {one.side: one for one in self.rankers if isinstance(one, NaiveBayes)}
        return (
            sides["profile"].recognised(profile) if profile and "profile" in sides else {},
            sides["context"].recognised(context) if context and "context" in sides else {},
        )

    def embed(self, records: pl.DataFrame) -> Float32 | None:
        """See `Inductive.embed`; None where no encoder counts, or it knows no features."""
        encoder = self.encoder
        if encoder is None or self.vocabulary is None or not encoder.values:
            return None
        return encoder.vectors_of(self.vocabulary.of(records))

    @property
    def encoder(self) -> Encoder | None:
        """The ranker that has vectors of items, if there is one."""
        return next((one for one in self.rankers if isinstance(one, Encoder)), None)

    def explain(self, query: Query, item: int) -> dict[str, float]:
        """What each ranker adds to the score of one item, by name."""
        parts = {} if len(query.item) else {POPULAR: float(self._popular(query)[item])}
        found = {
            ranker.name: float(weight * ranker.feature(query)[item]) for ranker, weight in self._plan(query)
        }
        return parts | found

    def tuned_state(self) -> dict[str, Any]:
        """The weights."""
        return {"weights": asdict(self.weights)}

    @property
    def follows(self) -> bool:
        """Whether recent popularity or freshness counts."""
        used = self.weights.used()
        return any(isinstance(ranker, OnlineRanker) and ranker.name in used for ranker in self.rankers)

    def online(self) -> OnlineModel | None:
        """See `Online.online`."""
        return self if self.follows else None

    def resume(self, query: Query, state: State | None) -> tuple[Query, State]:
        """See `Resumes.resume`: what the rankers kept of the user."""
        session = state if isinstance(state, RankerStates) else RankerStates()
        return Resumed(**{**vars(query), "session": session}), session

    def observe(self, item: Int32, time: Int64, weight: Float32) -> None:
        """Lets what moves with the clock follow live events, once enough of them have come about items that
        were there at training."""
        n = len(self.scored)
        new = item >= n
        if new.any():
            self._observe_newcomers(item[new] - n, time[new], weight[new])
            item, time, weight = item[~new], time[~new], weight[~new]
        if not len(item):
            return
        self._waiting.append((item, time, weight))
        if not self._following and sum(len(items) for items, _, _ in self._waiting) < LIVE_EVENTS:
            return
        waiting, self._waiting = self._waiting, []
        items, times, weights = (np.concatenate(parts) for parts in zip(*waiting, strict=True))
        order = np.argsort(times, kind="stable")
        for ranker in self.rankers:
            if isinstance(ranker, OnlineRanker):
                if not self._following:
                    ranker.start_clock(self.pause)
                ranker.partial_fit(items[order], times[order], weights[order])
        self._following = True

    def _observe_newcomers(self, item: Int32, time: Int64, weight: Float32) -> None:
        """They wait for nothing: what they gain makes nothing else fade."""
        order = np.argsort(time, kind="stable")
        for ranker in self.rankers:
            if isinstance(ranker, OnlineRanker):
                beside = self._beside.get(ranker.name)
                if beside is None:
                    beside = ranker.for_new_items()
                    beside.start_clock(self.pause)
                beside.grow(int(item.max()) + 1)
                beside.partial_fit(item[order], time[order], weight[order])
                self._beside[ranker.name] = beside

    def online_bonus(self, query: Query, newcomers: Int64) -> Float32:
        """See `OnlineModel.online_bonus`: by popularity at the moment and freshness."""
        total = np.zeros(len(newcomers), dtype=np.float32)
        for ranker, weight in self._plan(query):
            beside = self._beside.get(ranker.name)
            if beside is not None:
                feature = beside.feature(query)
                met = np.flatnonzero((newcomers >= 0) & (newcomers < len(feature)))
                total[met] += weight * (feature[newcomers[met]] - np.float32(ranker.unseen_value(query)))
        if self.reward is not None and self.reward_weight:
            total *= np.float32(1 - self.reward_weight)
        return total

    def save(self, folder: Path) -> None:
        """Rankers under their names, one JSON file for the rest."""
        for ranker in self.rankers:
            if isinstance(ranker, OnlineRanker):
                ranker.freeze()
            ranker.save(folder)
        if self.reward is not None:
            np.save(folder / "reward.npy", self.reward)
        state = {
            "members": [[ranker.kind, ranker.name] for ranker in self.rankers],
            "weights": asdict(self.weights),
            "reward_weight": self.reward_weight if self.reward is not None else None,
            "pause": self.pause,
            "vocabulary": self.vocabulary is not None,
            "look": self.look,
        }
        if self.vocabulary is not None:
            self.vocabulary.save(folder)
        (folder / "fused.json").write_text(json.dumps(state))

    @classmethod
    def load(cls, folder: Path, items: IdTable, counts: ItemCounts) -> FusedModel:
        """Open what `save` wrote."""
        state = json.loads((folder / "fused.json").read_text())
        rewarded = state["reward_weight"] is not None
        return cls(
            items,
            counts.users,
            counts.order,
            [KINDS[kind].load(folder, name) for kind, name in state["members"]],
            Weights(**state["weights"]),
            mapped(folder / "reward.npy") if rewarded else None,
            state["reward_weight"] or 0.0,
            state.get("pause", 0),
            ItemFeatures.load(folder) if state.get("vocabulary") else None,
            state.get("look", 0),
        )


def _summed(everybody: Float32, parts: list[tuple[LazyScores, np.float32]], rows: Int64) -> Float32:
    """The full sum of these items."""
    total: Float32 = everybody[rows]
    for part, weight in parts:
        total += weight * part.at(rows)
    return total
