"""The endpoints and filters that this process serves, current at every call: `EndpointRegistry`.

A call costs a look at the metadata store's version, a number in memory. When it has moved, the rows behind
the call are read again, in a thread; an endpoint whose version, or whose group's data, changed gets what is
new loaded beside what serves. Calls that arrive meanwhile wait for it, so none fails and none is answered by
what the metadata no longer says. The model of an update that is still on its way is loaded ahead.

Rows are read in threads of their own, so that they wait for nobody's loading; models are loaded once for each
artifact, whatever endpoints name it. Every table here belongs to the event loop's thread.

Memory: models, their records and the Users records up to `MODEL_BYTES`, least recently used ones go first
(the newest always stays); users' states and streamed histories up to the setting ``history_cache_mb``.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from ..errors import InvalidInput, ResourceNotFound
from ..events.consumer import LogConsumer
from ..filters.compiler import BoundFilter, compile_filter
from ..installation import Installation
from ..recipes.configuration import exploration_of
from ..resources.arns import elsewhere, kind_of
from ..resources.store import Scope
from .catalogue import Catalogue
from .deployment import Deployment
from .endpoint import Endpoint, Filter, hidden
from .loader import LoadedDeployment, Loader
from .metadata_reads import DatasetEntry, EndpointEntry, FilterEntry, read_endpoint, read_filter
from .refresh import Following, Readiness
from .states import Memory

log = logging.getLogger(__name__)

MODEL_BYTES = 4 * 1024**3
"""Memory for models, by the size of their files, and for the records beside them."""

Key = tuple[str, str, str]
"""Account, region, ARN."""
Value = TypeVar("Value")


@dataclass(frozen=True)
class _Held:
    deployment: LoadedDeployment
    following: Following


class EndpointRegistry:
    """One per process. Its methods are for the event loop's thread; reading and loading happens in others."""

    def __init__(self, installation: Installation, *, model_bytes: int = MODEL_BYTES) -> None:
        self._installation = installation
        self._version = installation.metadata.resources_version
        self._model_bytes = model_bytes
        budget = installation.settings.history_cache_mb * 1024 * 1024
        self.consumer = LogConsumer(installation.log, budget // 4)
        self._loader = Loader(installation, self.consumer, Memory(budget - budget // 4), self._users_of)
        self._readiness = Readiness(self.consumer)
        self._endpoints: dict[Key, Endpoint] = {}
        self._filters: dict[Key, Filter] = {}
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._users: dict[str, tuple[DatasetEntry, Catalogue]] = {}
        self._rows = ThreadPoolExecutor(2, thread_name_prefix="metadata")
        self._loads = ThreadPoolExecutor(2, thread_name_prefix="load")
        self._waiting: dict[tuple[object, ...], asyncio.Task[Any]] = {}
        self._ahead: set[asyncio.Task[Any]] = set()

    def close(self) -> None:
        """Stop loading and following."""
        self._rows.shutdown(wait=True, cancel_futures=True)
        self._loads.shutdown(wait=True, cancel_futures=True)
        self._readiness.close()
        self.consumer.close()

    @property
    def loaded(self) -> list[str]:
        """Keys of the artifacts that are in memory, that unused for longest first."""
        return list(self._held)

    @property
    def loading(self) -> int:
        """How many models are being loaded ahead."""
        return len(self._ahead)

    # -- endpoints

    def endpoint(self, scope: Scope, arn: str) -> Endpoint | None:
        """The endpoint, ready to answer; None: it must be loaded first."""
        found = self._endpoints.get((scope.account, scope.region, arn))
        if found is None or found.version != self._version():
            return None
        if found.artifact in self._held:
            self._held.move_to_end(found.artifact)
        return found

    async def load_endpoint(self, scope: Scope, arn: str) -> Endpoint:
        """Read the endpoint's rows again and load what they ask for.

        Raises:
            ResourceNotFound: there is no such campaign or recommender in the scope.
            InvalidInput: it is not ACTIVE.
        """
        key = (scope.account, scope.region, arn)
        while True:
            version = self._version()
            try:
                return await self._shared(("endpoint", key), lambda: self._load_endpoint(key, scope))
            except FileNotFoundError:  # replaced after its name was read
                if self._version() == version:
                    raise

    async def _load_endpoint(self, key: Key, scope: Scope) -> Endpoint:
        version, arn = self._version(), key[2]
        noun = "Recommender" if kind_of(arn) == "recommender" else "Campaign"
        entry = await self._read(read_endpoint, scope, arn)
        if entry is None:
            self._endpoints.pop(key, None)
            raise ResourceNotFound(f"{noun} not found: {arn}{elsewhere(arn, scope.account, scope.region)}")
        if entry.status != "ACTIVE" or entry.artifact is None:
            raise InvalidInput(f"{noun} {arn} is not active.")
        await self._refresh_users(entry)
        held = (await self._deployment(entry)).deployment
        earlier = self._endpoints.get(key)
        endpoint = self._endpoints[key] = Endpoint(
            arn,
            version,
            entry.group,
            entry.config,
            exploration_of(held.loaded.recipe, entry.config),
            held.loaded.recipe,
            entry.artifact,
            held.deployment,
            entry.upcoming_entry(),
            hidden(held.loaded.recipe, entry.datasets),
        )
        if endpoint.upcoming is not None and endpoint.upcoming.artifact not in self._held:
            self._load_ahead(endpoint.upcoming)
        if earlier is not None and earlier.artifact != entry.artifact:
            self._let_go(earlier.artifact)
        self._evict()
        return endpoint

    async def _deployment(self, entry: EndpointEntry) -> _Held:
        """The version of an entry with its group's current data, loaded once for all who want it."""
        artifact = entry.artifact
        assert artifact is not None
        while True:
            held = self._held.get(artifact)
            if held is not None and held.deployment.datasets == entry.datasets:
                self._held.move_to_end(artifact)
                held.deployment.update_until(entry.until)
                return held
            running = self._waiting.get(("deployment", artifact))
            if running is None:
                break
            await asyncio.wait([running])
        return await self._shared(("deployment", artifact), lambda: self._load(artifact, entry, held))

    async def _load(self, artifact: str, entry: EndpointEntry, held: _Held | None) -> _Held:
        earlier = held.deployment if held is not None else None
        made = await asyncio.get_running_loop().run_in_executor(self._loads, self._made, entry, earlier)
        if held is not None:
            held.following.stop(made.following)
        self._held[artifact] = made
        self._held.move_to_end(artifact)
        return made

    def _made(self, entry: EndpointEntry, earlier: LoadedDeployment | None) -> _Held:
        """In a thread: what an entry says, loaded and following the log."""
        deployment = self._loader.deployment(entry, earlier)
        deployment.update_until(entry.until)
        following = Following(deployment, self.consumer)
        following.caught_up()
        return _Held(deployment, following)

    def _evict(self) -> None:
        """Let go of what was not loaded or asked for the longest until the rest fits."""
        sizes = {artifact: held.deployment.nbytes for artifact, held in self._held.items()}
        total = sum(sizes.values()) + sum(records.nbytes for _, records in self._users.values())
        groups = {endpoint.group for endpoint in self._endpoints.values()}
        while total > self._model_bytes and len(self._held) > 1:
            artifact, held = self._held.popitem(last=False)
            held.following.stop()
            total -= sizes[artifact]
            self._endpoints = {k: e for k, e in self._endpoints.items() if e.artifact != artifact}
        for group in groups - {endpoint.group for endpoint in self._endpoints.values()}:
            self._forget_users(group)

    def _let_go(self, artifact: str) -> None:
        """Let go of a model that no endpoint names any more, with all that was kept of its users: it may have
        been replaced for somebody's removal."""
        named = {endpoint.artifact for endpoint in self._endpoints.values()}
        coming = {e.upcoming.artifact for e in self._endpoints.values() if e.upcoming is not None}
        if artifact not in named | coming and artifact in self._held:
            self._held.pop(artifact).following.stop()

    def _load_ahead(self, entry: EndpointEntry) -> None:
        """Load the model of a coming update while the old one answers; the first call after it finds it."""
        task = asyncio.ensure_future(self._deployment(entry))
        self._ahead.add(task)
        task.add_done_callback(self._loaded_ahead)

    def _loaded_ahead(self, task: asyncio.Task[Any]) -> None:
        self._ahead.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.warning("A model could not be loaded ahead of its campaign's update: %s", error)

    # -- what an answer needs

    async def ready(
        self,
        deployment: Deployment,
        user: str | None,
        sent: Mapping[str, str],
        item: str | None = None,
        *,
        records: bool,
        chosen: BoundFilter | None = None,
        influence: Mapping[str, float] | None = None,
    ) -> None:
        """Know everything that was acknowledged before this call, and what an answer needs: see
        `Readiness`."""
        await self._readiness.ready(
            deployment, user, sent, item, records=records, chosen=chosen, influence=influence
        )

    # -- Users records

    def _users_of(self, group: str) -> Catalogue | None:
        found = self._users.get(group)
        return found[1] if found is not None else None

    async def _refresh_users(self, entry: EndpointEntry) -> None:
        """Load a group's Users records again when they are held and their dataset changed."""
        found = self._users.get(entry.group)
        if found is not None and found[0] != entry.datasets.get("USERS"):
            await self._load_users(entry)

    async def _load_users(self, entry: EndpointEntry | FilterEntry) -> None:
        dataset = entry.datasets.get("USERS")
        if dataset is None:
            self._users.pop(entry.group, None)
            return
        key = ("users", entry.group, dataset)

        async def load() -> None:
            loop = asyncio.get_running_loop()
            records = await loop.run_in_executor(self._loads, self._loader.users, dataset)
            self._users[entry.group] = (dataset, records)

        await self._shared(key, load)

    def _forget_users(self, group: str) -> None:
        """Let go of a group's Users records, and of the filters that count on them."""
        if self._users.pop(group, None) is not None:
            kept = {k: f for k, f in self._filters.items() if f.group != group or not f.reads_users}
            self._filters = kept

    # -- filters

    def filter(self, scope: Scope, arn: str, version: int) -> Filter | None:
        """The filter as of a version of the metadata, that of the endpoint it is used with; None: it must be
        loaded."""
        found = self._filters.get((scope.account, scope.region, arn))
        return found if found is not None and found.version == version else None

    async def load_filter(self, scope: Scope, arn: str) -> Filter:
        """Read the filter's row again and compile it; loads the Users records when it reads them.

        Raises:
            ResourceNotFound: there is no such filter in the scope.
            InvalidInput: its group's datasets no longer fit it.
        """
        key = (scope.account, scope.region, arn)
        while True:
            version = self._version()
            try:
                return await self._shared(("filter", key), lambda: self._load_filter(key, scope))
            except FileNotFoundError:  # as above: the Users records
                if self._version() == version:
                    raise

    async def _load_filter(self, key: Key, scope: Scope) -> Filter:
        version, arn = self._version(), key[2]
        entry = await self._read(read_filter, scope, arn)
        if entry is None:
            self._filters.pop(key, None)
            raise ResourceNotFound(f"Filter not found: {arn}{elsewhere(arn, scope.account, scope.region)}")
        try:
            schemas = {kind: dataset.parsed() for kind, dataset in entry.datasets.items()}
            compiled = compile_filter(entry.expression, schemas)
        except InvalidInput as error:
            raise InvalidInput(f"Filter {arn} cannot be used with this request: {error.message}") from error
        found = Filter(arn, version, entry.group, entry.status, compiled)
        if found.reads_users and entry.group not in self._users:
            await self._load_users(entry)
        self._filters[key] = found
        return found

    # -- waiting

    async def _read(self, read: Callable[[Scope, str], Value], scope: Scope, arn: str) -> Value:
        return await asyncio.get_running_loop().run_in_executor(self._rows, read, scope, arn)

    async def _shared(self, key: tuple[object, ...], work: Callable[[], Awaitable[Value]]) -> Value:
        """Do `work`; callers at one time share one doing.

        Work that began before a caller came may miss what was written in between, so a caller that finds some
        under way waits for it and then needs another, which it may share again.
        """
        current = self._waiting.get(key)
        if current is not None:
            await asyncio.wait([current])
            current = self._waiting.get(key)
        if current is None:
            current = asyncio.ensure_future(cast("Any", work()))
            self._waiting[key] = current
            current.add_done_callback(lambda _: self._waiting.pop(key, None))
        return cast(Value, await asyncio.shield(current))
