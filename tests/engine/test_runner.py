from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from contract.metadata_store import SetClock
from engine.immediate import ImmediateExecutor
from engine.toy import Heavy, ToyInstallation, ToyWorkflow
from openpersonalize.engine.cores import available_cores, with_share
from openpersonalize.engine.report import job_list, job_problems, job_report
from openpersonalize.engine.runner import JobRunner
from openpersonalize.engine.workflow import Job
from openpersonalize.errors import AccessRefused, JobFailed
from openpersonalize.resources.store import Transaction
from openpersonalize.settings import read_settings
from openpersonalize.storage.workfolder import work_folder


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[ToyInstallation]:
    opened = ToyInstallation.open(tmp_path / "data")
    yield opened
    opened.metadata.close()


Start = Callable[..., JobRunner]


@pytest.fixture
def start(installation: ToyInstallation) -> Iterator[Start]:
    """Starts a runner for some workflows; heavy steps run in this process."""
    runners: list[JobRunner] = []

    def begin(*workflows: Any, on: ToyInstallation | None = None) -> JobRunner:
        runner = JobRunner(on or installation, {w.kind: w for w in workflows}, ImmediateExecutor())  # type: ignore[arg-type]
        runner.start()
        runners.append(runner)
        return runner

    yield begin
    for runner in runners:
        runner.stop(drain=False)


class Doing(ToyWorkflow):
    """Does what it is given."""

    def __init__(self, work: Callable[[Job], dict[str, Any] | None], kind: str = "do") -> None:
        super().__init__(kind)
        self.do = work

    def work(self, job: Job) -> dict[str, Any]:
        return self.do(job) or {}


def report(installation: ToyInstallation, arn: str) -> dict[str, Any]:
    found = job_report(installation.scope, arn)
    assert found is not None
    return found


def reason(installation: ToyInstallation, arn: str) -> str:
    with installation.scope.read() as tx:
        return str(tx.require(arn).attributes["failureReason"])


# How jobs end.


def test_a_job_is_done(installation: ToyInstallation, start: Start) -> None:
    start(Heavy("heavy"))
    arn = installation.enqueue("heavy", "a", step="add", arguments={"a": 1, "b": 2})
    assert installation.wait(arn) == "ACTIVE"
    with installation.scope.read() as tx:
        assert tx.require(arn).attributes == {"sum": 3}
    told = report(installation, arn)
    assert (told["kind"], told["state"], told["status"], told["attempts"]) == ("heavy", "done", "ACTIVE", 1)
    assert told["progress"]["done"] == 1
    assert told["eta_seconds"] is None
    assert told["progress"]["eta_seconds"] is None
    assert [line["text"] for line in told["lines"]] == ["adding 1 and 2"]
    assert told["created"] <= told["started"] <= told["finished"]
    assert [job["arn"] for job in job_list(installation.scope)] == [arn]


def test_a_job_that_waited_for_a_server_is_done(installation: ToyInstallation, start: Start) -> None:
    arn = installation.enqueue("noop", "a")
    start(ToyWorkflow("noop"))
    assert installation.wait(arn) == "ACTIVE"


def test_a_reason_for_the_owner_is_told_as_it_is(installation: ToyInstallation, start: Start) -> None:
    start(Heavy("heavy"))
    arn = installation.enqueue("heavy", "a", step="refuse", arguments={"problems": 10_005})
    assert installation.wait(arn) == "CREATE FAILED"
    assert reason(installation, arn) == "The data is no good."
    told = report(installation, arn)
    assert (told["state"], told["attempts"], told["problem_count"]) == ("failed", 1, 10_005)
    problems = job_problems(installation.scope, arn)
    assert len(problems) == 10_000
    assert problems[0] == {"file": "a.csv", "line": 2, "column": "USER_ID", "what": "is empty"}


def test_an_unforeseen_error_is_tried_again_with_pauses(tmp_path: Path, start: Start) -> None:
    clock = SetClock()
    installation = ToyInstallation.open(tmp_path / "clocked", clock)
    tries: list[int] = []

    def work(job: Job) -> None:
        tries.append(job.attempts)
        if len(tries) < 3:
            raise ZeroDivisionError

    start(Doing(work), on=installation)
    arn = installation.enqueue("do", "a")
    for tried in (1, 2):
        settle(lambda tried=tried: len(tries) == tried and report(installation, arn)["state"] == "queued")
        assert installation.status(arn) == "CREATE IN_PROGRESS"
        assert report(installation, arn)["not_before"] == clock.now() + 4 ** (tried - 1)
        clock.time += 4 ** (tried - 1)
    assert installation.wait(arn) == "ACTIVE"
    assert tries == [1, 2, 3]


@pytest.mark.parametrize(
    ("error", "beginning"),
    [
        (ZeroDivisionError("secret"), "An internal error. "),
        (AccessRefused("Ask the owner."), "Ask the owner. "),
    ],
)
def test_an_error_that_stays_fails_and_names_the_job(
    tmp_path: Path, start: Start, error: Exception, beginning: str
) -> None:
    class Hurrying(SetClock):
        def now(self) -> float:
            self.time += 10
            return self.time

    installation = ToyInstallation.open(tmp_path / "hurried", Hurrying())

    def work(_: Job) -> None:
        raise error

    start(Doing(work), on=installation)
    arn = installation.enqueue("do", "a")
    assert installation.wait(arn) == "CREATE FAILED"
    told = report(installation, arn)
    assert told["attempts"] == 3
    expected = f"{beginning}It was tried 3 times; the server's log holds more under job {told['id']}."
    assert reason(installation, arn) == told["reason"] == expected


def test_a_workflow_that_cannot_say_how_it_ends_leaves_no_endless_state(
    installation: ToyInstallation, start: Start
) -> None:
    class Mute(Doing):
        def failed(self, job: Job, tx: Transaction, reason: str) -> None:
            tx.update(job.resource_arn, set={"half": True})
            raise ZeroDivisionError

    def work(_: Job) -> None:
        raise JobFailed("No good.")

    start(Mute(work))
    arn = installation.enqueue("do", "a")
    assert installation.wait(arn) == "CREATE FAILED"
    assert reason(installation, arn) == "No good."
    with installation.scope.read() as tx:
        assert "half" not in tx.require(arn).attributes


def test_a_kind_that_nobody_knows_fails(installation: ToyInstallation, start: Start) -> None:
    start(ToyWorkflow("noop"))
    arn = installation.enqueue("from-the-future", "a")
    assert installation.wait(arn) == "CREATE FAILED"
    assert "from-the-future" in reason(installation, arn)


def test_a_resource_that_vanished_ends_its_job(installation: ToyInstallation, start: Start) -> None:
    begun, gone = threading.Event(), threading.Event()

    def work(_: Job) -> None:
        begun.set()
        assert gone.wait(20)
        raise JobFailed("Too late.")

    start(Doing(work))
    arn = installation.enqueue("do", "a")
    assert begun.wait(20)
    with installation.scope.write() as tx:
        tx.remove(arn)
    gone.set()
    settle(lambda: report(installation, arn)["state"] == "failed")
    assert report(installation, arn)["status"] is None


def test_nothing_of_a_failed_commit_is_seen(installation: ToyInstallation, start: Start) -> None:
    class Torn(ToyWorkflow):
        def run(self, job: Job) -> None:
            with job.commit() as tx:
                tx.update(job.resource_arn, set={"half": True})
                job.line("about to fail")
                raise JobFailed("At the last moment.")

    start(Torn("torn"))
    arn = installation.enqueue("torn", "a")
    assert installation.wait(arn) == "CREATE FAILED"
    with installation.scope.read() as tx:
        assert "half" not in tx.require(arn).attributes
    assert [line["text"] for line in report(installation, arn)["lines"]] == ["about to fail"]


# Order and room.


def test_a_queue_keeps_the_order_of_creation(installation: ToyInstallation, start: Start) -> None:
    done: list[tuple[str, str]] = []

    def work(job: Job) -> None:
        time.sleep(0.01)
        done.append((job.payload["q"], job.resource_arn.rsplit("/", 1)[1]))

    arns = [installation.enqueue("do", f"{n:02}", q=f"q{n % 2}", queue=f"q{n % 2}") for n in range(10)]
    start(Doing(work))
    for arn in arns:
        assert installation.wait(arn) == "ACTIVE"
    for queue in ("q0", "q1"):
        names = [name for q, name in done if q == queue]
        assert names == sorted(names)
        assert len(names) == 5


def test_a_job_waits_for_its_hour(tmp_path: Path, start: Start) -> None:
    clock = SetClock()
    installation = ToyInstallation.open(tmp_path / "clocked", clock)
    late = installation.enqueue("noop", "late", not_before=clock.now() + 3600)
    start(ToyWorkflow("noop"), on=installation)
    assert installation.wait(installation.enqueue("noop", "now")) == "ACTIVE"
    assert installation.status(late) == "CREATE PENDING"
    clock.time += 3600
    assert installation.wait(late) == "ACTIVE"


def test_long_heavy_jobs_keep_within_their_slots_and_no_light_job_waiting(
    installation: ToyInstallation, start: Start
) -> None:
    go, running, most = threading.Event(), [], []

    class Long(Doing):
        heavy = True

    def work(job: Job) -> None:
        running.append(job.id)
        most.append(len(running))
        assert go.wait(20)
        running.remove(job.id)

    start(Long(work, "long"), ToyWorkflow("noop"))
    long = [installation.enqueue("long", f"long{n}") for n in range(5)]
    settle(lambda: len(running) == installation.settings.job_slots)
    light = [installation.enqueue("noop", f"light{n}") for n in range(30)]
    for arn in light:
        assert installation.wait(arn) == "ACTIVE"
    assert sorted(map(installation.status, long)) == ["CREATE IN_PROGRESS"] * 2 + ["CREATE PENDING"] * 3
    go.set()
    for arn in long:
        assert installation.wait(arn) == "ACTIVE"
    assert max(most) == installation.settings.job_slots


def test_a_heavy_step_in_a_light_workflow_waits_for_a_slot(
    installation: ToyInstallation, start: Start, tmp_path: Path
) -> None:
    def work(job: Job) -> dict[str, Any]:
        return job.heavy("engine.toy:spell", started=str(tmp_path), seconds=0.05)

    start(Doing(work), ToyWorkflow("noop"))
    arns = [installation.enqueue("do", str(n)) for n in range(6)]
    for arn in arns:
        assert installation.wait(arn) == "ACTIVE"
    ends = sorted(tmp_path.glob("*.end"))
    spells = [(float(e.with_suffix("").read_text()), float(e.read_text())) for e in ends]
    assert len(spells) == 6
    for begin, _ in spells:
        assert sum(b <= begin < e for b, e in spells) <= installation.settings.job_slots


def test_steps_that_run_at_once_share_the_cores(installation: ToyInstallation, start: Start) -> None:
    """The first has all of them; who begins beside it half; who begins alone again has all."""

    class Long(Doing):
        heavy = True

    began: list[str] = []

    def work(job: Job) -> dict[str, Any]:
        made = job.heavy("engine.toy:threads")
        began.append(job.id)
        while len(began) < job.payload["with"]:
            time.sleep(0.01)
        return made

    def threads(arn: str) -> int:
        assert installation.wait(arn) == "ACTIVE"
        with installation.scope.read() as tx:
            return int(tx.require(arn).attributes["threads"])

    start(Long(work, "long"))
    first = installation.enqueue("long", "first", **{"with": 2})
    settle(lambda: len(began) == 1)
    beside = installation.enqueue("long", "beside", **{"with": 0})
    cores = available_cores()
    assert (threads(first), threads(beside)) == (cores, max(1, cores // 2))
    assert threads(installation.enqueue("long", "alone", **{"with": 0})) == cores


@pytest.mark.parametrize(
    ("said", "steps", "threads"), [(0, 1, None), (0, 10_000, 1), (3, 2, 3), (0, 0, None)]
)
def test_a_share_is_at_least_a_core_and_a_setting_rules(said: int, steps: int, threads: int | None) -> None:
    shared = with_share(read_settings({"threads": said}, {}), steps)
    assert shared.threads == (available_cores() if threads is None else threads)


# Stopping.


def test_a_running_job_is_stopped(installation: ToyInstallation, start: Start, tmp_path: Path) -> None:
    start(Heavy("heavy"))
    arn = installation.enqueue("heavy", "a", step="wait_for_stop", arguments={"started": str(tmp_path / "s")})
    settle((tmp_path / "s").exists)
    with installation.scope.write() as tx:
        tx.update(arn, status="CREATE STOPPING")
        assert tx.request_cancel(arn)
    assert installation.wait(arn) == "CREATE STOPPED"
    assert report(installation, arn)["state"] == "cancelled"


def test_a_stop_that_comes_before_the_commit_wins(installation: ToyInstallation, start: Start) -> None:
    def work(job: Job) -> None:
        with job.scope.write() as tx:
            tx.update(job.resource_arn, status="CREATE STOPPING")
            tx.request_cancel(job.resource_arn)

    start(Doing(work))
    arn = installation.enqueue("do", "a")
    assert installation.wait(arn) == "CREATE STOPPED"


def test_a_job_between_two_tries_is_stopped(tmp_path: Path, start: Start) -> None:
    installation = ToyInstallation.open(tmp_path / "clocked", SetClock())

    def work(_: Job) -> None:
        raise ZeroDivisionError

    start(Doing(work), on=installation)
    arn = installation.enqueue("do", "a")
    settle(
        lambda: report(installation, arn)["attempts"] == 1 and report(installation, arn)["state"] == "queued"
    )
    with installation.scope.write() as tx:
        tx.update(arn, status="CREATE STOPPING")
        assert tx.request_cancel(arn)
    assert installation.wait(arn) == "CREATE STOPPED"


def test_a_light_job_can_look_whether_to_stop(installation: ToyInstallation, start: Start) -> None:
    begun = threading.Event()

    def work(job: Job) -> None:
        begun.set()
        while True:
            job.check()
            time.sleep(0.005)

    start(Doing(work))
    arn = installation.enqueue("do", "a")
    assert begun.wait(20)
    with installation.scope.write() as tx:
        tx.request_cancel(arn)
    assert installation.wait(arn) == "CREATE STOPPED"


def test_a_server_that_goes_down_leaves_its_jobs_to_the_next(
    installation: ToyInstallation, start: Start, tmp_path: Path
) -> None:
    first = start(Heavy("heavy"))
    arn = installation.enqueue("heavy", "a", step="wait_for_stop", arguments={"started": str(tmp_path / "s")})
    settle((tmp_path / "s").exists)
    first.stop(drain=True)
    assert installation.status(arn) == "CREATE IN_PROGRESS"
    assert report(installation, arn)["state"] == "queued"

    class Finishing(Heavy):
        def work(self, job: Job) -> dict[str, Any]:
            return {"attempts": job.attempts}

    start(Finishing("heavy"))
    assert installation.wait(arn) == "ACTIVE"
    with installation.scope.read() as tx:
        assert tx.require(arn).attributes == {"attempts": 2}


def test_draining_lets_light_jobs_end(installation: ToyInstallation, start: Start) -> None:
    begun = threading.Event()

    def work(_: Job) -> None:
        begun.set()
        time.sleep(0.2)

    runner = start(Doing(work))
    arn = installation.enqueue("do", "a")
    assert begun.wait(20)
    runner.stop(drain=True)
    assert installation.status(arn) == "ACTIVE"


# Housekeeping.


def test_old_records_are_forgotten(tmp_path: Path, start: Start) -> None:
    clock = SetClock()
    installation = ToyInstallation.open(tmp_path / "clocked", clock)
    first = start(Heavy("heavy"), on=installation)
    arguments = {"problems": 3}
    kept, gone = (
        installation.enqueue("heavy", n, step="refuse", arguments=arguments) for n in ("kept", "gone")
    )
    for arn in (kept, gone):
        installation.wait(arn)
    first.stop(drain=True)
    with installation.scope.write() as tx:
        tx.remove(gone)
    clock.time += 91 * 86400
    start(Heavy("heavy"), on=installation)
    settle(lambda: job_report(installation.scope, gone) is None)
    assert report(installation, kept)["problem_count"] == 3
    assert job_problems(installation.scope, kept) == []


# Several runners.


def test_many_runners_do_each_job_once(installation: ToyInstallation, start: Start) -> None:
    done: list[str] = []
    for _ in range(4):
        start(Doing(lambda job: done.append(job.id)))
    arns = [installation.enqueue("do", str(n)) for n in range(40)]
    for arn in arns:
        assert installation.wait(arn) == "ACTIVE"
    assert len(done) == len(set(done)) == 40


def settle(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.005)


def test_one_with_nothing_to_do_rests_and_yet_sees_what_others_ask_for(tmp_path: Path, start: Start) -> None:
    mine, others = ToyInstallation.open(tmp_path / "shared"), ToyInstallation.open(tmp_path / "shared")
    runner = start(Doing(lambda job: None), on=mine)
    settle(lambda: runner.seconds_since_turn() > 0.3)
    assert others.wait(others.enqueue("do", "a")) == "ACTIVE"
    runner.stop(drain=False)
    for one in (mine, others):
        one.metadata.close()


def test_work_folders_of_jobs_that_have_ended_are_swept_at_start(
    installation: ToyInstallation, start: Start
) -> None:
    """A server that is killed between the end of a job and the removal leaves its folder."""
    began, go_on = threading.Event(), threading.Event()

    def work(job: Job) -> dict[str, Any]:
        (work_folder(installation.settings, job.id) / "progress.json").write_text("{}")
        began.set()
        assert go_on.wait(30)
        return {}

    start(Doing(work))
    arn = installation.enqueue("do", "at-work")
    assert began.wait(30)
    left = work_folder(installation.settings, "ended-long-ago")
    (left / "output.jsonl").write_text("line")
    start()
    settle(lambda: not left.exists())
    assert [(path / "progress.json").exists() for path in left.parent.iterdir()] == [True]
    go_on.set()
    assert installation.wait(arn) == "ACTIVE"
