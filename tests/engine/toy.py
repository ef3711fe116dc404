"""A small installation and toy work for the tests of the job engine: no models, no datasets."""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openpersonalize.clock import SystemClock
from openpersonalize.engine.task import Task
from openpersonalize.engine.workflow import Job
from openpersonalize.errors import JobFailed
from openpersonalize.resources.backends import open_metadata_store
from openpersonalize.resources.store import MetadataStore, Scope, Transaction
from openpersonalize.settings import Settings, read_settings
from openpersonalize.storage.objects import ObjectStore, open_objects

ACCOUNT, REGION = "000000000000", "eu-west-1"


@dataclass
class ToyInstallation:
    """What the engine needs of an installation."""

    settings: Settings
    clock: Any
    metadata: MetadataStore
    objects: ObjectStore

    @classmethod
    def open(cls, folder: Path, clock: Any = None, **settings: Any) -> ToyInstallation:
        chosen = read_settings({"data_dir": str(folder), **settings}, {})
        clock = clock or SystemClock()
        return cls(chosen, clock, open_metadata_store(chosen, clock), open_objects(chosen))

    @property
    def scope(self) -> Scope:
        return self.metadata.scope(ACCOUNT, REGION)

    def enqueue(self, kind: str, name: str, **payload: Any) -> str:
        """A version CREATE PENDING with a job of `kind`; options `queue` and `not_before` as in `enqueue`."""
        options = {key: payload.pop(key) for key in ("queue", "not_before") if key in payload}
        with self.scope.write() as tx:
            arn = self.scope.arn(f"solution/toy/{name}")
            tx.add("solution-version", arn, name, status="CREATE PENDING")
            tx.enqueue(kind, arn, payload, **options)
        return arn

    def status(self, arn: str) -> str | None:
        with self.scope.read() as tx:
            return tx.require(arn).status

    def wait(self, arn: str, *statuses: str, seconds: float = 30.0) -> str:
        """Poll until the resource has one of `statuses`, by default a final one; the status."""
        wanted = statuses or ("ACTIVE", "CREATE FAILED", "CREATE STOPPED")
        end = time.monotonic() + seconds * float(os.environ.get("PATIENCE", "1"))
        while (status := self.status(arn)) not in wanted:
            if time.monotonic() > end:
                raise AssertionError(f"{arn} is still {status}")
            time.sleep(0.01)
        return str(status)


class ToyWorkflow:
    """A job with a life of a solution version; subclasses do the work in `work`."""

    heavy = False

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def run(self, job: Job) -> None:
        with job.scope.write() as tx:
            tx.update(job.resource_arn, status="CREATE IN_PROGRESS")
        made = self.work(job)
        with job.commit() as tx:
            tx.update(job.resource_arn, status="ACTIVE", set=made)

    def work(self, job: Job) -> dict[str, Any]:
        return {}

    def failed(self, job: Job, tx: Transaction, reason: str) -> None:
        tx.update(job.resource_arn, status="CREATE FAILED", set={"failureReason": reason})

    def stopped(self, job: Job, tx: Transaction) -> None:
        tx.update(job.resource_arn, status="CREATE STOPPED")


class Heavy(ToyWorkflow):
    """Runs the step that the payload names."""

    heavy = True

    def work(self, job: Job) -> dict[str, Any]:
        return job.heavy(f"engine.toy:{job.payload['step']}", **job.payload.get("arguments", {}))


class HeavyEach(ToyWorkflow):
    """Runs `meet` once for each of the calls of the payload, so many at once."""

    heavy = True

    def work(self, job: Job) -> dict[str, Any]:
        calls = [{"folder": job.payload["folder"], **one} for one in job.payload["calls"]]
        ended = dict(job.heavy_each("engine.toy:meet", calls, job.payload["most"]))
        return {"names": [ended[place]["name"] for place in range(len(calls))]}


class Publishing(ToyWorkflow):
    """Publishes a folder in a heavy step and then points the resource at it."""

    heavy = True

    def work(self, job: Job) -> dict[str, Any]:
        key = f"artifacts/{job.id}"
        return job.heavy("engine.toy:publish", key=key, parts=job.payload["parts"])


# Steps.


def threads(task: Task) -> dict[str, Any]:
    return {"threads": task.settings.threads}


def add(task: Task, *, a: int, b: int) -> dict[str, Any]:
    task.progress("add", 1, 1, "sums")
    task.line(f"adding {a} and {b}")
    print("a library talks")
    return {"sum": a + b}


def look_around(task: Task) -> dict[str, Any]:
    return {"job": task.job_id, "settings": task.settings.to_json()}


def identify(task: Task) -> dict[str, Any]:
    """Which process this is, what it is called, and which one made it."""
    return {"pid": os.getpid(), "name": Path("/proc/self/comm").read_text().strip(), "parent": os.getppid()}


def environment(task: Task, *, names: list[str]) -> dict[str, Any]:
    return {name: os.environ.get(name) for name in names}


def return_a_set(task: Task) -> dict[str, Any]:
    return {"made": {1, 2}}


def refuse(task: Task, *, problems: int = 0) -> dict[str, Any]:
    for number in range(problems):
        task.problem("a.csv", number + 2, "USER_ID", "is empty")
    raise JobFailed("The data is no good.")


def break_down(task: Task) -> dict[str, Any]:
    raise RuntimeError("nobody expected this")


def die(task: Task, *, counter: str, times: int) -> dict[str, Any]:
    """Is killed `times` times, then succeeds."""
    with Path(counter).open("a") as file:
        file.write("x")
    if Path(counter).stat().st_size <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"attempts": Path(counter).stat().st_size}


def leave(task: Task, *, code: int) -> dict[str, Any]:
    print("good bye", file=sys.stderr, flush=True)
    os._exit(code)


def wait_for_stop(task: Task, *, started: str) -> dict[str, Any]:
    Path(started).write_text(str(os.getpid()))
    while True:
        task.check()
        time.sleep(0.01)


def never_stop(task: Task, *, started: str) -> dict[str, Any]:
    Path(started).write_text(str(os.getpid()))
    while True:
        time.sleep(0.01)


def meet(task: Task, *, folder: str, name: str, after: list[str], fails: bool = False) -> dict[str, Any]:
    """Shows itself in a folder until it ends, and ends when all of `after` are or were there."""
    here = Path(folder) / name
    task.line(f"{name} begins")
    task.progress("meet", 0, 1, "meetings")
    here.write_text("")
    while not all((Path(folder) / one).exists() or (Path(folder) / f"{one}.gone").exists() for one in after):
        task.check()
        time.sleep(0.01)
    here.rename(here.with_suffix(".gone"))
    if fails:
        raise JobFailed(f"{name} did not work out.")
    return {"name": name}


def spell(task: Task, *, started: str, seconds: float) -> dict[str, Any]:
    """Works for a while and says so in a folder of its own."""
    mine = Path(started) / f"{os.getpid()}-{time.monotonic_ns()}"
    mine.write_text(f"{time.time()}")
    time.sleep(seconds)
    mine.with_suffix(".end").write_text(f"{time.time()}")
    return {}


def publish(task: Task, *, key: str, parts: int) -> dict[str, Any]:
    """Publishes a folder of `parts` files, slowly enough to be killed in the middle."""
    objects = open_objects(task.settings)
    staged = objects.stage()
    for number in range(parts):
        (staged / f"{number}.txt").write_text("whole" * 1000)
        task.progress("write", number + 1, parts, "files")
        time.sleep(0.002)
    objects.publish(staged, key)
    return {"artifact": key}
