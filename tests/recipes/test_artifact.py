"""The folder a training leaves: complete, verifiable, opened without reading it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from openpersonalize.datasets.selection import EventSelection
from openpersonalize.datasets.sequences import Sequences
from openpersonalize.errors import JobFailed
from openpersonalize.recipes.artifact import FORMAT, Artifact, write_artifact
from openpersonalize.recipes.hyperparameters import read_configuration
from openpersonalize.recipes.query import HISTORY_LENGTH, Query
from openpersonalize.recipes.registry import recipe
from openpersonalize.recipes.training import Training, TrainingData
from openpersonalize.testing.worlds import question, sequences_of, two_clusters

CHOSEN = EventSelection.from_solution("buy", None)


def written(folder: Path, world: Sequences, name: str = "aws-user-personalization-v2") -> Artifact:
    found = recipe(name)
    assert found is not None
    folder.mkdir(exist_ok=True)
    model = found.fit(TrainingData.of(world), read_configuration(found.facts, {}), Training())
    write_artifact(
        folder,
        model=model,
        recipe=found,
        data=TrainingData.of(world),
        selection=CHOSEN,
        position=17,
        manifest={"seed": 5},
    )
    return Artifact.open(folder)


@pytest.mark.parametrize("name", ["aws-user-personalization-v2", "aws-popularity-count"])
def test_everything_comes_back(tmp_path: Path, name: str) -> None:
    world = two_clusters()
    opened = written(tmp_path, world, name)
    assert opened.items.strings() == world.items.strings()
    assert opened.selection == CHOSEN
    assert opened.position == 17
    assert opened.manifest["seed"] == 5
    assert opened.manifest["counts"] == {"users": 60, "items": 20, "interactions": 480}
    assert opened.recipe.name == name
    query = question(world, 3)
    assert np.isfinite(opened.model.scores(query)).all()
    item, time, event, weight = opened.history(world.users[3])
    for found, wanted in (
        (item, query.item),
        (time, query.time),
        (event, query.event),
        (weight, query.weight),
    ):
        assert np.array_equal(found, wanted)
        assert found.dtype == wanted.dtype


def test_unknown_users_have_no_history(tmp_path: Path) -> None:
    assert [len(column) for column in written(tmp_path, two_clusters()).history("nobody")] == [0, 0, 0, 0]


def test_only_the_last_events_are_kept(tmp_path: Path) -> None:
    rows = [
        (user, f"i{k % 9}", k)
        for user, length in (("a", HISTORY_LENGTH + 30), ("b", 3))
        for k in range(length)
    ]
    opened = written(tmp_path, sequences_of(rows), "aws-popularity-count")
    assert opened.history("a")[1].tolist() == list(range(30, HISTORY_LENGTH + 30))
    assert opened.history("b")[1].tolist() == [0, 1, 2]
    assert opened.earlier.most == HISTORY_LENGTH
    del opened.manifest["history_length"]
    assert opened.earlier.most == 200  # as older programs kept


def test_damage_is_found(tmp_path: Path) -> None:
    opened = written(tmp_path, two_clusters())
    assert opened.verify() == []
    files = sorted(opened.manifest["files"])
    assert "model/fused.json" in files
    victim = tmp_path / files[0]
    victim.write_bytes(victim.read_bytes()[:-1] + b"!")
    (tmp_path / files[1]).unlink()
    assert opened.verify() == files[:2]


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    written(tmp_path, two_clusters(), "aws-popularity-count")
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(json.dumps({**manifest, "format": FORMAT + 1}))
    with pytest.raises(JobFailed, match="Upgrade openpersonalize"):
        Artifact.open(tmp_path)


def test_a_recipe_whose_package_is_gone_names_it(tmp_path: Path) -> None:
    written(tmp_path, two_clusters(), "aws-popularity-count")
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(
        json.dumps({**manifest, "recipe": "mine", "package": "acme_recipes"})
    )
    opened = Artifact.open(tmp_path)
    with pytest.raises(JobFailed, match="acme_recipes"):
        _ = opened.model


def test_opening_needs_no_training_library(tmp_path: Path) -> None:
    written(tmp_path, two_clusters())
    program = (
        "import sys, pathlib\n"
        "from openpersonalize.recipes.artifact import Artifact\n"
        f"Artifact.open(pathlib.Path({str(tmp_path)!r})).model\n"
        "heavy = {'torch', 'scipy', 'pandas', 'sqlalchemy', 'boto3'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_an_artifact_of_format_2_is_read(tmp_path: Path) -> None:
    world = two_clusters()
    today = written(tmp_path / "today", world, "aws-popularity-count")
    folder = tmp_path / "then"
    shutil.copytree(tmp_path / "today", folder)
    for then, now in (("popularity", "users"), ("popular", "order")):
        (folder / f"counts.{now}.npy").rename(folder / "model" / f"{then}.npy")
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "format": 2}))
    opened = Artifact.open(folder)
    assert opened.counts.order.tolist() == today.counts.order.tolist()
    query = Query.of_nobody(1)
    assert np.array_equal(opened.complete.scores(query), today.complete.scores(query))


def test_popularity_counts_users(tmp_path: Path) -> None:
    world = two_clusters()
    opened = written(tmp_path, world, "aws-popularity-count")
    pairs = set(zip(world.user.tolist(), world.item.tolist(), strict=True))
    wanted = [sum(item == one for _, item in pairs) for one in range(len(world.items))]
    assert opened.counts.users.tolist() == wanted
    assert opened.counts.interacted.tolist() == [count > 0 for count in wanted]
    assert sorted(opened.counts.order.tolist()) == list(range(len(world.items)))
