"""Runs jobs: one runner per server process, each taking what nobody else works on."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..errors import JobFailed, JobPostponed, JobStopped, OpenPersonalizeError, Unavailable
from ..logs import RepeatedErrors
from ..resources.jobrows import JobRow, JobState
from ..resources.lifecycle import failed_after
from ..storage.workfolder import sweep_work_folders
from .executor import Executor, ShuttingDown, StepBroke
from .leases import LeaseLost, Leases
from .runnerlease import RunnerLease
from .running import RunningJob
from .subprocesses import SubprocessExecutor
from .workflow import Workflow

if TYPE_CHECKING:
    from ..installation import Installation

log = logging.getLogger(__name__)

_LONGEST_REASON = 10_000
"""Characters of a failure reason; it is shown wherever its resource is described or listed."""

LIGHT_ROOM = 16
"""Light jobs that one process runs at once, a thread each."""
MOST_CRASHES = 25
"""How often the process that runs a job may vanish before the job is taken to be the cause."""
_LOOK = 0.05
_LONGEST_LOOK = 0.5
_RENEW = 1.0
_LOST_LOOK = 2.0
_TIDY = 6 * 3600.0
_DRAIN = 10.0
_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 300.0


class JobRunner:
    """A thread that claims jobs, and a thread for each job at work.

    Over all processes of an installation at most `settings.job_slots` heavy jobs run at once; light ones
    have room of their own, so that no training keeps a deployment waiting. A job is noticed at once when it
    was enqueued in this process. What other processes do is noticed within 50 ms while a job is at work here
    (a request to stop it), and within half a second else: who enqueued a job begins it, unless it has no
    room. Jobs of a process that is gone are noticed within two seconds, and at once at start.

    Args:
        installation: the stores, settings and clock.
        workflows: by kind of job, what does it.
        executor: where heavy steps run.
    """

    def __init__(
        self,
        installation: Installation,
        workflows: Mapping[str, Workflow],
        executor: Executor | None = None,
    ) -> None:
        self._installation = installation
        self._workflows = workflows
        self._heavy_kinds = [kind for kind, workflow in self._workflows.items() if workflow.heavy]
        self._executor = executor or SubprocessExecutor()
        self._metadata = installation.metadata
        self._lease: RunnerLease | None = None
        self._leases: Leases | None = None
        self._running: dict[int, RunningJob] = {}
        self._threads: set[threading.Thread] = set()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._seen_version: int | None = None
        self._next_due: float | None = None
        self._renewed = self._looked = self._tidied = -_TIDY
        self._turned = time.monotonic()

    def start(self) -> None:
        """Begin to run jobs, those that a vanished server left first."""
        self._lease = RunnerLease.take(self._metadata, self._installation.settings.data / "runners")
        self._leases = Leases(self._metadata, self._lease)
        self._metadata.on_jobs_changed(self._wake.set)
        self._thread = threading.Thread(target=self._loop, name="job-runner", daemon=True)
        self._thread.start()

    def seconds_since_turn(self) -> float:
        """Seconds since it last looked for work, some hundredths while all is well."""
        return time.monotonic() - self._turned

    def stop(self, drain: bool) -> None:
        """Run no more jobs. Those at work are queued again for the next server, not failed.

        Args:
            drain: give light jobs up to ten seconds to end by themselves; without, their threads are left
                alone and other runners take their jobs over.
        """
        if self._thread is None or self._lease is None:
            return
        self._stopping.set()
        self._wake.set()
        self._thread.join()
        self._thread = None
        with self._lock:
            threads = list(self._threads)
            for job in self._running.values():
                job.interruption.released = True
        give_up = time.monotonic() + (_DRAIN if drain else 1.0)
        for thread in threads:
            thread.join(max(0.0, give_up - time.monotonic()))
        try:
            self._lease.release()
        except Unavailable:
            log.warning("The runner's lease could not be given up; others wait for it to run out")

    def _loop(self) -> None:
        rest, errors = _LOOK, RepeatedErrors(log, "The job runner met an error and goes on")
        while not self._stopping.is_set():
            woken = self._wake.wait(rest)
            self._wake.clear()
            self._turned = time.monotonic()
            try:
                self._turn(woken)
                errors.well()
            except Exception as error:  # noqa: BLE001 - told, and tried again
                errors.met(error)
                self._seen_version = None
                self._stopping.wait(1.0)
            rest = self._rest_after(rest, woken)

    def _rest_after(self, rest: float, woken: bool) -> float:
        """Seconds to the next look: ever more while nobody has anything to do."""
        if woken or self._running:
            return _LOOK
        rest = min(1.5 * rest, _LONGEST_LOOK)
        if self._next_due is None:
            return rest
        return min(rest, max(_LOOK, self._next_due - self._metadata.now()))

    def _turn(self, woken: bool) -> None:
        """Look after the jobs at work, then take new ones; next to nothing when nothing changed."""
        assert self._leases is not None
        now = time.monotonic()
        version = self._metadata.jobs_version()
        looks = now - self._looked >= _LOST_LOOK
        changed = woken or looks or version != self._seen_version
        self._seen_version = version
        if changed and self._running:
            self._pass_on_stops(self._leases)
        if now - self._renewed >= _RENEW:
            self._renewed = now
            self._renew(self._leases)
        if looks:
            self._looked = now
            self._leases.requeue_lost()
        if now - self._tidied >= _TIDY:
            self._tidied = now
            self._leases.forget_old()
            self._installation.objects.sweep()
            sweep_work_folders(self._installation.settings, self._leases.unfinished)
        due = self._next_due is not None and self._metadata.now() >= self._next_due
        if (changed or due) and not self._stopping.is_set():
            self._claim(self._leases)

    def _claim(self, leases: Leases) -> None:
        with self._lock:
            light = [job for job in self._running.values() if not (job.row.holds_slot or job.waits_for_slot)]
        for row in leases.claim(
            self._heavy_kinds, LIGHT_ROOM - len(light), self._installation.settings.job_slots
        ):
            self._begin(row, leases)
        self._next_due = leases.next_due()

    def _begin(self, row: JobRow, leases: Leases) -> None:
        job = RunningJob(row, self._installation, leases, self._executor)
        thread = threading.Thread(
            target=self._perform, args=(job, leases), name=f"job-{row.kind}", daemon=True
        )
        with self._lock:
            self._running[row.number] = job
            self._threads.add(thread)
        thread.start()

    def _pass_on_stops(self, leases: Leases) -> None:
        asked = leases.asked_to_stop()
        with self._lock:
            for number in asked & self._running.keys():
                self._running[number].interruption.stop_requested = True

    def _renew(self, leases: Leases) -> None:
        with self._lock:
            jobs = list(self._running.values())
        if not jobs:
            return
        told = [(job, job.take_output()) for job in jobs]
        try:
            lost = leases.renew([(job.row, output) for job, output in told])
        except BaseException:
            for job, output in told:
                job.give_back(output)
            raise
        for row in lost:
            with self._lock:
                running = self._running.get(row.number)
            if running is not None:
                running.interruption.released = True

    def _perform(self, job: RunningJob, leases: Leases) -> None:
        """Run one job to its end; what happens, the job's row says."""
        try:
            self._run(job, leases)
        except ShuttingDown:
            self._put_back(job, leases)
        except LeaseLost:
            log.warning("job %s: another runner has taken it over", job.id)
        except Exception:
            # Not even the end could be written down. The lease runs out, and the job is run again.
            log.exception("job %s (%s %s) is left as it is", job.id, job.kind, job.resource_arn)
        finally:
            with self._lock:
                self._running.pop(job.row.number, None)
                self._threads.discard(threading.current_thread())
            self._wake.set()

    def _run(self, job: RunningJob, leases: Leases) -> None:
        workflow = self._workflows.get(job.kind)
        try:
            if workflow is None:
                raise JobFailed(f"This release does not know jobs of the kind {job.kind}.")
            if job.row.crashes >= MOST_CRASHES:
                raise JobFailed(
                    f"The server died {job.row.crashes} times while it worked on this job; its log holds more"
                    f" under job {job.id}."
                )
            job.check()
            workflow.run(job)
            if not job.committed:
                with job.commit():
                    pass
        except JobPostponed as wait:
            leases.put_back(job.row, job.take_output(), not_before=self._metadata.now() + wait.seconds)
        except JobStopped:
            self._end(job, workflow, JobState.CANCELLED, "Stopped on request.")
        except JobFailed as error:
            self._end(job, workflow, JobState.FAILED, error.message)
        except LeaseLost:
            raise
        except Exception as error:  # noqa: BLE001 - logged and told to the owner below
            self._again(job, workflow, leases, error)

    def _again(self, job: RunningJob, workflow: Workflow | None, leases: Leases, error: Exception) -> None:
        """Try again after an error that nobody had foreseen, a few times with growing pauses."""
        if isinstance(error, StepBroke):
            log.error("job %s (%s %s):\n%s", job.id, job.kind, job.resource_arn, error.message)
        else:
            log.error("job %s (%s %s)", job.id, job.kind, job.resource_arn, exc_info=error)
        foreseen = isinstance(error, OpenPersonalizeError) and not isinstance(error, StepBroke)
        why = error.message if foreseen and isinstance(error, OpenPersonalizeError) else "An internal error."
        attempts = job.row.errors + 1
        reason = f"{why} It was tried {attempts} times; the server's log holds more under job {job.id}."
        if attempts >= self._installation.settings.job_attempts:
            self._end(job, workflow, JobState.FAILED, reason)
            return
        pause = min(_FIRST_PAUSE * 4**job.row.errors, _LONGEST_PAUSE)
        leases.put_back(job.row, job.take_output(), reason=reason, not_before=self._metadata.now() + pause)

    def _end(self, job: RunningJob, workflow: Workflow | None, state: JobState, reason: str) -> None:
        """Write down that the job ended without success, at the job and at its resource."""
        reason = reason if len(reason) <= _LONGEST_REASON else f"{reason[:_LONGEST_REASON]}..."
        try:
            if workflow is None:
                self._end_plainly(job, state, reason)
                return
            with job.ending(state, reason) as tx:
                if state == JobState.CANCELLED:
                    workflow.stopped(job, tx)
                else:
                    workflow.failed(job, tx, reason)
        except LeaseLost:
            raise
        except Exception:
            log.exception("job %s (%s %s): its end needs help", job.id, job.kind, job.resource_arn)
            self._end_plainly(job, state, reason)

    def _end_plainly(self, job: RunningJob, state: JobState, reason: str) -> None:
        """No status may stay IN_PROGRESS for ever, also when a workflow cannot say how it ends."""
        with job.ending(state, reason) as tx:
            resource = tx.get(job.resource_arn)
            status = failed_after(resource.status) if resource is not None else None
            if resource is not None and status is not None:
                tx.update(resource, status=status, set={"failureReason": reason})

    def _put_back(self, job: RunningJob, leases: Leases) -> None:
        try:
            leases.put_back(job.row, job.take_output())
        except LeaseLost:
            log.warning("job %s: another runner has taken it over", job.id)
