"""Exploration for one user: `UserExploration` finds who draws, and what newcomers are worth to the user."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..algorithms.topk import FloatArray, Rows, top_k
from ..exploration.candidates import (
    MOST_CANDIDATES,
    ExplorationCandidates,
    exploration_candidates,
    floor_score_of,
    neutral,
)
from ..exploration.catalogue import BoolArray, ExposureCounts, ExtendedCatalogue
from .loaded import LoadedVersion
from .scoring import Scorer
from .states import ContextValues, UserState

LEADERS, CONTEXTS = 64, 64
"""Newcomers that draw in every answer because many meet them, kept for so many contexts."""


class UserExploration:
    """ExposureCounts of exploration, kept in users' states. Belongs to one thread, the event loop's."""

    def __init__(
        self, loaded: LoadedVersion, scorer: Scorer, chance: np.random.Generator, most: int = MOST_CANDIDATES
    ) -> None:
        """For a version and what scores it; where more than `most` are eligible `chance` draws candidates."""
        self._most = most
        self._loaded, self._scorer, self._chance = loaded, scorer, chance
        self._leading: dict[
            tuple[bool, bool, ContextValues], tuple[ExtendedCatalogue, tuple[int, int], Rows]
        ] = {}

    def candidates(
        self, state: UserState, seen_excluded: bool, counts: ExposureCounts, cut_off_days: float
    ) -> ExplorationCandidates:
        """Who draws in exploration for a user; everybody's candidates when the user did nothing."""
        scorer = self._scorer
        ranked, members = scorer.ranked(state, seen_excluded), counts.members
        if state.no_signal:
            state = scorer.state(None, state.context)
        key = (seen_excluded, cut_off_days)
        found = state.explored.get(key)
        if found is None or found.members is not members:
            floor = self._floor(state, seen_excluded)
            found = state.explored[key] = exploration_candidates(
                members,
                members.eligible(cut_off_days),
                self._leaders(state, seen_excluded, members),
                ranked.top_rows,
                float(ranked.values[0]) if len(ranked.top_rows) else floor,
                floor,
                lambda rows: scorer.scores_at(state, seen_excluded, rows),
                lambda rows: scorer.scores_at(state, seen_excluded, rows, unscored=True),
                lambda numbers, low: self.newcomers(state, seen_excluded, members, numbers, low),
                self._chance,
                self._most,
            )
            scorer.resized(state)
        return found

    def rest(
        self, state: UserState, seen_excluded: bool, members: ExtendedCatalogue, numbers: Rows, most: int
    ) -> tuple[Rows, FloatArray]:
        """Of newcomers, by number, the `most` best for a user, best first, of equals the newest, and their
        log-scores; where they are many, of the newest and the most wanted of them. The item asked about is
        none."""
        own = None if state.anchor is None else members.number_of(state.anchor.item)
        numbers = self.foremost(
            state, seen_excluded, members, numbers if own is None else numbers[numbers != own]
        )
        relevance = self.newcomers(state, seen_excluded, members, numbers, self._floor(state, seen_excluded))
        best = np.lexsort((-members.created[members.known + numbers], -relevance))[:most]
        return numbers[best], relevance[best]

    def _floor(self, state: UserState, seen_excluded: bool) -> float:
        """A low score of the user."""
        floor = self._scorer.ranked(state, seen_excluded).floor_score
        return floor_score_of(self._scorer.scores(state, seen_excluded)) if floor is None else floor

    def newcomers(
        self,
        state: UserState,
        seen_excluded: bool,
        members: ExtendedCatalogue,
        numbers: Rows,
        floor_score: float,
    ) -> FloatArray:
        """The log-scores of newcomers: by their vectors, or `floor_score` where they say nothing, and by how
        many meet them."""
        found = neutral(numbers, floor_score)
        vectors = None if members.vectors is None else members.vectors[numbers]
        query = self._scorer.query(state, seen_excluded)
        if query is None:
            return found
        model = self._loaded.model
        if vectors is not None and (len(query.item) or query.anchor is not None or query.anchor_record):
            known = vectors.any(axis=1)
            found[known] = model.scores_of(query, vectors[known])
        return found + model.online_bonus(query, members.numbers[numbers])

    def best_new_items(
        self,
        state: UserState,
        seen_excluded: bool,
        members: ExtendedCatalogue,
        count: int,
        passing: Callable[[Rows], BoolArray] | None,
    ) -> tuple[Rows, FloatArray]:
        """Rows and log-scores of the `count` best newcomers that a model ranks among the others, best first.

        Args:
            passing: says which rows a filter leaves; None: all.
        """
        told = len(members.numbered)
        found = state.new_items
        if found is None or found[0] is not members or found[1] != told:
            query = self._scorer.query(state, seen_excluded)
            if query is None:
                query = self._scorer.query(self._scorer.state(None, state.context, state.anchor), False)
            assert query is not None
            scores = self._loaded.model.new_item_scores(query, members.vectors, members.numbers)
            found = state.new_items = (members, told, scores)
            self._scorer.resized(state)
        scores = found[2]
        own = None if state.anchor is None else members.number_of(state.anchor.item)
        some = np.flatnonzero(scores > -np.inf)
        some = some if own is None else some[some != own]
        if passing is not None:
            some = some[passing(members.known + some)]
        best = some[top_k(scores[some], count)]
        return members.known + best, scores[best]

    def foremost(
        self, state: UserState, seen_excluded: bool, members: ExtendedCatalogue, numbers: Rows
    ) -> Rows:
        """Of newcomers, by number, ascending: all, or where they are many the newest of them and those that
        most people meet, so that an answer does not take longer the more there are."""
        if len(numbers) <= self._most:
            return numbers
        created = members.created[members.known + numbers]
        newest = numbers[np.argpartition(-created, self._most)[: self._most]]
        leading = self._leaders(state, seen_excluded, members) - members.known
        return np.union1d(newest, leading[np.isin(leading, numbers, assume_unique=True)])

    def _leaders(self, state: UserState, seen_excluded: bool, members: ExtendedCatalogue) -> Rows:
        """int64 rows, ascending, of the newcomers that most people meet: everybody's, for a while."""
        query = self._scorer.query(state, seen_excluded)
        if query is None or not len(members.ids):
            return np.empty(0, np.int64)
        key = seen_excluded, bool(len(query.item)), state.context
        found, told = self._leading.get(key), members.numbered
        if found is None or found[0] is not members or found[1] != (state.until, len(told)):
            gained = self._loaded.model.online_bonus(query, members.numbers[told])
            best = top_k(gained, LEADERS)
            if len(self._leading) >= CONTEXTS:
                self._leading.clear()
            found = members, (state.until, len(told)), members.known + np.sort(told[best[gained[best] > 0]])
            self._leading[key] = found
        return found[2]
