"""Who of the machine's users may look into a data folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from openpersonalize.access.keys import LOCK, KeyRing
from openpersonalize.errors import StartError
from openpersonalize.events.sqlitefile import SqliteFile
from openpersonalize.storage.folder import DataFolder
from openpersonalize.storage.privacy import make_private

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes of files are POSIX's")


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def test_a_new_folder_is_its_owners(tmp_path: Path) -> None:
    assert make_private(tmp_path / "new" / "data") == ""
    assert mode(tmp_path / "new" / "data") == 0o700


def test_an_old_folder_is_closed_and_the_operator_told(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)
    (folder / "format").write_text("1\n")
    opened = DataFolder.open(folder)
    assert mode(folder) == 0o700
    assert "could look into" in opened.notice
    assert "mode 755" in opened.notice
    opened.close()
    again = DataFolder.open(folder)
    assert again.notice == ""
    again.close()


def test_a_folder_of_other_things_is_left_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "thesis.txt").write_text("x")
    assert "holds other things" in make_private(tmp_path)
    assert mode(tmp_path) == 0o755


def test_a_group_may_read_but_not_lock(tmp_path: Path) -> None:
    import grp

    folder = tmp_path / "data"
    group = grp.getgrgid(os.getegid()).gr_name
    opened = DataFolder.open(folder, group)
    opened.close()
    assert mode(folder) == 0o2750
    assert mode(folder / "lock") == 0o600
    with pytest.raises(StartError, match="no group"):
        make_private(folder, "no-such-group-here")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can be another user")
def test_another_user_sees_nothing_and_holds_no_lock(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    DataFolder.open(folder).close()
    KeyRing(folder).create("admin")
    for parent in (tmp_path, *tmp_path.parents):
        if parent != Path("/") and parent.stat().st_uid == 0 and parent.is_relative_to("/tmp"):
            parent.chmod(parent.stat().st_mode | 0o755)
    look = "import os, sys\nos.setgid(65534); os.setuid(65534)\nos.open(sys.argv[1], os.O_RDONLY)"
    for name in ("format", "lock", LOCK):
        seen = subprocess.run(
            [sys.executable, "-c", look, str(folder / name)], capture_output=True, text=True
        )
        assert "PermissionError" in seen.stderr, (name, seen)


def test_a_lock_that_is_held_ends_with_a_sentence(tmp_path: Path) -> None:
    ring = KeyRing(tmp_path, lock_seconds=0.1)
    key, _ = ring.create("admin")
    with FileLock(tmp_path / LOCK), pytest.raises(StartError, match="fuser"):
        ring.revoke(key.id)
    ring.revoke(key.id)
    with FileLock(tmp_path / "x.db.lock"), pytest.raises(StartError, match="fuser"):
        SqliteFile(tmp_path / "x.db", ["livelog"], durable=False, lock_seconds=0.1)
