from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import msgspec
import pytest
from click.testing import CliRunner

from live import free_port
from openpersonalize.cli.jobs import duration, job_table, progress_bar
from openpersonalize.cli.main import main

ARN = "arn:aws:personalize:us-east-1:000000000000:"
REPORTS = [
    {
        "arn": ARN + "solution/films/0a1b2c3d",
        "kind": "train",
        "state": "running",
        "progress": {"step": "fit", "done": 30, "total": 120, "unit": "steps", "eta_seconds": 185.2},
    },
    {"arn": ARN + "campaign/films", "kind": "deploy", "state": "queued", "progress": None, "not_before": 0.0},
    {
        "arn": ARN + "dataset-import-job/items",
        "kind": "import",
        "state": "done",
        "progress": {"done": 1, "total": 1},
    },
]


class Page(BaseHTTPRequestHandler):
    """What ``GET /v1/jobs`` answers; it demands a signature where the server's `guarded` is set."""

    def do_GET(self) -> None:
        signed = self.headers.get("Authorization", "").startswith("AWS4-HMAC-SHA256 Credential=OPAK/")
        refused = self.server.guarded and not signed  # type: ignore[attr-defined]
        error = {"error": {"code": "MissingAuthenticationToken", "message": "sign it"}}
        body = msgspec.json.encode(error if refused else {"jobs": REPORTS})
        self.send_response(403 if refused else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    found = HTTPServer(("127.0.0.1", 0), Page)
    found.guarded = False  # type: ignore[attr-defined]
    thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield found
    found.shutdown()
    thread.join()
    found.server_close()


def run(server: HTTPServer, *words: str) -> str:
    endpoint = f"http://127.0.0.1:{server.server_port}"
    result = CliRunner().invoke(main, ["jobs", "--once", "--endpoint", endpoint, *words])
    return f"{result.exit_code} {result.output}"


def test_the_table_shows_what_is_at_work() -> None:
    lines = job_table(REPORTS, everything=False).splitlines()
    assert lines[0].split() == ["RESOURCE", "STATE", "STEP", "PROGRESS", "ETA"]
    assert lines[1].split()[:3] == ["solution/films/0a1b2c3d", "running", "fit"]
    assert "[#####...............]  25%" in lines[1]
    assert lines[1].endswith("3 min 05 s")
    assert lines[2].split() == ["campaign/films", "queued", "deploy"]
    assert len(lines) == 3


def test_finished_jobs_on_request() -> None:
    assert "dataset-import-job/items" in job_table(REPORTS, everything=True)
    assert job_table([], everything=False) == "No jobs are queued or running."


def test_a_job_that_waits_for_its_time_is_no_training_that_waits() -> None:
    retirement = {
        "arn": ARN + "solution/films",
        "kind": "retire-models",
        "state": "queued",
        "progress": None,
        "not_before": 1_000_060.0,
    }
    waiting = job_table([retirement], False, now=1_000_018.0).splitlines()
    assert waiting[1].split() == ["solution/films", "scheduled", "retire", "models", "in", "42", "s"]
    due = job_table([retirement], False, now=1_000_061.0).splitlines()
    assert due[1].split() == ["solution/films", "queued", "retire", "models"]


def test_automatic_trainings_to_come() -> None:
    scheduled = [{"arn": ARN + "solution/films", "due": 2e9, "due_in_seconds": 3 * 86_400 + 7200}]
    lines = job_table(REPORTS, False, scheduled).splitlines()
    assert lines[-1].split() == [
        "solution/films",
        "scheduled",
        "automatic",
        "training",
        "in",
        "3",
        "d",
        "02",
        "h",
    ]
    assert len(job_table([], False, scheduled).splitlines()) == 2


def test_a_server_without_keys(server: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    assert "solution/films/0a1b2c3d" in run(server)


def test_a_server_with_keys(server: HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.guarded = True  # type: ignore[attr-defined]
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    assert run(server).startswith("2 ")
    refused = run(server)
    assert "sign it" in refused
    assert "openpersonalize key create --role read" in refused
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "OPAK")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert "solution/films/0a1b2c3d" in run(server)


def test_no_server() -> None:
    result = CliRunner().invoke(main, ["jobs", "--once", "--port", str(free_port())])
    assert result.exit_code == 2
    assert "openpersonalize serve" in result.output


@pytest.mark.parametrize(
    ("done", "total", "bar"),
    [
        (0, 10, "[....................]   0%"),
        (10, 10, "[####################] 100%"),
        (20, 10, "[####################] 100%"),
        (5, 0, ""),
        (None, 10, ""),
    ],
)
def test_bars(done: float | None, total: float, bar: str) -> None:
    assert progress_bar(done, total) == bar


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, ""), (0.4, "0 s"), (59, "59 s"), (65, "1 min 05 s"), (7830, "2 h 10 min"), (608_500, "7 d 01 h")],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text
