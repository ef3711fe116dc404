"""Batch jobs of servers that are killed: every line is answered once, in order."""

from __future__ import annotations

import json
import random
import time
from typing import Any

import shop
from durability.world import RECIPE, STEP, World, children, kill, kills, rounds
from openpersonalize.engine.report import job_report

LINES = 24_000
FILES, SEGMENTS = 10, 500
ROLE = "arn:aws:iam::000000000000:role/any"


@rounds
def test_the_server_is_killed_while_it_answers(world: World, chance: random.Random, rounds: int) -> None:
    for _ in range(rounds):
        users = [f"user-{chance.randrange(10**6)}" for _ in range(LINES)]
        request = asked(world, chance, {"q.json": [{"userId": user} for user in users]}, world.version)
        arn = world.clients.personalize.create_batch_inference_job(**request)["batchInferenceJobArn"]
        killed_at_work(world, chance, rounds, arn)
        found = answered(world, request, "q.json")
        assert [line["input"]["userId"] for line in found] == users
        assert all(line["error"] is None for line in found)
        went_on(world, arn)


@rounds
def test_the_server_is_killed_while_it_makes_segments(
    world: World, chance: random.Random, rounds: int
) -> None:
    personalize = world.clients.personalize
    name = f"segments-{chance.randrange(10**9)}"
    solution = personalize.create_solution(
        name=name,
        datasetGroupArn=world.stock.group,
        recipeArn=f"{RECIPE}aws-item-affinity",
        performAutoTraining=False,
    )["solutionArn"]
    version = personalize.create_solution_version(solutionArn=solution)["solutionVersionArn"]
    world.wait.active(version, 120)
    for _ in range(rounds):
        files = {
            f"{number:02}.json": [{"itemId": chance.choice(shop.ITEMS)} for _ in range(SEGMENTS)]
            for number in range(FILES)
        }
        request = asked(world, chance, files, version)
        arn = world.clients.personalize.create_batch_segment_job(**request)["batchSegmentJobArn"]
        killed_at_work(world, chance, rounds, arn)
        for file, lines in files.items():
            found = answered(world, request, file)
            assert [line["input"] for line in found] == lines
            assert all(sorted(line["output"]["usersList"]) == shop.USERS for line in found)
        went_on(world, arn)


def asked(
    world: World, chance: random.Random, files: dict[str, list[dict[str, str]]], version: str
) -> dict[str, Any]:
    """A job about a folder with some files."""
    name = f"batch-{chance.randrange(10**9)}"
    for file, lines in files.items():
        world.server.put(f"s3://batch/{name}/in/{file}", "\n".join(map(json.dumps, lines)))
    return {
        "jobName": name,
        "solutionVersionArn": version,
        "jobInput": {"s3DataSource": {"path": f"s3://batch/{name}/in/"}},
        "jobOutput": {"s3DataDestination": {"path": f"s3://batch/{name}/out/"}},
        "numResults": 50,
        "roleArn": ROLE,
    }


def killed_at_work(world: World, chance: random.Random, rounds: int, arn: str) -> None:
    """Kill the server or its step some times while a job is at work; it ends all the same."""
    work = world.server.data / "work"
    while not list(work.glob("*/progress.json")):
        status = world.wait.describe(arn)["status"]
        assert status in ("CREATE PENDING", "CREATE IN_PROGRESS"), f"{status} before it could be killed"
        time.sleep(0.02)
    for _ in kills(chance, rounds):
        if chance.random() < 0.5:
            world.restart()
        else:
            [kill(pid) for pid in children(world.server, STEP)]
        time.sleep(chance.uniform(0.0, 0.5))
    world.wait.active(arn, 120)
    assert not list(work.iterdir())


def answered(world: World, request: dict[str, Any], file: str) -> list[dict[str, Any]]:
    """The lines of a file of the output."""
    out = world.server.data / "buckets" / "batch" / request["jobName"] / "out" / f"{file}.out"
    return [json.loads(line) for line in out.read_text().splitlines()]


def went_on(world: World, arn: str) -> None:
    """The job's log says that it was interrupted and went on."""
    with world.opened() as installation:
        scope = installation.metadata.scope("000000000000", world.stock.region)
        lines = [line["text"] for line in (job_report(scope, arn) or {"lines": []})["lines"]]
    assert any(line.startswith("goes on after") for line in lines), lines
    world.server.start()
