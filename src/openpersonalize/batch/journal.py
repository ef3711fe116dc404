"""How far a batch job is, on disk: `OutputJournal`, from which a run goes on after a crash.

The output of the file that is being read grows in a file of the job's work folder; beside it stands up to
where input and output belong together. What was written beyond that when a process died is cut off, so that
nothing is lost and nothing is there twice. Finished files are in the callers' bucket already.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec

from ..storage.buckets import ObjectInfo
from ..storage.durable import write_durably

SECONDS = 2.0
"""Work that a crash costs, about."""


class Progress(msgspec.Struct):
    """Attributes:
    files: location and size of each input file.
    done: files that are finished. unanswered: numbers of those of them without a single answer.
    read: bytes of the next one that were read; written: bytes of its output; lines, answers: of it.
    all_lines, all_answers: of the finished files.
    """

    files: list[tuple[str, int]]
    done: int = 0
    unanswered: list[int] = []
    read: int = 0
    written: int = 0
    lines: int = 0
    answers: int = 0
    all_lines: int = 0
    all_answers: int = 0


class OutputJournal:
    """One run's. Belongs to one thread.

    Attributes:
        at: how far the job is.
    """

    def __init__(self, folder: Path, files: Sequence[ObjectInfo], seconds: float = SECONDS) -> None:
        """Go on from what lies in the work folder, if it is about the same files.

        Args:
            folder: the work folder. files: the input. seconds: between two states on disk.
        """
        self._state, self._seconds = folder / "progress.json", seconds
        self.output = folder / "output.jsonl"
        named = [(file.location, file.size) for file in files]
        self.at = Progress(named)
        if self._state.exists():
            found = msgspec.json.decode(self._state.read_bytes(), type=Progress)
            if found.files == named:
                self.at = found
        self._sink: BinaryIO = self.output.open("ab")
        self._sink.truncate(self.at.written)
        self._saved = time.monotonic()

    def write(self, data: bytes) -> None:
        """A piece of output; it counts when `reached` says whose it is."""
        self._sink.write(data)
        self.at.written += len(data)

    def reached(self, read: int, lines: int, answers: int) -> None:
        """What was written is the output of `lines` more lines, which end at place `read` of the input."""
        self.at.read = read
        self.at.lines += lines
        self.at.answers += answers
        if time.monotonic() - self._saved >= self._seconds:
            self.save()

    def save(self) -> None:
        """Have all of it on disk."""
        self._sink.flush()
        os.fsync(self._sink.fileno())
        write_durably(self._state, msgspec.json.encode(self.at))
        self._saved = time.monotonic()

    def finish_file(self) -> None:
        """The output of the file is where its owner wants it."""
        at = self.at
        if not at.answers:
            at.unanswered.append(at.done)
        at.done += 1
        at.all_lines += at.lines
        at.all_answers += at.answers
        at.read = at.written = at.lines = at.answers = 0
        # The new state first: a longer file than it says is cut off, a shorter one could not be mended.
        self.save()
        self._sink.truncate(0)

    def close(self) -> None:
        """Let go of the file."""
        self._sink.close()
