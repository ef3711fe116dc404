"""A data folder of every release opens, answers as it did, and takes what comes next.

Each release leaves ``fixtures/folder-VERSION.tar.xz`` and what it answered, ``.json``; ``make_folder.py``
there makes both and says what is in it.
"""

from __future__ import annotations

import json
import shutil
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from live import Clients, Server, Wait, make_clients

FIXTURES = Path(__file__).parent / "fixtures"
V1, V2 = "aws-user-personalization", "aws-user-personalization-v2"
POPULAR, RANKING = "aws-popularity-count", "aws-personalized-ranking"
BOUGHT = {f"item-{number:02d}" for number in range(0, 60, 3)}


@dataclass(frozen=True)
class Old:
    """A server on a folder of an old release, and what is known of it."""

    server: Server
    clients: Clients
    wait: Wait
    known: dict[str, Any]

    def recommend(self, recipe: str, user: str, **more: Any) -> list[str]:
        answer = self.clients.runtime.get_recommendations(
            campaignArn=self.known["campaigns"][recipe], userId=user, numResults=10, **more
        )
        return [item["itemId"] for item in answer["itemList"]]

    def not_bought(self, user: str) -> list[str]:
        return self.recommend(POPULAR, user, filterArn=self.known["filters"]["not-bought"])


def department(item: str) -> int:
    return int(item.removeprefix("item-")) % 3


@pytest.fixture(scope="module", params=sorted(path.name for path in FIXTURES.glob("folder-*.tar.xz")))
def old(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Old]:
    data = tmp_path_factory.mktemp("old") / "data"
    with tarfile.open(FIXTURES / request.param) as archive:
        archive.extractall(data, filter="data")
    known = json.loads((FIXTURES / request.param.replace(".tar.xz", ".json")).read_text())
    server = Server(data).start()
    clients = make_clients(server.endpoint, "us-east-1")
    yield Old(server, clients, Wait(clients.personalize), known)
    server.stop()
    assert "Traceback" not in server.log.read_text()
    shutil.rmtree(data)


def test_everything_is_described_as_it_was(old: Old) -> None:
    known = old.known
    arns = [known["group"], known["tracker"], *known["datasets"].values(), *known["filters"].values()]
    arns += [*known["solutions"].values(), *known["versions"].values(), *known["campaigns"].values()]
    assert [old.wait.describe(arn)["status"] for arn in arns] == ["ACTIVE"] * len(arns)
    assert "AGE" in old.wait.failed(known["failed"])
    for recipe, arn in known["versions"].items():
        metrics = old.clients.personalize.get_solution_metrics(solutionVersionArn=arn)["metrics"]
        assert metrics == known["metrics"][recipe]
    tags = old.clients.personalize.list_tags_for_resource(resourceArn=known["group"])["tags"]
    assert tags == [{"tagKey": "made", "tagValue": "by-0.1.0"}]


def test_campaigns_answer_as_they_did(old: Old) -> None:
    answers = old.known["answers"]
    for user in ("user-000", "user-005", "never-seen"):
        assert old.recommend(POPULAR, user) == answers[f"{POPULAR} {user}"]
    for recipe in (V1, V2):
        for user in ("user-001", "user-005"):
            found = old.recommend(recipe, user)
            # New items are explored by chance, and what is popular at the moment fades with the clock.
            own = department(user.replace("user", "item"))
            assert sum(department(item) == own for item in found) >= 6
            assert len(set(found) & set(answers[f"{recipe} {user}"])) >= 5
    ranked = old.clients.runtime.get_personalized_ranking(
        campaignArn=old.known["campaigns"][RANKING],
        userId="user-002",
        inputList=[f"item-{number:02d}" for number in range(12)],
    )["personalizedRanking"]
    assert [item["itemId"] for item in ranked][:4] == answers["ranked user-002"][:4]


def test_streamed_events_and_records_are_still_there(old: Old) -> None:
    assert not BOUGHT & set(old.not_bought("user-000"))
    assert BOUGHT & set(old.not_bought("user-001"))
    found = old.recommend(
        V2,
        "user-000",
        filterArn=old.known["filters"]["department"],
        filterValues={"DEPARTMENT": '"d1"'},
    )
    assert {department(item) for item in found} == {1}


def test_new_events_are_taken_in(old: Old) -> None:
    [first, *_] = old.not_bought("user-010")
    old.clients.events.put_events(
        trackingId=old.known["tracking_id"],
        userId="user-010",
        sessionId="today",
        eventList=[{"eventType": "purchase", "itemId": first, "sentAt": time.time()}],
    )
    assert first not in old.not_bought("user-010")


def test_imports_and_trainings_go_on_from_it(old: Old) -> None:
    """An import joins the records of the old snapshot; an update goes on from the old artifact."""
    personalize, known = old.clients.personalize, old.known
    text = "ITEM_ID,DEPARTMENT,PRICE,CREATION_TIMESTAMP\nitem-91,d2,1.5,1700000000\n"
    job = personalize.create_dataset_import_job(
        jobName="today",
        datasetArn=known["datasets"]["Items"],
        dataSource={"dataLocation": old.server.put("s3://today/items.csv", text)},
        roleArn="arn:aws:iam::000000000000:role/Any",
        importMode="INCREMENTAL",
    )["datasetImportJobArn"]
    old.wait.active(job)
    for recipe, mode in ((POPULAR, "FULL"), (V1, "UPDATE")):
        version = personalize.create_solution_version(
            solutionArn=known["solutions"][recipe], trainingMode=mode
        )["solutionVersionArn"]
        old.wait.active(version, 120)
        personalize.update_campaign(campaignArn=known["campaigns"][recipe], solutionVersionArn=version)
        old.wait.updated(known["campaigns"][recipe], "latestCampaignUpdate")
    everything = old.clients.runtime.get_recommendations(
        campaignArn=known["campaigns"][POPULAR], userId="user-005", numResults=100
    )["itemList"]
    # The 60 of the first imports, one put by PutItems, one of today.
    assert {"item-90", "item-91"} < {item["itemId"] for item in everything}
    assert len(everything) == 62
    assert sum(department(item) == 2 for item in old.recommend(V1, "user-005")) >= 6


def test_what_is_old_can_be_deleted(old: Old) -> None:
    campaign = old.known["campaigns"][RANKING]
    old.clients.personalize.delete_campaign(campaignArn=campaign)
    old.wait.gone(campaign)
    solution = old.known["solutions"][RANKING]
    old.clients.personalize.delete_solution(solutionArn=solution)
    old.wait.gone(solution)
