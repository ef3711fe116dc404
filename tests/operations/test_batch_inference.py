"""Batch inference jobs over the wire: files in, files out, and the same answers as single calls."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

import shop
from live import Clients, Server, Wait, fails, make_shop

RECIPE = "arn:aws:personalize:::recipe/"
V1, V2, RANKING = "aws-user-personalization", "aws-user-personalization-v2", "aws-personalized-ranking"
SIMS, POPULAR = "aws-sims", "aws-popularity-count"
ROLE = "arn:aws:iam::000000000000:role/Batch"
NO_EXPLORATION = {"itemExplorationConfig": {"explorationWeight": "0"}}
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Batch:
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
        made = self.clients.personalize.create_batch_inference_job(**sent)
        return made["batchInferenceJobArn"], sent["jobOutput"]["s3DataDestination"]["path"]

    def lines(self, location: str) -> list[dict[str, Any]]:
        """The objects in a file of the output."""
        path = self.server.data / "buckets" / location.removeprefix("s3://")
        text = path.read_text("utf-8")
        assert text.endswith("\n")
        return [json.loads(line) for line in text.splitlines()]

    def answers(self, recipe: str, *lines: object, **more: Any) -> list[dict[str, Any]]:
        """The output of a job with these input lines: objects, or text as it is."""
        name = f"q-{next(_numbers)}.json"
        text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
        arn, out = self.job(recipe, self.server.put(f"s3://in/{name}", text + "\n"), **more)
        self.wait.active(arn)
        return self.lines(f"{out}{name}.out")


@pytest.fixture(scope="module")
def batch(server: Server, clients: Clients, wait: Wait, region: str) -> Batch:
    stock = make_shop(server, region)
    versions = {}
    for recipe in (V1, V2, RANKING, SIMS, POPULAR):
        solution = clients.personalize.create_solution(
            name=recipe, datasetGroupArn=stock.group, recipeArn=RECIPE + recipe, performAutoTraining=False
        )["solutionArn"]
        versions[recipe] = clients.personalize.create_solution_version(solutionArn=solution)[
            "solutionVersionArn"
        ]
    for version in versions.values():
        wait.active(version, 120)
    return Batch(server, clients, wait, stock, versions)


@pytest.fixture(scope="module")
def campaign(batch: Batch) -> Callable[[str], str]:
    """Deploys a recipe's version without exploration, once."""
    made: dict[str, str] = {}

    def deployed(recipe: str) -> str:
        if recipe not in made:
            config = {"campaignConfig": NO_EXPLORATION} if recipe in (V1, V2) else {}
            made[recipe] = batch.clients.personalize.create_campaign(
                name=recipe, solutionVersionArn=batch.versions[recipe], **config
            )["campaignArn"]
            batch.wait.active(made[recipe])
        return made[recipe]

    return deployed


def recommended(entries: list[dict[str, Any]]) -> list[str]:
    return [entry["itemId"] for entry in entries]


def test_life(batch: Batch) -> None:
    lines = [{"userId": user} for user in ("user-00", "user-01", "nobody")]
    text = "\n".join(map(json.dumps, lines)) + "\n"
    source = batch.server.put("s3://in/life/q.json", text)
    sent = batch.request(
        V1, source, batchInferenceJobConfig=NO_EXPLORATION, tags=[{"tagKey": "a", "tagValue": "b"}]
    )
    made = batch.clients.personalize.create_batch_inference_job(**sent)
    assert set(made) == {"batchInferenceJobArn", "ResponseMetadata"}
    arn = made["batchInferenceJobArn"]
    assert arn.endswith(f":batch-inference-job/{sent['jobName']}")
    described = batch.wait.active(arn)
    for member in set(sent) - {"tags"}:
        assert described[member] == sent[member]
    assert described["batchInferenceJobMode"] == "BATCH_INFERENCE"
    assert "failureReason" not in described
    listed = batch.clients.personalize.list_batch_inference_jobs(solutionVersionArn=batch.versions[V1])
    entry = next(one for one in listed["batchInferenceJobs"] if one["batchInferenceJobArn"] == arn)
    assert entry["solutionVersionArn"] == batch.versions[V1]
    assert entry["batchInferenceJobMode"] == "BATCH_INFERENCE"
    tags = batch.clients.personalize.list_tags_for_resource(resourceArn=arn)["tags"]
    assert tags == [{"tagKey": "a", "tagValue": "b"}]
    found = batch.lines(f"{sent['jobOutput']['s3DataDestination']['path']}q.json.out")
    assert [line["input"] for line in found] == lines
    for line in found:
        assert line["error"] is None
        items, scores = line["output"]["recommendedItems"], line["output"]["scores"]
        assert len(items) == len(scores) == len(set(items)) == 25
        assert scores == sorted(scores, reverse=True)
        assert all(score == round(score, 7) for score in scores)
    assert not list((batch.server.data / "work").iterdir())
    fails("ResourceAlreadyExistsException", batch.clients.personalize.create_batch_inference_job, **sent)


def test_pages_of_a_list(batch: Batch) -> None:
    source = batch.server.put("s3://in/pages.json", '{"userId": "user-00"}\n')
    arns = [batch.job(V2, source)[0] for _ in range(3)]
    for arn in arns:
        batch.wait.active(arn)
    found, more = [], {}
    while True:
        page = batch.clients.personalize.list_batch_inference_jobs(
            solutionVersionArn=batch.versions[V2], maxResults=1, **more
        )
        found += [job["batchInferenceJobArn"] for job in page["batchInferenceJobs"]]
        if "nextToken" not in page:
            break
        more = {"nextToken": page["nextToken"]}
    assert set(arns) <= set(found)
    assert len(found) == len(set(found))


@pytest.mark.parametrize("recipe", [V1, V2])
def test_a_user_gets_what_a_campaign_says(batch: Batch, campaign: Callable[[str], str], recipe: str) -> None:
    users = [*shop.USERS[:12], "nobody-1", "nobody-2"]
    for chosen in (None, batch.filter('EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("purchase")')):
        more = {} if chosen is None else {"filterArn": chosen}
        found = batch.answers(
            recipe,
            *({"userId": user} for user in users),
            numResults=10,
            batchInferenceJobConfig=NO_EXPLORATION,
            **more,
        )
        for user, line in zip(users, found, strict=True):
            single = batch.clients.runtime.get_recommendations(
                campaignArn=campaign(recipe), userId=user, numResults=10, **more
            )["itemList"]
            assert line["output"]["recommendedItems"] == recommended(single)
            shown = [entry.get("score") for entry in single]
            assert line["output"]["scores"] == pytest.approx(shown, abs=1e-5)
            assert ("reasons" in line["output"]) == (recipe == V2)


def test_rankings(batch: Batch, campaign: Callable[[str], str]) -> None:
    given = ["item-07", "unheard-of", "item-03", "item-11", "item-20"]
    chosen = batch.filter("INCLUDE ItemID WHERE Items.DEPARTMENT IN ($D)")
    plain = batch.answers(RANKING, {"userId": "user-03", "itemList": given})[0]
    filtered = batch.answers(
        RANKING,
        {"userId": "user-03", "itemList": given, "filterValues": {"D": '"games"'}},
        {"userId": "user-03", "itemList": given},
        filterArn=chosen,
    )
    for line, more in ((plain, {}), (filtered[0], {"filterArn": chosen, "filterValues": {"D": '"games"'}})):
        single = batch.clients.runtime.get_personalized_ranking(
            campaignArn=campaign(RANKING), userId="user-03", inputList=given, **more
        )["personalizedRanking"]
        assert line["output"]["recommendedItems"] == recommended(single)
        assert [entry.get("score") for entry in single] == pytest.approx(line["output"]["scores"], abs=1e-5)
    assert sorted(plain["output"]["recommendedItems"]) == sorted(given)
    assert plain["output"]["scores"][-1] is None
    assert sum(score for score in plain["output"]["scores"] if score) == pytest.approx(1, abs=1e-5)
    assert filtered[1] == {
        "input": {"userId": "user-03", "itemList": given},
        "error": "Missing value for filter parameter D.",
    }


def test_related_items(batch: Batch, campaign: Callable[[str], str]) -> None:
    items = ["item-07", "item-08", "unheard-of"]
    chosen = batch.filter("INCLUDE ItemID WHERE Items.DEPARTMENT IN CurrentItem.DEPARTMENT")
    for more in ({}, {"filterArn": chosen}):
        found = batch.answers(SIMS, *({"itemId": item, "more": 1} for item in items), **more)
        for item, line in zip(items, found, strict=True):
            single = batch.clients.runtime.get_recommendations(
                campaignArn=campaign(SIMS), itemId=item, **more
            )["itemList"]
            assert line == {
                "input": {"itemId": item, "more": 1},
                "output": {"recommendedItems": recommended(single)},
                "error": None,
            }
    assert found[0]["output"]["recommendedItems"]


def test_a_filter_on_the_user_of_a_related_line(batch: Batch) -> None:
    chosen = batch.filter('EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("*")')
    known, unknown = batch.answers(
        SIMS,
        {"itemId": "item-07", "userId": "user-01"},
        {"itemId": "item-07"},
        filterArn=chosen,
        numResults=60,
    )
    assert known["output"]["recommendedItems"]
    assert all(shop.department(item) != "games" for item in known["output"]["recommendedItems"])
    assert unknown["error"] == "The filter needs a userId."
    assert "output" not in unknown


def test_popular_items(batch: Batch) -> None:
    [line] = batch.answers(POPULAR, {"userId": 4638}, numResults=3)
    assert line["input"] == {"userId": 4638}
    assert list(line["output"]) == ["recommendedItems"]
    assert line["output"]["recommendedItems"][0] == shop.FAVOURITE
    assert len(line["output"]["recommendedItems"]) == 3


def test_lines_that_cannot_be_answered(batch: Batch) -> None:
    bad = [
        "no json",
        '["userId"]',
        "{}",
        '{"userId": ""}',
        '{"userId": true}',
        json.dumps({"userId": "u" * 257}),
        '{"userId": "user-01", "filterValues": {"D": 1}}',
        json.dumps({"userId": "u", "pad": "x" * 1_100_000}),
        "[" * 100_000,
    ]
    found = batch.answers(V1, {"userId": "user-00"}, *bad, "", "  ", {"userId": "user-01"})
    assert len(found) == len(bad) + 2
    assert [bool(line["error"]) for line in found] == [False, *[True] * len(bad), False]
    assert all("output" not in line for line in found[1:-1])
    assert [line["error"] for line in found[3:6]] == [
        "userId is required.",
        "userId must not be empty.",
        "userId must be a string.",
    ]
    assert found[1]["input"] == "no json"
    assert found[2]["input"] == ["userId"]


def test_filter_values_of_each_line(batch: Batch) -> None:
    chosen = batch.filter("EXCLUDE ItemID WHERE Items.DEPARTMENT IN ($D)")
    without, plain, broken = batch.answers(
        V1,
        {"userId": "user-00", "filterValues": {"D": '"books"'}},
        {"userId": "user-00"},
        {"userId": "user-00", "filterValues": {"D": '"books'}},
        filterArn=chosen,
        batchInferenceJobConfig=NO_EXPLORATION,
    )
    assert "books" not in map(shop.department, without["output"]["recommendedItems"])
    assert "books" in map(shop.department, plain["output"]["recommendedItems"])
    assert "filter parameter D" in broken["error"]


def test_a_folder_is_answered_file_by_file(batch: Batch) -> None:
    for name in ("a.json", "sub/b.jsonl", "_SUCCESS", ".c.crc", "old.json.out"):
        batch.server.put(f"s3://in/folder/{name}", '{"userId": "user-00"}\n')
    arn, out = batch.job(V1, "s3://in/folder")
    batch.wait.active(arn)
    folder = batch.server.data / "buckets" / out.removeprefix("s3://")
    made = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert made == ["a.json.out", "sub/b.jsonl.out"]


def test_what_users_just_did_counts(batch: Batch, campaign: Callable[[str], str]) -> None:
    tracker = batch.clients.personalize.create_event_tracker(
        name=f"t{next(_numbers)}", datasetGroupArn=batch.stock.group
    )["trackingId"]
    for number in (1, 4, 7):
        batch.clients.events.put_events(
            trackingId=tracker,
            userId="came-today",
            sessionId="s",
            eventList=[{"eventType": "click", "itemId": f"item-{number:02d}", "sentAt": shop.LAST + number}],
        )
    [line] = batch.answers(V1, {"userId": "came-today"}, numResults=5, batchInferenceJobConfig=NO_EXPLORATION)
    single = batch.clients.runtime.get_recommendations(
        campaignArn=campaign(V1), userId="came-today", numResults=5
    )["itemList"]
    assert line["output"]["recommendedItems"] == recommended(single)
    assert {shop.department(item) for item in recommended(single)} == {"games"}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "Invalid S3 input path. No objects found at"),
        ("no json\n{}\n", "No line could be answered of"),
    ],
)
def test_a_job_fails(batch: Batch, content: str | None, reason: str) -> None:
    location = f"s3://in/failing-{next(_numbers)}.json"
    if content is not None:
        batch.server.put(location, content)
    arn, out = batch.job(V1, location)
    assert batch.wait.failed(arn).startswith(reason)
    if content is not None:
        assert len(batch.lines(f"{out}{location.rsplit('/', 1)[1]}.out")) == 2
    assert not list((batch.server.data / "work").iterdir())


def test_refusals(batch: Batch) -> None:
    source = batch.server.put("s3://in/refused.json", '{"userId": "user-00"}\n')
    create = batch.clients.personalize.create_batch_inference_job

    def refused(code: str, recipe: str = V1, **more: Any) -> str:
        return fails(code, create, **batch.request(recipe, source, **more))

    to = "s3DataDestination"
    assert refused("InvalidInputException", jobInput={"s3DataSource": {"path": "https://a/b"}}) == (
        "Invalid S3 input path"
    )
    for path in ("https://a/b/", "s3://out/no-folder", f"{source}/"):
        assert refused("InvalidInputException", jobOutput={to: {"path": path}}) == "Invalid S3 output path"
    assert "500" in refused("InvalidInputException", numResults=501)
    refused("InvalidInputException", recipe=RANKING, batchInferenceJobConfig=NO_EXPLORATION)
    refused("InvalidInputException", batchInferenceJobConfig={"rankingInfluence": {"POPULARITY": 0.5}})
    themes = {"fieldsForThemeGeneration": {"itemName": "NAME"}}
    message = refused(
        "InvalidInputException", SIMS, batchInferenceJobMode="THEME_GENERATION", themeGenerationConfig=themes
    )
    assert "aws-sims" in message
    refused("InvalidInputException", themeGenerationConfig=themes)
    missing = batch.versions[V1].rsplit("/", 1)[0] + "/missing"
    refused("ResourceNotFoundException", solutionVersionArn=missing)
    refused("ResourceNotFoundException", filterArn=batch.filter("INCLUDE ItemID WHERE Items.PRICE > 1") + "x")
    current = batch.filter("INCLUDE ItemID WHERE Items.PRICE < CurrentItem.PRICE")
    assert "CurrentItem" in refused("InvalidInputException", filterArn=current)
    users = batch.filter("EXCLUDE UserID WHERE Users.AGE < 3")
    assert "UserID" in refused("InvalidInputException", filterArn=users)
    refused("TooManyTagsException", tags=[{"tagKey": f"k{n}", "tagValue": ""} for n in range(60)])
    fails(
        "ResourceNotFoundException",
        batch.clients.personalize.describe_batch_inference_job,
        batchInferenceJobArn=f"arn:aws:personalize:{batch.stock.region}:000000000000:batch-inference-job/none",
    )
