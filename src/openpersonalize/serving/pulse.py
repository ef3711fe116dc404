"""What everybody does after training, told to the model that a campaign serves: popularity at the moment.

The events of all users are read from the live log as columns, span of the clock by span, in a thread beside
the answers; a model counts them in complete steps (a quarter of its half-life), so one event moves nobody
else's answer, and what many do moves everybody's. Items that came after training are counted as well
(`newcomers`): by that exploration tells those that everybody wants from those that nobody does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import polars as pl

from ..datasets.schemas import Schema
from ..events.livelog import LiveLog
from .loaded import LoadedVersion
from .states import FRESH_SECONDS

_NEEDED = ("ITEM_ID", "TIMESTAMP", "EVENT_TYPE", "EVENT_VALUE")
"""Columns that say what counts: others, which are texts to be read, stay unread."""


class Pulse:
    """Follows one dataset group's events for one trained version.

    Memory: a chunk of the log at a time; what the model keeps is arrays of its catalogue.
    """

    def __init__(
        self, log: LiveLog, stream: str, schema: Schema, loaded: LoadedVersion, now: Callable[[], float]
    ) -> None:
        """Nothing read yet: events count from the position that the version was trained up to.

        Args:
            log: the live log. stream: the Interactions dataset's ARN. schema: the dataset's.
            loaded: the version; its model is told. now: the time.
        """
        needed = tuple(field for field in schema.fields if field.name in _NEEDED)
        self._log, self._stream, self._loaded, self._now = log, stream, loaded, now
        self._schema = Schema(needed)
        self._position = loaded.artifact.position
        self._span = -1
        self._lock = threading.Lock()

    def due(self) -> bool:
        """Whether a span of the clock has begun that nothing was read in. True once per span: the caller
        then calls `advance`, in a thread."""
        span = int(self._now()) // FRESH_SECONDS
        if span == self._span:
            return False
        self._span = span
        return True

    def advance(self) -> None:
        """Tell the model what came since the last time. For any thread."""
        artifact = self._loaded.artifact
        with self._lock:
            newest = self._log.position()
            if newest <= self._position:
                return
            chunks = self._log.interactions(self._stream, self._schema, after=self._position, up_to=newest)
            for chunk in chunks:
                events = chunk.select(
                    "ITEM_ID",
                    pl.col("TIMESTAMP").cast(pl.Int64),
                    artifact.selection.expression(chunk.columns).alias("WEIGHT"),
                ).filter(pl.col("WEIGHT").is_not_null() & ~chunk["#DUPLICATE"])
                item = artifact.items.find_all(events["ITEM_ID"])
                new = np.flatnonzero(item < 0)
                numbers = self._loaded.newcomers.numbered(events["ITEM_ID"].gather(new))
                item[new] = np.where(numbers < 0, -1, len(artifact.items) + numbers)
                known = item >= 0
                # A client whose clock is ahead must not fade all others away.
                time = np.minimum(events["TIMESTAMP"].to_numpy(), int(self._now()))
                weight = events["WEIGHT"].to_numpy().astype(np.float32)
                self._loaded.model.observe(item[known], time[known], weight[known])
                # Chunk by chunk: a read that fails later tells nothing twice.
                self._position = max(self._position, int(chunk["#ARRIVAL"].max() or 0))  # type: ignore[arg-type]
            self._position = newest
