"""The metadata store on SQLite: `SqliteMetadataStore`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import sqlalchemy as sa

from ..clock import Clock
from ..errors import StartError
from ..storage.counters import Counters
from .changes import ChangeFeed
from .migrations import current_version, upgrade
from .sqlitedatabase import SqliteDatabase, open_database
from .store import MetadataStore
from .tables import SCHEMA_VERSION


class SqliteMetadataStore(MetadataStore):
    """One SQLite file and, beside it, the counters of `storage.counters`. All writers come one after the
    other, whatever their lock is called. Its time is the clock of the machine, on whose disk the file
    lies."""

    def __init__(self, database: SqliteDatabase, changes: ChangeFeed, clock: Clock) -> None:
        super().__init__(clock)
        self._database = database
        self._changes = changes

    @classmethod
    def open(cls, path: Path, clock: Clock) -> SqliteMetadataStore:
        """The store in the file `path`.

        Raises:
            StartError: as in `backends.open_metadata_store`.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StartError(
                f"The folder {path.parent} cannot be made ({error.strerror}); name another with --data-dir."
            ) from error
        database = open_database(path)
        try:
            with database.reading() as connection:
                current = current_version(connection)
            if current != SCHEMA_VERSION:
                with database.writing() as connection:
                    upgrade(connection)
            changes = ChangeFeed(database, Counters.open(path.parent))
        except BaseException:
            database.close()
            raise
        return cls(database, changes, clock)

    def reading(self) -> AbstractContextManager[sa.Connection]:
        return self._database.reading()

    def writing(self, lock: str, *, durable: bool = True) -> AbstractContextManager[sa.Connection]:
        return self._database.writing(durable=durable)

    def time(self) -> sa.ColumnElement[int]:
        since_1970 = (sa.func.julianday("now") - 2440587.5) * 86_400_000
        return sa.cast(since_1970, sa.BigInteger)

    def resources_version(self) -> int:
        return self._changes.resources_version()

    def jobs_version(self) -> int:
        return self._changes.jobs_version()

    def on_jobs_changed(self, listener: Callable[[], None]) -> None:
        self._changes.on_jobs_changed(listener)

    def committed(self, *, resources: int | None = None, jobs: bool = False) -> None:
        if resources is not None:
            self._changes.resources_changed(resources)
        if jobs:
            self._changes.jobs_changed()

    def purge(self) -> None:
        self._database.truncate_journal()

    def close(self) -> None:
        self._changes.close()
        self._database.close()
