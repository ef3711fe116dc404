"""Batch inference jobs with themes over the wire: related items under a phrase that their texts share."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from typing import Any

import pytest

import shop
from live import Clients, Server, Wait, fails

RECIPE = "arn:aws:personalize:::recipe/"
ROLE = "arn:aws:iam::000000000000:role/Batch"
PHRASES = {"books": "haunted castle", "games": "racing cars", "music": "string quartet"}
SCHEMA = shop.schema(
    "Items",
    shop.field("ITEM_ID"),
    shop.field("NAME", ["string", "null"]),
    shop.field("PLOT", ["string", "null"], textual=True),
    shop.field("DEPARTMENT", categorical=True),
)
_numbers = itertools.count(1)


def plot(item: str) -> str:
    """A text of its own with the phrase of its department, unless its number ends in 9."""
    number, kind = int(item[-2:]), shop.department(item)
    own = f"Number {'abcdefghij'[number % 10] * 3}{'klmnopqrst'[number // 10] * 3} of the shelf"
    return own if number % 10 == 9 else f"{own}, with a {PHRASES[kind]} in it."


def given(request: dict[str, Any]) -> dict[str, Any]:
    """A request without the members that are None."""
    return {name: value for name, value in request.items() if value is not None}


@dataclass(frozen=True)
class Themes:
    """A group with texts, and a version of aws-similar-items."""

    server: Server
    clients: Clients
    wait: Wait
    group: str
    version: str

    def request(self, source: str, **more: Any) -> dict[str, Any]:
        name = f"themes-{next(_numbers)}"
        return {
            "jobName": name,
            "solutionVersionArn": self.version,
            "jobInput": {"s3DataSource": {"path": source}},
            "jobOutput": {"s3DataDestination": {"path": f"s3://themes/{name}/"}},
            "roleArn": ROLE,
            "batchInferenceJobMode": "THEME_GENERATION",
            "themeGenerationConfig": {"fieldsForThemeGeneration": {"itemName": "NAME"}},
            "numResults": 12,
        } | more

    def answers(self, lines: list[dict[str, Any]], **more: Any) -> list[dict[str, Any]]:
        name = f"q-{next(_numbers)}.json"
        source = self.server.put(f"s3://themes/in/{name}", "\n".join(map(json.dumps, lines)))
        sent = given(self.request(source, **more))
        self.wait.active(
            self.clients.personalize.create_batch_inference_job(**sent)["batchInferenceJobArn"], 60
        )
        out = self.server.data / "buckets" / "themes" / sent["jobName"] / f"{name}.out"
        return [json.loads(line) for line in out.read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def themes(server: Server, clients: Clients, wait: Wait) -> Themes:
    personalize = clients.personalize
    group = personalize.create_dataset_group(name="texts")["datasetGroupArn"]
    wait.active(group)
    items = [
        f"{item},The {item} story,{json.dumps(plot(item))},{shop.department(item)}" for item in shop.ITEMS
    ]
    files = {
        "Interactions": (shop.SCHEMAS["Interactions"], shop.csv("Interactions")),
        "Items": (SCHEMA, "\n".join(["ITEM_ID,NAME,PLOT,DEPARTMENT", *items])),
    }
    jobs = []
    for kind, (schema, text) in files.items():
        arn = personalize.create_schema(name=f"texts-{kind}", schema=schema)["schemaArn"]
        dataset = personalize.create_dataset(
            name=kind, datasetGroupArn=group, datasetType=kind, schemaArn=arn
        )["datasetArn"]
        source = {"dataLocation": server.put(f"s3://texts/{kind}.csv", text)}
        jobs.append(
            personalize.create_dataset_import_job(
                jobName=f"texts-{kind}", datasetArn=dataset, dataSource=source
            )["datasetImportJobArn"]
        )
    for job in jobs:
        wait.active(job)
    solution = personalize.create_solution(
        name="texts", datasetGroupArn=group, recipeArn=f"{RECIPE}aws-similar-items", performAutoTraining=False
    )["solutionArn"]
    version = personalize.create_solution_version(solutionArn=solution)["solutionVersionArn"]
    wait.active(version, 120)
    return Themes(server, clients, wait, group, version)


def test_items_stand_under_the_phrase_that_their_texts_share(themes: Themes) -> None:
    asked = ["item-00", "item-01", "item-02"]
    lines = [*({"itemId": item} for item in asked), {"itemId": "nobody-knows"}]
    found = themes.answers(lines)
    assert [line["input"] for line in found] == lines
    for item, line in zip(asked, found, strict=False):
        assert line["error"] is None
        output = line["output"]
        assert list(output) == ["recommendedItems", "theme", "itemsThemeRelevanceScores"]
        items, scores = output["recommendedItems"], output["itemsThemeRelevanceScores"]
        kind = shop.department(item)
        assert {shop.department(one) for one in items} == {kind}
        assert len(items) == len(set(items)) == len(scores) == 12
        assert item not in items
        assert output["theme"] == PHRASES[kind].capitalize()
        assert scores == sorted(scores, reverse=True)
        assert all(-1 <= score <= 1 and score == round(score, 8) for score in scores)
        without = [one for one in items if one.endswith("9")]
        assert without == items[len(items) - len(without) :]
        assert max(scores) > 0.1
    assert found[3]["output"]["theme"]
    plain = themes.answers(lines, batchInferenceJobMode="BATCH_INFERENCE", themeGenerationConfig=None)
    assert sorted(plain[0]["output"]["recommendedItems"]) == sorted(found[0]["output"]["recommendedItems"])


def test_lines_that_cannot_be_answered_and_filters(themes: Themes) -> None:
    chosen = themes.clients.personalize.create_filter(
        name="of-the-kind",
        datasetGroupArn=themes.group,
        filterExpression="INCLUDE ItemID WHERE Items.DEPARTMENT IN ($KIND)",
    )["filterArn"]
    good = {"itemId": "item-00", "filterValues": {"KIND": '"games"'}}
    found = themes.answers([{}, good, {"itemId": "item-00"}], filterArn=chosen, numResults=4)
    assert ["error" in line and "output" not in line for line in found] == [True, False, True]
    output = found[1]["output"]
    assert {shop.department(one) for one in output["recommendedItems"]} == {"games"}
    assert output["theme"].lower() == PHRASES["games"]


def test_describe_and_list_show_the_mode(themes: Themes) -> None:
    source = themes.server.put("s3://themes/in/one.json", '{"itemId": "item-00"}')
    sent = themes.request(source)
    arn = themes.clients.personalize.create_batch_inference_job(**sent)["batchInferenceJobArn"]
    described = themes.wait.active(arn, 60)
    assert described["batchInferenceJobMode"] == "THEME_GENERATION"
    assert described["themeGenerationConfig"] == sent["themeGenerationConfig"]
    listed = themes.clients.personalize.list_batch_inference_jobs(solutionVersionArn=themes.version)
    entry = next(one for one in listed["batchInferenceJobs"] if one["batchInferenceJobArn"] == arn)
    assert entry["batchInferenceJobMode"] == "THEME_GENERATION"


def test_a_job_has_at_most_a_hundred_lines_in_all_files(themes: Themes) -> None:
    for name, count in (("a", 60), ("b", 41)):
        themes.server.put(f"s3://themes/many/{name}.json", '{"itemId": "item-00"}\n' * count)
    create = themes.clients.personalize.create_batch_inference_job
    arn = create(**themes.request("s3://themes/many/"))["batchInferenceJobArn"]
    assert "more than 100 lines" in themes.wait.failed(arn)


def test_refusals(themes: Themes) -> None:
    source = themes.server.put("s3://themes/in/refused.json", '{"itemId": "item-00"}')
    create = themes.clients.personalize.create_batch_inference_job

    def refused(**more: Any) -> str:
        return fails("InvalidInputException", create, **given(themes.request(source, **more)))

    assert "themeGenerationConfig" in refused(themeGenerationConfig=None)
    assert "THEME_GENERATION" in refused(batchInferenceJobMode=None)

    def named(name: str) -> str:
        return refused(themeGenerationConfig={"fieldsForThemeGeneration": {"itemName": name}})

    assert "NAME, PLOT, DEPARTMENT" in named("TITLE")
    assert "no string column" in named("ITEM_ID")
    assert "beside PLOT" in named("PLOT")
