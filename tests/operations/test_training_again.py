"""The same data, imported and trained twice through the API: one model, bit for bit."""

from __future__ import annotations

import json
import random
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import shop
from live import Server, Wait, make_clients, make_shop
from openpersonalize.recipes.encoder_fit import LEAST_EVENTS

V1, V2 = "aws-user-personalization", "aws-user-personalization-v2"
RANKING = "aws-personalized-ranking-v2"
OTHERS = ("aws-similar-items", "aws-sims", "aws-item-affinity", "aws-trending-now", "aws-popularity-count")


def trained(server: Server, stock: shop.SmallShop, recipe: str) -> tuple[Path, dict[str, float]]:
    """Folder of the artifact, and metrics, of a version trained on an imported shop."""
    personalize = make_clients(server.endpoint, stock.region).personalize
    solution = personalize.create_solution(
        name=f"again-{recipe}-{time.monotonic_ns()}",
        datasetGroupArn=stock.group,
        recipeArn=f"arn:aws:personalize:::recipe/{recipe}",
        performAutoTraining=False,
    )["solutionArn"]
    version = personalize.create_solution_version(solutionArn=solution)["solutionVersionArn"]
    Wait(personalize).active(version, 240)
    metrics = personalize.get_solution_metrics(solutionVersionArn=version)["metrics"]
    with closing(sqlite3.connect(f"file:{server.data / 'metadata.db'}?mode=ro", uri=True)) as connection:
        (internal,) = connection.execute(
            "SELECT internal FROM resources WHERE arn = ?", (version,)
        ).fetchone()
    return server.data / json.loads(internal)["artifact"], metrics


def contents(folder: Path) -> dict[str, Any]:
    """Every file by its path: bytes, or what a JSON file says without when it was made and of what."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and path.suffix == ".json":
            said = json.loads(path.read_text())
            if name == "manifest.json":
                for member in ("files", "position", "snapshots"):
                    said.pop(member)
            elif isinstance(said, dict):
                said.pop("pause", None)  # seconds from the newest event to this training
            found[name] = said
        elif path.is_file():
            found[name] = path.read_bytes()
    return found


@pytest.fixture(scope="module")
def imported_again(server: Server, region: str) -> shop.SmallShop:
    """The same files, imported into another group."""
    return make_shop(server, region)


@pytest.mark.parametrize(
    "recipe", [V1, *(pytest.param(one, marks=pytest.mark.soak) for one in (RANKING, *OTHERS))]
)
def test_the_same_data_trained_twice_make_one_model(
    server: Server, small_shop: shop.SmallShop, imported_again: shop.SmallShop, recipe: str
) -> None:
    """Every training is a process with hashes of its own."""
    first, measured = trained(server, small_shop, recipe)
    second, again = trained(server, imported_again, recipe)
    assert first != second
    assert measured == again
    assert contents(first) == contents(second)


def in_turn(users: int = 500, items: int = 60, each: int = 30) -> str:
    """Most go from an item to the next one: enough for an encoder, and something for it."""
    assert users * each > 1.3 * LEAST_EVENTS  # what is held out counts against it
    chance = random.Random(1)
    lines = ["USER_ID,ITEM_ID,TIMESTAMP"]
    for user in range(users):
        item = chance.randrange(items)
        for place in range(each):
            item = (item + 1) % items if chance.random() < 0.7 else chance.randrange(items)
            lines.append(f"u{user},i{item},{shop.LAST - (each - place) * 600 - user}")
    return "\n".join(lines) + "\n"


@pytest.mark.soak
def test_an_encoder_trained_twice_is_one_encoder(server: Server, region: str) -> None:
    """What the suite has of it: `algorithms/test_encoder.py`, `recipes/test_encoder_trial.py`."""
    personalize = make_clients(server.endpoint, region).personalize
    wait = Wait(personalize)
    group = personalize.create_dataset_group(name="in-turn")["datasetGroupArn"]
    wait.active(group)
    fields = shop.field("USER_ID"), shop.field("ITEM_ID"), shop.field("TIMESTAMP", "long")
    schema = personalize.create_schema(name="in-turn", schema=shop.schema("Interactions", *fields))
    dataset = personalize.create_dataset(
        name="in-turn", datasetGroupArn=group, datasetType="Interactions", schemaArn=schema["schemaArn"]
    )["datasetArn"]
    location = server.put(f"s3://in-turn-{region}/interactions.csv", in_turn())
    imported = personalize.create_dataset_import_job(
        jobName="in-turn", datasetArn=dataset, dataSource={"dataLocation": location}
    )["datasetImportJobArn"]
    wait.active(imported)
    stock = shop.SmallShop(region, group, {}, {})
    (first, measured), (second, again) = (trained(server, stock, V2) for _ in range(2))
    assert measured == again
    assert (
        "encoder"
        in json.loads((first / "manifest.json").read_text())["settled"]["weights"]["arriving"]["kept"]
    )
    assert contents(first) == contents(second)
