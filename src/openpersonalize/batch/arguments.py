"""What the heavy step of a batch job is called with, `BatchArguments`: a version, files, and the moment whose
data counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ..installation import Installation
from ..serving.metadata_reads import DatasetEntry, EndpointEntry
from ..settings import Settings


class Moment:
    """A clock that stands still: all lines are asked at one moment."""

    def __init__(self, now: float) -> None:
        self._now = now

    def now(self) -> float:
        return self._now


@dataclass(frozen=True)
class BatchArguments:
    """A job's.

    Attributes:
        entry: the version as an endpoint.
        expression: the job's filter. count: items or users of an answer.
        source, destination: locations of the input, and of the folder of the output.
        position: place in the live log up to which what was streamed counts. moment: seconds, when it is
            asked.
    """

    entry: EndpointEntry
    expression: str | None
    count: int
    source: str
    destination: str
    position: int
    moment: float

    @classmethod
    def of(cls, *, entry: Mapping[str, Any], **others: Any) -> BatchArguments:
        """From JSON; `entry`: ``name``, ``group``, ``version``, ``artifact``, ``recipe``, ``config``,
        ``until`` (see `EndpointEntry`) and ``datasets``, by type ARN, schema and snapshot."""
        version = EndpointEntry(
            entry["name"],
            entry["group"],
            "ACTIVE",
            entry["version"],
            entry["artifact"],
            entry["recipe"],
            entry["config"],
            None,
            "",
            entry["until"],
            {kind: DatasetEntry(*one) for kind, one in entry["datasets"].items()},
        )
        return cls(version, **others)

    @contextmanager
    def installation(self, settings: Settings) -> Iterator[Installation]:
        """The stores, at the job's moment."""
        opened = Installation.open(settings, Moment(self.moment))
        try:
            yield opened
        finally:
            opened.close()
