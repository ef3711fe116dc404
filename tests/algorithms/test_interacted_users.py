"""Users by item: sums over the users of some items, in whatever pieces, and without some users."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from algorithms.worlds import some_events
from openpersonalize.algorithms import interacted_users as counting
from openpersonalize.algorithms.events import Events
from openpersonalize.algorithms.interacted_users import RECENT, InteractedUsers


def tables(events: Events) -> tuple[np.ndarray, np.ndarray]:
    """float64[U, n]: how many events each user has with each item, and how recent the last of them is."""
    users = len(events.ptr) - 1
    times, recency = np.zeros((users, events.n)), np.zeros((users, events.n))
    for user in range(users):
        own = events.item[events.ptr[user] : events.ptr[user + 1]].tolist()
        for place, item in enumerate(own):
            times[user, item] += 1
            recency[user, item] = 1 / (1 + (len(own) - 1 - place) / RECENT)
    return times, recency


@pytest.mark.parametrize("block", [1, 40, 10**6])
def test_sums_are_those_of_the_table(monkeypatch: pytest.MonkeyPatch, block: int, tmp_path: Path) -> None:
    monkeypatch.setattr(counting, "BLOCK", block)
    events = some_events(5)
    times, recency = tables(events)
    found = InteractedUsers.of(events)
    found.save(tmp_path)
    items = np.arange(0, events.n, 2)
    weights = np.linspace(0.5, 2, len(items)).astype(np.float32)
    for one in (found, InteractedUsers.load(tmp_path)):
        assert one.events.tolist() == times.sum(axis=1).tolist()
        assert one.items.tolist() == (times > 0).sum(axis=1).tolist()
        assert np.allclose(one.recent, recency.sum(axis=1), atol=1e-5)
        assert one.counts.tolist() == (times > 0).sum(axis=0).tolist()
        assert one.times_with(items).tolist() == times[:, items].sum(axis=1).tolist()
        ever, recently = one.sums(items, weights)
        assert np.allclose(ever, (times[:, items] > 0) @ weights, atol=1e-5)
        assert np.allclose(recently, recency[:, items] @ weights, atol=1e-5)
        assert sorted(one.of_items(items[:1]).tolist()) == np.flatnonzero(times[:, items[0]]).tolist()


def test_without_some_users_it_is_as_if_they_had_never_come() -> None:
    events = some_events(6)
    users = len(events.ptr) - 1
    kept = np.arange(users) % 3 > 0
    rows = np.repeat(kept, np.diff(events.ptr))
    ptr = np.concatenate(([0], np.cumsum(np.diff(events.ptr)[kept])))
    others = Events(
        ptr, events.item[rows], events.time[rows], events.event[rows], events.weight[rows], events.n
    )
    found, wanted = InteractedUsers.of(events).without_users(kept), InteractedUsers.of(others)
    for part in ("ptr", "user", "times", "since", "events", "items", "recent"):
        assert getattr(found, part).tolist() == getattr(wanted, part).tolist()


def test_of_nobody() -> None:
    nothing = np.empty(0, np.int32)
    events = Events(
        np.zeros(1, np.int64),
        nothing,
        np.empty(0, np.int64),
        np.empty(0, np.int16),
        np.empty(0, np.float32),
        3,
    )
    found = InteractedUsers.of(events)
    assert found.users == 0
    assert found.counts.tolist() == [0, 0, 0]
