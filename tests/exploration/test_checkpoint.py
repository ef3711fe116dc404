"""Checkpoints: the newest is found, whoever saved it; what cannot be read is counted again."""

import numpy as np
import polars as pl
import pytest

from openpersonalize.exploration.checkpoint import CheckpointStore, ExposureCheckpoint
from openpersonalize.settings import read_settings
from openpersonalize.storage.objects import open_objects


@pytest.fixture
def stores(tmp_path):
    """Two processes' stores of one artifact, the objects, and the folder."""
    settings = read_settings({"data_dir": str(tmp_path)}, {})
    objects = open_objects(settings)
    one, other = (CheckpointStore(objects, settings.data, "artifacts/a") for _ in range(2))
    return one, other, objects, settings.data


def checkpoint(position):
    return ExposureCheckpoint(position, np.array([position]), pl.DataFrame({"ITEM_ID": ["x"]}))


def test_the_newest_is_found_and_the_one_before_it_stays_a_while(stores):
    one, other, objects, _ = stores
    assert one.load() is None
    for position in (10, 20, 30):
        one.save(checkpoint(position))
    found = other.load()
    assert (found.position, found.since.tolist(), found.unlisted["ITEM_ID"].to_list()) == (30, [30], ["x"])
    assert [objects.exists(f"online/a/{position}") for position in (10, 20, 30)] == [False, True, True]


def test_a_process_that_stands_further_back_does_not_name_its_own(stores):
    one, other, _, _ = stores
    one.save(checkpoint(20))
    other.save(checkpoint(10))
    assert one.load().position == 20


def test_no_object_is_ever_rewritten(stores):
    one, other, objects, _ = stores
    one.save(checkpoint(10))
    before = {path: path.stat().st_mtime_ns for path in objects.fetch("online/a/10").iterdir()}
    other.save(checkpoint(10))
    one.save(checkpoint(20))
    assert {path: path.stat().st_mtime_ns for path in objects.fetch("online/a/10").iterdir()} == before


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("since.npy", b""),
        ("checkpoint.json", b"{"),
        ("checkpoint.json", b"{}"),
        ("unlisted.parquet", b"PAR1"),
    ],
)
def test_one_that_cannot_be_read_gives_way_to_the_one_before(stores, caplog, name, content):
    one, _, objects, _ = stores
    one.save(checkpoint(10))
    one.save(checkpoint(20))
    broken = objects.fetch("online/a/20") / name
    broken.chmod(0o644)
    broken.write_bytes(content)
    assert one.load().position == 10
    assert "counted again" in caplog.text
    objects.remove("online/a/10")
    assert one.load() is None


def test_they_go_with_the_artifact(stores):
    one, other, _, folder = stores
    one.save(checkpoint(10))
    one.save(checkpoint(20))
    other.remove()
    assert one.load() is None
    assert not (folder / "online" / "a").exists()
    other.remove()
