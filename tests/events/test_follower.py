"""Followers know what was acknowledged, keep histories within their budget and drop what was removed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contract.live_log import CLICK, GROUP, INTERACTIONS, ITEMS, OTHER
from openpersonalize.clock import SystemClock
from openpersonalize.events import follower as following
from openpersonalize.events.entries import Record
from openpersonalize.events.follower import Follower
from openpersonalize.events.livelog import LiveLog
from openpersonalize.events.sqlitelog import SqliteLiveLog

ROOMY = 1 << 20


@pytest.fixture
def log(tmp_path: Path) -> Iterator[LiveLog]:
    log = SqliteLiveLog(tmp_path / "events.db", SystemClock())
    yield log
    log.close()


@pytest.fixture
def follower(log: LiveLog) -> Iterator[Follower]:
    follower = Follower(log, ROOMY)
    yield follower
    follower.close()


def test_a_kept_history_grows_with_each_acknowledged_event(log: LiveLog, follower: Follower) -> None:
    assert len(follower.history(GROUP, "ann")) == 0
    log.append(GROUP, [CLICK, CLICK._replace(user="bob"), CLICK._replace(time=50, item="heat")]).result()
    history = follower.history(GROUP, "ann")
    assert history.item == ("heat", "alien")
    assert history.position.tolist() == [3, 1]
    assert history.newest == 3
    assert follower.history(INTERACTIONS, "ann") is history
    assert len(follower.history(OTHER, "ann")) == 0


def test_what_a_model_has_seen_can_be_left_out(log: LiveLog, follower: Follower) -> None:
    log.append(GROUP, [CLICK._replace(time=t, item=f"i{t}") for t in (3, 1, 2)]).result()
    history = follower.history(GROUP, "ann")
    assert history.since(0) is history
    assert history.since(1).item == ("i1", "i2")
    assert history.since(1).time.tolist() == [1, 2]
    assert len(history.since(3)) == 0


def test_an_anonymous_session_is_known_by_its_id_only(log: LiveLog, follower: Follower) -> None:
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
)
def test_kept_and_fresh_histories_are_the_same(
    log: LiveLog,
    steps: list[tuple[str, str, int]],
    budget: int,
    longest: int,
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(following, "LONGEST_STEP", longest)
        log.forget(GROUP)
        follower = Follower(log, budget)
        for place, (step, user, time) in enumerate(steps):
            if step == "append":
                log.append(GROUP, [CLICK._replace(user=user, time=time, item=f"i{place}")]).result()
            elif step == "forget":
                log.forget_subjects(GROUP, [user])
            else:
                kept, fresh = follower.history(GROUP, user), log.tail().history(GROUP, user)
                assert kept.item == fresh.item
                assert kept.position.tolist() == fresh.position.tolist()
                assert kept.newest == fresh.newest
        follower.close()


def test_memory_stays_within_the_budget(log: LiveLog) -> None:
    follower = Follower(log, 20_000)
    log.append(GROUP, [CLICK._replace(user=f"u{n}") for n in range(100)]).result()
    first = follower.history(GROUP, "u0")
    for n in range(100):
        follower.history(GROUP, f"u{n}")
    assert follower.history(GROUP, "u99") is follower.history(GROUP, "u99")
    assert follower.history(GROUP, "u0") is not first
    follower.close()


def test_histories_that_outgrow_the_budget_together_are_dropped_not_lost(log: LiveLog) -> None:
    follower = Follower(log, 5000)
    users = [f"u{n}" for n in range(4)]
    for user in users:
        assert len(follower.history(GROUP, user)) == 0
    log.append(GROUP, [CLICK._replace(user=u, time=t) for t in range(1, 40) for u in users]).result()
    assert [len(follower.history(GROUP, user)) for user in users] == [39] * 4
    follower.close()


def test_a_read_that_failed_is_tried_again(log: LiveLog, monkeypatch: pytest.MonkeyPatch) -> None:
    follower = Follower(log, ROOMY)
    assert len(follower.history(GROUP, "ann")) == 0
    log.append(GROUP, [CLICK]).result()
    with monkeypatch.context() as patch:
        patch.setattr(following, "LONGEST_STEP", "not a number")
        with pytest.raises(TypeError):
            follower.history(GROUP, "ann")
    assert follower.history(GROUP, "ann").item == ("alien",)
    follower.close()


def test_positions_of_records_and_removals_tell_when_to_look_again(log: LiveLog) -> None:
    log.append(ITEMS, [Record("heat")]).result()
    follower = Follower(log, ROOMY)
    assert follower.records_position(ITEMS) == 1
    log.append(ITEMS, [Record("alien"), Record("heat")]).result()
    assert follower.records_position(ITEMS) == 3
    assert follower.records_position(f"{ITEMS}2") == 1
    assert follower.forgotten_position(GROUP) == 0
    log.append(GROUP, [CLICK]).result()
    log.forget_subjects(GROUP, ["ann"])
    assert follower.forgotten_position(INTERACTIONS) == log.position() == follower.catch_up()
    follower.close()
