"""What a heavy step sees of the job it works for, wherever it runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from ..errors import JobStopped
from ..settings import Settings

Report: TypeAlias = dict[str, Any]

_PAUSE = 0.2


class Task:
    """Given to a heavy step, ``def step(task: Task, **arguments) -> dict``: JSON in, JSON out.

    A step raises JobFailed with a reason for the job's owner, and calls `check` often enough to stop within
    seconds. Its methods may be called from any thread of the step's process.

    Attributes:
        settings: the settings of the server that runs the job.
        job_id: the job, for log messages.
    """

    def __init__(
        self, settings: Settings, job_id: str, send: Callable[[Report], None], stopping: Callable[[], bool]
    ) -> None:
        """Reports go to `send` one at a time in order; `stopping` says whether somebody asked to stop."""
        self.settings = settings
        self.job_id = job_id
        self._send = send
        self._stopping = stopping
        self._last_step = ""
        self._last_time = 0.0

    def progress(self, step: str, done: float, total: float, unit: str) -> None:
        """Report that `done` of `total` units of a step are done, e.g. ``("read", 2e6, 1e7, "rows")``.

        Call it as often as you like: reports closer than 0.2 s are dropped, save the first and last of a
            step.
        """
        now = time.monotonic()
        if step == self._last_step and done < total and now - self._last_time < _PAUSE:
            return
        self._last_step, self._last_time = step, now
        self._send({"progress": {"step": step, "done": done, "total": total, "unit": unit}})

    def plan(self, stages: Sequence[tuple[str, float]]) -> None:
        """Say which steps will be reported from here on, in order, and about how many seconds each takes: see
        `Timetable`. What is known better later is said again, for what is left."""
        self._send({"plan": [[step, seconds] for step, seconds in stages]})

    def omit(self, step: str) -> None:
        """Say that this planned step ends where it is, and comes no more."""
        self._send({"omit": step})

    def line(self, text: str) -> None:
        """Add a line to the job's log."""
        self._send({"line": text})

    def problem(self, file: str, line: int, column: str, what: str) -> None:
        """Report one thing wrong with one place of the input; the first 10,000 are kept, the rest is
        counted."""
        self._send({"problem": [file, line, column, what]})

    def check(self) -> None:
        """Raises JobStopped when somebody asked to stop the job."""
        if self._stopping():
            raise JobStopped()
