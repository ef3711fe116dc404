"""Metrics of what an installation holds, in Prometheus' text format: jobs, deployed versions, disk.

They are read from the metadata store and the data folder when ``GET /metrics`` is made, so they are the same
in every process and true after a restart.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import sqlalchemy as sa
from prometheus_client.core import GaugeMetricFamily, Metric

from ..installation import Installation
from ..resources.internals import RecommenderInternal, VersionInternal
from ..resources.jobrows import OPEN
from ..resources.store import Scope
from ..resources.tables import jobs

MOST_ENDPOINTS = 500
"""Campaigns and recommenders on the page, and about seven series of each."""
FOLDER_SECONDS = 60.0
"""The data folder is measured at most so often: there may be thousands of files."""
PARTS = (
    "metadata.db",
    "events.db",
    "recommendations.db",
    "attributions.db",
    "segments",
    "snapshots",
    "parts",
    "artifacts",
    "online",
    "buckets",
    "work",
)
"""Of the data folder, those whose size is shown; the file beside a database (``-wal``) counts with it."""


class StockMetrics:
    """Reads the metrics of one installation; for any thread but an event loop's."""

    def __init__(self, installation: Installation, clock: Callable[[], float] = time.monotonic) -> None:
        """Args:
        clock: seconds, monotonic.
        """
        self._installation, self._clock = installation, clock
        self._lock = threading.Lock()
        self._measured: tuple[float, dict[str, int]] | None = None

    def families(self) -> Iterator[Metric]:
        """The metrics now."""
        yield self._jobs()
        yield from self._deployed()
        yield from self._disk()

    def _jobs(self) -> Metric:
        family = GaugeMetricFamily(
            "openpersonalize_jobs", "Jobs that wait or run now, by kind and state.", labels=("kind", "state")
        )
        query = (
            sa.select(jobs.c.kind, jobs.c.state, sa.func.count())
            .where(jobs.c.state.in_([state.value for state in OPEN]))
            .group_by(jobs.c.kind, jobs.c.state)
        )
        with self._installation.metadata.reading() as connection:
            for kind, state, number in connection.execute(query):
                family.add_metric((kind, state), number)
        return family

    def _deployed(self) -> Iterator[Metric]:
        ages = GaugeMetricFamily(
            "openpersonalize_deployed_version_age_seconds",
            "Seconds since the model that a campaign or recommender answers with was asked for.",
            labels=("endpoint",),
        )
        metrics = GaugeMetricFamily(
            "openpersonalize_deployed_version_metric",
            "Offline metrics of the model that a campaign or recommender answers with.",
            labels=("endpoint", "metric"),
        )
        now, left = self._installation.metadata.now(), MOST_ENDPOINTS
        for scope in self._installation.metadata.scopes():
            for endpoint, created, measured in _versions(scope, left):
                left -= 1
                ages.add_metric((endpoint,), max(0.0, now - created))
                for name, value in measured.items():
                    metrics.add_metric((endpoint, name), value)
        yield ages
        yield metrics

    def _disk(self) -> Iterator[Metric]:
        data = self._installation.settings.data
        free = GaugeMetricFamily(
            "openpersonalize_disk_free_bytes", "Free room on the disk of the data folder."
        )
        free.add_metric((), shutil.disk_usage(data).free)
        yield free
        stored = GaugeMetricFamily(
            "openpersonalize_stored_bytes", "Size of the parts of the data folder.", labels=("part",)
        )
        for part, size in self._sizes(data).items():
            stored.add_metric((part,), size)
        yield stored

    def _sizes(self, data: Path) -> dict[str, int]:
        with self._lock:
            now = self._clock()
            if self._measured is None or now - self._measured[0] >= FOLDER_SECONDS:
                self._measured = now, {part: _size(data, part) for part in PARTS}
            return self._measured[1]


def _versions(scope: Scope, most: int) -> Iterator[tuple[str, float, dict[str, float]]]:
    """(endpoint's ARN, when its version was created, the version's metrics) of at most so many endpoints."""
    with scope.read() as tx:
        for campaign in tx.find("campaign", statuses=["ACTIVE"])[:most]:
            version = tx.get(campaign.attributes["solutionVersionArn"], "solution-version")
            if version is not None:
                most -= 1
                yield campaign.arn, version.created_at, VersionInternal.of(version).metrics or {}
        for recommender in tx.find("recommender", statuses=["ACTIVE"])[:most]:
            began = RecommenderInternal.of(recommender).moment
            yield recommender.arn, began, recommender.attributes.get("modelMetrics") or {}


def _size(data: Path, part: str) -> int:
    """Bytes of a file with those beside it, or of all files below a folder. Files that go meanwhile count
    nothing."""
    path = data / part
    if path.suffix == ".db":
        return sum(_bytes(data / f"{part}{end}") for end in ("", "-wal", "-shm"))
    return sum(_bytes(Path(folder) / name) for folder, _, names in os.walk(path) for name in names)


def _bytes(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0
