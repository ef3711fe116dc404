"""Online popularity: what everybody does after training, told to the model that serves: `PopularityFeed`.

The events of all users come from the live log as columns. A model counts them in complete steps (a quarter of
its half-life), so one event moves nobody else's answer, and what many do moves everybody's. It is told once
in a span of the clock, `FRESH_SECONDS`, so that within a span the same question has the same answer. Items
that came after training are counted as well (`exploration.newcomers`): by that exploration tells those that
everybody wants from those that nobody does.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from ..events.consumer import EventHandler
from ..events.frames import COUNTED_TIME
from ..exploration.checkpoint import CheckpointStore
from ..storage.idhash import hashes
from .loaded import LoadedVersion
from .states import FRESH_SECONDS

MOST_WAITING = 262_144
"""Events that wait for the next span, 24 bytes each: more are told at once."""

FORMAT = 1
"""Of checkpoints: raised when older ones cannot be read any more."""

KEPT_AFTER = 200_000
"""A checkpoint is saved when the model was told of so many events since the last one."""

Waiting = tuple[npt.NDArray[np.int32], npt.NDArray[np.int64], npt.NDArray[np.float32], npt.NDArray[np.uint64]]


class PopularityFeed(EventHandler):
    """Tells one trained version's model what its dataset group's users do, from the position it was trained
    up to. Belongs to one thread, the consumer's.

    Memory: `MOST_WAITING` events; what the model keeps is arrays of its catalogue.
    """

    def __init__(
        self,
        loaded: LoadedVersion,
        now: Callable[[], float],
        store: CheckpointStore | None = None,
        kept_after: int = KEPT_AFTER,
    ) -> None:
        """Nothing told but what a checkpoint holds.

        Args:
            loaded: the version. now: the time. store: where checkpoints are; None: nowhere.
            kept_after: see `KEPT_AFTER`.
        """
        self._loaded, self._now = loaded, now
        self._store, self._kept_after, self._told = store, kept_after, 0
        kept = store.load(self._read) if store is not None else None
        self.position = loaded.artifact.position if kept is None else kept
        self._waiting: list[Waiting] = []
        self._count = 0
        self._span = -1

    def on_events(self, events: pl.DataFrame, position: int) -> None:
        artifact = self._loaded.artifact
        chosen = events.select(
            "ITEM_ID",
            "USER_ID",
            COUNTED_TIME,
            artifact.selection.expression(events.columns).alias("WEIGHT"),
        ).filter(pl.col("WEIGHT").is_not_null())
        item = artifact.items.find_all(chosen["ITEM_ID"])
        new = np.flatnonzero(item < 0)
        numbers = self._loaded.newcomers.numbered(chosen["ITEM_ID"].gather(new))
        item[new] = np.where(numbers < 0, -1, len(artifact.items) + numbers)
        known = item >= 0
        time = np.minimum(chosen["TIMESTAMP"].to_numpy(), int(self._now()))
        weight = chosen["WEIGHT"].to_numpy().astype(np.float32)
        user = hashes(chosen["USER_ID"])
        self._waiting.append((item[known], time[known], weight[known], user[known]))
        self._count += int(known.sum())
        self.position = position
        if self._count > MOST_WAITING:
            self._tell()

    def on_level(self) -> None:
        span = int(self._now()) // FRESH_SECONDS
        if span != self._span:
            self._span = span
            self._tell()

    def _tell(self) -> None:
        if self._waiting:
            item, time, weight, user = (np.concatenate(parts) for parts in zip(*self._waiting, strict=True))
            if len(item):
                self._loaded.model.observe(item, time, weight, user)
            self._told += self._count
            self._waiting, self._count = [], 0
        if self._store is not None and self._told >= self._kept_after:
            self._store.save(self.position, self._write)
            self._told = 0

    def _write(self, folder: Path) -> None:
        (folder / "model").mkdir()
        self._loaded.model.save_online(folder / "model")
        self._loaded.newcomers.ids().alias("ID").to_frame().write_parquet(folder / "newcomers.parquet")
        (folder / "format.json").write_text(json.dumps(FORMAT), "utf-8")

    def _read(self, folder: Path, position: int) -> int:
        """Have the model go on from what `_write` wrote; the position."""
        if json.loads((folder / "format.json").read_text("utf-8")) != FORMAT:
            raise ValueError("it has the format of another release")
        try:
            ids = pl.read_parquet(folder / "newcomers.parquet", memory_map=False)["ID"]
        except pl.exceptions.PolarsError as error:
            raise ValueError(str(error)) from error
        self._loaded.model.load_online(folder / "model")
        self._loaded.newcomers.numbered(ids)
        return position
