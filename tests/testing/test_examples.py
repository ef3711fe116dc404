"""The example recipes, built as a wheel, installed and asked: the shipped suite, and boto3 on a live
server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from openpersonalize.testing.live import LiveCampaign, LiveServer, deployed
from openpersonalize.testing.worlds import two_clusters

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "recipes"
NAMES = [f"example-{name}" for name in ("bandit", "co-counts", "fans", "graph-walk", "same-attributes")]


def run(*words: str, cwd: Path, path: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The PYTHONPATH of a machine on which the wheel is installed."""
    folder = tmp_path_factory.mktemp("examples")
    shutil.copytree(EXAMPLES, folder / "source")
    own = str(ROOT / "src")
    quiet = ("--quiet", "--no-deps", "--no-index", "--disable-pip-version-check")
    built = ("--no-build-isolation", "--wheel-dir", str(folder), str(folder / "source"))
    run("pip", "wheel", *quiet, *built, cwd=folder, path=own)
    [wheel] = folder.glob("*.whl")
    run("pip", "install", *quiet, "--target", str(folder / "site"), str(wheel), cwd=folder, path=own)
    return f"{own}{os.pathsep}{folder / 'site'}"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, path: str) -> Iterator[LiveServer]:
    options = ("--minimum-data", "off")
    with LiveServer(tmp_path_factory.mktemp("live"), *options, environment={"PYTHONPATH": path}) as running:
        yield running


def test_they_pass_the_shipped_suite(path: str, tmp_path: Path) -> None:
    shutil.copy(EXAMPLES / "tests" / "test_recipes.py", tmp_path)
    told = run("pytest", "-q", "-p", "no:cacheprovider", str(tmp_path), cwd=tmp_path, path=path)
    assert "passed" in told


def test_they_are_listed_with_package_and_contract(path: str, tmp_path: Path) -> None:
    lines = run("openpersonalize", "recipes", cwd=tmp_path, path=path).splitlines()
    for name in NAMES:
        line = next(one for one in lines if one.startswith(name))
        assert line.split()[-4:] == ["yes", "openpersonalize-example-recipes", "1.0.0", "1"]


def test_one_personalises(server: LiveServer) -> None:
    campaign = deployed(server, "example-co-counts", two_clusters(), name="co-counts")
    assert {item[0] for item in campaign.recommend(user="u000", count=9)} == {"a"}
    assert {item[0] for item in campaign.recommend(user="u001", count=9)} == {"b"}
    assert campaign.recommend(user="nobody", count=25)[0] in set(two_clusters().items.strings())
    assert campaign.metrics()["normalized_discounted_cumulative_gain_at_10"] > 0.2


def test_one_relates_items_without_any_interactions_and_knows_new_ones(server: LiveServer) -> None:
    names = [f"{side}{number}" for side in "ab" for number in range(5)]
    items = pl.DataFrame({"ITEM_ID": names, "HALF": [name[0] for name in names]})
    campaign = deployed(server, "example-same-attributes", None, items, name="same")
    assert set(campaign.recommend(item="a2", count=4)) == {"a0", "a1", "a3", "a4"}
    server.client("personalize-events").put_items(
        datasetArn=campaign.group.replace(":dataset-group/", ":dataset/") + "/ITEMS",
        items=[{"itemId": "new", "properties": '{"half": "b"}'}],
    )
    assert set(campaign.recommend(item="new", count=5)) == {"b0", "b1", "b2", "b3", "b4"}
    assert campaign.metrics() == {}


def streamed(server: LiveServer, campaign: LiveCampaign, item: str, users: Iterable[str]) -> None:
    """Each of these users looks at an item now."""
    tracker = server.client("personalize").create_event_tracker(name="t", datasetGroupArn=campaign.group)
    for user in users:
        server.client("personalize-events").put_events(
            trackingId=tracker["trackingId"],
            userId=user,
            sessionId=user,
            eventList=[{"eventType": "view", "itemId": item, "sentAt": time.time()}],
        )


def test_a_bandit_has_one_list_for_all_and_goes_on_learning(server: LiveServer) -> None:
    campaign = deployed(server, "example-bandit", two_clusters(), name="bandit")
    listed = campaign.recommend(count=20)
    assert len(listed) == 20
    assert campaign.recommend(user="u001", count=20) == listed
    assert campaign.metrics()["coverage"] == 1.0
    streamed(server, campaign, listed[-1], ["late"])
    assert campaign.recommend(count=20) == listed, "what everybody does counts by the clock"


def test_a_walk_works_through_every_call(server: LiveServer) -> None:
    """Searched hyperparameters, metrics, a campaign, streamed events, and a batch that answers as it does."""
    resources = {"maxNumberOfTrainingJobs": "3", "maxParallelTrainingJobs": "2"}
    campaign = deployed(
        server,
        "example-graph-walk",
        two_clusters(200),
        name="walk",
        config={"hpoConfig": {"hpoResourceConfig": resources}, "algorithmHyperParameters": {"steps": "2"}},
        search=True,
    )
    personalize = server.client("personalize")
    version = personalize.describe_solution_version(solutionVersionArn=campaign.version)["solutionVersion"]
    tuned = version["tunedHPOParams"]["algorithmHyperParameters"]
    assert tuned.keys() == {"restart", "fading"}, "what the solution sets is not searched"
    assert campaign.metrics()["normalized_discounted_cumulative_gain_at_25"] > 0.2
    assert {item[0] for item in campaign.recommend(user="u000", count=9)} == {"a"}
    streamed(server, campaign, "b3", ["somebody"])
    assert {item[0] for item in campaign.recommend(user="somebody", count=9)} == {"b"}
    told = batch(server, "inference", campaign.version, ["u000", "u001"], "userId", numResults=9)
    for line in told:
        expected = campaign.recommend(user=line["input"]["userId"], count=9)
        assert line["output"]["recommendedItems"] == expected


def test_users_for_an_item_come_from_a_batch_segment_job(server: LiveServer) -> None:
    """The world's users keep to one half of the items, and so do the segments of both halves."""
    personalize = server.client("personalize")
    group = deployed(server, "example-co-counts", two_clusters(), name="fans").group
    solution = personalize.create_solution(
        name="segments",
        datasetGroupArn=group,
        recipeArn="arn:aws:personalize:::recipe/example-fans",
        performAutoTraining=False,
    )["solutionArn"]
    version = personalize.create_solution_version(solutionArn=solution)["solutionVersionArn"]
    until_active(personalize.describe_solution_version, "solutionVersion", version)
    metrics = personalize.get_solution_metrics(solutionVersionArn=version)["metrics"]
    assert metrics.keys() == {"coverage", "hits_at_1_percent", "recall_at_1_percent"}
    for line in batch(server, "segment", version, ["a3", "b5"], "itemId", numResults=20):
        sides = {"ab"[int(user[1:]) % 2] for user in line["output"]["usersList"]}
        assert sides == {line["input"]["itemId"][0]}
    with pytest.raises(personalize.exceptions.InvalidInputException):
        personalize.create_campaign(name="segments", solutionVersionArn=version)


def batch(
    server: LiveServer, kind: str, version: str, asked: list[str], member: str, **more: Any
) -> list[dict[str, Any]]:
    """The answers of a batch inference or segment job."""
    bucket = server.data / "buckets" / kind
    bucket.mkdir(parents=True, exist_ok=True)
    (bucket / "in.json").write_text("".join(json.dumps({member: one}) + "\n" for one in asked))
    personalize = server.client("personalize")
    job = getattr(personalize, f"create_batch_{kind}_job")(
        jobName=f"{kind}-job",
        solutionVersionArn=version,
        roleArn="arn:aws:iam::000000000000:role/any",
        jobInput={"s3DataSource": {"path": f"s3://{kind}/in.json"}},
        jobOutput={"s3DataDestination": {"path": f"s3://{kind}/out/"}},
        **more,
    )[f"batch{kind.title()}JobArn"]
    until_active(getattr(personalize, f"describe_batch_{kind}_job"), f"batch{kind.title()}Job", job)
    return [json.loads(line) for line in (bucket / "out" / "in.json.out").read_text().splitlines()]


def until_active(describe: Callable[..., Any], member: str, arn: str) -> None:
    end = time.monotonic() + 120
    while (status := describe(**{f"{member}Arn": arn})[member]["status"]) != "ACTIVE":
        assert time.monotonic() < end
        assert "FAILED" not in status
        time.sleep(0.1)
