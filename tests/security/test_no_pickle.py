"""Data runs nothing: no file of a model, a snapshot or the log is read with pickle, whatever it holds."""

from __future__ import annotations

import ast
import io
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import openpersonalize
from openpersonalize.datasets.histories import InteractionHistories, build_histories
from openpersonalize.datasets.selection import EventSelection
from openpersonalize.recipes.artifact import Artifact, write_artifact
from openpersonalize.recipes.hyperparameters import read_configuration
from openpersonalize.recipes.registry import recipe
from openpersonalize.recipes.training import Training, TrainingData
from openpersonalize.testing.worlds import question, two_clusters

SOURCES = sorted(Path(openpersonalize.__file__).parent.rglob("*.py"))
REFUSED = {"pickle", "cPickle", "marshal", "shelve", "dill", "joblib", "cloudpickle"}


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, int]]:
        return os.open, (str(self.mark), os.O_CREAT | os.O_WRONLY)


def pickled_array(mark: Path) -> bytes:
    """An .npy file of one object."""
    array = np.empty(1, object)
    array[0] = Bomb(mark)
    sink = io.BytesIO()
    np.save(sink, array, allow_pickle=True)
    return sink.getvalue()


def test_the_bomb_goes_off_where_pickle_is_allowed(tmp_path: Path) -> None:
    np.load(io.BytesIO(pickled_array(tmp_path / "mark")), allow_pickle=True)
    assert (tmp_path / "mark").exists()


def test_no_source_reads_pickle() -> None:
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names = {(node.module or "").partition(".")[0]}
            else:
                names = set()
            assert not names & REFUSED, (source, node.lineno)
            if isinstance(node, ast.keyword):
                assert node.arg != "allow_pickle", (source, node.value.lineno)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                assert (node.value.id, node.attr) != ("torch", "load"), (source, node.lineno)


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model's, with everything that it may hold."""
    folder = tmp_path_factory.mktemp("artifact") / "model"
    folder.mkdir()
    found = recipe("aws-user-personalization-v2")
    assert found is not None
    data = TrainingData.of(two_clusters())
    model = found.fit(data, read_configuration(found.facts, {}), Training())
    selection = EventSelection.from_solution("buy", None)
    write_artifact(
        folder, model=model, recipe=found, data=data, selection=selection, position=1, manifest={"seed": 5}
    )
    return folder


def test_no_file_of_a_model_runs_anything(artifact: Path, tmp_path: Path) -> None:
    files = [path for path in artifact.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} >= {".npy", ".parquet", ".json"}
    world, mark = two_clusters(), tmp_path / "mark"
    for path in files:
        kept = path.read_bytes()
        for bomb in (pickled_array(mark), pickle.dumps(Bomb(mark))):
            path.write_bytes(bomb)
            try:
                opened = Artifact.open(artifact)
                opened.model.scores(question(world, 3))
                opened.history(world.users[3])
            except Exception:  # that it fails is right; how, is another test's
                pass
            assert not mark.exists(), path
        path.write_bytes(kept)
    assert np.isfinite(Artifact.open(artifact).model.scores(question(world, 3))).all()


def test_no_file_of_the_index_of_a_snapshot_or_a_segment_runs_anything(tmp_path: Path) -> None:
    """Both keep users' histories in the same form."""
    part, folder, mark = tmp_path / "part.parquet", tmp_path / "histories", tmp_path / "mark"
    rows = {
        "USER_ID": ["u", "v"],
        "ITEM_ID": ["a", "b"],
        "TIMESTAMP": [1, 2],
        "EVENT_TYPE": ["buy", "buy"],
        "EVENT_VALUE": [1.0, 2.0],
        "PLACE": [1, 2],
    }
    pl.DataFrame(rows).write_parquet(part)
    build_histories([part], folder, tuple(rows), arrival="PLACE")
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} >= {".npy"}
    assert len(files) > 5
    for path in files:
        kept = path.read_bytes()
        for bomb in (pickled_array(mark), pickle.dumps(Bomb(mark))):
            path.write_bytes(bomb)
            try:
                InteractionHistories.open(folder).of("u")
            except Exception:  # that it fails is right; how, is another test's
                pass
            assert not mark.exists(), path
        path.write_bytes(kept)
    assert InteractionHistories.open(folder).of("u")[1].tolist() == [1]
