"""What every live log must keep to. A test class per implementation inherits `LiveLogContract`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openpersonalize.clock import Clock
from openpersonalize.datasets.schemas import Field, Schema
from openpersonalize.errors import Unavailable
from openpersonalize.events.entries import COUNTS, IDENTICAL, REPEATED_ID, Event, Record
from openpersonalize.events.frames import COUNTED_TIME
from openpersonalize.events.livelog import RECORD_SECONDS, RECORD_VERSIONS, LiveLog

PREFIX = "arn:aws:personalize:us-east-1:000000000000:"
GROUP = f"{PREFIX}dataset-group/films"
INTERACTIONS = f"{PREFIX}dataset/films/INTERACTIONS"
OTHER = f"{PREFIX}dataset-group/books"
ITEMS = f"{PREFIX}dataset/films/ITEMS"
USERS = f"{PREFIX}dataset/films/USERS"

SCHEMA = Schema(
    (
        Field("ITEM_ID", "string"),
        Field("USER_ID", "string"),
        Field("TIMESTAMP", "long"),
        Field("EVENT_TYPE", "string"),
        Field("EVENT_VALUE", "float", nullable=True),
        Field("DEVICE", "string", nullable=True, categorical=True),
        Field("SCREENS", "long", nullable=True),
        Field("IMPRESSION", "string", nullable=True),
    )
)
ITEM_SCHEMA = Schema(
    (
        Field("ITEM_ID", "string"),
        Field("GENRES", "string", nullable=True, categorical=True),
        Field("YEAR", "int", nullable=True),
        Field("PRICE", "double", nullable=True),
        Field("ADULT", "boolean", nullable=True),
    )
)
SHARED = [HealthCheck.function_scoped_fixture, HealthCheck.differing_executors]
"""One log serves all examples of a test, and all implementations inherit the test."""

CLICK = Event("ann", "s1", "alien", 100, "click")


@dataclass
class Hands:
    """A clock whose hands are moved by the test."""

    time: float = 1_700_000_000.0

    def now(self) -> float:
        return self.time


class LiveLogContract:
    """Inherit, and define the fixture `open_log`: each call opens the same log anew."""

    @pytest.fixture
    def hands(self) -> Hands:
        return Hands()

    @pytest.fixture
    def open_log(self, hands: Clock) -> Callable[[], LiveLog]:
        raise NotImplementedError

    @pytest.fixture
    def log(self, open_log: Callable[[], LiveLog]) -> LiveLog:
        return open_log()

    def test_positions_ascend_over_all_streams_and_are_consecutive_in_a_call(self, log: LiveLog) -> None:
        assert log.position() == 0
        first = log.append(GROUP, [CLICK, CLICK._replace(time=101)]).result()
        second = log.append(ITEMS, [Record("alien")]).result()
        third = log.append(OTHER, [CLICK]).result()
        assert first < second < third == log.position()
        assert log.interactions_frame(GROUP, SCHEMA)["#ARRIVAL"].to_list() == [first - 1, first]

    def test_another_process_reads_what_was_acknowledged(self, open_log: Callable[[], LiveLog]) -> None:
        one, other = open_log(), open_log()
        tail = other.tail()
        assert tail.changed()
        assert not tail.changed()
        position = one.append(GROUP, [CLICK]).result()
        assert tail.changed()
        assert other.position() == position
        assert tail.history(GROUP, "ann").item == ("alien",)
        assert [event.position for event in tail.news(0, 10).events] == [position]
        assert other.interactions_frame(GROUP, SCHEMA).height == 1
        tail.close()

    def test_every_commit_of_any_process_changes_the_version(self, open_log: Callable[[], LiveLog]) -> None:
        one, other = open_log(), open_log()
        seen = [other.version()]
        one.append(GROUP, [CLICK]).result()
        seen.append(other.version())
        one.append(ITEMS, [Record("alien")]).result()
        seen.append(other.version())
        assert other.version() == seen[-1] == one.version()
        one.forget_subjects(GROUP, ["ann"])
        seen.append(other.version())
        assert len(set(seen)) == 4

    def test_of_a_long_history_the_newest_events_are_read(self, log: LiveLog) -> None:
        times = [5, 1, 4, 2, 3, 5]
        events = [CLICK._replace(time=time, item=f"i{place}") for place, time in enumerate(times)]
        log.append(GROUP, events).result()
        assert list(log.tail().history(GROUP, "ann", 3).item) == ["i2", "i0", "i5"]

    def test_many_histories_at_once_are_those_of_each(self, log: LiveLog) -> None:
        odd = ["ann", "bob's", "a\0b", 'q"uote', "\u00e9\u4e2d"]
        events = [CLICK._replace(user=user, item=f"i{n}", time=n) for n in range(4) for user in odd]
        log.append(GROUP, events[:12]).result()
        log.append(GROUP, events[12:]).result()
        tail = log.tail()
        asked = ["nobody", *odd, "a", "bob"]
        found = tail.histories(GROUP, asked)
        assert sorted(found) == sorted(odd)
        for user in odd:
            assert list(found[user].item) == list(tail.history(GROUP, user).item) == ["i0", "i1", "i2", "i3"]
        assert list(tail.histories(GROUP, odd[:2], 2)["ann"].item) == ["i2", "i3"]
        assert tail.histories(GROUP, []) == {} == tail.histories(ITEMS, asked)

    def test_no_event_counts_as_later_than_it_came(
        self, open_log: Callable[[], LiveLog], hands: Hands
    ) -> None:
        """Kept, told one by one and read again; the time that was sent stays beside it."""
        log, now = open_log(), int(hands.time)
        tail = log.tail()
        ahead = Event("ann", "s1", "alien", now + 3 * 86_400, "click")
        log.append(GROUP, [ahead]).result()
        hands.time += 60
        log.append(GROUP, [Event("ann", "s1", "brazil", now + 50, "click")]).result()
        news = tail.news(0, 100)
        told = [(event.item, event.time) for event in news.events]
        assert news.skipped or told == [("alien", now), ("brazil", now + 50)]
        for one in (tail, open_log().tail()):
            kept = one.history(GROUP, "ann")
            assert (kept.item, kept.time.tolist()) == (("alien", "brazil"), [now, now + 50])
        (frame,) = log.interactions(GROUP, SCHEMA)
        assert frame["TIMESTAMP"].to_list() == [now + 3 * 86_400, now + 50]
        assert frame.select(COUNTED_TIME)["TIMESTAMP"].to_list() == [now, now + 50]
        # Sent again it is the same event.
        log.append(GROUP, [ahead]).result()
        assert len(log.tail().history(GROUP, "ann")) == 2

    def test_the_newest_record_of_each_dataset_is_told(self, log: LiveLog) -> None:
        log.append(ITEMS, [Record(f"i{k}") for k in range(3000)]).result()
        log.append(USERS, [Record("u")]).result()
        log.append(ITEMS, [Record("i0")]).result()
        assert log.tail().news(0, 10).records == {ITEMS: 3002, USERS: 3001}
        assert log.tail().news(3001, 10).records == {ITEMS: 3002}

    def test_nothing_appears_behind_a_reader(self, open_log: Callable[[], LiveLog]) -> None:
        """Whoever sees a position sees all that will ever be there: a position that is given out before
        another and committed after it would be passed by."""
        logs = [open_log(), open_log()]

        def write(writer: int) -> None:
            for n in range(1, 13):
                logs[writer % 2].append(GROUP, [CLICK._replace(user=f"u{writer}", time=n)]).result()

        tail, read = open_log().tail(), open_log()
        followed: list[int] = []
        scanned: list[int] = []
        with ThreadPoolExecutor(4) as pool:
            writers = [pool.submit(write, writer) for writer in range(4)]
            position = 0
            while not all(writer.done() for writer in writers) or position < read.position():
                news = tail.news(position, 1000)
                if news.skipped:  # what was sealed is read as interactions
                    frames = [read.interactions_frame(GROUP, SCHEMA, after=position, up_to=news.position)]
                    followed += [one for frame in frames for one in frame["#ARRIVAL"].to_list()]
                followed += [event.position for event in news.events]
                scanned += read.interactions_frame(GROUP, SCHEMA, after=position, up_to=news.position)[
                    "#ARRIVAL"
                ].to_list()
                position = news.position
        for writer in writers:
            writer.result()
        assert followed == scanned == list(range(1, 49))
        tail.close()

    def test_it_is_all_there_after_reopening(self, open_log: Callable[[], LiveLog]) -> None:
        log = open_log()
        position = log.append(GROUP, [CLICK]).result()
        log.close()
        again = open_log()
        assert again.position() == position
        assert again.append(GROUP, [CLICK._replace(item="heat")]).result() > position
        assert again.interactions_frame(GROUP, SCHEMA)["ITEM_ID"].to_list() == ["alien", "heat"]

    def test_columns_have_the_names_order_and_types_of_the_schema(self, log: LiveLog, hands: Hands) -> None:
        full = Event(
            "ann",
            "s1",
            "alien",
            100,
            "click",
            2.5,
            "e1",
            "RID-1",
            "a|b",
            "mail",
            '{"DEVICE":"tv","SCREENS":9007199254740993}',
        )
        bare = Event(None, "s2", "heat", 99, "watch")
        log.append(GROUP, [full, bare]).result()
        frame = log.interactions_frame(GROUP, SCHEMA)
        assert frame.columns == [
            *SCHEMA.names,
            "#ARRIVAL",
            "#SESSION",
            "#ANONYMOUS",
            "#DUPLICATE",
            "#WRITTEN",
        ]
        assert frame.rows() == [
            (
                "alien",
                "ann",
                100,
                "click",
                2.5,
                "tv",
                9007199254740993,
                "a|b",
                1,
                "s1",
                False,
                False,
                hands.time,
            ),
            ("heat", "s2", 99, "watch", None, None, None, None, 2, "s2", True, False, hands.time),
        ]
        assert log.interactions_frame(OTHER, SCHEMA).schema == frame.schema

    def test_only_the_columns_asked_for_are_read(self, log: LiveLog) -> None:
        log.append(GROUP, [CLICK._replace(properties='{"DEVICE":"tv"}'), CLICK._replace(time=101)]).result()
        (frame,) = log.interactions(GROUP, SCHEMA, columns=["DEVICE", "#DUPLICATE", "USER_ID"])
        assert frame.columns == ["DEVICE", "#DUPLICATE", "USER_ID"]
        assert frame.rows() == [("tv", False, "ann"), (None, False, "ann")]
        (empty,) = log.interactions(OTHER, SCHEMA, columns=["DEVICE"])
        assert empty.schema == {"DEVICE": pl.String}

    def test_a_scan_is_the_interactions_up_to_a_moment_read_whenever_it_is_collected(
        self, log: LiveLog
    ) -> None:
        log.append(GROUP, [CLICK._replace(time=t) for t in range(1, 8)]).result()
        scan = log.scan(GROUP, SCHEMA, after=1)
        log.append(GROUP, [CLICK._replace(time=9)]).result()
        whole = log.interactions_frame(GROUP, SCHEMA, after=1, up_to=7)
        for engine in ("in-memory", "streaming"):
            assert scan.collect(engine=engine).equals(whole)
            late = scan.filter(pl.col("TIMESTAMP") > 5).select("ITEM_ID", "#ARRIVAL")
            assert late.collect(engine=engine)["#ARRIVAL"].to_list() == [6, 7]
            assert scan.head(2).collect(engine=engine)["TIMESTAMP"].to_list() == [2, 3]
            assert scan.select(pl.len()).collect(engine=engine).item() == 6
        assert log.scan(OTHER, SCHEMA).collect().schema == whole.schema

    def test_long_reads_come_in_chunks_between_two_positions(self, log: LiveLog) -> None:
        log.append(GROUP, [CLICK._replace(time=t) for t in range(1, 8)]).result()
        log.append(OTHER, [CLICK]).result()
        chunks = list(log.interactions(GROUP, SCHEMA, after=1, up_to=6, chunk=2))
        assert [chunk["TIMESTAMP"].to_list() for chunk in chunks[:3]] == [[2, 3], [4, 5], [6]]
        assert pl.concat(chunks).height == 5
        assert [c.height for c in log.interactions(INTERACTIONS, SCHEMA, up_to=0)] == [0]

    def test_a_repeated_event_id_is_stored_but_does_not_count(self, log: LiveLog) -> None:
        for item in ("alien", "heat"):
            log.append(GROUP, [CLICK._replace(item=item, event_id="e1")]).result()
        log.append(OTHER, [CLICK._replace(event_id="e1")]).result()
        assert log.interactions_frame(GROUP, SCHEMA)["#DUPLICATE"].to_list() == [False, True]
        assert log.interactions_frame(OTHER, SCHEMA)["#DUPLICATE"].to_list() == [False]
        assert log.tail().history(GROUP, "ann").item == ("alien",)

    @pytest.mark.parametrize("together", [True, False])
    def test_identical_events_are_kept_once(self, log: LiveLog, together: bool) -> None:
        same = [
            CLICK._replace(value=1.0, properties='{"DEVICE":"tv"}'),
            CLICK._replace(value=1.0, properties='{"DEVICE":"tv"}', event_id="e9", session="s9"),
        ]
        different = [
            same[0]._replace(value=None),
            same[0]._replace(properties=None),
            same[0]._replace(type="watch"),
            same[0]._replace(time=101),
            same[0]._replace(user=None, session="ann"),
        ]
        calls = [same + different] if together else [[event] for event in same + different]
        for events in calls:
            log.append(GROUP, events).result()
        assert log.interactions_frame(GROUP, SCHEMA).height == 6
        assert len(log.tail().history(GROUP, "ann")) == 6

    @settings(max_examples=12, deadline=None, suppress_health_check=SHARED)
    @given(
        calls=st.lists(
            st.lists(
                st.tuples(
                    st.sampled_from(["u1", "u2", None]),
                    st.sampled_from(["s1", "u1"]),
                    st.sampled_from(["a", "b"]),
                    st.integers(1, 3),
                    st.just("click"),
                    st.sampled_from([None, 1.0]),
                    st.sampled_from([None, None, "e1", "e2"]),
                ).map(lambda members: Event(*members)),
                min_size=1,
                max_size=10,
            ),
            min_size=1,
            max_size=6,
        )
    )
    def test_marks_and_histories_follow_the_rules(self, log: LiveLog, calls: list[list[Event]]) -> None:
        log.forget(GROUP)
        start = log.position()
        for done in [log.append(GROUP, events) for events in calls]:
            done.result()
        events = [event for call in calls for event in call]
        marks = expected_marks(events)
        news = log.tail().news(start, 1000)
        assert news.skipped or [event.mark for event in news.events] == marks
        frame = log.interactions_frame(GROUP, SCHEMA, after=start)
        assert frame.select("#ARRIVAL", "#DUPLICATE").rows() == [
            (start + place, mark == REPEATED_ID) for place, mark in enumerate(marks, 1) if mark != IDENTICAL
        ]
        for subject in ("u1", "u2", "s1"):
            mine = [
                (event.time, place, event.item)
                for place, (event, mark) in enumerate(zip(events, marks, strict=True))
                if mark == COUNTS and (event.user or event.session) == subject
            ]
            history = log.tail().history(GROUP, subject)
            assert list(history.item) == [item for _, _, item in sorted(mine)]
            assert history.time.tolist() == sorted(time for time, _, _ in mine)
            newest = log.tail().history(GROUP, subject, most=2)
            assert list(newest.item) == [item for _, _, item in sorted(mine)[-2:]]

    def test_news_tells_everything_in_order_once(self, log: LiveLog) -> None:
        tail = log.tail()
        log.append(GROUP, [CLICK, CLICK._replace(user=None, session="s7")]).result()
        log.append(ITEMS, [Record("alien")]).result()
        log.forget(OTHER)
        news = tail.news(0, 10)
        assert [(e.stream, e.subject, e.item) for e in news.events] == [
            (INTERACTIONS, "ann", "alien"),
            (INTERACTIONS, "s7", "alien"),
        ]
        assert news.records == {ITEMS: 3}
        assert [(f.stream, f.subject) for f in news.forgotten] == [
            (f"{PREFIX}dataset/books/INTERACTIONS", None)
        ]
        assert news.position == log.position()
        assert not news.skipped
        later = tail.news(news.position, 10)
        assert (later.events, later.records, later.forgotten) == ([], {}, [])

    def test_a_reader_far_behind_does_bounded_work(self, log: LiveLog) -> None:
        log.append(GROUP, [CLICK._replace(time=t) for t in range(1, 12)]).result()
        log.append(ITEMS, [Record("alien")]).result()
        news = log.tail().news(0, 10)
        assert news.skipped
        assert news.events == []
        assert news.records == {ITEMS: 12}
        assert news.position == log.position()
        assert len(log.tail().news(0, 11).events) == 11

    def test_removals_are_listed_for_an_hour_and_whoever_was_away_longer_is_told_so(
        self, log: LiveLog, hands: Hands
    ) -> None:
        log.append(GROUP, [CLICK, CLICK._replace(user="bob"), CLICK._replace(user="eve")]).result()
        start = log.position()
        log.forget_subjects(GROUP, ["ann"])
        hands.time += 3500
        log.forget_subjects(GROUP, ["bob"])
        news = log.tail().news(start, 10)
        assert not news.skipped
        assert [f.subject for f in news.forgotten] == ["ann", "s1", "bob", "s1"]
        assert log.tail().news(start, 3).skipped
        hands.time += 3500
        log.forget_subjects(GROUP, ["eve"])
        away = log.tail().news(start, 10)
        assert away.skipped
        assert away.forgotten == []
        assert [f.subject for f in log.tail().news(start + 2, 10).forgotten] == ["bob", "s1", "eve", "s1"]

    def test_the_newest_record_of_an_id_is_in_force_and_all_are_kept(
        self, log: LiveLog, hands: Hands
    ) -> None:
        log.append(ITEMS, [Record("alien", '{"YEAR":1979,"GENRES":"a|b"}'), Record("heat")]).result()
        hands.time += 10
        log.append(ITEMS, [Record("alien", '{"ADULT":true,"PRICE":4}')]).result()
        now = log.records_frame(ITEMS, ITEM_SCHEMA)
        assert now.rows() == [
            ("heat", None, None, None, None, 2, hands.time - 10),
            ("alien", None, None, 4.0, True, 3, hands.time),
        ]
        then = log.records_frame(ITEMS, ITEM_SCHEMA, up_to=2)
        assert then.select("ITEM_ID", "YEAR").rows() == [("alien", 1979), ("heat", None)]
        assert log.records_frame(ITEMS, ITEM_SCHEMA, after=2)["ITEM_ID"].to_list() == ["alien"]
        assert log.records_frame(ITEMS, ITEM_SCHEMA, versions=True)["ITEM_ID"].to_list() == [
            "alien",
            "heat",
            "alien",
        ]
        assert [c.height for c in log.records(ITEMS, ITEM_SCHEMA, versions=True, chunk=2)] == [2, 1]
        assert log.records_frame(USERS, Schema((Field("USER_ID", "string"),))).height == 0

    def test_versions_of_records_grow_with_ids_and_a_week(self, log: LiveLog, hands: Hands) -> None:
        """Two items are put six times a day for a month; what was in force in the last week can be read."""
        put: list[tuple[float, int]] = []
        for number in range(6 * 30):
            entries = [Record(item, f'{{"YEAR":{number}}}') for item in ("alien", "heat")]
            put.append((hands.time, log.append(ITEMS, entries).result()))
            hands.time += 86_400 / 6
        log.append(ITEMS, [Record("once", '{"YEAR":1}')]).result()
        kept = log.records_frame(ITEMS, ITEM_SCHEMA, versions=True)["ITEM_ID"].value_counts()
        assert dict(kept.iter_rows()) == {"alien": 6 * 7 + 2, "heat": 6 * 7 + 2, "once": 1}
        for number, (time, position) in enumerate(put):
            if time >= hands.time - RECORD_SECONDS:
                then = log.records_frame(ITEMS, ITEM_SCHEMA, up_to=position)
                assert then.select("ITEM_ID", "YEAR").rows() == [("alien", number), ("heat", number)]
        for _ in range(40):
            hands.time += 30 * 86_400
            log.append(ITEMS, [Record("alien", '{"YEAR":1979}')]).result()
        kept = log.records_frame(ITEMS, ITEM_SCHEMA, versions=True)["ITEM_ID"].value_counts()
        assert dict(kept.iter_rows()) == {"alien": RECORD_VERSIONS, "heat": 6 * 7 + 2, "once": 1}
        assert log.records_frame(ITEMS, ITEM_SCHEMA)["YEAR"].to_list() == [179, 1, 1979]

    def test_a_list_of_who_was_removed_may_be_dropped(self, log: LiveLog) -> None:
        log.append(GROUP, [CLICK]).result()
        tail, position = log.tail(), log.position()
        log.forget_subjects(GROUP, ["ann"])
        log.drop_tombstones()
        news = tail.news(position, 10)
        assert (news.forgotten, news.skipped) == ([], True)
        assert not tail.news(news.position, 10).skipped
        tail.close()

    def test_a_forgotten_stream_is_gone_and_starts_afresh(self, log: LiveLog) -> None:
        log.append(GROUP, [CLICK._replace(event_id="e1")]).result()
        log.append(OTHER, [CLICK]).result()
        log.append(ITEMS, [Record("alien")]).result()
        position = log.position()
        log.forget(INTERACTIONS)
        assert log.interactions_frame(GROUP, SCHEMA).height == 0
        assert len(log.tail().history(GROUP, "ann")) == 0
        assert log.interactions_frame(OTHER, SCHEMA).height == 1
        assert log.records_frame(ITEMS, ITEM_SCHEMA).height == 1
        assert log.append(GROUP, [CLICK._replace(event_id="e1")]).result() > position + 1
        assert log.interactions_frame(GROUP, SCHEMA)["#DUPLICATE"].to_list() == [False]

    def test_forgotten_users_are_gone_with_what_their_sessions_did_before(self, log: LiveLog) -> None:
        anonymous = Event(None, "s1", "heat", 90, "click")
        unlinked = Event(None, "s2", "heat", 90, "click")
        bob = Event("bob", "s3", "heat", 90, "click")
        log.append(GROUP, [anonymous, CLICK, unlinked, bob]).result()
        log.append(USERS, [Record("ann"), Record("bob"), Record("ann")]).result()
        position = log.position()
        assert log.forget_subjects(GROUP, ["ann", "nobody"]) == 2
        assert log.forget_subjects(USERS, ["ann"]) == 2
        assert log.interactions_frame(GROUP, SCHEMA)["USER_ID"].to_list() == ["s2", "bob"]
        assert log.records_frame(USERS, Schema((Field("USER_ID", "string"),)))["USER_ID"].to_list() == ["bob"]
        told = {(f.stream, f.subject) for f in log.tail().news(position, 10).forgotten}
        assert told == {(INTERACTIONS, "ann"), (INTERACTIONS, "s1"), (USERS, "ann")}

    def test_coroutines_and_threads_append_together(self, log: LiveLog) -> None:
        async def send() -> list[int]:
            calls = [log.appended(GROUP, [CLICK._replace(time=t)]) for t in range(1, 201)]
            waits: list[Any] = [*calls, asyncio.wrap_future(log.append(OTHER, [CLICK]))]
            return list(await asyncio.gather(*waits))

        assert sorted(asyncio.run(send())) == list(range(1, 202))
        assert log.interactions_frame(GROUP, SCHEMA)["TIMESTAMP"].sort().to_list() == list(range(1, 201))

    def test_a_call_that_cannot_be_stored_harms_no_other(self, log: LiveLog) -> None:
        broken = CLICK._replace(item="\ud800")
        calls = [
            log.append(GROUP, events)
            for events in ([CLICK], [CLICK._replace(time=5), broken], [CLICK._replace(time=6)])
        ]
        calls[0].result()
        with pytest.raises(ValueError):
            calls[1].result()
        calls[2].result()
        assert log.interactions_frame(GROUP, SCHEMA)["TIMESTAMP"].to_list() == [100, 6]

    def test_closing_finishes_what_was_accepted_and_refuses_more(
        self, open_log: Callable[[], LiveLog]
    ) -> None:
        log = open_log()
        accepted = [log.append(GROUP, [CLICK._replace(time=t)]) for t in range(1, 50)]
        log.close()
        assert [call.result(timeout=0) for call in accepted] == list(range(1, 50))
        with pytest.raises(Unavailable):
            log.append(GROUP, [CLICK])
        assert open_log().interactions_frame(GROUP, SCHEMA).height == 49


def expected_marks(events: list[Event]) -> list[int]:
    """The rules of repeats, written the slow way."""
    marks: list[int] = []
    counted: set[Any] = set()
    ids: set[str] = set()
    for event in events:
        content = (event.user or event.session, event.user is None, *event[2:6])
        if content in counted:
            mark = IDENTICAL
        elif event.event_id in ids:
            mark = REPEATED_ID
        else:
            mark = COUNTS
            counted.add(content)
        marks.append(mark)
        if event.event_id is not None:
            ids.add(event.event_id)
    return marks
