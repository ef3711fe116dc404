"""The process of a step is forked, and yet in everything as one that was started from nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.test_subprocesses import SERVER, appears, is_running
from openpersonalize.engine.executor import Interruption, ShuttingDown, StepBroke, StepCall, StepDied
from openpersonalize.engine.subprocesses import SubprocessExecutor
from openpersonalize.errors import JobStopped
from openpersonalize.settings import Settings, read_settings

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has what a fork server needs")


TESTS = Path(__file__).parents[1]


def importing(folder: Path) -> dict[str, str]:
    """The environment of a process that can import what is in a folder."""
    paths = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


@pytest.fixture(scope="module")
def executor() -> SubprocessExecutor:
    return SubprocessExecutor()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return read_settings({"data_dir": str(tmp_path / "data"), "threads": 1}, {})


def run(executor: SubprocessExecutor, settings: Settings, step: str, **arguments: object) -> dict[str, Any]:
    name = step if ":" in step else f"engine.toy:{step}"
    return executor.run(StepCall(name, arguments, "j", settings), lambda _: None, Interruption())


def ends(pid: int) -> bool:
    end = time.monotonic() + 20
    while is_running(pid) and time.monotonic() < end:
        time.sleep(0.01)
    return not is_running(pid)


def test_each_step_has_a_process_of_its_own(executor: SubprocessExecutor, settings: Settings) -> None:
    first, second = (run(executor, settings, "identify") for _ in range(2))
    assert first["pid"] != second["pid"]
    assert first["parent"] == second["parent"] not in (os.getpid(), 1)
    assert first["name"] == second["name"] == "heavy-step"
    command = Path(f"/proc/{first['parent']}/cmdline").read_text()
    assert "openpersonalize.engine.fork_server" in command
    assert len(os.listdir(f"/proc/{first['parent']}/task")) == 1, "forks take no other threads along"
    assert not is_running(first["pid"])


def test_what_jobs_import_can_be_forked_and_uses_as_many_threads_as_set(
    executor: SubprocessExecutor, settings: Settings
) -> None:
    """NumPy reads the number when it is imported, which is before the fork."""
    from_nothing = SubprocessExecutor(rest=0)
    for threads in (1, 2, 3):
        found = run(executor, replace(settings, threads=threads), "engine.linear:libraries")
        assert found["frames"] == threads
        assert found["linear"] == [min(threads, os.cpu_count() or 1)]
        assert found["parent"] != os.getpid()
    other = run(from_nothing, replace(settings, threads=3), "engine.linear:libraries")
    assert other.pop("parent") == os.getpid()
    assert found.items() >= other.items()


def test_a_killed_fork_server_takes_its_steps_along_and_is_not_missed(
    executor: SubprocessExecutor, settings: Settings, tmp_path: Path
) -> None:
    started = tmp_path / "started"
    parent = run(executor, settings, "identify")["parent"]

    def end() -> None:
        os.kill(int(appears(started)), signal.SIGSTOP)  # deaf to all but the kernel
        os.kill(parent, signal.SIGKILL)

    killer = threading.Thread(target=end)
    killer.start()
    with pytest.raises(StepDied, match="killed by SIGKILL"):
        run(executor, settings, "never_stop", started=str(started))
    killer.join()
    assert ends(int(started.read_text()))
    assert run(executor, settings, "identify")["parent"] != parent


def test_a_fork_server_rests_no_longer_than_it_may(settings: Settings, tmp_path: Path) -> None:
    executor = SubprocessExecutor(rest=0.1)
    first = run(executor, settings, "identify")
    assert ends(first["parent"])
    folder = tmp_path / "spells"
    folder.mkdir()
    run(executor, settings, "spell", started=str(folder), seconds=0.5)  # longer than it rests
    assert run(executor, settings, "identify")["parent"] != first["parent"]


def test_it_ends_with_its_executor(settings: Settings) -> None:
    executor = SubprocessExecutor()
    parent = run(executor, settings, "identify")["parent"]
    del executor
    assert ends(parent)


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that modules are imported from."""
    folder = tmp_path / "packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


def test_what_was_installed_since_is_seen(settings: Settings, packages: Path) -> None:
    executor = SubprocessExecutor()
    text = "import os\ndef step(task):\n    return {{'release': {}, 'parent': os.getppid()}}\n"
    module = packages / "steps_of_others.py"
    module.write_text(text.format(1))
    first = run(executor, settings, "steps_of_others:step")
    assert first["release"] == 1
    assert run(executor, settings, "steps_of_others:step") == first
    module.write_text(text.format("'second'"))
    second = run(executor, settings, "steps_of_others:step")
    assert second["release"] == "second"
    assert second["parent"] != first["parent"]
    (packages / "something_else-1.0.dist-info").mkdir()
    assert run(executor, settings, "steps_of_others:step")["parent"] != second["parent"]


@pytest.mark.parametrize(
    "start",
    [
        "threading.Thread(target=time.sleep, args=(1e6,), daemon=True).start()",
        "_thread.start_new_thread(time.sleep, (1e6,))",  # as a library in C does: Python does not know of it
    ],
    ids=["of Python", "of the system"],
)
def test_a_module_that_starts_threads_is_never_forked(settings: Settings, packages: Path, start: str) -> None:
    (packages / "restless.py").write_text(
        f"import _thread, os, threading, time\n{start}\n"
        "def step(task):\n"
        "    return {'parent': os.getppid(), 'threads': len(os.listdir('/proc/self/task'))}\n"
    )
    executor = SubprocessExecutor()
    for _ in range(2):
        found = run(executor, settings, "restless:step")
        assert found == {"parent": os.getpid(), "threads": 3}, "its own thread, and who hears the server"
    assert run(executor, settings, "identify")["parent"] != os.getpid()


@pytest.mark.parametrize(
    ("how", "error"), [("stop_requested", JobStopped), ("released", ShuttingDown)], ids=["stop", "release"]
)
def test_nobody_waits_for_an_import_that_is_not_wanted_any_more(
    settings: Settings, packages: Path, how: str, error: type[BaseException]
) -> None:
    begun = packages / "begun"
    (packages / "endless.py").write_text(
        "import os, pathlib, time\n"
        f"pathlib.Path({str(begun)!r}).write_text(str(os.getpid()))\n"
        "time.sleep(1e6)\n"
    )
    executor, interruption = SubprocessExecutor(), Interruption()

    def ask() -> None:
        appears(begun)
        setattr(interruption, how, True)

    threading.Thread(target=ask).start()
    with pytest.raises(error):
        executor.run(StepCall("endless:step", {}, "j", settings), lambda _: None, interruption)
    os.kill(int(begun.read_text()), signal.SIGKILL)


def test_an_import_ends_with_its_server(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    (tmp_path / "endless.py").write_text(
        "import os, pathlib, sys, time\n"
        f"pathlib.Path({str(begun)!r}).write_text(str(os.getpid()))\n"
        "time.sleep(1e6)\n"
    )
    text = SERVER.replace("engine.toy:never_stop", "endless:step")
    server = subprocess.Popen([sys.executable, "-c", text, str(begun)], env=importing(tmp_path))
    pid = int(appears(begun))
    server.kill()
    server.wait()
    assert ends(pid)


def test_a_module_that_cannot_be_imported_says_why(settings: Settings, packages: Path) -> None:
    (packages / "broken.py").write_text("raise RuntimeError('no such day')\n")
    with pytest.raises(StepBroke, match="no such day"):
        run(SubprocessExecutor(), settings, "broken:step")


def test_one_that_never_comes_to_work_is_done_without(
    settings: Settings, packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (packages / "threadpoolctl.py").write_text("raise SystemExit('out of order')\n")
    executor = SubprocessExecutor()
    assert {run(executor, settings, "identify")["parent"] for _ in range(3)} == {os.getpid()}


def test_a_change_of_limits_holds_for_the_next_step(executor: SubprocessExecutor, settings: Settings) -> None:
    import resource

    before = run(executor, settings, "identify")["parent"]
    with most_descriptors(resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 1):
        assert run(executor, settings, "identify")["parent"] != before


@contextmanager
def most_descriptors(number: int) -> Iterator[None]:
    """The limit of this process on what it has open."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (number, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_server_may_have_thousands_of_connections(settings: Settings) -> None:
    with most_descriptors(2048), ExitStack() as connections:
        for _ in range(1100):
            connections.enter_context(open(os.devnull))
        assert run(SubprocessExecutor(), settings, "identify")["parent"] != os.getpid()


def test_without_descriptors_the_fork_server_stays(settings: Settings) -> None:
    def opened() -> int:
        return len(os.listdir("/proc/self/fd"))

    executor = SubprocessExecutor()
    with most_descriptors(max(map(int, os.listdir("/proc/self/fd"))) + 40):
        parent, before = run(executor, settings, "identify")["parent"], opened()
        with ExitStack() as connections:
            with suppress(OSError):
                while True:
                    connections.enter_context(open(os.devnull))
            for _ in range(8):
                with pytest.raises(OSError, match="Too many open files"):
                    run(executor, settings, "identify")
        assert run(executor, settings, "identify")["parent"] == parent
        assert opened() == before


def test_it_knows_how_steps_end_where_its_parents_ignore_that(settings: Settings, tmp_path: Path) -> None:
    """SIGCHLD stays ignored in all that a process starts, and ends of processes are not kept then."""
    code = (
        "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        "from openpersonalize.engine.executor import Interruption, StepCall, StepDied\n"
        "from openpersonalize.engine.subprocesses import SubprocessExecutor\n"
        "from openpersonalize.settings import read_settings\n"
        f"settings, executor = read_settings({{'data_dir': {str(tmp_path)!r}}}, {{}}), SubprocessExecutor()\n"
        "def run(step, **arguments):\n"
        "    call = StepCall('engine.toy:' + step, arguments, 'j', settings)\n"
        "    return executor.run(call, lambda _: None, Interruption())\n"
        "parent = run('identify')['parent']\n"
        "try:\n    run('leave', code=7)\n"
        "except StepDied as died:\n    assert 'exit code 7' in str(died), died\n"
        "assert run('identify')['parent'] == parent\n"
    )
    subprocess.run([sys.executable, "-c", code], env=importing(TESTS), check=True, timeout=120)


def test_a_stopped_step_ends_with_its_server(tmp_path: Path) -> None:
    started = tmp_path / "started"
    server = subprocess.Popen([sys.executable, "-c", SERVER, str(started)], env=importing(TESTS))
    pid = int(appears(started))
    os.kill(pid, signal.SIGSTOP)  # it cannot hear that its server is gone
    server.kill()
    server.wait()
    assert ends(pid)
