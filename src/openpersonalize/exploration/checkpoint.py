"""Checkpoints of online state, what was counted since a training: `ExposureCheckpoint`, `CheckpointStore`.

A process that starts late reads on from the newest checkpoint. Each is an immutable object
``online/<artifact>/<position>``; a small file beside them, replaced atomically, names the newest. Several
processes may save: one that stands further back than what is named does not name its own. It is a cache: a
process that finds none, or one that it cannot use, counts from where the training ended.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from ..storage.durable import write_durably
from ..storage.objects import ObjectStore

log = logging.getLogger(__name__)

FORMAT = 1
POINTER = "newest"


@dataclass(frozen=True)
class ExposureCheckpoint:
    """Counts as of one position of the live log.

    Attributes:
        since: int64[n], how often each item of the model was interacted with or passed over after training.
        unlisted: what is known of other items (see `tracker`), a row each.
    """

    position: int
    since: npt.NDArray[np.int64]
    unlisted: pl.DataFrame


class CheckpointStore:
    """Keeps the newest checkpoint of one artifact, and the one before it. For any thread and process."""

    def __init__(self, objects: ObjectStore, folder: Path, artifact: str) -> None:
        """For the artifact under a key of `objects`; the pointer lies below `folder`, the data folder."""
        self._objects = objects
        self._prefix = f"online/{artifact.rpartition('/')[2]}"
        self._pointer = folder / self._prefix / POINTER

    def load(self) -> ExposureCheckpoint | None:
        """The newest checkpoint; None: there is none, or it cannot be read, which the log tells."""
        for position in self._named():
            try:
                folder = self._objects.fetch(f"{self._prefix}/{position}")
                state = json.loads((folder / "checkpoint.json").read_text("utf-8"))
                if state["format"] != FORMAT or state["position"] != position:
                    continue
                since = np.load(folder / "since.npy")
                unlisted = pl.read_parquet(folder / "unlisted.parquet", memory_map=False)
                return ExposureCheckpoint(position, since, unlisted)
            except FileNotFoundError:
                continue
            except (OSError, EOFError, ValueError, KeyError, TypeError, pl.exceptions.PolarsError) as error:
                log.warning("A checkpoint of exploration cannot be read (%s): it is counted again", error)
        return None

    def save(self, checkpoint: ExposureCheckpoint) -> None:
        """Publish a checkpoint and name it, unless a newer one is named. A disk that takes no more is told in
        the log, and costs nothing but time at the next start."""
        position = checkpoint.position
        try:
            named = self._named()
            if named and named[0] >= position:
                return
            staged = self._objects.stage()
            np.save(staged / "since.npy", checkpoint.since)
            checkpoint.unlisted.write_parquet(staged / "unlisted.parquet")
            state = {"format": FORMAT, "position": position}
            (staged / "checkpoint.json").write_text(json.dumps(state), "utf-8")
            self._objects.publish(staged, f"{self._prefix}/{position}")
            self._pointer.parent.mkdir(parents=True, exist_ok=True)
            write_durably(self._pointer, json.dumps([position, *named[:1]]).encode())
            for old in named[1:]:
                self._objects.remove(f"{self._prefix}/{old}")
        except OSError as error:
            log.warning("What exploration counted could not be kept (%s); the next start counts again", error)

    def remove(self) -> None:
        """Take all checkpoints away: with their artifact."""
        for position in self._named():
            self._objects.remove(f"{self._prefix}/{position}")
        self._objects.remove(f"tallies/{self._pointer.parent.name}")  # where release 0.1.0 kept counts
        self._pointer.unlink(missing_ok=True)
        try:
            self._pointer.parent.rmdir()
        except OSError:
            pass  # another process has just saved one, or there never was any

    def _named(self) -> list[int]:
        """Positions of the checkpoints that exist, newest first."""
        try:
            return [int(position) for position in json.loads(self._pointer.read_text("utf-8"))]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError):
            return []
