"""Who works on which job: claims, their renewal, and how a job ends. All of the engine's SQL.

A claim is a lease: it holds while its runner renews the runner's lease (`runnerlease`). A job whose runner is
lost is queued again. Every change names the run of the job that makes it (owner and attempt), so that a
runner that lost a job can no longer change anything about it. Claims and renewals concern living processes
only and do not wait for the disk; what a job changed and how it ended does.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from ..errors import OpenPersonalizeError
from ..resources.jobrows import OPEN, JobRow, JobState, read_row
from ..resources.store import MetadataStore, Transaction
from ..resources.tables import job_lines, job_problems, jobs, resources, runners
from .runnerlease import Observer, RunnerLease, Sighting, Verdict

MOST_PROBLEMS = 10_000
MOST_LINES = 10_000
KEPT_SECONDS = 90 * 86400.0
_RUNNERS_KEPT = 86400.0
_SLOTS = "job-slots"
"""The lock of whoever counts heavy slots before it takes one."""
_JOBS = "jobs"

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
class JobOutput:
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

    @property
    def news(self) -> bool:
        """Whether there is anything to write down."""
        return self.progress is not None or bool(self.lines) or self.problem_count > 0 or self.anew


class Leases:
    """The jobs table as one runner sees it. All methods may be called from any thread but `requeue_lost`,
    which belongs to one.

    Args:
        store: where the table is.
        lease: the runner's own.
        observer: tells which other runners are lost.
    """

    def __init__(self, store: MetadataStore, lease: RunnerLease, observer: Observer | None = None) -> None:
        self._store = store
        self._lease = lease
        self._observer = observer or Observer(lease.folder)

    def requeue_lost(self) -> int:
        """Queue the jobs again whose runner is lost; how many there were. Those whose runner is known to have
        ended count as crashes: the job may have been the cause."""
        running = (
            sa.select(jobs.c.owner, runners.c.hosts, runners.c.folder, runners.c.seen_at)
            .join_from(jobs, runners, runners.c.name == jobs.c.owner, isouter=True)
            .where(jobs.c.state == JobState.RUNNING.value, jobs.c.owner != self._lease.name)
            .distinct()
        )
        with self._store.reading() as connection:
            rows = connection.execute(running).all()
        seen = {
            row.owner: Sighting(row.owner, row.hosts or "", row.folder or "", row.seen_at) for row in rows
        }
        verdicts = self._observer.judge(seen.values())
        lost = {name: verdict for name, verdict in verdicts.items() if verdict is not Verdict.LIVING}
        if not lost:
            return 0
        requeued = 0
        with self._store.writing(_JOBS, durable=False) as connection:
            for name, verdict in lost.items():
                unchanged = sa.select(runners.c.name).where(
                    runners.c.name == name, runners.c.seen_at == seen[name].seen_at
                )
                still = sa.true() if verdict is Verdict.GONE else unchanged.exists()
                crashes = jobs.c.crashes + (1 if verdict is Verdict.GONE else 0)
                requeued += connection.execute(
                    sa.update(jobs)
                    .where(jobs.c.state == JobState.RUNNING.value, jobs.c.owner == name, still)
                    .values(state=JobState.QUEUED.value, owner=None, holds_slot=0, crashes=crashes)
                ).rowcount
                connection.execute(sa.delete(runners).where(runners.c.name == name, still))
        if requeued:
            self._store.committed(jobs=True)
        return requeued

    def claim(self, heavy_kinds: Collection[str], light_room: int, heavy_slots: int) -> list[JobRow]:
        """Take jobs that may begin now, each by one runner only however many look at once.

        Args:
            heavy_kinds: kinds that need a heavy slot before they begin.
            light_room: how many others to take at most.
            heavy_slots: how many slots there are, over all processes.
        """
        if not self._any_due():
            return []
        with self._store.writing(_SLOTS, durable=False) as connection:
            self._lease.renew(connection)
            heavy = sa.and_(jobs.c.kind.in_(list(heavy_kinds)), jobs.c.stop_requested == 0)
            taken = self._take(connection, sa.not_(heavy), light_room, slot=0)
            return taken + self._take(connection, heavy, heavy_slots - _slots_held(connection), slot=1)

    def next_due(self) -> float | None:
        """When the first job that waits for its hour may begin, in seconds since 1970; None: none waits."""
        query = sa.select(sa.func.min(jobs.c.not_before)).where(jobs.c.state == JobState.QUEUED.value)
        with self._store.reading() as connection:
            earliest = connection.scalar(query)
        return None if earliest is None else earliest / 1000

    def take_slot(self, job: JobRow, heavy_slots: int, *, spare: bool = False) -> bool:
        """Let a running job hold a heavy slot, or one more; False while none is free.

        Args:
            spare: only one that no queued job waits for.
        """
        with self._store.writing(_SLOTS, durable=False) as connection:
            waiting = self._count_due(connection) if spare else 0
            if _slots_held(connection) + waiting >= heavy_slots:
                return False
            self._change(connection, job, holds_slot=jobs.c.holds_slot + 1)
            return True

    def slots_held(self) -> int:
        """How many heavy slots are taken, over all processes."""
        with self._store.reading() as connection:
            return _slots_held(connection)

    def give_slot(self, job: JobRow) -> None:
        """Give up one of the slots that a running job holds."""
        with self._store.writing(_SLOTS, durable=False) as connection:
            self._change(connection, job, holds_slot=jobs.c.holds_slot - 1)
        self._store.committed(jobs=True)

    def asked_to_stop(self) -> set[int]:
        """The numbers of this runner's jobs that somebody wants stopped."""
        query = sa.select(jobs.c.number).where(
            jobs.c.state == JobState.RUNNING.value,
            jobs.c.owner == self._lease.name,
            jobs.c.stop_requested == 1,
        )
        with self._store.reading() as connection:
            return set(connection.scalars(query))

    def renew(self, told: Iterable[tuple[JobRow, JobOutput]]) -> list[JobRow]:
        """Renew the runner's lease and write down what its jobs tell; those that it has lost are returned."""
        lost = []
        held = sa.select(jobs.c.number, jobs.c.attempts).where(
            jobs.c.state == JobState.RUNNING.value, jobs.c.owner == self._lease.name
        )
        with self._store.writing(_JOBS, durable=False) as connection:
            self._lease.renew(connection)
            mine = {row.number: row.attempts for row in connection.execute(held.with_for_update())}
            for job, output in told:
                if mine.get(job.number) != job.attempts:
                    lost.append(job)
                elif output.news:
                    write_output(connection, job, output)
        return lost

    def end(
        self, tx: Transaction, job: JobRow, state: JobState, output: JobOutput, reason: str | None = None
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
        write_output(tx.connection, job, output)

    def put_back(
        self, job: JobRow, output: JobOutput, *, reason: str | None = None, not_before: float | None = None
    ) -> None:
        """Queue a job again: because this server goes down, because it waits for another job, or after an
        error (`reason`); not before an hour.

        Raises:
            LeaseLost: as in `ending`.
        """
        with self._store.writing(_JOBS) as connection:
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
            write_output(connection, job, output)
        self._store.committed(jobs=True)

    def stop_requested(self, connection: sa.Connection, job: JobRow) -> bool:
        """Whether somebody wants the job stopped, as of a transaction."""
        return bool(connection.scalar(sa.select(jobs.c.stop_requested).where(jobs.c.number == job.number)))

    def unfinished(self, ids: Collection[str]) -> set[str]:
        """Those of some jobs that have not ended."""
        states = [state.value for state in OPEN]
        asked = sa.select(jobs.c.id).where(jobs.c.id.in_(list(ids)), jobs.c.state.in_(states))
        with self._store.reading() as connection:
            return {row.id for row in connection.execute(asked)}

    def forget_old(self) -> None:
        """Remove what is known of jobs that ended long ago: all if their resource is gone, else their
        problems."""
        horizon = round((self._store.now() - KEPT_SECONDS) * 1000)
        old = sa.select(jobs.c.number).where(jobs.c.finished < horizon)
        living = sa.select(resources.c.arn).where(resources.c.arn == jobs.c.resource_arn).exists()
        with self._store.writing(_JOBS, durable=False) as connection:
            connection.execute(sa.delete(job_problems).where(job_problems.c.job.in_(old)))
            connection.execute(sa.delete(jobs).where(jobs.c.finished < horizon, sa.not_(living)))
            busy = sa.select(jobs.c.number).where(
                jobs.c.owner == runners.c.name, jobs.c.state == JobState.RUNNING.value
            )
            long_ago = self._store.time() - round(_RUNNERS_KEPT * 1000)
            connection.execute(sa.delete(runners).where(runners.c.seen_at < long_ago, sa.not_(busy.exists())))

    def _any_due(self) -> bool:
        with self._store.reading() as connection:
            return connection.execute(self._due().limit(1)).first() is not None

    def _count_due(self, connection: sa.Connection) -> int:
        return connection.scalar(sa.select(sa.func.count()).select_from(self._due().subquery())) or 0

    def _due(self) -> sa.Select[Any]:
        """Queued jobs whose hour has come and that are the first unfinished ones of their queue."""
        return sa.select(jobs.c.number).where(
            jobs.c.state == JobState.QUEUED.value,
            sa.or_(jobs.c.not_before.is_(None), jobs.c.not_before <= round(self._store.now() * 1000)),
            sa.or_(jobs.c.queue.is_(None), sa.not_(_WAITS)),
        )

    def _take(
        self, connection: sa.Connection, condition: sa.ColumnElement[bool], room: int, slot: int
    ) -> list[JobRow]:
        """Make the first queued jobs this runner's, in one statement that steps over those that another is
        taking; what earlier runs reported about the input is told anew."""
        if room <= 0:
            return []
        first = self._due().where(condition).order_by(jobs.c.number).limit(room)
        due = first.with_for_update(skip_locked=True, of=jobs).cte("due")
        taken = connection.execute(
            sa.update(jobs)
            .where(jobs.c.number.in_(sa.select(due.c.number)), jobs.c.state == JobState.QUEUED.value)
            .values(
                state=JobState.RUNNING.value,
                owner=self._lease.name,
                attempts=jobs.c.attempts + 1,
                started=round(self._store.now() * 1000),
                holds_slot=slot,
                progress=None,
                problem_count=0,
                reason=None,
            )
            .returning(jobs)
        ).all()
        again = [row.number for row in taken if row.attempts > 1]
        if again:
            connection.execute(sa.delete(job_problems).where(job_problems.c.job.in_(again)))
        return sorted((read_row(row) for row in taken), key=lambda job: job.number)

    def _change(self, connection: sa.Connection, job: JobRow, **values: Any) -> None:
        changed = connection.execute(
            sa.update(jobs)
            .where(
                jobs.c.number == job.number,
                jobs.c.state == JobState.RUNNING.value,
                jobs.c.owner == self._lease.name,
                jobs.c.attempts == job.attempts,
            )
            .values(**values)
        )
        if changed.rowcount != 1:
            raise LeaseLost()


def write_output(connection: sa.Connection, job: JobRow, output: JobOutput) -> None:
    """Write down what a run of a job tells."""
    values: dict[str, Any] = {"problem_count": output.problem_count}
    if output.progress is not None:
        values["progress"] = json.dumps(output.progress)
    connection.execute(sa.update(jobs).where(jobs.c.number == job.number).values(values))
    if output.anew:
        connection.execute(sa.delete(job_problems).where(job_problems.c.job == job.number))
    if output.lines:
        connection.execute(
            sa.insert(job_lines), [{"job": job.number, "at": at, "text": text} for at, text in output.lines]
        )
    if output.problems:
        connection.execute(
            sa.insert(job_problems),
            [
                {"job": job.number, "file": file, "line": line, "column": column, "what": what}
                for file, line, column, what in output.problems
            ],
        )


def _slots_held(connection: sa.Connection) -> int:
    held = sa.select(sa.func.sum(jobs.c.holds_slot)).where(jobs.c.state == JobState.RUNNING.value)
    return int(connection.scalar(held) or 0)
