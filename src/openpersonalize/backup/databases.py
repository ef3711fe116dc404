"""Online copies of SQLite databases while others write to them (`pinned`, `copy_database`): all as they were
at one instant, without a lock that a writer would wait for."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from ..errors import BackupFailed
from ..storage.durable import sync_file
from .files import same_rights

METADATA, EVENTS = "metadata.db", "events.db"
DATABASES = (METADATA, "attributions.db", "recommendations.db", "buckets.db", EVENTS)
"""In the order in which they are pinned. What metric attributions have counted is never ahead of the log."""

_PAGES = 2048
_TRIES, _PAUSE = 200, 0.01
_BUSY_SECONDS = 30


@contextmanager
def pinned(paths: Mapping[str, Path]) -> Iterator[dict[str, sqlite3.Connection]]:
    """Connections to databases that all see the same instant until the block ends.

    Each begins a transaction that only reads. In WAL mode that keeps no writer from writing, and every later
    read of the connection, a backup too, sees the state at its beginning. The metadata come first, the live
    log last; when nothing was committed to the metadata between the two, both are as they were at the end of
    it. Else it is tried again: it takes a millisecond.

    Args:
        paths: of the databases by name, the metadata among them.

    Raises:
        BackupFailed: the metadata never stood still.
        sqlite3.Error: one cannot be read.
    """
    with ExitStack() as opened:
        watcher = opened.enter_context(closing(_reader(paths[METADATA])))
        for _ in range(_TRIES):
            before = _version(watcher)
            with ExitStack() as attempt:
                connections = {}
                for name in paths:
                    connections[name] = attempt.enter_context(closing(_reader(paths[name])))
                    connections[name].execute("BEGIN")
                    connections[name].execute("SELECT count(*) FROM sqlite_schema").fetchone()
                if _version(watcher) == before:
                    opened.push(attempt.pop_all())
                    break
            time.sleep(_PAUSE)
        else:
            raise BackupFailed(
                f"{paths[METADATA]} changes all the time; try again when fewer resources are being made."
            )
        yield connections


def copy_database(source: sqlite3.Connection, here: Path, there: Path, moved: Callable[[int], None]) -> None:
    """Write what a pinned connection sees to a new file, by SQLite's online backup; on the disk when this
    returns.

    Args:
        source: the connection. here: its file. there: the new one.
        moved: told the bytes of each piece that is done.
    """
    (size,) = source.execute("PRAGMA page_size").fetchone()
    left: int | None = None

    def advanced(status: int, remaining: int, total: int) -> None:
        nonlocal left
        moved(size * ((total if left is None else left) - remaining))
        left = remaining

    with closing(sqlite3.connect(there, isolation_level=None)) as sink:
        source.backup(sink, pages=_PAGES, progress=advanced)
    if there.name == METADATA:
        _without_runners(there)
    same_rights(here, there)
    sync_file(there)


def read_copy(path: Path) -> sqlite3.Connection:
    """A connection to a copy that nobody writes to; it leaves nothing beside it, on a read-only disk too."""
    address = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
    return sqlite3.connect(address, uri=True, isolation_level=None)


def faults(path: Path) -> list[str]:
    """What SQLite finds wrong with a copy; nothing when it is whole."""
    try:
        with closing(read_copy(path)) as connection:
            found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(5)")]
    except sqlite3.Error as error:
        return [str(error)]
    return [] if found == ["ok"] else found


def _without_runners(path: Path) -> None:
    """No runner is at work on a copy: whoever opens it takes jobs over at once, without waiting for leases
    that nobody will renew."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        there = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'runners'"
        if connection.execute(there).fetchone() is not None:
            connection.execute("DELETE FROM runners")


def _reader(path: Path) -> sqlite3.Connection:
    """A connection that does not write: as the one who may write it opens the file, for without the right to
    share memory with writers nobody can read what they have just written."""
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode=rw", uri=True, timeout=_BUSY_SECONDS, isolation_level=None
    )
    connection.execute("PRAGMA query_only = ON")
    return connection


def _version(watcher: sqlite3.Connection) -> int:
    return int(watcher.execute("PRAGMA data_version").fetchone()[0])
