from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from contract.executor import ExecutorContract
from openpersonalize.engine.executor import Executor, Interruption, StepCall, StepDied
from openpersonalize.engine.subprocesses import SubprocessExecutor
from openpersonalize.errors import JobStopped
from openpersonalize.settings import Settings, read_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return read_settings({"data_dir": str(tmp_path / "data")}, {})


@pytest.fixture(scope="module")
def forking() -> SubprocessExecutor:
    return SubprocessExecutor()


class TestForked(ExecutorContract):
    @pytest.fixture
    def executor(self, forking: SubprocessExecutor) -> Executor:
        return forking


class TestFromNothing(ExecutorContract):
    @pytest.fixture
    def executor(self) -> Executor:
        return SubprocessExecutor(rest=0)


def appears(path: Path) -> str:
    while not (path.exists() and path.read_text()):
        time.sleep(0.005)
    return path.read_text()


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z" if Path("/proc").exists() else True
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_a_killed_step_says_so(settings: Settings, tmp_path: Path) -> None:
    call = StepCall("engine.toy:die", {"counter": str(tmp_path / "c"), "times": 1}, "j", settings)
    with pytest.raises(
        StepDied, match="killed by SIGKILL, most likely because the machine ran out of memory"
    ):
        SubprocessExecutor().run(call, lambda _: None, Interruption())


def test_threads_are_as_many_as_set_and_sleep_when_idle(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)  # what whoever runs the tests set is kept
    names = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_WAIT_POLICY"]
    call = StepCall("engine.toy:environment", {"names": names}, "j", replace(settings, threads=3))
    found = SubprocessExecutor().run(call, lambda _: None, Interruption())
    assert found == {"OMP_NUM_THREADS": "3", "OPENBLAS_NUM_THREADS": "3", "OMP_WAIT_POLICY": "passive"}


def test_an_exit_says_its_code_and_last_words(settings: Settings) -> None:
    call = StepCall("engine.toy:leave", {"code": 7}, "j", settings)
    with pytest.raises(StepDied, match=r"exit code 7; last words: good bye"):
        SubprocessExecutor().run(call, lambda _: None, Interruption())


def test_a_step_deaf_to_a_stop_is_killed_after_a_while(settings: Settings, tmp_path: Path) -> None:
    started = tmp_path / "started"
    interruption = Interruption()

    def ask() -> None:
        appears(started)
        interruption.stop_requested = True

    threading.Thread(target=ask).start()
    call = StepCall("engine.toy:never_stop", {"started": str(started)}, "j", settings)
    with pytest.raises(JobStopped):
        SubprocessExecutor(grace=0.2).run(call, lambda _: None, interruption)
    assert not is_running(int(started.read_text()))


SERVER = """
import sys
from openpersonalize.engine.executor import Interruption, StepCall
from openpersonalize.engine.subprocesses import SubprocessExecutor
from openpersonalize.settings import read_settings
call = StepCall("engine.toy:never_stop", {"started": sys.argv[1]}, "j", read_settings({}, {}))
SubprocessExecutor().run(call, print, Interruption())
"""


@pytest.mark.skipif(os.name == "nt", reason="looks for processes the POSIX way")
def test_a_step_ends_with_its_server(tmp_path: Path) -> None:
    started = tmp_path / "started"
    paths = [str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    server = subprocess.Popen([sys.executable, "-c", SERVER, str(started)], env=environment)
    pid = int(appears(started))
    assert is_running(pid)
    server.send_signal(signal.SIGKILL)
    server.wait()
    end = time.monotonic() + 20
    while is_running(pid) and time.monotonic() < end:
        time.sleep(0.01)
    assert not is_running(pid)
