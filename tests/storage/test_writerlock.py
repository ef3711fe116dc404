"""One writes at a time, in any thread of any process; a killed one lets go."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from openpersonalize.storage.writerlock import WriterLock

HOLD = """
import sys
from pathlib import Path
from openpersonalize.storage.writerlock import WriterLock
with WriterLock(Path(sys.argv[1])).held():
    print("held", flush=True)
    sys.stdin.read()
"""
ADD = """
import sys
from pathlib import Path
from openpersonalize.storage.writerlock import WriterLock
lock, number = WriterLock(Path(sys.argv[1])), Path(sys.argv[2])
for _ in range(200):
    with lock.held():
        number.write_text(str(int(number.read_text()) + 1))
"""


def test_turns_of_threads_and_processes_exclude_each_other(tmp_path: Path) -> None:
    file, number = tmp_path / "a.lock", tmp_path / "number"
    number.write_text("0")
    processes = [subprocess.Popen([sys.executable, "-c", ADD, str(file), str(number)]) for _ in range(2)]
    lock = WriterLock(file)

    def add() -> None:
        for _ in range(200):
            with lock.held():
                number.write_text(str(int(number.read_text()) + 1))

    threads = [threading.Thread(target=add) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [process.wait(60) for process in processes] == [0, 0]
    assert number.read_text() == "800"


def test_a_turn_ends_with_its_process_and_with_an_error(tmp_path: Path) -> None:
    lock = WriterLock(tmp_path / "a.lock")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "a.lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(TimeoutError, match="another process"), lock.held(0.02):
            raise AssertionError("it was held")
        process.kill()
    with pytest.raises(ZeroDivisionError), lock.held(10):
        raise ZeroDivisionError
    with lock.held(0), pytest.raises(TimeoutError, match="a thread"), lock.held(0):
        raise AssertionError("it was held")
    with lock.held(0), pytest.raises(TimeoutError), WriterLock(tmp_path / "a.lock").held(0):
        raise AssertionError("it was held")


def test_the_file_is_its_owners_and_stays(tmp_path: Path) -> None:
    with WriterLock(tmp_path / "a.lock").held():
        pass
    assert (tmp_path / "a.lock").stat().st_mode & 0o777 == 0o600
