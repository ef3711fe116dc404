"""A workflow: what one kind of job does, written as plain code that may be run again from the start."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

from ..resources.store import Scope, Transaction

if TYPE_CHECKING:
    from ..installation import Installation

__all__ = ["Job", "Workflow"]


class Workflow(Protocol):
    """One per kind of job, listed in `registry.WORKFLOWS`. Instances are shared by all threads and keep no
    state.

    Attributes:
        kind: what `Transaction.enqueue` calls it.
        heavy: whether `run` calls `Job.heavy`. Such a job is begun only when one of the installation's heavy
            slots is free, so that its resource stays PENDING until then; other jobs never wait for it.
    """

    kind: str
    heavy: bool

    def run(self, job: Job) -> None:
        """Do the job: short transactions and heavy steps, and `Job.commit` around the last change.

        A job is run at least once: after a crash, or a restart of the server, it runs again from the start.
        So each step must be right also when it was done before. JobPostponed has it run again later, because
        it waits for another job: it holds no slot and keeps its place meanwhile. JobFailed ends the job with
        a reason for its owner; any other exception is tried again a few times with growing pauses.
        """

    def failed(self, job: Job, tx: Transaction, reason: str) -> None:
        """Say at the resource that the job failed, e.g. CREATE FAILED with `reason` as failureReason. The
        job's row changes in the same transaction."""

    def stopped(self, job: Job, tx: Transaction) -> None:
        """Say at the resource that the job was stopped on request, e.g. CREATE STOPPED."""


class Job(Protocol):
    """A job being run, as its workflow sees it.

    Attributes:
        id: unique, for logs and messages.
        kind: the workflow's kind.
        resource_arn: what the job is about.
        payload: what `Transaction.enqueue` was given.
        scope: the account and region of the resource.
        installation: the stores, settings and clock.
        attempts: how often the job was begun, this time included.
    """

    id: str
    kind: str
    resource_arn: str
    payload: dict[str, Any]
    scope: Scope
    installation: Installation
    attempts: int

    @property
    def stop_requested(self) -> bool:
        """Whether somebody asked to stop this job, or this server is going down."""

    def heavy(self, step: str, **arguments: Any) -> dict[str, Any]:
        """Run ``"module:function"`` in a process of its own and return what it returns.

        Raises:
            JobFailed: the step said why, or its process died `job_attempts` times.
            JobStopped: on request.
        """

    def heavy_each(
        self, step: str, calls: Sequence[dict[str, Any]], most: int, *, progress: bool = False
    ) -> Generator[tuple[int, dict[str, Any]], None, None]:
        """Run a step once with each of these arguments, each in a process of its own, several at once: the
        place of a call and what its step returned, as they end.

        How many at once: one, and as many more as heavy slots are free that no other job waits for, at most
        `most`. When one of them fails, or the caller asks for no more, the others are ended. They tell lines
        and problems; without `progress` theirs is the caller's to report.

        Raises:
            JobFailed, JobStopped: as `heavy`, of the first that does.
        """

    def check(self) -> None:
        """Raises JobStopped when somebody asked to stop the job; for loops in light workflows."""

    def progress(self, step: str, done: float, total: float, unit: str) -> None:
        """Report how far the job is. Cheap: it is written down about once a second."""

    def plan(self, stages: Sequence[tuple[str, float]]) -> None:
        """Say which steps will be reported, in order, with about the seconds of each: see `Timetable`."""

    def line(self, text: str) -> None:
        """Add a line to the job's log, which the owner can read."""

    def commit(self) -> AbstractContextManager[Transaction]:
        """The last change: a transaction that also ends the job with success. Nothing of it is visible
        before.

        Raises:
            JobStopped: somebody asked to stop the job before this transaction began; nothing is changed.
        """
