"""Metric attributions: what events bring, summed up by where they come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..datasets.schemas import Schema
from ..errors import InvalidInput, ResourceAlreadyExists
from ..events.attribution_metrics import parse_expression
from ..resources.internals import AttributedMetric, MetricAttributionInternal
from ..resources.store import Resource, Transaction
from ..resources.tokens import decode, encode
from ..storage.buckets import check_location
from .context import Answer, Context, Request, given
from .deleting import deleted
from .describing import described
from .filters import group_schemas
from .listing import PAGE, listed
from .states import require_active, require_free, require_none_yet

MOST_METRICS = 10


def create_metric_attribution(context: Context, request: Request) -> Answer:
    """CreateMetricAttribution: one for a dataset group; events that come from now on are counted."""
    arn = context.scope.arn(f"metric-attribution/{request['name']}")
    _check_output(request["metricsOutputConfig"])
    if not request["metrics"]:
        raise InvalidInput("metrics must name at least one metric.")
    with context.scope.write() as tx:
        group = tx.require(request["datasetGroupArn"], "dataset-group")
        require_free(tx, arn)
        require_none_yet(tx, "metric-attribution", group)
        require_active(group)
        metrics = _added(context, tx, group.arn, (), request["metrics"])
        tx.add(
            "metric-attribution",
            arn,
            request["name"],
            group_arn=group.arn,
            status="ACTIVE",
            attributes=given(request, "datasetGroupArn", "metricsOutputConfig"),
            internal={"metrics": metrics},
        )
    return {"metricAttributionArn": arn}


def describe_metric_attribution(context: Context, request: Request) -> Answer:
    """DescribeMetricAttribution: without the metrics, which ListMetricAttributionMetrics tells."""
    return described(context, request, "metric-attribution")


def list_metric_attributions(context: Context, request: Request) -> Answer:
    """ListMetricAttributions."""
    return listed(context, request, "ListMetricAttributions", "metric-attribution")


def list_metric_attribution_metrics(context: Context, request: Request) -> Answer:
    """ListMetricAttributionMetrics: in order of addition."""
    operation, arn = "ListMetricAttributionMetrics", request.get("metricAttributionArn")
    limit = request.get("maxResults", PAGE)
    start = decode(request["nextToken"], operation, arn, form=(int,))[0] if "nextToken" in request else 0
    with context.scope.read() as tx:
        found = None if arn is None else tx.get(arn, "metric-attribution")
    if found is None:
        raise InvalidInput(f"metricAttributionArn {arn} names no metric attribution.")
    metrics = MetricAttributionInternal.of(found).metrics
    page = metrics[start : start + limit]
    answer: Answer = {
        "metrics": [
            {"eventType": one.event_type, "metricName": one.name, "expression": one.expression}
            for one in page
        ]
    }
    if start + limit < len(metrics):
        answer["nextToken"] = encode(operation, arn, [start + limit])
    return answer


def update_metric_attribution(context: Context, request: Request) -> Answer:
    """UpdateMetricAttribution: removals come before additions; events count for what is added from now on."""
    if "metricAttributionArn" not in request:
        raise InvalidInput("metricAttributionArn must be given.")
    if "metricsOutputConfig" in request:
        _check_output(request["metricsOutputConfig"])
    with context.scope.write() as tx:
        found = tx.require(request["metricAttributionArn"], "metric-attribution")
        require_active(found)
        kept = _without(found, request.get("removeMetrics", ()))
        metrics = _added(context, tx, found.group_arn or "", kept, request.get("addMetrics", ()))
        tx.update(found, set=given(request, "metricsOutputConfig"), internal={"metrics": metrics})
    return {"metricAttributionArn": found.arn}


def delete_metric_attribution(context: Context, request: Request) -> Answer:
    """DeleteMetricAttribution: what it counted goes, what it published stays."""
    return deleted(context, request, "metric-attribution")


def _check_output(config: Mapping[str, Any]) -> None:
    if "s3DataDestination" in config:
        check_location(config["s3DataDestination"].get("path", ""))


def _without(attribution: Resource, names: Sequence[str]) -> tuple[AttributedMetric, ...]:
    metrics = MetricAttributionInternal.of(attribution).metrics
    known = {one.name.lower() for one in metrics}
    for name in names:
        if name.lower() not in known:
            raise InvalidInput(f"{attribution.arn} has no metric {name}.")
    gone = {name.lower() for name in names}
    return tuple(one for one in metrics if one.name.lower() not in gone)


def _added(
    context: Context,
    tx: Transaction,
    group_arn: str,
    kept: Sequence[AttributedMetric],
    new: Sequence[Mapping[str, str]],
) -> tuple[AttributedMetric, ...]:
    """`kept` and the `new` ones, which count from now on.

    Raises:
        InvalidInput: too many, or one that the datasets do not allow, or twice one name in a request.
        ResourceAlreadyExists: a name is taken.
    """
    schemas = group_schemas(tx, group_arn)
    _check_interactions(schemas)
    metrics = list(kept)
    position, moment = context.installation.log.position(), context.now
    for each in new:
        name = each["metricName"]
        for member in ("eventType", "metricName"):
            if not each[member].strip() or not each[member].isprintable():
                raise InvalidInput(f"{member} must have characters, all of them ones that print.")
        if any(one.name.lower() == name.lower() for one in kept):
            raise ResourceAlreadyExists(f"Another metric with the name {name} already exists.")
        if any(one.name.lower() == name.lower() for one in metrics):
            raise InvalidInput(f"Two metrics have the name {name}; names are compared without case.")
        parse_expression(each["expression"], schemas)
        metrics.append(AttributedMetric(each["eventType"], name, each["expression"], position, moment))
    if len(metrics) > MOST_METRICS:
        raise InvalidInput(f"A metric attribution can have at most {MOST_METRICS} metrics.")
    return tuple(metrics)


def _check_interactions(schemas: Mapping[str, Schema]) -> None:
    interactions = schemas.get("INTERACTIONS")
    if interactions is None:
        raise InvalidInput("A metric attribution needs an Interactions dataset in its dataset group.")
    if interactions.field("EVENT_TYPE") is None:
        raise InvalidInput("A metric attribution needs the field EVENT_TYPE in the Interactions schema.")
