"""The server's end of a fork server: `ForkClient`, and a process that it was given, `ForkedProcess`."""

from __future__ import annotations

import errno
import json
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from queue import SimpleQueue
from typing import IO, Any

from .fork_server import BEGUN, OUTDATED, THREADS

log = logging.getLogger(__name__)

THREAD_VARIABLES = ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""What says how many threads libraries use; all else in the environment is the fork server's own."""

PATIENCE = 120.0
"""Seconds that a fork server may say nothing for: importing what a step needs takes some of them."""
_LOOK = 0.05
_MOST_FAILURES = 3
_LONGEST_ANSWER = 4096
_NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)


class ForkedProcess:
    """A step's process, as `subprocess.Popen` is one. For one thread, but for `kill`, which is for any.

    Neither ending it nor waiting for its end needs the fork server; only its exit code does.
    """

    def __init__(
        self,
        pipes: tuple[IO[bytes], IO[bytes], IO[bytes]],
        control: socket.socket,
        descriptor: int,
        server: _Server,
        patience: float,
    ) -> None:
        """A process that has begun: its standard input, output and error, its control socket, what becomes
        readable when it ends (pidfd_open), its fork server, which lives as long as this does, and how many
        seconds that one may say nothing for."""
        self.stdin, self.stdout, self.stderr = pipes
        self._control = control
        self._descriptor = descriptor
        self._server: _Server | None = server
        self._patience = patience
        self._guard = threading.Lock()
        self._killed = False
        self._code: int | None = None

    def kill(self) -> None:
        """End it at once; no harm when it has ended."""
        with self._guard:
            if self._server is not None:
                self._killed = True
                with suppress(OSError):
                    signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)

    def wait(self) -> int | None:
        """Until it has ended: its exit code, or minus the number of the signal. When the fork server was
        killed that is SIGKILL, which all its processes get then; None when that one says nothing, stopped or
        stuck as it is."""
        if self._server is None:
            return self._code
        _readable(self._descriptor, None)
        if self._killed:
            self._code = -signal.SIGKILL
        elif _readable(self._control.fileno(), self._patience):
            self._code = -signal.SIGKILL
            with suppress(OSError):
                self._code = int(self._control.recv(_LONGEST_ANSWER) or self._code)
        with self._guard:
            self._control.close()
            os.close(self._descriptor)
            self._server = None
        return self._code


def _readable(descriptor: int, seconds: float | None) -> bool:
    """Whether something may be read within some seconds, or however long it takes (None)."""
    ready = select.poll()  # `select.select` takes no descriptor above 1023, and every connection has one
    ready.register(descriptor, select.POLLIN)
    return bool(ready.poll(None if seconds is None else seconds * 1000))


class GivenUp(Exception):
    """Nobody wants the process any more."""


class _Refused(Exception):
    """The fork server made no process; the message says why."""


@dataclass(frozen=True)
class _Server:
    """A fork server and what it was started with. It is killed when nobody has this any more: whoever asks
    it for processes, and each process that it made."""

    requests: socket.socket
    origin: tuple[Any, ...]

    def fork(
        self, module: str, threads: dict[str, str | None], unwanted: Callable[[], bool], patience: float
    ) -> ForkedProcess:
        """Raises _Refused, GivenUp, or OSError when it is gone."""
        with ExitStack() as kept:
            with ExitStack() as given:
                stdin, inner_stdin = _pipe(kept, given, inward=True)
                stdout, inner_stdout = _pipe(kept, given)
                stderr, inner_stderr = _pipe(kept, given)
                control, inner_control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                kept.enter_context(control)
                given.enter_context(inner_control)
                request = json.dumps({"module": module, "threads": threads}).encode()
                inner = [one.fileno() for one in (inner_stdin, inner_stdout, inner_stderr, inner_control)]
                socket.send_fds(self.requests, [request], inner, socket.MSG_DONTWAIT)
            answer, descriptors = _first_answer(control, unwanted, patience)
            if answer != BEGUN:
                raise _Refused(answer) if answer else BrokenPipeError("it ended before it began the step")
            if not descriptors:
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            kept.pop_all()
        return ForkedProcess((stdin, stdout, stderr), control, descriptors[0], self, patience)


def _pipe(kept: ExitStack, given: ExitStack, inward: bool = False) -> tuple[IO[bytes], IO[bytes]]:
    """The end that is kept and the one that is given away."""
    reading, writing = os.pipe()
    ends = os.fdopen(reading, "rb"), os.fdopen(writing, "wb")
    ours, theirs = reversed(ends) if inward else ends
    return kept.enter_context(ours), given.enter_context(theirs)


def _first_answer(
    control: socket.socket, unwanted: Callable[[], bool], patience: float
) -> tuple[str, list[int]]:
    end = time.monotonic() + patience
    while not _readable(control.fileno(), _LOOK):
        if unwanted():
            raise GivenUp()
        if time.monotonic() > end:
            raise TimeoutError(f"it said nothing for {patience:g} seconds")
    told, descriptors, _, _ = socket.recv_fds(control, _LONGEST_ANSWER, 1, socket.MSG_CMSG_CLOEXEC)
    return told.decode(), descriptors


class ForkClient:
    """Has a fork server start with the first step, and asks it for a process for each. Safe to use from any
    thread.

    A fork server ends with this object, or when it has nothing to do for a while; then, and when it was
    killed or says nothing, or the environment or the limits of this process have changed, the next step
    starts another.
    """

    def __init__(self, rest: float) -> None:
        """`rest`: seconds that a fork server waits for a next step."""
        self._rest = rest
        self._guard = threading.Lock()
        self._server: _Server | None = None
        self._failures = 0 if sys.platform == "linux" and hasattr(os, "pidfd_open") else _MOST_FAILURES
        self._unfit: set[str] = set()

    def fork(
        self,
        module: str,
        environment: dict[str, str],
        unwanted: Callable[[], bool],
        patience: float = PATIENCE,
    ) -> ForkedProcess | None:
        """A process for a step of a module; None: it has to be started from nothing. A fork server that says
        nothing for longer than `patience` (seconds) is given up.

        Raises:
            GivenUp: `unwanted` said so, which is asked while the fork server imports the module.
        """
        threads = {name: environment.get(name) for name in THREAD_VARIABLES}
        own = {name: value for name, value in environment.items() if name not in THREAD_VARIABLES}
        while not self._guard.acquire(timeout=_LOOK):
            if unwanted():
                raise GivenUp()
        try:
            for _ in range(2):
                if self._failures >= _MOST_FAILURES or module in self._unfit:
                    return None
                try:
                    process = self._running(own).fork(module, threads, unwanted, patience)
                except _Refused as refused:
                    if str(refused) not in (OUTDATED, THREADS):
                        return None
                    self._let_go()
                    if str(refused) == THREADS:
                        self._unfit.add(module)
                        log.info("Importing %s starts threads: its steps are not forked", module)
                except OSError as error:
                    if (
                        error.errno in _NO_DESCRIPTORS
                    ):  # of this process's: the fork server is as good as ever
                        return None
                    self._let_go()
                    self._failures += 1
                    log.info("The fork server is gone (%s)", error)
                else:
                    self._failures = 0
                    return process
        finally:
            self._guard.release()
        return None

    def _running(self, environment: dict[str, str]) -> _Server:
        origin = (environment, _limits())
        if self._server is not None and self._server.origin != origin:
            self._let_go()
        if self._server is None:
            self._server = self._start(environment, origin)
        return self._server

    def _start(self, environment: dict[str, str], origin: tuple[Any, ...]) -> _Server:
        """Raises OSError, whatever kept it from starting."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        started: SimpleQueue[subprocess.Popen[bytes] | Exception] = SimpleQueue()
        try:
            with theirs:
                threading.Thread(
                    target=_keep,
                    args=(theirs.fileno(), environment, self._rest, started),
                    name="fork-server",
                    daemon=True,
                ).start()
                process = started.get()
            if isinstance(process, OSError):
                raise process
            if isinstance(process, Exception):
                raise OSError(f"it did not start: {process}") from process
        except RuntimeError as error:  # no more threads
            raise OSError(f"it did not start: {error}") from error
        except BaseException:
            ours.close()
            raise
        server = _Server(ours, origin)
        weakref.finalize(server, _end, ours, process)
        return server

    def _let_go(self) -> None:
        """Ask nothing more of it; it ends when the last of its steps has."""
        if self._server is not None:
            self._server.requests.close()
            self._server = None


def _keep(
    number: int,
    environment: dict[str, str],
    rest: float,
    started: SimpleQueue[subprocess.Popen[bytes] | Exception],
) -> None:
    """Start a fork server and wait for its end. It ends with its parent, and that is this thread."""
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "openpersonalize.engine.fork_server", str(number), str(rest)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[number],
            env={**environment, "OPENBLAS_NUM_THREADS": "1"},  # or importing NumPy would start threads
        )
    except Exception as error:  # noqa: BLE001 - whoever waits for it is told
        started.put(error)
        return
    started.put(process)
    process.wait()


def _end(requests: socket.socket, process: subprocess.Popen[bytes]) -> None:
    """Of a fork server that nobody has any more: also where it cannot hear that."""
    requests.close()
    process.kill()


def _limits() -> dict[str, tuple[int, int]]:
    """The limits of this process, which others get when they are started."""
    import resource  # not on every system

    names = [name for name in dir(resource) if name.startswith("RLIMIT_")]
    return {name: resource.getrlimit(getattr(resource, name)) for name in names}
