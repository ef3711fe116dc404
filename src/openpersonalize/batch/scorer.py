"""Scores of many users in blocks: `BatchScorer`, which asks the model about a block of users together and
keeps nothing of a user beyond the block."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeAlias

from ..events.history import EMPTY, History
from ..recipes.query import Query
from ..serving.catalogue import Catalogue
from ..serving.loaded import LoadedVersion
from ..serving.ranked import TOP_ROWS
from ..serving.scoring import NARROW, VersionScorer
from ..serving.states import Anchor, ContextValues, UserState, Vector, until

SCORE_BYTES = 64 * 1024 * 1024
"""Memory for the scores of a block."""

MOST_TOGETHER = 512
"""Users of a block."""

Key: TypeAlias = tuple[str | None, ContextValues, Anchor | None]


class BatchScorer(VersionScorer):
    """A scorer for blocks of questions, all asked at one moment. Belongs to one thread.

    Memory: the scores of a block, the states of its users, and everybody's.

    Attributes:
        together: how many users' scores a block holds.
    """

    def __init__(
        self,
        loaded: LoadedVersion,
        items: Catalogue,
        *,
        history: Callable[[str], History],
        now: float,
        top_rows: int = TOP_ROWS,
        narrow: int = NARROW,
        score_bytes: int = SCORE_BYTES,
    ) -> None:
        """Nothing is worked out yet.

        Args:
            loaded: the version. items: current item records.
            history: reads a user's streamed events. now: seconds, the moment of all questions.
            top_rows, narrow: see `VersionScorer`. score_bytes: of a block.
        """
        super().__init__(loaded, items, top_rows=top_rows, narrow=narrow)
        self._history, self._until = history, until(now)
        self.together = max(1, min(MOST_TOGETHER, score_bytes // (4 * max(1, len(loaded.names)))))
        self._nobody = UserState(None, EMPTY, self._until)
        self._nobodys_scores: dict[bool, Vector] = {}
        self._states: dict[Key, UserState] = {}
        self._vectors: dict[tuple[Key, bool], Vector] = {}

    def begin(self) -> None:
        """Let go of the last block."""
        self._states.clear()
        self._vectors.clear()

    def prepare(self, asked: Iterable[tuple[UserState, bool]]) -> None:
        """Have the model score the users of a block together, at most `together` of them.

        Args:
            asked: states of this block, each with whether the answer leaves out what the user interacted
                with.
        """
        queries: dict[tuple[Key, bool], tuple[UserState, Query]] = {}
        for state, seen_excluded in asked:
            key = state.key, seen_excluded
            if key in queries or self._kept(state, seen_excluded) is not None:
                continue
            query = self.query(state, seen_excluded)
            if query is not None and not (self._loaded.model.indexed and len(query.item)):
                queries[key] = state, query
        if queries:
            scores = self._loaded.model.many([query for _, query in queries.values()])
            for (key, (state, _)), row in zip(queries.items(), scores, strict=True):
                self._vectors[key] = self._vector(state, row)

    def state(self, user: str | None, context: ContextValues = (), anchor: Anchor | None = None) -> UserState:
        if user is None and not context and anchor is None:
            return self._nobody
        key = (user, context, anchor)
        found = self._states.get(key)
        if found is None:
            live = EMPTY if user is None else self._history(user)
            found = self._states[key] = UserState(user, live, self._until, context=context, anchor=anchor)
        return found

    def query(self, state: UserState, seen_excluded: bool) -> Query | None:
        """As of users who arrive: what a job answers is read later, when no session runs any more."""
        query = super().query(state, seen_excluded)
        return None if query is None else replace(query, arriving=True)

    def resized(self, state: UserState) -> None:
        """Nothing is bounded by size here: a block is."""

    def _kept(self, state: UserState, seen_excluded: bool) -> Vector | None:
        if state is self._nobody:
            return self._nobodys_scores.get(seen_excluded)
        return self._vectors.get((state.key, seen_excluded))

    def _keep(self, state: UserState, seen_excluded: bool, found: Vector) -> None:
        if state is self._nobody:
            self._nobodys_scores[seen_excluded] = found
        else:
            self._vectors[state.key, seen_excluded] = found
