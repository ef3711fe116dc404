"""One solution version, loaded: its model, its group's current data, and what is kept about users.

What is kept of a user (the best items under each set of weights, the items met) belongs to one state of
the user's history: a streamed event makes a new one at the next question. All of it lies in one cache that
the deployments of a process share, bounded by bytes.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from ..algorithms.companion import Session, largest
from ..datasets.columns import ColumnSet
from ..datasets.histories import InteractionHistories
from ..events.follower import Follower
from ..events.history import EMPTY
from ..filters.compiler import BoundFilter
from ..recipes.artifact import Artifact
from ..recipes.base import Query, Recipe
from .catalogue import Catalogue, Value
from .exploration import Panel, low_of, neutral, panel_of
from .history import NOTHING, Int32, Met, Past, Recent, gathered
from .kept import Kept
from .newcomers import Newcomers
from .novelty import Candidates, Members, Novelty
from .ranked import EVERYTHING, GOES, HEAD, BoolArray, Ranked, Sieve, bias_of
from .states import Memory, Situation, UserState, Vector, until
from .topk import FloatArray, Rows

STATIC_BYTES = 64 * 1024 * 1024
"""Memory for the static parts of filters, per deployment."""

AT_ONCE = 20
"""Entries of the log that are looked through for records while the others wait: about 3 ms."""

LEADERS, SITUATIONS = 64, 64
"""Newcomers that draw in every answer because many meet them, kept for so many situations."""

NARROW = 16
"""A filter that leaves fewer than one in so many of a large catalogue has those scored alone."""

Answer = TypeVar("Answer")

_serials = itertools.count()


class Trained:
    """A trained version as serving reads it: everything that new data does not change.

    Attributes:
        artifact: the trained version; model: its model. recipe: the one it was trained with.
        names: the items' ids by row. row_of: an item's row, None when the model does not know it.
        placeholders: rows without interactions at training, most popular first, for filling up.
        linked: what users did in anonymous sessions, joined to them at training.
        unscored: the same rows where the recipe gives scores to the others only; None where it scores all.
        newcomers: what the model calls the items that came after training.
    """

    def __init__(self, artifact: Artifact, recipe: Recipe) -> None:
        self.artifact = artifact
        self.model = artifact.model
        self.recipe = recipe
        self.names = artifact.items.strings()
        self.row_of: Callable[[str], int | None] = {name: row for row, name in enumerate(self.names)}.get
        popular = self.model.popular
        self.placeholders = popular[~self.model.scored[popular]].astype(np.int64)
        self.unscored = self.placeholders if recipe.features.reasons else None
        kinds = {kind: number for number, kind in enumerate(artifact.event_types)}
        linked = artifact.linked
        self.newcomers = Newcomers()
        self.linked = None if linked is None else Past(linked, artifact.items.find_all(linked.items.series()))
        self.recent = Recent(artifact.selection, kinds, self.row_of, artifact.position)

    def profile(self, user: str) -> dict[str, str | float]:
        """What the model recognises of what was known about a user at training; a record put later counts
        from the next full training on, as Amazon's guide has it."""
        profiles = self.artifact.profiles
        found = {} if profiles is None else profiles.find(user)
        return self.model.recognised(found, {})[0] if found else {}


@dataclass(frozen=True)
class GroupData:
    """A dataset group's current data besides the item columns.

    Attributes:
        stream: the live log's stream of the group's interactions.
        histories: the bulk interactions by user; None before the first import.
        bulk_rows: int32, the model's row of each of ``histories.items``, -1 where the model does not know it.
        users: gives the Users records; None without such a dataset, or while no filter needs them.
    """

    stream: str
    histories: InteractionHistories | None
    bulk_rows: Int32
    users: Callable[[], Catalogue | None]


class Deployment:
    """A version's model with everything an answer needs. Belongs to one thread, the event loop's."""

    def __init__(
        self,
        trained: Trained,
        items: Catalogue,
        group: GroupData,
        *,
        follower: Follower,
        memory: Memory,
        now: Callable[[], float],
        window: int = 0,
        novelty: Novelty | None = None,
    ) -> None:
        """Make a deployment.

        Args:
            trained: the version.
            items: current item records, aligned with the version's items. group: the other current data.
            follower: knows what is streamed. memory: keeps what is known about users. now: the time.
            window: newest interactions per user and event type that filters see; 0 = all.
            novelty: what exploration may choose from; None: the recipe does not explore.
        """
        self.novelty = novelty
        self.chance = np.random.default_rng()  # answers are meant to differ from one call to the next
        self.trained = trained
        self.recipe = trained.recipe
        self.items = items
        self.group = group
        bulk = None if group.histories is None else Past(group.histories, group.bulk_rows)
        self._past = [one for one in (trained.linked, bulk) if one is not None]
        self._follower = follower
        self._position = -1
        self._memory = memory
        self._now = now
        self._window = window
        self._serial = next(_serials)
        self._static: Kept[tuple[BoolArray | None, FloatArray | None]] = Kept(STATIC_BYTES, _static_size)
        self._nobody = UserState(None, EMPTY, until(now()))
        self._leading: dict[tuple[bool, bool, Situation], tuple[Members, int, Rows]] = {}

    # -- what is known

    def follow(self) -> None:
        """Before each answer: take in what any process streamed; a look when nothing is new."""
        position = self._follower.catch_up()
        if position != self._position:
            self._position = position
            for records in self._records():
                records.catch_up(self._follower.records_position(records.stream))

    def far_behind(self) -> list[tuple[Catalogue, int]]:
        """Records with so much news that reading it would hold up other answers, and up to where to read."""
        if self._follower.catch_up() == self._position:
            return []
        written = ((one, self._follower.records_position(one.stream)) for one in self._records())
        return [(one, position) for one, position in written if position - one.position > AT_ONCE]

    def _records(self) -> tuple[Catalogue, ...]:
        users = self.group.users()
        return (self.items,) if users is None else (self.items, users)

    def situation(self, context: Mapping[str, str]) -> Situation:
        """What the model recognises of a request's context."""
        return tuple(sorted(self.trained.model.recognised({}, context)[1].items())) if context else ()

    def state(self, user: str | None, situation: Situation = ()) -> UserState:
        """What is known of a user (or an anonymous session, by its id) in a situation, as of the last
        `follow`.

        None: of nobody in particular.
        """
        now = self._now()
        if user is None and not situation:
            if self._nobody.until <= now:
                self._nobody = UserState(None, EMPTY, until(now))
            return self._nobody
        key = (self._serial, user, situation)
        state = self._memory.states.get(key)
        if state is not None and state.position == self._position and state.until > now:
            return state
        live = EMPTY if user is None else self._follower.history(self.group.stream, user)
        if state is None or state.live.newest != live.newest or state.until <= now:
            state = UserState(user, live, until(now), situation=situation)
            self._memory.states.put(key, state)
        state.position = self._position
        return state

    # -- scores

    def ranked(self, state: UserState, seen_excluded: bool) -> Ranked:
        """The order of the catalogue for a user; everybody's order when the user did nothing.

        Args:
            state: from `state`.
            seen_excluded: the answer leaves out the items met.
        """
        found = state.ranked[seen_excluded]
        if found is not None:
            return found
        query = self._indexed_query(state, seen_excluded)
        if query is not None:
            found = self._shortlisted(query, state.user)
        else:
            scores = self.scores(state, seen_excluded)
            if state.idle:
                return self.ranked(self.state(None, state.situation), seen_excluded)
            found = Ranked.of(scores)
        state.ranked[seen_excluded] = found
        self._grew(state)
        return found

    def _shortlisted(self, query: Query, user: str | None) -> Ranked:
        """The beginning of the order of a catalogue too large to be scored for every user."""
        # Room for the items met, which a filter is going to drop.
        wanted = HEAD + (min(len(query.item), HEAD) if query.seen_excluded else 0)
        scored_only = self.trained.unscored is not None
        short = self._asked(query, user, lambda one: self.trained.model.candidates(one, wanted, scored_only))
        return Ranked.short(short.rows, short.scores, short.log_total, short.low, wanted)

    def _indexed_query(self, state: UserState, seen_excluded: bool) -> Query | None:
        """The question of a user with events to a model with an index; None: all is scored."""
        query = self._query(state, seen_excluded) if self.trained.model.indexed else None
        return query if query is not None and len(query.item) else None

    def scores(self, state: UserState, seen_excluded: bool) -> FloatArray:
        """float32[n] log-scores, -inf on rows that the recipe gives none. Shared: not to be written into."""
        key = (self._serial, state.user, state.situation, seen_excluded)
        found = self._memory.vectors.get(key)
        if found is not None and (found.newest, found.until) == (state.live.newest, state.until):
            return found.scores
        query = self._query(state, seen_excluded)
        if query is None:
            state.idle = True
            return self.scores(self.state(None, state.situation), seen_excluded)
        scores, hidden = self._asked(query, state.user, self.trained.model.scores), None
        if self.trained.unscored is not None:
            hidden = scores[self.trained.unscored]
            scores[self.trained.unscored] = GOES
        self._memory.vectors.put(key, Vector(state.live.newest, state.until, scores, hidden))
        return scores

    def panel(
        self, state: UserState, seen_excluded: bool, candidates: Candidates, cut_off_days: float
    ) -> Panel:
        """Who draws in exploration for a user; everybody's panel when the user did nothing."""
        ranked, members = self.ranked(state, seen_excluded), candidates.members
        if state.idle:
            state = self.state(None, state.situation)
        key = (seen_excluded, cut_off_days)
        found = state.panels.get(key)
        if found is None or found.members is not members:
            found = state.panels[key] = panel_of(
                members,
                members.eligible(cut_off_days),
                self._leaders(state, seen_excluded, members),
                ranked,
                low_of(self.scores(state, seen_excluded)) if ranked.low is None else ranked.low,
                lambda rows: self.scores_at(state, seen_excluded, rows),
                lambda rows: self._all_scores_at(state, seen_excluded, rows),
                lambda numbers, low: self.newcomers(state, seen_excluded, members, numbers, low),
                self.chance,
            )
            self._grew(state)
        return found

    def newcomers(
        self, state: UserState, seen_excluded: bool, members: Members, numbers: Rows, low: float
    ) -> FloatArray:
        """The log-scores of newcomers: by their vectors, or `low` where they say nothing, and by how many
        meet them."""
        found = neutral(numbers, low)
        vectors = None if members.vectors is None else members.vectors[numbers]
        query = self._query(state, seen_excluded)
        if query is None:
            return found
        if vectors is not None and len(query.item):
            known = vectors.any(axis=1)
            found[known] = self.trained.model.scores_of(query, vectors[known])
        return found + self.trained.model.gained(query, members.numbers(self.trained.newcomers)[numbers])

    def _leaders(self, state: UserState, seen_excluded: bool, members: Members) -> Rows:
        """int64 rows, ascending, of the newcomers that most people meet: everybody's, for a while."""
        query = self._query(state, seen_excluded)
        if query is None or not len(members.ids):
            return np.empty(0, np.int64)
        key = seen_excluded, bool(len(query.item)), state.situation
        found = self._leading.get(key)
        if found is None or found[0] is not members or found[1] != state.until:
            gained = self.trained.model.gained(query, members.numbers(self.trained.newcomers))
            best = largest(gained, LEADERS)
            if len(self._leading) >= SITUATIONS:
                self._leading.clear()
            found = members, state.until, members.known + np.sort(best[gained[best] > 0])
            self._leading[key] = found
        return found[2]

    def scores_at(self, state: UserState, seen_excluded: bool, rows: Rows) -> FloatArray:
        """float32[len(rows)]: `scores` of some different rows."""
        query = self._indexed_query(state, seen_excluded)
        if query is None:
            return self.scores(state, seen_excluded)[rows]
        found = self._asked(query, state.user, lambda one: self.trained.model.scores_at(one, rows))
        if self.trained.unscored is not None:
            found[~self.trained.model.scored[rows]] = GOES
        return found

    def scores_within(self, state: UserState, seen_excluded: bool, sieve: Sieve) -> FloatArray:
        """`scores` on the rows that a sieve leaves; on the others anything. Never from candidates."""
        if sieve.keep is not None and self.trained.model.indexed:
            rows = np.flatnonzero(sieve.keep)
            if len(rows) < len(sieve.keep) // NARROW:
                found = np.full(len(sieve.keep), GOES)
                found[rows] = self.scores_at(state, seen_excluded, rows)
                return found
        return self.scores(state, seen_excluded)

    def _all_scores_at(self, state: UserState, seen_excluded: bool, rows: Rows) -> FloatArray:
        """`scores_at` with the scores of rows that the recipe gives none in an answer."""
        query = self._indexed_query(state, seen_excluded)
        if query is not None:
            return self._asked(query, state.user, lambda one: self.trained.model.scores_at(one, rows))
        scores = self.scores(state, seen_excluded)
        kept = self._memory.vectors.get((self._serial, state.user, state.situation, seen_excluded))
        if kept is None or kept.hidden is None:
            return np.where(scores > GOES, scores, scores[scores > GOES].min(initial=0.0))[rows]
        full = scores.copy()
        full[self.trained.unscored] = kept.hidden
        return full[rows]

    def keeps_newcomers(
        self, chosen: BoundFilter, state: UserState, members: Members, numbers: Rows
    ) -> BoolArray:
        """Which newcomers, by number, pass a filter (see `decided`)."""
        static = members.mask(chosen.key, chosen.static_mask)
        if chosen.is_static:
            return static[numbers]
        if state.met_new is None or state.met_new[0] is not members:
            state.met_new = members, self._gather(state, members.number_of, True)
            self._grew(state)
        facts = _Facts(self, state, state.met_new[1])
        return chosen.keep(members.columns, user=facts, static=static)[numbers]

    def _query(self, state: UserState, seen_excluded: bool) -> Query | None:
        """The question to the model; None of a user of whom nothing is known."""
        user = state.user if self.recipe.features.real_time else None
        trained = self.trained.artifact.history(user) if user is not None else NOTHING
        live = state.live if user is not None else EMPTY
        query = self.trained.recent.query(trained, live, state.until - 1, seen_excluded)
        profile = self.trained.profile(user) if user is not None else {}
        if state.user is not None and not len(query.item) and not profile:
            return None
        if profile or state.situation:
            query = replace(query, profile=profile, context=dict(state.situation))
        return query

    def _asked(self, query: Query, user: str | None, ask: Callable[[Query], Answer]) -> Answer:
        """The model's answer, which goes on from what it kept about the user."""
        if user is None or not len(query.item):
            return ask(query)
        key = (self._serial, user)
        session = self._memory.sessions.get(key) or Session()
        found = ask(replace(query, session=session))
        if session.nbytes:
            self._memory.sessions.put(key, session)
        return found

    def _grew(self, state: UserState) -> None:
        if state is not self._nobody:
            self._memory.states.put((self._serial, state.user, state.situation), state)

    # -- filters

    def decided(self, chosen: BoundFilter, state: UserState) -> BoundFilter:
        """A filter with its conditions on the user decided."""
        return chosen.decided(_Facts(self, state)) if chosen.depends_on_user_fields else chosen

    def sieve(self, chosen: BoundFilter | None, state: UserState, current_item: int | None = None) -> Sieve:
        """What a filter (see `decided`) leaves of the catalogue for a user."""
        if chosen is None:
            return EVERYTHING
        keep, bias = self._static_part(chosen)
        if chosen.is_static:
            return Sieve(keep, bias)
        dropped = self._dropped(chosen, state)
        if dropped is not None:
            return Sieve(keep, bias, dropped)
        columns = self.items.columns
        facts = _Facts(self, state)
        return Sieve(chosen.keep(columns, user=facts, current_item=current_item, static=keep))

    def _static_part(self, chosen: BoundFilter) -> tuple[BoolArray | None, FloatArray | None]:
        key = (chosen.key, self.items.columns.version)
        found = self._static.get(key)
        if found is None:
            keep = chosen.static_mask(self.items.columns)
            found = (None, None) if keep.all() else (keep, bias_of(keep))
            self._static.put(key, found)
        return found

    def _dropped(self, chosen: BoundFilter, state: UserState) -> frozenset[int] | None:
        """The rows a filter drops for a user; None when it does more than that beside its static part."""
        found = state.dropped.get(chosen.key)
        if found is None:
            rows = chosen.dropped_rows(_Facts(self, state))
            if rows is None:
                return None
            found = state.dropped[chosen.key] = frozenset(rows.tolist())
            self._grew(state)
        return found

    def met(self, state: UserState) -> Met:
        """The items a user interacted with."""
        if state.met is None:
            state.met = self._gather(state, self.trained.row_of, False)
            self._grew(state)
        return state.met

    def _gather(self, state: UserState, row_of: Callable[[str], int | None], by_name: bool) -> Met:
        """Items met, as rows; `by_name`: those of the past, too, are asked of `row_of`."""
        return gathered(state.user, state.live, self._past, row_of, by_name, self._window, self._now())

    def keeps_strangers(self, chosen: BoundFilter, state: UserState, ids: Sequence[str]) -> dict[str, bool]:
        """Which of `ids`, items the model does not know, pass a filter: tested on their current records."""
        ordered = sorted(set(ids), key=str.encode)
        rows = {name: row for row, name in enumerate(ordered)}
        facts = _Facts(self, state, self._gather(state, rows.get, True))
        keep = chosen.keep(self.items.strangers(ordered), user=facts)
        return dict(zip(ordered, keep.tolist(), strict=True))

    # -- metadata

    def metadata(self, items: Sequence[str], columns: Sequence[str]) -> list[dict[str, str]]:
        """The current values of `columns` as text for each item, without those that are null."""
        rows = [self.trained.row_of(item) for item in items]
        others = sorted({item for item, row in zip(items, rows, strict=True) if row is None}, key=str.encode)
        strangers = self.items.strangers(others) if others else self.items.columns
        places = {item: row for row, item in enumerate(others)}
        return [
            _texts(self.items.columns, row, columns)
            if row is not None
            else _texts(strangers, places[item], columns)
            for item, row in zip(items, rows, strict=True)
        ]


def _texts(records: ColumnSet, row: int, columns: Sequence[str]) -> dict[str, str]:
    found = ((name, records.text_at(name, row)) for name in columns)
    return {name: text for name, text in found if text is not None}


def _static_size(part: tuple[BoolArray | None, FloatArray | None]) -> int:
    return sum(array.nbytes for array in part if array is not None)


@dataclass(frozen=True, slots=True)
class _Facts:
    """What a filter may ask about the user of a request; `other_met` in place of the model's rows."""

    deployment: Deployment
    state: UserState
    other_met: Met | None = None

    def rows_met(self, accepts: Callable[[str], bool]) -> Int32:
        """Rows of the items met by an event type that is accepted."""
        known = self.other_met if self.other_met is not None else self.deployment.met(self.state)
        return known.accepted(accepts)

    def value(self, field: str) -> Value:
        """The user's value of a Users column."""
        users, user = self.deployment.group.users(), self.state.user
        return users.value(user, field) if users is not None and user is not None else None
