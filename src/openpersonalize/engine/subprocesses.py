"""Heavy steps in processes of their own: what they take or break dies with them, and the server goes on.

A process takes most of a second of CPU to start: interpreter and libraries. One that ended a step well and
holds little memory waits some seconds for the next step, so that a run of small jobs starts one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from ..errors import JobFailed, JobStopped
from .executor import Executor, Interruption, ShuttingDown, StepBroke, StepCall, StepDied
from .stepprocess import StepProcess, environment_of
from .task import Report

_LOOK = 0.05


class SubprocessExecutor(Executor):
    """Runs each step in a `StepProcess`.

    Args:
        grace: seconds that a step has to heed a stop before it is killed.
        rest: seconds that a process waits for another step, one at most; 0: none waits.
    """

    def __init__(self, grace: float = 20.0, rest: float = 0.0) -> None:
        self._grace, self._rest = grace, rest
        self._guard = threading.Lock()
        self._waiting: StepProcess | None = None
        self._timer = threading.Timer(0.0, lambda: None)

    def run(
        self, call: StepCall, report: Callable[[Report], None], interruption: Interruption
    ) -> dict[str, Any]:
        environment = environment_of(call)
        process = self._taken(environment)
        end: Report | None = None
        how = ""
        if process is not None:
            end, how = self._do(process, call, report, interruption)
            if end is None and not process.has_begun and not interruption.stop_requested:
                # It was killed while it waited, and that shows only now.
                process = None
        if process is None and not interruption.released:
            end, how = self._do(StepProcess(environment), call, report, interruption)
        if interruption.released:
            raise ShuttingDown()
        if end is None:
            if interruption.stop_requested:
                raise JobStopped()
            raise StepDied(how)
        return _outcome(end)

    def _do(
        self,
        process: StepProcess,
        call: StepCall,
        report: Callable[[Report], None],
        interruption: Interruption,
    ) -> tuple[Report | None, str]:
        """Have a process do the step, then keep or close it: the report that ended the step, and how the
        process ended."""
        ended = threading.Event()
        watcher = threading.Thread(
            target=self._watch, args=(process, interruption, ended), name="step-watcher", daemon=True
        )
        end: Report | None = None
        how = ""
        process.begin(call)  # before the watcher may ask it to stop
        watcher.start()
        try:
            end = process.follow(report)
            if end is None:
                process.wait()
        finally:
            ended.set()
            watcher.join()
            ready = end is not None and end.pop("ready", False) and not interruption.released
            if not (ready and self._keep(process)):
                how = process.close()
        return end, how

    def _taken(self, environment: dict[str, str]) -> StepProcess | None:
        """The process that waits, where it is as good as a new one."""
        with self._guard:
            waiting, self._waiting = self._waiting, None
            self._timer.cancel()
        if waiting is None or waiting.is_as_new(environment):
            return waiting
        waiting.close()
        return None

    def _keep(self, process: StepProcess) -> bool:
        """Have a process wait, unless one does."""
        with self._guard:
            if self._waiting is not None or self._rest <= 0:
                return False
            self._waiting = process
            self._timer = threading.Timer(self._rest, self._let_go, (process,))
            self._timer.daemon = True
            self._timer.start()
        return True

    def _let_go(self, process: StepProcess) -> None:
        with self._guard:
            if self._waiting is not process:
                return
            self._waiting = None
        process.close()

    def _watch(self, process: StepProcess, interruption: Interruption, ended: threading.Event) -> None:
        """End the step when it is to end: kindly for a stop, at once when the server goes down."""
        while not ended.wait(_LOOK):
            if interruption.released:
                process.end()
                return
            if interruption.stop_requested:
                process.stop()
                waited = 0.0
                while waited < self._grace and not interruption.released:
                    if ended.wait(_LOOK):
                        return
                    waited += _LOOK
                process.end()
                return


def _outcome(end: Report) -> dict[str, Any]:
    if "failed" in end:
        raise JobFailed(end["failed"])
    if "stopped" in end:
        raise JobStopped()
    if "broke" in end:
        raise StepBroke(end["broke"])
    return dict(end["result"])
