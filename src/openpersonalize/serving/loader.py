"""Loading of versions and records: from metadata entries and the object store to a `LoadedDeployment`.

`Loader` keeps nothing: what it is given and what lies on the disk decide what comes out. All of it blocks and
is for threads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..datasets.schemas import Field, Schema
from ..datasets.snapshots import Snapshot
from ..errors import InvalidInput
from ..events.consumer import LogConsumer
from ..events.livelog import stream_of
from ..exploration.checkpoint import CheckpointStore, Part
from ..exploration.tracker import MOST_ITEMS, ExposureTracker
from ..installation import Installation
from ..recipes.artifact import Artifact
from ..recipes.facts import Offer, Task
from ..recipes.registry import facts_of
from .catalogue import Catalogue
from .deployment import Deployment
from .loaded import GroupData, LoadedVersion
from .metadata_reads import DatasetEntry, Datasets, EndpointEntry
from .popularity_feed import PopularityFeed
from .states import Memory

NO_RECORDS = {
    "ITEMS": Schema((Field("ITEM_ID", "string"),)),
    "ACTIONS": Schema((Field("ACTION_ID", "string"),)),
}
"""Stand for the schemas of a group without such a dataset."""

ACTION_WINDOW = 3
"""Amazon's filters see 300 action interactions of a type where they see 100 item interactions."""


@dataclass(frozen=True)
class LoadedDeployment:
    """A loaded version, its current deployment, and what that was made from.

    Attributes:
        feed: tells the model what everybody does; None: it does not want to know.
        datasets: the group's, as of the deployment.
        model_bytes: of the model's files.
    """

    loaded: LoadedVersion
    deployment: Deployment
    feed: PopularityFeed | None
    datasets: Datasets
    model_bytes: int

    def update_until(self, position: int | None) -> None:
        """Say where new items join no more; see `ExposureTracker.until`."""
        tracker = self.deployment.tracker
        if tracker is not None:
            tracker.until = position

    @property
    def nbytes(self) -> int:
        """About how much memory it takes now."""
        tracker = self.deployment.tracker
        explored = 0 if tracker is None else tracker.nbytes
        return self.model_bytes + self.deployment.items.nbytes + explored


class Loader:
    """Loads for one process. Safe to call from any thread."""

    def __init__(
        self,
        installation: Installation,
        consumer: LogConsumer,
        memory: Memory,
        users_of: Callable[[str], Catalogue | None],
    ) -> None:
        """Everything that is loaded follows `consumer`, keeps users' states in `memory` and asks `users_of`
        for a group's Users records."""
        self._installation, self._consumer, self._memory = installation, consumer, memory
        self._users_of = users_of

    def deployment(self, entry: EndpointEntry, held: LoadedDeployment | None) -> LoadedDeployment:
        """The version of an entry with its group's current data.

        Args:
            entry: what the metadata say. held: the same version with earlier data, of which the model, what
                was counted and what was told are used again; None: it is not loaded.

        Raises:
            InvalidInput: its recipe is not installed any more.
            FileNotFoundError: its artifact is gone.
        """
        assert entry.artifact is not None
        if held is None:
            recipe = facts_of(entry.recipe)
            if recipe is None:
                raise InvalidInput(f"The recipe {entry.recipe} of {entry.version} is not installed any more.")
            folder = self._installation.objects.fetch(entry.artifact)
            loaded, size = LoadedVersion(Artifact.open(folder), recipe), _bytes_below(folder)
            feed = self._feed(loaded, entry)
        else:
            loaded, size, feed = held.loaded, held.model_bytes, held.feed
        items, group = self._records(loaded, entry.datasets), self._group_data(loaded, entry)
        times = ACTION_WINDOW if loaded.recipe.task is Task.ACTIONS else 1
        deployment = Deployment(
            loaded,
            items,
            group,
            consumer=self._consumer,
            memory=self._memory,
            now=self._installation.clock.now,
            window=self._installation.settings.filter_window * times,
            tracker=self._tracker(loaded, entry, items, group, held),
        )
        return LoadedDeployment(loaded, deployment, feed, entry.datasets, size)

    def users(self, dataset: DatasetEntry) -> Catalogue:
        """The records of a Users dataset."""
        return self._catalogue(dataset, None)

    def _feed(self, loaded: LoadedVersion, entry: EndpointEntry) -> PopularityFeed | None:
        if "INTERACTIONS" not in entry.datasets or not loaded.model.follows:
            return None
        store = self._checkpoints(entry, "popularity")
        return PopularityFeed(loaded, self._installation.clock.now, store)

    def _checkpoints(self, entry: EndpointEntry, part: Part) -> CheckpointStore:
        installation = self._installation
        return CheckpointStore(installation.objects, installation.settings.data, entry.artifact or "", part)

    def _tracker(
        self,
        loaded: LoadedVersion,
        entry: EndpointEntry,
        items: Catalogue,
        group: GroupData,
        held: LoadedDeployment | None,
    ) -> ExposureTracker | None:
        """What came after training, for a recipe whose answers are taken from the catalogue. One that neither
        explores it nor ranks it among the others has what was put, where a filter leaves too little."""
        offers, installation = loaded.recipe.offers, self._installation
        task, ranks = loaded.recipe.task, loaded.model.ranks_new_items
        actions = task is Task.ACTIONS
        known = actions or "INTERACTIONS" in entry.datasets
        fills_up = not ranks and (Offer.EXPLORATION not in offers or not known)
        if fills_up and not (task.lists_items and "ITEMS" in entry.datasets):
            return None
        earlier = held.deployment.tracker if held is not None else None
        if earlier is not None:
            earlier.follow_data(items, [one.histories for one in group.bulk(loaded)])
            return earlier
        most = installation.settings.quota_training_items or loaded.recipe.most_items or MOST_ITEMS
        return ExposureTracker(
            loaded.artifact,
            items,
            embed=loaded.model.embed,
            shown=installation.recommendations.shown if Offer.IMPRESSIONS in offers else None,
            now=installation.clock.now,
            refresh_seconds=installation.settings.item_refresh_seconds,
            grows=ranks or fills_up or Offer.AUTO_UPDATE in offers,
            most=most,
            newcomer_bytes=installation.settings.newcomers_mb << 20,
            until=entry.until,
            store=self._checkpoints(entry, "exposure"),
            histories=[one.histories for one in group.bulk(loaded)],
            newcomers=loaded.newcomers,
            recorded_only=actions or fills_up,
        )

    def _records(self, loaded: LoadedVersion, datasets: Datasets) -> Catalogue:
        kind = loaded.recipe.task.records
        dataset = datasets.get(kind)
        if dataset is None:
            return Catalogue(self._installation.log, "", NO_RECORDS[kind], loaded.artifact.items)
        return self._catalogue(dataset, loaded)

    def _catalogue(self, dataset: DatasetEntry, loaded: LoadedVersion | None) -> Catalogue:
        key, objects = dataset.snapshot, self._installation.objects
        snapshot = Snapshot.open(objects, key) if key is not None else None
        ids = loaded.artifact.items if loaded is not None else None
        return Catalogue(self._installation.log, dataset.arn, dataset.parsed(), ids, snapshot)

    def _group_data(self, loaded: LoadedVersion, entry: EndpointEntry) -> GroupData:
        task = loaded.recipe.task
        dataset = entry.datasets.get(task.events)
        histories, rows = None, np.empty(0, dtype=np.int32)
        if dataset is not None and dataset.snapshot is not None:
            histories = Snapshot.open(self._installation.objects, dataset.snapshot).histories()
            rows = loaded.artifact.items.find_all(histories.items.series())
        return GroupData(
            stream_of(entry.group, task.events),
            histories,
            rows,
            lambda: self._users_of(entry.group),
            stream_of(entry.group) if loaded.behaviour is not None else None,
        )


def _bytes_below(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
