"""The campaigns and filters this process serves: loaded when first asked for, current at every call.

A call costs a look at the metadata store's change token. When the token has moved, the rows behind the call
are read again, in a thread; a campaign whose version, or whose group's data, changed gets what is new loaded
beside what serves. Calls that arrive meanwhile wait for it, so none fails and none is answered by what the
metadata no longer says. The model of an update that is still on its way is loaded ahead.

Memory: models up to `MODEL_BYTES`, least recently used ones go first (the newest always stays); users' states
and streamed histories up to the setting ``history_cache_mb``.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ..datasets.schemas import Field, Schema
from ..datasets.snapshots import Snapshot
from ..errors import InvalidInput, ResourceNotFound
from ..events.follower import Follower
from ..events.livelog import stream_of
from ..filters.compiler import CompiledFilter, compile_filter
from ..installation import Installation
from ..recipes.artifact import Artifact
from ..recipes.configuration import Exploration, exploration_of
from ..recipes.facts import Facts, Offer
from ..recipes.registry import facts_of
from ..resources.store import Scope
from .catalogue import Catalogue, Records
from .deployment import Deployment
from .loaded import GroupData, LoadedVersion
from .metadata_reads import CampaignEntry, DatasetEntry, Datasets, read_campaign, read_filter
from .novelty import MOST_ITEMS, Novelty
from .pulse import Pulse
from .states import Memory
from .tally import TallyStore

log = logging.getLogger(__name__)

MODEL_BYTES = 4 * 1024**3
"""Memory for models, by the size of their files."""

ROUNDS = 3
"""Times that put records are read in a thread before an answer: what comes meanwhile need not be in it."""

NO_ITEMS = Schema((Field("ITEM_ID", "string"),))
"""Stands for the Items schema of a group without such a dataset."""

Key = tuple[str, str, str]
"""Account, region, ARN."""

Loaded = TypeVar("Loaded")


@dataclass(frozen=True)
class Campaign:
    """A campaign that can answer.

    Attributes:
        token: the metadata's change token that this is true of.
        config: the campaignConfig in force; exploration: what it says of exploration, None: nothing.
    """

    arn: str
    token: int
    group: str
    config: Mapping[str, Any]
    exploration: Exploration | None
    recipe: Facts
    artifact: str
    deployment: Deployment
    pulse: Pulse | None
    upcoming: CampaignEntry | None


@dataclass(frozen=True)
class Filter:
    """A filter of a dataset group, compiled."""

    arn: str
    token: int
    group: str
    status: str
    compiled: CompiledFilter


@dataclass(frozen=True)
class _Held:
    """A loaded version and what its current deployment was made from."""

    loaded: LoadedVersion
    deployment: Deployment
    pulse: Pulse | None
    datasets: Datasets
    bytes: int


class Deployments:
    """One per process. Its methods are for the event loop's thread; loading happens in others."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._resources_version = installation.metadata.resources_version
        settings = installation.settings
        budget = settings.history_cache_mb * 1024 * 1024
        self._follower = Follower(installation.log, budget // 4)
        self._memory = Memory(budget - budget // 4)
        self._campaigns: dict[Key, Campaign] = {}
        self._filters: dict[Key, Filter] = {}
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._users: dict[str, tuple[DatasetEntry, Catalogue]] = {}
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="load")
        self._waiting: dict[tuple[str, Key], asyncio.Future[Any]] = {}
        self._ahead: set[asyncio.Task[Any]] = set()

    def close(self) -> None:
        """Stop loading and following."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._follower.close()

    # -- campaigns

    def campaign(self, scope: Scope, arn: str) -> Campaign | None:
        """The campaign, ready to answer; None: it must be loaded first."""
        found = self._campaigns.get((scope.account, scope.region, arn))
        if found is None or found.token != self._resources_version():
            return None
        if found.pulse is not None and found.pulse.due():
            self._threads.submit(found.pulse.advance).add_done_callback(_told)
        novelty = found.deployment.novelty
        if novelty is not None and novelty.due():
            self._threads.submit(novelty.advance).add_done_callback(_renewed)
        return found

    async def load_campaign(self, scope: Scope, arn: str) -> Campaign:
        """Read the campaign's rows again and load what they ask for.

        Raises:
            ResourceNotFound: there is no such campaign in the scope.
            InvalidInput: it is not ACTIVE.
        """
        key = (scope.account, scope.region, arn)
        return await self._loading("campaign", key, lambda: self._read_campaign(scope, arn), self._hold)

    def _hold(self, key: Key, made: tuple[Campaign, _Held]) -> Campaign:
        campaign, held = made
        self._campaigns[key] = campaign
        self._held[campaign.artifact] = held
        self._held.move_to_end(campaign.artifact)
        if campaign.upcoming is not None and campaign.upcoming.artifact not in self._held:
            self._load_ahead(campaign.upcoming)
        self._evict()
        return campaign

    def _evict(self) -> None:
        """Let go of what was not loaded or asked for the longest until the models fit."""
        while len(self._held) > 1 and sum(held.bytes for held in self._held.values()) > MODEL_BYTES:
            artifact, _ = self._held.popitem(last=False)
            self._campaigns = {k: c for k, c in self._campaigns.items() if c.artifact != artifact}

    def _load_ahead(self, entry: CampaignEntry) -> None:
        """Load the model of a coming update while the old one answers; the first call after it finds it."""

        def keep(_: Key, held: _Held) -> None:
            self._held.setdefault(entry.artifact or "", held)

        key = ("", "", entry.artifact or "")
        task = asyncio.ensure_future(self._loading("ahead", key, lambda: self._deployed(entry), keep))
        self._ahead.add(task)
        task.add_done_callback(self._loaded_ahead)

    def _loaded_ahead(self, task: asyncio.Task[Any]) -> None:
        self._ahead.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.warning("A model could not be loaded ahead of its campaign's update: %s", error)

    def _read_campaign(self, scope: Scope, arn: str) -> tuple[Campaign, _Held]:
        token = self._resources_version()
        entry = read_campaign(scope, arn)
        if entry is None:
            self._campaigns.pop((scope.account, scope.region, arn), None)
            raise ResourceNotFound(f"Campaign not found: {arn}")
        if entry.status != "ACTIVE" or entry.artifact is None:
            raise InvalidInput(f"Campaign {arn} is not active.")
        held = self._deployed(entry)
        recipe = held.loaded.recipe
        upcoming = entry.upcoming_entry()
        return (
            Campaign(
                arn,
                token,
                entry.group,
                entry.config,
                exploration_of(recipe, entry.config),
                recipe,
                entry.artifact,
                held.deployment,
                held.pulse,
                upcoming,
            ),
            held,
        )

    def _deployed(self, entry: CampaignEntry) -> _Held:
        """The version of an entry with its group's current data; what is loaded already is used again."""
        assert entry.artifact is not None
        held = self._held.get(entry.artifact)
        users = self._users.get(entry.group)
        if users is not None and users[0] != entry.datasets.get("USERS"):
            self._load_users(entry.group, entry.datasets)
        if held is not None and held.deployment.novelty is not None:
            held.deployment.novelty.until = entry.until
        if held is not None and held.datasets == entry.datasets:
            return held
        if held is not None:
            loaded, size, pulse = held.loaded, held.bytes, held.pulse
        else:
            recipe = facts_of(entry.recipe)
            if recipe is None:
                raise InvalidInput(f"The recipe {entry.recipe} of {entry.version} is not installed any more.")
            folder = self._installation.objects.fetch(entry.artifact)
            loaded, size = LoadedVersion(Artifact.open(folder), recipe), _bytes_below(folder)
            pulse = self._pulse(loaded, entry)
        items = self._items(loaded, entry.datasets)
        deployment = Deployment(
            loaded,
            items,
            self._group_data(loaded, entry),
            follower=self._follower,
            memory=self._memory,
            now=self._installation.clock.now,
            window=self._installation.settings.filter_window,
            novelty=self._novelty(loaded, entry, items, held),
        )
        return _Held(loaded, deployment, pulse, entry.datasets, size)

    def _pulse(self, loaded: LoadedVersion, entry: CampaignEntry) -> Pulse | None:
        """Follows what everybody does, for a model that wants to know; what was streamed already is told."""
        dataset = entry.datasets.get("INTERACTIONS")
        if dataset is None or not loaded.model.follows:
            return None
        installation = self._installation
        now = installation.clock.now
        pulse = Pulse(installation.log, stream_of(entry.group), dataset.parsed(), loaded, now)
        pulse.advance()
        return pulse

    def _novelty(
        self, loaded: LoadedVersion, entry: CampaignEntry, items: Catalogue, held: _Held | None
    ) -> Novelty | None:
        """What exploration goes by, for a recipe that explores; what was streamed already is taken in."""
        offers, installation = loaded.recipe.offers, self._installation
        if Offer.EXPLORATION not in offers or "INTERACTIONS" not in entry.datasets:
            return None
        earlier = held.deployment.novelty if held is not None else None
        if earlier is not None:
            earlier.catalogue = items
            if not installation.settings.item_refresh_seconds:
                earlier.advance()
            return earlier
        novelty = Novelty(
            installation.log,
            stream_of(entry.group),
            loaded.artifact,
            items,
            shown=installation.recommendations.shown if Offer.IMPRESSIONS in offers else None,
            now=installation.clock.now,
            refresh_seconds=installation.settings.item_refresh_seconds,
            grows=Offer.AUTO_UPDATE in offers,
            most=installation.settings.quota_training_items or MOST_ITEMS,
            until=entry.until,
            kept=TallyStore(installation.objects, entry.artifact or ""),
        )
        novelty.advance()
        return novelty

    def _items(self, loaded: LoadedVersion, datasets: Datasets) -> Catalogue:
        dataset = datasets.get("ITEMS")
        if dataset is None:
            return Catalogue(self._installation.log, "", NO_ITEMS, loaded.artifact.items)
        return self._catalogue(dataset, loaded)

    def _catalogue(self, dataset: DatasetEntry, loaded: LoadedVersion | None) -> Catalogue:
        key, objects = dataset.snapshot, self._installation.objects
        snapshot = Snapshot.open(objects, key) if key is not None else None
        ids = loaded.artifact.items if loaded is not None else None
        return Catalogue(self._installation.log, dataset.arn, dataset.parsed(), ids, snapshot)

    def _group_data(self, loaded: LoadedVersion, entry: CampaignEntry) -> GroupData:
        dataset = entry.datasets.get("INTERACTIONS")
        histories, rows = None, np.empty(0, dtype=np.int32)
        if dataset is not None and dataset.snapshot is not None:
            histories = Snapshot.open(self._installation.objects, dataset.snapshot).histories()
            rows = loaded.artifact.items.find_all(histories.items.series())
        return GroupData(stream_of(entry.group), histories, rows, lambda: self._users_of(entry.group))

    def _users_of(self, group: str) -> Catalogue | None:
        found = self._users.get(group)
        return found[1] if found is not None else None

    def _load_users(self, group: str, datasets: Datasets) -> None:
        dataset = datasets.get("USERS")
        if dataset is None:
            self._users.pop(group, None)
        else:
            self._users[group] = (dataset, self._catalogue(dataset, None))

    async def caught_up(self, deployment: Deployment) -> None:
        """Have a deployment know the records that were put before: many are read in a thread, once for all
        that wait for them, while others are answered. What little is left `Deployment.follow` reads."""
        for _ in range(ROUNDS):
            behind = deployment.far_behind()
            if not behind:
                return
            for records, position in behind:
                key = ("", "", str(id(records)))
                await self._loading("records", key, partial(records.read, position), partial(_taken, records))

    # -- filters

    def filter(self, scope: Scope, arn: str, token: int) -> Filter | None:
        """The filter as of a change token, that of the campaign it is used with; None: it must be loaded."""
        found = self._filters.get((scope.account, scope.region, arn))
        return found if found is not None and found.token == token else None

    async def load_filter(self, scope: Scope, arn: str) -> Filter:
        """Read the filter's row again and compile it; loads the Users records when it reads them.

        Raises:
            ResourceNotFound: there is no such filter in the scope.
            InvalidInput: its group's datasets no longer fit it.
        """
        key = (scope.account, scope.region, arn)
        return await self._loading("filter", key, lambda: self._read_filter(scope, arn), self._hold_filter)

    def _hold_filter(self, key: Key, found: Filter) -> Filter:
        self._filters[key] = found
        return found

    def _read_filter(self, scope: Scope, arn: str) -> Filter:
        token = self._resources_version()
        entry = read_filter(scope, arn)
        if entry is None:
            self._filters.pop((scope.account, scope.region, arn), None)
            raise ResourceNotFound(f"Filter not found: {arn}")
        try:
            schemas = {kind: dataset.parsed() for kind, dataset in entry.datasets.items()}
            compiled = compile_filter(entry.expression, schemas)
        except InvalidInput as error:
            raise InvalidInput(f"Filter {arn} cannot be used with this request: {error.message}") from error
        reads_users = any(field.startswith("USERS.") for field in compiled.fields)
        if reads_users and entry.group not in self._users:
            self._load_users(entry.group, entry.datasets)
        return Filter(arn, token, entry.group, entry.status, compiled)

    # -- loading

    async def _loading(
        self, kind: str, key: Key, read: Callable[[], Any], hold: Callable[[Key, Any], Loaded]
    ) -> Loaded:
        """Run `read` in a thread and `hold` its result here; callers at one time share one reading.

        A reading that began before a caller came may miss what was written in between, so a caller that finds
        one under way waits for it and then needs another, which it may share again.
        """
        current = self._waiting.get((kind, key))
        if current is not None:
            await asyncio.wait([current])
            current = self._waiting.get((kind, key))
        if current is None:
            current = asyncio.get_running_loop().run_in_executor(self._threads, read)
            self._waiting[(kind, key)] = current
            current.add_done_callback(lambda _: self._waiting.pop((kind, key), None))
        return hold(key, await asyncio.shield(current))


def _taken(records: Catalogue, _: Key, found: Records) -> None:
    records.take(found)


def _renewed(read: Future[None]) -> None:
    error = None if read.cancelled() else read.exception()
    if error is not None:
        log.warning("New items and impressions could not be read; they count later: %s", error)


def _told(read: Future[None]) -> None:
    error = None if read.cancelled() else read.exception()
    if error is not None:
        log.warning("What users do now could not be read; popularity stays as it is for a while: %s", error)


def _bytes_below(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
