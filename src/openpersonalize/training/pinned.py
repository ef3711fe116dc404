"""The data of one solution version: snapshots, and the live log up to the position recorded for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from ..datasets.schemas import Schema
from ..datasets.snapshots import Snapshot
from ..events.layers import current_records
from ..events.linking import link_sessions
from ..events.livelog import LiveLog, stream_of
from ..storage.objects import ObjectStore

_LINKED = ("USER_ID", "ITEM_ID", "TIMESTAMP", "EVENT_TYPE")


@dataclass(frozen=True)
class Pinned:
    """Where the data of one version is: snapshots, and the live log up to `position`."""

    objects: ObjectStore
    log: LiveLog
    schemas: Mapping[str, Schema]
    group: str
    position: int

    def interactions(self, key: str | None) -> pl.LazyFrame:
        """All interactions in order of arrival; streamed ones under the user of their session."""
        schema = self.schemas["INTERACTIONS"]
        linked = link_sessions(self._streamed(schema)).select(schema.names)
        if key is None:
            return linked
        return pl.concat([Snapshot.open(self.objects, key).scan(schema), linked])

    def linked(self) -> pl.DataFrame:
        """What was done in anonymous sessions that belong to a user by now, of any type: USER_ID, ITEM_ID,
        TIMESTAMP, and EVENT_TYPE where the schema has it.

        Memory: four columns of the streamed events.
        """
        schema = Schema(tuple(one for one in self.schemas["INTERACTIONS"].fields if one.name in _LINKED))
        linked = link_sessions(self._streamed(schema)).filter(pl.col("#ANONYMOUS"))
        return linked.select(schema.names).collect()

    def _streamed(self, schema: Schema) -> pl.LazyFrame:
        streamed = self.log.interactions_frame(stream_of(self.group), schema, up_to=self.position).lazy()
        return streamed.filter(~pl.col("#DUPLICATE"))

    def records(self, kind: str, key: str | None) -> pl.DataFrame | None:
        """One row per id of an Items or Users dataset; None when the group has none."""
        schema = self.schemas.get(kind)
        if schema is None:
            return None
        return current_records(self.log, self.stream(kind), schema, self.snapshot(key), self.position)

    def stream(self, kind: str) -> str:
        """ARN of the group's dataset of a type."""
        return f"{self.group.replace(':dataset-group/', ':dataset/')}/{kind}"

    def snapshot(self, key: str | None) -> Snapshot | None:
        """The bulk layer under a key."""
        return None if key is None else Snapshot.open(self.objects, key)
