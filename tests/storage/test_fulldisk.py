from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from openpersonalize.storage.fulldisk import is_full_disk

FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="this system has no device that is always full")
def test_what_libraries_raise_on_a_full_disk() -> None:
    with FULL.open("wb", buffering=0) as full:
        for write in (
            lambda: full.write(b"x"),
            lambda: np.arange(10_000).tofile(full),
            lambda: pl.DataFrame({"a": range(10_000)}).write_parquet(FULL),
        ):
            with pytest.raises(Exception) as told:
                write()
            assert is_full_disk(told.value), told.value


def test_sqlite_on_a_full_disk(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "a.db") as connection:
        connection.execute("PRAGMA max_page_count = 3")
        connection.execute("CREATE TABLE a (b)")
        with pytest.raises(sqlite3.OperationalError) as told:
            connection.execute("INSERT INTO a VALUES (zeroblob(100000))")
    connection.close()
    assert is_full_disk(told.value)


def test_other_errors() -> None:
    for number in (errno.EDQUOT, errno.EFBIG):
        assert is_full_disk(OSError(number, "no"))
    for other in (OSError(errno.EACCES, "no"), ValueError("(os error 2)"), sqlite3.OperationalError("no")):
        assert not is_full_disk(other)
