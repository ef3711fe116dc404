from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from engine.toy import ToyInstallation
from openpersonalize.engine.leases import JobOutput, LeaseLost, Leases
from openpersonalize.engine.runnerlease import Observer, RunnerLease
from openpersonalize.resources.jobrows import JobRow, JobState
from openpersonalize.storage.durable import write_durably

Open = Callable[..., "Runner"]


class Clock:
    """Seconds of an observer, in the test's hand."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time


class Runner:
    """One runner's leases on a database that several share, without its threads."""

    def __init__(self, data: Path, database: Path) -> None:
        self.installation = ToyInstallation.open(data, database_url=f"sqlite:///{database}")
        self.clock = Clock()
        self.lease = RunnerLease.take(self.installation.metadata, data / "runners")
        observer = Observer(data / "runners", lease_seconds=30.0, monotonic=self.clock.now)
        self.leases = Leases(self.installation.metadata, self.lease, observer)

    def claim(self, room: int = 4) -> list[JobRow]:
        return self.leases.claim((), room, 2)

    def requeued_after(self, seconds: float) -> int:
        """How many jobs it takes from others that it sees now and again so many seconds later."""
        first = self.leases.requeue_lost()
        self.clock.time += seconds
        return first + self.leases.requeue_lost()


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[Open]:
    """Opens runners on one database, each in a data folder of the name given."""
    opened: list[Runner] = []

    def open_one(folder: str = "data") -> Runner:
        opened.append(Runner(tmp_path / folder, tmp_path / "shared.db"))
        return opened[-1]

    yield open_one
    for one in opened:
        one.installation.metadata.close()


def crashes(runner: Runner, job: JobRow) -> tuple[str, int]:
    with runner.installation.scope.read() as tx:
        found = tx.job(job.resource_arn)
    assert found is not None
    return found.state.value, found.crashes


# What a job at work writes.


def test_what_a_job_at_work_writes_changes_no_resource(runner: Open) -> None:
    """Serving compares this number: if it differed, each heartbeat would have every campaign read again."""
    me = runner()
    me.installation.enqueue("toy", "a")
    me.installation.enqueue("toy", "b")
    before = me.installation.metadata.resources_version()
    one, other = me.claim()
    assert me.leases.take_slot(one, 2)
    for n in range(10):
        told = JobOutput(progress={"step": "fit"}, lines=[(n, "so far so good")], problem_count=n)
        assert me.leases.renew([(one, told)]) == []
    me.leases.put_back(other, JobOutput(), reason="again")
    me.lease.release()
    assert runner().leases.requeue_lost() == 1
    assert me.installation.metadata.resources_version() == before


def test_the_end_of_a_job_changes_what_its_transaction_changes(runner: Open) -> None:
    me = runner()
    arn = me.installation.enqueue("toy", "a")
    (job,) = me.claim()
    before = me.installation.metadata.resources_version()
    with me.installation.scope.write() as tx:
        me.leases.end(tx, job, JobState.DONE, JobOutput())
        tx.update(arn, status="CREATE IN_PROGRESS")
    assert me.installation.metadata.resources_version() != before


# Whose job may be taken.


@pytest.mark.parametrize("folders", [("one", "one"), ("one", "other")], ids=["same folder", "two folders"])
def test_a_living_runners_job_is_not_taken(runner: Open, folders: tuple[str, str]) -> None:
    """With two data folders on one database each took the other's jobs every two seconds."""
    me, other = runner(folders[0]), runner(folders[1])
    me.installation.enqueue("toy", "a")
    (job,) = me.claim()
    for _ in range(5):
        assert other.requeued_after(29.0) == 0
        assert other.claim() == []
        assert me.leases.renew([(job, JobOutput())]) == []
        assert me.leases.requeue_lost() == 0
    assert crashes(me, job) == ("running", 0)


def test_a_runner_whose_clock_is_wrong_keeps_its_jobs(runner: Open, tmp_path: Path) -> None:
    me, other = runner("one"), runner("other")
    me.installation.enqueue("toy", "a")
    (job,) = me.claim()
    for seen_at in (0, 10**15, 5, 10**14):  # whatever it writes, it is alive while it writes
        with sqlite3.connect(tmp_path / "shared.db") as connection:
            connection.execute("UPDATE runners SET seen_at = ? WHERE name = ?", (seen_at, me.lease.name))
        connection.close()
        assert other.requeued_after(20.0) == 0
    assert crashes(me, job) == ("running", 0)


def test_a_silent_runner_elsewhere_loses_its_jobs_and_that_is_no_crash(runner: Open) -> None:
    me, other = runner("one"), runner("other")
    me.installation.enqueue("toy", "a")
    (job,) = me.claim()
    assert other.requeued_after(30.0) == 1
    assert crashes(me, job) == ("queued", 0)
    (again,) = other.claim()
    assert again.attempts == 2
    assert me.leases.renew([(job, JobOutput(lines=[(1, "I know nothing yet")]))]) == [job]
    with pytest.raises(LeaseLost), me.installation.scope.write() as tx:
        me.leases.end(tx, job, JobState.DONE, JobOutput())
    assert crashes(me, job) == ("running", 0)
    assert me.requeued_after(29.0) == 0


def test_a_silent_runner_whose_process_lives_here_keeps_its_jobs(runner: Open) -> None:
    """A machine that is busy, or a process that somebody paused, is no reason to run a job twice."""
    me, other = runner("one"), runner("one")
    me.installation.enqueue("toy", "a")
    (job,) = me.claim()
    assert other.requeued_after(3600.0) == 0
    assert crashes(me, job) == ("running", 0)


def test_runners_that_begin_at_once_know_that_they_share_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the workers of one server do: whoever made the folder's name, all have the same."""
    both, made = threading.Barrier(2), list[bytes]()

    def write_slowly(file: Path, content: bytes) -> None:
        made.append(content)
        with suppress(threading.BrokenBarrierError):
            both.wait(0.3)
        write_durably(file, content)

    monkeypatch.setattr("openpersonalize.engine.runnerlease.write_durably", write_slowly)
    threads = [threading.Thread(target=Observer, args=(tmp_path / "runners",)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1


def test_a_copied_data_folder_tells_nothing_of_its_runners(runner: Open, tmp_path: Path) -> None:
    """Its locks are free, but they are copies."""
    me = runner("one")
    me.installation.enqueue("toy", "a")
    me.claim()
    shutil.copytree(tmp_path / "one", tmp_path / "copy")
    assert runner("copy").requeued_after(29.0) == 0


def test_jobs_of_a_runner_that_ended_are_taken_at_once(runner: Open) -> None:
    me = runner("one")
    me.installation.enqueue("toy", "a")
    (job,) = me.claim()
    me.lease.release()
    assert runner("other").leases.requeue_lost() == 1
    assert crashes(me, job) == ("queued", 1)


CLAIM = """
import sys
from pathlib import Path
from engine.test_leases import Runner
runner = Runner(Path(sys.argv[1]), Path(sys.argv[2]))
print(len(runner.claim()), flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(("folder", "seconds"), [("data", 0.0), ("other", 30.0)])
def test_jobs_of_a_killed_process_are_taken(
    runner: Open, tmp_path: Path, folder: str, seconds: float
) -> None:
    """At once by runners of its folder on its machine, by others when it was silent for long enough."""
    me = runner(folder)
    me.installation.enqueue("toy", "a")
    with subprocess.Popen(
        [sys.executable, "-c", CLAIM, str(tmp_path / "data"), str(tmp_path / "shared.db")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"1\n"
        assert me.leases.requeue_lost() == 0
        os.kill(process.pid, signal.SIGKILL)
    assert me.requeued_after(seconds) == 1
    assert len(me.claim()) == 1


# Several at once.


def test_many_runners_claim_each_job_once_and_hold_no_more_slots_than_there_are(runner: Open) -> None:
    runners = [runner(f"folder {n}") for n in range(4)]
    for n in range(60):
        runners[0].installation.enqueue("light", str(n))
    for n in range(12):
        runners[0].installation.enqueue("heavy", f"h{n}")
    claimed: Counter[str] = Counter()
    start = threading.Barrier(len(runners))

    def claim_all(one: Runner) -> None:
        start.wait()
        while jobs := one.leases.claim(("heavy",), 3, 2):
            claimed.update(job.resource_arn for job in jobs)

    threads = [threading.Thread(target=claim_all, args=(one,)) for one in runners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(claimed.values()) == {1}
    assert sum("/h" in arn for arn in claimed) == 2
    assert len(claimed) == 62


def test_idle_runners_that_are_no_more_are_forgotten(runner: Open, tmp_path: Path) -> None:
    me, other = runner("one"), runner("other")
    me.installation.enqueue("toy", "a")
    me.claim()
    with sqlite3.connect(tmp_path / "shared.db") as connection:
        connection.execute("UPDATE runners SET seen_at = 0")
    other.leases.forget_old()
    names = [name for (name,) in connection.execute("SELECT name FROM runners")]
    connection.close()
    assert names == [me.lease.name]
    other.installation.enqueue("toy", "b")
    (job,) = other.claim()  # it is known again once it has a job
    assert me.requeued_after(29.0) == 0
    assert crashes(other, job) == ("running", 0)
