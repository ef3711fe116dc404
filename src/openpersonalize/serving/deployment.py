"""A deployed solution version, ready to answer: `Deployment` joins a loaded version with its group's data.

What is kept of a user (the best items under each set of weights, the items the user interacted with) belongs
to one state of the user's history: a streamed event makes a new one at the next question. All of it lies in
one cache that the deployments of a process share, bounded by bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..events.consumer import LogConsumer
from ..exploration.bonus import MOST_CANDIDATES
from ..exploration.tracker import ExposureTracker
from .catalogue import Catalogue
from .exploring import UserExploration
from .filtering import UserFilters
from .loaded import GroupData, LoadedVersion
from .metadata import item_metadata
from .ranked import TOP_ROWS
from .scoring import NARROW, OnlineScorer
from .states import Memory


class Deployment:
    """A version's model with everything an answer needs. Belongs to one thread, the event loop's.

    Attributes:
        loaded: the version; recipe: its recipe. items: current item records, aligned with its items.
        scorer: what it says of a user. filters: what filters leave. exploration: who draws.
        tracker: what exploration may choose from; None: the recipe does not explore.
        chance: where draws come from.
    """

    def __init__(
        self,
        loaded: LoadedVersion,
        items: Catalogue,
        group: GroupData,
        *,
        consumer: LogConsumer,
        memory: Memory,
        now: Callable[[], float],
        window: int = 0,
        tracker: ExposureTracker | None = None,
        top_rows: int = TOP_ROWS,
        narrow: int = NARROW,
        most_candidates: int = MOST_CANDIDATES,
    ) -> None:
        """Make a deployment.

        Args:
            loaded: the version.
            items: current item records, aligned with the version's items. group: the other current data.
            consumer: knows what is streamed. memory: keeps what is known about users. now: the time.
            window: newest interactions per user and event type that filters see; 0 = all.
            tracker: see `Deployment`. top_rows, narrow: see `OnlineScorer`.
            most_candidates: of exploration in one answer.
        """
        self.loaded = loaded
        self.recipe = loaded.recipe
        self.items = items
        self.group = group
        self.tracker = tracker
        self.chance = np.random.default_rng()  # answers are meant to differ from one call to the next
        self.scorer = OnlineScorer(
            loaded,
            group.stream,
            items,
            consumer=consumer,
            memory=memory,
            now=now,
            top_rows=top_rows,
            narrow=narrow,
        )
        self.filters = UserFilters(loaded, items, group, self.scorer, now=now, window=window)
        self.exploration = UserExploration(loaded, self.scorer, self.chance, most_candidates)
        self._consumer = consumer

    def follow(self) -> None:
        """Before each answer: answer from what the consumer has read. No I/O."""
        self.scorer.at(self._consumer.position)

    def behind(self) -> list[tuple[Catalogue, int]]:
        """Records that were put and are not taken in yet, and up to where to read. No I/O."""
        users = self.group.users()
        records = (self.items,) if users is None else (self.items, users)
        written = [(one, self._consumer.records_position(one.stream)) for one in records]
        return [(one, position) for one, position in written if position > one.position]

    def metadata(self, items: Sequence[str], columns: Sequence[str]) -> list[dict[str, str]]:
        """The current values of `columns` as text for each item, without those that are null."""
        return item_metadata(self.loaded, self.items, items, columns)
