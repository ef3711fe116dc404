"""Minimums and limits of a training's data, in Amazon Personalize's words; a violation is a failureReason."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import polars as pl

from ..datasets.minimums import LEAST_INTERACTIONS, LEAST_SHARE, LEAST_USERS, MOST_KINDS, SMALL_DATA
from ..datasets.problems import shown
from ..datasets.schema_rules import metadata_fields
from ..datasets.schemas import Schema
from ..datasets.selection import EventSelection
from ..datasets.sequences import Sequences
from ..errors import JobFailed


def check_kinds(rows: pl.LazyFrame, schema: Schema) -> None:
    """Event types in the data, EVENT_TYPE, EVENT_VALUE and metadata columns are at most ten together.

    Raises:
        JobFailed: they are more.
    """
    reserved = [name for name in ("EVENT_TYPE", "EVENT_VALUE") if schema.field(name) is not None]
    own = [field for field in metadata_fields(schema, "INTERACTIONS", None) if field.name not in reserved]
    types = 0
    if "EVENT_TYPE" in reserved:
        types = rows.select(pl.col("EVENT_TYPE").drop_nulls().n_unique()).collect(engine="streaming").item()
    if types + len(reserved) + len(own) > MOST_KINDS:
        raise JobFailed("Dataset has more than 10 distinct event types and metadata columns.")


def check_amount(
    sequences: Sequences | None,
    selection: EventSelection,
    minimum_data: bool,
    event_types: Callable[[], Sequence[str]] = tuple,
) -> None:
    """Amazon's minimums: 1000 interactions, 25 users with two or more, 1 percent of the users.

    Without `minimum_data` one interaction is enough.

    Args:
        sequences: the selected interactions; None: there are none.
        selection: how they were selected.
        minimum_data: whether the minimums hold.
        event_types: reads which types the interactions have.

    Raises:
        JobFailed: there are fewer; in Amazon's words.
    """
    events = 0 if sequences is None else len(sequences.item)
    if sequences is None or events < (LEAST_INTERACTIONS if minimum_data else 1):
        chosen = ", ".join(selection.named)
        tail = f" after filtering by event type: {chosen}" if chosen else ""
        again = 0 if sequences is None else sequences.repeated
        same = f"; {again} more rows are the same event as another: one user, item and time" if again else ""
        step = f" {SMALL_DATA}" if minimum_data else ""
        if chosen and not events:  # then no option of the server helps
            step = _which(event_types())
        raise JobFailed(
            f"Dataset has fewer than {LEAST_INTERACTIONS} interactions{tail}: there are {events}{same}.{step}"
        )
    if not minimum_data:
        return
    repeated = int((sequences.counts >= 2).sum())
    if repeated < LEAST_USERS:
        raise JobFailed(
            "Create failed. Dataset has fewer than 25 users with at least 2 interactions each. " + SMALL_DATA
        )
    if repeated < LEAST_SHARE * len(sequences.users):
        raise JobFailed(
            "Create failed. Less than 1 percent of users have at least 2 interactions each. " + SMALL_DATA
        )


def _which(event_types: Sequence[str]) -> str:
    """A sentence on the event types that there are."""
    if not event_types:
        return " No interaction has an event type."
    return f" The event types of the interactions are {', '.join(shown(one, 50) for one in event_types)}."


def check_times(sequences: Sequences) -> None:
    """What ranks users is measured on what each did last, so something has to come last.

    Raises:
        JobFailed: all interactions have the same timestamp.
    """
    if len(sequences.time) and int(sequences.time.min()) == int(sequences.time.max()):
        raise JobFailed("All interactions have the same timestamp.")
