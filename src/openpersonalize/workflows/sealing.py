"""Sealing of the live log in the background: `Sealing` looks now and then, and has what is due done by a step
in a process of its own.

It takes none of the heavy slots: a training of six hours does not keep it from its work, and it is short (2 s
for 100,000 events, half a minute for the largest merge). Every process of a server may look; the log lets one
work.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from ..clock import SystemClock
from ..engine.executor import Executor, Interruption, ShuttingDown, StepCall
from ..engine.subprocesses import SubprocessExecutor
from ..engine.task import Task
from ..events.stores import open_live_log
from ..logs import RepeatedErrors

if TYPE_CHECKING:
    from ..installation import Installation

log = logging.getLogger(__name__)

LOOK_SECONDS = 10.0
STEP = f"{__name__}:seal"


def seal(task: Task) -> dict[str, Any]:
    """The step: all the sealing that is due; ``pieces``, how much that was."""
    live = open_live_log(task.settings, SystemClock())
    pieces = 0
    try:
        while live.seal():
            pieces += 1
            task.check()
    finally:
        live.close()
    return {"pieces": pieces}


class Sealing:
    """Keeps the database of the live log small. Safe to run in every process."""

    def __init__(
        self, installation: Installation, executor: Executor | None = None, every: float = LOOK_SECONDS
    ) -> None:
        """Look after the log of `installation`.

        Args:
            executor: runs the step; None: in a process of its own.
            every: seconds between two looks.
        """
        self._installation = installation
        self._executor = executor or SubprocessExecutor()
        self._every = every
        self._stopping = threading.Event()
        self._interruption = Interruption()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Look now, for what a former process left undone, and again and again, in a thread."""
        self._thread = threading.Thread(target=self._loop, name="sealing", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more; what is being done is left for the next one."""
        self._stopping.set()
        self._interruption.released = True
        if self._thread is not None:
            self._thread.join()

    def look(self) -> int:
        """Have done what is due; how many pieces of work that was."""
        if not self._installation.log.seal_due():
            return 0
        call = StepCall(STEP, {}, "sealing", self._installation.settings)
        return int(self._executor.run(call, lambda report: None, self._interruption)["pieces"])

    def _loop(self) -> None:
        errors = RepeatedErrors(log, "Sealing the live log met an error; it is tried again")
        while not self._stopping.is_set():
            try:
                self.look()
                errors.well()
            except ShuttingDown:
                return
            except Exception as error:  # noqa: BLE001 - told, and tried again
                errors.met(error)
            self._stopping.wait(self._every)
