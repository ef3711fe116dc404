"""Training inputs: the data of one solution version, snapshots and a position of the live log, neither of
which ever changes: `TrainingInputs`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from ..datasets.schemas import Schema
from ..datasets.snapshots import Snapshot
from ..events.layers import current_records
from ..events.linking import link_sessions, session_owners
from ..events.livelog import LiveLog, stream_of
from ..storage.objects import ObjectStore

_LINKED = ("USER_ID", "ITEM_ID", "TIMESTAMP", "EVENT_TYPE")


@dataclass(frozen=True)
class TrainingInputs:
    """Where the data of one version is; by dataset type where several are.

    Attributes:
        objects, log: the stores.
        schemas: of each dataset of the group.
        snapshots: keys of the bulk layers; None, or no entry, before the first import.
        group: ARN of the dataset group.
        position: place in the live log up to which streamed data counts.
    """

    objects: ObjectStore
    log: LiveLog
    schemas: Mapping[str, Schema]
    snapshots: Mapping[str, str | None]
    group: str
    position: int

    def interactions(self) -> pl.LazyFrame:
        """All interactions in order of arrival; streamed ones under the user of their session. The group has
        an Interactions dataset."""
        schema = self.schemas["INTERACTIONS"]
        linked = link_sessions(self._streamed(schema), self._owners).select(schema.names)
        bulk = self.snapshot("INTERACTIONS")
        return linked if bulk is None else pl.concat([bulk.scan(schema), linked])

    def linked(self) -> pl.LazyFrame | None:
        """What was done in anonymous sessions that belong to a user by now, of any type: USER_ID, ITEM_ID,
        TIMESTAMP, and EVENT_TYPE where the schema has it. None without an Interactions dataset."""
        if "INTERACTIONS" not in self.schemas:
            return None
        schema = Schema(tuple(one for one in self.schemas["INTERACTIONS"].fields if one.name in _LINKED))
        anonymous = self._streamed(schema).filter(pl.col("#ANONYMOUS"))
        return link_sessions(anonymous, self._owners).select(schema.names)

    @cached_property
    def _owners(self) -> pl.DataFrame:
        return session_owners(self._streamed(self.schemas["INTERACTIONS"]))

    def _streamed(self, schema: Schema) -> pl.LazyFrame:
        """Scanned, never held: whoever collects it as a stream holds some blocks."""
        streamed = self.log.scan(stream_of(self.group), schema, up_to=self.position)
        return streamed.filter(~pl.col("#DUPLICATE"))

    def records(self, kind: str) -> pl.DataFrame | None:
        """One row per id of an Items or Users dataset; None when the group has none."""
        schema = self.schemas.get(kind)
        if schema is None:
            return None
        return current_records(self.log, self.stream(kind), schema, self.snapshot(kind), self.position)

    def stream(self, kind: str) -> str:
        """ARN of the group's dataset of a type."""
        return f"{self.group.replace(':dataset-group/', ':dataset/')}/{kind}"

    def snapshot(self, kind: str) -> Snapshot | None:
        """The bulk layer of a dataset type."""
        key = self.snapshots.get(kind)
        return None if key is None else Snapshot.open(self.objects, key)
