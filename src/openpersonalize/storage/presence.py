"""Who is still alive: a file that a process keeps locked, and that the system unlocks when it ends,
however it ends."""

from __future__ import annotations

import os
import time
import uuid
from pathlib import Path

from filelock import FileLock, Timeout

_SUFFIX = ".lock"
# Between making its file and locking it a process looks gone; nobody takes longer for that.
_GRACE = 60.0


class Presence:
    """One living thing of this process, known to others of the machine by its name. Attributes: name."""

    def __init__(self, name: str, lock: FileLock) -> None:
        self.name = name
        self._lock = lock

    @classmethod
    def announce(cls, folder: Path) -> Presence:
        """Be present in `folder`, which is made if need be, under a new name, until closed or the
        process ends."""
        folder.mkdir(parents=True, exist_ok=True)
        _tidy(folder)
        name = f"{os.getpid()}-{uuid.uuid4().hex[:16]}"
        lock = FileLock(folder / f"{name}{_SUFFIX}", thread_local=False)
        lock.acquire(timeout=0)
        return cls(name, lock)

    def close(self) -> None:
        """Be gone."""
        self._lock.release()
        Path(self._lock.lock_file).unlink(missing_ok=True)


def is_gone(folder: Path, name: str) -> bool:
    """Whether whoever announced `name` in `folder` is no more (0.1 ms)."""
    file = folder / f"{name}{_SUFFIX}"
    if not file.exists():
        return True
    lock = FileLock(file, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    lock.release()
    return True


def _tidy(folder: Path) -> None:
    """Remove the files of those who are gone."""
    for file in folder.glob(f"*{_SUFFIX}"):
        try:
            old = time.time() - file.stat().st_mtime > _GRACE
        except FileNotFoundError:
            continue
        if old and is_gone(folder, file.name.removesuffix(_SUFFIX)):
            file.unlink(missing_ok=True)
