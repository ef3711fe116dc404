"""Sealing in the background: what is due is done by a step of its own, in a process beside the server."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from contract.live_log import GROUP, SCHEMA
from openpersonalize.engine.executor import Executor, Interruption, StepBroke, StepCall
from openpersonalize.engine.task import Report
from openpersonalize.events.entries import Event
from openpersonalize.installation import Installation
from openpersonalize.settings import read_settings
from openpersonalize.workflows.sealing import Sealing


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    settings = read_settings({"data_dir": str(tmp_path), "segment_rows": 20}, {})
    for folder in ("snapshots", "artifacts", "staging"):
        (tmp_path / folder).mkdir()
    installation = Installation.open(settings)
    yield installation
    installation.close()


def append(installation: Installation, count: int) -> None:
    events = [Event("ann", "s", f"i{n}", n, "click") for n in range(1, count + 1)]
    installation.log.append(GROUP, events).result()


def test_a_process_seals_what_is_due_while_the_server_goes_on(installation: Installation) -> None:
    sealing = Sealing(installation)
    assert sealing.look() == 0
    append(installation, 70)
    assert installation.log.seal_due()
    assert sealing.look() == 2
    assert not installation.log.seal_due()
    keys = list(installation.settings.data.glob("segments/1/*"))
    assert sorted(key.name.partition(".")[0] for key in keys) == ["1-20", "21-40"]
    times = installation.log.interactions_frame(GROUP, SCHEMA)["TIMESTAMP"].to_list()
    assert times == list(range(1, 71))
    assert len(installation.log.tail().history(GROUP, "ann")) == 70


class Breaking(Executor):
    """Fails the first time."""

    def __init__(self) -> None:
        self.calls = 0

    def run(
        self, call: StepCall, report: Callable[[Report], None], interruption: Interruption
    ) -> dict[str, int]:
        self.calls += 1
        if self.calls == 1:
            raise StepBroke("a disk that is full")
        return {"pieces": 1}


def test_an_error_is_logged_and_sealing_goes_on(
    installation: Installation, caplog: pytest.LogCaptureFixture
) -> None:
    append(installation, 50)
    executor = Breaking()
    sealing = Sealing(installation, executor, every=0.01)
    sealing.start()
    deadline = time.monotonic() + 10
    while executor.calls < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    sealing.stop()
    assert executor.calls >= 3
    assert "a disk that is full" in caplog.text
