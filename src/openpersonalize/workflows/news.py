"""Whether data came that a recipe learns from since a training began: `has_news`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..datasets.histories import EVENT_OBJECTS
from ..datasets.schemas import parse_schema
from ..events.livelog import LiveLog
from ..resources.internals import DatasetInternal
from ..resources.store import Resource


def has_news(
    log: LiveLog,
    datasets: Mapping[str, Resource],
    schemas: Mapping[str, str],
    needs: Sequence[str],
    snapshots: Mapping[str, str | None],
    position: int,
) -> bool:
    """Whether interactions came, also with actions for a recipe that ranks them, or, for a recipe that needs
    none, records; no for one whose datasets are not there. Reads the live log, which may take long: not to be
    called inside a transaction.

    Args:
        log: where streamed data is.
        datasets, schemas: of the group, by type.
        needs: the dataset types without which the recipe cannot train.
        snapshots, position: what the last training read.
    """
    if any(kind not in schemas or kind not in datasets for kind in needs):
        return False
    watched = ["INTERACTIONS"] if "INTERACTIONS" in needs else list(needs)
    if "ACTIONS" in needs and "ACTION_INTERACTIONS" in datasets and "ACTION_INTERACTIONS" in schemas:
        watched.append("ACTION_INTERACTIONS")
    for kind in watched:
        dataset = datasets[kind]
        if DatasetInternal.of(dataset).snapshot != snapshots.get(kind):
            return True
        read = log.interactions if kind in EVENT_OBJECTS else log.records
        schema = parse_schema(schemas[kind])
        if any(len(chunk) for chunk in read(dataset.arn, schema, after=position, chunk=1)):
            return True
    return False
