"""The heavy step behind an import of interactions for a metric attribution: the report as CSV, and what an
INCREMENTAL import adds to the counts.

Memory: a part of the snapshot (a million rows), and the values of items. Run again it writes the same report,
and counts nothing twice.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from ..clock import SystemClock
from ..datasets.schemas import parse_schema
from ..datasets.snapshots import Snapshot
from ..engine.task import Task
from ..errors import JobFailed
from ..events.attribution_metrics import columns_of, expressions, points_of, summed
from ..events.attributions import AttributionCounts
from ..events.layers import current_records
from ..events.stores import open_attribution_counts, open_live_log, open_recommendation_log
from ..resources.internals import AttributedMetric
from ..storage.bucket_service import open_buckets
from ..storage.buckets import AccessDenied, Unreachable
from ..storage.objects import open_objects
from .attributions import COUNTED_SECONDS

HEADER = ("METRIC_NAME", "EVENT_TYPE", "VALUE", "MATH_FUNCTION", "EVENT_ATTRIBUTION_SOURCE", "TIMESTAMP")


def run(
    task: Task,
    *,
    snapshot: str,
    metrics: Sequence[Sequence[str]],
    datasets: Mapping[str, Mapping[str, Any]],
    report: str | None,
    attribution: str | None,
    begins: int,
    job: str,
    moment: int,
) -> dict[str, Any]:
    """Work out what the rows of one import give.

    Args:
        snapshot: key of what it made.
        metrics: event type, name and expression of each.
        datasets: Interactions and Items of the group by type: arn, schema, snapshot.
        report: where the report goes; None: none is wanted.
        attribution: its name in the counts; None: the import does not count.
        begins: where such an attribution begins in the live log.
        job: ARN of the import job. moment: seconds, when it was at work.

    Returns:
        points: how many there are.

    Raises:
        JobFailed: the report cannot be written; the sentence says why.
    """
    objects = open_objects(task.settings)
    schemas = {kind: parse_schema(one["schema"]) for kind, one in datasets.items()}
    chosen = expressions([AttributedMetric(kind, name, text) for kind, name, text in metrics], schemas)
    log = open_live_log(task.settings, SystemClock())
    recommendations = open_recommendation_log(task.settings, SystemClock())
    try:
        items = None
        if wanted := columns_of(chosen, "ITEMS"):
            key = datasets["ITEMS"]["snapshot"]
            bulk = None if key is None else Snapshot.open(objects, key)
            stream, position = datasets["ITEMS"]["arn"], log.position()
            records = current_records(log, stream, schemas["ITEMS"], bulk, position)
            items = records.select("ITEM_ID", *wanted)
        needed = ["ITEM_ID", "TIMESTAMP", "EVENT_TYPE", *columns_of(chosen, "INTERACTIONS")]
        every, recent = [], []
        for rows in Snapshot.open(objects, snapshot).newest(
            needed, ("EVENT_ATTRIBUTION_SOURCE", "RECOMMENDATION_ID")
        ):
            task.check()
            every.append(points_of(rows, chosen, items, recommendations.issuers))
            late = rows.filter(pl.col("TIMESTAMP") > moment - COUNTED_SECONDS)
            recent.append(points_of(late, chosen, items, recommendations.issuers))
    finally:
        recommendations.close()
        log.close()
    if attribution is not None:
        counts: AttributionCounts = open_attribution_counts(task.settings)
        counts.count_import(attribution, summed(recent), job, begins)
    points = summed(every)
    if report is not None:
        try:
            open_buckets(task.settings).write(report, io.BytesIO(report_text(points, chosen).encode()))
        except AccessDenied as error:
            raise JobFailed("Insufficient privileges for accessing data in Amazon S3.") from error
        except (Unreachable, OSError) as error:
            raise JobFailed(f"it cannot be written to {report} ({error})") from error
    return {"points": len(points)}


def report_text(points: pl.DataFrame, chosen: Sequence[tuple[AttributedMetric, Any]]) -> str:
    """The report: a row for each metric, source and quarter of an hour with an event, the newest first."""
    facts = pl.DataFrame(
        {
            "metric": [metric.name.upper() for metric, _ in chosen],
            "EVENT_TYPE": [metric.event_type.upper() for metric, _ in chosen],
            "MATH_FUNCTION": [expression.function for _, expression in chosen],
        },
        schema={"metric": pl.String, "EVENT_TYPE": pl.String, "MATH_FUNCTION": pl.String},
    )
    rows = points.join(facts, on="metric", how="left", maintain_order="left").rename(
        {
            "metric": "METRIC_NAME",
            "value": "VALUE",
            "source": "EVENT_ATTRIBUTION_SOURCE",
            "quarter": "TIMESTAMP",
        }
    )
    return rows.select(HEADER).write_csv(quote_style="necessary")
