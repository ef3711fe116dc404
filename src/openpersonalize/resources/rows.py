"""A resource as a record: one row of any kind."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import msgspec
import sqlalchemy as sa

from .internals import Internal
from .kinds import KINDS

_CLOCK_STEP = 60_000


@dataclass
class Resource:
    """One resource as it was when it was read; changing it changes nothing stored.

    Attributes:
        kind: "schema", "dataset-group", "solution-version" ..., as `arns.kind_of` says it.
        group_arn: the dataset group it belongs to.
        parent_arn: what it was made from inside the group: the dataset of an import job, the solution of a
            version.
        status: one of `lifecycle.Status`; None for kinds without.
        created_at, updated_at: seconds since 1970 with whole milliseconds.
        attributes: members of the Describe shape as they were sent or computed.
        internal: ours, never on the wire; the record of its kind.
    """

    kind: str
    arn: str
    name: str
    group_arn: str | None
    parent_arn: str | None
    status: str | None
    created_at: float
    updated_at: float
    attributes: dict[str, Any]
    internal: Internal

    def described(self, arn_member: str) -> dict[str, Any]:
        """What Describe answers, with the ARN under `arn_member`; serialising drops what the shape lacks."""
        return {
            "name": self.name,
            **self.attributes,
            arn_member: self.arn,
            "status": self.status,
            "creationDateTime": self.created_at,
            "lastUpdatedDateTime": self.updated_at,
        }

    @property
    def position(self) -> tuple[float, str]:
        """Its place in listings."""
        return self.created_at, self.arn


def instant_after(newest: int | None, now: int) -> int:
    """When a resource is created, in milliseconds: now, or the one after the newest of its kind. So creation
    order is listing order, also within a millisecond and when the machine's clock was set back a little."""
    return newest + 1 if newest is not None and 0 <= newest - now < _CLOCK_STEP else now


def internal_of(kind: str) -> type[Internal]:
    """The record that a kind keeps; an empty one for kinds that are not known."""
    found = KINDS.get(kind)
    return Internal if found is None else found.internal


def read_resource(row: sa.RowMapping | dict[str, Any]) -> Resource:
    """A row of the table, by column, as the record."""
    return Resource(
        kind=row["kind"],
        arn=row["arn"],
        name=row["name"],
        group_arn=row["group_arn"],
        parent_arn=row["parent_arn"],
        status=row["status"],
        created_at=row["created"] / 1000,
        updated_at=row["updated"] / 1000,
        attributes=json.loads(row["attributes"]),
        internal=msgspec.json.decode(row["internal"], type=internal_of(row["kind"])),
    )
