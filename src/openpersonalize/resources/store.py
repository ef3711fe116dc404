"""The metadata store: resources and jobs of all accounts and regions, in one database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from ..clock import Clock
from ..errors import StartError
from ..settings import Settings
from ..storage.counters import Counters
from .arns import make_arn, partition_of
from .changes import ChangeFeed
from .engine import Database, open_database
from .jobrows import JobRow
from .migrations import current_version, upgrade
from .rows import Resource
from .tables import SCHEMA_VERSION, resources
from .transaction import Transaction

__all__ = ["JobRow", "MetadataStore", "Resource", "Scope", "Transaction"]


class MetadataStore:
    """Rows of resources and jobs.

    Promises: a transaction is all or nothing, and on the disk when it ends; ARNs are unique; a reader sees
    one state from begin to end and is never blocked by a writer; writers come one after the other over all
    threads and processes. One object serves all threads of a process; several processes may open the same
    database.
    """

    def __init__(self, database: Database, changes: ChangeFeed, clock: Clock) -> None:
        self.database = database
        self.changes = changes
        self._clock = clock

    @classmethod
    def open(cls, settings: Settings, clock: Clock) -> MetadataStore:
        """Open the database that the settings name, creating it or bringing its tables up to date.

        Raises:
            StartError: it is damaged, cannot be written, or was written by a newer release.
        """
        path = _database_path(settings)
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

    def scope(self, account: str, region: str) -> Scope:
        """The part of the store that belongs to one account and region."""
        return Scope(self, account, region)

    def scopes(self) -> list[Scope]:
        """Every account and region that holds resources."""
        query = sa.select(resources.c.account, resources.c.region).distinct()
        with self.database.reading() as connection:
            rows = connection.execute(query.order_by(resources.c.account, resources.c.region)).all()
        return [Scope(self, row.account, row.region) for row in rows]

    def now(self) -> float:
        """Seconds since 1970 by the injected clock."""
        return self._clock.now()

    def resources_version(self) -> int:
        """A number that differs after every commit that changed a resource or its tags, and after no other:
        leases, heartbeats and progress of jobs change nothing.

        Does no I/O (0.1 us), so an event loop may ask at every request. It differs before the writing
        transaction returns, in all processes of this machine; only when the writer was killed right after its
        commit, up to half a second later. Whoever keeps what it reads takes the number before it reads.
        """
        return self.changes.resources_version()

    def jobs_version(self) -> int:
        """The same for jobs that were enqueued, ended, put back or asked to stop. One may be missed when its
        process is killed right after the commit: look at the jobs themselves now and then."""
        return self.changes.jobs_version()

    def on_jobs_changed(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each commit of this process that changes `jobs_version`. It must be quick."""
        self.changes.on_jobs_changed(listener)

    def close(self) -> None:
        """Close the database; transactions that are still open lose nothing they committed."""
        self.changes.close()
        self.database.close()


class Scope:
    """The resources of one account and region; nothing else can be reached through it.

    Attributes:
        account: 12 digits.
        region: e.g. "eu-west-1".
        partition: aws, aws-cn or aws-us-gov.
    """

    def __init__(self, store: MetadataStore, account: str, region: str) -> None:
        self._store = store
        self.account = account
        self.region = region
        self.partition = partition_of(region)

    def arn(self, resource_part: str) -> str:
        """The ARN of a resource here, e.g. for ``schema/films``."""
        return make_arn(self.account, self.region, resource_part)

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """A transaction that sees one state of the store."""
        with self._store.database.reading() as connection:
            yield self._transaction(connection, writable=False)

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """A transaction that may change the store: committed at the end of the block, undone when it raises.

        Raises:
            Unavailable: the disk is full or failing.
        """
        with self._store.database.writing() as connection:
            tx = self._transaction(connection, writable=True)
            yield tx
            number = self._store.changes.count(connection) if tx.changed_resources else None
        if number is not None:
            self._store.changes.resources_changed(number)
        if tx.changed_jobs:
            self._store.changes.jobs_changed()

    def _transaction(self, connection: sa.Connection, *, writable: bool) -> Transaction:
        return Transaction(connection, self.account, self.region, self._store.now(), writable)


def _database_path(settings: Settings) -> Path:
    url = settings.database_url
    if not url:
        return settings.data / "metadata.db"
    if url.startswith("sqlite:///"):
        return Path(url.removeprefix("sqlite:///")).expanduser().resolve()
    raise StartError(
        f"database_url {url.split('://')[0]}://... is not supported by this release; leave it empty, or write"
        " sqlite:///PATH."
    )
