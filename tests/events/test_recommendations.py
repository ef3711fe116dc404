"""The recommendation log on SQLite: the contract, and what a file adds to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.live_log import Hands
from contract.recommendation_log import CAMPAIGN, Opening, RecommendationLogContract, eventually
from openpersonalize.errors import StartError
from openpersonalize.events.recommendations import RecommendationLog
from openpersonalize.events.sqlitefile import SqliteFile
from openpersonalize.events.sqliterecommendations import FORMATS, SqliteRecommendationLog


class TestSqliteRecommendationLog(RecommendationLogContract):
    @pytest.fixture
    def opening(self, tmp_path: Path, hands: Hands) -> Iterator[Opening]:
        opened: list[RecommendationLog] = []

        def open_log(
            *,
            days: float = 14,
            megabytes: float = 8,
            most_waiting: int = 50_000,
            bytes_waiting: int = 1_000_000,
            flush_seconds: float = 60,
        ) -> RecommendationLog:
            opened.append(
                SqliteRecommendationLog(
                    tmp_path / "recommendations.db",
                    hands,
                    days,
                    megabytes,
                    flush_seconds=flush_seconds,
                    most_waiting=most_waiting,
                    bytes_waiting=bytes_waiting,
                    found_at_once=3,
                )
            )
            return opened[-1]

        yield open_log
        for log in opened:
            log.close()

    def test_the_file_stays_within_its_size(self, opening: Opening, tmp_path: Path) -> None:
        log = opening(megabytes=0.5)
        for n in range(6000):
            log.add(f"RID-{n:036}", CAMPAIGN, [f"item-{n}-{place}" for place in range(25)], "ann")
            if n % 500 == 499:
                log.flush()
        log.close()
        assert (tmp_path / "recommendations.db").stat().st_size < 2 * (1 << 20)

    def test_nothing_forgotten_is_left_in_the_file(self, opening: Opening, tmp_path: Path) -> None:
        log = opening()
        for n in range(100):
            log.add(f"RID-{n}", f"{CAMPAIGN}{n % 4}", [f"shown-{n % 4}"], f"user-{n % 4}")
        log.forget(f"{CAMPAIGN}0")
        assert log.forget_users(["user-2"], [f"{CAMPAIGN}2"]) == 25
        content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        assert b"user-1" in content
        for gone in (b"user-0", b"shown-0", f"{CAMPAIGN}0".encode(), b"user-2", b"shown-2"):
            assert gone not in content

    def test_a_damaged_file_refuses_the_start(self, opening: Opening, tmp_path: Path) -> None:
        (tmp_path / "recommendations.db").write_bytes(b"x" * 5000)
        with pytest.raises(StartError, match="is damaged"):
            opening()

    def test_a_file_of_the_first_format_opens(self, opening: Opening, tmp_path: Path, hands: Hands) -> None:
        file = SqliteFile(tmp_path / "recommendations.db", FORMATS[:1], durable=True)
        connection = file.connect(write=True)
        connection.execute("INSERT INTO issuer VALUES (1, 'arn:c')")
        connection.execute("INSERT INTO issued VALUES (1, 'RID-1', 1, 'ann', '[\"a\"]', ?)", (hands.time,))
        connection.close()
        log = opening()
        assert log.forget_users(["ann"], ["arn:c"]) == 1
        assert log.find("RID-1") is None

    def test_the_thread_that_writes_survives_a_file_that_is_gone_for_a_while(
        self, opening: Opening, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        log = opening(flush_seconds=0.01)
        locking = sqlite3.connect(tmp_path / "recommendations.db")
        table = locking.execute("SELECT sql FROM sqlite_schema WHERE name = 'issued'").fetchone()[0]
        locking.execute("DROP TABLE issued")
        locking.commit()
        log.add("RID-1", CAMPAIGN, ["a"], None)
        log.flush()
        assert "were not remembered" in caplog.text
        locking.execute(table)
        locking.commit()
        locking.close()
        log.add("RID-2", CAMPAIGN, ["a"], None)
        log.flush()
        assert log.find("RID-2") is not None

    def test_a_disk_that_refuses_is_told_once_and_written_to_again(
        self, opening: Opening, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A connection that was opened while the file could only be read never writes."""
        connect, refusing = SqliteFile.connect, 2

        def opened(file: SqliteFile, *, write: bool = False) -> sqlite3.Connection:
            nonlocal refusing
            found = connect(file, write=write)
            if write and refusing:
                refusing -= 1
                found.execute("PRAGMA query_only = ON")
            return found

        log, other = opening(flush_seconds=0.01), opening()
        monkeypatch.setattr(SqliteFile, "connect", opened)
        for lost in ("RID-1", "RID-2"):
            log.add(lost, CAMPAIGN, ["a"], None)
            assert eventually(lambda lost=lost: log.find(lost) is None)
        log.add("RID-3", CAMPAIGN, ["a"], None)
        assert eventually(lambda: other.find("RID-3") is not None)
        assert caplog.text.count("were not remembered") == 1
