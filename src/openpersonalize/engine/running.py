"""A job being run: what its workflow asks of the engine."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .. import telemetry, tracing
from ..errors import JobFailed, JobStopped
from ..resources.jobrows import JobRow, JobState
from ..resources.store import Scope, Transaction
from .cores import with_share
from .executor import Executor, Interruption, ShuttingDown, StepCall, StepDied
from .leases import MOST_LINES, MOST_PROBLEMS, JobOutput, Leases
from .parallelsteps import run_in_parallel
from .progress import ProgressRate
from .task import Report
from .timetable import Timetable

if TYPE_CHECKING:
    from ..installation import Installation

log = logging.getLogger(__name__)

_SLOT_LOOK = 0.05
_PAUSE = 0.5
_TOLD_REASON = 1_000


class RunningJob:
    """The `Job` that a workflow is given. One thread runs it, the runner's thread looks on.

    Attributes: see `workflow.Job`. Besides:
        row: the job as it was when it was claimed.
        interruption: how the runner tells it to end.
        committed: whether the job's row says that it is done.
        waits_for_slot: whether it does nothing but wait for a heavy slot.
    """

    def __init__(self, row: JobRow, installation: Installation, leases: Leases, executor: Executor) -> None:
        self.id = row.id
        self.kind = row.kind
        self.resource_arn = row.resource_arn
        self.payload = row.payload
        self.attempts = row.attempts
        self.scope: Scope = installation.metadata.scope(row.account, row.region)
        self.installation = installation
        self.row = row
        self.interruption = Interruption()
        self.interruption.stop_requested = row.stop_requested
        self.committed = False
        self.waits_for_slot = False
        self._leases = leases
        self._executor = executor
        self._holds_slot = row.holds_slot
        self._began = installation.clock.now()
        self._rate = ProgressRate()
        self._begun = time.monotonic()
        self._timetable: Timetable | None = None
        self._newest: tuple[str, float, float, str] | None = None
        self._output = JobOutput()
        self._lines = 0
        self._output_lock = threading.Lock()

    @property
    def stop_requested(self) -> bool:
        return self.interruption.stop_requested

    def check(self) -> None:
        if self.interruption.released:
            raise ShuttingDown()
        if self.interruption.stop_requested:
            raise JobStopped()

    def heavy(self, step: str, **arguments: Any) -> dict[str, Any]:
        self._wait_for_slot()
        return self.run_step(step, arguments, self.hear, self.interruption)

    def heavy_each(
        self, step: str, calls: Sequence[dict[str, Any]], most: int, *, progress: bool = False
    ) -> Generator[tuple[int, dict[str, Any]], None, None]:
        self._wait_for_slot()
        return run_in_parallel(self, step, calls, most, progress)

    def run_step(
        self,
        step: str,
        arguments: dict[str, Any],
        hear: Callable[[Report], None],
        interruption: Interruption,
        beside: int = 1,
    ) -> dict[str, Any]:
        """Run a step in the slot that the job holds, again when its process dies; see `Job.heavy`. It has the
        cores of one of `beside` steps, or of as many as there are at the moment."""
        slots = self.installation.settings.job_slots
        steps = max(self._leases.slots_held(), min(beside, slots))
        settings = with_share(self.installation.settings, steps)
        call = StepCall(step, arguments, self.id, settings)
        most = self.installation.settings.job_attempts
        for attempt in range(1, most + 1):
            self.check()
            try:
                return self._executor.run(call, hear, interruption)
            except StepDied as died:
                log.warning("job %s: the process of %s died: %s", self.id, step, died.message)
                self.line(f"The process of this step died ({died.message}); attempt {attempt} of {most}.")
                how = died.message
                with self._output_lock:
                    self._output = JobOutput(lines=self._output.lines, anew=True)
                self.installation.objects.sweep()  # what it staged is nobody's now
            time.sleep(_PAUSE)
        raise JobFailed(
            f"The process that worked on this job died {most} times ({how}). Give the machine more memory,"
            f" lower job_slots, or use less data; the server's log holds more under job {self.id}."
        )

    def take_spare_slot(self) -> bool:
        """Hold one more heavy slot, if one is free that no other job waits for."""
        return self._leases.take_slot(self.row, self.installation.settings.job_slots, spare=True)

    def give_spare_slot(self) -> None:
        """Give up one that `take_spare_slot` took."""
        self._leases.give_slot(self.row)

    def plan(self, stages: Sequence[tuple[str, float]]) -> None:
        with self._output_lock:
            self._timetable = Timetable(stages, self._begun)

    def omit(self, step: str) -> None:
        with self._output_lock:
            if self._timetable is not None:
                self._timetable.omit(step)

    def progress(self, step: str, done: float, total: float, unit: str) -> None:
        with self._output_lock:
            self._newest = (step, done, total, unit)
            self._output.progress = self._record()

    def _record(self) -> dict[str, Any] | None:
        """The progress as it is now; None before the first report."""
        if self._newest is None:
            return None
        now = time.monotonic()
        record = self._rate.report(*self._newest, now)
        if self._timetable is not None:
            record["overall"] = self._timetable.report(*self._newest[:3], now)
        return record

    def line(self, text: str) -> None:
        log.info("job %s (%s %s): %s", self.id, self.kind, self.resource_arn, text)
        with self._output_lock:
            self._lines += 1
            if self._lines <= MOST_LINES:
                self._output.lines.append((round(self.installation.clock.now() * 1000), text))

    @contextmanager
    def commit(self) -> Iterator[Transaction]:
        with self.ending(JobState.DONE) as tx:
            if self._leases.stop_requested(tx.connection, self.row):
                raise JobStopped()
            yield tx
        self.committed = True

    @contextmanager
    def ending(self, state: JobState, reason: str | None = None) -> Iterator[Transaction]:
        """A transaction in which the job's row reaches a final state."""
        output = self.take_output()
        try:
            with self.scope.write() as tx:
                self._leases.end(tx, self.row, state, output, reason)
                yield tx
        except BaseException:
            self.give_back(output)
            raise
        self._tell_end(state, reason)

    def _tell_end(self, state: JobState, reason: str | None) -> None:
        seconds = max(0.0, self.installation.clock.now() - (self.row.started_at or self._began))
        telemetry.JOB_SECONDS.labels(self.kind, state.value).observe(seconds)
        tracing.job(self.kind, self.resource_arn, state.value, seconds, self.attempts)
        extra = {"job": self.id, "kind": self.kind, "resource": self.resource_arn, "state": state.value}
        if reason is not None:
            extra["reason"] = reason[:_TOLD_REASON]
        log.info("job ended", extra={**extra, "seconds": f"{seconds:.1f}"})

    def take_output(self) -> JobOutput:
        """What the job has to tell since the last time."""
        with self._output_lock:
            if self._timetable is not None:  # time passes, also while a stage has nothing to report
                self._output.progress = self._record()
            taken, self._output = self._output, JobOutput(problem_count=self._output.problem_count)
        return taken

    def give_back(self, output: JobOutput) -> None:
        """Tell again what could not be written down."""
        with self._output_lock:
            newer = self._output
            self._output = JobOutput(
                progress=newer.progress or output.progress,
                lines=output.lines + newer.lines,
                problems=newer.problems if newer.anew else output.problems + newer.problems,
                problem_count=newer.problem_count,
                anew=output.anew or newer.anew,
            )

    def hear(self, report: Report) -> None:
        """Take in a report of a heavy step."""
        if "progress" in report:
            self.progress(**report["progress"])
        elif "plan" in report:
            self.plan(report["plan"])
        elif "omit" in report:
            self.omit(report["omit"])
        elif "line" in report:
            self.line(report["line"])
        elif "problem" in report:
            file, line, column, what = report["problem"]
            with self._output_lock:
                self._output.problem_count += 1
                if self._output.problem_count <= MOST_PROBLEMS:
                    self._output.problems.append((file, line, column, what))

    def _wait_for_slot(self) -> None:
        """Hold a heavy slot from here to the job's end; a workflow that says it is heavy has one already."""
        self.waits_for_slot = not self._holds_slot
        try:
            while not self._holds_slot:
                self.check()
                self._holds_slot = self._leases.take_slot(self.row, self.installation.settings.job_slots)
                if not self._holds_slot:
                    time.sleep(_SLOT_LOOK)
        finally:
            self.waits_for_slot = False
