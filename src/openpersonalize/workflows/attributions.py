"""Metric attributions in the background: `AttributionCounting` counts streamed events now and then; what an
import needs to report and count (`report_of_import`).

Records that are 14 days old or older are left out, as CloudWatch leaves them out.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

import polars as pl

from ..datasets.schemas import Schema, parse_schema
from ..datasets.snapshots import Snapshot
from ..events.attribution_metrics import POINTS, columns_of, expressions, points_of, read_as
from ..events.layers import current_records
from ..events.livelog import stream_of
from ..logs import RepeatedErrors
from ..resources.internals import DatasetInternal, ImportJobInternal, MetricAttributionInternal
from ..resources.store import Resource, Transaction

if TYPE_CHECKING:
    from ..installation import Installation

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
"""Events are counted at the second look after they came: by then every answer that they name is written."""

COUNTED_SECONDS = 14 * 86_400


def name_of(attribution: Resource) -> str:
    """What an attribution is called in `AttributionCounts`: another one of its name is another."""
    return f"{attribution.arn}#{attribution.created_at}"


def group_datasets(tx: Transaction, group_arn: str) -> dict[str, dict[str, Any]]:
    """The Interactions and Items datasets of a group by type: arn, schema (text), snapshot."""
    found = {}
    for dataset in tx.find("dataset", group_arn=group_arn):
        kind = dataset.attributes["datasetType"]
        if kind in ("INTERACTIONS", "ITEMS") and not (dataset.status or "").startswith("DELETE"):
            schema = tx.require(dataset.attributes["schemaArn"], "schema").attributes["schema"]
            snapshot = DatasetInternal.of(dataset).snapshot
            found[kind] = {"arn": dataset.arn, "schema": schema, "snapshot": snapshot}
    return found


def report_of_import(tx: Transaction, job: Resource, moment: int) -> dict[str, Any] | None:
    """The arguments of the step `attribution_step` for an import of interactions; None: nothing is to do.

    Args:
        tx: a write transaction: the moment that the report's name bears is written down.
        job: the import job. moment: seconds, now.
    """
    if not job.parent_arn or not job.parent_arn.endswith("/INTERACTIONS") or job.group_arn is None:
        return None
    attribution = next(
        iter(tx.find("metric-attribution", group_arn=job.group_arn, statuses=("ACTIVE",))), None
    )
    if attribution is None:
        return None
    metrics = MetricAttributionInternal.of(attribution).metrics
    metrics = tuple(one for one in metrics if one.moment <= job.created_at)
    destination = attribution.attributes["metricsOutputConfig"].get("s3DataDestination")
    wanted = job.attributes.get("publishAttributionMetricsToS3") and destination is not None
    counted = job.attributes["importMode"] == "INCREMENTAL"
    if not metrics or not (wanted or counted):
        return None
    report = ImportJobInternal.of(job).report
    if report is None:
        others = tx.find("dataset-import-job", group_arn=job.group_arn)
        taken = max((ImportJobInternal.of(one).report or 0 for one in others), default=0)
        report = max(moment, taken + 1)
        tx.update(job, internal={"report": report}, touch=False)
    name = f"AggregatedAttributionMetrics - BulkImport - {report}.csv"
    return {
        "metrics": [[one.event_type, one.name, one.expression] for one in metrics],
        "datasets": group_datasets(tx, job.group_arn),
        "report": f"{destination['path'].rstrip('/')}/{name}" if wanted else None,
        "attribution": name_of(attribution) if counted else None,
        "begins": min(one.position for one in metrics),
        "job": job.arn,
        "moment": report,
    }


class AttributionCounting:
    """Counts what is streamed for every attribution. Safe to run in every process."""

    def __init__(self, installation: Installation, every: float = LOOK_SECONDS) -> None:
        """Looks every so many seconds."""
        self._installation = installation
        self._every = every
        self._target = 0
        self._done: tuple[int, int] = (-1, -1)
        self._items: dict[str, _ItemValues] = {}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Look again and again, in a thread."""
        self._thread = threading.Thread(target=self._loop, name="attributions", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def look(self) -> None:
        """Count what had come before the look before this one."""
        installation = self._installation
        target, self._target = self._target, installation.log.position()
        state = (target, installation.metadata.resources_version())
        if state == self._done:
            return
        living = set()
        for scope in installation.metadata.scopes():
            with scope.read() as tx:
                found = tx.find("metric-attribution", statuses=("ACTIVE",))
                datasets = {one.arn: group_datasets(tx, one.group_arn or "") for one in found}
            for one in found:
                living.add(name_of(one))
                if "INTERACTIONS" in datasets[one.arn]:
                    self._count(one, datasets[one.arn], target)
        gone = set(installation.attributions.names()) - living
        if gone:
            installation.attributions.forget(gone)
        self._items = {name: items for name, items in self._items.items() if name in living}
        self._done = state

    def _loop(self) -> None:
        errors = RepeatedErrors(log, "Counting for metric attributions met an error; it is tried again")
        while not self._stopping.is_set():
            try:
                self.look()
                errors.well()
            except Exception as error:  # noqa: BLE001 - told, and tried again
                errors.met(error)
            self._stopping.wait(self._every)

    def _count(self, attribution: Resource, datasets: dict[str, dict[str, Any]], target: int) -> None:
        """Chunk by chunk, each added with its position. Memory: a chunk, and the values of items."""
        installation, name = self._installation, name_of(attribution)
        metrics = MetricAttributionInternal.of(attribution).metrics
        after = installation.attributions.position(name)
        if after is None:
            after = min((one.position for one in metrics), default=target)
        if after >= target:
            return
        schemas = {kind: parse_schema(one["schema"]) for kind, one in datasets.items()}
        chosen = expressions(metrics, schemas)
        schema = read_as(schemas["INTERACTIONS"], columns_of(chosen, "INTERACTIONS"))
        items = None
        if wanted := columns_of(chosen, "ITEMS"):
            known = self._items.setdefault(name, _ItemValues())
            items = known.current(installation, datasets["ITEMS"], schemas["ITEMS"], wanted)
        stream = stream_of(attribution.group_arn or "")
        for frame in installation.log.interactions(stream, schema, after=after, up_to=target):
            if self._stopping.is_set():
                return
            if not len(frame):
                continue
            now = installation.clock.now()
            recent = (pl.col("TIMESTAMP") > now - COUNTED_SECONDS) & ~pl.col("#DUPLICATE")
            points = points_of(frame.filter(recent), chosen, items, installation.recommendations.issuers)
            position = int(frame["#ARRIVAL"][-1])
            if not installation.attributions.count_events(name, points, after, position, now):
                return
            after = position
        none = pl.DataFrame(schema=POINTS)
        installation.attributions.count_events(name, none, after, target, installation.clock.now())


class _ItemValues:
    """The numbers of items that are summed up, current at every look without being read anew."""

    def __init__(self) -> None:
        self._source: tuple[Any, ...] = ()
        self._position = 0
        self._values = pl.DataFrame()

    def current(
        self, installation: Installation, dataset: dict[str, Any], schema: Schema, columns: list[str]
    ) -> pl.DataFrame:
        """ITEM_ID and `columns` of all items. Memory: an id and some numbers each."""
        position, source = installation.log.position(), (dataset["snapshot"], dataset["schema"], *columns)
        if source != self._source:
            key = dataset["snapshot"]
            snapshot = None if key is None else Snapshot.open(installation.objects, key)
            records = current_records(installation.log, dataset["arn"], schema, snapshot, position)
            self._values = records.select("ITEM_ID", *columns)
        elif position > self._position:
            log_, after = installation.log, self._position
            put = log_.records_frame(dataset["arn"], schema, up_to=position, after=after)
            if len(put):
                both = pl.concat([self._values, put.select("ITEM_ID", *columns)])
                self._values = both.unique("ITEM_ID", keep="last", maintain_order=True)
        self._source, self._position = source, position
        return self._values
