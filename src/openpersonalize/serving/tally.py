"""What exploration counted since a training, kept between processes: a start that reads only what came since.

A cache: a process that finds none, or one that it cannot use, counts from where the training ended.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from ..storage.keys import tally_key
from ..storage.objects import ObjectStore

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tally:
    """Counts as of one position of the live log.

    Attributes:
        since: int64[n], how often each item of the model was met or passed over after the training.
        strangers: what is known of other items (see `novelty`), a row each.
    """

    position: int
    since: npt.NDArray[np.int64]
    strangers: pl.DataFrame


class TallyStore:
    """Keeps the newest tally of one artifact in the object store. For any thread and process."""

    def __init__(self, objects: ObjectStore, artifact: str) -> None:
        self._objects = objects
        self._key = tally_key(artifact)

    def load(self) -> Tally | None:
        """The newest tally; None: there is none, another process is about to replace it, or it cannot be
        read, which the log tells."""
        try:
            folder = self._objects.fetch(self._key)
            state = json.loads((folder / "tally.json").read_text("utf-8"))
            since = np.load(folder / "since.npy")
            strangers = pl.read_parquet(folder / "strangers.parquet", memory_map=False)
            return Tally(int(state["position"]), since, strangers)
        except FileNotFoundError:
            return None
        except (OSError, EOFError, ValueError, KeyError, pl.exceptions.PolarsError) as error:
            log.warning("What exploration counted cannot be read (%s): it is counted again", error)
            return None

    def save(self, tally: Tally) -> None:
        """Replace what was kept. A disk that takes no more is told in the log, and costs nothing but time at
        the next start."""
        try:
            staged = self._objects.stage()
            np.save(staged / "since.npy", tally.since)
            tally.strangers.write_parquet(staged / "strangers.parquet")
            (staged / "tally.json").write_text(json.dumps({"position": tally.position}), "utf-8")
            self._objects.remove(self._key)
            self._objects.publish(staged, self._key)
        except OSError as error:
            log.warning("What exploration counted could not be kept (%s); the next start counts again", error)
