"""Batch segment jobs over the wire: files of items and attributes in, files of users out."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from typing import Any

import pytest

import promises
import shop
from live import Clients, Server, Wait, fails, make_shop

RECIPE = "arn:aws:personalize:::recipe/"
ITEMS, ATTRIBUTES, OTHER = "aws-item-affinity", "aws-item-attribute-affinity", "aws-sims"
ROLE = "arn:aws:iam::000000000000:role/Batch"
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Segmenting:
    """The small shop with a version of each recipe."""

    server: Server
    clients: Clients
    wait: Wait
    stock: shop.SmallShop
    versions: dict[str, str]

    def filter(self, expression: str) -> str:
        """ARN of a new filter."""
        made = self.clients.personalize.create_filter(
            name=f"filter-{next(_numbers)}", datasetGroupArn=self.stock.group, filterExpression=expression
        )
        return str(made["filterArn"])

    def request(self, recipe: str, source: str, **more: Any) -> dict[str, Any]:
        name = f"job-{next(_numbers)}"
        return {
            "jobName": name,
            "solutionVersionArn": self.versions[recipe],
            "jobInput": {"s3DataSource": {"path": source}},
            "jobOutput": {"s3DataDestination": {"path": f"s3://out/{name}/"}},
            "roleArn": ROLE,
            **more,
        }

    def job(self, recipe: str, source: str, **more: Any) -> tuple[str, str]:
        """ARN and output location of a new job."""
        sent = self.request(recipe, source, **more)
        made = self.clients.personalize.create_batch_segment_job(**sent)
        return made["batchSegmentJobArn"], sent["jobOutput"]["s3DataDestination"]["path"]

    def lines(self, location: str) -> list[dict[str, Any]]:
        """The objects in a file of the output."""
        path = self.server.data / "buckets" / location.removeprefix("s3://")
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()]

    def answers(self, recipe: str, *lines: object, **more: Any) -> list[dict[str, Any]]:
        """The output of a job with these input lines: objects, or text as it is."""
        name = f"q-{next(_numbers)}.json"
        text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
        arn, out = self.job(recipe, self.server.put(f"s3://in/{name}", text + "\n"), **more)
        self.wait.active(arn)
        return self.lines(f"{out}{name}.out")


@pytest.fixture(scope="module")
def segmenting(server: Server, clients: Clients, wait: Wait, region: str) -> Segmenting:
    stock = make_shop(server, region)
    versions = {}
    for recipe in (ITEMS, ATTRIBUTES, OTHER):
        solution = clients.personalize.create_solution(
            name=recipe, datasetGroupArn=stock.group, recipeArn=RECIPE + recipe, performAutoTraining=False
        )["solutionArn"]
        versions[recipe] = clients.personalize.create_solution_version(solutionArn=solution)[
            "solutionVersionArn"
        ]
    for version in versions.values():
        wait.active(version, 120)
    return Segmenting(server, clients, wait, stock, versions)


def of_department(users: list[str], department: str) -> float:
    """The share of users who belong to a department."""
    return sum(shop.department(user) == department for user in users) / len(users)


def test_life(segmenting: Segmenting) -> None:
    lines = [{"itemId": "item-07"}, {"itemId": "item-08", "note": 1}]
    text = "\n".join(map(json.dumps, lines)) + "\n"
    source = segmenting.server.put("s3://in/life/q.json", text)
    sent = segmenting.request(ITEMS, source, numResults=10, tags=[{"tagKey": "a", "tagValue": "b"}])
    made = segmenting.clients.personalize.create_batch_segment_job(**sent)
    assert set(made) == {"batchSegmentJobArn", "ResponseMetadata"}
    arn = made["batchSegmentJobArn"]
    assert arn.endswith(f":batch-segment-job/{sent['jobName']}")
    described = segmenting.wait.active(arn)
    for member in set(sent) - {"tags"}:
        assert described[member] == sent[member]
    assert "failureReason" not in described
    listed = segmenting.clients.personalize.list_batch_segment_jobs(
        solutionVersionArn=segmenting.versions[ITEMS]
    )["batchSegmentJobs"]
    entry = next(one for one in listed if one["batchSegmentJobArn"] == arn)
    assert set(entry) == {
        "batchSegmentJobArn",
        "jobName",
        "status",
        "creationDateTime",
        "lastUpdatedDateTime",
        "solutionVersionArn",
    }
    tags = segmenting.clients.personalize.list_tags_for_resource(resourceArn=arn)["tags"]
    assert tags == [{"tagKey": "a", "tagValue": "b"}]
    found = segmenting.lines(f"{sent['jobOutput']['s3DataDestination']['path']}q.json.out")
    assert [line["input"] for line in found] == lines
    for line, department in zip(found, ("games", "music"), strict=True):
        assert line["error"] is None
        users = line["output"]["usersList"]
        assert len(users) == len(set(users)) == 10
        assert of_department(users, department) == 1.0
    assert not list((segmenting.server.data / "work").iterdir())
    fails("ResourceAlreadyExistsException", segmenting.clients.personalize.create_batch_segment_job, **sent)


def test_metrics_of_the_versions(segmenting: Segmenting) -> None:
    for recipe in (ITEMS, ATTRIBUTES):
        metrics = segmenting.clients.personalize.get_solution_metrics(
            solutionVersionArn=segmenting.versions[recipe]
        )["metrics"]
        assert set(metrics) == promises.metrics_of(recipe)
        assert 0 < metrics["recall_at_1_percent"] <= 1


def test_a_segment_has_25_users_and_never_more_than_there_are(segmenting: Segmenting) -> None:
    [line] = segmenting.answers(ITEMS, {"itemId": "item-07"})
    assert len(line["output"]["usersList"]) == 25
    [line] = segmenting.answers(ITEMS, {"itemId": "item-07"}, numResults=5_000_000)
    assert sorted(line["output"]["usersList"]) == shop.USERS


def test_attributes(segmenting: Segmenting) -> None:
    books, games, red, both, number = segmenting.answers(
        ATTRIBUTES,
        {"itemAttributes": 'ITEMS.DEPARTMENT = "books"'},
        {"itemAttributes": 'items.department="games"'},
        {"itemAttributes": 'ITEMS.COLOUR = "red" AND ITEMS.DEPARTMENT = "music"'},
        {"itemAttributes": 'ITEMS.DEPARTMENT = "books" AND ITEMS.DEPARTMENT = "games"'},
        {"itemAttributes": 'ITEMS.PRICE = 5.25 and Items.Department = "games"'},
        numResults=10,
    )
    for line, department in ((books, "books"), (games, "games"), (red, "music"), (number, "games")):
        assert line["error"] is None
        assert of_department(line["output"]["usersList"], department) == 1.0
    assert list(both["output"]) == ["usersList"]  # no item has both: who is drawn to each
    assert of_department(both["output"]["usersList"], "music") < 0.5


def test_lines_that_cannot_be_answered(segmenting: Segmenting) -> None:
    found = segmenting.answers(
        ITEMS, {"itemId": "unheard-of"}, "no json", "{}", {"itemId": "item-07"}, {"itemId": ""}, numResults=1
    )
    assert [bool(line["error"]) for line in found] == [True, True, True, False, True]
    assert all(("output" in line) == (line["error"] is None) for line in found)
    assert "unheard-of" in found[0]["error"]
    found = segmenting.answers(
        ATTRIBUTES,
        {"itemAttributes": 'ITEMS.DEPARTMENT = "books" OR ITEMS.DEPARTMENT = "games"'},
        {"itemAttributes": 'ITEMS.DEPARTMENT IN ("books")'},
        {"itemAttributes": 'ITEMS.DEPARTMENT = "food"'},
        {"itemAttributes": "ITEMS.PRICE > 3"},
        {"itemAttributes": 'ITEMS.PRICE = "cheap"'},
        {"itemAttributes": "ITEMS.CREATION_TIMESTAMP = 3"},
        {"itemAttributes": 'USERS.CITY = "Oslo"'},
        {"itemId": "item-07"},
        {"itemAttributes": 'ITEMS.DEPARTMENT = "books"'},
    )
    assert [bool(line["error"]) for line in found] == [True] * 8 + [False]
    assert "food" in found[2]["error"]
    assert "DEPARTMENT" in found[5]["error"]  # which there are


def test_filters_on_users(segmenting: Segmenting) -> None:
    ask = {"itemId": "item-07"}
    [plain] = segmenting.answers(ITEMS, ask, numResults=10)
    where = segmenting.filter('EXCLUDE UserID WHERE Users.CITY IN ("Oslo")')
    [filtered] = segmenting.answers(ITEMS, ask, numResults=10, filterArn=where)
    stay = [user for user in plain["output"]["usersList"] if int(user[5:]) % 4]
    users = filtered["output"]["usersList"]
    assert len(users) == 10
    assert all(int(user[5:]) % 4 for user in users)
    assert users[: len(stay)] == stay  # the others keep their order, and the list is filled up
    chosen = segmenting.filter("INCLUDE UserID WHERE Users.AGE > $AGE")
    old, missing, broken = segmenting.answers(
        ITEMS,
        {**ask, "filterValues": {"AGE": '"50"'}},
        ask,
        {**ask, "filterValues": {"AGE": "many"}},
        filterArn=chosen,
    )
    assert sorted(old["output"]["usersList"]) == [f"user-{number}" for number in range(33, 40)]
    assert missing["error"] == "Missing value for filter parameter AGE."
    assert "filter parameter AGE" in broken["error"]


def test_filters_on_interactions_see_what_came_since(segmenting: Segmenting) -> None:
    chosen = segmenting.filter('INCLUDE UserID WHERE Interactions.EVENT_TYPE IN ("praise")')
    nobody = segmenting.answers(ITEMS, {"itemId": "item-07"}, filterArn=chosen)
    assert nobody[0]["output"]["usersList"] == []
    tracker = segmenting.clients.personalize.create_event_tracker(
        name=f"t{next(_numbers)}", datasetGroupArn=segmenting.stock.group
    )["trackingId"]
    for user in ("user-04", "newly-come"):
        segmenting.clients.events.put_events(
            trackingId=tracker,
            userId=user,
            sessionId=f"s-{user}",
            eventList=[{"eventType": "praise", "itemId": "item-01", "sentAt": shop.LAST}],
        )
    [line] = segmenting.answers(ITEMS, {"itemId": "item-07"}, filterArn=chosen)
    assert line["output"]["usersList"] == ["user-04"]  # the version does not know the other
    everyone = segmenting.filter('EXCLUDE UserID WHERE Interactions.EVENT_TYPE IN ("*")')
    [line] = segmenting.answers(ITEMS, {"itemId": "item-07"}, filterArn=everyone)
    assert line["output"]["usersList"] == []


def test_what_users_just_did_waits_for_a_training(segmenting: Segmenting) -> None:
    before = segmenting.answers(ITEMS, {"itemId": "item-09"}, numResults=40)
    tracker = segmenting.clients.personalize.list_event_trackers()["eventTrackers"]
    assert tracker  # the events of the test before are in the log
    assert segmenting.answers(ITEMS, {"itemId": "item-09"}, numResults=40) == before


def test_a_folder_is_answered_file_by_file(segmenting: Segmenting) -> None:
    for name in ("a.json", "sub/b.jsonl", "_SUCCESS", ".c.crc", "old.json.out"):
        segmenting.server.put(f"s3://in/folder/{name}", '{"itemId": "item-03"}\n')
    arn, out = segmenting.job(ITEMS, "s3://in/folder")
    segmenting.wait.active(arn)
    folder = segmenting.server.data / "buckets" / out.removeprefix("s3://")
    made = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert made == ["a.json.out", "sub/b.jsonl.out"]


@pytest.mark.parametrize(
    ("recipe", "content", "reason"),
    [
        (ITEMS, None, "Invalid S3 input path. No objects found at"),
        (ITEMS, "no json\n{}\n", "No line could be answered of"),
        (ITEMS, '{"itemId": "item-01"}\n' * 501, "more than 500 lines"),
        (ATTRIBUTES, '{"itemAttributes": "ITEMS.PRICE = 5.25"}\n' * 11, "more than 10 lines"),
    ],
)
def test_a_job_fails(segmenting: Segmenting, recipe: str, content: str | None, reason: str) -> None:
    location = f"s3://in/failing-{next(_numbers)}.json"
    if content is not None:
        segmenting.server.put(location, content)
    arn, _ = segmenting.job(recipe, location)
    assert reason in segmenting.wait.failed(arn)
    assert not list((segmenting.server.data / "work").iterdir())


def test_refusals(segmenting: Segmenting) -> None:
    source = segmenting.server.put("s3://in/refused.json", '{"itemId": "item-00"}\n')
    create = segmenting.clients.personalize.create_batch_segment_job

    def refused(code: str, recipe: str = ITEMS, **more: Any) -> str:
        return fails(code, create, **segmenting.request(recipe, source, **more))

    invalid, to = "InvalidInputException", "s3DataDestination"
    assert refused(invalid, jobInput={"s3DataSource": {"path": "https://a/b"}}) == "Invalid S3 input path"
    for path in ("https://a/b/", "s3://out/no-folder", f"{source}/"):
        assert refused(invalid, jobOutput={to: {"path": path}}) == "Invalid S3 output path"
    for count in (0, 5_000_001):
        assert "5000000" in refused(invalid, numResults=count)
    assert OTHER in refused(invalid, OTHER)
    missing = segmenting.versions[ITEMS].rsplit("/", 1)[0] + "/missing"
    refused("ResourceNotFoundException", solutionVersionArn=missing)
    items = segmenting.filter("INCLUDE ItemID WHERE Items.PRICE > 1")
    refused("ResourceNotFoundException", filterArn=items + "x")
    assert "ItemID" in refused(invalid, filterArn=items)
    events = segmenting.filter('INCLUDE UserID WHERE Interactions.EVENT_TYPE IN ("click")')
    assert "Interactions" in refused(invalid, ATTRIBUTES, filterArn=events)
    refused("TooManyTagsException", tags=[{"tagKey": f"k{n}", "tagValue": ""} for n in range(60)])
    none = f"arn:aws:personalize:{segmenting.stock.region}:000000000000:batch-segment-job/none"
    describe = segmenting.clients.personalize.describe_batch_segment_job
    fails("ResourceNotFoundException", describe, batchSegmentJobArn=none)
    segments = dict(segmenting.request(ITEMS, source))
    infer = segmenting.clients.personalize.create_batch_inference_job
    assert ITEMS in fails(invalid, infer, **segments)
    assert "segments in batch" in fails(
        invalid,
        segmenting.clients.personalize.create_campaign,
        name="no",
        solutionVersionArn=segmenting.versions[ITEMS],
    )


def test_a_filter_in_use_stays(segmenting: Segmenting) -> None:
    chosen = segmenting.filter('EXCLUDE UserID WHERE Users.CITY IN ("Oslo")')
    source = segmenting.server.put("s3://in/in-use.json", '{"itemId": "item-00"}\n' * 400)
    arn, _ = segmenting.job(ITEMS, source, filterArn=chosen)
    delete = segmenting.clients.personalize.delete_filter
    assert arn in fails("ResourceInUseException", delete, filterArn=chosen)
    segmenting.wait.active(arn)
    delete(filterArn=chosen)


def test_a_person_who_was_removed_is_in_no_segment(segmenting: Segmenting) -> None:
    asks = ((ITEMS, {"itemId": "item-07"}), (ATTRIBUTES, {"itemAttributes": 'ITEMS.DEPARTMENT = "games"'}))
    before = [segmenting.answers(recipe, ask, numResults=100) for recipe, ask in asks]
    location = segmenting.server.put("s3://in/remove/users.csv", "USER_ID\nuser-07\n")
    arn = segmenting.clients.personalize.create_data_deletion_job(
        jobName="remove",
        datasetGroupArn=segmenting.stock.group,
        dataSource={"dataLocation": location},
        roleArn=ROLE,
    )["dataDeletionJobArn"]
    done = segmenting.wait.until(arn, lambda job: job["status"] not in ("PENDING", "IN_PROGRESS"))
    assert done["status"] == "COMPLETED", done
    for (recipe, ask), [earlier] in zip(asks, before, strict=True):
        [line] = segmenting.answers(recipe, ask, numResults=100)
        users = line["output"]["usersList"]
        assert "user-07" in earlier["output"]["usersList"]
        assert sorted(users) == [user for user in shop.USERS if user != "user-07"]
        assert of_department(users[:10], "games") == 1.0
