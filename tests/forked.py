"""Servers of tests as forks of a process that has imported what a server needs, `ForkedServer`.

Starting the command takes more than a CPU second, nearly all of it imports, and the tests start some hundred
servers. The command itself is what `tests/cli/test_serve.py` starts, and every server with several workers.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

_IMPORTED = ["openpersonalize.cli.main", "openpersonalize.cli.serve", "openpersonalize.server.app", "uvicorn"]


class ForkedServer:
    """A process that does what ``openpersonalize WORD ...`` does, used as a `subprocess.Popen`."""

    def __init__(self, words: list[str], environment: dict[str, str], log: Path) -> None:
        """Start it; what it prints is added to `log`."""
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(_IMPORTED)
        self._process = context.Process(target=_serve, args=(words, environment, str(log)), daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("openpersonalize", timeout or 0.0)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self._process.exitcode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()


def _serve(words: list[str], environment: dict[str, str], log: str) -> None:
    with open(log, "ab") as file:
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["openpersonalize", *words]
    from openpersonalize.cli.main import main

    main()
