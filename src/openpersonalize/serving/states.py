"""What is kept of users between their questions, bounded by bytes.

It belongs to one state of a user's history: a streamed event makes a new one at the next question.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from ..algorithms.topk import FloatArray
from ..caching import ByteLRU
from ..events.history import EMPTY, History
from ..exploration.candidates import ExplorationCandidates
from ..exploration.catalogue import ExtendedCatalogue
from ..recipes.model import State
from .history import InteractedItems, LiveRows
from .ranked import Ranked

FRESH_SECONDS = 300
"""Models may weigh how long ago things happened, so scores are worked out anew in every such span of the
clock. They are those of its end: within a span the same question has the same answer, in every process."""

ContextValues: TypeAlias = tuple[tuple[str, str | float], ...]
"""Columns with their values, in order of their names."""


class Anchor(NamedTuple):
    """The item that a question is about.

    Attributes:
        item: its id. row: its row, None when training did not know it. record: what the Items dataset says
        now of such an item: columns, in order of names, with their values. influence: see `Query.influence`,
        in order of names.
    """

    item: str
    row: int | None
    record: tuple[tuple[str, Any], ...] = ()
    influence: tuple[tuple[str, float], ...] = ()


@dataclass(slots=True)
class UserState:
    """What is known of one user at one state of the history.

    Attributes:
        user: None for nobody in particular. live: the streamed events, as of `position` of the live log.
        until: seconds; the scores are to be worked out anew from then on.
        ranked: under the ordinary weights, and under those for answers without the items interacted with.
        no_signal: known to have no event that counts, and nothing known that counts, so that everybody's
        order in the context is the user's.
        dropped: rows that a filter drops, by filter.
        seen_excluded: whether a filter leaves out most of what the user interacted with, by filter.
        explored: who draws in exploration, by the weights and the oldest age.
        newcomers_interacted: the newcomers interacted with.
        context: what the model recognises of the request's context. anchor: the item asked about.
        rows: the model's rows of `live`. new_items: scores of those that came after
        training, beside which ones they are of and how many the model was told of.
        beside: what was streamed of items where the answers are about actions; beside_rows: its rows.
    """

    user: str | None
    live: History
    until: int
    position: int = 0
    ranked: list[Ranked | None] = field(default_factory=lambda: [None, None])
    no_signal: bool = False
    interacted: InteractedItems | None = None
    dropped: dict[Hashable, frozenset[int]] = field(default_factory=dict)
    seen_excluded: dict[Hashable, bool] = field(default_factory=dict)
    explored: dict[tuple[bool, float], ExplorationCandidates] = field(default_factory=dict)
    newcomers_interacted: tuple[ExtendedCatalogue, InteractedItems] | None = None
    context: ContextValues = ()
    rows: LiveRows | None = None
    anchor: Anchor | None = None
    new_items: tuple[ExtendedCatalogue, int, FloatArray] | None = None
    beside: History = EMPTY
    beside_rows: LiveRows | None = None

    @property
    def newest(self) -> int:
        """The position of the newest event: another one for each that is added."""
        return max(self.live.newest, self.beside.newest)

    @property
    def key(self) -> tuple[str | None, ContextValues, Anchor | None]:
        """Tells the states of a deployment apart."""
        return self.user, self.context, self.anchor

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        total = 400 + self.live.nbytes + (self.rows.nbytes if self.rows is not None else 0)
        if self.beside_rows is not None:
            total += self.beside.nbytes + self.beside_rows.nbytes
        total += sum(one.size for one in self.ranked if one is not None)
        if self.interacted is not None:
            total += sum(rows.nbytes + 200 for rows in self.interacted.rows)
        if self.newcomers_interacted is not None:
            total += sum(rows.nbytes + 200 for rows in self.newcomers_interacted[1].rows)
        total += sum(candidates.size for candidates in self.explored.values())
        total += 200 * len(self.seen_excluded)
        if self.new_items is not None:
            total += self.new_items[2].nbytes
        return total + sum(300 + 80 * len(rows) for rows in self.dropped.values())


class Vector(NamedTuple):
    """A user's scores, for the answers that the kept head of the order is too short for.

    newest, until: the `UserState` they belong to.
    hidden: the scores of the rows that the recipe gives none (`LoadedVersion.unscored`), for exploration.
    """

    newest: int
    until: int
    scores: FloatArray
    hidden: FloatArray | None = None


class Memory:
    """What is kept about users, for all deployments of a process.

    Half of `budget` bytes for states (a few KB a user), a quarter each for score vectors (4 bytes an item)
    and for what models go on from when a user does something (`Resumes`), least recently used ones
    going first.
    """

    def __init__(self, budget: int) -> None:
        self.states: ByteLRU[UserState] = ByteLRU(budget // 2, lambda state: state.size, "states")
        self.vectors: ByteLRU[Vector] = ByteLRU(budget // 4, _vector_size, "vectors")
        self.sessions: ByteLRU[State] = ByteLRU(budget // 4, lambda session: session.nbytes, "model_states")


def _vector_size(vector: Vector) -> int:
    return vector.scores.nbytes + (0 if vector.hidden is None else vector.hidden.nbytes)


def until(now: float) -> int:
    """The end of the span of the clock that `now` is in."""
    return (int(now) // FRESH_SECONDS + 1) * FRESH_SECONDS
