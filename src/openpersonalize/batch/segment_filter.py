"""Filters on users, applied to segments: `SegmentFilter`, which users an expression leaves.

Memory: of the Users dataset the columns that the expression names, aligned with the users that the version
knows; of the interactions the different pairs of user and event type, where it names EVENT_TYPE.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from ..algorithms.arrays import Bools, Int32
from ..datasets.columns import ColumnSet
from ..datasets.schemas import Field, Schema
from ..datasets.snapshots import Snapshot
from ..events.layers import current_records
from ..events.linking import link_sessions
from ..events.livelog import stream_of
from ..filters.compiler import BoundFilter, CompiledFilter
from ..installation import Installation
from ..serving.metadata_reads import DatasetEntry
from ..storage.idtable import IdTable

_NO_TYPE = ""
"""Stands for the type of an event without one, as filters expect it."""


@dataclass
class EventTypes:
    """Who had events of which type; asked by rules on Interactions (`UserFacts`).

    Attributes:
        rows: by event type in lower case int32[k], the users. Empty where nobody asks for it.
    """

    rows: dict[str, Int32] = field(default_factory=dict)

    def rows_met(self, accepts: Callable[[str], bool]) -> Int32:
        """The users with an event of a type that is accepted; one may occur twice."""
        found = [rows for kind, rows in self.rows.items() if accepts(kind)]
        return np.concatenate(found) if found else np.empty(0, dtype=np.int32)

    def value(self, name: str) -> None:
        """Nobody asks: there is no current user."""


class SegmentFilter:
    """One compiled filter on the users of one version, with the data of one moment. Belongs to one thread."""

    def __init__(
        self,
        installation: Installation,
        group: str,
        datasets: Mapping[str, DatasetEntry],
        compiled: CompiledFilter,
        users: IdTable,
        position: int,
    ) -> None:
        """Read what the filter asks for.

        Args:
            group: ARN of the dataset group. datasets: its datasets by type.
            compiled: a filter on UserID. users: those that segments consist of.
            position: place in the live log up to which streamed data counts.
        """
        self._installation, self._group, self._datasets = installation, group, datasets
        self._compiled, self._position = compiled, position
        self._columns = self._read_columns(users)
        self._events = EventTypes(self._read_types(users) if compiled.reads_interactions else {})
        self._last: tuple[BoundFilter, Bools] | None = None

    def keep(self, values: Mapping[str, str]) -> Bools:
        """bool[users], True for who stays; not to be written into.

        Raises:
            InvalidInput: a placeholder of an INCLUDE has no value, or one has a value that cannot be read.
        """
        bound = self._compiled.bind(values)
        if self._last is None or self._last[0].key != bound.key:
            self._last = bound, bound.keep(self._columns, user=self._events)
        return self._last[1]

    def _snapshot(self, kind: str) -> Snapshot | None:
        key = self._datasets[kind].snapshot
        return None if key is None else Snapshot.open(self._installation.objects, key)

    def _read_columns(self, users: IdTable) -> ColumnSet:
        own = Schema((Field("USER_ID", "string"),))
        if "USERS" not in self._datasets:
            return ColumnSet.build(pl.DataFrame(schema={"USER_ID": pl.String}), own, users)
        dataset = self._datasets["USERS"]
        named = {name.removeprefix("USERS.") for name in self._compiled.fields} | {"USER_ID"}
        schema = Schema(tuple(one for one in dataset.parsed().fields if one.name in named))
        records = current_records(
            self._installation.log, dataset.arn, schema, self._snapshot("USERS"), self._position
        )
        return ColumnSet.build(records, schema, users)

    def _read_types(self, users: IdTable) -> dict[str, Int32]:
        schema = self._datasets["INTERACTIONS"].parsed()
        narrow = Schema(tuple(one for one in schema.fields if one.name in ("USER_ID", "EVENT_TYPE")))
        streamed = self._installation.log.scan(stream_of(self._group), narrow, up_to=self._position)
        rows = [link_sessions(streamed.filter(~pl.col("#DUPLICATE"))).select(narrow.names)]
        bulk = self._snapshot("INTERACTIONS")
        if bulk is not None:
            rows.insert(0, bulk.scan(schema).select(narrow.names))
        typed = "EVENT_TYPE" in narrow.names
        kind = pl.col("EVENT_TYPE").fill_null(_NO_TYPE).str.to_lowercase() if typed else pl.lit(_NO_TYPE)
        pairs = pl.concat(rows).select(pl.col("USER_ID").cast(pl.String), kind.alias("kind")).unique()
        found = pairs.collect(engine="streaming")
        return {
            str(name): numbers[numbers >= 0]
            for (name,), theirs in found.partition_by("kind", as_dict=True).items()
            for numbers in [users.find_all(theirs["USER_ID"])]
        }
