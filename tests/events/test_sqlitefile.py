"""A file of our own: durable when asked, all or nothing, brought to the newest format."""

from __future__ import annotations

import re
import sqlite3
from importlib import resources
from pathlib import Path

import pytest

import openpersonalize.events
from openpersonalize.events.sqlitefile import SqliteFile
from openpersonalize.events.statements import read_statements

FORMATS = ["livelog_1.sql"]


@pytest.mark.parametrize(("durable", "synchronous"), [(True, 2), (False, 1)])
def test_commits_wait_for_the_disk_when_asked(tmp_path: Path, durable: bool, synchronous: int) -> None:
    connection = SqliteFile(tmp_path / "a" / "file.db", FORMATS, durable=durable).connect(write=True)
    assert connection.execute("PRAGMA synchronous").fetchone() == (synchronous,)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_a_transaction_is_all_or_nothing(tmp_path: Path) -> None:
    file = SqliteFile(tmp_path / "file.db", FORMATS, durable=True)
    writer, reader = file.connect(write=True), file.connect()
    with pytest.raises(ZeroDivisionError), file.writing(writer):
        writer.execute("UPDATE head SET position = 7")
        raise ZeroDivisionError
    with file.writing(writer):
        writer.execute("UPDATE head SET told = 5")
    assert reader.execute("SELECT position, told FROM head").fetchone() == (0, 5)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute("UPDATE head SET told = 6")
    writer.close()
    reader.close()


def test_opening_again_changes_nothing_and_later_formats_are_added(tmp_path: Path) -> None:
    for formats, versions in ((FORMATS, [1]), (FORMATS, [1]), ([*FORMATS, "recommendations_1.sql"], [1, 2])):
        file = SqliteFile(tmp_path / "file.db", formats, durable=True)
        connection = file.connect()
        found = connection.execute("SELECT version FROM format ORDER BY version").fetchall()
        assert [version for (version,) in found] == versions
        connection.close()


@pytest.mark.parametrize(
    ("statements", "modules"),
    [
        (
            "livelog.sql",
            (
                "sqlitelog",
                "sqlitesegments",
                "sqlitesealing",
                "sqliteerasure",
                "sqlitetail",
                "sqlitewrites",
                "repeats",
            ),
        ),
        ("recommendations.sql", ("sqliterecommendations",)),
    ],
)
def test_every_statement_is_used_and_every_used_one_exists(statements: str, modules: tuple[str, ...]) -> None:
    folder = resources.files(openpersonalize.events)
    source = "".join(folder.joinpath(f"{module}.py").read_text() for module in modules)
    assert set(re.findall(r'SQL\["(\w+)"\]', source)) == set(read_statements(statements))
