"""A solution version in memory: `LoadedVersion`, everything about it that new data does not change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from ..datasets.action_events import FoldedTypes
from ..datasets.histories import InteractionHistories
from ..events.history import History
from ..exploration.newcomers import Newcomers
from ..recipes.artifact import Artifact
from ..recipes.artifact_behaviour import ArtifactBehaviour
from ..recipes.facts import Facts
from ..recipes.query import ItemHistory
from ..storage.idtable import IdTable
from .catalogue import Catalogue
from .history import BulkInteractions, Int32, RecentEvents

FEW = 200
"""Up to so many ids are looked up one by one: a join may read the whole table."""


class LoadedBehaviour:
    """What users did with items, beside the actions of a version. Safe to share between threads."""

    def __init__(self, kept: ArtifactBehaviour, position: int) -> None:
        """`kept`: as of the training, which read the live log up to `position`."""
        self._kept = kept
        kept.items.find("")  # makes ready what look-ups need, in the thread that loads
        kinds = {kind: number for number, kind in enumerate(kept.event_types)}
        self._recent = RecentEvents(kept.selection, kinds, position)

    def rows_of(self, items: list[str]) -> Int32:
        """int32[k], the items' numbers, -1 where the model does not know one."""
        return _rows(self._kept.items, items)

    def history(self, user: str, streamed: History, rows: Int32, now: int) -> ItemHistory:
        """A user's newest interactions; `rows` of the streamed ones in order of arrival."""
        query = self._recent.query(self._kept.history(user), streamed, rows, now, False)
        return ItemHistory(query.item, query.time)


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
        behaviour: what users did with items, where the answers are about actions.
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
        kinds: Mapping[str, int] = {kind: number for number, kind in enumerate(artifact.event_types)}
        if recipe.task.events == "ACTION_INTERACTIONS":
            kinds = FoldedTypes(artifact.event_types)
        linked = artifact.linked
        self.newcomers = Newcomers()
        rows = None if linked is None else artifact.items.find_all(linked.items.series())
        self.linked = None if linked is None or rows is None else BulkInteractions(linked, rows)
        self.recent = RecentEvents(artifact.selection, kinds, artifact.position)
        behaviour = artifact.behaviour
        self.behaviour = None if behaviour is None else LoadedBehaviour(behaviour, artifact.position)

    def row_of(self, item: str) -> int | None:
        """An item's row, None when the model does not know it."""
        row = self.names.find(item)
        return None if row < 0 else row

    def rows_of(self, items: list[str]) -> Int32:
        """int32[k], the items' rows, -1 where the model does not know one."""
        return _rows(self.names, items)

    def profile(self, user: str) -> dict[str, str | float]:
        """What the model recognises of what was known about a user at training; a record put later counts
        from the next full training on, as Amazon's guide has it."""
        profiles = self.artifact.profiles
        found = {} if profiles is None else profiles.find(user)
        return self.model.used_features(found, {})[0] if found else {}


def _rows(table: IdTable, ids: list[str]) -> Int32:
    if len(ids) > FEW:
        return table.find_all(pl.Series(ids, dtype=pl.String))
    return np.array([table.find(one) for one in ids], dtype=np.int32)


@dataclass(frozen=True)
class GroupData:
    """A dataset group's current data besides the item columns.

    Attributes:
        stream: the live log's stream of the group's interactions with what is ranked.
        histories: the bulk interactions by user; None before the first import.
        bulk_rows: int32, the model's row of each of ``histories.items``, -1 where the model does not know it.
        users: gives the Users records; None without such a dataset, or while no filter needs them.
        beside: the stream of interactions with items, where the answers are about actions.
    """

    stream: str
    histories: InteractionHistories | None
    bulk_rows: Int32
    users: Callable[[], Catalogue | None]
    beside: str | None = None

    def bulk(self, loaded: LoadedVersion) -> list[BulkInteractions]:
        """What users did before the live history, as filters on a version's answers read it."""
        own = None if self.histories is None else BulkInteractions(self.histories, self.bulk_rows)
        return [one for one in (loaded.linked, own) if one is not None]
