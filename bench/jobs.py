"""Control calls and jobs without HTTP: ``python -m bench.jobs``.

What one control call pays for its transaction, what a job costs beside its work, and how soon a job is
done. A commit cannot be quicker than an fsync of the same disk, which is measured in the same run.
"""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openpersonalize.clock import SystemClock
from openpersonalize.engine.executor import Interruption, StepCall
from openpersonalize.engine.leases import JobOutput, Leases
from openpersonalize.engine.runner import JobRunner
from openpersonalize.engine.runnerlease import RunnerLease
from openpersonalize.engine.subprocesses import SubprocessExecutor
from openpersonalize.engine.task import Task
from openpersonalize.engine.workflow import Job
from openpersonalize.resources.backends import open_metadata_store
from openpersonalize.resources.jobrows import JobState
from openpersonalize.resources.store import MetadataStore, Scope, Transaction
from openpersonalize.settings import Settings, read_settings
from openpersonalize.storage.objects import ObjectStore, open_objects

from .events import fsync
from .results import Row, row, show

TIMES = 300
TARGET_LATENCY_MS = 100.0


@dataclass
class Installation:
    """What the engine needs of one."""

    settings: Settings
    clock: SystemClock
    metadata: MetadataStore
    objects: ObjectStore


class Nothing:
    """A light workflow that changes one status."""

    kind = "nothing"
    heavy = False

    def __init__(self) -> None:
        self.done: dict[str, threading.Event] = {}

    def run(self, job: Job) -> None:
        with job.commit() as tx:
            tx.update(job.resource_arn, status="ACTIVE")
        self.done[job.resource_arn].set()

    def failed(self, job: Job, tx: Transaction, reason: str) -> None:
        raise AssertionError(reason)

    def stopped(self, job: Job, tx: Transaction) -> None:
        raise AssertionError("nobody stops it")


def nothing(task: Task) -> dict[str, Any]:
    """A heavy step that does nothing."""
    return {}


def run() -> list[Row]:
    """All of it; some seconds."""
    with tempfile.TemporaryDirectory(prefix="openpersonalize-bench-", dir=".") as folder:
        rows = [fsync(Path(folder))]
        with opened(Path(folder) / "a") as installation:
            rows += transactions(installation)
        with opened(Path(folder) / "b") as installation:
            rows += engine(installation)
        with opened(Path(folder) / "c") as installation:
            rows += latency(installation)
            rows.append(process(installation.settings))
    return rows


@contextmanager
def opened(folder: Path) -> Iterator[Installation]:
    settings = read_settings({"data_dir": str(folder)}, {})
    clock = SystemClock()
    metadata = open_metadata_store(settings, clock)
    yield Installation(settings, clock, metadata, open_objects(settings))
    metadata.close()


def transactions(installation: Installation) -> list[Row]:
    """Resource and job in one commit, a read by ARN, the question whether anything changed."""
    scope = installation.metadata.scope("000000000000", "us-east-1")
    added = timed(lambda n: add(scope, f"c{n}"))
    arns = [scope.arn(f"campaign/c{n}") for n in range(TIMES)]

    def read(n: int) -> None:
        with scope.read() as tx:
            tx.require(arns[n], "campaign")

    return [
        row("add a resource and its job, committed: p50", added, "ms"),
        row("read a resource: p50", timed(read), "ms"),
        row(
            "has anything changed: p50",
            timed(lambda _: installation.metadata.resources_version()) * 1000,
            "us",
        ),
    ]


def engine(installation: Installation) -> list[Row]:
    """What the engine adds to each job: the claim, and the end in a transaction of its own."""
    scope = installation.metadata.scope("000000000000", "us-east-1")
    for n in range(TIMES):
        add(scope, f"c{n}")
    leases = Leases(
        installation.metadata, RunnerLease.take(installation.metadata, installation.settings.data / "runners")
    )
    claimed: list[Any] = []

    def finish(n: int) -> None:
        with scope.write() as tx:
            leases.end(tx, claimed[n], JobState.DONE, JobOutput())

    claim = timed(lambda _: claimed.extend(leases.claim((), 1, 2)))
    idle = timed(lambda _: leases.claim((), 1, 2) and None)
    return [
        row("claim a job: p50", claim, "ms"),
        row("end a job: p50", timed(finish), "ms"),
        row("look for a job when there is none: p50", idle, "ms"),
    ]


def latency(installation: Installation) -> list[Row]:
    """From the call that asks for a job until its last commit, runner and caller in one process."""
    workflow = Nothing()
    runner = JobRunner(installation, {workflow.kind: workflow})  # type: ignore[arg-type]
    runner.start()
    scope = installation.metadata.scope("000000000000", "us-east-1")
    taken = []
    for n in range(100):
        done = workflow.done[scope.arn(f"campaign/c{n}")] = threading.Event()
        begun = time.perf_counter()
        add(scope, f"c{n}")
        done.wait()
        taken.append((time.perf_counter() - begun) * 1000)
    begun, worked = time.monotonic(), time.process_time()
    time.sleep(3)
    idle = (time.process_time() - worked) / (time.monotonic() - begun)
    runner.stop(drain=True)
    taken.sort()
    name = "a job that does nothing, asked for until done"
    return [
        row(
            f"{name}: p50",
            taken[50],
            "ms",
            target=TARGET_LATENCY_MS,
            lower=True,
        ),
        row(
            f"{name}: p99",
            taken[98],
            "ms",
            target=TARGET_LATENCY_MS,
            lower=True,
        ),
        row("an idle runner's share of a core", idle * 100, "%"),
    ]


def process(settings: Settings) -> Row:
    """A heavy step that does nothing: a process started and ended."""
    call = StepCall("bench.jobs:nothing", {}, "bench", settings)
    executor = SubprocessExecutor()
    taken = []
    for _ in range(5):
        begun = time.perf_counter()
        executor.run(call, lambda _: None, Interruption())
        taken.append((time.perf_counter() - begun) * 1000)
    return row("a heavy step that does nothing: p50", statistics.median(taken), "ms")


def add(scope: Scope, name: str) -> None:
    with scope.write() as tx:
        arn = scope.arn(f"campaign/{name}")
        tx.add("campaign", arn, name, status="CREATE PENDING", attributes={"minProvisionedTPS": 1})
        tx.enqueue("nothing", arn, {})


def timed(work: Callable[[int], object]) -> float:
    """The median milliseconds of `work`, called with 0, 1, 2 ..."""
    taken = []
    for n in range(TIMES):
        begun = time.perf_counter()
        work(n)
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken) * 1000


if __name__ == "__main__":
    show(run())
