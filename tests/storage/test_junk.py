from __future__ import annotations

import pytest

from openpersonalize.storage.junk import is_junk


@pytest.mark.parametrize(
    "path",
    ["._a.csv", ".DS_Store", "x/.DS_Store", ".part-0.csv.crc", "part-0.csv.crc", "_SUCCESS", "_committed_123",
     "_started_1", "README.txt", "readme.md", "README", "Thumbs.db", "desktop.ini", "__MACOSX/a.csv",
     ".ipynb_checkpoints/a-checkpoint.csv", "_temporary/0/part-0.csv", "_delta_log/0.json"],
)  # fmt: skip
def test_junk(path: str) -> None:
    assert is_junk(path)


@pytest.mark.parametrize(
    "path",
    ["a.csv", "part-00000", "x/y/a.csv.gz", "_items.csv", "readme_items.csv", "a.crc.csv", "SUCCESS",
     "_archive/a.csv", "readme.csv"],
)  # fmt: skip
def test_data(path: str) -> None:
    assert not is_junk(path)
