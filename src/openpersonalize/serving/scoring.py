"""Scores of a version's items for one user: the interface `Scorer`, and `VersionScorer`, what all scorers
share that ask a loaded version's model.

An answer is put together from what a scorer says and does not know where the scores come from: from what is
kept of users (`online_scorer`), or from blocks of many users (`batch.scorer`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import ClassVar, TypeVar

import numpy as np

from ..algorithms.topk import FloatArray, Rows
from ..events.history import EMPTY
from ..recipes.query import ItemHistory, Query
from .catalogue import Catalogue
from .history import NOTHING, Int32, LiveRows
from .loaded import LoadedVersion
from .ranked import DROP, TOP_ROWS, CandidateMask, Ranked
from .states import Anchor, ContextValues, UserState, Vector

NARROW = 16
"""A filter that leaves fewer than one in so many of a large catalogue has those scored alone."""

Answer = TypeVar("Answer")


class Scorer(ABC):
    """What an answer asks about one user of one loaded version.

    Promises, which every implementation keeps: all methods speak of the same log-scores, those of
    ``model.scores`` for the user's question at the state's moment; ``scores`` is float32[n], -inf on the rows
    that the recipe gives none; a user of whom nothing is known gets everybody's; nothing that is returned may
    be written into.
    """

    @abstractmethod
    def context(self, sent: Mapping[str, str]) -> ContextValues:
        """What the model recognises of a request's context."""

    @abstractmethod
    def anchor(self, item: str | None, influence: Mapping[str, float] | None = None) -> Anchor | None:
        """The item that a question is about, for a recipe whose questions are about one; None for others.
        `influence`: see `Query.influence`; None: the scorer's."""

    @abstractmethod
    def state(self, user: str | None, context: ContextValues = (), anchor: Anchor | None = None) -> UserState:
        """What is known of a user (or an anonymous session, by its id) in a context, now, who asks about an
        item; None: of nobody in particular."""

    @abstractmethod
    def query(self, state: UserState, seen_excluded: bool) -> Query | None:
        """The question to the model; None of a user of whom nothing is known.

        Args:
            state: from `state`. seen_excluded: the answer leaves out the items that the user interacted with.
        """

    @abstractmethod
    def live_rows(self, state: UserState) -> Int32:
        """int32[k], the model's row of each event of ``state.live`` in order of arrival, -1 outside it."""

    @abstractmethod
    def ranked(self, state: UserState, seen_excluded: bool) -> Ranked:
        """The order of the catalogue for a user."""

    @abstractmethod
    def scores(self, state: UserState, seen_excluded: bool) -> FloatArray:
        """float32[n] log-scores."""

    @abstractmethod
    def scores_at(
        self, state: UserState, seen_excluded: bool, rows: Rows, unscored: bool = False
    ) -> FloatArray:
        """float32[len(rows)]: `scores` of some different rows; `unscored`: those too that the recipe gives
        none in an answer."""

    @abstractmethod
    def scores_within(self, state: UserState, seen_excluded: bool, mask: CandidateMask) -> FloatArray:
        """`scores` on the rows that a mask leaves; on the others anything. Never from candidates alone."""

    @abstractmethod
    def resized(self, state: UserState) -> None:
        """To be called when more is kept in a state than before."""


class VersionScorer(Scorer):
    """Asks the model of a loaded version. What it found is kept by whoever inherits: `_kept` and `_keep`.

    Attributes:
        influence: see `Query.influence`, where a question does not say. arriving: see `Query.arriving`.
    """

    arriving: ClassVar[bool] = False

    def __init__(
        self, loaded: LoadedVersion, items: Catalogue, *, top_rows: int = TOP_ROWS, narrow: int = NARROW
    ) -> None:
        """Nothing is worked out yet.

        Args:
            loaded: the version. items: current item records.
            top_rows: rows of a user's order that are kept. narrow: see `NARROW`.
        """
        self._loaded, self._items = loaded, items
        self.influence: Mapping[str, float] = {}
        self._top_rows, self._narrow = top_rows, narrow

    @abstractmethod
    def _kept(self, state: UserState, seen_excluded: bool) -> Vector | None:
        """The scores that were worked out for a state."""

    @abstractmethod
    def _keep(self, state: UserState, seen_excluded: bool, found: Vector) -> None:
        """To be called when scores were worked out."""

    def _asked(self, query: Query, user: str | None, ask: Callable[[Query], Answer]) -> Answer:
        """The model's answer."""
        return ask(query)

    def context(self, sent: Mapping[str, str]) -> ContextValues:
        return tuple(sorted(self._loaded.model.used_features({}, sent)[1].items())) if sent else ()

    def anchor(self, item: str | None, influence: Mapping[str, float] | None = None) -> Anchor | None:
        if item is None or not self._loaded.recipe.task.anchored:
            return None
        row = self._loaded.row_of(item)
        record = () if row is not None else tuple(sorted(self._items.outsider(item).items()))
        counts = self.influence if influence is None else influence
        return Anchor(item, row, record, tuple(sorted(counts.items())))

    def query(self, state: UserState, seen_excluded: bool) -> Query | None:
        loaded = self._loaded
        user = state.user if loaded.recipe.task.personal else None
        trained = loaded.artifact.history(user) if user is not None else NOTHING
        live = state.live if user is not None else EMPTY
        rows, now = self.live_rows(state), state.until - 1
        query = loaded.recent.query(trained, live, rows, now, seen_excluded, self.arriving)
        profile = loaded.profile(user) if user is not None else {}
        beside = self._beside(state)
        if state.user is not None and not len(query.item) and not profile and beside is None:
            return None
        if beside is not None:
            query = replace(query, item_history=beside)
        if profile or state.context:
            query = replace(query, profile=profile, context=dict(state.context))
        if state.anchor is not None:
            query = replace(
                query,
                anchor=state.anchor.row,
                anchor_record=dict(state.anchor.record) or None,
                influence=dict(state.anchor.influence),
            )
        return query

    def _beside(self, state: UserState) -> ItemHistory | None:
        """What a user did with items, where the answers are about actions; None where that is nothing."""
        behaviour = self._loaded.behaviour
        if behaviour is None or state.user is None:
            return None
        if state.beside_rows is None:
            state.beside_rows = LiveRows(behaviour.rows_of)
        rows = state.beside_rows.of(state.beside)
        found = behaviour.history(state.user, state.beside, rows, state.until - 1)
        return found if len(found.item) else None

    def live_rows(self, state: UserState) -> Int32:
        if state.rows is None:
            state.rows = LiveRows(self._loaded.rows_of)
        return state.rows.of(state.live)

    def ranked(self, state: UserState, seen_excluded: bool) -> Ranked:
        found = state.ranked[seen_excluded]
        if found is not None:
            return found
        query = self._indexed_query(state, seen_excluded)
        if query is not None:
            found = self._shortlisted(query, state.user)
        else:
            scores = self.scores(state, seen_excluded)
            if state.no_signal:
                return self.ranked(self._nobodys(state), seen_excluded)
            found = Ranked.of(scores, self._top_rows)
        state.ranked[seen_excluded] = found
        self.resized(state)
        return found

    def scores(self, state: UserState, seen_excluded: bool) -> FloatArray:
        kept = self._kept(state, seen_excluded)
        if kept is not None:
            return kept.scores
        query = self.query(state, seen_excluded)
        if query is None:
            state.no_signal = True
            return self.scores(self._nobodys(state), seen_excluded)
        found = self._vector(state, self._asked(query, state.user, self._loaded.model.scores))
        self._keep(state, seen_excluded, found)
        return found.scores

    def scores_at(
        self, state: UserState, seen_excluded: bool, rows: Rows, unscored: bool = False
    ) -> FloatArray:
        query = self._indexed_query(state, seen_excluded)
        if query is None:
            scores = self.scores(state, seen_excluded)
            return self._with_unscored(state, seen_excluded, scores)[rows] if unscored else scores[rows]
        found = self._asked(query, state.user, lambda one: self._loaded.model.scores_at(one, rows))
        if not unscored and self._loaded.unscored is not None:
            found[~self._loaded.counts.interacted[rows]] = DROP
        return found

    def scores_within(self, state: UserState, seen_excluded: bool, mask: CandidateMask) -> FloatArray:
        if mask.keep is not None and self._loaded.model.indexed:
            rows = np.flatnonzero(mask.keep)
            if len(rows) < len(mask.keep) // self._narrow:
                found = np.full(len(mask.keep), DROP)
                found[rows] = self.scores_at(state, seen_excluded, rows)
                return found
        return self.scores(state, seen_excluded)

    def _nobodys(self, state: UserState) -> UserState:
        """What the same question is of nobody in particular."""
        return self.state(None, state.context, state.anchor)

    def _vector(self, state: UserState, scores: FloatArray) -> Vector:
        """What is kept of the model's scores, in which the rows go that the recipe gives none."""
        unscored, hidden = self._loaded.unscored, None
        if unscored is not None:
            hidden = scores[unscored]
            scores[unscored] = DROP
        return Vector(state.newest, state.until, scores, hidden)

    def _with_unscored(self, state: UserState, seen_excluded: bool, scores: FloatArray) -> FloatArray:
        """float32[n]: with the scores of the rows that the recipe gives none."""
        kept = self._kept(state, seen_excluded)
        if kept is None or kept.hidden is None:
            return np.where(scores > DROP, scores, scores[scores > DROP].min(initial=0.0))
        full = scores.copy()
        full[self._loaded.unscored] = kept.hidden
        return full

    def _shortlisted(self, query: Query, user: str | None) -> Ranked:
        """The beginning of the order of a catalogue too large to be scored for every user."""
        # Room for the items that the user interacted with, which a filter is going to drop.
        most = self._top_rows
        wanted = most + (min(len(query.item), most) if query.seen_excluded else 0)
        model, interacted_only = self._loaded.model, self._loaded.unscored is not None
        short = self._asked(query, user, lambda one: model.candidates(one, wanted, interacted_only))
        return Ranked.short(short.rows, short.scores, short.log_total, short.low, wanted)

    def _indexed_query(self, state: UserState, seen_excluded: bool) -> Query | None:
        """The question of a user with events to a model with an index; None: all is scored."""
        query = self.query(state, seen_excluded) if self._loaded.model.indexed else None
        return query if query is not None and len(query.item) else None
