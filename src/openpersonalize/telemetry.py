"""Metrics of a process, for ``GET /metrics``. Their names are defined here, once; those of what the whole
installation holds in `server.stockmetrics`.

The format is Prometheus'. With several workers the client library keeps its numbers in memory-mapped files of
the folder named by ``PROMETHEUS_MULTIPROC_DIR``, which the command line sets before the workers start; a
scrape of any worker then answers for all of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

METRICS_TYPE = CONTENT_TYPE_LATEST
MOST_ATTRIBUTION_SERIES = 2_000
"""Series of metric attributions on the page; an attribution has a thousand at most."""

OK = "OK"
"""The `code` of a request that succeeded; others carry the AWS error code."""

_REGISTRY = CollectorRegistry()
REQUESTS = Counter(
    "openpersonalize_requests", "Requests answered.", ("operation", "code"), registry=_REGISTRY
)
REQUEST_SECONDS = Histogram(
    "openpersonalize_request_seconds",
    "Time from the request's head to its answer.",
    ("operation",),
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0),
    registry=_REGISTRY,
)
REQUEST_BYTES = Counter(
    "openpersonalize_request_bytes", "Bytes of request bodies read.", ("operation",), registry=_REGISTRY
)
UNKNOWN_FILTER_VALUES = Counter(
    "openpersonalize_unknown_filter_values",
    "Keys of filterValues that no placeholder of their filter has; an EXCLUDE may be off for it.",
    registry=_REGISTRY,
)
LOOP_LAG = Gauge(
    "openpersonalize_loop_lag_seconds",
    "Largest lateness of the event loop in the last 10 to 20 seconds, of the worst process.",
    registry=_REGISTRY,
    multiprocess_mode="livemax",
)

EVENTS = Counter(
    "openpersonalize_streamed",
    "Events and records of streamed writes that were accepted, by operation.",
    ("operation",),
    registry=_REGISTRY,
)
JOB_SECONDS = Histogram(
    "openpersonalize_job_seconds",
    "Time from a job's first start to its end, by kind (train_solution_version, ...) and how it ended.",
    ("kind", "state"),
    buckets=(0.1, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0),
    registry=_REGISTRY,
)
MEMORY = Gauge(
    "openpersonalize_resident_memory_bytes",
    "Resident memory of the server's processes, without those of heavy steps.",
    registry=_REGISTRY,
    multiprocess_mode="livesum",
)
CACHE_LOOKUPS = Counter(
    "openpersonalize_cache_lookups",
    "Look-ups in caches (histories, states, vectors, model_states, filters), by whether it was found.",
    ("cache", "found"),
    registry=_REGISTRY,
)

_counters: dict[tuple[str, str], Counter] = {}
_timers: dict[str, tuple[Histogram, Counter]] = {}


def count_request(operation: str, code: str, seconds: float, size: int) -> None:
    """Count one answered request; about 2 us.

    Args:
        operation: its name; only names known in advance, for each makes a new series.
        code: `OK` or the AWS error code.
        size: bytes of its body.
    """
    counter = _counters.get((operation, code))
    if counter is None:
        counter = _counters[operation, code] = REQUESTS.labels(operation, code)
    counter.inc()
    timer = _timers.get(operation)
    if timer is None:
        timer = _timers[operation] = REQUEST_SECONDS.labels(operation), REQUEST_BYTES.labels(operation)
    timer[0].observe(seconds)
    if size:
        timer[1].inc(size)


def stored_metrics(families: Iterable[Metric]) -> bytes:
    """Metrics that were read from the stores, in Prometheus' text format."""
    registry = CollectorRegistry()
    for family in families:
        registry.register(_Collected(family))
    return generate_latest(registry)


def metrics_page() -> bytes:
    """All metrics in Prometheus' text format, of all workers where there are several."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(_REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def attribution_metrics(totals: Iterable[tuple[str, str, str, float]]) -> bytes:
    """What metric attributions have counted, in Prometheus' text format, the same in every process.

    Args:
        totals: attribution (its ARN and ``#`` and when it was created), metric, source, value; at most
            `MOST_ATTRIBUTION_SERIES`.
    """
    family = GaugeMetricFamily(
        "openpersonalize_attributed",
        "Sum of a metric of a metric attribution since it was created, of one source of events.",
        labels=("metric_attribution", "metric", "event_attribution_source"),
    )
    for attribution, metric, source, value in totals:
        family.add_metric((attribution.partition("#")[0], metric, source), value)
    return stored_metrics([family] if family.samples else [])


class _Collected(Collector):
    """One family of numbers that lie elsewhere."""

    def __init__(self, family: Metric) -> None:
        self._family = family

    def collect(self) -> Iterable[Metric]:
        return [self._family]
