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
from openpersonalize.engine.child import MOST_KEPT
from openpersonalize.engine.executor import Executor, Interruption, StepBroke, StepCall, StepDied
from openpersonalize.engine.stepprocess import StepProcess, environment_of
from openpersonalize.engine.subprocesses import SubprocessExecutor
from openpersonalize.errors import JobFailed, JobStopped
from openpersonalize.settings import Settings, read_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return read_settings({"data_dir": str(tmp_path / "data")}, {})


class TestSubprocess(ExecutorContract):
    @pytest.fixture
    def executor(self) -> Executor:
        return SubprocessExecutor()


def appears(path: Path) -> str:
    while not (path.exists() and path.read_text()):
        time.sleep(0.005)
    return path.read_text()


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z" if Path("/proc").exists() else True


def pid_of(
    executor: SubprocessExecutor, settings: Settings, step: str = "identify", **arguments: object
) -> int:
    """The process that a step ran in."""
    call = StepCall(f"engine.toy:{step}", arguments, "j", settings)
    return int(executor.run(call, lambda _: None, Interruption())["pid"])


def test_small_steps_share_a_process_for_a_while(settings: Settings) -> None:
    executor = SubprocessExecutor(rest=60.0)
    first = pid_of(executor, settings)
    assert pid_of(executor, settings) == first
    with pytest.raises(JobFailed):
        executor.run(
            StepCall("engine.toy:refuse", {"problems": 1}, "j", settings), lambda _: None, Interruption()
        )
    assert pid_of(executor, settings) == first
    assert pid_of(executor, replace(settings, threads=3)) != first, "it was started for other settings"
    assert not is_running(first)


def test_a_process_rests_no_longer_than_it_may(settings: Settings) -> None:
    first = pid_of(SubprocessExecutor(rest=0.0), settings)
    end = time.monotonic() + 20
    while is_running(first) and time.monotonic() < end:
        time.sleep(0.01)
    assert not is_running(first)


def test_what_a_step_broke_or_left_behind_dies_with_its_process(settings: Settings) -> None:
    executor = SubprocessExecutor(rest=60.0)
    first = pid_of(executor, settings)
    with pytest.raises(StepBroke):
        executor.run(StepCall("engine.toy:break_down", {}, "j", settings), lambda _: None, Interruption())
    second = pid_of(executor, settings, "leave_a_thread")
    third = pid_of(executor, settings, "hold", size=MOST_KEPT + 1)
    assert len({first, second, third, pid_of(executor, settings)}) == 4


def test_a_process_that_died_while_it_waited_is_not_missed(settings: Settings) -> None:
    executor = SubprocessExecutor(rest=60.0)
    first = pid_of(executor, settings)
    os.kill(first, signal.SIGKILL)
    while is_running(first):
        time.sleep(0.01)
    assert pid_of(executor, settings) != first


def test_a_process_that_dies_before_it_begins_a_step_is_not_missed(settings: Settings) -> None:
    executor = SubprocessExecutor(rest=60.0)
    first = pid_of(executor, settings)
    os.kill(first, signal.SIGSTOP)  # alive, but it begins nothing
    killer = threading.Timer(0.5, os.kill, (first, signal.SIGKILL))
    killer.start()
    assert pid_of(executor, settings) != first
    killer.join()


def test_a_step_that_began_in_a_process_that_waited_is_not_done_again(
    settings: Settings, tmp_path: Path
) -> None:
    executor = SubprocessExecutor(rest=60.0)
    pid_of(executor, settings)
    call = StepCall("engine.toy:die", {"counter": str(tmp_path / "c"), "times": 1}, "j", settings)
    with pytest.raises(StepDied, match="killed by SIGKILL"):
        executor.run(call, lambda _: None, Interruption())
    assert (tmp_path / "c").read_text() == "x"


def test_a_process_that_found_no_room_takes_no_other_step(settings: Settings) -> None:
    executor = SubprocessExecutor(rest=60.0)
    first = pid_of(executor, settings)
    with pytest.raises(JobFailed, match="The disk takes no more"):
        executor.run(StepCall("engine.toy:find_no_room", {}, "j", settings), lambda _: None, Interruption())
    assert pid_of(executor, settings) != first


def test_a_process_of_other_limits_takes_no_other_step(settings: Settings) -> None:
    resource = pytest.importorskip("resource", reason="this system has no limits on processes")
    executor = SubprocessExecutor(rest=60.0)
    first = pid_of(executor, settings)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512 if soft != 512 else 511, hard))
    try:
        second = pid_of(executor, settings)
        assert second != first
        assert pid_of(executor, settings) == second
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert pid_of(executor, settings) != second


def test_a_stop_that_comes_late_stops_nobody_else(settings: Settings) -> None:
    process = StepProcess(environment_of(StepCall("", {}, "j", settings)))
    for _ in range(3):
        process.begin(StepCall("engine.toy:stoppable", {}, "j", settings))
        assert process.follow(lambda _: None) == {"result": {"stopped": False}, "ready": True}
        process.stop()  # the step has ended
    process.close()


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
