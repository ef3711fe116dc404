"""Everything that one server process runs, opened and closed in order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import telemetry
from ..clock import SystemClock
from ..engine.runner import JobRunner
from ..engine.subprocesses import SubprocessExecutor
from ..installation import Installation
from ..resources.store import Scope
from ..serving.registry import EndpointRegistry
from ..settings import Settings
from ..workflows.attributions import AttributionCounting
from ..workflows.registry import WORKFLOWS
from ..workflows.schedule import Schedule
from ..workflows.sealing import Sealing
from .health import Health
from .processmetrics import ProcessMetrics
from .stockmetrics import StockMetrics

_MOST_SCOPES = 256


class Services:
    """The stores, the endpoints and the job runner of one process.

    Attributes:
        installation: the stores, settings and clock.
        endpoints: what this process serves.
        runner: claims and runs jobs; None in a process that shall run none.
        schedule: starts automatic trainings; None where jobs are run by others.
        sealing: keeps the live log small; None where others do.
        counting: counts events for metric attributions; None where others do.
        health: whether all of that is well.
    """

    def __init__(
        self,
        installation: Installation,
        endpoints: EndpointRegistry,
        runner: JobRunner | None,
        schedule: Schedule | None = None,
        sealing: Sealing | None = None,
        counting: AttributionCounting | None = None,
    ) -> None:
        self.installation = installation
        self.endpoints = endpoints
        self.runner = runner
        self.schedule = schedule
        self.sealing = sealing
        self.counting = counting
        self._account = installation.settings.account
        self._scopes: dict[str, Scope] = {}
        self._stock = StockMetrics(installation)
        self._process_metrics = ProcessMetrics()
        self._process_metrics.start()
        settings = installation.settings
        self.health = Health(
            settings.data,
            runner,
            endpoints.consumer,
            least_free_mb=settings.health_free_mb,
            refusal=installation.log.refusal,
        )

    def scope(self, region: str) -> Scope:
        """The installation's account in a region."""
        scope = self._scopes.get(region)
        if scope is None:
            if len(self._scopes) >= _MOST_SCOPES:  # regions are named by callers
                self._scopes.clear()
            scope = self._scopes[region] = self.installation.metadata.scope(self._account, region)
        return scope

    async def group_of_tracker(self, region: str, tracking_id: str) -> str | None:
        """The name of the dataset group that a tracking id belongs to, None when there is no such tracker.

        Read in a thread, and kept until some resource changes.
        """
        key = ("group of tracker", region, tracking_id)
        return await self.installation.metadata_cache.get(key, lambda: self._read_group(region, tracking_id))

    def _read_group(self, region: str, tracking_id: str) -> str | None:
        with self.scope(region).read() as tx:
            for kind in ("event-tracker", "dataset"):  # an Action_Interactions dataset has one of its own
                for one in tx.find(kind):
                    if one.attributes.get("trackingId") == tracking_id and one.group_arn:
                        return one.group_arn.rpartition("/")[2]
        return None

    def provisioned_rate(self, arn: str) -> int:
        """Calls a second that the owner of a campaign or recommender provisioned; 0 when it is unknown.
        Reads the metadata store, so not for the event loop's thread."""
        region = arn.split(":")[3] if arn.count(":") >= 5 else ""
        if not region:
            return 0
        with self.scope(region).read() as tx:
            found = tx.get(arn)
        attributes: Mapping[str, Any] = found.attributes if found else {}
        config = attributes.get("recommenderConfig") or {}
        rate = attributes.get("minProvisionedTPS") or config.get("minRecommendationRequestsPerSecond") or 0
        return int(rate)

    def metrics_page(self) -> bytes:
        """All metrics: of the processes, of what the installation holds, of what metric attributions have
        counted. Reads files: not for the event loop."""
        totals = self.installation.attributions.totals(telemetry.MOST_ATTRIBUTION_SERIES)
        stored = telemetry.stored_metrics(self._stock.families())
        return telemetry.metrics_page() + stored + telemetry.attribution_metrics(totals)

    def close(self) -> None:
        """Let light jobs end and heavy ones go back to the queue, then close the stores."""
        self._process_metrics.stop()
        if self.counting is not None:
            self.counting.stop()
        if self.sealing is not None:
            self.sealing.stop()
        if self.schedule is not None:
            self.schedule.stop()
        if self.runner is not None:
            self.runner.stop(drain=True)
        self.endpoints.close()
        self.installation.close()


def open_services(settings: Settings) -> Services:
    """Open the data folder, the endpoints, the job runner, the schedule of automatic training and sealing.

    Raises:
        StartError: the data folder cannot be used; the sentence says why.
    """
    installation = Installation.open(settings, SystemClock())
    executor = SubprocessExecutor()
    runner = JobRunner(installation, WORKFLOWS, executor)
    runner.start()
    schedule = Schedule(installation)
    schedule.start()
    sealing = Sealing(installation, executor)
    sealing.start()
    counting = AttributionCounting(installation)
    counting.start()
    return Services(installation, EndpointRegistry(installation), runner, schedule, sealing, counting)
