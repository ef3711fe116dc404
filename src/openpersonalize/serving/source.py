"""What an answer is put together from: `AnswerSource`, a version with its group's data and a scorer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..exploration.candidates import MOST_CANDIDATES
from ..exploration.tracker import ExposureTracker
from .catalogue import Catalogue
from .exploring import UserExploration
from .filtering import UserFilters
from .loaded import GroupData, LoadedVersion
from .metadata import item_metadata
from .scoring import Scorer


class AnswerSource:
    """A version's model with everything an answer needs. Belongs to one thread.

    Attributes:
        loaded: the version; recipe: its recipe. items: current item records, aligned with its items.
        group: the group's other data.
        scorer: what it says of a user. filters: what filters leave. exploration: who draws.
        tracker: what exploration may choose from, and what came after training; None: neither is in answers.
        chance: where draws come from.
        bulk: what users did before the live history. now: the time.
    """

    scorer: Scorer

    def __init__(
        self,
        loaded: LoadedVersion,
        items: Catalogue,
        group: GroupData,
        scorer: Scorer,
        *,
        now: Callable[[], float],
        window: int = 0,
        tracker: ExposureTracker | None = None,
        most_candidates: int = MOST_CANDIDATES,
    ) -> None:
        """Join what is given.

        Args:
            loaded, items, group, scorer, tracker: see `AnswerSource`. now: the time.
            window: newest interactions per user and event type that filters see; 0 = all.
            most_candidates: of exploration in one answer.
        """
        self.loaded = loaded
        self.recipe = loaded.recipe
        self.items = items
        self.group = group
        self.scorer = scorer
        self.tracker = tracker
        self.bulk = group.bulk(loaded)
        self.now = now
        self.chance = np.random.default_rng()  # answers are meant to differ from one call to the next
        self.filters = UserFilters(loaded, items, group, scorer, now=now, window=window)
        self.exploration = UserExploration(loaded, scorer, self.chance, most_candidates)

    def follow(self) -> None:
        """Before each answer: answer from all that is known by now. No I/O."""

    def metadata(self, items: Sequence[str], columns: Sequence[str]) -> list[dict[str, str]]:
        """The current values of `columns` as text for each item, without those that are null."""
        return item_metadata(self.loaded, self.items, items, columns)
