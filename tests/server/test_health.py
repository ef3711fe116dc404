from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from openpersonalize.server.health import Health

from .wire import wire

LIVING: Any = SimpleNamespace(is_alive=lambda: True)
TURNING: Any = SimpleNamespace(seconds_since_turn=lambda: 0.1)


def checks(data: Path, *, runner: Any = TURNING, consumer: Any = LIVING, least_free_mb: int = 1) -> Any:
    health = Health(data, runner, consumer, least_free_mb=least_free_mb)
    report = json.loads(health.report())
    bad = {name: sentence for name, sentence in report["checks"].items() if sentence != "ok"}
    assert report["status"] == ("degraded" if bad else "ready")
    return bad


def test_all_is_well(tmp_path: Path) -> None:
    assert checks(tmp_path) == {}


def test_a_full_disk(tmp_path: Path) -> None:
    found = checks(tmp_path, least_free_mb=1 << 40)
    assert list(found) == ["disk"]
    assert "health_free_mb" in found["disk"]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    health = Health(gone, None, LIVING, least_free_mb=0)
    assert health.checks() == {"disk": "ok", "live_log": "ok", "log_consumer": "ok"}
    (gone / "file").touch()
    broken = Health(gone / "file", None, LIVING, least_free_mb=0)
    assert "cannot be written (Not a directory)" in broken.checks()["live_log"]


def test_a_log_that_stores_nothing(tmp_path: Path) -> None:
    """Though the folder takes files."""
    full = Health(tmp_path, None, LIVING, least_free_mb=0, refusal=lambda: "disk I/O error")
    assert "could not be stored (disk I/O error)" in full.checks()["live_log"]


def test_a_runner_that_stands_still(tmp_path: Path) -> None:
    still: Any = SimpleNamespace(seconds_since_turn=lambda: 31.0)
    assert "stood still for 31 seconds" in checks(tmp_path, runner=still)["job_runner"]


def test_a_consumer_that_ended(tmp_path: Path) -> None:
    ended: Any = SimpleNamespace(is_alive=lambda: False)
    assert "Restart the server" in checks(tmp_path, consumer=ended)["log_consumer"]


@pytest.mark.parametrize("path", ["/health", "/health/live"])
def test_a_degraded_server_still_answers(tmp_path: Path, path: str) -> None:
    with wire(tmp_path, {}, health_free_mb=1 << 40) as live:
        reply = live.send("GET", path)
    assert reply.status == 200
    assert json.loads(reply.body)["status"] == ("degraded" if path == "/health" else "live")
