from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from openpersonalize.storage.counters import FILE, NAMES, Counters

_CHILD = """
import sys
from pathlib import Path
from openpersonalize.storage.counters import Counters

counters = Counters.open(Path(sys.argv[1]))
for line in sys.stdin:
    counters.bump(line.strip())
    print(counters.value(line.strip()), flush=True)
"""


@pytest.fixture
def counters(tmp_path: Path) -> Iterator[Counters]:
    opened = Counters.open(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def child(tmp_path: Path, counters: Counters) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    yield process
    process.kill()
    process.communicate()


def bump_in(child: subprocess.Popen[str], name: str) -> int:
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(f"{name}\n")
    child.stdin.flush()
    return int(child.stdout.readline())


def test_a_bump_changes_one_counter_and_no_other(counters: Counters) -> None:
    assert [counters.value(name) for name in NAMES] == [0] * len(NAMES)
    counters.bump("events")
    once = counters.value("events")
    assert once != 0
    counters.bump("events")
    assert counters.value("events") not in (0, once)
    assert [counters.value(name) for name in NAMES if name != "events"] == [0] * (len(NAMES) - 1)


def test_an_unknown_name_is_refused(counters: Counters) -> None:
    with pytest.raises(KeyError):
        counters.bump("no such counter")


def test_what_is_put_is_read(counters: Counters, tmp_path: Path) -> None:
    counters.put("resources-number", 2**63 + 5)
    again = Counters.open(tmp_path)
    assert again.value("resources-number") == 2**63 + 5
    again.close()


def test_another_process_sees_a_bump_at_once(counters: Counters, child: subprocess.Popen[str]) -> None:
    for _ in range(3):
        before = counters.value("resources")
        there = bump_in(child, "resources")
        assert counters.value("resources") == there != before


def test_the_numbers_outlive_a_killed_process(
    counters: Counters, child: subprocess.Popen[str], tmp_path: Path
) -> None:
    there = bump_in(child, "events")
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert counters.value("events") == there
    counters.bump("events")  # nobody holds a lock that the killed process left
    assert counters.value("events") != there
    again = Counters.open(tmp_path)
    assert again.value("events") == counters.value("events")
    again.close()


def test_bumps_that_meet_lose_nothing(counters: Counters) -> None:
    """Whoever looks after any of many bumps that happen at once finds another value than before it."""
    missed: list[int] = []

    def work() -> None:
        for _ in range(2000):
            before = counters.value("events")
            counters.bump("events")
            if counters.value("events") == before:
                missed.append(before)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not missed


def test_opening_changes_no_number_and_the_file_is_ours_alone(counters: Counters, tmp_path: Path) -> None:
    counters.bump("jobs")
    before = (tmp_path / FILE).read_bytes()
    Counters.open(tmp_path).close()
    assert (tmp_path / FILE).read_bytes() == before
    assert len(before) == 4096
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0


def test_reading_after_closing_is_an_error(tmp_path: Path) -> None:
    closed = Counters.open(tmp_path)
    closed.close()
    with pytest.raises(ValueError, match="released"):
        closed.value("events")
