"""Who works on which job: claims, their renewal, and how a job ends. All of the engine's SQL.

A claim is a lease: it holds while its runner lives and renews it. A job whose runner is gone is queued again
at once, one whose lease ran out likewise. Every change names the run of the job that makes it (owner and
attempt), so that a runner that lost a job can no longer change anything about it. Claims and renewals
concern living processes only and do not wait for the disk; what a job changed and how it ended does.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from ..errors import OpenPersonalizeError
from ..resources.jobrows import OPEN, JobRow, JobState, read_row
from ..resources.store import MetadataStore, Transaction
from ..resources.tables import job_lines, job_problems, jobs, resources

LEASE_SECONDS = 30.0
MOST_PROBLEMS = 10_000
MOST_LINES = 10_000
KEPT_SECONDS = 90 * 86400.0

_before = jobs.alias("before")
_WAITS = (
    sa.select(_before.c.number)
    .where(
        _before.c.queue == jobs.c.queue,
        _before.c.state.in_([state.value for state in OPEN]),
        _before.c.number < jobs.c.number,
    )
    .exists()
)
"""Whether an earlier job of the same queue has not ended."""


class LeaseLost(OpenPersonalizeError):
    """Another runner has taken this job over; what this one did with it since is discarded."""


@dataclass
class Account:
    """What a run of a job has to tell since it was last written down: bounded by `MOST_PROBLEMS` and
    `MOST_LINES`.

    Attributes:
        progress: the newest report, None when it did not change.
        lines: (time in milliseconds, text).
        problems: (file, line, column, what).
        problem_count: of the whole run, also of those not stored.
        anew: whether the problems written down before are void, because their step began again.
    """

    progress: dict[str, Any] | None = None
    lines: list[tuple[int, str]] = field(default_factory=list)
    problems: list[tuple[str, int, str, str]] = field(default_factory=list)
    problem_count: int = 0
    anew: bool = False


class Leases:
    """The jobs table as one runner sees it. All methods may be called from any thread.

    Args:
        store: where the table is.
        owner: the runner's name.
        is_gone: whether the runner of a given name is no more.
    """

    def __init__(self, store: MetadataStore, owner: str, is_gone: Callable[[str], bool]) -> None:
        self._store = store
        self._owner = owner
        self._is_gone = is_gone

    def requeue_lost(self) -> int:
        """Queue the jobs again whose runner is gone or silent; how many there were."""
        running = sa.select(jobs.c.number, jobs.c.owner, jobs.c.lease_until).where(
            jobs.c.state == JobState.RUNNING.value, jobs.c.owner != self._owner
        )
        with self._store.database.reading() as connection:
            foreign = connection.execute(running).all()
        owners = {row.owner for row in foreign}
        gone = {owner for owner in owners if self._is_gone(owner)}
        lost = [r.number for r in foreign if r.owner in gone or r.lease_until < _wall()]
        if not lost:
            return 0
        with self._store.database.writing(lasting=False) as connection:
            requeued = connection.execute(
                sa.update(jobs)
                .where(
                    jobs.c.number.in_(lost),
                    jobs.c.state == JobState.RUNNING.value,
                    sa.or_(jobs.c.owner.in_(list(gone)), jobs.c.lease_until < _wall()),
                )
                .values(state=JobState.QUEUED.value, owner=None, holds_slot=0, crashes=jobs.c.crashes + 1)
            ).rowcount
        if requeued:
            self._store.changes.jobs_changed()
        return requeued

    def claim(self, heavy_kinds: Collection[str], light_room: int, heavy_slots: int) -> list[JobRow]:
        """Take jobs that may begin now.

        Args:
            heavy_kinds: kinds that need a heavy slot before they begin.
            light_room: how many others to take at most.
            heavy_slots: how many jobs may hold a slot at once, over all processes.
        """
        if not self._any_due():
            return []
        with self._store.database.writing(lasting=False) as connection:
            held = connection.scalar(
                sa.select(sa.func.count()).where(
                    jobs.c.state == JobState.RUNNING.value, jobs.c.holds_slot == 1
                )
            )
            heavy = sa.and_(jobs.c.kind.in_(list(heavy_kinds)), jobs.c.stop_requested == 0)
            taken = []
            for condition, room, slot in (
                (sa.not_(heavy), light_room, 0),
                (heavy, heavy_slots - int(held or 0), 1),
            ):
                if room > 0:
                    due = self._due().where(condition).order_by(jobs.c.number).limit(room)
                    numbers = connection.scalars(due).all()
                    taken += [self._take(connection, number, slot) for number in numbers]
        return taken

    def next_due(self) -> float | None:
        """When the first job that waits for its hour may begin, in seconds since 1970; None: none waits."""
        query = sa.select(sa.func.min(jobs.c.not_before)).where(jobs.c.state == JobState.QUEUED.value)
        with self._store.database.reading() as connection:
            earliest = connection.scalar(query)
        return None if earliest is None else earliest / 1000

    def take_slot(self, job: JobRow, heavy_slots: int) -> bool:
        """Let a running job hold a heavy slot; False while none is free."""
        with self._store.database.writing(lasting=False) as connection:
            held = connection.scalar(
                sa.select(sa.func.count()).where(
                    jobs.c.state == JobState.RUNNING.value, jobs.c.holds_slot == 1
                )
            )
            if int(held or 0) >= heavy_slots:
                return False
            self._change(connection, job, holds_slot=1)
            return True

    def asked_to_stop(self) -> set[int]:
        """The numbers of this runner's jobs that somebody wants stopped."""
        query = sa.select(jobs.c.number).where(
            jobs.c.state == JobState.RUNNING.value, jobs.c.owner == self._owner, jobs.c.stop_requested == 1
        )
        with self._store.database.reading() as connection:
            return set(connection.scalars(query))

    def renew(self, told: Iterable[tuple[JobRow, Account]]) -> list[JobRow]:
        """Renew the leases of this runner's jobs and write down what they tell; those lost are returned."""
        lost = []
        with self._store.database.writing(lasting=False) as connection:
            for job, account in told:
                try:
                    self._change(connection, job, lease_until=_wall() + round(LEASE_SECONDS * 1000))
                except LeaseLost:
                    lost.append(job)
                else:
                    write_account(connection, job, account)
        return lost

    def end(
        self, tx: Transaction, job: JobRow, state: JobState, account: Account, reason: str | None = None
    ) -> None:
        """Give the job its final state and write down what it tells, inside a transaction.

        Raises:
            LeaseLost: the job belongs to another runner now; the transaction must be undone.
        """
        tx.changed_jobs = True
        self._change(
            tx.connection,
            job,
            state=state.value,
            reason=reason,
            finished=round(self._store.now() * 1000),
            holds_slot=0,
            owner=None,
        )
        write_account(tx.connection, job, account)

    def put_back(
        self, job: JobRow, account: Account, *, reason: str | None = None, not_before: float | None = None
    ) -> None:
        """Queue a job again: because this server goes down, or after an error (`reason`), not before an hour.

        Raises:
            LeaseLost: as in `ending`.
        """
        with self._store.database.writing() as connection:
            self._change(
                connection,
                job,
                state=JobState.QUEUED.value,
                owner=None,
                holds_slot=0,
                reason=reason,
                errors=jobs.c.errors + (0 if reason is None else 1),
                not_before=None if not_before is None else round(not_before * 1000),
            )
            write_account(connection, job, account)
        self._store.changes.jobs_changed()

    def stop_requested(self, connection: sa.Connection, job: JobRow) -> bool:
        """Whether somebody wants the job stopped, as of a transaction."""
        return bool(connection.scalar(sa.select(jobs.c.stop_requested).where(jobs.c.number == job.number)))

    def forget_old(self) -> None:
        """Remove what is known of jobs that ended long ago: all if their resource is gone, else their
        problems."""
        horizon = round((self._store.now() - KEPT_SECONDS) * 1000)
        old = sa.select(jobs.c.number).where(jobs.c.finished < horizon)
        living = sa.select(resources.c.arn).where(resources.c.arn == jobs.c.resource_arn).exists()
        with self._store.database.writing(lasting=False) as connection:
            connection.execute(sa.delete(job_problems).where(job_problems.c.job.in_(old)))
            connection.execute(sa.delete(jobs).where(jobs.c.finished < horizon, sa.not_(living)))

    def _any_due(self) -> bool:
        with self._store.database.reading() as connection:
            return connection.execute(self._due().limit(1)).first() is not None

    def _due(self) -> sa.Select[Any]:
        """Queued jobs whose hour has come and that are the first unfinished ones of their queue."""
        return sa.select(jobs.c.number).where(
            jobs.c.state == JobState.QUEUED.value,
            sa.or_(jobs.c.not_before.is_(None), jobs.c.not_before <= round(self._store.now() * 1000)),
            sa.or_(jobs.c.queue.is_(None), sa.not_(_WAITS)),
        )

    def _take(self, connection: sa.Connection, number: int, slot: int) -> JobRow:
        """Make one queued job this runner's; what an earlier run reported about the input is told anew."""
        connection.execute(sa.delete(job_problems).where(job_problems.c.job == number))
        connection.execute(
            sa.update(jobs)
            .where(jobs.c.number == number)
            .values(
                state=JobState.RUNNING.value,
                owner=self._owner,
                attempts=jobs.c.attempts + 1,
                lease_until=_wall() + round(LEASE_SECONDS * 1000),
                started=round(self._store.now() * 1000),
                holds_slot=slot,
                progress=None,
                problem_count=0,
                reason=None,
            )
        )
        return read_row(connection.execute(sa.select(jobs).where(jobs.c.number == number)).one())

    def _change(self, connection: sa.Connection, job: JobRow, **values: Any) -> None:
        changed = connection.execute(
            sa.update(jobs)
            .where(
                jobs.c.number == job.number,
                jobs.c.state == JobState.RUNNING.value,
                jobs.c.owner == self._owner,
                jobs.c.attempts == job.attempts,
            )
            .values(**values)
        )
        if changed.rowcount != 1:
            raise LeaseLost()


def write_account(connection: sa.Connection, job: JobRow, account: Account) -> None:
    """Write down what a run of a job tells."""
    values: dict[str, Any] = {"problem_count": account.problem_count}
    if account.progress is not None:
        values["progress"] = json.dumps(account.progress)
    connection.execute(sa.update(jobs).where(jobs.c.number == job.number).values(values))
    if account.anew:
        connection.execute(sa.delete(job_problems).where(job_problems.c.job == job.number))
    if account.lines:
        connection.execute(
            sa.insert(job_lines), [{"job": job.number, "at": at, "text": text} for at, text in account.lines]
        )
    if account.problems:
        connection.execute(
            sa.insert(job_problems),
            [
                {"job": job.number, "file": file, "line": line, "column": column, "what": what}
                for file, line, column, what in account.problems
            ],
        )


def _wall() -> int:
    """Milliseconds of the machine's own clock: a lease is about processes, not about the installation's
    time."""
    return round(time.time() * 1000)
