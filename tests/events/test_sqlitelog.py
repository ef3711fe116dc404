"""The live log on SQLite: the contract, and what a file shared by processes that may be killed adds to it."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from contract.live_log import CLICK, GROUP, ITEM_SCHEMA, ITEMS, SCHEMA, Hands, LiveLogContract
from openpersonalize.clock import SystemClock
from openpersonalize.errors import StartError, Unavailable
from openpersonalize.events.entries import Event, Record
from openpersonalize.events.livelog import LiveLog
from openpersonalize.events.sqlitefile import SqliteFile
from openpersonalize.events.sqlitelog import FORMATS, SqliteLiveLog
from openpersonalize.events.statements import read_statements

WRITER = """
import sys
from concurrent.futures import wait, FIRST_COMPLETED
from pathlib import Path
from openpersonalize.clock import SystemClock
from openpersonalize.events.entries import Event
from openpersonalize.events.sqlitelog import SqliteLiveLog

path, group, user, most = sys.argv[1:]
log = SqliteLiveLog(Path(path), SystemClock())
print("ready", flush=True)
for start in range(0, int(most), 8):
    events = [(n, Event(user, "s", f"i{n}", n + 1, "click")) for n in range(start, start + 8)]
    calls = [(n, log.append(group, [event])) for n, event in events]
    for n, call in calls:
        call.result()
        print(n, flush=True)
log.close()
"""

FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from openpersonalize.clock import SystemClock
from openpersonalize.errors import Unavailable
from openpersonalize.events.entries import Event
from openpersonalize.events.sqlitelog import SqliteLiveLog

path, group = sys.argv[1:]
log = SqliteLiveLog(Path(path), SystemClock())
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
stored = refused = 0
for n in range(1, 2000):
    try:
        log.append(group, [Event("ann", "s", "i" * 200, n, "click")]).result()
        stored += 1
    except Unavailable:
        refused += 1
        if refused == 3:
            break
refusal = log.refusal()
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
log.append(group, [Event("ann", "s", "after", 5000, "click")]).result()
assert refusal and not log.refusal(), refusal
log.close()
print(stored + 1, refused)
"""


class TestSqliteLiveLog(LiveLogContract):
    @pytest.fixture
    def open_log(self, tmp_path: Path, hands: Hands) -> Iterator[Callable[[], LiveLog]]:
        opened: list[LiveLog] = []

        def opening() -> LiveLog:
            opened.append(SqliteLiveLog(tmp_path / "events.db", hands))
            return opened[-1]

        yield opening
        for log in opened:
            log.close()


def test_calls_of_any_size_are_kept_whole(tmp_path: Path) -> None:
    log = SqliteLiveLog(tmp_path / "events.db", SystemClock())
    sizes = [1, 2, 5, 17, 65, 257, 600]
    for size in sizes:
        first = log.position() + 1
        events = [CLICK._replace(time=first + n) for n in range(size)]
        assert log.append(GROUP, events).result() == first + size - 1
        log.append(ITEMS, [Record(f"i{size}-{n}") for n in range(size)]).result()
        frame = log.interactions_frame(GROUP, SCHEMA, after=first - 1)
        assert frame["TIMESTAMP"].to_list() == list(range(first, first + size))
        assert frame["#ARRIVAL"].to_list() == list(range(first, first + size))
    names = [f"i{size}-{n}" for size in sizes for n in range(size)]
    assert log.records_frame(ITEMS, ITEM_SCHEMA)["ITEM_ID"].to_list() == names
    log.close()


def writer(path: Path, user: str, most: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), GROUP, user, str(most)], stdout=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("seed", range(3))
def test_nothing_acknowledged_is_lost_when_the_writer_is_killed(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "events.db"
    process = writer(path, "ann", 1_000_000)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(random.Random(seed).uniform(0.05, 0.4))
    process.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
    acknowledged = {int(line) for line in process.stdout.read().split("\n") if line.strip().isdigit()}
    process.wait()
    process.stdout.close()
    # The last line may be cut short, and then names a smaller number: acknowledged as well.
    log = SqliteLiveLog(path, SystemClock())
    stored = set(log.interactions_frame(GROUP, SCHEMA)["TIMESTAMP"].to_list())
    assert acknowledged
    assert {n + 1 for n in acknowledged} <= stored
    assert log.append(GROUP, [CLICK._replace(time=10)]).result() > len(stored)
    log.close()


def test_processes_write_side_by_side_and_each_write_is_seen_at_once(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    log = SqliteLiveLog(path, SystemClock())
    tail = log.tail()
    processes = {user: writer(path, user, 80) for user in ("ann", "bob")}
    for user, process in processes.items():
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        for line in process.stdout:
            assert f"i{line.strip()}" in tail.history(GROUP, user).item
            log.append(GROUP, [CLICK._replace(user=f"after {user}", time=int(line) + 1)]).result()
        assert process.wait() == 0
        process.stdout.close()
    frame = log.interactions_frame(GROUP, SCHEMA)
    assert frame.height == 2 * 80 + 2 * 80
    assert frame["#ARRIVAL"].to_list() == list(range(1, 321))
    log.close()


def test_a_damaged_file_refuses_the_start_with_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    path.write_bytes(os.urandom(20_000))
    with pytest.raises(StartError, match=r"is damaged .*restore it from a copy"):
        SqliteLiveLog(path, SystemClock())


def test_damage_in_the_middle_of_the_file_refuses_the_start(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    log = SqliteLiveLog(path, SystemClock())
    log.append(GROUP, [CLICK._replace(time=t, item=f"item-{t}") for t in range(1, 3000)]).result()
    log.close()
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2 // 4096 * 4096)
        file.write(os.urandom(4096 * 3))
    with pytest.raises(StartError, match="is damaged"):
        SqliteLiveLog(path, SystemClock())


def test_a_file_of_a_newer_version_refuses_the_start(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    SqliteLiveLog(path, SystemClock()).close()
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO format VALUES (99)")
    connection.close()
    with pytest.raises(StartError, match="newer version"):
        SqliteLiveLog(path, SystemClock())


def test_a_file_that_cannot_be_opened_refuses_the_start(tmp_path: Path) -> None:
    (tmp_path / "events.db").mkdir()
    with pytest.raises(StartError, match="cannot be opened for writing"):
        SqliteLiveLog(tmp_path / "events.db", SystemClock())


def test_what_the_disk_refuses_is_not_acknowledged_and_can_be_sent_again(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    log = SqliteLiveLog(path, SystemClock())
    log.append(GROUP, [CLICK]).result()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("ALTER TABLE event RENAME TO gone")
    with pytest.raises(Unavailable, match="cannot be stored now"):
        log.append(GROUP, [CLICK._replace(time=5)]).result()
    other.execute("ALTER TABLE gone RENAME TO event")
    other.close()
    assert log.append(GROUP, [CLICK._replace(time=5)]).result() == 2
    assert log.interactions_frame(GROUP, SCHEMA)["TIMESTAMP"].to_list() == [100, 5]
    log.close()


@pytest.mark.skipif(sys.platform == "win32", reason="the limit that plays the full disk exists on POSIX only")
def test_a_full_disk_refuses_and_loses_nothing_and_is_forgiven(tmp_path: Path) -> None:
    path = tmp_path / "events.db"
    child = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path), GROUP], capture_output=True, text=True, check=True
    )
    stored, refused = map(int, child.stdout.split())
    assert refused == 3
    log = SqliteLiveLog(path, SystemClock())
    frame = log.interactions_frame(GROUP, SCHEMA)
    assert frame.height == stored
    assert frame["ITEM_ID"][-1] == "after"
    log.close()


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        ("history", "event_subject (stream=? AND subject=?)"),
        ("count_unsealed", "event_subject (stream=? AND subject=?)"),
        ("sessions_of", "event_subject (stream=? AND subject=?)"),
        ("interactions", "event_stream (stream=? AND rowid>? AND rowid<?)"),
        ("sealable", "event_stream (stream=? AND rowid>? AND rowid<?)"),
        ("oldest_rows", "event_stream (stream=? AND rowid>?)"),
        ("clear_sealed", "event_stream (stream=? AND rowid<?)"),
        ("new_records", "record_stream (stream=? AND rowid>? AND rowid<?)"),
    ],
)
def test_what_is_asked_often_is_found_by_an_index(tmp_path: Path, statement: str, index: str) -> None:
    file = SqliteFile(tmp_path / "events.db", FORMATS, durable=True)
    connection = file.connect()
    text = read_statements("livelog.sql")[statement]
    values = (1,) * (2 if "?1" in text else text.count("?"))
    steps = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {text}", values)]
    connection.close()
    assert any(index in step for step in steps), steps


def test_nothing_of_a_removed_user_is_left_in_the_files(tmp_path: Path, hands: Hands) -> None:
    log = SqliteLiveLog(tmp_path / "events.db", hands)
    secret = CLICK._replace(user="somebody", session="her-session", item="her-item")
    log.append(GROUP, [secret, CLICK, Event(None, "her-session", "her-other-item", 90, "click")]).result()
    assert log.forget_subjects(GROUP, ["somebody"]) == 2
    hands.time += 7200
    log.forget_subjects(GROUP, ["ann"])  # ends the listing of the removal before
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    log.close()
    assert b"her-item" not in content
    assert b"her-other-item" not in content
    assert b"somebody" not in content


@pytest.fixture
def hands() -> Hands:
    return Hands()
