from __future__ import annotations

import pytest

from openpersonalize.engine.task import Report, Task
from openpersonalize.errors import JobStopped
from openpersonalize.settings import read_settings


@pytest.fixture
def reports() -> list[Report]:
    return []


@pytest.fixture
def task(reports: list[Report]) -> Task:
    return Task(read_settings({}, {}), "job", reports.append, lambda: False)


def test_of_many_reports_the_first_and_the_last_of_a_step_are_sent(task: Task, reports: list[Report]) -> None:
    for done in range(10_001):
        task.progress("read", done, 10_000, "rows")
    task.progress("check", 0, 5, "columns")
    sent = [(report["progress"]["step"], report["progress"]["done"]) for report in reports]
    assert sent[0] == ("read", 0)
    assert sent[-2:] == [("read", 10_000), ("check", 0)]
    assert len(sent) < 100


def test_check_raises_only_when_asked_to_stop(reports: list[Report]) -> None:
    answers = iter([False, True])
    task = Task(read_settings({}, {}), "job", reports.append, lambda: next(answers))
    task.check()
    with pytest.raises(JobStopped):
        task.check()
