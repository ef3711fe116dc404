"""A fork server that says nothing, stopped or stuck as it is, keeps nobody waiting for ever."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.test_fork_server import ends
from engine.test_subprocesses import appears, is_running
from openpersonalize.engine.child import ORPHANED
from openpersonalize.engine.executor import Interruption, StepCall
from openpersonalize.engine.fork_client import ForkClient, ForkedProcess
from openpersonalize.engine.subprocesses import SubprocessExecutor
from openpersonalize.errors import JobStopped
from openpersonalize.settings import read_settings

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has what a fork server needs")

SOON = 2.0
"""Seconds in which one that works says something, also where all cores are busy."""


def fork(client: ForkClient, patience: float = 120.0) -> ForkedProcess | None:
    """A process that waits for the step it is to do."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    environment.pop("PYTEST_CURRENT_TEST", None)  # with another environment there is another fork server
    return client.fork("engine.toy", environment, lambda: False, patience)


def end(process: ForkedProcess) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        pipe.close()


def fork_servers() -> set[int]:
    """Those of this process."""
    tasks = Path("/proc/self/task").glob("*/children")
    children = [int(pid) for task in tasks for pid in task.read_text().split()]
    return {pid for pid in children if b"fork_server" in Path(f"/proc/{pid}/cmdline").read_bytes()}


def stop(pid: int) -> None:
    """Returns when it is stopped."""
    os.kill(pid, signal.SIGSTOP)
    while Path(f"/proc/{pid}/stat").read_text().split()[2] != "T":
        time.sleep(0.001)


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    stop(pid)
    try:
        yield
    finally:
        if is_running(pid):
            os.kill(pid, signal.SIGCONT)


@pytest.fixture
def client() -> Iterator[tuple[ForkClient, ForkedProcess, int]]:
    """With a process and the fork server that made it."""
    before = fork_servers()
    found = ForkClient(rest=300.0)
    process = fork(found)
    assert process is not None
    (server,) = fork_servers() - before
    yield found, process, server
    end(process)


def test_a_process_is_killed_and_waited_for_without_it(
    client: tuple[ForkClient, ForkedProcess, int],
) -> None:
    _, process, server = client
    with stopped(server):
        process.kill()
        assert process.wait() == -signal.SIGKILL


def test_it_is_given_up_and_another_one_takes_over(client: tuple[ForkClient, ForkedProcess, int]) -> None:
    """It goes when the last of its processes has, for it cannot hear that it should."""
    asked, process, server = client
    with stopped(server):
        other = fork(asked, SOON)
        assert is_running(server), "its end would be that of a process that works"
        if other is not None:  # else there was no time to start one
            other.stdin.close()
            assert other.wait() == ORPHANED
            end(other)
        process.kill()
        process.wait()
        assert ends(server)


def test_how_a_process_ended_is_not_waited_for_too_long(
    client: tuple[ForkClient, ForkedProcess, int],
) -> None:
    asked, _, server = client
    process = fork(asked, SOON)
    assert process is not None
    with stopped(server):
        process.stdin.close()  # ends it
        assert process.wait() is None
        end(process)


def test_a_deaf_step_is_killed_without_it(tmp_path: Path) -> None:
    started, before = tmp_path / "started", fork_servers()
    interruption, servers = Interruption(), set[int]()

    def ask() -> None:
        appears(started)
        servers.update(fork_servers() - before)
        for server in servers:
            stop(server)
        interruption.stop_requested = True

    threading.Thread(target=ask).start()
    settings = read_settings({"data_dir": str(tmp_path / "data")}, {})
    call = StepCall("engine.toy:never_stop", {"started": str(started)}, "j", settings)
    with pytest.raises(JobStopped):
        SubprocessExecutor(grace=0.1).run(call, lambda _: None, interruption)
    assert len(servers) == 1
    assert not is_running(int(started.read_text()))


def test_whatever_keeps_it_from_starting_is_told() -> None:
    """Not only what the system says: a variable that no environment may have is an error of Python's."""
    client = ForkClient(rest=300.0)
    for _ in range(3):
        assert client.fork("engine.toy", {"A=B": "c"}, lambda: False) is None
