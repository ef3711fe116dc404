"""Checkpoints: the newest is found, whoever saved it; what cannot be read is counted again."""

import pytest

from openpersonalize.exploration.checkpoint import CheckpointStore, remove_checkpoints
from openpersonalize.settings import read_settings
from openpersonalize.storage.objects import open_objects


@pytest.fixture
def stores(tmp_path):
    """Two processes' stores of one artifact, the objects, and the folder."""
    settings = read_settings({"data_dir": str(tmp_path)}, {})
    objects = open_objects(settings)
    one, other = (CheckpointStore(objects, settings.data, "artifacts/a", "exposure") for _ in range(2))
    return one, other, objects, settings.data


def save(store, position):
    store.save(position, lambda folder: (folder / "count").write_text(str(position)))


def load(store):
    return store.load(lambda folder, position: (position, int((folder / "count").read_text())))


def test_the_newest_is_found_and_the_one_before_it_stays_a_while(stores):
    one, other, objects, _ = stores
    assert load(one) is None
    for position in (10, 20, 30):
        save(one, position)
    assert load(other) == (30, 30)
    kept = [objects.exists(f"online/a/exposure-{position}") for position in (10, 20, 30)]
    assert kept == [False, True, True]


def test_a_process_that_stands_further_back_does_not_name_its_own(stores):
    one, other, _, _ = stores
    save(one, 20)
    save(other, 10)
    assert load(one) == (20, 20)


def test_no_object_is_ever_rewritten(stores):
    one, other, objects, _ = stores
    save(one, 10)
    path = objects.fetch("online/a/exposure-10") / "count"
    before = path.stat().st_mtime_ns
    save(other, 10)
    save(one, 20)
    assert path.stat().st_mtime_ns == before


def test_one_that_cannot_be_read_gives_way_to_the_one_before(stores, caplog):
    one, _, objects, _ = stores
    save(one, 10)
    save(one, 20)
    broken = objects.fetch("online/a/exposure-20") / "count"
    broken.chmod(0o644)
    broken.write_text("x")
    assert load(one) == (10, 10)
    assert "counted again" in caplog.text
    objects.remove("online/a/exposure-10")
    assert load(one) is None


def test_parts_are_apart_and_go_with_the_artifact(stores):
    one, _, objects, folder = stores
    popularity = CheckpointStore(objects, folder, "artifacts/a", "popularity")
    save(one, 10)
    save(popularity, 5)
    assert load(popularity) == (5, 5)
    remove_checkpoints(objects, folder, "artifacts/a")
    assert load(one) is load(popularity) is None
    assert not (folder / "online" / "a").exists()
    remove_checkpoints(objects, folder, "artifacts/a")
