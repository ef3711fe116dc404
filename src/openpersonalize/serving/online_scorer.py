"""Scores for single questions: `OnlineScorer`, which keeps what it worked out about a user until the user's
history or the clock moves on."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from ..events.consumer import LogConsumer
from ..events.history import EMPTY, History
from ..recipes.query import Query
from .catalogue import Catalogue
from .history import LiveRows
from .loaded import LoadedVersion
from .ranked import TOP_ROWS, Ranked
from .scoring import NARROW, Answer, VersionScorer
from .states import Anchor, ContextValues, Memory, UserState, Vector, until

LOOKED_UP_AT_ONCE = 1_000
"""Items looked up while others wait: about 2 ms."""

SCORED_AT_ONCE = 50_000
"""Items of a catalogue without an index that are scored while others wait: some milliseconds."""

_serials = itertools.count()


class OnlineScorer(VersionScorer):
    """Scores for single questions, with what `Memory` keeps of users. Belongs to one thread, the loop's.

    Attributes:
        streams: of the live log, whose events of a user it reads.
        large: whether its answers may need scores that hold up others, see `unscored`.
    """

    def __init__(
        self,
        loaded: LoadedVersion,
        stream: str,
        items: Catalogue,
        *,
        consumer: LogConsumer,
        memory: Memory,
        now: Callable[[], float],
        top_rows: int = TOP_ROWS,
        narrow: int = NARROW,
        beside: str | None = None,
        scored_at_once: int = SCORED_AT_ONCE,
    ) -> None:
        """Nothing is worked out yet.

        Args:
            loaded: the version. stream: the live log's stream of the group's interactions.
            items: current item records.
            consumer: knows what is streamed. memory: keeps what is worked out. now: the time.
            top_rows: rows of a user's order that are kept. narrow: see `NARROW`.
            beside: the stream of interactions with items, where answers are about actions.
            scored_at_once: see `SCORED_AT_ONCE`.
        """
        super().__init__(loaded, items, top_rows=top_rows, narrow=narrow)
        self._stream, self._beside_stream = stream, beside
        self.streams = (stream,) if beside is None else (stream, beside)
        self._consumer, self._memory, self._now = consumer, memory, now
        self.large = len(loaded.counts) > scored_at_once
        self._serial = next(_serials)
        self._position = -1
        self._nobody = UserState(None, EMPTY, until(now()))

    def knows(self, user: str, context: ContextValues, anchor: Anchor | None = None) -> bool:
        """Whether `state` has only to look it up."""
        state = self._memory.states.get((self._serial, (user, context, anchor)))
        return state is not None and state.position == self._position and state.until > self._now()

    def at(self, position: int) -> None:
        """Everything up to `position` of the live log is to be known from now on."""
        self._position = position

    def state(self, user: str | None, context: ContextValues = (), anchor: Anchor | None = None) -> UserState:
        now = self._now()
        if user is None and not context and anchor is None:
            if self._nobody.until <= now:
                self._nobody = UserState(None, EMPTY, until(now))
            return self._nobody
        key = (self._serial, (user, context, anchor))
        state = self._memory.states.get(key)
        if state is not None and state.position == self._position and state.until > now:
            return state
        live = beside = EMPTY
        if user is not None:
            live = self._consumer.history(self._stream, user)
            if self._beside_stream is not None:
                beside = self._consumer.history(self._beside_stream, user)
        if state is None or state.newest != max(live.newest, beside.newest) or state.until <= now:
            rows, others = (None, None) if state is None else (state.rows, state.beside_rows)
            state = UserState(
                user,
                live,
                until(now),
                context=context,
                anchor=anchor,
                rows=rows,
                beside=beside,
                beside_rows=others,
            )
            self._memory.states.put(key, state)
        state.position = self._position
        return state

    def unprepared(self, state: UserState) -> Callable[[], Callable[[], None]] | None:
        """What to call in a thread before an answer, and its result here afterwards: the rows of histories so
        long that looking them up would hold up other answers. None: nothing of the kind."""
        loaded = self._loaded
        rows = LiveRows(loaded.rows_of) if state.rows is None else state.rows
        long = [("rows", LiveRows(loaded.rows_of), state.live)] if _is_long(rows, state.live) else []
        if loaded.behaviour is not None:
            find = loaded.behaviour.rows_of
            rows = LiveRows(find) if state.beside_rows is None else state.beside_rows
            if _is_long(rows, state.beside):
                long.append(("beside_rows", LiveRows(find), state.beside))
        if not long:
            return None

        def prepared() -> Callable[[], None]:
            for _, fresh, live in long:
                fresh.of(live)
            return given

        def given() -> None:
            for name, fresh, _ in long:
                setattr(state, name, fresh)

        return prepared

    def unscored(self, state: UserState, seen_excluded: bool) -> Callable[[], Callable[[], None]] | None:
        """As `unprepared`: the scores of a catalogue so large that scoring it would hold up other answers.
        None: it is small, or indexed, or scored already."""
        if not self.large or state.ranked[seen_excluded] is not None:
            return None
        query, model = self.query(state, seen_excluded), self._loaded.model
        if query is None:
            nobody = self._nobodys(state)
            return None if nobody is state else self.unscored(nobody, seen_excluded)
        if model.indexed and len(query.item):
            return None
        kept, asked = self._kept(state, seen_excluded), query

        def scored() -> Callable[[], None]:
            vector = self._vector(state, model.scores(asked)) if kept is None else kept
            ranked = Ranked.of(vector.scores, self._top_rows)

            def given() -> None:
                self._keep(state, seen_excluded, vector)
                state.ranked[seen_excluded] = ranked
                self.resized(state)

            return given

        return scored

    def resized(self, state: UserState) -> None:
        if state is not self._nobody:
            self._memory.states.put((self._serial, state.key), state)

    def _kept(self, state: UserState, seen_excluded: bool) -> Vector | None:
        found = self._memory.vectors.get((self._serial, state.key, seen_excluded))
        if found is None or (found.newest, found.until) != (state.newest, state.until):
            return None
        return found

    def _keep(self, state: UserState, seen_excluded: bool, found: Vector) -> None:
        self._memory.vectors.put((self._serial, state.key, seen_excluded), found)

    def _asked(self, query: Query, user: str | None, ask: Callable[[Query], Answer]) -> Answer:
        """The model's answer, which goes on from what it kept about the user."""
        if user is None or not len(query.item):
            return ask(query)
        key = (self._serial, user)
        query, kept = self._loaded.model.resume(query, self._memory.sessions.get(key))
        found = ask(query)
        if kept is not None and kept.nbytes:
            self._memory.sessions.put(key, kept)
        return found


def _is_long(rows: LiveRows, history: History) -> bool:
    return rows.missing(history) > LOOKED_UP_AT_ONCE
