"""The metadata store, `MetadataStore`: resources and jobs of all accounts and regions.

`MetadataStore` is the contract and what all back ends share, in SQL that SQLite and PostgreSQL both
understand; `sqlitestore` implements it, `backends` opens the one that a URL names.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import sqlalchemy as sa

from ..clock import Clock
from .arns import make_arn, partition_of
from .jobrows import JobRow
from .rows import Resource
from .tables import change_numbers, resources
from .transaction import Transaction

__all__ = ["JobRow", "MetadataStore", "Resource", "Scope", "Transaction"]


class MetadataStore(ABC):
    """Rows of resources and jobs.

    Promises: a transaction is all or nothing, and on the disk when it ends; ARNs are unique; a reader sees
    one state from begin to end and is never blocked by a writer; writers that name the same lock come one
    after the other over all threads, processes and machines. One object serves all threads of a process;
    several processes may open the same store.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    @abstractmethod
    def reading(self) -> AbstractContextManager[sa.Connection]:
        """A connection whose statements all see the same state of the store."""

    @abstractmethod
    def writing(self, lock: str, *, durable: bool = True) -> AbstractContextManager[sa.Connection]:
        """A connection that may write; committed when the block ends, rolled back when it raises.

        Args:
            lock: what the block reads before it writes; two blocks with the same lock never run at once. It
                is held until the commit is visible to all.
            durable: without, the commit spares waiting for the disk: it survives the end of this process,
                and a power cut may undo it. For what concerns living processes only.

        Raises:
            Unavailable: the store cannot be written now; nothing was changed.
        """

    @abstractmethod
    def time(self) -> sa.ColumnElement[int]:
        """The store's own time in SQL, whole milliseconds since 1970: one clock for all who use it."""

    @abstractmethod
    def resources_version(self) -> int:
        """A number that differs after every commit that changed a resource or its tags, and after no other:
        leases, heartbeats and progress of jobs change nothing.

        Does no I/O (0.1 us), so an event loop may ask at every request. It differs before the writing
        transaction returns, in all processes of this machine; only when the writer was killed right after its
        commit, or works on another machine, up to half a second later. Whoever keeps what it reads takes the
        number before it reads.
        """

    @abstractmethod
    def jobs_version(self) -> int:
        """The same for jobs that were enqueued, ended, put back or asked to stop. One may be missed when its
        process is killed right after the commit: look at the jobs themselves now and then."""

    @abstractmethod
    def on_jobs_changed(self, listener: Callable[[], None]) -> None:
        """Call `listener` after each commit of this process that changes `jobs_version`. It must be quick."""

    @abstractmethod
    def committed(self, *, resources: int | None = None, jobs: bool = False) -> None:
        """Make the versions differ; called after the commit of whatever changed them.

        Args:
            resources: what `count_change` returned inside the transaction, None: no resource changed.
            jobs: whether jobs changed.
        """

    @abstractmethod
    def purge(self) -> None:
        """See to it that what was deleted stands in no file of the store any more. While others read for more
        than two seconds it may stay until the next call, or until the last process closes the store."""

    @abstractmethod
    def close(self) -> None:
        """Close the store; transactions that are still open lose nothing they committed."""

    def scope(self, account: str, region: str) -> Scope:
        """The part of the store that belongs to one account and region."""
        return Scope(self, account, region)

    def scopes(self) -> list[Scope]:
        """Every account and region that holds resources."""
        query = sa.select(resources.c.account, resources.c.region).distinct()
        with self.reading() as connection:
            rows = connection.execute(query.order_by(resources.c.account, resources.c.region)).all()
        return [Scope(self, row.account, row.region) for row in rows]

    def now(self) -> float:
        """Seconds since 1970 by the injected clock."""
        return self._clock.now()


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
        with self._store.reading() as connection:
            yield self._transaction(connection, writable=False)

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """A transaction that may change the store: committed at the end of the block, undone when it raises.
        Those of one scope come one after the other, so that what one has read holds until it writes.

        Raises:
            Unavailable: the disk is full or failing.
        """
        number = None
        with self._store.writing(f"scope/{self.account}/{self.region}") as connection:
            tx = self._transaction(connection, writable=True)
            yield tx
            if tx.changed_resources:
                number = count_change(connection)
        self._store.committed(resources=number, jobs=tx.changed_jobs)

    def _transaction(self, connection: sa.Connection, *, writable: bool) -> Transaction:
        return Transaction(connection, self.account, self.region, self._store.now(), writable)


_RESOURCES = change_numbers.c.name == "resources"


def count_change(connection: sa.Connection) -> int:
    """Count a transaction that changes resources, inside of it; how many there were."""
    connection.execute(sa.update(change_numbers).where(_RESOURCES).values(number=change_numbers.c.number + 1))
    return stored_changes(connection)


def stored_changes(connection: sa.Connection) -> int:
    """How many transactions have changed resources."""
    return int(connection.scalar(sa.select(change_numbers.c.number).where(_RESOURCES)) or 0)
