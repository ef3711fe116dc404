"""One SQLite file as SQLAlchemy sees it, `SqliteDatabase`: with `sqlitestore` the only module with SQL or
settings that PostgreSQL would not understand.

It promises: a reader sees one state of the database from begin to end; writers come one after the
other, over all threads and processes; what a writer committed is on the disk before `writing` returns and
survives kill -9 and a power cut (write-ahead log, ``synchronous=FULL``).
"""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from ..errors import StartError, Unavailable

# SQLite's own busy wait grows to 100 ms a step and starves; short waits and our own retries do not.
_BUSY_STEP = 0.02
_PATIENCE = 60.0
_CONNECTIONS = 64
_TRUNCATIONS = 50  # each waits twice for _BUSY_STEP


class SqliteDatabase:
    """Connections to one SQLite file, shared by all threads of a process. `open_database` makes one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._engine = sa.create_engine(
            "sqlite://",
            creator=lambda: _connect(path),
            poolclass=sa.pool.QueuePool,
            pool_size=8,
            max_overflow=_CONNECTIONS - 8,
            pool_timeout=_PATIENCE,
        )
        self._turn = threading.Lock()
        self._writer: int | None = None
        self._watcher = _connect(path, timeout=_PATIENCE)
        self._watching = threading.Lock()

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection whose statements all see the same state of the database."""
        with self._engine.connect() as connection, _translated(self.path):
            _begin(connection, "BEGIN")
            yield connection

    @contextmanager
    def writing(self, *, durable: bool = True) -> Iterator[sa.Connection]:
        """A connection that alone may write; committed when the block ends, rolled back when it raises.

        Args:
            durable: without, the commit spares waiting for the disk: it survives the end of this process,
                and a power cut may undo it. For what concerns living processes only.

        Raises:
            Unavailable: the disk is full or failing, or other processes held the database for a minute.
        """
        if self._writer == threading.get_ident():
            raise AssertionError("this thread is writing already; use the transaction that is open")
        with self._turn, self._engine.connect() as connection, _translated(self.path):
            self._writer = threading.get_ident()
            try:
                if not durable:
                    connection.exec_driver_sql("PRAGMA synchronous=NORMAL")
                _begin(connection, "BEGIN IMMEDIATE")
                yield connection
                connection.commit()
            except BaseException:
                connection.rollback()
                raise
            finally:
                if not durable:
                    connection.exec_driver_sql("PRAGMA synchronous=FULL")
                self._writer = None

    def data_version(self) -> int:
        """A number that differs after any commit by any process, heartbeats of jobs included (4 us)."""
        with self._watching:
            return int(self._watcher.execute("PRAGMA data_version").fetchone()[0])

    def truncate_journal(self) -> None:
        """Empty the write-ahead log: what was deleted from the file is then not to be found beside it either.
        Tried again for two seconds while others read."""
        connection = _connect(self.path)
        try:
            for _ in range(_TRUNCATIONS):
                busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                if not busy:
                    return
                time.sleep(_BUSY_STEP)
        finally:
            connection.close()

    def close(self) -> None:
        """Close all connections that no thread is using."""
        self._engine.dispose()
        with self._watching:
            self._watcher.close()


def open_database(path: Path) -> SqliteDatabase:
    """The database at `path`, created empty when it is missing.

    Raises:
        StartError: the file is damaged, or it or its folder cannot be written.
    """
    try:
        connection = _connect(path, timeout=_PATIENCE)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        finally:
            connection.close()
    except sqlite3.OperationalError as error:
        if _primary_code(error) in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
            raise StartError(
                f"{path} cannot be written ({error}); give this user write access to the folder"
                f" {path.parent}, or name another with --data-dir."
            ) from error
        raise StartError(
            f"{path} cannot be opened ({error}); mend the disk or name another --data-dir."
        ) from error
    except sqlite3.DatabaseError as error:
        raise StartError(_damaged(path, str(error))) from error
    if verdict != "ok":
        raise StartError(_damaged(path, str(verdict).splitlines()[-1]))  # the first may be a mere heading
    return SqliteDatabase(path)


def _damaged(path: Path, why: str) -> str:
    return (
        f"{path} is damaged ({why}); restore it and the rest of the data folder from a backup, or move the"
        " file away to start with an empty installation."
    )


def _connect(path: Path, timeout: float = _BUSY_STEP) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=timeout, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA secure_delete=ON")  # what was deleted is not to be found in the file
    return connection


def _begin(connection: sa.Connection, statement: str) -> None:
    """Start a transaction and take its snapshot or lock now, waiting while other processes are in the way."""
    give_up = time.monotonic() + _PATIENCE
    while True:
        try:
            connection.exec_driver_sql(statement)
            connection.exec_driver_sql("SELECT 1 FROM sqlite_schema LIMIT 1").close()
        except sa.exc.OperationalError as error:
            connection.rollback()
            if not _is_busy(error) or time.monotonic() > give_up:
                raise
            time.sleep(random.uniform(0.0, 0.003))  # noqa: S311 - spreads the waiting processes, no secret
        else:
            return


def _primary_code(error: BaseException | None) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _is_busy(error: sa.exc.OperationalError) -> bool:
    return _primary_code(error.orig) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Tell the operator what to do when the file cannot be used any more."""
    try:
        yield
    except sa.exc.OperationalError as error:
        if _primary_code(error.orig) == sqlite3.SQLITE_ERROR:
            raise
        raise Unavailable(f"The metadata database {path.name} cannot be used now: {error.orig}.") from error
