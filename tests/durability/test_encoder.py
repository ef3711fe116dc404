"""Trainings that are stopped and killed while the sequence encoder learns, their longest part."""

from __future__ import annotations

import json
import random
import time
import urllib.request
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

import shop
from durability.test_trainings import check_artifacts, start
from durability.world import RECIPE, STEP, World, children, copy_of, kill, processes
from live import PATIENCE
from openpersonalize.recipes.artifact import Artifact
from openpersonalize.recipes.encoder_fit import LEAST_EVENTS

USERS, ITEMS, EACH = 500, 60, 30
SCHEMA = shop.schema(
    "Interactions", shop.field("USER_ID"), shop.field("ITEM_ID"), shop.field("TIMESTAMP", "long")
)


def interactions() -> str:
    """Most go from an item to the next one: something for a model of sequences."""
    assert USERS * EACH > 1.3 * LEAST_EVENTS  # what is held out counts against it
    chance = random.Random(1)
    lines = ["USER_ID,ITEM_ID,TIMESTAMP"]
    for user in range(USERS):
        item = chance.randrange(ITEMS)
        for place in range(EACH):
            item = (item + 1) % ITEMS if chance.random() < 0.7 else chance.randrange(ITEMS)
            lines.append(f"u{user},i{item},{shop.LAST - (EACH - place) * 600 - user}")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def busy(template: World, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A world with a solution, by name ``busy``, whose trainings fit the encoder."""
    world = copy_of(template, tmp_path_factory.mktemp("busy") / "data", "--training-seconds", "3")
    personalize, wait = world.clients.personalize, world.wait
    group = personalize.create_dataset_group(name="busy")["datasetGroupArn"]
    wait.active(group)
    schema = personalize.create_schema(name="busy", schema=SCHEMA)["schemaArn"]
    dataset = personalize.create_dataset(
        name="busy", datasetGroupArn=group, datasetType="Interactions", schemaArn=schema
    )["datasetArn"]
    location = world.server.put("s3://busy/interactions.csv", interactions())
    imported = personalize.create_dataset_import_job(
        jobName="busy", datasetArn=dataset, dataSource={"dataLocation": location}
    )["datasetImportJobArn"]
    wait.active(imported)
    personalize.create_solution(
        name="busy", datasetGroupArn=group, recipeArn=f"{RECIPE}aws-user-personalization-v2"
    )
    yield world
    world.server.stop()


def until(done: Callable[[], Any], what: str, limit: float = 60) -> Any:
    end = time.monotonic() + limit * PATIENCE
    while not (found := done()):
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.05)
    return found


def encoder_learns(world: World, version: str, attempt: int = 1) -> None:
    """Wait until the encoder is at its steps."""

    def at_work() -> bool:
        page = f"{world.server.endpoint}/v1/jobs/{quote(version, safe='')}"
        with urllib.request.urlopen(page, timeout=10) as answer:
            report = json.load(answer)
        assert report["state"] in ("queued", "running"), report
        progress = report["progress"] or {}
        return bool(
            report["attempts"] == attempt and progress.get("step") == "encoder" and progress["done"] > 0
        )

    until(at_work, "the encoder")


def test_a_server_killed_and_a_training_stopped_while_the_encoder_learns(busy: World) -> None:
    version = start(busy, busy.solution.replace("popular", "busy"), "stopped")
    encoder_learns(busy, version)
    [step] = children(busy.server, STEP)
    busy.server.kill()
    until(lambda: step not in processes(), "the training process to follow its server", 20)
    busy.server.start()
    encoder_learns(busy, version, attempt=2)
    busy.clients.personalize.stop_solution_version_creation(solutionVersionArn=version)
    assert busy.wait.describe(version)["status"] in ("CREATE STOPPING", "CREATE STOPPED")
    assert busy.wait.final(version, 15)["status"] == "CREATE STOPPED"
    until(lambda: not children(busy.server, STEP), "the training process to end", 20)
    check_artifacts(busy)


def test_the_process_is_killed_while_the_encoder_learns(busy: World) -> None:
    if busy.server.process is None:
        busy.server.start()
    version = start(busy, busy.solution.replace("popular", "busy"), "killed")
    encoder_learns(busy, version)
    [step] = children(busy.server, STEP)
    assert kill(step)
    busy.wait.active(version, 180)
    check_artifacts(busy)
    with busy.opened() as installation:
        with installation.metadata.scope("000000000000", busy.stock.region).read() as tx:
            key = tx.require(version).internal.artifact
        artifact = Artifact.open(installation.objects.fetch(key))
    weights = artifact.manifest["settled"]["weights"]
    assert "encoder" in {*weights["arriving"]["alone_kept"]}
