"""Liveness of processes on one machine: a file that a process keeps locked, and that the system unlocks when
the process ends, however it ends. `ProcessLock`."""

from __future__ import annotations

import os
import time
import uuid
from pathlib import Path

from filelock import FileLock, Timeout

from .privacy import LOCK_MODE

_SUFFIX = ".lock"
# A file that was made and is not yet locked looks released; nobody takes longer between the two.
_GRACE = 60.0


class ProcessLock:
    """A locked file under a new name, which processes of this machine can ask about with `is_released`.

    Attributes:
        name: of the file, without its ending.
    """

    def __init__(self, name: str, lock: FileLock) -> None:
        self.name = name
        self._lock = lock

    @classmethod
    def take(cls, folder: Path) -> ProcessLock:
        """Lock a new file in `folder`, which is made if need be, until closed or the process ends."""
        folder.mkdir(parents=True, exist_ok=True)
        _tidy(folder)
        name = f"{os.getpid()}-{uuid.uuid4().hex[:16]}"
        lock = FileLock(folder / f"{name}{_SUFFIX}", mode=LOCK_MODE, thread_local=False)
        lock.acquire(timeout=0)
        return cls(name, lock)

    def close(self) -> None:
        """Release the lock and remove the file."""
        self._lock.release()
        Path(self._lock.lock_file).unlink(missing_ok=True)


def is_released(folder: Path, name: str) -> bool:
    """Whether nobody holds the lock `name` in `folder`, also because there is no such file (0.1 ms)."""
    file = folder / f"{name}{_SUFFIX}"
    if not file.exists():
        return True
    lock = FileLock(file, mode=LOCK_MODE, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    lock.release()
    return True


def _tidy(folder: Path) -> None:
    """Remove the files of those who ended without doing so."""
    for file in folder.glob(f"*{_SUFFIX}"):
        try:
            old = time.time() - file.stat().st_mtime > _GRACE
        except FileNotFoundError:
            continue
        if old and is_released(folder, file.name.removesuffix(_SUFFIX)):
            file.unlink(missing_ok=True)
