"""A SQLite file of our own: opening it safely, migrating it, connections to read and to write durably."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import StartError
from ..storage.writerlock import WriterLock
from .statements import read_script

CHECKED_BYTES = 64 * (1 << 20)
"""Files up to this size are checked as a whole at the start (3 ms for a megabyte); of larger ones, the ends
of
each table: damage elsewhere shows when it is read."""

TRUNCATIONS, TRUNCATION_SECONDS = 20, 0.1
"""Tries to empty the write-ahead log, and the pause between two."""

BUSY_SECONDS = 30
"""How long SQLite itself waits for a lock before it gives up; the file lock makes that rare."""


class SqliteFile:
    """A database file with a format number, shared by processes.

    Writers take the file lock around each transaction: SQLite's own busy waiting starves some of them,
    which cost 80 to 330 ms at the 99th percentile where the lock costs 8. Readers need no lock: the file is
    in WAL mode, so each read sees everything committed before it began.
    """

    def __init__(self, path: Path, formats: list[str], *, durable: bool, lock_seconds: float = 30.0) -> None:
        """Open or create the file and bring it to the newest format.

        Args:
            path: the database file; its folder is made when missing.
            formats: names of the SQL files that lead from nothing to the newest format, in order.
            durable: whether a commit waits for the disk (True), or only survives the death of the process
                (False).
            lock_seconds: how long to wait for another process that is opening the file.

        Raises:
            StartError: the file is damaged, held by somebody, cannot be written, or is of a format newer
                than `formats`.
        """
        self.path = path
        self._durable = durable
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = WriterLock(path.with_name(f"{path.name}.lock"))
            with self._lock.held(lock_seconds):
                self._prepare(formats)
        except TimeoutError as error:
            lock = self._lock.path
            raise StartError(
                f"Another process has held {lock} for {lock_seconds:g} seconds: find it with `fuser {lock}`,"
                " end it, and start again."
            ) from error
        except (sqlite3.Error, OSError) as error:
            raise StartError(_explained(path, error)) from error

    def connect(self, *, write: bool = False) -> sqlite3.Connection:
        """A new connection in autocommit mode, usable from any one thread at a time."""
        connection = sqlite3.connect(
            self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        connection.execute(f"PRAGMA synchronous = {'FULL' if self._durable else 'NORMAL'}")
        connection.execute(f"PRAGMA fullfsync = {int(self._durable)}")  # macOS: past the drive's own cache
        connection.execute("PRAGMA temp_store = MEMORY")
        if write:
            connection.execute("PRAGMA secure_delete = ON")  # what was deleted is not to be found in the file
            connection.execute("PRAGMA cache_size = -32768")
            connection.execute("PRAGMA wal_autocheckpoint = 4000")
            connection.execute("PRAGMA journal_size_limit = 67108864")
        else:
            connection.execute("PRAGMA query_only = ON")
        return connection

    @contextmanager
    def writing(self, connection: sqlite3.Connection) -> Iterator[None]:
        """A transaction that alone writes to the file: committed at the end, rolled back when it raises."""
        with self._lock.held():
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def truncate_journal(self, connection: sqlite3.Connection) -> None:
        """Empty the write-ahead log, so that what was deleted from the file is not to be found beside it
        either.

        Nobody waits for it: while others read, it is tried again for two seconds. Then it stays until the
        next call, or until the last connection closes.

        Args:
            connection: one to write with, which is used for nothing else afterwards.
        """
        connection.execute("PRAGMA busy_timeout = 0")
        for _ in range(TRUNCATIONS):
            with self._lock.held():
                busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if not busy:
                return
            time.sleep(TRUNCATION_SECONDS)

    def _prepare(self, formats: list[str]) -> None:
        connection = self.connect(write=True)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("CREATE TABLE IF NOT EXISTS format (version INTEGER NOT NULL)")
            (found,) = connection.execute("SELECT coalesce(max(version), 0) FROM format").fetchone()
            if found > len(formats):
                raise StartError(
                    f"{self.path} was written by a newer version of this program (format {found}, known up to"
                    f" {len(formats)}): start that version, or restore an older copy of the data folder."
                )
            for version, file in enumerate(formats[found:], found + 1):
                connection.executescript(
                    f"BEGIN IMMEDIATE;\n{read_script(file)}\nINSERT INTO format VALUES ({version});\nCOMMIT;"
                )
            self._check(connection)
            # A file that cannot be written shows here, not at the first event.
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        finally:
            connection.close()

    def _check(self, connection: sqlite3.Connection) -> None:
        """Raises sqlite3.DatabaseError where the file contradicts itself."""
        if self.path.stat().st_size <= CHECKED_BYTES:
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise sqlite3.DatabaseError(verdict)
        for (table,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
            for order in ("ASC", "DESC"):
                connection.execute(f"SELECT * FROM {table} ORDER BY rowid {order} LIMIT 1").fetchall()  # noqa: S608


def _explained(path: Path, error: Exception) -> str:
    if isinstance(error, sqlite3.OperationalError | OSError):
        return (
            f"{path} cannot be opened for writing ({error}): check the folder's permissions and free space."
        )
    return (
        f"{path} is damaged ({error}): restore it from a copy of the data folder, or move it away together"
        " with its -wal file to start without what it held."
    )
