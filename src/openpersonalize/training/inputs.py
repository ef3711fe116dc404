"""Training inputs: the data of one solution version, snapshots and a position of the live log, neither of
which ever changes: `TrainingInputs`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from ..datasets.histories import EVENT_OBJECTS
from ..datasets.schemas import Schema
from ..datasets.snapshots import Snapshot
from ..events.frames import COUNTED_TIME
from ..events.layers import current_records
from ..events.linking import link_sessions, session_owners
from ..events.livelog import LiveLog, stream_of
from ..storage.objects import ObjectStore


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
    _owners_found: dict[str, pl.DataFrame] = field(default_factory=dict)

    def interactions(self, kind: str = "INTERACTIONS") -> pl.LazyFrame:
        """All interactions with items, or with actions, in order of arrival, none later than it came;
        streamed ones under the user of their session. The group has such a dataset.

        Args:
            kind: type of the dataset.
        """
        schema = self.schemas[kind]
        linked = link_sessions(self._streamed(kind, schema), self._owners(kind)).select(schema.names)
        bulk = self.snapshot(kind)
        return linked if bulk is None else pl.concat([bulk.counted(schema), linked])

    def linked(self, kind: str = "INTERACTIONS") -> pl.LazyFrame | None:
        """What was done in anonymous sessions that belong to a user by now, of any type: USER_ID, ITEM_ID
        (which holds the action of action interactions), TIMESTAMP, and EVENT_TYPE where the schema has it.
        None without such a dataset."""
        if kind not in self.schemas:
            return None
        item, whole = EVENT_OBJECTS[kind], self.schemas[kind]
        columns = ("USER_ID", item, "TIMESTAMP", "EVENT_TYPE")
        schema = Schema(tuple(one for one in whole.fields if one.name in columns), whole.name)
        anonymous = self._streamed(kind, schema).filter(pl.col("#ANONYMOUS"))
        linked = link_sessions(anonymous, self._owners(kind)).select(schema.names)
        return linked.rename({item: "ITEM_ID"})

    def _owners(self, kind: str) -> pl.DataFrame:
        if kind not in self._owners_found:
            self._owners_found[kind] = session_owners(self._streamed(kind, self.schemas[kind]))
        return self._owners_found[kind]

    def _streamed(self, kind: str, schema: Schema) -> pl.LazyFrame:
        """Scanned, never held: whoever collects it as a stream holds some blocks."""
        streamed = self.log.scan(self.stream(kind), schema, up_to=self.position)
        return streamed.filter(~pl.col("#DUPLICATE")).with_columns(COUNTED_TIME)

    def records(self, kind: str) -> pl.DataFrame | None:
        """One row per id of an Items, Users or Actions dataset; None when the group has none."""
        schema = self.schemas.get(kind)
        if schema is None:
            return None
        return current_records(self.log, self.stream(kind), schema, self.snapshot(kind), self.position)

    def stream(self, kind: str) -> str:
        """ARN of the group's dataset of a type."""
        return stream_of(self.group, kind)

    def snapshot(self, kind: str) -> Snapshot | None:
        """The bulk layer of a dataset type."""
        key = self.snapshots.get(kind)
        return None if key is None else Snapshot.open(self.objects, key)
