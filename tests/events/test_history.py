"""Live histories: columns that grow in place, the newest events by time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from openpersonalize.events.entries import COUNTS, LoggedEvent
from openpersonalize.events.history import EMPTY, History


def event(position: int, time: int) -> LoggedEvent:
    return LoggedEvent(position, "stream", "ann", f"i{position}", time, "click", None, COUNTS)


def test_a_longer_history_shares_what_the_shorter_one_has() -> None:
    first = History.of([(1, "a", 10, "click", None), (2, "b", 5, "buy", 2.0)])
    second = first.extended([event(3, 20)])
    assert second.source is first.source
    assert (len(first), first.item, first.newest) == (2, ("b", "a"), 2)
    assert (second.item, second.type, second.newest) == (("b", "a", "i3"), ("buy", "click", "click"), 3)
    assert second.items(2) == ["i3"]
    assert len(EMPTY) == 0


@given(
    times=st.lists(st.integers(1, 6), max_size=30),
    parts=st.lists(st.integers(1, 5), max_size=30),
    length=st.integers(1, 8),
)
def test_however_they_come_the_newest_by_time_are_known(
    times: list[int], parts: list[int], length: int
) -> None:
    events = [event(position, time) for position, time in enumerate(times, 1)]
    history, start = History.of([], length), 0
    for part in [*parts, len(events)]:
        history = history.extended(events[start : start + part])
        start = min(len(events), start + part)
    expected = sorted(events, key=lambda one: (one.time, one.position))[-length:]
    assert list(history.item) == [one.item for one in expected]
    assert history.time.tolist() == [one.time for one in expected]
