"""Copies of a data folder that is being written to: what they hold, whatever is sealed or removed."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.live_log import GROUP, SCHEMA
from openpersonalize.backup.files import FileCopier
from openpersonalize.backup.making import make_backup
from openpersonalize.backup.restoring import restore_backup
from openpersonalize.backup.verification import problems_of
from openpersonalize.clock import SystemClock
from openpersonalize.errors import BackupFailed
from openpersonalize.events.entries import Event
from openpersonalize.events.sqlitelog import SqliteLiveLog
from openpersonalize.events.sqlitesegments import SealingPlan
from openpersonalize.installation import Installation
from openpersonalize.settings import read_settings
from openpersonalize.storage.folder import DataFolder
from openpersonalize.storage.objects import LocalObjects

PLAN = SealingPlan(rows=40, fan=2, levels=4, cleared=7, grace=0.0)
"""Small, and without a grace: what a merge replaced is gone at once."""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder as a server leaves it, with an object of a bucket."""
    path = tmp_path / "data"
    folder = DataFolder.open(path)
    Installation.open(read_settings({"data_dir": str(path)}, {})).close()
    (path / "buckets" / "shop").mkdir()
    (path / "buckets" / "shop" / "a.csv").write_text("x\n")
    (path / "access-keys.root").write_bytes(b"secret")
    (path / "access-keys.root").chmod(0o600)
    folder.close()
    return path


@pytest.fixture
def log(data: Path) -> Iterator[SqliteLiveLog]:
    log = SqliteLiveLog(data / "events.db", SystemClock(), objects=LocalObjects(data), plan=PLAN)
    yield log
    log.close()


def times(folder: Path) -> list[int]:
    """The times of the events in a data folder, which tests use as numbers."""
    log = SqliteLiveLog(folder / "events.db", SystemClock(), objects=LocalObjects(folder), plan=PLAN)
    try:
        return [int(one) for one in log.interactions_frame(GROUP, SCHEMA)["TIMESTAMP"]]
    finally:
        log.close()


def test_no_event_is_lost_or_doubled_while_they_are_sealed_and_merged(
    data: Path, log: SqliteLiveLog, tmp_path: Path
) -> None:
    numbers, stop, broken = itertools.count(1), threading.Event(), []
    acknowledged = 0

    def stream() -> None:
        nonlocal acknowledged
        while not stop.is_set():
            batch = [Event("ann", "s", f"i{n}", n, "click") for n in itertools.islice(numbers, 10)]
            log.append(GROUP, batch).result()
            acknowledged = batch[-1].time

    def seal() -> None:
        while not stop.is_set():
            log.seal()

    def guarded(work: object) -> None:
        try:
            work()  # type: ignore[operator]
        except Exception as error:
            broken.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in (stream, seal)]
    for thread in threads:
        thread.start()
    try:
        while acknowledged < 200:
            stop.wait(0.01)
        for number in range(6):
            before = acknowledged
            made = make_backup(data, tmp_path / f"copy-{number}", version="test").folder
            assert problems_of(made) == []
            restored = tmp_path / f"restored-{number}"
            restore_backup(made, restored)
            found = times(restored)
            assert found == list(range(1, len(found) + 1)), "in order, without gaps, none twice"
            assert len(found) >= before
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert broken == []
    assert any((tmp_path / "copy-5" / "segments").rglob("manifest.json"))


def test_what_a_copy_holds(data: Path, log: SqliteLiveLog, tmp_path: Path) -> None:
    log.append(GROUP, [Event("ann", "s", f"i{n}", n, "click") for n in range(1, 101)]).result()
    while log.seal():
        pass
    steps: list[tuple[float, str]] = []
    made = make_backup(data, tmp_path / "copy", version="test", moved=lambda *one: steps.append(one))
    copy = made.folder
    assert [share for share, _ in steps] == sorted(share for share, _ in steps)
    assert steps[-1] == (1.0, "")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o700
    assert stat.S_IMODE((copy / "access-keys.root").stat().st_mode) == 0o600
    assert made.linked > 0
    for part in data.glob("segments/*/*/rows.parquet"):
        assert (copy / part.relative_to(data)).stat().st_ino == part.stat().st_ino
    bucket = Path("buckets/shop/a.csv")
    assert (copy / bucket).stat().st_ino != (data / bucket).stat().st_ino, "somebody may write to it"
    assert (copy / bucket).stat().st_mtime_ns == (data / bucket).stat().st_mtime_ns
    assert not any((copy / name).exists() for name in ("lock", "counters", "runners", "staging", "work"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "data"]


def test_a_copy_to_another_disk_shares_nothing(data: Path, log: SqliteLiveLog, tmp_path: Path) -> None:
    log.append(GROUP, [Event("ann", "s", f"i{n}", n, "click") for n in range(1, 101)]).result()
    log.seal()
    (tmp_path / "copy").mkdir()
    [key] = [path.relative_to(data).as_posix() for path in data.glob("segments/*/*")]
    copier = FileCopier(data, tmp_path / "copy", link=False)
    assert copier.object(key)
    assert copier.linked == 0
    for path in (data / key).rglob("*.parquet"):
        there = tmp_path / "copy" / path.relative_to(data)
        assert there.read_bytes() == path.read_bytes()
        assert there.stat().st_ino != path.stat().st_ino
    assert not copier.object("segments/1/none")


def test_who_was_removed_before_is_not_in_the_copy(data: Path, log: SqliteLiveLog, tmp_path: Path) -> None:
    log.append(GROUP, [Event(f"u{n % 2}", "s", f"i{n}", n, "click") for n in range(1, 101)]).result()
    log.seal()
    removed: list[int] = []

    def once(share: float, step: str) -> None:
        if step == "databases" and not removed:  # the first objects are copied
            removed.append(log.forget_subjects(GROUP, ["u1"]))

    # The databases are of one instant already then, so the copy may have the person; the next may not.
    make_backup(data, tmp_path / "first", version="test", moved=once)
    assert removed == [50]
    assert problems_of(tmp_path / "first") == []
    make_backup(data, tmp_path / "second", version="test")
    restore_backup(tmp_path / "second", tmp_path / "restored")
    assert times(tmp_path / "restored") == list(range(2, 101, 2))
    assert len(list((tmp_path / "second").glob("segments/*/*"))) == 1


def test_a_missing_object_is_named(data: Path, log: SqliteLiveLog, tmp_path: Path) -> None:
    log.append(GROUP, [Event("ann", "s", f"i{n}", n, "click") for n in range(1, 101)]).result()
    log.seal()
    [segment] = data.glob("segments/*/*")
    key = segment.relative_to(data).as_posix()
    copy = make_backup(data, tmp_path / "copy", version="test").folder
    shutil.rmtree(copy / key)
    assert f"{key} is missing, and events.db refers to it" in problems_of(copy)
    with pytest.raises(BackupFailed, match=f"{key} is missing, and events.db refers to it"):
        restore_backup(copy, tmp_path / "restored")
    assert not (tmp_path / "restored").exists()
    shutil.rmtree(segment)
    with pytest.raises(BackupFailed, match=f"{key} is missing.*Restore it from an older backup"):
        make_backup(data, tmp_path / "again", version="test")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "data"]


def test_a_damaged_database_is_found(data: Path, tmp_path: Path) -> None:
    copy = make_backup(data, tmp_path / "copy", version="test").folder
    with (copy / "metadata.db").open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096)
    assert any("metadata.db is damaged" in one for one in problems_of(copy))


def test_a_backup_that_is_killed_leaves_nothing_that_looks_whole(data: Path, tmp_path: Path) -> None:
    program = (
        "import os, signal, sys\nfrom pathlib import Path\n"
        "from openpersonalize.backup.making import make_backup\n"
        "def moved(share, step):\n"
        "    if step == 'databases': os.kill(os.getpid(), signal.SIGKILL)\n"
        "make_backup(Path(sys.argv[1]), Path(sys.argv[2]), version='test', moved=moved)\n"
    )
    target = tmp_path / "copy"
    done = subprocess.run([sys.executable, "-c", program, str(data), str(target)], env={**os.environ})
    assert done.returncode == -signal.SIGKILL
    assert not target.exists()
    assert list(tmp_path.glob(".copy.partial-*")) != []
    make_backup(data, target, version="test")
    assert list(tmp_path.glob(".copy.partial-*")) == []
    assert problems_of(target) == []


def test_a_restore_that_is_killed_leaves_a_folder_that_no_server_opens(data: Path, tmp_path: Path) -> None:
    copy = make_backup(data, tmp_path / "copy", version="test").folder

    class Killed(Exception):
        pass

    def moved(share: float, step: str) -> None:
        if share > 0.5:
            raise Killed

    target = tmp_path / "restored"
    with pytest.raises(Killed):
        restore_backup(copy, target, moved=moved)
    with pytest.raises(Exception, match="restore the data folder"):
        DataFolder.open(target)
    restore_backup(copy, target)
    DataFolder.open(target).close()
    assert (target / "buckets" / "shop" / "a.csv").read_text() == "x\n"


@pytest.mark.parametrize(
    ("number", "told"),
    [(errno.ENOSPC, "There is no room for .*copy .* MB free.: make room"), (errno.EACCES, "sudo -u")],
)
def test_what_the_disk_refuses_is_told_and_leaves_nothing(
    data: Path, tmp_path: Path, number: int, told: str
) -> None:
    def moved(share: float, step: str) -> None:
        raise OSError(number, os.strerror(number), str(tmp_path / "copy"))

    with pytest.raises(BackupFailed, match=told):
        make_backup(data, tmp_path / "copy", version="test", moved=moved)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]
