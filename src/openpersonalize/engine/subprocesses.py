"""Heavy steps in processes of their own: what they take or break dies with them, and the server goes on.

Where the system allows, a fork server makes the process in some milliseconds; otherwise it starts from
nothing. It lives as long as the pipe to its standard input is open, so it ends with its server whatever ends
that one.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import IO, Any, Protocol

from ..errors import JobFailed, JobStopped
from .executor import Executor, Interruption, ShuttingDown, StepBroke, StepCall, StepDied
from .fork_client import THREAD_VARIABLES, ForkClient, GivenUp
from .task import Report

log = logging.getLogger(__name__)

_LOOK = 0.05
_LAST_LINES = 50


class _Process(Protocol):
    """What is asked of a step's process."""

    @property
    def stdin(self) -> IO[bytes] | None: ...
    @property
    def stdout(self) -> IO[bytes] | None: ...
    @property
    def stderr(self) -> IO[bytes] | None: ...
    def kill(self) -> None: ...
    def wait(self) -> int | None: ...


class SubprocessExecutor(Executor):
    """Runs `child` in a process per step; JSON lines over pipes.

    Args:
        grace: seconds that a step has to heed a stop before it is killed.
        rest: seconds that the fork server waits for a next step. 0: there is none, each process starts from
            nothing.
    """

    def __init__(self, grace: float = 20.0, rest: float = 300.0) -> None:
        self._grace = grace
        self._forks = ForkClient(rest) if rest > 0 else None

    def run(
        self, call: StepCall, report: Callable[[Report], None], interruption: Interruption
    ) -> dict[str, Any]:
        try:
            process = self._start(call, interruption)
        except GivenUp:
            raise ShuttingDown() if interruption.released else JobStopped() from None
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        ended = threading.Event()
        last_lines: deque[str] = deque(maxlen=_LAST_LINES)
        watcher = threading.Thread(
            target=self._watch, args=(process, interruption, ended), name="step-watcher", daemon=True
        )
        listener = threading.Thread(
            target=_listen, args=(process.stderr, call.job_id, last_lines), name="step-listener", daemon=True
        )
        try:
            listener.start()
            _send(
                process.stdin,
                {
                    "step": call.step,
                    "arguments": call.arguments,
                    "job": call.job_id,
                    "settings": call.settings.to_json(),
                },
            )
            watcher.start()
            end = _read(process.stdout, report)
            if end is None:
                code = process.wait()
        finally:
            ended.set()
            process.kill()
            process.wait()
            listener.join(5.0)
            for pipe in (process.stdin, process.stdout, process.stderr):
                _close(pipe)
        if interruption.released:
            raise ShuttingDown()
        if end is None:
            if interruption.stop_requested:
                raise JobStopped()
            raise StepDied(_how(code, last_lines))
        return _outcome(end)

    def _start(self, call: StepCall, interruption: Interruption) -> _Process:
        def unwanted() -> bool:
            return interruption.released or interruption.stop_requested

        environment, module = _environment(call), call.step.partition(":")[0]
        forked = self._forks.fork(module, environment, unwanted) if self._forks else None
        return forked or subprocess.Popen(
            [sys.executable, "-m", "openpersonalize.engine.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )

    def _watch(self, process: _Process, interruption: Interruption, ended: threading.Event) -> None:
        """End the step when it is to end: kindly for a stop, at once when the server goes down."""
        while not ended.wait(_LOOK):
            if interruption.released:
                process.kill()
                return
            if interruption.stop_requested:
                assert process.stdin
                _send(process.stdin, {"stop": True})
                waited = 0.0
                while waited < self._grace and not interruption.released:
                    if ended.wait(_LOOK):
                        return
                    waited += _LOOK
                process.kill()
                return


def _send(pipe: IO[bytes], message: dict[str, Any]) -> None:
    try:
        pipe.write(json.dumps(message).encode() + b"\n")
        pipe.flush()
    except OSError:
        # The process has ended; its exit code says how, and `run` reads that.
        return


def _close(pipe: IO[bytes]) -> None:
    try:
        pipe.close()
    except OSError:
        # What was left to write to a process that has ended is nobody's.
        return


def _read(pipe: IO[bytes], report: Callable[[Report], None]) -> Report | None:
    """Pass reports on until the one that ends the step; None when the pipe ends first."""
    for line in pipe:
        try:
            message = json.loads(line)
        except ValueError:
            # Only a process that was killed in the middle of a line leaves half of one.
            return None
        if message.keys() & {"result", "failed", "stopped", "broke"}:
            return dict(message)
        report(message)
    return None


def _outcome(end: Report) -> dict[str, Any]:
    if "failed" in end:
        raise JobFailed(end["failed"])
    if "stopped" in end:
        raise JobStopped()
    if "broke" in end:
        raise StepBroke(end["broke"])
    return dict(end["result"])


def _how(code: int | None, last_lines: deque[str]) -> str:
    """How a process ended, in words, with its last words."""
    if code is None:
        how = "it ended, and the fork server, which knows how, says nothing"
    elif code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        how = f"killed by {name}"
        if name == "SIGKILL":
            how += ", most likely because the machine ran out of memory"
    else:
        how = f"exit code {code}"
    return f"{how}; last words: {last_lines[-1]}" if last_lines else how


def _listen(pipe: IO[bytes], job_id: str, last_lines: deque[str]) -> None:
    """Put what the process writes to its standard error into the server's log."""
    for raw in pipe:
        text = raw.decode(errors="replace").rstrip()
        if text:
            last_lines.append(text)
            log.info("job %s: %s", job_id, text)


def _environment(call: StepCall) -> dict[str, str]:
    """The child imports what the server can import, nothing from the folder it happens to run in, and keeps
    to the number of threads that the settings allow."""
    environment = dict(os.environ)
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    environment["PYTHONSAFEPATH"] = "1"
    # Threads that have nothing to do sleep; spinning takes the cores from the server and from other steps.
    environment.setdefault("OMP_WAIT_POLICY", "passive")
    if call.settings.threads:
        for name in THREAD_VARIABLES:
            environment[name] = str(call.settings.threads)
    return environment
