"""What users had done with items, beside the actions that an artifact ranks: `ArtifactBehaviour`.

behaviour.items.*, behaviour.users.*  the id tables
behaviour.history.*  the last selected item interactions of every user
behaviour.json  which interactions count, and the event types
"""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path

import polars as pl

from ..algorithms.arrays import Float32, Int16, Int32, Int64
from ..datasets.selection import EventSelection
from ..storage.idtable import IdTable
from .training import Behaviour
from .user_histories import UserHistories

PERSONAL = ("behaviour.users.", "behaviour.history.")
"""Files that hold something of single users."""


class ArtifactBehaviour:
    """Opened for reading; safe to share between threads.

    Attributes:
        items, users: the id tables. event_types: in order of numbers. selection: which interactions count.
    """

    def __init__(self, folder: Path) -> None:
        """See `load`."""
        described = json.loads((folder / "behaviour.json").read_text("utf-8"))
        self._folder = folder
        self.items = IdTable.load(folder, "behaviour.items")
        self.users = IdTable.load(folder, "behaviour.users")
        self.event_types: tuple[str, ...] = tuple(described["event_types"])
        self.selection = EventSelection.from_json(described["selection"])

    @classmethod
    def load(cls, folder: Path) -> ArtifactBehaviour | None:
        """What `write` wrote into an artifact; None of a recipe that ranks items."""
        return cls(folder) if (folder / "behaviour.json").exists() else None

    @staticmethod
    def write(folder: Path, behaviour: Behaviour) -> None:
        """Write it into `folder`."""
        done = behaviour.interactions
        done.items.save(folder, "behaviour.items")
        done.users.save(folder, "behaviour.users")
        UserHistories.write(folder, "behaviour.history", done)
        described = {"event_types": list(done.event_types), "selection": behaviour.selection.json()}
        (folder / "behaviour.json").write_text(json.dumps(described), "utf-8")

    @cached_property
    def _histories(self) -> UserHistories:
        return UserHistories(self._folder, "behaviour.history")

    def history(self, user: str) -> tuple[Int32, Int64, Int16, Float32]:
        """See `UserHistories.of`."""
        return self._histories.of(self.users.find(user))

    def without(self, users: pl.Series, folder: Path) -> None:
        """Write the `PERSONAL` files into another folder, without some users."""
        stays = ~self.users.series().is_in(users.implode()).to_numpy()
        IdTable.from_series(self.users.series().filter(pl.Series(stays))).save(folder, "behaviour.users")
        self._histories.without(stays, folder)
