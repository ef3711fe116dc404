"""Fork server (`ForkServer`): a process that has imported what steps need, and forks one for each step.

``python -m openpersonalize.engine.fork_server DESCRIPTOR SECONDS``, Linux only: its server's end of a socket,
and how long it waits for a next step. Importing takes most of a second, a fork some milliseconds. It runs
nothing of a step and has no thread that could be in the middle of something, for a fork takes along none but
its own; each step's process is as new as one that was started. The other end is `ForkClient`.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from threadpoolctl import ThreadpoolController

from .child import ORPHANED, do_step, take_name, take_orders_from_server_alone, yield_to_server
from .cores import available_cores

NAME = "fork-server"
BEGUN, OUTDATED, THREADS = "begun", "outdated", "threads"
LONGEST_REQUEST = 65_536
_INSTALLED = (".dist-info", ".egg-info", ".egg-link", ".pth")
_ASLEEP = {"jemalloc_bg_thd", "polars-ooc-clea"}
"""Threads that importing Polars starts and a fork may leave behind. Its allocator sees to itself when a
process forks (pthread_atfork); its cleaner of spilled data is parked until a query spills, and none ran."""
_PR_SET_PDEATHSIG = 1
_DESCRIPTORS = 4


@dataclass(frozen=True)
class _Running:
    """A step's process: its id, what becomes readable when it ends, and the socket to who waits for it."""

    pid: int
    end: int
    control: socket.socket


class ForkServer:
    """Takes requests one after the other, and tells how the processes of steps ended.

    A request names the step's module and the variables that say how many threads it may use; with it come
    standard input, output and error of the process, and its control socket. There the answer is ``begun``
    with a descriptor of the process (pidfd_open), and when that has ended its exit code, minus the number of
    a signal; the end of the socket kills the process. The answer is ``outdated`` when something that was
    imported is no longer what lies on the disk, and ``threads`` when an import started some that must not be
    there: then this process takes no more requests. Else it is why the system allows no more processes. It
    ends when it takes no requests and no step runs, or has waited long enough. When it is killed all its
    steps are.
    """

    def __init__(self, requests: socket.socket, rest: float) -> None:
        """Take requests from a socket; `rest`: seconds to wait for the next one while no step runs."""
        self._requests: socket.socket | None = requests
        self._rest = rest
        self._selector = selectors.DefaultSelector()
        self._selector.register(requests, selectors.EVENT_READ, self._take)
        self._running: dict[int, _Running] = {}
        self._packages = _packages()
        self._imported: dict[str, int | None] = {}
        self._modules = 0
        self._libraries: ThreadpoolController | None = None

    def serve(self) -> None:
        """Until there is nothing more to do."""
        while self._running or self._requests is not None:
            ready = self._selector.select(None if self._running else self._rest)
            if not ready and not self._running:
                return
            for key, _ in ready:
                key.data()

    def _take(self) -> None:
        """One request, or none any more."""
        assert self._requests is not None
        text, descriptors, _, _ = socket.recv_fds(self._requests, LONGEST_REQUEST, _DESCRIPTORS)
        if not text:
            self._take_no_more()
            return
        *standard, control = descriptors
        request, own = json.loads(text), socket.socket(fileno=control)
        refused = self._prepare(request["module"])
        if refused:
            self._take_no_more()
            _answer(own, refused)
            own.close()
        else:
            self._fork(standard, own, request["threads"])
        for descriptor in standard:
            os.close(descriptor)

    def _take_no_more(self) -> None:
        assert self._requests is not None
        self._selector.unregister(self._requests)
        self._requests.close()
        self._requests = None

    def _prepare(self, module: str) -> str | None:
        """Import what the step is in; why no process can be forked for it."""
        changed = (_stamp(file) != stamp for file, stamp in self._imported.items())
        if self._packages != _packages() or any(changed):
            return OUTDATED
        try:
            importlib.import_module(module)
        except Exception:  # noqa: BLE001 - the step's process meets it too, and tells
            sys.stderr.flush()
        if len(sys.modules) != self._modules:
            self._modules = len(sys.modules)
            files = {getattr(one, "__dict__", {}).get("__file__") for one in sys.modules.values()} - {None}
            self._imported |= {str(file): _stamp(str(file)) for file in files if file not in self._imported}
            self._libraries = ThreadpoolController().select(user_api="blas")
            gc.collect()
            gc.freeze()  # a collection of a step's process would write to, and so copy, all these pages
        return THREADS if _threads() - _ASLEEP else None

    def _fork(self, standard: list[int], control: socket.socket, threads: dict[str, str | None]) -> None:
        here = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:  # too many processes, too little memory: not for ever
            _answer(control, str(error))
            control.close()
            return
        if pid == 0:
            self._become_step(here, standard, control, threads)
        running = _Running(pid, os.pidfd_open(pid), control)
        self._running[pid] = running
        self._selector.register(running.end, selectors.EVENT_READ, lambda: self._ended(running))
        self._selector.register(control, selectors.EVENT_READ, lambda: self._left(running))
        _answer(control, BEGUN, running.end)

    def _left(self, running: _Running) -> None:
        """Kill a step's process: who waited for it is gone."""
        if self._running.get(running.pid) is not running:  # it has ended, since they were looked at
            return
        self._selector.unregister(running.control)
        os.kill(running.pid, signal.SIGKILL)  # its id is its own until `_ended` waits for it

    def _ended(self, running: _Running) -> None:
        _, status = os.waitpid(running.pid, 0)
        del self._running[running.pid]
        self._selector.unregister(running.end)
        if running.control in self._selector.get_map():
            self._selector.unregister(running.control)
        os.close(running.end)
        _answer(running.control, str(os.waitstatus_to_exitcode(status)))
        running.control.close()

    def _become_step(
        self, parent: int, standard: list[int], control: socket.socket, variables: dict[str, str | None]
    ) -> NoReturn:
        """The forked process: nothing of the fork server's may be left in it."""
        try:
            _end_with_parent()
            if os.getppid() != parent:
                os._exit(ORPHANED)
            for number, descriptor in enumerate(standard):
                os.dup2(descriptor, number)
                os.close(descriptor)
            self._close(control)
            self._use_threads(variables)
            do_step()
        except BaseException:  # noqa: BLE001 - the fork server's code must not go on in this process
            traceback.print_exc()
        os._exit(1)

    def _close(self, control: socket.socket) -> None:
        self._selector.close()
        control.close()
        if self._requests is not None:
            self._requests.close()
        for running in self._running.values():
            os.close(running.end)
            running.control.close()

    def _use_threads(self, variables: dict[str, str | None]) -> None:
        """Have libraries use as many threads as they would have read from the variables at their import."""
        for name, value in variables.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        told, number = variables.get("OPENBLAS_NUM_THREADS") or "", available_cores()
        if told.isdecimal():
            number = min(number, int(told))
        if number > 1 and self._libraries is not None:
            self._libraries.limit(limits=number)
        if "polars" in sys.modules:
            sys.modules["polars"].Config.load("{}")  # sets nothing, but reads its variables anew


def _end_with_parent() -> None:
    """Whatever this process is in the middle of, the system kills it when its parent ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _answer(control: socket.socket, text: str, *descriptors: int) -> None:
    with suppress(OSError):  # who asked is gone
        socket.send_fds(control, [text.encode()], descriptors)


def _threads() -> set[str]:
    """The names of this process's threads beside the first, as the system knows them; one that nobody named
    is called as the process is."""
    found = set()
    with os.scandir("/proc/self/task") as threads:
        for thread in threads:
            with suppress(OSError):
                if int(thread.name) != os.getpid():
                    found.add(Path(thread.path, "comm").read_text().strip())
    return found


def _stamp(file: str) -> int | None:
    """When a file changed last; None: it is not there."""
    try:
        return os.stat(file).st_mtime_ns
    except OSError:
        return None


def _packages() -> dict[str, int | None]:
    """What says which packages are installed, and when it changed last."""
    found: dict[str, int | None] = {}
    for folder in sys.path:
        with suppress(OSError), os.scandir(folder) as entries:
            found |= {e.path: _stamp(e.path) for e in entries if e.name.endswith(_INSTALLED)}
    return found


def main() -> None:
    """Serve the socket that the command line names."""
    take_orders_from_server_alone()
    _end_with_parent()
    yield_to_server()
    take_name(NAME)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, as some parents hand it on, ends would be lost
    own = os.pidfd_open(os.getpid())
    signal.pidfd_send_signal(own, 0)  # a system without these is told apart here, not at the first step
    os.close(own)
    ForkServer(socket.socket(fileno=int(sys.argv[1])), float(sys.argv[2])).serve()


if __name__ == "__main__":
    main()
