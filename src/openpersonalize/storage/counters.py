"""Change counters shared by all processes of a machine, in a memory-mapped file: `Counters`.

Whoever works out something from a store keeps the counter's value beside it, and works it out again when
the value differs. Looking is a read of memory: no system call, no lock, nothing that an event loop would
wait for.
"""

from __future__ import annotations

import mmap
import os
import secrets
from pathlib import Path

FILE = "counters"
NAMES = ("resources", "resources-number", "jobs", "events")
"""Which counters there are, in the order of the file. New ones go to the end, none is ever removed."""

_SIZE = 4096
_WORD = 8


class Counters:
    """Named numbers of 64 bits, one file a folder. Safe to call from any thread.

    Promises: `value` does no I/O; after `bump` returned, every process that has the same file open reads a
    value that it has never read before (up to a chance of 2**-62 a bump), so bumps that meet lose nothing.
    A bump consists of one store to memory: a process that is killed leaves the old value or the new one and
    holds no lock. The numbers survive the end of all processes, but not a power cut. The file must lie on a
    disk of this machine: a network file system shows a change to other machines late.
    """

    def __init__(self, mapped: mmap.mmap) -> None:
        self._mapped = mapped
        self._words = memoryview(mapped).cast("Q")

    @classmethod
    def open(cls, folder: Path) -> Counters:
        """The counters of `folder`, which exists; all zero when it has none yet.

        Raises:
            OSError: the file cannot be made or written.
        """
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        descriptor = os.open(folder / FILE, flags, 0o600)
        try:
            if os.fstat(descriptor).st_size < _SIZE:
                _allocate(descriptor)
            return cls(mmap.mmap(descriptor, _SIZE, access=mmap.ACCESS_WRITE))
        finally:
            os.close(descriptor)

    def value(self, name: str) -> int:
        """The counter's value; comparing it for equality with an earlier one is all that it is good for,
        unless the counter is one that only `put` writes."""
        return self._words[_PLACES[name]]

    def bump(self, name: str) -> None:
        """Give the counter a value that it never had."""
        self._words[_PLACES[name]] = secrets.randbits(62) + 1

    def put(self, name: str, value: int) -> None:
        """Give the counter this value, 0 to 2**64 - 1."""
        self._words[_PLACES[name]] = value

    def close(self) -> None:
        """Let go of the file. Reading afterwards raises ValueError."""
        self._words.release()
        self._mapped.close()


def _allocate(descriptor: int) -> None:
    """Give the file its bytes without changing any that another process wrote meanwhile. They must be on the
    disk: storing to a mapped page for which a full disk has no room ends the process."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, _SIZE)
        return
    os.lseek(descriptor, _SIZE - 1, os.SEEK_SET)
    os.write(descriptor, b"\0")


_PLACES = {name: place for place, name in enumerate(NAMES)}
assert len(_PLACES) * _WORD < _SIZE
