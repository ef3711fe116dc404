"""Anonymous events find their user at training."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from openpersonalize.events.linking import link_sessions

TYPES = {
    "USER_ID": pl.String,
    "ITEM_ID": pl.String,
    "#SESSION": pl.String,
    "#ANONYMOUS": pl.Boolean,
    "#ARRIVAL": pl.Int64,
}


def linked(*events: tuple[str | None, str]) -> list[tuple[str, str]]:
    """(user or None, session) of events in order of arrival to (user, item) after linking; items i0, i1."""
    rows = [
        (user or session, f"i{place}", session, user is None, place)
        for place, (user, session) in enumerate(events)
    ]
    frame = pl.DataFrame(rows, schema=TYPES, orient="row")
    result = link_sessions(frame.lazy()).collect()
    assert result.columns == frame.columns
    return list(result.select("USER_ID", "ITEM_ID").iter_rows())


def test_events_before_the_login_join_the_user() -> None:
    assert linked((None, "s1"), (None, "s1"), ("ann", "s1")) == [("ann", "i0"), ("ann", "i1"), ("ann", "i2")]


def test_sessions_that_nobody_was_seen_in_are_dropped() -> None:
    assert linked((None, "s1"), ("ann", "s2")) == [("ann", "i1")]


def test_a_shared_session_belongs_to_the_first_user_seen() -> None:
    assert linked((None, "s1"), ("bob", "s1"), (None, "s1"), ("ann", "s1")) == [
        ("bob", "i0"),
        ("bob", "i1"),
        ("bob", "i2"),
        ("ann", "i3"),
    ]


def test_a_session_id_used_as_user_id_links_to_itself_only() -> None:
    assert linked((None, "s1"), ("s1", "s2")) == [("s1", "i1")]


def test_nothing_streamed_is_nothing_linked() -> None:
    assert linked() == []


@given(
    st.lists(st.tuples(st.sampled_from([None, "u1", "u2"]), st.sampled_from(["s1", "s2", "s3"])), max_size=30)
)
def test_it_follows_the_rule_written_the_slow_way(events: list[tuple[str | None, str]]) -> None:
    owners: dict[str, str] = {}
    for user, session in events:
        if user is not None:
            owners.setdefault(session, user)
    expected = [
        (user or owners[session], f"i{place}")
        for place, (user, session) in enumerate(events)
        if user is not None or session in owners
    ]
    assert linked(*events) == expected
