"""A process of steps (`StepProcess`): ``python -m openpersonalize.engine.child``, JSON lines over pipes.

It lives as long as the pipe to its standard input is open, so it ends with its server whatever ends that one.
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
from typing import IO, Any

from .executor import StepCall
from .task import Report

log = logging.getLogger(__name__)

_LAST_LINES = 50


class StepProcess:
    """A running process that takes one step after the other. For one thread at a time, but for `stop` and
    `end`, which are for any.

    Attributes:
        has_begun: it said that it began the step that it was last given.
    """

    def __init__(self, environment: dict[str, str]) -> None:
        """Start it."""
        self.has_begun = False
        self._environment, self._limits = environment, _limits()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "openpersonalize.engine.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )
        self._job = ""
        self._last_lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._listener = threading.Thread(target=self._listen, name="step-listener", daemon=True)
        self._listener.start()

    def begin(self, call: StepCall) -> None:
        """Have it do a step."""
        self.has_begun = False
        self._job = call.job_id
        self._last_lines.clear()
        self._send(
            {
                "step": call.step,
                "arguments": call.arguments,
                "job": call.job_id,
                "settings": call.settings.to_json(),
            }
        )

    def follow(self, report: Callable[[Report], None]) -> Report | None:
        """Pass the step's reports on until the one that ends it; None when the process ends first."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                message = json.loads(line)
            except ValueError:
                # Only a process that was killed in the middle of a line leaves half of one.
                return None
            if message.keys() & {"result", "failed", "stopped", "broke"}:
                return dict(message)
            if "begun" in message:
                self.has_begun = True
            else:
                report(message)
        return None

    def stop(self) -> None:
        """Ask the step to stop."""
        self._send({"stop": True})

    def is_as_new(self, environment: dict[str, str]) -> bool:
        """Whether it is as one that is started now: of this environment, of the server's limits on files and
        memory, and alive. One that was just killed may still seem alive; see `has_begun`."""
        return self._environment == environment and self._limits == _limits() and self._process.poll() is None

    def end(self) -> None:
        """Kill it at once."""
        self._process.kill()

    def close(self) -> str:
        """Kill it unless it has ended, and release what it takes here; how it ended."""
        code = self._process.wait() if self._process.poll() is not None else None
        self._process.kill()
        self._process.wait()
        self._listener.join(5.0)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert pipe is not None
            _close(pipe)
        return _how(self._process.returncode if code is None else code, self._last_lines)

    def wait(self) -> None:
        """Until it has ended."""
        self._process.wait()

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except (OSError, ValueError):
            # The process has ended; its exit code says how, and `close` reads that.
            return

    def _listen(self) -> None:
        """Put what the process writes to its standard error into the server's log."""
        assert self._process.stderr is not None
        for raw in self._process.stderr:
            text = raw.decode(errors="replace").rstrip()
            if text:
                self._last_lines.append(text)
                log.info("job %s: %s", self._job, text)


def environment_of(call: StepCall) -> dict[str, str]:
    """The child imports what the server can import, nothing from the folder it happens to run in, and keeps
    to the number of threads that the settings allow."""
    environment = dict(os.environ)
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    environment["PYTHONSAFEPATH"] = "1"
    # Threads that have nothing to do sleep; spinning takes the cores from the server and from other steps.
    environment.setdefault("OMP_WAIT_POLICY", "passive")
    if call.settings.threads:
        for name in ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            environment[name] = str(call.settings.threads)
    return environment


def _limits() -> dict[str, tuple[int, int]]:
    """The system's limits on this process, which the processes that it starts inherit."""
    if sys.platform == "win32":
        return {}
    import resource

    names = [name for name in dir(resource) if name.startswith("RLIMIT_")]
    return {name: resource.getrlimit(getattr(resource, name)) for name in names}


def _close(pipe: IO[bytes]) -> None:
    try:
        pipe.close()
    except OSError:
        # What was left to write to a process that has ended is nobody's.
        return


def _how(code: int, last_lines: deque[str]) -> str:
    """How a process ended, in words, with its last words."""
    if code < 0:
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
