"""Exposure of the items of a training, how new and how well known they were: `Exposure`.

The age of an item (Amazon Personalize developer guide, "Automatic updates" and "Exploration") counts back
from the latest interaction of the training data to its CREATION_TIMESTAMP, else to its own first interaction,
else it is zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..algorithms.arrays import Int32, Int64
from ..algorithms.popularity import item_events
from ..datasets.sequences import Sequences

_COLUMNS = ("created", "interactions", "passed_over")
NO_TIME = -(2**62)
"""Stands for a creation time that is not known: older than everything."""


@dataclass(frozen=True)
class Exposure:
    """What was known of the catalogue's items at training, aligned with its item numbers.

    Attributes:
        created: int64[n] seconds, when an item came. interactions: int32[n] events that trained,
            as `item_events` counts them.
        passed_over: int32[n] times it was shown and another item chosen.
        latest: seconds, the latest interaction.
    """

    created: Int64
    interactions: Int32
    passed_over: Int32
    latest: int

    @classmethod
    def of(
        cls,
        sequences: Sequences,
        created: npt.NDArray[np.float64] | None = None,
        passed_over: Int64 | None = None,
        latest: int = 0,
    ) -> Exposure:
        """From the training data.

        Args:
            sequences: the selected interactions.
            created: float64[n] CREATION_TIMESTAMP of each item, NaN where there is none.
            passed_over: int64[n] see `Exposure`.
            latest: seconds, what was done last beside these interactions.
        """
        n = len(sequences.items)
        latest = max(latest, int(sequences.time.max())) if len(sequences.time) else latest
        first = np.full(n, latest, dtype=np.int64)
        np.minimum.at(first, sequences.item, sequences.time)
        if created is not None:
            stated = np.isfinite(created)
            first[stated] = created[stated].astype(np.int64)
        # What one user does again fades: one person, or robot, makes nothing well known.
        faded, _ = item_events(sequences.ptr, sequences.item, n)
        interactions = np.rint(faded).astype(np.int32)
        times = np.zeros(n, dtype=np.int64) if passed_over is None else passed_over
        return cls(first, interactions, np.minimum(times, 2**31 - 1).astype(np.int32), latest)

    def save(self, folder: Path) -> None:
        """Write ``exposure.*.npy`` into `folder`."""
        for name in _COLUMNS:
            np.save(folder / f"exposure.{name}.npy", getattr(self, name))
        np.save(folder / "exposure.latest.npy", np.array(self.latest, dtype=np.int64))

    @classmethod
    def load(cls, folder: Path, items: int) -> Exposure:
        """Read what `save` wrote. In a folder from before it existed nothing counts as new."""
        if not (folder / "exposure.latest.npy").exists():
            nothing = np.zeros(items, dtype=np.int32)
            return cls(np.full(items, NO_TIME, dtype=np.int64), nothing, nothing, 0)
        created, interactions, passed_over = (np.load(folder / f"exposure.{name}.npy") for name in _COLUMNS)
        return cls(created, interactions, passed_over, int(np.load(folder / "exposure.latest.npy")))
