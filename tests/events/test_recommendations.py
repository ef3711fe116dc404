"""Issued recommendationIds are found by every process until they are too old or too many."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest

from contract.live_log import PREFIX, Hands
from openpersonalize.errors import StartError
from openpersonalize.events import recommendations
from openpersonalize.events.recommendations import Issued, RecommendationLog

CAMPAIGN = f"{PREFIX}campaign/c"
DAY = 86_400


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def opening(tmp_path: Path, hands: Hands) -> Iterator[Callable[..., RecommendationLog]]:
    opened: list[RecommendationLog] = []

    def open_log(days: float = 14, megabytes: float = 8) -> RecommendationLog:
        opened.append(RecommendationLog(tmp_path / "recommendations.db", hands, days, megabytes))
        return opened[-1]

    yield open_log
    for log in opened:
        log.close()


def test_an_answer_is_found_at_once_and_after_it_was_written(
    opening: Callable[..., RecommendationLog], hands: Hands
) -> None:
    one, other = opening(), opening()
    one.add("RID-1", CAMPAIGN, ["b", "a|c", "é"], "ann")
    one.add("RID-2", CAMPAIGN, [], None)
    expected = Issued("RID-1", CAMPAIGN, ("b", "a|c", "é"), "ann", hands.time)
    assert one.find("RID-1") == expected
    one.flush()
    assert one.find("RID-1") == other.find("RID-1") == expected
    assert other.find("RID-2") == Issued("RID-2", CAMPAIGN, (), None, hands.time)
    assert other.find("RID-3") is None


def test_closing_writes_what_waits(opening: Callable[..., RecommendationLog]) -> None:
    log = opening()
    for n in range(200):
        log.add(f"RID-{n}", f"{CAMPAIGN}{n % 3}", [str(n)], None)
    log.close()
    again = opening()
    assert all(again.find(f"RID-{n}") is not None for n in range(200))


def test_old_answers_are_forgotten(opening: Callable[..., RecommendationLog], hands: Hands) -> None:
    log = opening(days=2)
    log.add("RID-1", CAMPAIGN, ["a"], None)
    log.flush()
    hands.time += 2 * DAY - 1
    log.add("RID-2", CAMPAIGN, ["a"], None)
    log.flush()
    assert log.find("RID-1") is not None
    hands.time += 2
    assert log.find("RID-1") is None
    log.flush()
    hands.time -= 2
    assert log.find("RID-1") is None
    assert log.find("RID-2") is not None


def test_a_campaign_that_is_gone_leaves_nothing_in_the_file(
    opening: Callable[..., RecommendationLog], tmp_path: Path
) -> None:
    log, other = opening(), opening()
    for n in range(100):
        log.add(f"RID-{n}", f"{CAMPAIGN}{n % 2}", [f"shown-{n % 2}"], f"user-{n % 2}")
    log.forget(f"{CAMPAIGN}0")
    for one in (log, other):
        assert one.find("RID-0") is None
        assert one.find("RID-1") is not None
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"user-1" in content
    for gone in (b"user-0", b"shown-0", f"{CAMPAIGN}0".encode()):
        assert gone not in content
    log.forget("nobody")


def test_the_file_stays_within_its_size(opening: Callable[..., RecommendationLog], tmp_path: Path) -> None:
    log = opening(megabytes=0.5)
    for n in range(6000):
        log.add(f"RID-{n:036}", CAMPAIGN, [f"item-{n}-{place}" for place in range(25)], "ann")
        if n % 500 == 499:
            log.flush()
    log.close()
    assert (tmp_path / "recommendations.db").stat().st_size < 2 * (1 << 20)
    again = opening(megabytes=0.5)
    assert again.find(f"RID-{0:036}") is None
    assert again.find(f"RID-{5999:036}") is not None


def test_when_the_disk_does_not_follow_memory_stays_bounded(
    opening: Callable[..., RecommendationLog],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(recommendations, "MOST_WAITING", 3)
    monkeypatch.setattr(recommendations, "FLUSH_SECONDS", 60)
    log = opening()
    for n in range(5):
        log.add(f"RID-{n}", CAMPAIGN, ["a"], None)
    assert log.find("RID-2") is not None
    assert log.find("RID-3") is None
    log.flush()
    assert "2 recommendationIds were not remembered" in caplog.text
    log.add("RID-5", CAMPAIGN, ["a"], None)
    assert log.find("RID-5") is not None


def test_a_damaged_file_refuses_the_start(opening: Callable[..., RecommendationLog], tmp_path: Path) -> None:
    (tmp_path / "recommendations.db").write_bytes(b"x" * 5000)
    with pytest.raises(StartError, match="is damaged"):
        opening()


def test_many_are_found_at_once_written_or_not(
    opening: Callable[..., RecommendationLog], hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recommendations, "FOUND_AT_ONCE", 3)
    log = opening(days=2)
    log.add("old", CAMPAIGN, ["o"], None)
    log.flush()
    hands.time += 3 * DAY
    for n in range(10):
        log.add(f"RID-{n}", CAMPAIGN, [f"a{n}", "b|c"], None)
    log.flush()
    log.add("waiting", CAMPAIGN, ["w"], None)
    asked = pl.Series([f"RID-{n}" for n in range(10)] + ["old", "waiting", "unknown", None, "RID-1"])
    found = dict(log.shown(asked).iter_rows())
    assert found == {f"RID-{n}": [f"a{n}", "b|c"] for n in range(10)} | {"waiting": ["w"]}
    assert len(log.shown(pl.Series([], dtype=pl.String))) == 0
