"""Whose turn it is to write to a shared file: a lock on a file beside it that stays open (`WriterLock`)."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import lock_descriptor, unlock_descriptor

from .privacy import LOCK_MODE

POLL_SECONDS = 0.0005
"""How often a process that waits for another's commit looks again: well below the time of an fsync."""


class WriterLock:
    """A lock between threads and processes that is taken for every commit.

    `filelock.FileLock` opens, checks and closes its file at every turn: 0.2 ms, and a dozen system calls at
    each of which a thread gives up the interpreter and must win it back from a busy event loop. Here a turn
    is two system calls. The system ends a turn with its process, however that ends.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, which is made where it is missing.

        Raises:
            OSError: it cannot be opened.
        """
        self.path = path
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
        self._descriptor = os.open(path, flags, LOCK_MODE)
        weakref.finalize(self, os.close, self._descriptor)
        self._threads = threading.Lock()

    @contextmanager
    def held(self, seconds: float = -1) -> Iterator[None]:
        """While nobody else writes.

        Args:
            seconds: how long to wait for the turn; below 0: as long as it takes.

        Raises:
            TimeoutError: others held it all that time.
        """
        until = time.monotonic() + seconds
        if not self._threads.acquire(timeout=seconds if seconds >= 0 else -1):
            raise TimeoutError(f"{self.path} is held by a thread of this process.")
        try:
            while not lock_descriptor(self._descriptor, blocking=False):
                if seconds >= 0 and until <= time.monotonic():
                    raise TimeoutError(f"{self.path} is held by another process.")
                time.sleep(POLL_SECONDS)
            try:
                yield
            finally:
                unlock_descriptor(self._descriptor)
        finally:
            self._threads.release()
