"""Online backup of a data folder: a copy as of one instant, taken beside a server that goes on working
(`make_backup`).

The steps, and why the copy is one that a server can go on from:

1. *Objects first*: every published folder, the callers' buckets, the counts of exploration. Objects never
   change, so one that was copied stays right however long the rest takes.
2. *Then all databases as of one instant* T (`databases.pinned`). So resources, jobs and log fit: the copied
   log has every position that a copied resource names, and what was acknowledged before T is in it.
3. *Then what they refer to and step 1 did not find*: snapshots, models and segments that came between.
   Whatever a state refers to was published before the commit that made it so; it can only be missing because
   retention, a merge or an erasure removed it after T. Then all of 2 and 3 is done again for a new T.
4. *What the source has not any more, and the copy does not refer to, goes*: a person who was removed before T
   is in no object that is left over.

**An event is neither lost nor doubled by sealing.** Where it lies is said by the log's database alone: rows
with a position up to the stream's ``sealed`` are out of sight, the segments of its table are in sight. One
transaction puts a segment into that table and moves ``sealed`` (`events.sqlitesegments`), and a merge swaps
segments in one. The copied database is one state of it, so it has each event either as a row in sight or in a
listed segment, never both: rows that were sealed and not yet deleted are out of sight in the copy as well.
What remains is that the listed segments are in the copy, which is step 3; a replaced one that step 1 had
copied serves even when it is gone from the source. A segment that step 1 copied half way between its
publication and that transaction is on the copied list of unreferenced keys, as it was on that of the source,
and is swept by the server that opens the copy.

**What is behind the log may be older than T, what is ahead of it may not.** Counts of exploration
(``online/``) are copied before T, so they say a position that the copied log has, and read on from there.
Buckets are looked through again after T, for the files that imports and batch jobs which T knows are about
to read. A file is copied as it was at one moment; its row in ``buckets.db`` counts only for that very size
and time.

**Left out**: ``work/`` (how far a batch or export job is: it may be ahead of the copied buckets; the job
begins again), ``staging/`` and unfinished uploads of a single request, ``runners/`` and locks (nobody works
on a copy), ``counters`` (made anew), logs.

All of it is written to a hidden folder beside the target, checked there as `verification` does, and renamed:
a folder with the name that was asked for is a whole backup. What a killed one left is removed by the next.
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from ..errors import BackupFailed
from ..storage.durable import sync_folder
from ..storage.fulldisk import is_full_disk
from ..storage.privacy import LOCK_MODE
from .databases import DATABASES, EVENTS, METADATA, copy_database, pinned
from .files import PARTIAL, FileCopier, object_keys, plain_files, same_rights
from .verification import MANIFEST, missing, missing_objects, problems_of, referenced_objects, write_manifest

Moved = Callable[[float, str], None]
"""Told the share that is done, 0 to 1, and what is being done."""

_KEPT = ("format", "access-keys.json", "access-keys.root")
_PASSED = ("buckets/.staging/",)
_ROUNDS, _PAUSE = 10, 0.1


@dataclass(frozen=True)
class Made:
    """A backup that was made. Attributes:
    folder: where. moment: seconds since 1970, what it is a copy of.
    files, bytes: how many it has. linked: how many of the files are hard links.
    """

    folder: Path
    moment: float
    files: int
    bytes: int
    linked: int


def make_backup(
    data: Path,
    target: Path,
    *,
    version: str,
    metadata: Path | None = None,
    moved: Moved = lambda share, step: None,
) -> Made:
    """Copy the data folder `data` to the new folder `target`.

    Args:
        version: of this program, for the record.
        metadata: the metadata database, where it lies elsewhere; in the copy it lies in the folder.
        moved: see `Moved`.

    Raises:
        BackupFailed: the sentence says what to do.
    """
    with explained(data, target):
        paths = {name: data / name for name in DATABASES if (data / name).is_file()}
        if metadata is not None:
            paths = {METADATA: metadata, **{name: path for name, path in paths.items() if name != METADATA}}
        _check(data, target, paths)
    with explained(data, target), _staged(data, target) as staged:
        total = _size(data, paths)
        done = 0

        def advanced(step: str) -> Callable[[int], None]:
            def count(size: int) -> None:
                nonlocal done
                done += size
                moved(min(0.95, 0.95 * done / total), step)

            return count

        objects = FileCopier(data, staged, link=True, moved=advanced("objects"))
        files = FileCopier(data, staged, link=False, moved=advanced("buckets"))
        _copy_files(files, staged, data)
        for key in list(object_keys(data)):
            objects.object(key)
        moment = _copy_databases(data, staged, paths, objects, advanced("databases"))
        _copy_files(files, staged, data)
        _drop(data, staged)
        shutil.rmtree(staged / PARTIAL, ignore_errors=True)
        moved(0.95, "checking")
        facts = {"made": moment, "release": version, "source": str(data.resolve())}
        written = write_manifest(staged, facts)["files"]
        same_rights(staged / METADATA, staged / MANIFEST)
        problems = problems_of(staged)
        if problems:
            raise BackupFailed(f"The copy of {data} is not whole: {'; '.join(problems[:5])}.")
    moved(1.0, "")
    return Made(target, moment, len(written), sum(written.values()), objects.linked)


def _check(data: Path, target: Path, paths: dict[str, Path]) -> None:
    if not (METADATA in paths and paths[METADATA].is_file()):
        raise BackupFailed(f"{data} is no data folder of a server: name one with --data-dir.")
    if _inside(target, data):
        raise BackupFailed(f"{target} lies in the data folder {data}: name a folder elsewhere.")
    if target.is_symlink() or (target.exists() and not (target.is_dir() and not any(target.iterdir()))):
        raise BackupFailed(f"{target} is there already: name a new folder, or remove it first.")


def _inside(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


def _copy_databases(
    data: Path, staged: Path, paths: dict[str, Path], objects: FileCopier, moved: Callable[[int], None]
) -> float:
    """Copy databases of one instant and what they refer to; which instant that was.

    Raises:
        BackupFailed: they refer to something that is not there, each time anew.
    """
    for _ in range(_ROUNDS):
        with pinned(paths) as connections:
            moment = time.time()
            # First those that say what else is needed, before it can be taken away.
            for name in sorted(connections, key=lambda name: (name != METADATA, name != EVENTS)):
                connection = connections[name]
                (staged / name).unlink(missing_ok=True)
                copy_database(connection, paths[name], staged / name, moved)
                connection.execute("ROLLBACK")
                if name in (METADATA, EVENTS):
                    _fetch(objects, staged)
        if not _fetch(objects, staged):
            return moment
        time.sleep(_PAUSE)
    raise BackupFailed(
        f"{data} refers to what is not there: {'; '.join(missing(staged)[:5])}. Restore it from an older"
        " backup, or delete the resources that need it."
    )


def _fetch(objects: FileCopier, staged: Path) -> list[str]:
    """Copy what the copied databases refer to; keys of what could not be found. A snapshot names parts that
    are known only when it is there."""
    for _ in range(2):
        lacking = list(missing_objects(staged))
        left = [key for key in lacking if not objects.object(key)]
        if not lacking:
            return []
    return left or list(missing_objects(staged))


def _copy_files(files: FileCopier, staged: Path, data: Path) -> None:
    """Copy what may be written again, where the copy is not the same already, and drop what is gone."""
    for name in _KEPT:
        files.file(name)
    if (data / "buckets").is_dir():
        files.folder("buckets")
    for folder, _, _ in os.walk(data / "buckets"):  # a folder without files is a bucket, too
        name = os.path.relpath(folder, data)
        if not f"{name}/".startswith(_PASSED):
            with suppress(FileNotFoundError):
                files.folder(name)
    for name in plain_files(data, "buckets"):
        if not name.startswith(_PASSED):
            files.file(name)
    for name in list(plain_files(staged, "buckets")):
        if not (data / name).is_symlink() and not (data / name).exists():
            (staged / name).unlink()
    if not (staged / METADATA).exists():  # only before the databases: counts are never ahead of the log
        for path in (data / "online").glob("*/*.newest"):
            files.file(path.relative_to(data).as_posix())


def _drop(data: Path, staged: Path) -> None:
    """Remove copies of objects that the source has not any more and the copied databases do not refer to."""
    needed = referenced_objects(staged)
    for key in list(object_keys(staged)):
        if key not in needed and not (data / key).is_dir():
            shutil.rmtree(staged / key)
    for path in (staged / "online").glob("*/*.newest"):
        if not (data / path.relative_to(staged)).exists():
            path.unlink()


def _size(data: Path, paths: dict[str, Path]) -> int:
    """About how many bytes there are to be copied, at least 1."""
    total = sum(path.stat().st_size for path in paths.values())
    for folder, _, files in os.walk(data):
        for name in files:
            if folder != str(data):
                try:
                    total += os.lstat(os.path.join(folder, name)).st_size
                except FileNotFoundError:
                    continue
    return max(1, total)


@contextmanager
def _staged(data: Path, target: Path) -> Iterator[Path]:
    """A locked folder beside `target` that becomes it at the end; removed when the block raises."""
    target.parent.mkdir(parents=True, exist_ok=True)
    for left in target.parent.glob(f".{target.name}.partial-*"):
        _remove_left(left)
    staged = target.parent / f".{target.name}.partial-{uuid.uuid4().hex[:12]}"
    staged.mkdir(mode=0o700)
    lock = FileLock(staged / "lock", timeout=0, mode=LOCK_MODE, thread_local=False)
    lock.acquire()
    try:
        yield staged
        same_rights(data, staged)
        staged.chmod(staged.stat().st_mode & 0o2750)  # it holds keys, whatever lies beside them in the source
        sync_folder(staged)
        (staged / "lock").unlink(missing_ok=True)
        os.rename(staged, target)
        sync_folder(target.parent)
    except BaseException:
        shutil.rmtree(staged, ignore_errors=True)
        raise
    finally:
        lock.release()


def _remove_left(left: Path) -> None:
    """Remove what a backup left that was killed; one that is at work is spared."""
    try:
        with FileLock(left / "lock", timeout=0, mode=LOCK_MODE, thread_local=False):
            shutil.rmtree(left, ignore_errors=True)
    except (Timeout, OSError):
        return


@contextmanager
def explained(source: Path, target: Path) -> Iterator[None]:
    """Errors of the disk and of databases as sentences that say what to do.

    Raises:
        BackupFailed: for any of them.
    """
    try:
        yield
    except sqlite3.Error as error:
        if is_full_disk(error):
            raise _no_room(target) from error
        raise BackupFailed(
            f"A database in {source} cannot be copied ({error}): run it as its owner."
        ) from error
    except OSError as error:
        if is_full_disk(error):
            raise _no_room(target) from error
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            raise BackupFailed(f"{target} is there already: name a new folder.") from error
        where = error.filename or target
        if isinstance(error, PermissionError):
            raise BackupFailed(
                f"{where} cannot be read or written by this user: be the one who runs the server (sudo -u),"
                " and name a folder that this user may write to."
            ) from error
        raise BackupFailed(
            f"{where}: {error.strerror or error}; mend that, or name another folder."
        ) from error


def _no_room(target: Path) -> BackupFailed:
    base = next(one for one in (target, *target.parents) if one.exists())
    free = shutil.disk_usage(base).free
    return BackupFailed(
        f"There is no room for {target} ({free / 1e6:,.0f} MB free): make room, or name a folder on"
        " another disk."
    )
