"""The model of the personal recipes, `FusedModel`: a linear score fusion of base rankers with validated
weights.

Four sets of weights: for users who are there and for those who arrive, each for answers that may repeat the
user's items and for answers that leave them out. A user
without events gets the popular items, shifted by what is known of the user and the context. Scores are the
weighted sum of logarithmic features, scaled by one temperature so that their softmax fits what users did
next.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import polars as pl

from ...algorithms.arrays import Bools, Float32, Int32, Int64, UInt64
from ...algorithms.content_model import ContentModel
from ...algorithms.encoder import Encoder
from ...algorithms.item_attribute import ItemVectors
from ...algorithms.mapped import mapped
from ...algorithms.naive_bayes import NaiveBayes
from ...algorithms.ranker import BaseRanker, OnlineRanker, RankerStates
from ...storage.idtable import IdTable
from ..item_counts import ItemCounts
from ..item_vocabulary import ItemVocabulary
from ..model import OnlineModel, Retriever, Source, State
from ..objective import ItemRewards
from ..query import Query
from .blocks import block_scores
from .candidates import FusedRetriever
from .cold_items import ColdItems, ColdScores, behind_others
from .explanation import sources
from .newcomers import ItemRecords, newcomer_scores
from .online import OnlineState
from .store import Described
from .weights import POPULAR, PlanKey, Weights, known_attributes

Plan: TypeAlias = tuple[tuple[BaseRanker, np.float32], ...]
"""Rankers and what they weigh."""


@dataclass(frozen=True)
class Resumed(Query):
    """A question of a user of whom rankers kept something, in `session`, that its answer goes on from."""

    session: RankerStates | None = None


class FusedModel:
    """A weighted sum of base rankers. Immutable; what is learned online is in `online`."""

    def __init__(
        self,
        items: IdTable,
        counts: ItemCounts,
        rankers: Sequence[BaseRanker],
        weights: Weights,
        rewards: ItemRewards | None = None,
        pause: int = 0,
        vocabulary: ItemVocabulary | None = None,
        probe_rows: int = 0,
        content: ContentModel | None = None,
    ) -> None:
        """Put together.

        Args:
            items: the catalogue. counts: its popularity.
            rankers: in any order.
            weights: by ranker name; rankers without a weight are left out.
            rewards: the optimisation objective.
            pause: seconds between the last event and the end of training: recent popularity goes on from
                there.
            vocabulary: of the attributes that the encoder was trained with.
            probe_rows: items of the encoder's index that a query looks at; 0: all items are scored.
            content: what the attributes of items that nobody met say to a user.
        """
        self.items, self.counts, self.weights, self.rewards = items, counts, weights, rewards
        self.pause, self.vocabulary, self.probe_rows = pause, vocabulary, probe_rows
        self.interacted = counts.interacted
        self._unseen = np.flatnonzero(~self.interacted)
        self._tie = np.empty(len(counts), dtype=np.float32)
        self._tie[counts.order] = np.linspace(1e-3, 0.0, len(counts), dtype=np.float32)
        self._set_rankers(rankers)
        self._cold_items = None if content is None else ColdItems(content, self._unseen)
        self._behind = behind_others(self._unseen, self._cold_items, self.encoder)

    def __len__(self) -> int:
        return len(self.counts)

    def _set_rankers(self, rankers: Sequence[BaseRanker]) -> None:
        self.rankers = tuple(rankers)
        self._plans = {key: self._with_weights(one) for key, one in self.weights.sets().items()}
        self._cold_plans = {
            known: self._with_weights({**chosen, POPULAR: 0.0}) for known, chosen in self.weights.cold.items()
        }
        self._shared: dict[PlanKey, tuple[list[Float32], Float32]] = {}

    def _with_weights(self, chosen: Mapping[str, float]) -> Plan:
        return tuple((one, np.float32(chosen[one.name])) for one in self.rankers if chosen.get(one.name))

    @property
    def content(self) -> ContentModel | None:
        """What items that nobody met are known by, if their metadata say anything."""
        return None if self._cold_items is None else self._cold_items.content

    @property
    def encoder(self) -> Encoder | None:
        """The ranker that has vectors of items, if there is one."""
        return next((one for one in self.rankers if isinstance(one, Encoder)), None)

    def scores(self, query: Query) -> Float32:
        """See `Model.scores`; about 0.5 ms for 10,000 items and 50 events."""
        total = self.relevance(query)
        if self.rewarded and len(self._unseen) < len(total):
            assert self.rewards is not None
            total = self.rewards.blended(total, self.interacted)
            total[self.behind(query)] = total[self.interacted].min() - 1
        return total

    def many(self, queries: Sequence[Query]) -> Float32:
        """See `Batches.many`."""
        return block_scores(self, queries)

    def cold_scores(self, query: Query) -> Float32:
        """See `ColdStarts.cold_scores`."""
        return self.scores(query)

    @property
    def rewarded(self) -> bool:
        """Whether an objective is blended into the scores."""
        return self.rewards is not None and self.rewards.share > 0

    def behind(self, query: Query) -> Int64:
        """Rows of items with which nobody interacted, and of which nothing that counts is known: behind all
        others."""
        if not len(query.item):
            return self._unseen
        return self._behind[any(isinstance(one, Encoder) for one, _ in self._plans[self.plan_key(query)])]

    def described(self, query: Query, rows: Int64) -> Bools:
        """See `Describes.described`."""
        return ~self.interacted[rows] & ~np.isin(rows, self.behind(query))

    def add_cold_items(self, query: Query, total: Float32) -> None:
        """Add what `cold_items` has to float32[n] `total`."""
        if self._cold_items is not None and len(query.item):
            self._cold_items.add(query, total)

    def cold_items(self, query: Query) -> ColdScores | None:
        """What the metadata of items that nobody met add to their scores; None: nothing."""
        if self._cold_items is None or not len(query.item):
            return None
        return self._cold_items.lazy(query)

    def relevance(self, query: Query) -> Float32:
        """A new float32[n], the scores without the objective. Items with which nobody interacted have the
        features that their metadata give, and otherwise those of the least popular items."""
        plan = self.plan(query)
        if not len(query.item):
            total = self._popular(query)
            if not plan:
                return total
        else:
            total = self.shared_scores(query).copy()
            plan = tuple(pair for pair in plan if not pair[0].user_independent)
        for ranker, weight in plan:
            total += weight * ranker.feature(query)
        self.add_cold_items(query, total)
        last = self.behind(query)
        if 0 < len(last) < len(total):
            total[last] = np.inf  # behind the last of the others, whatever their own features say
            total[last] = total.min() - 1
        return total

    def shared_scores(self, query: Query) -> Float32:
        """float32[n], the part of the sum that does not depend on the user, at the moment of the query. Not
        to be written into; the same array as long as it does not change."""
        key = self.plan_key(query)
        pairs = [pair for pair in self._plans[key] if pair[0].user_independent]
        features = [ranker.feature(query) for ranker, _ in pairs]
        kept = self._shared.get(key)
        if kept is None or any(old is not new for old, new in zip(kept[0], features, strict=True)):
            total = self._tie.copy()
            for (_, weight), feature in zip(pairs, features, strict=True):
                total += weight * feature
            kept = self._shared[key] = features, total
        return kept[1]

    def plan_key(self, query: Query) -> PlanKey:
        """Names the plan of a query with events."""
        return self.weights.scenario(query), query.seen_excluded

    def plan(self, query: Query) -> Plan:
        """The rankers that count for a query, and their weights."""
        if len(query.item):
            return self._plans[self.plan_key(query)]
        return self._cold_plans.get(self._known(query), ())

    def base(self, query: Query) -> Float32:
        """float32[n], what the sum begins with, beside the rankers. Not to be written into."""
        return self._tie if len(query.item) else self._popular(query)

    def _popular(self, query: Query) -> Float32:
        """A new float32[n], what log(users) adds for users without events; ties are parted by it."""
        weight = self.weights.cold.get(self._known(query), {}).get(POPULAR, 1.0)
        return np.float32(weight) * self.counts.scores if weight else self._tie.copy()

    def _known(self, query: Query) -> str:
        """The set of weights for a user without events: what is known, as far as it counts."""
        known = known_attributes(query)
        return known if known in self.weights.cold else ""

    def retriever(self) -> Retriever | None:
        """See `Retrieves.retriever`: where an index was found good enough."""
        return FusedRetriever(self, self.probe_rows) if self.probe_rows else None

    def build_index(self, check: Callable[[], None]) -> None:
        """See `IndexedModel`: the encoder's vectors, where there is one."""
        if self.encoder is not None:
            self.encoder.index(check)

    def drop_index(self) -> None:
        """See `IndexedModel`."""
        if self.encoder is not None:
            self.encoder.ivf = None

    def embed(self, records: pl.DataFrame) -> ItemVectors | None:
        """See `Inductive.embed`; None where neither an encoder nor a content model knows attributes."""
        if self.vocabulary is None:
            return None
        return ItemRecords.of(records, self.vocabulary, self.encoder, self.content is not None)

    def scores_of(self, query: Query, vectors: ItemVectors) -> Float32:
        """See `Inductive.scores_of` and `newcomer_scores`."""
        return newcomer_scores(self, query, vectors)

    def online(self) -> OnlineModel | None:
        """See `Online.online`: where recent popularity or freshness counts. Before `save`, which ends the
        training, the model answers as of the moment of each query."""
        used = self.weights.used()
        online = [one for one in self.rankers if isinstance(one, OnlineRanker)]
        if not any(one.name in used for one in online) or not all(one.frozen for one in online):
            return None
        return OnlineFusion(self)

    def resume(self, query: Query, state: State | None) -> tuple[Query, State]:
        """See `Resumes.resume`: what the rankers kept of the user."""
        session = state if isinstance(state, RankerStates) else RankerStates()
        return Resumed(**{**vars(query), "session": session}), session

    def used_features(
        self, profile: Mapping[str, str | float], context: Mapping[str, str | float]
    ) -> tuple[dict[str, str | float], dict[str, str | float]]:
        """See `UsesFeatures.used_features`: what naive Bayes knows."""
        known = {one.source: one for one in self.rankers if isinstance(one, NaiveBayes)}
        return (
            known["profile"].recognised(profile) if profile and "profile" in known else {},
            known["context"].recognised(context) if context and "context" in known else {},
        )

    def sources(self, query: Query, row: int) -> list[Source]:
        """See `ExplainsSources.sources`."""
        return sources(self, query, row)

    def explain(self, query: Query, row: int) -> dict[str, float]:
        """See `Explains.explain`: what each source adds, by name."""
        return {one.name: one.weight * one.value for one in self.sources(query, row)}

    def tuned_state(self) -> dict[str, Any]:
        """See `Tunes.tuned_state`: the weights."""
        return {"weights": self.weights.json()}

    def save(self, folder: Path) -> None:
        """See `Model.save` and `store`. Ends the training: from now on the clock stands where the events
        ended."""
        for ranker in self.rankers:
            if isinstance(ranker, OnlineRanker):
                ranker.freeze()
            ranker.save(folder)
        if self.rewards is not None:
            np.save(folder / "reward.npy", self.rewards.values)
        if self.vocabulary is not None:
            self.vocabulary.save(folder)
        if self.content is not None:
            self.content.save(folder)
        described = Described(
            rankers=[(ranker.kind, ranker.name) for ranker in self.rankers],
            weights=self.weights.json(),
            reward_share=None if self.rewards is None else self.rewards.share,
            pause=self.pause,
            vocabulary=self.vocabulary is not None,
            probe_rows=self.probe_rows,
        )
        described.write(folder)

    @classmethod
    def load(cls, folder: Path, items: IdTable, counts: ItemCounts) -> FusedModel:
        """Open what `save` wrote, large arrays mapped."""
        described = Described.read(folder)
        share = described.reward_share
        return cls(
            items,
            counts,
            described.load_rankers(folder),
            Weights.of(described.weights),
            None if share is None else ItemRewards(mapped(folder / "reward.npy"), share),
            described.pause,
            ItemVocabulary.load(folder) if described.vocabulary else None,
            described.probe_rows,
            ContentModel.load(folder),
        )


class OnlineFusion(FusedModel):
    """A fused model that learns from live events; the trained one stays as it is, and shares its arrays."""

    def __init__(self, trained: FusedModel) -> None:
        """Nothing observed yet."""
        vars(self).update(vars(trained))
        self._state = OnlineState(trained.rankers, len(trained.interacted), trained.pause)
        self._follow()

    def _follow(self) -> None:
        """Ask the rankers of the state from now on."""
        self._set_rankers([self._state.rankers.get(one.name, one) for one in self.rankers])

    def observe(self, item: Int32, time: Int64, weight: Float32, user: UInt64 | None = None) -> None:
        """See `OnlineModel.observe`."""
        self._state.observe(item, time, weight, user)

    def online_bonus(self, query: Query, newcomers: Int64) -> Float32:
        """See `OnlineModel.online_bonus`: by popularity at the moment and freshness."""
        total = self._state.bonus(self.plan(query), query, newcomers)
        return total if self.rewards is None else self.rewards.damped(total)

    def save_online(self, folder: Path) -> None:
        """See `OnlineModel.save_online`."""
        self._state.save(folder)

    def load_online(self, folder: Path) -> None:
        """See `OnlineModel.load_online`."""
        self._state.load(folder)
        self._follow()
