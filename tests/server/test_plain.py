from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from openpersonalize.workflows.schedule import begin_schedule

from .wire import Wire, wire

PREFIX = "arn:aws:personalize:{}:000000000000:"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    with wire(tmp_path_factory.mktemp("plain"), {}) as running:
        yield running


def add_job(live: Wire, region: str, kind: str, part: str) -> str:
    """A resource with a queued job, as an operation would leave it."""
    scope = live.app.running.scope(region)
    arn = PREFIX.format(region) + part
    with scope.write() as tx:
        tx.add(kind, arn, part.rpartition("/")[2], status="CREATE PENDING")
        tx.enqueue("test", arn, {})
    return arn


def page(live: Wire, path: str) -> tuple[int, Any]:
    reply = live.send("GET", path)
    assert reply.headers["content-type"] == "application/json"
    return reply.status, json.loads(reply.body)


def test_health(live: Wire) -> None:
    well = dict.fromkeys(("disk", "live_log", "log_consumer"), "ok")
    assert page(live, "/health") == (200, {"status": "ready", "checks": well})
    assert page(live, "/health/live") == (200, {"status": "live"})
    head = live.send("HEAD", "/health")
    assert (head.status, head.body) == (200, b"")


def test_jobs_of_all_regions_and_of_one(live: Wire) -> None:
    arns = [
        add_job(live, region, "dataset-import-job", "dataset-import-job/a")
        for region in ("eu-west-1", "sa-east-1")
    ]
    status, found = page(live, "/v1/jobs")
    assert status == 200
    assert {job["arn"] for job in found["jobs"]} >= set(arns)
    made = [job["created"] for job in found["jobs"]]
    assert made == sorted(made, reverse=True)
    [job] = page(live, "/v1/jobs?region=sa-east-1")[1]["jobs"]
    assert (job["arn"], job["state"]) == (arns[1], "queued")


def test_automatic_trainings_to_come_of_all_regions_and_of_one(live: Wire) -> None:
    due = {}
    for region, minutes in (("eu-west-2", 30), ("sa-east-2", 20)):
        scope = live.app.running.scope(region)
        arn = PREFIX.format(region) + "solution/s"
        now = live.app.running.installation.clock.now()
        with scope.write() as tx:
            tx.add(
                "solution",
                arn,
                "s",
                status="ACTIVE",
                attributes={"performAutoTraining": True, "solutionConfig": {}},
                internal={"automatic": begin_schedule(now, minutes)},
            )
        due[arn] = now + 60 * minutes
    found = page(live, "/v1/jobs")[1]["scheduled"]
    assert [one["arn"] for one in found] == sorted(due, key=lambda arn: due[arn])
    for one in found:
        assert one["due"] == pytest.approx(due[one["arn"]])
        assert 0 < one["due_in_seconds"] <= 1800
    [one] = page(live, "/v1/jobs?region=eu-west-2")[1]["scheduled"]
    assert one["arn"].endswith("eu-west-2:000000000000:solution/s")


@pytest.mark.parametrize(
    ("region", "form"), [("raw", str), ("encoded", lambda arn: quote(arn, safe="")), ("mixed", quote)]
)
def test_one_job_by_its_arn_in_any_form(live: Wire, region: str, form: Any) -> None:
    arn = add_job(live, region, "solution-version", "solution/films/0a1b2c3d")
    status, job = page(live, f"/v1/jobs/{form(arn)}")
    assert (status, job["arn"], job["status"]) == (200, arn, "CREATE PENDING")
    assert page(live, f"/v1/jobs/{form(arn)}/problems") == (200, {"arn": arn, "problems": []})


def test_a_solution_version_called_problems(live: Wire) -> None:
    arn = add_job(live, "eu-west-1", "solution-version", "solution/shoes/problems")
    assert page(live, f"/v1/jobs/{arn}")[1]["arn"] == arn


@pytest.mark.parametrize(
    "path",
    [
        "/v1/",
        "/v1/nothing",
        "/v1/jobs/films",
        "/v1/jobs/" + PREFIX.format("eu-west-1") + "campaign/none",
        "/v1/jobs/" + PREFIX.format("eu-west-1") + "campaign/none/problems",
        "/v1/jobs/arn:aws:personalize:eu-west-1:999999999999:campaign/a",
    ],
)
def test_what_is_not_there(live: Wire, path: str) -> None:
    status, answer = page(live, path)
    assert status == 404
    assert answer["error"]["code"] == "ResourceNotFoundException"
    assert answer["error"]["message"]


def test_only_reading(live: Wire) -> None:
    reply = live.send("POST", "/v1/jobs", b"{}")
    assert (reply.status, json.loads(reply.body)["error"]["code"]) == (400, "InvalidInputException")


def test_a_page_that_breaks_is_an_internal_failure(live: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openpersonalize.server.plain.job_list", lambda scope: 1 / 0)
    status, answer = page(live, "/v1/jobs?region=eu-west-1")
    assert (status, answer["error"]["code"]) == (500, "InternalFailure")
