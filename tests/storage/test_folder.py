from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from openpersonalize.errors import StartError
from openpersonalize.storage.folder import FOLDERS, DataFolder

HOLD = """
import sys
from pathlib import Path
from openpersonalize.storage.folder import DataFolder
folder = DataFolder.open(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_the_layout_is_made_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "some" / "data"
    folder = DataFolder.open(path)
    assert all((path / name).is_dir() for name in FOLDERS)
    (path / "snapshots" / "a").mkdir()
    folder.close()
    DataFolder.open(path).close()
    assert (path / "snapshots" / "a").is_dir()
    assert (path / "format").read_text() == "1\n"


def test_one_server_at_a_time_until_it_ends_somehow(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(StartError, match=r"in use by another server; .* --data-dir"):
            DataFolder.open(tmp_path)
        holder.kill()
    DataFolder.open(tmp_path).close()


def test_one_server_at_a_time_within_a_process(tmp_path: Path) -> None:
    folder = DataFolder.open(tmp_path)
    with pytest.raises(StartError, match="in use"):
        DataFolder.open(tmp_path)
    folder.close()
    DataFolder.open(tmp_path).close()


@pytest.mark.parametrize(("text", "sentence"), [("2", "install the newer release"), ("?", "from a backup")])
def test_another_format_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "format").write_text(text)
    with pytest.raises(StartError, match=sentence):
        DataFolder.open(tmp_path)
    (tmp_path / "format").write_text("1")
    DataFolder.open(tmp_path).close()


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(StartError, match="cannot be written"):
        DataFolder.open(tmp_path / "data")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs file permissions that bind this user")
def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StartError, match="cannot be written"):
        DataFolder.open(tmp_path)


def test_a_folder_of_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").write_text("x")
    with pytest.raises(StartError, match=r"holds something else \(thesis\.docx\)"):
        DataFolder.open(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.docx"]


@pytest.mark.parametrize("name", ["lost+found", ".hidden", "buckets", "access-keys.json"])
def test_what_a_data_folder_may_begin_with(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    DataFolder.open(tmp_path).close()
