"""The example recipes, built as a wheel, installed and asked: the shipped suite, and boto3 on a live
server."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from openpersonalize.testing.live import LiveServer, deployed
from openpersonalize.testing.worlds import two_clusters

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "recipes"


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
    for name in ("example-co-counts", "example-same-attributes"):
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
