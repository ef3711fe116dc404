"""Runs one workflow in the caller's thread and lets its process die at any chosen moment.

The moments are those that matter to whoever starts the workflow again: before a transaction, after it was
committed, before and after a heavy step. A story is told once for each of them, see `moments`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from openpersonalize.engine.workflow import Workflow
from openpersonalize.installation import Installation
from openpersonalize.resources.store import Scope, Transaction

Heavy = Callable[[str, dict[str, Any]], dict[str, Any]]


def moments(workflow: Workflow, stage: Callable[[], Callable[..., Rehearsal]]) -> Iterator[None]:
    """Dies at each moment of a workflow in turn, runs it again to its end, and yields for the test to look.

    Args:
        workflow: what is rehearsed.
        stage: sets the stage anew and returns what makes a rehearsal on it; it takes `die_at`.
    """
    for moment in itertools.count(1):
        rehearse = stage()
        try:
            workflow.run(rehearse(die_at=moment))
        except Died:
            workflow.run(rehearse())
            yield
        else:
            yield
            return


class Died(BaseException):
    """The process is gone; nothing that it held in memory is left."""


class Rehearsal:
    """One run of a job, as its workflow sees it (see `openpersonalize.engine.workflow.Job`).

    Attributes:
        moments: how many moments were passed.
        committed: whether the workflow came to its end.
    """

    attempts = 1
    stop_requested = False

    def __init__(
        self,
        installation: Installation,
        scope: Scope,
        kind: str,
        resource_arn: str,
        *,
        payload: dict[str, Any] | None = None,
        heavy: Heavy | None = None,
        die_at: int | None = None,
    ) -> None:
        self.installation = installation
        self.scope: Any = _Watched(scope, self.moment)
        self._plain_scope = scope
        self.kind = kind
        self.id = "rehearsal"
        self.resource_arn = resource_arn
        self.payload = payload or {}
        self.lines: list[str] = []
        self.moments = 0
        self.committed = False
        self._heavy = heavy
        self._die_at = die_at

    def moment(self) -> None:
        """A moment at which the process may die."""
        self.moments += 1
        if self.moments == self._die_at:
            raise Died

    def heavy(self, step: str, **arguments: Any) -> dict[str, Any]:
        self.moment()
        assert self._heavy is not None
        result = self._heavy(step, arguments)
        self.moment()
        return result

    def heavy_each(
        self, step: str, calls: Sequence[dict[str, Any]], most: int, *, progress: bool = False
    ) -> Generator[tuple[int, dict[str, Any]], None, None]:
        for place, arguments in reversed(list(enumerate(calls))):  # the last ends first
            yield place, self.heavy(step, **arguments)

    def check(self) -> None:
        """Nobody asks a rehearsal to stop."""

    def progress(self, step: str, done: float, total: float, unit: str) -> None:
        """Nobody watches."""

    def plan(self, stages: Sequence[tuple[str, float]]) -> None:
        """Nobody watches."""

    def line(self, text: str) -> None:
        self.lines.append(text)

    @contextmanager
    def commit(self) -> Iterator[Transaction]:
        self.moment()  # none after it: the engine ends the job in the same transaction
        with self._plain_scope.write() as tx:
            yield tx
        self.committed = True


class _Watched:
    """A scope whose transactions are moments."""

    def __init__(self, scope: Scope, moment: Callable[[], None]) -> None:
        self._scope = scope
        self._moment = moment
        self.account, self.region = scope.account, scope.region

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        self._moment()
        with self._scope.read() as tx:
            yield tx

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        self._moment()
        with self._scope.write() as tx:
            yield tx
        self._moment()
