"""``openpersonalize backup`` and ``restore`` beside a server that streams, imports and answers."""

from __future__ import annotations

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import shop
from live import Clients, Server, Wait, make_clients, make_shop
from openpersonalize.cli.main import main
from openpersonalize.datasets.schemas import parse_schema
from openpersonalize.installation import Installation
from openpersonalize.settings import read_settings

REGION = "us-east-1"
OPTIONS = ("--segment-rows", "50")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("backup") / "data", OPTIONS).start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def stock(own: Server) -> shop.SmallShop:
    return make_shop(own, REGION)


def run(*words: str) -> Result:
    return CliRunner().invoke(main, [*words], env={"AWS_PROFILE": None})


class Visitor:
    """Streams events, each with an eventId of its own, until it is stopped."""

    def __init__(self, clients: Clients, tracking: str) -> None:
        self._clients, self._tracking = clients, tracking
        self.acknowledged: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work)

    def __enter__(self) -> Visitor:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        number = 0
        while not self._stop.is_set():
            ids = [f"event-{number + k}" for k in range(10)]
            number += 10
            events = [
                {
                    "eventId": one,
                    "eventType": "click",
                    "itemId": shop.ITEMS[k],
                    "sentAt": int(time.time()),
                    "properties": "{}",
                }
                for k, one in enumerate(ids)
            ]
            self._clients.events.put_events(
                trackingId=self._tracking, sessionId=f"s-{number}", userId=f"u-{number}", eventList=events
            )
            self.acknowledged += ids


def test_a_running_server_goes_on_in_the_copy(own: Server, stock: shop.SmallShop, tmp_path: Path) -> None:
    clients = make_clients(own.endpoint, REGION)
    personalize = clients.personalize
    tracking = personalize.create_event_tracker(name="t", datasetGroupArn=stock.group)["trackingId"]
    solution = personalize.create_solution(
        name="popular",
        datasetGroupArn=stock.group,
        recipeArn="arn:aws:personalize:::recipe/aws-popularity-count",
        performAutoTraining=False,
    )["solutionArn"]
    version = personalize.create_solution_version(solutionArn=solution)["solutionVersionArn"]
    Wait(personalize).active(version)
    campaign = personalize.create_campaign(name="front", solutionVersionArn=version)["campaignArn"]
    Wait(personalize).active(campaign)
    location = own.put("s3://more/interactions.csv", shop.csv("Interactions", seed=2))
    copy = tmp_path / "copy"
    with Visitor(clients, tracking) as visitor:
        while len(visitor.acknowledged) < 300:
            time.sleep(0.02)
        more = personalize.create_dataset_import_job(
            jobName="more",
            datasetArn=stock.datasets["Interactions"],
            dataSource={"dataLocation": location},
            importMode="INCREMENTAL",
        )["datasetImportJobArn"]
        before = list(visitor.acknowledged)
        made = run("backup", str(copy), "--data-dir", str(own.data), "--json")
        assert made.exit_code == 0, made.output
    assert json.loads(made.stdout)["files"] > 10
    checked = run("backup", str(copy), "--verify")
    assert checked.exit_code == 0
    assert "is whole" in checked.output
    restored = tmp_path / "restored"
    told = run("restore", str(copy), "--data-dir", str(restored))
    assert told.exit_code == 0, told.output
    assert f"openpersonalize serve --data-dir {restored}" in told.output
    if os.name == "posix":
        ours = [path for path in (*copy.rglob("*"), *restored.rglob("*")) if "buckets" not in path.parts]
        assert not [path for path in ours if path.stat().st_mode & 0o077]
    found = events(restored, stock.datasets["Interactions"])
    assert not set(before) - found.keys(), "every event acknowledged before the backup began"
    assert set(found.values()) == {1}, "none twice"
    second = Server(restored, OPTIONS).start()
    try:
        there = make_clients(second.endpoint, REGION)
        Wait(there.personalize).active(more)
        answer = there.runtime.get_recommendations(campaignArn=campaign, userId="user-01", numResults=5)
        assert len(answer["itemList"]) == 5
        with Visitor(there, tracking) as again:
            while len(again.acknowledged) < 20:
                time.sleep(0.02)
        used = run("restore", str(copy), "--data-dir", str(restored))
        assert used.exit_code == 2
        assert f"The data folder {restored} is in use by a server" in used.output
    finally:
        second.stop()


def events(folder: Path, dataset: str) -> Counter[str]:
    """How often each eventId is in the live log of a data folder, repetitions included."""
    installation = Installation.open(read_settings({"data_dir": str(folder)}, {}))
    try:
        schema = parse_schema(shop.SCHEMAS["Interactions"])
        frame = installation.log.interactions_frame(dataset, schema)
        users, items = frame["USER_ID"].to_list(), frame["ITEM_ID"].to_list()
        assert not frame["#DUPLICATE"].any()
    finally:
        installation.close()
    ids = (
        f"event-{int(user[2:]) - 10 + shop.ITEMS.index(item)}"
        for user, item in zip(users, items, strict=True)
    )
    return Counter(ids)


def test_what_is_refused(own: Server, tmp_path: Path) -> None:
    def refused(*words: Any) -> str:
        made = run(*map(str, words))
        assert made.exit_code == 2, made.output
        assert made.output.count("\n") == 1
        return made.output

    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.docx").write_text("x")
    assert "is no data folder of a server" in refused("backup", tmp_path / "copy", "--data-dir", other)
    assert "is there already" in refused("backup", other, "--data-dir", own.data)
    assert "lies in the data folder" in refused("backup", own.data / "copy", "--data-dir", own.data)
    assert "is no backup" in refused("backup", other, "--verify")
    assert "is no backup" in refused("restore", other, "--data-dir", tmp_path / "new")
    copy = tmp_path / "copy"
    assert run("backup", str(copy), "--data-dir", str(own.data)).exit_code == 0
    assert "is not empty (thesis.docx)" in refused("restore", copy, "--data-dir", other)
    assert "in use by a server" in refused("restore", copy, "--data-dir", own.data)
    [parts, *_] = sorted((copy / "parts").iterdir())
    parts.rename(tmp_path / "lost")
    assert f"parts/{parts.name} is missing, and snapshots/" in refused(
        "restore", copy, "--data-dir", tmp_path / "new"
    )
    checked = run("backup", str(copy), "--verify", "--json")
    assert checked.exit_code == 1
    assert any(f"parts/{parts.name}" in one for one in json.loads(checked.stdout)["problems"])


def test_the_folder_that_nobody_named_is_told_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "no-backup").mkdir()
    first, second = run("restore", "no-backup").output.splitlines()
    data = tmp_path / "openpersonalize-data"
    assert first == f"Restoring to the data folder {data}; --data-dir names another."
    assert "is no backup" in second
    assert not data.exists()
