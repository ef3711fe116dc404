"""Metric expressions of an attribution, and what events give for them: `parse_expression`, `points_of`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import polars as pl

from ..datasets.schemas import Field, Schema
from ..errors import InvalidInput
from ..resources.internals import AttributedMetric

QUARTER = 900
"""Seconds over which events are summed up, by their own time."""

UNDEFINED = "SOURCE_NAME_UNDEFINED"

_EXPRESSION = re.compile(
    r"(?P<count>samplecount *\( *\))|sum *\( *(?P<dataset>items|interactions) *\. *(?P<column>[a-z_]\w*) *\)",
    re.IGNORECASE | re.ASCII,
)
POINTS: dict[str, pl.DataType] = {
    "metric": pl.String(),
    "source": pl.String(),
    "quarter": pl.Int64(),
    "value": pl.Float64(),
}


class Expression(NamedTuple):
    """``SAMPLECOUNT()``, where `column` is None, or ``SUM(dataset.column)``; `dataset` in upper case."""

    dataset: str | None
    column: str | None

    @property
    def function(self) -> str:
        """As reports name it."""
        return "samplecount" if self.column is None else "sum"


def parse_expression(text: str, schemas: Mapping[str, Schema]) -> Expression:
    """The expression that `text` is, checked against the schemas of a dataset group by dataset type.

    Raises:
        InvalidInput: it is none, or its column is not there or no number.
    """
    found = _EXPRESSION.fullmatch(text.strip())
    if found is None:
        raise InvalidInput(
            f"Invalid expression {text}: write SAMPLECOUNT() or SUM(dataset.column), where dataset is Items"
            " or Interactions."
        )
    if found["count"]:
        return Expression(None, None)
    dataset, column = found["dataset"].upper(), found["column"]
    if dataset not in schemas:
        raise InvalidInput(f"Invalid expression {text}: the group has no {found['dataset']} dataset.")
    field = schemas[dataset].field(column)
    if field is None or not field.is_number:
        what = "has no column" if field is None else "has no numeric column"
        raise InvalidInput(f"Invalid expression {text}: the {found['dataset']} dataset {what} {column}.")
    return Expression(dataset, column)


def expressions(
    metrics: Iterable[AttributedMetric], schemas: Mapping[str, Schema]
) -> list[tuple[AttributedMetric, Expression]]:
    """Each metric with its expression; those that the datasets do not fit any more are left out."""
    found = []
    for metric in metrics:
        try:
            found.append((metric, parse_expression(metric.expression, schemas)))
        except InvalidInput:
            continue
    return found


def columns_of(chosen: Sequence[tuple[AttributedMetric, Expression]], dataset: str) -> list[str]:
    """The columns of a dataset that are summed up."""
    named = [one.column for _, one in chosen if one.dataset == dataset and one.column is not None]
    return list(dict.fromkeys(named))


def read_as(schema: Schema, columns: Sequence[str]) -> Schema:
    """What is read of streamed events: source and recommendationId are kept, whatever the schema has."""
    names = ["ITEM_ID", "TIMESTAMP", "EVENT_TYPE", *columns]
    fields = [field for field in schema.fields if field.name in names]
    beside = [Field("EVENT_ATTRIBUTION_SOURCE", "string", True), Field("RECOMMENDATION_ID", "string", True)]
    return Schema((*fields, *beside))


def points_of(
    events: pl.DataFrame,
    chosen: Sequence[tuple[AttributedMetric, Expression]],
    items: pl.DataFrame | None,
    issuers: Callable[[pl.Series], pl.DataFrame],
) -> pl.DataFrame:
    """What events give: metric (upper case), source, quarter (seconds of its beginning), value.

    Args:
        events: ITEM_ID, TIMESTAMP, EVENT_TYPE, EVENT_ATTRIBUTION_SOURCE, RECOMMENDATION_ID, the columns that
            are summed up, and perhaps #ARRIVAL, the position: a metric counts what came after its own.
        chosen: the metrics.
        items: ITEM_ID and the columns of Items that are summed up; None: none is.
        issuers: finds the ARN that answers were given by, as `RecommendationLog.issuers`.
    """
    given = pl.col("EVENT_ATTRIBUTION_SOURCE").replace("", None)
    quarter = pl.col("TIMESTAMP") // QUARTER * QUARTER
    rows = events.join(issuers(events["RECOMMENDATION_ID"]), on="RECOMMENDATION_ID", how="left").with_columns(
        source=pl.coalesce(given, "ARN", pl.lit(UNDEFINED)),
        quarter=quarter,
        kind=pl.col("EVENT_TYPE").str.to_lowercase(),
    )
    if items is not None:
        rows = rows.join(items.rename(lambda name: _of_items(name)), on="ITEM_ID", how="left")
    found = [pl.DataFrame(schema=POINTS)]
    for metric, expression in chosen:
        mine = rows.filter(pl.col("kind") == metric.event_type.lower())
        if "#ARRIVAL" in rows.columns:
            mine = mine.filter(pl.col("#ARRIVAL") > metric.position)
        name = expression.column
        column = name if expression.dataset == "INTERACTIONS" or name is None else _of_items(name)
        value = pl.len() if column is None else pl.col(column).sum()
        sums = mine.group_by("source", "quarter").agg(value.cast(pl.Float64).alias("value"))
        found.append(sums.select(pl.lit(metric.name.upper()).alias("metric"), "source", "quarter", "value"))
    return pl.concat(found)


def summed(points: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Points of several pieces as one, the newest quarter first."""
    rows = pl.concat([pl.DataFrame(schema=POINTS), *points])
    sums = rows.group_by("metric", "source", "quarter").agg(pl.col("value").sum())
    return sums.sort("quarter", "metric", "source", descending=[True, False, False])


def _of_items(column: str) -> str:
    return column if column == "ITEM_ID" else f"ITEMS.{column}"
