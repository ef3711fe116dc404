"""What the product keeps with a resource and never shows on the wire: one `Internal` record per kind.

They are the interface between operations, workflows and serving. A record is read with its class's `of`, and
changed through `Transaction.add` and `update`, which refuse members that the record does not have.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

import msgspec

Record = TypeVar("Record", bound="Internal")


class Keeper(Protocol):
    """A resource, as far as this module knows it."""

    kind: str
    internal: Internal


class Internal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Of a kind with nothing to keep. Members that are at their default are not stored."""

    @classmethod
    def of(cls: type[Record], resource: Keeper) -> Record:
        """The record of a resource, which is of a kind with this class."""
        found = resource.internal
        if not isinstance(found, cls):
            raise TypeError(f"a {resource.kind} keeps no {cls.__name__}")
        return found

    def changed(self: Record, changes: Mapping[str, Any]) -> Record:
        """With other members; None puts one back to its default.

        Raises:
            TypeError, msgspec.ValidationError: there is no such member, or a value is of another type.
        """
        if not changes:
            return self
        defaults = {name: getattr(type(self)(), name) for name, value in changes.items() if value is None}
        new = msgspec.structs.replace(self, **{**changes, **defaults})
        return msgspec.convert(msgspec.to_builtins(new), type(self))

    def encoded(self) -> str:
        """As it is stored: JSON."""
        return msgspec.json.encode(self).decode()


class DatasetInternal(Internal, frozen=True, kw_only=True):
    """Attributes: snapshot: key of the bulk layer in force, None before the first import."""

    snapshot: str | None = None


class ImportJobInternal(Internal, frozen=True, kw_only=True):
    """Attributes: rows, bytes: what was imported. report: seconds that the name of the report of its metrics
    bears, None: there is none."""

    rows: int | None = None
    bytes: int | None = None
    report: int | None = None


class DataDeletionInternal(Internal, frozen=True, kw_only=True):
    """Attributes:
    switched: whether snapshots and models without the users are in force.
    rows: of the group's datasets, that belonged to the users.
    versions: ARNs of the solution versions that had been trained with their data.
    replaced: keys of what is to be removed.
    """

    switched: bool = False
    rows: int = 0
    versions: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()


class AttributedMetric(msgspec.Struct, frozen=True):
    """One metric of an attribution. Attributes: position: of the live log, behind which events count; moment:
    seconds, from which on imports count."""

    event_type: str
    name: str
    expression: str
    position: int = 0
    moment: float = 0.0


class MetricAttributionInternal(Internal, frozen=True, kw_only=True):
    """Attributes: metrics: in order of addition."""

    metrics: tuple[AttributedMetric, ...] = ()


class FilterInternal(Internal, frozen=True, kw_only=True):
    """Attributes: fields: what the expression reads, e.g. "ITEMS.GENRE"."""

    fields: tuple[str, ...] = ()


class RememberedSchema(msgspec.Struct, frozen=True):
    """A dataset's schema as a solution remembers it. Attributes: created: when the dataset was, seconds."""

    created: float
    schema: str


class AutomaticTraining(msgspec.Struct, frozen=True):
    """Attributes: since: when automatic training was turned on; due: when to look next; seconds."""

    since: float
    due: float


class SolutionInternal(Internal, frozen=True, kw_only=True):
    """Attributes:
    schemas: the columns that its versions train on, by dataset type.
    automatic: its schedule; None for a solution of a release that had none.
    """

    schemas: dict[str, RememberedSchema] = {}
    automatic: AutomaticTraining | None = None


class VersionInternal(Internal, frozen=True, kw_only=True):
    """Attributes:
    seed: of every random choice of the training.
    snapshots: what it trains on, keys by dataset type; None until the training has begun.
    position: place in the live log up to which streamed data counts.
    moment: when the training began, seconds.
    full_version: of mode UPDATE: ARN of the version trained in full that it brings up to date.
    base_artifact: of mode UPDATE: key of the artifact that it goes on from.
    artifact: key of the model, None before it is trained and after it was retired.
    retired: whether the model is gone, see `workflows.retention`.
    metrics: offline, four decimals.
    trials: of a training under way, what fits that are only measured have come to, see `workflows.trials`.
    """

    seed: int = 0
    snapshots: dict[str, str | None] | None = msgspec.field(name="pinned", default=None)
    position: int = 0
    moment: int | None = None
    full_version: str | None = msgspec.field(name="full", default=None)
    base_artifact: str | None = msgspec.field(name="upon", default=None)
    artifact: str | None = None
    retired: bool = False
    metrics: dict[str, float] | None = None
    trials: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)


class CampaignInternal(Internal, frozen=True, kw_only=True):
    """Attributes:
    latest: whether the version was asked for as ``$LATEST``, so that the campaign may follow newer ones.
    latest_asked: the same of an update that is under way.
    """

    latest: bool = False
    latest_asked: bool = False


class DataJobInternal(Internal, frozen=True, kw_only=True):
    """Of a job that reads datasets: batch inference, batch segments, exports. Attributes:
    snapshots: what it reads, keys by dataset type; None until it has begun.
    position: place in the live log up to which streamed data counts.
    moment: when it began, seconds.
    lines, answers: of a batch job, how many were read and answered. rows: of an export.
    """

    snapshots: dict[str, str | None] | None = None
    position: int = 0
    moment: float = 0.0
    lines: int | None = None
    answers: int | None = None
    rows: int | None = None


class TrainingPins(msgspec.Struct, frozen=True):
    """What a training that is under way reads. Attributes:
    job: the id of its job.
    snapshots: keys by dataset type, None before the first import.
    position: place in the live log up to which streamed data counts.
    moment: when it began, seconds.
    seed: of every random choice.
    schemas: the columns that it trains on, by dataset type.
    """

    job: str
    snapshots: dict[str, str | None]
    position: int
    moment: int
    seed: int
    schemas: dict[str, RememberedSchema]


class RecommenderInternal(Internal, frozen=True, kw_only=True):
    """Attributes:
    schemas: the columns that it trains on, by dataset type.
    training: the training that is under way; None: none is.
    artifact: key of the model, None before the first is trained.
    snapshots, position: what the model was trained on, as in `TrainingPins`.
    moment: when the training of the model began, seconds; 0 before the first.
    due: when it is to be trained again, seconds.
    """

    schemas: dict[str, RememberedSchema] = {}
    training: TrainingPins | None = None
    artifact: str | None = None
    snapshots: dict[str, str | None] = {}
    position: int = 0
    moment: int = 0
    due: float = 0.0
