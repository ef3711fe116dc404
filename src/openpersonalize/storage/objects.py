"""The object store: immutable folders under a key, such as snapshots and artifacts."""

from __future__ import annotations

import os
import re
import shutil
import threading
import uuid
from abc import ABC, abstractmethod
from pathlib import Path

from ..settings import Settings
from .durable import sync_folder, sync_tree
from .processlock import ProcessLock, is_released

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9][A-Za-z0-9_.-]*)+")


class ObjectStore(ABC):
    """Folders under keys like ``snapshots/<id>``.

    Promises of every implementation:
    - A published folder is complete and never changes, or it is absent; after a crash at any moment too. (A
      store without renames writes the files first and last of all a list of them, which makes the folder be.)
    - A key whose folder was ever fetched is never given another content, so copies may be cached for good;
      whoever refers to several keys publishes last the one that names the others.
    - When `publish` returned, the folder is on the disk.
    - Publishing one key from several threads or processes is safe: one of the folders is kept, the others are
      dropped, all calls succeed. So a step that runs twice may publish twice.
    - All methods may be called from any thread and process.
    - Nothing relies on listing keys: which folders exist is known by those who refer to them.
    """

    @abstractmethod
    def stage(self) -> Path:
        """A new, empty, private folder to be filled and published."""

    @abstractmethod
    def publish(self, staged: Path, key: str) -> None:
        """Make a staged folder the one under `key`; it must not be touched afterwards."""

    @abstractmethod
    def fetch(self, key: str) -> Path:
        """A local path of the folder under `key`, to be read and mapped only.

        Raises:
            FileNotFoundError: nothing is published under it.
        """

    @abstractmethod
    def exists(self, key: str) -> bool:
        """Whether a folder is published under `key`."""

    @abstractmethod
    def remove(self, key: str) -> None:
        """Take the folder away, whole and at once; removing what is absent does nothing."""

    @abstractmethod
    def sweep(self) -> None:
        """Drop what processes left staged that are no more; what living ones are filling is spared."""


class LocalObjects(ObjectStore):
    """Folders below a root on one file system: staged in ``staging/``, published by renaming."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._staging = root / "staging"
        self._lock: ProcessLock | None = None
        self._locking = threading.Lock()

    def stage(self) -> Path:
        staged = self._staging / self._name()
        staged.mkdir()
        return staged

    def publish(self, staged: Path, key: str) -> None:
        target = self._path(key)
        sync_tree(staged)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.rename(staged, target)
        except OSError:
            if not target.is_dir():
                raise
            shutil.rmtree(staged, ignore_errors=True)
        sync_folder(target.parent)
        sync_folder(self._root)

    def fetch(self, key: str) -> Path:
        path = self._path(key)
        if not path.is_dir():
            raise FileNotFoundError(f"nothing is published under {key}")
        return path

    def exists(self, key: str) -> bool:
        return self._path(key).is_dir()

    def remove(self, key: str) -> None:
        path = self._path(key)
        if not path.is_dir():
            return
        discarded = self._staging / self._name()
        try:
            os.rename(path, discarded)
        except FileNotFoundError:
            return
        sync_folder(path.parent)
        shutil.rmtree(discarded, ignore_errors=True)

    def sweep(self) -> None:
        if not self._staging.is_dir():
            return
        for left in self._staging.iterdir():
            if left.is_dir() and is_released(self._staging, left.name.split(".")[0]):
                shutil.rmtree(left, ignore_errors=True)

    def _name(self) -> str:
        """A new name that begins with this process's lock, so that a sweep can tell whose it is."""
        with self._locking:
            if self._lock is None:
                self._lock = ProcessLock.take(self._staging)
        return f"{self._lock.name}.{uuid.uuid4().hex}"

    def _path(self, key: str) -> Path:
        if _KEY.fullmatch(key) is None:
            raise ValueError(f"{key!r} is not a key of the object store")
        return self._root.joinpath(*key.split("/"))


def open_objects(settings: Settings) -> ObjectStore:
    """The object store that the settings name: folders in the data folder."""
    return LocalObjects(settings.data)
