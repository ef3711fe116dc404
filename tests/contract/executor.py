"""What every executor of heavy steps must do: inherit `ExecutorContract`; fixture `executor`."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from openpersonalize.engine.executor import Executor, Interruption, ShuttingDown, StepCall
from openpersonalize.engine.task import Report
from openpersonalize.errors import JobFailed, JobStopped
from openpersonalize.settings import Settings, read_settings


class ExecutorContract:
    """The suite; its steps are in `engine.toy`."""

    @pytest.fixture
    def settings(self, tmp_path: Path) -> Settings:
        return read_settings({"data_dir": str(tmp_path / "data"), "threads": 1}, {})

    def run(
        self,
        executor: Executor,
        settings: Settings,
        step: str,
        *,
        reports: list[Report] | None = None,
        interruption: Interruption | None = None,
        **arguments: Any,
    ) -> dict[str, Any]:
        call = StepCall(f"engine.toy:{step}", arguments, "job-1", settings)
        heard: list[Report] = [] if reports is None else reports
        return executor.run(call, heard.append, interruption or Interruption())

    def test_a_step_returns_and_reports_in_order(self, executor: Executor, settings: Settings) -> None:
        reports: list[Report] = []
        assert self.run(executor, settings, "add", reports=reports, a=2, b=3) == {"sum": 5}
        assert reports == [
            {"progress": {"step": "add", "done": 1, "total": 1, "unit": "sums"}},
            {"line": "adding 2 and 3"},
        ]

    def test_a_step_knows_its_settings_and_job(self, executor: Executor, settings: Settings) -> None:
        assert self.run(executor, settings, "look_around") == {"job": "job-1", "settings": settings.to_json()}

    def test_a_step_says_why_it_failed(self, executor: Executor, settings: Settings) -> None:
        reports: list[Report] = []
        with pytest.raises(JobFailed) as error:
            self.run(executor, settings, "refuse", reports=reports, problems=2)
        assert error.value.message == "The data is no good."
        assert [r["problem"] for r in reports] == [["a.csv", n, "USER_ID", "is empty"] for n in (2, 3)]

    def test_a_step_that_breaks_does_not_return(self, executor: Executor, settings: Settings) -> None:
        with pytest.raises(Exception, match="nobody expected this"):
            self.run(executor, settings, "break_down")

    def test_a_result_must_be_json(self, executor: Executor, settings: Settings) -> None:
        with pytest.raises(Exception, match="not JSON serializable"):
            self.run(executor, settings, "return_a_set")

    @pytest.mark.parametrize(
        ("how", "error"),
        [("stop_requested", JobStopped), ("released", ShuttingDown)],
        ids=["stop", "release"],
    )
    def test_a_step_is_ended_when_asked(
        self, executor: Executor, settings: Settings, tmp_path: Path, how: str, error: type[BaseException]
    ) -> None:
        interruption = Interruption()
        started = tmp_path / "started"

        def ask() -> None:
            while not started.exists():
                time.sleep(0.005)
            setattr(interruption, how, True)

        asking = threading.Thread(target=ask)
        asking.start()
        with pytest.raises(error):
            self.run(executor, settings, "wait_for_stop", interruption=interruption, started=str(started))
        asking.join()
