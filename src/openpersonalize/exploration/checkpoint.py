"""Checkpoints of online state, what was learned of a model since its training: `CheckpointStore`.

A process that starts late reads on from the newest checkpoint. Each is an immutable object
``online/<artifact>/<part>-<position>``; a small file beside them, replaced atomically, names the newest.
Several processes may save: one that stands further back than what is named does not name its own. It is a
cache: a process that finds none, or one that it cannot use, counts from where the training ended.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar

from ..storage.durable import write_durably
from ..storage.objects import ObjectStore

log = logging.getLogger(__name__)

Part: TypeAlias = Literal["exposure", "popularity"]
PARTS: tuple[Part, ...] = ("exposure", "popularity")
"""What has checkpoints of its own: the counts of exploration, and what a model learns of everybody."""

Value = TypeVar("Value")


class CheckpointStore:
    """Keeps the newest checkpoint of a part of one artifact's online state, and the one before it. For any
    thread and process."""

    def __init__(self, objects: ObjectStore, folder: Path, artifact: str, part: Part) -> None:
        """For the artifact under a key of `objects`; the pointer lies below `folder`, the data folder."""
        self._objects = objects
        self._prefix = f"online/{artifact.rpartition('/')[2]}/{part}"
        self._pointer = folder / f"{self._prefix}.newest"

    def load(self, read: Callable[[Path, int], Value]) -> Value | None:
        """What `read` makes of the newest checkpoint's folder and position; None: there is none, or it cannot
        be read, which the log tells.

        Args:
            read: raises ValueError, KeyError or OSError for a folder that it cannot use.
        """
        for position in self._named():
            try:
                return read(self._objects.fetch(f"{self._prefix}-{position}"), position)
            except FileNotFoundError:
                continue
            except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
                log.warning("A checkpoint cannot be read (%s): what it held is counted again", error)
        return None

    def save(self, position: int, write: Callable[[Path], None]) -> None:
        """Publish what `write` puts into an empty folder and name it, unless a newer one is named. A disk
        that takes no more is told in the log, and costs nothing but time at the next start.

        Args:
            position: everything in the live log up to there is in it.
        """
        try:
            named = self._named()
            if named and named[0] >= position:
                return
            staged = self._objects.stage()
            write(staged)
            self._objects.publish(staged, f"{self._prefix}-{position}")
            self._pointer.parent.mkdir(parents=True, exist_ok=True)
            write_durably(self._pointer, json.dumps([position, *named[:1]]).encode())
            for old in named[1:]:
                self._objects.remove(f"{self._prefix}-{old}")
        except OSError as error:
            log.warning("A checkpoint could not be kept (%s); the next start counts again", error)

    def remove(self) -> None:
        """Take all checkpoints of the part away."""
        for position in self._named():
            self._objects.remove(f"{self._prefix}-{position}")
        self._pointer.unlink(missing_ok=True)

    def _named(self) -> list[int]:
        """Positions of the checkpoints that exist, newest first."""
        try:
            return [int(position) for position in json.loads(self._pointer.read_text("utf-8"))]
        except (OSError, ValueError, TypeError):
            return []


def remove_checkpoints(objects: ObjectStore, folder: Path, artifact: str) -> None:
    """Take all online state of an artifact away: with the artifact.

    Args:
        objects: the object store. folder: the data folder. artifact: its key.
    """
    for part in PARTS:
        CheckpointStore(objects, folder, artifact, part).remove()
    name = artifact.rpartition("/")[2]
    objects.remove(f"tallies/{name}")  # where release 0.1.0 kept counts
    try:
        (folder / "online" / name).rmdir()
    except OSError:
        pass  # another process has just saved one, or there never was any
