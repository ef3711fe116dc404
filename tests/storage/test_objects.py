from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from contract.object_store import ObjectStoreContract, content_of, fill
from openpersonalize.settings import read_settings
from openpersonalize.storage.objects import LocalObjects, ObjectStore, open_objects


@pytest.fixture
def store(tmp_path: Path) -> LocalObjects:
    return LocalObjects(tmp_path)


class TestLocal(ObjectStoreContract):
    @pytest.fixture
    def reopen(self, tmp_path: Path) -> Callable[[], ObjectStore]:
        return lambda: LocalObjects(tmp_path)


def test_settings_name_the_store(tmp_path: Path) -> None:
    store = open_objects(read_settings({"data_dir": str(tmp_path)}, {}))
    store.publish(fill(store.stage()), "snapshots/a")
    assert (tmp_path / "snapshots" / "a" / "manifest.json").exists()


def test_published_folders_hold_no_links(store: LocalObjects, tmp_path: Path) -> None:
    staged = store.stage()
    (staged / "link").symlink_to(tmp_path)
    with pytest.raises(ValueError, match="symbolic link"):
        store.publish(staged, "snapshots/a")
    assert not store.exists("snapshots/a")


def test_a_sweep_drops_what_a_vanished_process_left(store: LocalObjects, tmp_path: Path) -> None:
    work = (
        "import os, sys; from pathlib import Path; from openpersonalize.storage.objects import LocalObjects\n"
        "staged = LocalObjects(Path(sys.argv[1])).stage(); (staged / 'half').write_text('x'); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", work, str(tmp_path)], check=False).returncode == 9
    mine = fill(store.stage())
    before = [path for path in (tmp_path / "staging").iterdir() if path.is_dir()]
    assert len(before) == 2
    store.sweep()
    assert [path for path in (tmp_path / "staging").iterdir() if path.is_dir()] == [mine]


def test_an_empty_folder_in_the_way_is_replaced(store: LocalObjects, tmp_path: Path) -> None:
    (tmp_path / "snapshots" / "a").mkdir(parents=True)
    staged = fill(store.stage())
    expected = content_of(staged)
    store.publish(staged, "snapshots/a")
    assert content_of(store.fetch("snapshots/a")) == expected
