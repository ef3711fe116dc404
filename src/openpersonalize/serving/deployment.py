"""A deployed solution version, ready to answer: `Deployment` joins a loaded version with its group's data.

What is kept of a user (the best items under each set of weights, the items the user interacted with) belongs
to one state of the user's history: a streamed event makes a new one at the next question. All of it lies in
one cache that the deployments of a process share, bounded by bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..events.follower import Follower
from .catalogue import Catalogue
from .exploration import MOST_CANDIDATES
from .exploring import UserExploration
from .filtering import UserFilters
from .loaded import GroupData, LoadedVersion
from .metadata import item_metadata
from .novelty import Novelty
from .ranked import TOP_ROWS
from .scoring import NARROW, OnlineScorer
from .states import Memory

AT_ONCE = 20
"""Entries of the log that are looked through for records while the others wait: about 3 ms."""


class Deployment:
    """A version's model with everything an answer needs. Belongs to one thread, the event loop's.

    Attributes:
        loaded: the version; recipe: its recipe. items: current item records, aligned with its items.
        scorer: what it says of a user. filters: what filters leave. exploration: who draws.
        novelty: what exploration may choose from; None: the recipe does not explore.
        chance: where draws come from.
    """

    def __init__(
        self,
        loaded: LoadedVersion,
        items: Catalogue,
        group: GroupData,
        *,
        follower: Follower,
        memory: Memory,
        now: Callable[[], float],
        window: int = 0,
        novelty: Novelty | None = None,
        top_rows: int = TOP_ROWS,
        narrow: int = NARROW,
        most_candidates: int = MOST_CANDIDATES,
    ) -> None:
        """Make a deployment.

        Args:
            loaded: the version.
            items: current item records, aligned with the version's items. group: the other current data.
            follower: knows what is streamed. memory: keeps what is known about users. now: the time.
            window: newest interactions per user and event type that filters see; 0 = all.
            novelty: see `Deployment`. top_rows, narrow: see `OnlineScorer`.
            most_candidates: of exploration in one answer.
        """
        self.loaded = loaded
        self.recipe = loaded.recipe
        self.items = items
        self.group = group
        self.novelty = novelty
        self.chance = np.random.default_rng()  # answers are meant to differ from one call to the next
        self.scorer = OnlineScorer(
            loaded, group.stream, follower=follower, memory=memory, now=now, top_rows=top_rows, narrow=narrow
        )
        self.filters = UserFilters(loaded, items, group, self.scorer, now=now, window=window)
        self.exploration = UserExploration(loaded, self.scorer, self.chance, most_candidates)
        self._follower = follower
        self._position = -1

    def follow(self) -> None:
        """Before each answer: take in what any process streamed; a look when nothing is new."""
        position = self._follower.catch_up()
        if position != self._position:
            self._position = position
            self.scorer.at(position)
            for records in self._records():
                records.catch_up(self._follower.records_position(records.stream))

    def far_behind(self) -> list[tuple[Catalogue, int]]:
        """Records with so much news that reading it would hold up other answers, and up to where to read."""
        if self._follower.catch_up() == self._position:
            return []
        written = ((one, self._follower.records_position(one.stream)) for one in self._records())
        return [(one, position) for one, position in written if position - one.position > AT_ONCE]

    def metadata(self, items: Sequence[str], columns: Sequence[str]) -> list[dict[str, str]]:
        """The current values of `columns` as text for each item, without those that are null."""
        return item_metadata(self.loaded, self.items, items, columns)

    def _records(self) -> tuple[Catalogue, ...]:
        users = self.group.users()
        return (self.items,) if users is None else (self.items, users)
