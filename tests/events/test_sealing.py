"""Sealed segments: the contract holds over them, crashes lose and double nothing, they stay few."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from pathlib import Path
from threading import Thread

import polars as pl
import pytest

from contract.live_log import CLICK, GROUP, ITEMS, OTHER, SCHEMA, Hands, LiveLogContract
from openpersonalize.clock import SystemClock
from openpersonalize.events.entries import Event, Record
from openpersonalize.events.livelog import LiveLog
from openpersonalize.events.segments import Segment
from openpersonalize.events.sqlitefile import SqliteFile
from openpersonalize.events.sqlitelog import FORMATS, SqliteLiveLog
from openpersonalize.events.sqlitesegments import SealingPlan
from openpersonalize.storage.objects import LocalObjects

EAGER = SealingPlan(rows=3, fan=2, levels=2, cleared=1, grace=0)
SELECT_U1 = (pl.col("USER_ID") == "u1") | (
    pl.col("#ANONYMOUS") & pl.col("#SESSION").is_in(["s0", "s1", "s2", "s3"])
)
FIVES = SealingPlan(rows=5, fan=3, levels=2, cleared=2, grace=0)


class Eager(SqliteLiveLog):
    """Seals after every write whatever it can."""

    def append(self, stream: str, entries: Sequence[Event] | Sequence[Record]) -> Future[int]:
        future = super().append(stream, entries)
        wait([future])
        seal(self)
        return future


def seal(log: LiveLog) -> int:
    """All the housekeeping that is due; how many pieces it was."""
    steps = 0
    while log.seal():
        steps += 1
    return steps


def folders(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.glob("segments/*/*")}


class TestOverSegments(LiveLogContract):
    @pytest.fixture
    def open_log(self, tmp_path: Path, hands: Hands) -> Iterator[Callable[[], LiveLog]]:
        opened: list[LiveLog] = []

        def opening() -> LiveLog:
            store = DyingStore(tmp_path)
            opened.append(Eager(tmp_path / "events.db", hands, objects=store, plan=EAGER))
            return opened[-1]

        yield opening
        for log in opened:
            log.close()

    # Whoever stands before what is sealed is not told one by one.
    test_another_process_reads_what_was_acknowledged = None  # type: ignore[assignment]
    test_news_tells_everything_in_order_once = None  # type: ignore[assignment]
    test_a_reader_far_behind_does_bounded_work = None  # type: ignore[assignment]
    test_removals_are_listed_for_an_hour_and_whoever_was_away_longer_is_told_so = None  # type: ignore[assignment]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SqliteLiveLog]:
    log = SqliteLiveLog(tmp_path / "events.db", Hands(), objects=DyingStore(tmp_path), plan=FIVES)
    yield log
    log.close()


def events(count: int, first: int = 1) -> list[Event]:
    return [
        Event(
            f"u{n % 3}", f"s{n % 4}", f"i{n % 7}", n, "click", float(n), f"e{n}", properties='{"DEVICE":"tv"}'
        )
        for n in range(first, first + count)
    ]


def test_the_oldest_of_twice_as_many_are_sealed_and_leave_the_database(
    log: SqliteLiveLog, tmp_path: Path
) -> None:
    log.append(GROUP, events(9)).result()
    assert not log.seal()
    log.append(GROUP, events(1, 10)).result()
    before = log.interactions_frame(GROUP, SCHEMA)
    assert log.seal()
    assert not log.seal()
    (folder,) = folders(tmp_path)
    assert folder.startswith("segments/1/1-5.")
    assert log.interactions_frame(GROUP, SCHEMA).equals(before)
    file = log._file.connect()  # the rows are gone from the database, not only out of sight
    assert file.execute("SELECT min(position) FROM event").fetchone() == (6,)
    file.close()


def test_what_is_not_told_one_by_one_any_more_is_said_to_be_skipped(log: SqliteLiveLog) -> None:
    log.append(GROUP, events(10)).result()
    tail = log.tail()
    assert len(tail.news(0, 100).events) == 10
    seal(log)
    assert tail.news(4, 100).skipped
    assert [event.position for event in tail.news(5, 100).events] == [6, 7, 8, 9, 10]
    tail.close()


def test_segments_stay_few(log: SqliteLiveLog, tmp_path: Path) -> None:
    for start in range(1, 181, 20):
        log.append(GROUP, events(20, start)).result()
        seal(log)
        most = (FIVES.fan - 1) * FIVES.levels + (start + 19) // (FIVES.rows * FIVES.fan**FIVES.levels)
        assert len(folders(tmp_path)) <= most
    frame = log.interactions_frame(GROUP, SCHEMA)
    assert frame["TIMESTAMP"].to_list() == list(range(1, 181))
    assert log.tail().history(GROUP, "u1", most=3).time.tolist() == [172, 175, 178]


def test_a_reader_is_not_disturbed_when_segments_are_merged_under_its_feet(log: SqliteLiveLog) -> None:
    log.append(GROUP, events(14)).result()
    seal(log)
    chunks = log.interactions(GROUP, SCHEMA, chunk=2)
    seen = next(chunks)["TIMESTAMP"].to_list()
    for start in range(15, 60, 5):
        log.append(GROUP, events(5, start)).result()
        seal(log)
    for chunk in chunks:
        seen += chunk["TIMESTAMP"].to_list()
    assert seen == list(range(1, 15))


def test_removed_users_leave_the_segments_at_once(log: SqliteLiveLog, tmp_path: Path) -> None:
    anonymous = [Event(None, "s1", "heat", 1000 + n, "click") for n in range(3)]
    log.append(GROUP, [*events(30), *anonymous, *events(30, 31)]).result()
    seal(log)
    old = folders(tmp_path)
    position = log.position()
    expected = log.interactions_frame(GROUP, SCHEMA).filter(~SELECT_U1)
    assert log.forget_subjects(GROUP, ["u1", "nobody"]) == 20 + 3
    assert log.interactions_frame(GROUP, SCHEMA).equals(expected)
    assert len(log.tail().history(GROUP, "u1")) == len(log.tail().history(GROUP, "s1")) == 0
    assert {one.subject for one in log.tail().news(position, 10).forgotten} == {"u1", "s0", "s1", "s2", "s3"}
    assert len(folders(tmp_path)) == len(old)
    assert not any(Segment(tmp_path / folder).knows("u1") for folder in folders(tmp_path))
    # What they did may be sent again, and counts; what others did may not.
    again = [events(1)[0], events(1, 5)[0], anonymous[0]]
    log.append(GROUP, again).result()
    frame = log.interactions_frame(GROUP, SCHEMA, after=position)
    assert frame.select("USER_ID", "#DUPLICATE").rows() == [("u1", False), ("s1", False)]
    assert log.forget_subjects(GROUP, ["u1"]) == 2


def test_a_forgotten_stream_leaves_no_segment(log: SqliteLiveLog, tmp_path: Path) -> None:
    for stream in (GROUP, OTHER):
        log.append(stream, events(40)).result()
    seal(log)
    log.forget(GROUP)
    assert log.interactions_frame(GROUP, SCHEMA).height == 0
    seal(log)
    assert {folder.split("/")[1] for folder in folders(tmp_path)} == {"2"}
    log.append(GROUP, events(12)).result()
    seal(log)
    assert log.interactions_frame(GROUP, SCHEMA)["#DUPLICATE"].to_list() == [False] * 12
    assert log.interactions_frame(OTHER, SCHEMA).height == 40


def test_a_stream_whose_forgetting_was_cut_short_is_cleared(log: SqliteLiveLog, tmp_path: Path) -> None:
    log.append(GROUP, events(7)).result()
    file = SqliteFile(tmp_path / "events.db", FORMATS, durable=True)
    connection = file.connect(write=True)
    connection.execute("UPDATE stream SET arn = NULL")  # the process died before it deleted the rows
    assert log.seal_due()
    assert seal(log) == 1
    assert connection.execute("SELECT count(*) FROM event").fetchone() == (0,)
    assert connection.execute("SELECT count(*) FROM stream").fetchone() == (0,)
    connection.close()
    assert not log.seal_due()


def test_records_are_not_sealed_and_not_harmed(log: SqliteLiveLog) -> None:
    log.append(ITEMS, [Record(f"i{n}") for n in range(30)]).result()
    assert seal(log) == 0
    assert log.tail().news(0, 3).records == {ITEMS: 30}


class DyingStore(LocalObjects):
    """A store whose user dies before or after its n-th call. What is published is not synced: nobody cuts the
    power here."""

    def __init__(self, root: Path, die_at: int = -1) -> None:
        super().__init__(root)
        self._root_path = root
        self._die_at = die_at
        self._moments = 0

    def moment(self) -> None:
        self._moments += 1
        if self._moments == self._die_at:
            raise DiedError

    def stage(self) -> Path:
        self.moment()
        return super().stage()

    def publish(self, staged: Path, key: str) -> None:
        self.moment()
        target = self._root_path / key
        target.parent.mkdir(parents=True, exist_ok=True)
        staged.rename(target)
        self.moment()

    def remove(self, key: str) -> None:
        self.moment()
        super().remove(key)
        self.moment()


class DiedError(Exception):
    """The process is no more."""


SMALL = SealingPlan(rows=4, fan=2, levels=1, cleared=3, grace=0)


@pytest.mark.parametrize(
    "first", [1, pytest.param(2, marks=pytest.mark.soak), pytest.param(3, marks=pytest.mark.soak)]
)
def test_dying_at_any_moment_loses_and_doubles_nothing(tmp_path: Path, first: int) -> None:
    """Seals, merges and removes users; dies at every third moment in turn, and somebody else goes on."""
    for moment in range(first, 100, 3):
        folder = tmp_path / str(moment)
        log = SqliteLiveLog(folder / "events.db", Hands(), objects=DyingStore(folder, moment), plan=SMALL)
        log.append(GROUP, events(16)).result()
        try:
            seal(log)
            log.forget_subjects(GROUP, ["u1"])
            died = False
        except DiedError:
            died = True
        log.close()
        again = SqliteLiveLog(folder / "events.db", Hands(), objects=DyingStore(folder), plan=SMALL)
        check_nothing_is_lost(again, folder)
        again.close()
        if not died:
            break
    assert not died
    assert moment > 12


def check_nothing_is_lost(log: SqliteLiveLog, folder: Path) -> None:
    """Of sixteen events, those of the user u1 being removed or about to be."""
    whole = list(range(1, 17))
    left = [n for n in whole if n % 3 != 1]
    times = log.interactions_frame(GROUP, SCHEMA)["TIMESTAMP"].to_list()
    assert set(left) <= set(times)
    assert times == sorted(set(times))
    seal(log)
    assert log.interactions_frame(GROUP, SCHEMA)["TIMESTAMP"].to_list() in (times, whole, left)
    log.forget_subjects(GROUP, ["u1"])
    assert log.interactions_frame(GROUP, SCHEMA)["TIMESTAMP"].to_list() == left
    assert log.tail().history(GROUP, "u2").time.tolist() == [n for n in left if n % 3 == 2]
    position = log.position()
    log.append(GROUP, [*events(16), *events(1, 2)]).result()
    assert log.interactions_frame(GROUP, SCHEMA, after=position)["USER_ID"].unique().to_list() == ["u1"]
    seal(log)
    file = log._file.connect()
    assert {key for (key,) in file.execute("SELECT key FROM segment")} == folders(folder)
    assert file.execute("SELECT count(*) FROM unreferenced").fetchone() == (0,)
    file.close()


SEALER = """
import sys
from pathlib import Path
from openpersonalize.clock import SystemClock
from openpersonalize.events.entries import Event
from openpersonalize.events.sqlitelog import SqliteLiveLog
from openpersonalize.events.sqlitesegments import SealingPlan

path, group, first = sys.argv[1:]
log = SqliteLiveLog(Path(path), SystemClock(), plan=SealingPlan(rows=16, fan=2, levels=3, cleared=3, grace=0))
print("ready", flush=True)
for start in range(int(first), 10_000_000, 20):
    events = [Event(f"u{n % 5}", "s", f"i{n}", n, "click", None, f"e{n}") for n in range(start, start + 20)]
    log.append(group, events).result()
    print(start, flush=True)
    while log.seal():
        pass
"""


def test_killed_processes_leave_everything_once(tmp_path: Path) -> None:
    path, first = tmp_path / "events.db", 1
    chance = random.Random(7)
    for _ in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", SEALER, str(path), GROUP, str(first)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(chance.uniform(0.1, 0.5))
        process.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
        acknowledged = [int(line) for line in process.stdout.read().split() if line.isdigit()]
        process.wait()
        process.stdout.close()
        log = SqliteLiveLog(path, SystemClock(), plan=SealingPlan(rows=16, fan=2, levels=3, grace=0))
        times = log.interactions_frame(GROUP, SCHEMA)["TIMESTAMP"].to_list()
        assert times == list(range(1, len(times) + 1))
        assert max(acknowledged, default=0) <= len(times)
        log.append(GROUP, [CLICK._replace(event_id="e1", time=10**6 + first)]).result()
        assert log.interactions_frame(GROUP, SCHEMA)["#DUPLICATE"][-1] or not times
        log.forget_subjects(GROUP, ["ann"])
        seal(log)
        times = log.interactions_frame(GROUP, SCHEMA)["TIMESTAMP"].to_list()
        assert times == list(range(1, len(times) + 1))
        file = log._file.connect()
        assert {key for (key,) in file.execute("SELECT key FROM segment")} == folders(tmp_path)
        file.close()
        first = len(times) + 1
        log.close()
    assert first > 40


def test_one_process_seals_at_a_time(tmp_path: Path) -> None:
    one = SqliteLiveLog(tmp_path / "events.db", Hands(), plan=FIVES)
    other = SqliteLiveLog(tmp_path / "events.db", Hands(), plan=FIVES)
    one.append(GROUP, events(60)).result()
    threads = [Thread(target=seal, args=(log,)) for log in (one, other, one, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seal(one)
    assert other.interactions_frame(GROUP, SCHEMA)["TIMESTAMP"].to_list() == list(range(1, 61))
    one.close()
    other.close()
