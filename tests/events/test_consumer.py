"""Followers know what was acknowledged, keep histories within their budget and drop what was removed."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from contract.live_log import CLICK, GROUP, INTERACTIONS, ITEMS, OTHER
from openpersonalize.clock import SystemClock
from openpersonalize.events.consumer import EventHandler, LogConsumer
from openpersonalize.events.entries import Record
from openpersonalize.events.history import History
from openpersonalize.events.livelog import LiveLog
from openpersonalize.events.sqlitelog import SqliteLiveLog

ROOMY = 1 << 20


class Looking(LogConsumer):
    """Looks before it tells a history, as whoever answers does."""

    def history(self, stream: str, subject: str) -> History:
        self.look()
        return super().history(stream, subject)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[LiveLog]:
    log = SqliteLiveLog(tmp_path / "events.db", SystemClock())
    yield log
    log.close()


@pytest.fixture
def follower(log: LiveLog) -> Iterator[Looking]:
    follower = Looking(log, ROOMY)
    yield follower
    follower.close()


def test_a_kept_history_grows_with_each_acknowledged_event(log: LiveLog, follower: Looking) -> None:
    assert len(follower.history(GROUP, "ann")) == 0
    log.append(GROUP, [CLICK, CLICK._replace(user="bob"), CLICK._replace(time=50, item="heat")]).result()
    history = follower.history(GROUP, "ann")
    assert history.item == ("heat", "alien")
    assert history.position.tolist() == [3, 1]
    assert history.newest == 3
    assert follower.history(INTERACTIONS, "ann") is history
    assert len(follower.history(OTHER, "ann")) == 0


def test_an_anonymous_session_is_known_by_its_id_only(log: LiveLog, follower: Looking) -> None:
    log.append(GROUP, [CLICK._replace(user=None), CLICK._replace(item="heat")]).result()
    assert follower.history(GROUP, "s1").item == ("alien",)
    assert follower.history(GROUP, "ann").item == ("heat",)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["append", "look", "forget"]), st.sampled_from(["u1", "u2"]), st.integers(1, 9)
        ),
        max_size=25,
    ),
    budget=st.sampled_from([0, 1500, ROOMY]),
    longest=st.sampled_from([2, 1000]),
    length=st.sampled_from([1, 3, 1000]),
)
@example(
    steps=[("append", "u1", 1), ("look", "u1", 1), ("append", "u1", 1), ("look", "u1", 1)],
    budget=ROOMY,
    longest=2,
    length=1,
)
def test_kept_and_fresh_histories_are_the_same(
    log: LiveLog,
    steps: list[tuple[str, str, int]],
    budget: int,
    longest: int,
    length: int,
) -> None:
    log.forget(GROUP)
    follower = Looking(log, budget, length=length, longest_look=longest)
    for place, (step, user, time) in enumerate(steps):
        if step == "append":
            log.append(GROUP, [CLICK._replace(user=user, time=time, item=f"i{place}")]).result()
        elif step == "forget":
            log.forget_subjects(GROUP, [user])
        else:
            kept, fresh = follower.history(GROUP, user), log.tail().history(GROUP, user, length)
            assert kept.item == fresh.item
            assert kept.time.tolist() == fresh.time.tolist()
            assert kept.position.tolist() == fresh.position.tolist()
    follower.close()


def test_memory_stays_within_the_budget(log: LiveLog) -> None:
    follower = Looking(log, 20_000)
    log.append(GROUP, [CLICK._replace(user=f"u{n}") for n in range(100)]).result()
    first = follower.history(GROUP, "u0")
    for n in range(100):
        follower.history(GROUP, f"u{n}")
    assert follower.history(GROUP, "u99") is follower.history(GROUP, "u99")
    assert follower.history(GROUP, "u0") is not first
    follower.close()


def test_histories_that_outgrow_the_budget_together_are_dropped_not_lost(log: LiveLog) -> None:
    follower = Looking(log, 5000)
    users = [f"u{n}" for n in range(4)]
    for user in users:
        assert len(follower.history(GROUP, user)) == 0
    log.append(GROUP, [CLICK._replace(user=u, time=t) for t in range(1, 40) for u in users]).result()
    assert [len(follower.history(GROUP, user)) for user in users] == [39] * 4
    follower.close()


def test_a_read_that_failed_is_tried_again(log: LiveLog, monkeypatch: pytest.MonkeyPatch) -> None:
    follower = Looking(log, ROOMY)
    assert len(follower.history(GROUP, "ann")) == 0
    log.append(GROUP, [CLICK]).result()
    with monkeypatch.context() as patch:
        patch.setattr(follower, "_longest_look", "not a number")
        with pytest.raises(TypeError):
            follower.history(GROUP, "ann")
    assert follower.history(GROUP, "ann").item == ("alien",)
    follower.close()


def test_positions_of_records_tell_when_to_look_again(log: LiveLog) -> None:
    log.append(ITEMS, [Record("heat")]).result()
    follower = Looking(log, ROOMY)
    assert follower.records_position(ITEMS) == 1
    log.append(ITEMS, [Record("alien"), Record("heat")]).result()
    assert not follower.is_current()
    follower.look()
    assert follower.is_current()
    assert follower.records_position(ITEMS) == 3 == follower.position
    assert follower.records_position(f"{ITEMS}2") == 1
    follower.close()


# -- in an event loop


def test_whoever_asks_after_an_acknowledgement_knows_of_it(log: LiveLog) -> None:
    async def journey() -> None:
        consumer = LogConsumer(log, ROOMY)
        assert consumer.kept_history(GROUP, "ann") is None
        assert len(await consumer.fetched_history(GROUP, "ann")) == 0
        for number in range(1, 6):
            await log.appended(GROUP, [CLICK._replace(time=number)])
            await asyncio.gather(*[consumer.current() for _ in range(10)])
            kept = consumer.kept_history(GROUP, "ann")
            assert kept is not None
            assert len(kept) == number
        found = await asyncio.gather(*[consumer.fetched_history(GROUP, f"u{k % 3}") for k in range(9)])
        assert [len(history) for history in found] == [0] * 9
        consumer.close()

    asyncio.run(journey())


def test_a_read_that_fails_fails_those_who_wait_and_nobody_else(
    log: LiveLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def journey() -> None:
        consumer = LogConsumer(log, ROOMY)
        with monkeypatch.context() as patch:
            patch.setattr(consumer, "_length", "not a number")
            with pytest.raises(sqlite3.Error):
                await consumer.fetched_history(GROUP, "ann")
        assert len(await consumer.fetched_history(GROUP, "ann")) == 0
        consumer.close()

    asyncio.run(journey())


# -- handlers


class Counting(EventHandler):
    """Counts what it is handed; fails when told to."""

    def __init__(self, position: int = 0) -> None:
        self.position = position
        self.items: list[str] = []
        self.chunks = 0
        self.failures = 0

    def on_events(self, events: pl.DataFrame, position: int) -> None:
        if self.failures:
            self.failures -= 1
            raise OSError("the disk is away")
        self.items += events["ITEM_ID"].to_list()
        self.chunks += 1
        self.position = position


def test_handlers_are_handed_everything_once_and_in_order(log: LiveLog) -> None:
    log.append(GROUP, [CLICK._replace(item=f"i{n}", time=n + 1) for n in range(10)]).result()
    consumer = LogConsumer(log, ROOMY, turn_rows=3, tick_seconds=0.02)
    first, late, other = Counting(), Counting(4), Counting()
    for stream, handler in ((GROUP, first), (INTERACTIONS, late), (OTHER, other)):
        assert consumer.follow(stream, handler).wait(10)
    assert first.items == [f"i{n}" for n in range(10)]
    assert late.items == [f"i{n}" for n in range(4, 10)]
    assert other.items == []
    assert first.chunks >= 4
    log.append(GROUP, [CLICK._replace(item="new", event_id="e", time=99)] * 1).result()
    log.append(GROUP, [CLICK._replace(item="repeat", event_id="e", time=100)]).result()
    assert consumer.follow(GROUP, first).wait(10)
    assert first.items[10:] == ["new"]
    consumer.unfollow(first)
    log.append(GROUP, [CLICK._replace(item="unseen", time=200)]).result()
    assert consumer.follow(GROUP, late).wait(10)
    assert "unseen" in late.items
    assert "unseen" not in first.items
    consumer.close()


def test_a_handler_that_fails_is_handed_the_same_again_and_holds_nobody_up(log: LiveLog) -> None:
    log.append(GROUP, [CLICK._replace(item=f"i{n}", time=n + 1) for n in range(6)]).result()
    consumer = LogConsumer(log, ROOMY, turn_rows=2, tick_seconds=0.02, pause_seconds=0.05)
    broken, sound = Counting(), Counting()
    broken.failures = 3
    waiting = consumer.follow(GROUP, broken)
    assert consumer.follow(GROUP, sound).wait(10)
    assert waiting.wait(10)
    assert broken.items == sound.items == [f"i{n}" for n in range(6)]
    consumer.close()
