"""What weighing holds out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from openpersonalize.datasets.protocols import hold_out, protocol_of
from openpersonalize.testing.worlds import sequences_of


def test_baskets_have_several_items_in_one_second() -> None:
    orders = [
        (f"u{user}", f"i{item}", 100 * order) for user in range(9) for order in range(3) for item in range(4)
    ]
    assert protocol_of(sequences_of(orders)) == "horizon"
    assert (
        protocol_of(sequences_of([(user, item, time + int(item[1])) for user, item, time in orders]))
        == "leave_last"
    )


def test_several_events_of_one_item_are_no_basket() -> None:
    stream = sequences_of([(f"u{user}", f"i{place}", 100 * place) for user in range(9) for place in range(6)])
    twice = replace(
        stream,
        ptr=2 * stream.ptr,
        **{
            name: np.repeat(getattr(stream, name), 2) for name in ("item", "time", "event", "value", "weight")
        },
    )
    assert protocol_of(stream) == "leave_last"
    assert protocol_of(twice) == "leave_last"


def test_a_horizon_that_few_are_there_to_see_asks_for_the_newest_instead() -> None:
    rows = [(f"u{user:03}", f"i{place}", 1000 * user + place) for user in range(200) for place in range(10)]
    stream = sequences_of(rows)
    # Users come one after the other, so whatever the moment, only one was there before and after it.
    found = hold_out(stream, "horizon", np.random.default_rng(0))
    assert len(set(found.user.tolist())) == 200
    assert (np.diff(found.now)[np.diff(found.user) == 0] == 1).all()
    crowd = sequences_of([(user, item, int(item[1]) * 1000 + int(user[1:])) for user, item, _ in rows])
    found = hold_out(crowd, "horizon", np.random.default_rng(0))
    assert len(found.user) == 200
    assert found.training.mean() < 0.9


def test_a_horizon_begins_at_several_moments_and_lasts_a_tenth_of_all_events() -> None:
    rows = [
        (f"u{user:03}", f"i{place % 40}", 300 * place + user) for user in range(300) for place in range(100)
    ]
    stream = sequences_of(rows)
    found = hold_out(stream, "horizon", np.random.default_rng(0))
    assert len(found.user) == len(set(found.user.tolist())) == 300
    moments = sorted(set(found.now.tolist()))
    assert len(moments) == 6
    assert np.allclose(np.array(moments) / 30_000, np.linspace(0.85, 0.9, 6), atol=0.01)
    assert found.training.tolist() == (stream.time < moments[0]).tolist()
    for user, start, end, now in zip(found.user, found.start, found.end, found.now, strict=True):
        times = stream.time[stream.ptr[user] : stream.ptr[user + 1]]
        assert start == stream.ptr[user] + (times < now).sum()
        assert end == stream.ptr[user] + (times <= now + 3_000).sum() or abs(end - start - 10) <= 1
    again = hold_out(stream, "horizon", np.random.default_rng(0))
    assert found.now.tolist() == again.now.tolist()


def test_where_users_are_few_each_is_asked_about_several_seconds() -> None:
    rows = [
        (f"u{user}", f"i{place}", 100 * (place // 2)) for user in range(5) for place in range(3 + 2 * user)
    ]
    stream = sequences_of([*rows, ("v", "i0", 7), ("v", "i1", 7)])
    found = hold_out(stream, "leave_last", np.random.default_rng(0))
    asked = [
        (stream.users.strings()[user], now, stream.item[start:end].tolist())
        for user, now, start, end in zip(found.user, found.now, found.start, found.end, strict=True)
    ]
    names = stream.items.strings()
    told = {(user, now // 100, *sorted(names[row] for row in items)) for user, now, items in asked}
    assert {one for one in told if one[0] in ("u0", "u1")} == {
        ("u0", 1, "i2"),
        ("u1", 1, "i2", "i3"),
        ("u1", 2, "i4"),
    }
    assert [sum(one[0] == f"u{user}" for one in told) for user in range(5)] == [1, 2, 3, 3, 3]
    held = stream.where(~found.training)
    assert held.counts.tolist() == [1, 3, 5, 5, 5, 0]
    some = hold_out(stream, "leave_last", np.random.default_rng(0), most=4)
    assert len(some.user) == len(set(some.user.tolist())) == 4


def test_few_users_who_see_a_horizon_are_enough_where_there_are_no_more() -> None:
    rows = [(f"u{user}", f"i{place % 40}", 300 * place + user) for user in range(40) for place in range(100)]
    found = hold_out(sequences_of(rows), "horizon", np.random.default_rng(0))
    assert len(found.user) == 40
    assert len(set(found.now.tolist())) == 6


def news(users: int = 200, steps: int = 100) -> list[tuple[str, str, int]]:
    """An article lives two hours; every second user is one ahead."""
    return [
        (f"u{user:03}", f"i{place // 2 if user % 2 else place // 2 + 1}", 3_600 * place + user // 2)
        for user in range(users)
        for place in range(steps)
    ]


def test_items_that_come_and_go_are_asked_about_after_a_moment() -> None:
    stream = sequences_of(news())
    assert protocol_of(stream) == "temporal"
    assert protocol_of(sequences_of([(user, item, time) for user, item, time in news(90)])) == "leave_last"
    lasting = [(user, f"i{int(item[1:]) % 9}", time) for user, item, time in news()]
    assert protocol_of(sequences_of(lasting)) == "leave_last"
    found = hold_out(stream, "temporal", np.random.default_rng(0))
    moment = found.now.min()
    assert found.training.tolist() == (stream.time < moment).tolist()
    assert found.training.mean() == pytest.approx(0.97, abs=0.01)
    assert len(found.user) == 200 * 3
    assert np.array_equal(stream.time[found.start], found.now)
    assert (found.end - found.start == 1).all()
    few = hold_out(stream, "temporal", np.random.default_rng(0), most=50)
    assert len(few.user) == 50
    assert np.isin(few.start, found.start).all()


def test_little_before_the_newest_timestamp_is_nothing_to_learn_from() -> None:
    early = [(f"u{k}", f"i{k % 9}", k) for k in range(300)]
    late = [(f"u{k}", f"fresh{k % 7}", 1_000) for k in range(400)]
    assert protocol_of(sequences_of(early + late[:300])) == "temporal"
    assert protocol_of(sequences_of(early + late)) == "leave_last"


def test_a_second_is_asked_about_as_a_whole() -> None:
    rows = [*news(), ("u007", "extra", 3_600 * 99 + 3)]
    stream = sequences_of(rows)
    found = hold_out(stream, "temporal", np.random.default_rng(0))
    user = stream.users.find("u007")
    last = np.flatnonzero((found.user == user) & (found.now == 3_600 * 99 + 3))
    assert (found.end - found.start)[last].tolist() == [2]
