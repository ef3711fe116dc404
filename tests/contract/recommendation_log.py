"""What every recommendation log must keep to: a test class per implementation inherits the contract."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Protocol

import polars as pl
import pytest

from contract.live_log import PREFIX, Hands
from openpersonalize.events.recommendations import Issued, RecommendationLog

CAMPAIGN = f"{PREFIX}campaign/c"
DAY = 86_400


class Opening(Protocol):
    """Opens the same log anew."""

    def __call__(
        self,
        *,
        days: float = 14,
        megabytes: float = 8,
        most_waiting: int = 50_000,
        bytes_waiting: int = 1_000_000,
        flush_seconds: float = 60,
    ) -> RecommendationLog: ...


class RecommendationLogContract:
    """Inherit, and define the fixture `opening`."""

    @pytest.fixture
    def hands(self) -> Hands:
        return Hands()

    @pytest.fixture
    def opening(self, hands: Hands) -> Opening:
        raise NotImplementedError

    def test_an_answer_is_found_at_once_and_after_it_was_written(
        self, opening: Opening, hands: Hands
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

    def test_answers_are_written_without_being_asked(self, opening: Opening) -> None:
        one, other = opening(flush_seconds=0.01), opening()
        one.add("RID-1", CAMPAIGN, ["a"], None)
        assert eventually(lambda: other.find("RID-1") is not None)

    def test_closing_writes_what_waits(self, opening: Opening) -> None:
        log = opening()
        for n in range(200):
            log.add(f"RID-{n}", f"{CAMPAIGN}{n % 3}", [str(n)], None)
        log.close()
        again = opening()
        assert all(again.find(f"RID-{n}") is not None for n in range(200))

    def test_old_answers_are_forgotten(self, opening: Opening, hands: Hands) -> None:
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

    def test_the_oldest_go_when_there_are_too_many(self, opening: Opening) -> None:
        log = opening(megabytes=0.5)
        for n in range(6000):
            log.add(f"RID-{n:036}", CAMPAIGN, [f"item-{n}-{place}" for place in range(25)], "ann")
            if n % 500 == 499:
                log.flush()
        log.close()
        again = opening(megabytes=0.5)
        assert again.find(f"RID-{0:036}") is None
        assert again.find(f"RID-{5999:036}") is not None

    def test_a_campaign_that_is_gone_is_forgotten_everywhere(self, opening: Opening) -> None:
        log, other = opening(), opening()
        for n in range(100):
            log.add(f"RID-{n}", f"{CAMPAIGN}{n % 2}", [f"shown-{n % 2}"], f"user-{n % 2}")
        log.forget(f"{CAMPAIGN}0")
        log.forget("nobody")
        for one in (log, other):
            assert one.find("RID-0") is None
            assert one.find("RID-1") is not None

    def test_users_are_forgotten_by_the_campaigns_named(self, opening: Opening) -> None:
        log, other = opening(), opening()
        for n in range(60):
            log.add(f"RID-{n}", f"{CAMPAIGN}{n % 2}", ["a"], f"user-{n % 3}")
        log.flush()
        log.add("waiting", f"{CAMPAIGN}0", ["a"], "user-0")
        assert log.forget_users(["user-0", "nobody"], [f"{CAMPAIGN}0", "nothing"]) == 11
        for one in (log, other):
            assert one.find("RID-0") is None
            assert one.find("waiting") is None
            assert one.find("RID-3") is not None  # another campaign showed it
            assert one.find("RID-2") is not None  # to somebody else

    def test_when_writing_does_not_keep_up_memory_stays_bounded(
        self, opening: Opening, caplog: pytest.LogCaptureFixture
    ) -> None:
        log = opening(most_waiting=3)
        for n in range(5):
            log.add(f"RID-{n}", CAMPAIGN, ["a"], None)
        assert log.find("RID-2") is not None
        assert log.find("RID-3") is None
        log.flush()
        assert "2 recommendationIds were not remembered" in caplog.text
        log.add("RID-5", CAMPAIGN, ["a"], None)
        assert log.find("RID-5") is not None

    def test_long_answers_that_wait_stay_bounded_too(
        self, opening: Opening, caplog: pytest.LogCaptureFixture
    ) -> None:
        log = opening(bytes_waiting=1_500)
        for n in range(4):
            log.add(f"RID-{n}", CAMPAIGN, [f"{n}" * 100] * 4, None)
        assert log.find("RID-1") is not None
        assert log.find("RID-2") is None
        log.flush()
        assert "2 recommendationIds were not remembered" in caplog.text
        log.add("RID-4", CAMPAIGN, ["a" * 1_000], None)
        assert log.find("RID-4") is not None

    def test_an_answer_that_cannot_be_stored_harms_no_other(
        self, opening: Opening, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.WARNING)
        log, other = opening(flush_seconds=0.01), opening()
        log.add("RID-1", CAMPAIGN, ["a"], None)
        log.add("bad", CAMPAIGN, ["half \ud800 a pair"], None)
        log.add("RID-2", CAMPAIGN, ["a"], "half \ud800")
        log.add("RID-3", CAMPAIGN, ["a"], None)
        assert eventually(lambda: other.find("RID-3") is not None)
        assert other.find("RID-1") is not None
        assert other.find("bad") is None
        assert "were not remembered" in caplog.text
        log.add("RID-4", CAMPAIGN, ["a"], None)  # the thread that writes lives on
        assert eventually(lambda: other.find("RID-4") is not None)

    def test_many_are_found_at_once_written_or_not(self, opening: Opening, hands: Hands) -> None:
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


def eventually(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True
