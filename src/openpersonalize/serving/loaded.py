"""A solution version in memory: `LoadedVersion`, everything about it that new data does not change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from ..datasets.histories import InteractionHistories
from ..exploration.newcomers import Newcomers
from ..recipes.artifact import Artifact
from ..recipes.facts import Facts
from .catalogue import Catalogue
from .history import BulkInteractions, Int32, RecentEvents

FEW = 200
"""Up to so many ids are looked up one by one: a join may read the whole table."""


class LoadedVersion:
    """A trained version as serving reads it. Safe to share between threads.

    Attributes:
        artifact: the trained version; model: its model. counts: the popularity of its items.
        recipe: the one it was trained with.
        names: the items' ids by row.
        unseen_by_popularity: rows without interactions at training, most popular first, for filling up.
        unscored: the same rows where the recipe gives scores to the others only; None where it scores all.
        linked: what users did in anonymous sessions, joined to them at training.
        newcomers: what the model calls the items that came after training.
    """

    def __init__(self, artifact: Artifact, recipe: Facts) -> None:
        self.artifact = artifact
        self.model = artifact.complete
        self.counts = artifact.counts
        self.recipe = recipe
        self.names = artifact.items
        self.names.find("")  # makes ready what look-ups need, in the thread that loads
        self.unseen_by_popularity = self.counts.others
        self.unscored = self.unseen_by_popularity if recipe.scored == "seen" else None
        kinds = {kind: number for number, kind in enumerate(artifact.event_types)}
        linked = artifact.linked
        self.newcomers = Newcomers()
        rows = None if linked is None else artifact.items.find_all(linked.items.series())
        self.linked = None if linked is None or rows is None else BulkInteractions(linked, rows)
        self.recent = RecentEvents(artifact.selection, kinds, artifact.position)

    def row_of(self, item: str) -> int | None:
        """An item's row, None when the model does not know it."""
        row = self.names.find(item)
        return None if row < 0 else row

    def rows_of(self, items: list[str]) -> Int32:
        """int32[k], the items' rows, -1 where the model does not know one."""
        if len(items) > FEW:
            return self.names.find_all(pl.Series(items, dtype=pl.String))
        return np.array([self.names.find(item) for item in items], dtype=np.int32)

    def profile(self, user: str) -> dict[str, str | float]:
        """What the model recognises of what was known about a user at training; a record put later counts
        from the next full training on, as Amazon's guide has it."""
        profiles = self.artifact.profiles
        found = {} if profiles is None else profiles.find(user)
        return self.model.used_features(found, {})[0] if found else {}


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

    def bulk(self, loaded: LoadedVersion) -> list[BulkInteractions]:
        """What users did before the live history, as filters on a version's answers read it."""
        own = None if self.histories is None else BulkInteractions(self.histories, self.bulk_rows)
        return [one for one in (loaded.linked, own) if one is not None]
