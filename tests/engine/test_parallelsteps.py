"""Steps of one job run at once where slots are free, end with the first that fails, keep nobody waiting."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.immediate import ImmediateExecutor
from engine.toy import Heavy, HeavyEach, ToyInstallation
from openpersonalize.engine.report import job_report
from openpersonalize.engine.runner import JobRunner
from openpersonalize.engine.subprocesses import SubprocessExecutor

Start = Callable[..., ToyInstallation]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """An installation with so many slots and a runner on it."""
    ends: list[Callable[[], None]] = []

    def begin(slots: int, executor: Any = None) -> ToyInstallation:
        installation = ToyInstallation.open(tmp_path / "data", job_slots=slots)
        workflows = {"each": HeavyEach("each"), "heavy": Heavy("heavy")}
        runner = JobRunner(installation, workflows, executor or ImmediateExecutor())  # type: ignore[arg-type]
        runner.start()
        ends.extend((lambda: runner.stop(drain=False), installation.metadata.close))
        return installation

    yield begin
    for end in ends:
        end()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "meeting"
    made.mkdir()
    return made


def call(name: str, *after: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "after": list(after), **more}


def told(installation: ToyInstallation, arn: str) -> dict[str, Any]:
    found = job_report(installation.scope, arn)
    assert found is not None
    return found


def seen(folder: Path, *names: str) -> None:
    end = time.monotonic() + 30
    while not all((folder / name).exists() for name in names):
        assert time.monotonic() < end, f"{names} never came"
        time.sleep(0.01)


def test_steps_meet_where_there_are_slots(start: Start, folder: Path) -> None:
    installation = start(3, SubprocessExecutor())
    three = [call(name, "a", "b", "c") for name in "abc"]
    arn = installation.enqueue("each", "v", folder=str(folder), calls=three, most=5)
    assert installation.wait(arn) == "ACTIVE"
    with installation.scope.read() as tx:
        assert tx.require(arn).attributes["names"] == ["a", "b", "c"]
    report = told(installation, arn)
    assert sorted(line["text"] for line in report["lines"]) == [f"{name} begins" for name in "abc"]
    assert report["progress"] is None, "of several at once it is the job's to tell"


@pytest.mark.parametrize(("slots", "most"), [(1, 3), (3, 1)])
def test_one_after_the_other(start: Start, folder: Path, slots: int, most: int) -> None:
    """Each waits for the one before to be gone: at once they would be seen together."""
    installation = start(slots)
    chain = [call("a"), call("b", "a.gone"), call("c", "b.gone")]
    arn = installation.enqueue("each", "v", folder=str(folder), calls=chain, most=most)
    assert installation.wait(arn) == "ACTIVE"


def test_one_that_fails_ends_the_others_and_the_job(start: Start, folder: Path) -> None:
    installation = start(2)
    calls = [call("a", "never"), call("b", "a", fails=True), call("c")]
    arn = installation.enqueue("each", "v", folder=str(folder), calls=calls, most=2)
    assert installation.wait(arn) == "CREATE FAILED"
    assert told(installation, arn)["reason"] == "b did not work out."
    assert not (folder / "c.gone").exists()
    other = installation.enqueue("each", "w", folder=str(folder), calls=[call("d", "e"), call("e")], most=2)
    assert installation.wait(other) == "ACTIVE", "no slot was lost"


def test_a_stop_ends_them_all(start: Start, folder: Path) -> None:
    installation = start(2)
    calls = [call("a", "never"), call("b", "never")]
    arn = installation.enqueue("each", "v", folder=str(folder), calls=calls, most=2)
    seen(folder, "a", "b")
    with installation.scope.write() as tx:
        tx.update(arn, status="CREATE STOPPING")
        assert tx.request_cancel(arn)
    assert installation.wait(arn) == "CREATE STOPPED"


def test_another_job_that_waits_goes_before_further_steps(start: Start, folder: Path) -> None:
    """Two steps hold both slots; the third and fourth end only after a job that came meanwhile."""
    installation = start(2)
    calls = [call("a", "b", "go"), call("b", "a", "go"), call("c", "other"), call("d", "other")]
    arn = installation.enqueue("each", "v", folder=str(folder), calls=calls, most=2)
    seen(folder, "a", "b")
    arguments = {"folder": str(folder), "name": "other", "after": []}
    other = installation.enqueue("heavy", "w", step="meet", arguments=arguments)
    (folder / "go").write_text("")
    assert installation.wait(other) == "ACTIVE"
    assert installation.wait(arn) == "ACTIVE"
