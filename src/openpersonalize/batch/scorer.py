"""Scores of many users in blocks: `BatchScorer`, which asks the model about a block of users together and
keeps nothing of a user beyond the block."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import ClassVar, TypeAlias

from ..algorithms.topk import FloatArray
from ..events.history import EMPTY, History
from ..exploration.candidates import floor_scores_of
from ..recipes.query import Query
from ..serving.catalogue import Catalogue
from ..serving.loaded import LoadedVersion
from ..serving.ranked import DROP, TOP_ROWS, Ranked
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

    arriving: ClassVar[bool] = True
    """What a job answers is read later, when no session runs any more."""

    def __init__(
        self,
        loaded: LoadedVersion,
        items: Catalogue,
        *,
        histories: Callable[[Sequence[str]], Mapping[str, History]],
        now: float,
        top_rows: int = TOP_ROWS,
        narrow: int = NARROW,
        score_bytes: int = SCORE_BYTES,
        explores: bool = False,
    ) -> None:
        """Nothing is worked out yet.

        Args:
            loaded: the version. items: current item records.
            histories: reads streamed events of some users, of those that have any.
            now: seconds, the moment of all questions.
            top_rows, narrow: see `VersionScorer`. score_bytes: of a block.
            explores: users' low scores are asked for, see `Ranked.floor_score`.
        """
        super().__init__(loaded, items, top_rows=top_rows, narrow=narrow)
        self._histories, self._until, self._explores = histories, until(now), explores
        self.together = max(1, min(MOST_TOGETHER, score_bytes // (4 * max(1, len(loaded.names)))))
        self._nobody = UserState(None, EMPTY, self._until)
        self._nobodys_scores: dict[bool, Vector] = {}
        self._live: dict[str, History] = {}
        self._states: dict[Key, UserState] = {}
        self._queries: dict[tuple[Key, bool], Query | None] = {}
        self._vectors: dict[tuple[Key, bool], Vector] = {}

    def begin(self, users: Collection[str] = ()) -> None:
        """Let go of the last block, and read what the users of the next one did."""
        for kept in (self._states, self._queries, self._vectors):
            kept.clear()
        self._live = dict.fromkeys(users, EMPTY)
        if users:
            self._live.update(self._histories(list(self._live)))

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
            self._rank(queries, self._loaded.model.many([query for _, query in queries.values()]))

    def _rank(self, asked: Mapping[tuple[Key, bool], tuple[UserState, Query]], scores: FloatArray) -> None:
        """Keep float32[len(asked), n], and the order of each row."""
        unscored, hidden = self._loaded.unscored, None
        if unscored is not None:
            hidden = scores[:, unscored]
        floors = floor_scores_of(scores, hidden) if self._explores else None
        if unscored is not None:
            scores[:, unscored] = DROP
        ranked = Ranked.of_rows(scores, self._top_rows, floors)
        for place, (key, (state, _)) in enumerate(asked.items()):
            own = None if hidden is None else hidden[place]
            self._vectors[key] = Vector(state.live.newest, state.until, scores[place], own)
            state.ranked[key[1]] = ranked[place]

    def query(self, state: UserState, seen_excluded: bool) -> Query | None:
        """See `Scorer.query`: made once a block, however often it is asked for."""
        key = state.key, seen_excluded
        if key not in self._queries:
            self._queries[key] = super().query(state, seen_excluded)
        return self._queries[key]

    def state(self, user: str | None, context: ContextValues = (), anchor: Anchor | None = None) -> UserState:
        if user is None and not context and anchor is None:
            return self._nobody
        key = (user, context, anchor)
        found = self._states.get(key)
        if found is None:
            live = EMPTY if user is None else self._live_of(user)
            found = self._states[key] = UserState(user, live, self._until, context=context, anchor=anchor)
        return found

    def _live_of(self, user: str) -> History:
        if user not in self._live:
            self._live[user] = self._histories([user]).get(user, EMPTY)
        return self._live[user]

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
