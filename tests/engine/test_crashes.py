"""Servers killed at any moment: what was asked for is done in the end, and nothing half is ever seen.

``CRASH_ROUNDS=20 python -m pytest tests/engine/test_crashes.py`` kills more of them.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.toy import ToyInstallation
from openpersonalize.engine.report import job_report

PARTS = 25
ROUNDS = int(os.environ.get("CRASH_ROUNDS", "1"))

Start = Callable[[], subprocess.Popen[str]]


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[ToyInstallation]:
    opened = ToyInstallation.open(tmp_path / "data")
    yield opened
    opened.metadata.close()


@pytest.fixture
def start(installation: ToyInstallation) -> Iterator[Start]:
    servers: list[subprocess.Popen[str]] = []
    paths = [str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}

    def begin() -> subprocess.Popen[str]:
        server = subprocess.Popen(
            [sys.executable, "-m", "engine.server", installation.settings.data_dir],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        servers.append(server)
        assert server.stdout is not None
        assert server.stdout.readline() == "started\n"
        return server

    yield begin
    for server in servers:
        server.kill()
        server.communicate()


def check_whole(installation: ToyInstallation) -> None:
    """What a status promises is there, and what is there is whole."""
    with installation.scope.read() as tx:
        for version in tx.find("solution-version"):
            if version.status == "ACTIVE":
                assert installation.objects.exists(version.attributes["artifact"])
            else:
                assert "artifact" not in version.attributes
    artifacts = installation.settings.data / "artifacts"
    for folder in artifacts.iterdir() if artifacts.is_dir() else ():
        files = list(folder.iterdir())
        assert len(files) == PARTS
        assert all(file.read_text() == "whole" * 1000 for file in files)


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_a_server_killed_again_and_again(installation: ToyInstallation, start: Start, seed: int) -> None:
    moments = random.Random(seed)
    arns = [
        installation.enqueue("publish", f"v{n}", parts=PARTS, queue="one" if n % 2 else None)
        for n in range(4)
    ]
    for _ in range(3):
        server = start()
        time.sleep(moments.uniform(0.0, 0.8))
        server.kill()
        server.wait()
        check_whole(installation)
    start()
    for arn in arns:
        assert installation.wait(arn, seconds=60) == "ACTIVE"
    check_whole(installation)
    staging = installation.settings.data / "staging"
    installation.objects.sweep()
    assert [path for path in staging.iterdir() if path.is_dir()] == []


def test_a_restarted_server_takes_up_its_work_at_once(
    installation: ToyInstallation, start: Start, tmp_path: Path
) -> None:
    counter = tmp_path / "spells"
    counter.mkdir()
    arn = installation.enqueue(
        "heavy", "a", step="spell", arguments={"started": str(counter), "seconds": 0.4}
    )
    server = start()
    while not list(counter.iterdir()):
        time.sleep(0.005)
    server.kill()
    server.wait()
    start()
    assert installation.wait(arn) == "ACTIVE"
    report = job_report(installation.scope, arn)
    assert report is not None
    assert report["attempts"] == 2
    # Far below the lease, which no vanished server's job has to wait for.
    assert report["finished"] - report["created"] < 25


def test_a_living_server_takes_over_from_a_killed_one(
    installation: ToyInstallation, start: Start, tmp_path: Path
) -> None:
    counter = tmp_path / "spells"
    counter.mkdir()
    first = start()
    arn = installation.enqueue(
        "heavy", "a", step="spell", arguments={"started": str(counter), "seconds": 0.4}
    )
    while not list(counter.iterdir()):
        time.sleep(0.005)
    start()
    first.kill()
    assert installation.wait(arn) == "ACTIVE"


def test_slots_hold_over_all_processes(installation: ToyInstallation, start: Start, tmp_path: Path) -> None:
    counter = tmp_path / "spells"
    counter.mkdir()
    for _ in range(2):
        start()
    arguments = {"started": str(counter), "seconds": 0.1}
    arns = [installation.enqueue("heavy", f"v{n}", step="spell", arguments=arguments) for n in range(6)]
    for arn in arns:
        assert installation.wait(arn) == "ACTIVE"
    ends = list(counter.glob("*.end"))
    spells = [(float(e.with_suffix("").read_text()), float(e.read_text())) for e in ends]
    assert len(spells) == 6
    for begin, _ in spells:
        assert sum(b <= begin < e for b, e in spells) <= installation.settings.job_slots


def test_a_stop_reaches_another_process(installation: ToyInstallation, start: Start, tmp_path: Path) -> None:
    started = tmp_path / "started"
    start()
    arn = installation.enqueue("heavy", "a", step="wait_for_stop", arguments={"started": str(started)})
    while not started.exists():
        time.sleep(0.005)
    with installation.scope.write() as tx:
        tx.update(arn, status="CREATE STOPPING")
        assert tx.request_cancel(arn)
    assert installation.wait(arn) == "CREATE STOPPED"


def test_a_server_that_ends_in_peace_leaves_its_work_to_the_next(
    installation: ToyInstallation, start: Start, tmp_path: Path
) -> None:
    started = tmp_path / "started"
    arn = installation.enqueue("heavy", "a", step="wait_for_stop", arguments={"started": str(started)})
    server = start()
    while not started.exists():
        time.sleep(0.005)
    server.communicate(timeout=30)
    assert server.returncode == 0
    report = job_report(installation.scope, arn)
    assert report is not None
    assert (report["state"], report["status"]) == ("queued", "CREATE IN_PROGRESS")
